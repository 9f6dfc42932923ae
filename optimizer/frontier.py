"""The Pareto frontier of priced plans, over any measures."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.optimizer.measures.tables import measure
from tiercut.optimizer.pricing import evaluate_tables, price

if TYPE_CHECKING:
    from tiercut.optimizer.plan import Decision, Plan
    from tiercut.optimizer.problem import Floats, Problem
    from tiercut.optimizer.query import Query

__all__ = ["TOLERANCE", "front_of", "frontier_plans", "unbeaten", "values_of"]

TOLERANCE = 1e-12
"""By how much a point must beat those before it: of accuracy this much, of another measure this share of it."""

_NOTHING = 0.0


def values_of(problem: Problem, plans: Sequence[Plan], names: Sequence[str], rate_fps: float | None = None) -> Floats:
    """Return K x D: the values of K plans in D measures, accuracy among them; 0 where it is not known."""
    columns = []
    for name in names:
        if name == "accuracy":
            columns.append([_NOTHING if plan.accuracy is None else plan.accuracy for plan in plans])
        elif name == "latency":
            columns.append([plan.latency_s for plan in plans])
        else:
            tables = measure(problem, name, rate_fps)
            columns.append([evaluate_tables(problem, plan.decision, tables) for plan in plans])
    return np.array(columns, float).reshape(len(names), len(plans)).T


def frontier_plans(problem: Problem, query: Query, decisions: Sequence[Decision]) -> list[Plan]:
    """Return the plans of a frontier, of which no solver's rounding is left, in order (see `unbeaten`)."""
    known: dict[Any, Any] = {}
    return front_of(problem, query, [price(problem, decision, known=known) for decision in decisions])


def front_of(problem: Problem, query: Query, plans: Sequence[Plan]) -> list[Plan]:
    """Return those of some plans that no other beats in what a question compares, in order (see `unbeaten`)."""
    values = values_of(problem, plans, query.compared, query.rate_fps)
    if "accuracy" in query.compared:
        values[:, -1] *= -1.0
    return [plans[place] for place in unbeaten(values, plans, absolute="accuracy" in query.compared)]


def unbeaten(values: Floats, plans: Sequence[Plan], *, absolute: bool) -> list[int]:
    """Return the places of the plans that no other beats, by the first measure, then the next; equals as plans go.

    Parameters
    ----------
    values
        K x D, all of them minimised.
    plans
        The K plans.
    absolute
        Whether `TOLERANCE` is that of the last measure itself (accuracy, its sign turned), not a share of it.

    Returns
    -------
    list of int
        Counted from 0, in the order of the frontier.

    Notes
    -----
    A plan is left out where one before it is no worse in the first measure, and in each other by no more than the
    tolerance. For one measure against accuracy: a point beats all cheaper ones by more than 1e-12 in accuracy.
    """
    order = sorted(range(len(plans)), key=lambda k: (*values[k].tolist(), *_rank(plans[k])))
    values = values[order]
    slack = TOLERANCE * np.abs(values)
    slack[:, 0] = 0.0
    if absolute:
        slack[:, -1] = TOLERANCE
    covered = _Stairs()
    return [order[k] for k, far in enumerate(values + slack) if covered.add(values[k, 1:], far[1:])]


class _Stairs:
    """Points in one or two measures that nothing beats: the first rises, the second falls."""

    def __init__(self) -> None:
        self.first: list[float] = []
        self.second: list[float] = []

    def add(self, point: Floats, reach: Floats) -> bool:
        """Take a point in; return whether none that came before lies within its reach."""
        x, y = float(point[0]), float(point[-1]) if len(point) > 1 else 0.0
        far_x, far_y = float(reach[0]), float(reach[-1]) if len(reach) > 1 else 0.0
        place = bisect_right(self.first, far_x)
        free = place == 0 or self.second[place - 1] > far_y
        place = bisect_right(self.first, x)
        if place == 0 or self.second[place - 1] > y:
            end = bisect_left(self.first, x)
            place = min(place, end)
            while end < len(self.first) and self.second[end] >= y:
                end += 1
            self.first[place:end], self.second[place:end] = [x], [y]
        return free


def _rank(plan: Plan) -> tuple[object, ...]:
    return plan.latency_s, -(plan.accuracy or 0.0), plan.decision.order
