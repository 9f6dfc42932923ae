"""Frontiers over two or three measures by labels that grow in all measures at once.

Labels are as in `tiercut.solvers.labels.solver`, but for what they are compared and pruned by:

1. Backward, without the rule that a node is used once: the least that the rest of a plan may have of each measure by
   itself, from (blocks done, level) and node on.
2. Labels with at most two partitions give first plans, thresholds one after the other.
3. All labels grow from the source. A label is pruned where a known plan dominates its own values and the least ahead
   of it, or where another label at the same state and node, having used no other nodes, dominates it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.solvers.front_search import FrontSearch
from tiercut.solvers.kernels.arguments import shares_at
from tiercut.solvers.labels import front_kernels
from tiercut.solvers.states import follows_of, states_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.solvers.interface import Options
    from tiercut.solvers.parallel import Ending
    from tiercut.solvers.task import Goals, Task

__all__ = ["PointLabels"]

_ROOM = 6_000_000  # labels of one threshold, about 0.7 GB; more end the work with what is proved so far


class PointLabels(FrontSearch):
    """Grows labels in all measures at once."""

    def __init__(self, task: Task, goals: Goals, room: int | None = None) -> None:
        super().__init__(task, goals)
        self.room = _ROOM if room is None else room
        self.full_reason = f"out of room for labels ({self.room:,} for one threshold)"
        if task.goals is None:  # other measures are bounded, not traded
            self.full_reason += "; cp-sat keeps none"
        self.states = states_of(self.space)
        self.future = follows_of(self.space)
        self.deepest = self.space.most

    def run(self, options: Options) -> Ending:
        """Search all thresholds, first for two partitions at most; return whether all was done, or why not."""
        if self.space.most > 2 and self.space.fewest <= 2:
            self.deepest = 2
            if ending := self.share(options):
                return ending
            self.deepest = self.space.most
        return self.share(options)

    def search(self, index: int, stop: NDArray[np.int64]) -> None:
        """Grow the labels of a threshold."""
        states, goals, space = self.states, self.goals, self.space
        shape = (len(states.begins), len(space.group), len(goals.turned))
        ahead, leaving = np.empty(shape), np.empty(shape)
        tables = (self.rules, self.tables, self.measures, shares_at(space, index), states)
        front_kernels.least_ahead(*tables, ahead, leaving, stop)
        limited = self.deepest < len(set(space.group.tolist()))
        pruning = front_kernels.Pruning(self.deepest, limited, self.future, ahead, leaving, goals.loose, goals.caps)
        found, at = self.known(), self.layout.places
        found.take(front_kernels.grow_points(index, at, *tables, pruning, self.compared, found.known, self.room, stop))
        size = ahead.nbytes + leaving.nbytes + int(stop[1]) * 8 * (len(goals.turned) + 10)
        self.take(found, int(stop[1]), size)
