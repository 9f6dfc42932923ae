"""What a report is made of: the frontier, the best plans under a bound, and where the best one changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tiercut.analysis import ask, problem, why
from tiercut.errors import InfeasibleError, QuestionError
from tiercut.optimizer import make_space
from tiercut.stages import stage

if TYPE_CHECKING:
    from tiercut.analysis import Answer, Why
    from tiercut.optimizer import Plan, Query
    from tiercut.profiling import Profile
    from tiercut.solvers import Options
    from tiercut.topologies import Topology

__all__ = ["MOST_PLANS", "Findings", "gather"]

MOST_PLANS = 15_000
"""Plans of a frontier that a page holds; a longer frontier is thinned."""

_TOP = 100


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What was found of a topology and a profile.

    Parameters
    ----------
    topology, profile
        Under the conditions that were asked about.
    frontier
        All plans that no other beats; where no accuracies are known, in latency and bytes.
    ranking
        The best plans under the bound on accuracy.
    bound
        Least accuracy that the page begins with: the one asked for, else that of the frontier's knee, else that of its
        most accurate plan; None where no accuracies are known.
    why
        Where the best plan changes over each link and node; None where it was not asked for, or cannot be said.
    """

    topology: Topology
    profile: Profile
    frontier: Answer
    ranking: Answer
    bound: float | None
    why: Why | None

    @property
    def proved(self) -> bool:
        """Whether the page holds a whole frontier, and it is proved that nothing beats it."""
        outcome = self.frontier.outcome
        return outcome.exact and outcome.status == "optimal" and not self.frontier.whole

    def plans(self) -> Iterator[tuple[str, Plan]]:
        """Yield the plans of the page with where they come from, each decision once."""
        changes = () if self.why is None else (span.plan for sweep in self.why.sweeps for span in sweep.spans)
        parts = {
            "frontier": self.frontier.plans,
            **{name: (plan,) for name, plan in self.frontier.beside.items()},
            "ranking": self.ranking.plans,
            "change": changes,
        }
        seen = set()
        for origin, plans in parts.items():
            for plan in plans:
                if plan is not None and plan.decision not in seen:
                    seen.add(plan.decision)
                    yield origin, plan


def gather(
    topology: Topology,
    profile: Profile,
    query: Query,
    *,
    solver: str = "auto",
    options: Options,
    changes: bool = True,
) -> Findings:
    """Ask what a report shows.

    Parameters
    ----------
    topology, profile
        Under their conditions.
    query
        Rules and bounds; a least accuracy is where the page begins, and does not shorten the frontier.
    solver, options
        Who answers.
    changes
        Whether to look where the best plan changes, by exact solves.

    Raises
    ------
    InputError, QuestionError
        If the question is wrong, or about another objective than latency.
    InfeasibleError
        If no plan meets it.
    """
    if query.objective != "latency" or query.over:
        raise QuestionError(
            "a report is about latency: leave out other objectives, and ask for them by tiercut frontier"
        )

    def answered(asked: Query) -> Answer:
        found = ask(topology, profile, asked, solver=solver, options=options)
        if not found.plans:
            raise found.error
        return found

    known = make_space(problem(topology, profile), exits=query.exits).knows_accuracy
    over = () if known else ("latency", "bytes")
    whole = replace(query, kind="frontier", over=over, min_accuracy=None, of_final=None, max_loss=None)
    with stage("finding the frontier"):
        frontier = answered(whole)
        if len(frontier) > MOST_PLANS:
            frontier = frontier.thinned(points=MOST_PLANS)
    with stage("ranking plans"):
        bounded = query if _asks_accuracy(query) else replace(query, min_accuracy=_usual_bound(frontier))
        ranking = answered(replace(bounded, kind="rank", top=_TOP, distinct=True))
    reasons = None
    if changes:
        reasons = _reasons(topology, profile, replace(bounded, kind="solve"), solver, options)
    return Findings(topology, profile, frontier, ranking, ranking.query.min_accuracy, reasons)


def _asks_accuracy(query: Query) -> bool:
    return any(each is not None for each in (query.min_accuracy, query.of_final, query.max_loss))


def _usual_bound(frontier: Answer) -> float | None:
    """Return the accuracy where a frontier bends most, or its greatest; None where none is known."""
    if "accuracy" not in frontier.query.compared:
        return None
    plan = frontier.plans[-1 if frontier.knee is None else frontier.knee]
    return plan.accuracy


def _reasons(topology: Topology, profile: Profile, query: Query, solver: str, options: Options) -> Why | None:
    try:
        return why(topology, profile, query, solver=solver, options=options)
    except (QuestionError, InfeasibleError):  # of a solver that proves nothing, or an estimator that has no envelope
        return None
