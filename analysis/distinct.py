"""A ranking in which plans that treat every sample alike are one plan.

A threshold without effect, or a part that no sample reaches, makes no second plan; the first in the order of plans
stands for all that are alike. Solvers rank decisions, so more of them are asked for until there are enough plans; where
that goes on for too long, the parts of the space without such decisions are ranked by themselves.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tiercut.optimizer import NEGLIGIBLE, counts_whole, evaluate, itinerary, price, without_idle_ends, without_repeats
from tiercut.solvers import make_task

if TYPE_CHECKING:
    from tiercut.optimizer import Decision, Plan, Problem, Query, Space
    from tiercut.solvers import Options, Outcome, Solver

__all__ = ["distinct_ranking", "needs_idle_ends", "treatment"]

_GROWTH = 4
_TOGETHER = 4
"""Times as many decisions as plans are wanted; where more are needed, the parts without idle ends are ranked."""
_PROVED = ("optimal", "infeasible")
_MOST = 1 << 16
"""Most decisions that are ranked for one list of plans."""
_DIGITS = 12
"""Of shares: rates that sum to 1 leave a rounding behind."""
_SPARE = 8
"""How many decisions a heuristic is asked for, for each plan that is wanted: it is asked once."""


def treatment(problem: Problem, plan: Plan) -> tuple[Any, ...]:
    """Return what a plan does to samples: plans with equal treatments are one plan.

    That is what they pass through up to where the last of them leaves, and which of them get there, whence all that a
    plan costs follows; and the accuracy, which an estimator may know otherwise for another threshold.
    """
    steps = itinerary(problem, plan.decision).steps
    passed = (
        (step.sort, step.node, step.first, step.last, step.exits, step.codec, round(step.reach, _DIGITS))
        for step in steps
        if step.sort != "result" and step.reach > NEGLIGIBLE
    )
    return plan.accuracy and round(plan.accuracy, _DIGITS), *passed


def distinct_ranking(space: Space, query: Query, solver: Solver, options: Options) -> Outcome:
    """Return the `top` best plans of a ranking, each once.

    Parameters
    ----------
    space, query
        What is asked.
    solver
        Who ranks decisions.
    options
        As for one call of the solver; the time limit holds for all calls together.

    Returns
    -------
    Outcome
        Seconds and scored decisions of all calls. Its status is ``feasible`` where the best 65,536 decisions make fewer
        plans and there may be more.
    """
    return _Ranking(space, query, solver, options).run()


def needs_idle_ends(space: Space, query: Query) -> bool:
    """Return whether a plan may need a stage that no sample reaches, or one taken for such is reached.

    A rule can be kept by such a stage alone, and a measure of the whole plan counts it. Whether any sample is left
    follows from the rates of the full configuration, which samples that are replayed need not follow.
    """
    rules = query.include or query.use_all_tiers or query.fewest_partitions
    whole = any(map(counts_whole, (query.objective, *(bound.measure for bound in query.bounds))))
    return bool(rules) or whole or space.problem.recorded is not None


class _Ranking:
    """Calls of one solver, their time and their work added up."""

    def __init__(self, space: Space, query: Query, solver: Solver, options: Options) -> None:
        self.query, self.solver, self.options = query, solver, options
        # Recorded samples may leave at one threshold and not at another, though as many leave at both.
        self.space = space if space.estimator == "replay" else without_repeats(space)
        self.began, self.seconds, self.scored = time.perf_counter(), 0.0, 0

    def run(self) -> Outcome:
        together = (
            _MOST if needs_idle_ends(self.space, self.query) or not self.solver.exact else _TOGETHER * self.query.top
        )
        outcome, plans = self.rank(self.space, together)
        if len(plans) == self.query.top or outcome.status != "optimal" or len(outcome.decisions) < together:
            return self.ended(outcome, plans)
        if together == _MOST:
            few = f"the best {_MOST:,} decisions make no more than {len(plans)} different plans"
            return self.ended(replace(outcome, status="feasible", reason=few), plans)
        return self.by_parts()

    def by_parts(self) -> Outcome:
        """Rank the parts of the space without idle ends, and put the rankings together."""
        found: list[Plan] = []
        for part in without_idle_ends(self.space):
            outcome, plans = self.rank(part, _MOST)
            found += plans
            if outcome.status not in _PROVED:
                break
        if outcome.status in _PROVED:
            outcome = replace(outcome, status="optimal" if found else "infeasible")
        return self.ended(outcome, self.once(sorted(found, key=self.order)))

    def rank(self, space: Space, most: int) -> tuple[Outcome, list[Plan]]:
        """Rank more and more decisions, until they make enough plans, there are no more, or they are `most`."""
        top = self.query.top if self.solver.exact else _SPARE * self.query.top
        before: list[Plan] = []
        while True:
            outcome = self.solved(space, top)
            plans = self.once(price(space.problem, decision) for decision in outcome.decisions)
            if outcome.status not in _PROVED:  # it ran out of time, was interrupted, or proves nothing
                return outcome, max(plans, before, key=len)
            if len(plans) == self.query.top or len(outcome.decisions) < top or top >= most:
                return outcome, plans
            top, before = min(top * _GROWTH, most), plans

    def solved(self, space: Space, top: int) -> Outcome:
        limit = self.options.time_limit_s
        left = None if limit is None else max(limit - (time.perf_counter() - self.began), 0.0)
        task = make_task(space, replace(self.query, top=top))
        outcome = self.solver.solve(task, replace(self.options, time_limit_s=left))
        self.seconds += outcome.seconds
        self.scored += outcome.scored or 0
        return outcome

    def once(self, plans: Iterable[Plan]) -> list[Plan]:
        """Return the first `top` plans that differ for some sample."""
        found: dict[tuple[Any, ...], Plan] = {}
        for plan in plans:
            found.setdefault(treatment(self.space.problem, plan), plan)
        return list(found.values())[: self.query.top]

    def order(self, plan: Plan) -> tuple[Any, ...]:
        problem, query = self.space.problem, self.query
        if query.objective == "accuracy":
            goal = -(plan.accuracy or 0.0)
        else:
            goal = evaluate(problem, plan.decision, query.objective, query.rate_fps)
        return goal, plan.latency_s, -(plan.accuracy or 0.0), plan.decision.order

    def ended(self, outcome: Outcome, plans: Sequence[Plan]) -> Outcome:
        decisions: tuple[Decision, ...] = tuple(plan.decision for plan in plans)
        if outcome.status == "stopped" and plans:
            outcome = replace(outcome, status="feasible")
        return replace(outcome, decisions=decisions, seconds=self.seconds, scored=self.scored or outcome.scored)
