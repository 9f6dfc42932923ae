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
    fits[:, ~space.linked[space.problem.source]] = False
    for wanted in space.required:
        fits[:, ~wanted[space.group]] = False
    for constraint in task.constraints:
        fits &= _alone(constraint.costs) <= constraint.cap
    rights = np.zeros(costs.shape)
    if task.floor > -np.inf or task.by_accuracy:
        ends = np.flatnonzero(fits.any(axis=(0, 1))).tolist()
        rights[:, :, ends] = np.array([_accuracy(task, end) for end in ends]) - space.input_drops[:, :, None]
        fits &= rights >= task.floor
    found = np.argwhere(fits).tolist()
    if not found:
        return ()

    ties = np.zeros(costs.shape) if task.ties is None else _alone(task.ties)

    def order(place: list[int]) -> tuple[float, ...]:
        cost, right, tie = (float(each[tuple(place)]) for each in (costs, rights, ties))
        return (-right, cost, tie) if task.by_accuracy else (cost, tie)

    choice, node, end = min(found, key=order)
    return (Decision((end + 1,), (node,), (end + 1,), input_codec=space.input_codec(choice, node)),)


def _alone(costs: Costs) -> Floats:
    """Return W x M x N: what a plan costs whose only partition ends with a block, by what encodes the input."""
    own = np.asarray(costs.first[:, :, None] + costs.span[:, 0, :] + costs.result.T)
    for other in costs.others:
        own = np.maximum(own, _alone(other))
    return own


def _accuracy(task: Task, end: int) -> float:
    return price(task.space.problem, Decision((end + 1,), (0,), (end + 1,))).accuracy or 0.0
