"""The solvers by name, and what each supports, as data; a solver's module is imported when it is first used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from tiercut.errors import QuestionError, unknown_name
from tiercut.optimizer.measures.names import counts_whole, is_tail

if TYPE_CHECKING:
    from tiercut.optimizer.query import Query
    from tiercut.optimizer.space import Space
    from tiercut.solvers.interface import Options, Outcome

__all__ = ["FEATURES", "SOLVERS", "Solver", "choose", "find", "in_time", "needs"]

FEATURES: Mapping[str, str] = MappingProxyType(
    {
        "frontier": "a frontier",
        "rank": "the N best plans in order",
        "free": "exits anywhere",
        "per-exit": "a threshold for each exit",
        "codec": "codecs",
        "sides": "bounds on measures beside the objective and accuracy",
        "whole": "an objective that counts pieces whole, however few samples get there (blocks, memory)",
        "many": "a frontier over other than one measure and accuracy",
        "tail": "quantiles of the latency",
        "conditional": "conditional accuracies",
        "replay": "samples in place of estimates",
        "crowd": "more than 62 nodes (or tiers, where a tier is used once)",
    }
)
"""What a question may need of a solver, in words."""

_MOST_ENUMERATED = 10**8
_CROWD = 62
_SEEN = ("conditional", "replay")


@dataclass(frozen=True, slots=True)
class Solver:
    """A solver and what it can be asked.

    Parameters
    ----------
    name
        As in ``--solver``.
    module
        Where its ``solve(space, query, options)`` stands.
    exact
        Whether it proves what it says.
    supports
        Keys of `FEATURES`.
    about
        One line for people.
    """

    name: str
    module: str
    exact: bool
    supports: frozenset[str]
    about: str

    def solve(self, space: Space, query: Query, options: Options) -> Outcome:
        """Answer a question.

        Raises
        ------
        QuestionError
            If the question needs what this solver lacks; the message names the solvers that have it.
        """
        lacks = needs(space, query) - self.supports
        if lacks:
            wanted = " and ".join(FEATURES[name] for name in FEATURES if name in lacks)
            able = [each.name for each in SOLVERS.values() if needs(space, query) <= each.supports]
            raise QuestionError(f"solver '{self.name}' does not answer {wanted}; these do: {', '.join(able) or 'none'}")
        run: Callable[[Space, Query, Options], Outcome] = import_module(self.module).solve
        return run(space, query, options)


def _all(*but: str) -> frozenset[str]:
    return frozenset(FEATURES) - frozenset(but)


SOLVERS: Mapping[str, Solver] = MappingProxyType(
    {
        solver.name: solver
        for solver in (
            Solver(
                "labels",
                "tiercut.solvers.labels.solver",
                True,
                _all("sides", "whole", "replay", "crowd"),
                "grows what a bound lets pass",
            ),
            Solver("exhaustive", "tiercut.solvers.exhaustive.solver", True, _all("crowd"), "scores every decision"),
            Solver(
                "cp-sat",
                "tiercut.solvers.cp_sat.solver",
                True,
                _all("many", *_SEEN),
                "proves the best under any bounds",
            ),
            Solver(
                "nsga2",
                "tiercut.solvers.heuristics.nsga2",
                False,
                _all("tail", *_SEEN),
                "good plans by generations; needs pymoo",
            ),
            Solver(
                "annealing",
                "tiercut.solvers.heuristics.annealing",
                False,
                _all("many", "tail", *_SEEN),
                "good plans of any space, without proof",
            ),
        )
    }
)


def needs(space: Space, query: Query) -> frozenset[str]:
    """Return which of `FEATURES` a question needs."""
    return frozenset(_needs(space, query))


def _needs(space: Space, query: Query) -> Iterator[str]:
    if query.kind != "solve":
        yield query.kind
    if query.many:
        yield "many"
    if space.inside:
        yield "free"
    if space.per_exit:
        yield "per-exit"
    if len(space.drops) > 1 or space.ways[0] >= 0:
        yield "codec"
    # Who compares many measures can bound them all.
    if not query.many and (query.bounds or (query.max_latency_s is not None and query.additive != "latency")):
        yield "sides"
    if counts_whole(query.additive):
        yield "whole"
    if any(map(is_tail, (query.additive, *(bound.measure for bound in query.bounds)))):
        yield "tail"
    if space.estimator != "marginal":
        yield space.estimator
    if len(set(space.group.tolist())) > _CROWD:
        yield "crowd"


def find(name: str) -> Solver:
    """Return the solver of a name.

    Raises
    ------
    QuestionError
        If there is none of that name.
    """
    if name not in SOLVERS:
        raise QuestionError(unknown_name("solver", name, ("auto", *SOLVERS)))
    return SOLVERS[name]


def choose(space: Space, query: Query) -> tuple[Solver, str]:
    """Return the solver that ``auto`` takes for a question, and why.

    Raises
    ------
    QuestionError
        If none answers it, or only one that would have to replay too many decisions.
    """
    wanted = needs(space, query)
    able = [solver for solver in SOLVERS.values() if wanted <= solver.supports]
    if not able:
        raise QuestionError(f"no solver answers {' and '.join(FEATURES[name] for name in FEATURES if name in wanted)}")
    for solver in able:
        if solver.name == "labels":
            return solver, "exact without enumeration"
        if solver.name == "exhaustive" and space.decisions <= _MOST_ENUMERATED:
            return solver, f"exact, and {space.decisions:,} decisions are few enough to score them all"
        if solver.name == "cp-sat":
            return solver, "exact, with any bound"
    last = able[-1]
    if "replay" in wanted:
        raise QuestionError(
            f"the estimator replay sends every sample through every decision, and {space.decisions:,} are too many; "
            "ask with fewer exits, thresholds or nodes, choose among candidates of the model (--evaluate replay alone) "
            "or take your time with --solver exhaustive"
        )
    if last.exact:
        return last, f"nothing else answers it, and {space.decisions:,} decisions to score may take long"
    return last, "the space is too large for the exact solvers"


def in_time(space: Space, query: Query) -> bool:
    """Return whether what ``auto`` takes for a question need not score more decisions than it would by choice."""
    return choose(space, query)[0].name != "exhaustive" or space.decisions <= _MOST_ENUMERATED
