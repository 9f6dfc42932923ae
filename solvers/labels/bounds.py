"""What prunes the labels of a threshold: budgets, the groups they remember as used, and plans to begin with."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.clock import seconds_left
from tiercut.optimizer import PLAIN
from tiercut.solvers.kept import Keeper
from tiercut.solvers.kernels import plain_kernels
from tiercut.solvers.kernels.keep_kernels import BUCKETS
from tiercut.solvers.labels.budget_kernels import Budgets, Sets
from tiercut.solvers.labels.line_kernels import LINES, Lines, heights_of, lines_along
from tiercut.solvers.task import plain_tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tiercut.optimizer import Space
    from tiercut.solvers.kernels.arguments import Shares
    from tiercut.solvers.task import Task

__all__ = [
    "BUDGET_ROOM", "NO_LINES", "SET_CELLS", "Bounds", "Thread", "accuracies_of", "begin_with_two", "cells_for",
    "critical_groups", "lines_fit", "lines_for", "lines_serve", "no_budgets", "sets_of", "slope_along",
]  # fmt: skip

BUDGET_ROOM = 40_000_000  # cells of one budget table, 0.2 GB
SET_CELLS = 128  # of accuracy, at most, where budgets tell sets of nodes apart, and each exit has no threshold
_MANY_CELLS = 1_000_000  # of one budget table, from which on a table of lines pays
_AT_BIRTH = 10_000_000  # bytes of the table of what new labels cost least, beside lines, or four times theirs
_FIRST = 10_000_000  # plans of two partitions that are scored to begin with, at most
_FINITE = 1e300  # a cap that keeps out what cannot be
_NARROW = 1e-9  # accuracies of a frontier as near as this are one, and there is no line along them

NO_LINES = Lines(np.zeros(0), np.zeros((0, 0)), np.zeros((2, 0, 0, 0, 0), np.float32))


@dataclass(frozen=True, slots=True)
class Bounds:
    """What prunes the labels of one threshold, and what is known of its samples."""

    slope: float
    allowed_ends: NDArray[np.float64]
    cap: float
    shares: Shares
    weight: NDArray[np.float64]
    sets: Sets
    budgets: Budgets
    lines: Lines

    @property
    def bytes(self) -> int:
        """What they take; the rows stand beside those of steps that gain accuracy, which are as many."""
        lined = self.lines.heights.nbytes
        at_birth = min(4 * lined, _AT_BIRTH)  # see `tiercut.solvers.labels.line_kernels.cells_at_birth`
        return sum(each.nbytes for each in self.budgets) + self.budgets.rows.nbytes + lined + at_birth


@dataclass(slots=True)
class Thread:
    """What a thread keeps for itself: the N best costs, its stop, and the most memory it had."""

    best: NDArray[np.float64]
    stop: NDArray[np.int64]
    most: int = 0


def cells_for(space: Space, states: int, sets: int, most: int) -> int:
    """Return the cells of budgets of so many states and sets: the most, few for each set, or as there is room."""
    few = min(most, SET_CELLS)
    if sets > 1 and space.per_exit:  # labels are many there, and states few
        return max(few, min(most, BUDGET_ROOM // (states * len(space.group) * sets)))
    return most if sets == 1 else few


def lines_fit(space: Space, states: int) -> bool:
    """Return whether lines of so many states, with every set of groups, fit and are found sooner than cells would be.

    Where each exit has a threshold of its own, states are few and labels many, and cells let fewer of them pass.
    """
    rows = states * len(space.group) << len(set(space.group.tolist()))
    return not space.per_exit and rows * LINES <= BUDGET_ROOM and rows * SET_CELLS >= _MANY_CELLS


def lines_serve(rights: NDArray[np.float64], most: float) -> bool:
    """Return whether lines bound anything: a plan is known that is as accurate as any may be, and others are less."""
    return len(rights) > 0 and bool(rights[-1] >= most) and bool(rights[-1] - rights[0] > _NARROW)


def no_budgets(near: NDArray[np.bool_]) -> Budgets:
    """Return budgets that prune nothing where lines take their place; ``near`` as in `Budgets`."""
    none = np.zeros((2, 0, 0, 0))
    return Budgets(none.astype(np.int32), none, np.zeros((0, 2), np.float32), near)


def lines_for(costs: NDArray[np.float64], rights: NDArray[np.float64], summit: float, given: tuple[Any, ...]) -> Lines:
    """Return the lines that follow a frontier; ``given``: what `heights_of` takes after the summit."""
    slopes, most = lines_along(costs, rights)
    return Lines(slopes, most, heights_of(slopes, costs[-1], summit, *given))


def critical_groups(space: Space, states: int, cells: int) -> tuple[int, ...]:
    """Return groups for whose sets there is room in a table of budgets: all, or first of all not the source's.

    The source is the node that a plan least wants to come back to, as nearly all begin there.
    """
    groups = sorted(set(space.group.tolist()))
    own = int(space.group[space.problem.source])
    most = BUDGET_ROOM // (states * len(space.group) * min(cells, SET_CELLS))
    count = min(len(groups), max(most, 1).bit_length() - 1)
    return tuple(sorted(groups, key=lambda group: group == own)[:count])


def sets_of(space: Space, critical: Sequence[int]) -> Sets:
    """Return the sets of critical groups; without any there is one, of none."""
    place = {group: 1 << at for at, group in enumerate(critical)}
    bit = np.array([place.get(group, 0) for group in space.group.tolist()], np.int64)
    members = np.arange(1 << len(critical))[:, None] >> np.arange(len(critical)) & 1
    sizes = members.sum(axis=1)
    others = sorted(set(space.group.tolist()) - set(critical))
    may_end = sizes + len(others) >= space.fewest
    for one in space.required:
        if not one[others].any():
            may_end &= (members * one[list(critical)]).any(axis=1)
    return Sets(bit, sizes, may_end)


def slope_along(costs: NDArray[np.float64], rights: NDArray[np.float64]) -> float:
    """Return what accuracy costs along a frontier, its steep part aside; 0 where it is too short to say."""
    if len(costs) < 3:
        return 0.0
    chord = np.interp(rights, rights[[0, -1]], costs[[0, -1]])
    knee = int(np.clip(np.abs(costs - chord).argmax(), 1, len(costs) - 2))
    # The smaller of two: where budgets fall from cell to cell, labels seem to be worth more than they are.
    slopes = np.diff(costs[[0, knee, -1]]) / np.diff(rights[[0, knee, -1]])
    return float(slopes.min())


def accuracies_of(space: Space) -> tuple[float, float, float, float]:
    """Return the least and greatest accuracy of an exit, and what codecs may take or give besides at most."""
    leave = space.can_end | (space.jump[:, :, space.option_exit] >= 0).any(axis=(0, 2))
    rights = [space.accuracies(lane)[:, leave] for lane in range(len(space.threshold_indices))]
    # Of the input and at every cut.
    falls, rises = (
        max((space.most - 1) * float((sign * space.drops).max()), 0.0)
        + max(float((sign * space.input_drops).max()), 0.0)
        for sign in (1.0, -1.0)
    )
    return min(float(each.min()) for each in rights), max(float(each.max()) for each in rights), falls, rises


def begin_with_two(task: Task, known: Keeper, bounds: tuple[float, float]) -> bool:
    """Offer plans with one or two partitions to those that are known; return whether these are all plans there are.

    Of very many plans with two those are left out that are cut elsewhere than after every second, third, ... block.
    Where codecs are chosen or groups of nodes required, or with one partition none is allowed, there are none.

    Parameters
    ----------
    task, known
        What is asked, and the keeper of its plans.
    bounds
        The most cost and the least accuracy of a plan.
    """
    space = task.space
    plain = space.codec_choices.tolist() == [PLAIN] and task.costs.tail is None
    if len(space.required) or space.fewest > 1 or not plain:
        return False
    cap = min(bounds[0], _FINITE)
    tables, rules = plain_tables(space, task.costs)
    roots, cuts = np.flatnonzero(space.linked[space.problem.source]), np.flatnonzero(space.can_cut)
    pairs = len(roots) * len(space.group) * len(cuts) * len(space.accuracy) // 2 * rules[0].shape[1]
    few = space.most > 1 and pairs > _FIRST
    if few:
        thinned = np.zeros_like(space.can_cut)
        thinned[cuts[:: -(-pairs // _FIRST)]] = True
        rules = (*rules[:2], thinned, *rules[3:])
    rough = known
    if task.front:
        rough = Keeper(front=True, by_accuracy=False, capacity=BUCKETS + 1, width=known.width)
    rough.costs[:] = inf
    for root in roots:
        if seconds_left() <= 0:
            few = True  # not all of them
            break
        branch = (int(root), plain_kernels.ALL, space.most, min(space.most, 2), task.front)
        rough.enumerate(branch, (*tables, *rules), (task.front, task.by_accuracy, cap, bounds[1]))
    if task.front:
        there = np.isfinite(rough.costs)
        known.offer(rough.costs[there], rough.accuracies[there], rough.keys[there])
    return space.most <= 2 and not few
