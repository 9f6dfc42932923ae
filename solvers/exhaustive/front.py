"""Frontiers over two or three measures by scoring every decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercut.solvers.front_search import FrontSearch
from tiercut.solvers.kernels.arguments import samples_of, shares_at
from tiercut.solvers.kernels.tree_kernels import walk_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from tiercut.solvers.parallel import Done
    from tiercut.solvers.task import Goals, Task

__all__ = ["EveryPoint"]


class EveryPoint(FrontSearch):
    """Scores every decision in all measures."""

    def __init__(self, task: Task, goals: Goals) -> None:
        super().__init__(task, goals)
        self.samples = samples_of(self.space.problem)

    def done(self, stops: Sequence[NDArray[np.int64]]) -> Done:
        """Count decisions."""
        return lambda: (int(sum(stop[1] for stop in stops)), self.space.decisions)

    def search(self, index: int, stop: NDArray[np.int64]) -> None:
        """Score every decision of a threshold."""
        before, found, shares, at = int(stop[1]), self.known(), shares_at(self.space, index), self.layout.places
        tables, wanted = (self.tables, self.measures, shares), (self.floor, self.compared, found.known)
        found.take(walk_points(index, at, self.rules, *tables, *wanted, stop, *self.samples))
        self.take(index, found, int(stop[1]) - before)
