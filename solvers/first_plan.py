"""A plan at once, where a search ended before it found any: all blocks on one node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.optimizer import Decision, price

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer import Costs
    from tiercut.solvers.task import Task

    Floats = NDArray[np.float64]

__all__ = ["first_plan"]


def first_plan(task: Task) -> tuple[Decision, ...]:
    """Return the best plan with one partition that holds every constraint; empty where none does.

    All samples go through its only partition and take its only exit, so that its sums are single look-ups.
    """
    space = task.space
    if space.fewest > 1:
        return ()
    costs = _alone(task.costs)
    fits = space.allowed[:, 0, :] & space.can_end & np.isfinite(costs) & (costs <= task.cap)
    fits &= np.arange(len(space.can_end)) <= space.furthest[:, :1]
    fits[~space.linked[space.problem.source]] = False
    for wanted in space.required:
        fits[~wanted[space.group]] = False
    for constraint in task.constraints:
        fits &= _alone(constraint.costs) <= constraint.cap
    found = [Decision((end + 1,), (node,), (end + 1,)) for node, end in np.argwhere(fits).tolist()]
    if task.floor > -np.inf or task.by_accuracy:
        right = {end: _accuracy(task, end) for end in np.flatnonzero(fits.any(axis=0)).tolist()}
        found = [each for each in found if right[each.partition[0] - 1] >= task.floor]
    else:
        right = {}

    def order(decision: Decision) -> tuple[float, float]:
        cost = float(costs[decision.placement[0], decision.partition[0] - 1])
        return (-right[decision.partition[0] - 1], cost) if task.by_accuracy else (cost, 0.0)

    return (min(found, key=order),) if found else ()


def _alone(costs: Costs) -> Floats:
    """Return M x N: what a plan costs whose only partition ends with a block."""
    return np.asarray(costs.first[:, None] + costs.span[:, 0, :] + costs.result.T)


def _accuracy(task: Task, end: int) -> float:
    return price(task.space.problem, Decision((end + 1,), (0,), (end + 1,))).accuracy or 0.0
