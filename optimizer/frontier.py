"""The Pareto frontier of priced plans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiercut.optimizer.plan import Plan

__all__ = ["TOLERANCE", "pareto"]

TOLERANCE = 1e-12
"""By how much a point of the frontier must beat all cheaper ones in accuracy."""


def pareto(costs: Sequence[float], plans: Iterable[Plan]) -> list[Plan]:
    """Return the plans that no other beats, by rising cost.

    Parameters
    ----------
    costs
        What each plan costs in the measure that is traded against accuracy.
    plans
        As many plans, each with an accuracy.
    """
    ordered = sorted(
        zip(costs, plans, strict=True), key=lambda pair: (pair[0], -_right(pair[1]), pair[1].decision.order)
    )
    kept: list[Plan] = []
    best = -1.0
    for _, plan in ordered:
        if _right(plan) > best + TOLERANCE:
            kept.append(plan)
        best = max(best, _right(plan))
    return kept


def _right(plan: Plan) -> float:
    return 0.0 if plan.accuracy is None else plan.accuracy
