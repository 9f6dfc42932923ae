"""Frontiers over two or three measures by scoring every decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
        space, before = self.space, int(stop[1])
        found = self.known()
        run: Any = walk_points
        head = (index, space.problem.source, space.most, space.fewest, space.required_bits, *self.places)
        tables = (self.first, self.span, self.bare, self.send, self.result, self.whole, self.drops, self.stay(index))
        exits = (space.accuracy, space.option_exit, space.option_threshold, space.jump, space.inside, space.can_end)
        compared, ties, caps = self.wanted
        found.take(
            run(*head, *tables, *exits, *self.rules, self.goals.turned, compared, ties, caps, *found.arrays, stop)
        )
        self.take(found, int(stop[1]) - before)
