"""The solvers by name, and the features that tasks need; a solver's module is imported when it is first used.

The solver to copy for a new one is `tiercut.solvers.heuristics.random_search`; it needs a line in the table here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from tiercut.errors import QuestionError, unknown_name

if TYPE_CHECKING:
    from tiercut.optimizer import Costs, Kind
    from tiercut.solvers.interface import Solver
    from tiercut.solvers.task import Task

__all__ = ["FEATURES", "MOST_UNCOMPILED", "SOLVERS", "choose", "find", "in_time", "needs", "refuse_unsupported"]

FEATURES: Mapping[str, str] = MappingProxyType(
    {
        "frontier": "a frontier",
        "rank": "the N best plans in order",
        "free": "exits anywhere",
        "per-exit": "a threshold for each exit",
        "codec": "codecs",
        "constraints": "bounds on measures beside the objective and accuracy",
        "bounded-rank": "the N best plans under bounds on measures beside the objective and accuracy",
        "whole": "an objective that counts pieces whole, however few samples get there (blocks, memory)",
        "once": "memory of several nodes together, or as objective or least value, with exits inside partitions",
        "many": "a frontier over other than one measure and accuracy",
        "peak": "the sustainable rate as objective, or along a frontier",
        "peak-rank": "the N best plans by the sustainable rate",
        "tail": "quantiles of the latency",
        "spread": "quantiles of the latency where samples that leave later may be done sooner",
        "leavers": "accuracies of those who leave, given the exit before",
        "replay": "samples in place of estimates",
    }
)
"""What a task may need of a solver, in words. A solver names those that it supports on its class."""

_CLASSES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "labels": ("tiercut.solvers.labels.solver", "Labels"),
        "exhaustive": ("tiercut.solvers.exhaustive.solver", "Exhaustive"),
        "cp-sat": ("tiercut.solvers.cp_sat.solver", "CpSat"),
        "nsga2": ("tiercut.solvers.heuristics.nsga2", "Nsga2"),
        "annealing": ("tiercut.solvers.heuristics.annealing", "Annealing"),
        "random": ("tiercut.solvers.heuristics.random_search", "RandomSearch"),
    }
)
"""Module and class of each solver: a new one is a line here."""

_MOST_ENUMERATED = 10**8

MOST_UNCOMPILED = 800_000
"""Decisions that NumPy scores in a process before kernels are used: about as many as it scores while numba and kernels
are loaded, a third of a second. Tests of kernels set it to 0."""

_RANKED = 3
"""Solves that a ranking of different plans is given room for: each asks for more plans where too many of the last one's
were alike (see `analysis/distinct.py`), and three nearly always do."""


class _Solvers(Mapping[str, "Solver"]):
    """The solvers by name, each imported when it is first looked at."""

    def __init__(self) -> None:
        self._loaded: dict[str, Solver] = {}

    def __getitem__(self, name: str) -> Solver:
        if name not in self._loaded:
            module, solver = _CLASSES[name]
            self._loaded[name] = getattr(import_module(module), solver)()
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in _CLASSES

    def __iter__(self) -> Iterator[str]:
        return iter(_CLASSES)

    def __len__(self) -> int:
        return len(_CLASSES)


SOLVERS: Mapping[str, Solver] = _Solvers()
"""All solvers; their names are known without importing any."""


def needs(task: Task) -> frozenset[str]:
    """Return which of `FEATURES` a task needs."""
    return frozenset(_needs(task))


def _needs(task: Task) -> Iterator[str]:
    space = task.space
    if task.kind != "solve":
        yield task.kind
    if task.goals is not None:
        yield "many"
    if space.inside:
        yield "free"
    if space.per_exit:
        yield "per-exit"
    if len(space.codec_choices) > 1 or space.codec_choices[0] >= 0:
        yield "codec"
    # A solver that compares several measures can bound them all.
    if task.goals is None and task.constraints:
        yield from ("constraints", "bounded-rank") if task.kind == "rank" else ("constraints",)
    if task.costs.whole:
        yield "whole"
    if space.inside and any(each.once for each in _measured(task)):
        yield "once"
    yield from _sorts(_measured(task), task.kind)
    if space.problem.leavers is not None:
        yield "leavers"
    if space.problem.recorded is not None:
        yield "replay"


def _sorts(measured: tuple[Costs, ...], kind: Kind) -> Iterator[str]:
    if any(each.others for each in measured):
        yield from ("peak", "peak-rank") if kind == "rank" else ("peak",)
    if any(each.tail is not None for each in measured):
        yield "tail"
    if any(each.spread for each in measured):
        yield "spread"


def _measured(task: Task) -> tuple[Costs, ...]:
    """Return the tables of all that a task minimises, compares or bounds."""
    if task.goals is not None:
        return task.goals.costs
    return task.costs, *(each.costs for each in task.constraints)


def refuse_unsupported(solver: Solver, task: Task) -> None:
    """Check that a solver has every feature that a task needs.

    Raises
    ------
    QuestionError
        If it lacks one; the message names the solvers that have them all.
    """
    wanted = needs(task)
    if lacks := wanted - solver.features:
        able = [each.name for each in SOLVERS.values() if wanted <= each.features]
        raise QuestionError(
            f"solver '{solver.name}' does not answer {_words(lacks)}; these do: {', '.join(able) or 'none'}"
        )


def _words(features: frozenset[str]) -> str:
    return " and ".join(FEATURES[name] for name in FEATURES if name in features)


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


def choose(task: Task) -> tuple[Solver, str]:
    """Return the solver that ``auto`` takes for a task, and why.

    Raises
    ------
    QuestionError
        If none answers it, or only one that would have to replay too many decisions.
    """
    wanted = needs(task)
    for name, why in _preferred(task):
        if wanted <= SOLVERS[name].features:
            return _with_a_second(SOLVERS[name], task, wanted), why
    if not wanted <= SOLVERS["exhaustive"].features:
        raise QuestionError(f"no solver answers {_words(wanted)}")
    decisions = task.space.decisions
    if "replay" in wanted:
        raise QuestionError(
            f"the estimator replay sends every sample through every decision, and {decisions:,} are too many; "
            "ask with fewer exits, thresholds or nodes, choose among candidates of the model (--evaluate replay alone) "
            "or take your time with --solver exhaustive"
        )
    return SOLVERS["exhaustive"], f"nothing else answers it, and {decisions:,} decisions to score may take long"


def _with_a_second(solver: Solver, task: Task, wanted: frozenset[str]) -> Solver:
    """Return a solver; of labels that bound measures with who goes on where they grow too many."""
    if solver.name != "labels" or "constraints" not in wanted:
        return solver
    second = SOLVERS["exhaustive" if task.space.decisions <= _MOST_ENUMERATED else "cp-sat"]
    if not wanted <= second.features or (second.name == "cp-sat" and task.kind == "frontier"):
        return solver
    from tiercut.solvers.in_turn import InTurn

    return InTurn(second)


def _preferred(task: Task) -> Iterator[tuple[str, str]]:
    """Yield the solvers that ``auto`` tries, in order, and what it says where it takes them; a baseline is none."""
    decisions = task.space.decisions
    if _is_first(task):
        yield "exhaustive", f"exact, and NumPy scores {decisions:,} decisions before faster solvers are loaded"
    yield "labels", "exact without enumeration"
    if decisions <= _MOST_ENUMERATED:
        yield "exhaustive", f"exact, and {decisions:,} decisions are few enough to score them all"
    yield "cp-sat", "exact, with any bound"
    yield "annealing", "the space is too large for the exact solvers"
    yield "nsga2", "the space is too large for the exact solvers"


def _is_first(task: Task) -> bool:
    """Return whether a task is answered by NumPy before kernels for it are loaded, or compiled in half a minute."""
    if task.kind == "rank" and _RANKED * task.space.decisions > MOST_UNCOMPILED:
        return False
    from tiercut.solvers.exhaustive.uncompiled import comes_first
    from tiercut.solvers.kernels.keep_kernels import offer_all
    from tiercut.solvers.labels.front_kernels import grow_points
    from tiercut.solvers.labels.grow_kernels import grow_labels

    return comes_first(task, *((grow_points,) if task.constraints else (grow_labels, offer_all)))


def in_time(task: Task) -> bool:
    """Return whether what ``auto`` takes for a task need not score more decisions than it would by choice."""
    return choose(task)[0].name != "exhaustive" or task.space.decisions <= _MOST_ENUMERATED
