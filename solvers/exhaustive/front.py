"""Frontiers over two or three measures by scoring every decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercut.solvers.front_search import FrontSearch
from tiercut.solvers.kernels.tree_kernels import walk_points

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["EveryPoint"]


class EveryPoint(FrontSearch):
    """Scores every decision in all measures."""

    def search(self, index: int, stop: NDArray[np.int64]) -> None:
        """Score every decision of a threshold."""
        before, found, shares, at = int(stop[1]), self.known(), self.shares(index), self.layout.places
        tables = self.tables, self.measures
        found.take(walk_points(index, at, self.rules, *tables, shares, self.floor, self.compared, found.known, stop))
        self.take(found, int(stop[1]) - before)
