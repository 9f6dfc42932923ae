"""Plans to begin with: those with one or two partitions, scored one by one."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import numpy as np

from tiercut.clock import seconds_left
from tiercut.optimizer import PLAIN
from tiercut.solvers.kept import Keeper
from tiercut.solvers.kernels import plain_kernels
from tiercut.solvers.kernels.keep_kernels import BUCKETS
from tiercut.solvers.task import plain_tables

if TYPE_CHECKING:
    from tiercut.solvers.task import Task

__all__ = ["begin_with_two"]

_FIRST = 10_000_000  # plans of two partitions that are scored, at most
_FINITE = 1e300  # a cap that keeps out what cannot be


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
