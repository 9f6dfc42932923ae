"""Numba kernels of a grid over the points that are known, which turns away most of what they dominate in one look.

A cell holds the least first measure of the points that lie below its corner in the others: that of the corner below a
point tells that it is dominated, that of the corner above that it is not, and few lie between. Edges are quantiles of
the points themselves, so that cells are fine where points are many; the last has no end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.kernels.keep_kernels import TOP, is_dominated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["GRID", "edges_of", "grid_of", "is_beaten", "mark"]

GRID = 256
"""Edges of each measure, at most."""


def edges_of(points: Floats, compared: int) -> Floats:
    """Return 2 x G: the edges of the second and the third measure that is compared, rising; of one that is not, zeros.

    Parameters
    ----------
    points
        P x F: what is known.
    compared
        How many of the F measures are compared, 1 to 3.
    """
    count = int(np.clip(len(points), 1, GRID - 1))
    edges = np.zeros((2, count + 1))
    for d in range(1, compared if len(points) else 1):
        values = np.sort(points[:, d])
        edges[d - 1, :-1] = values[np.linspace(0, len(values) - 1, count).astype(int)]
    edges[:, -1] = np.inf
    return edges


@compiled
def _place(edges: Floats, x: float) -> int:
    """Return the last edge that is at most x; -1: none is."""
    low, high = 0, edges.shape[0]
    while low < high:
        middle = (low + high) >> 1
        if edges[middle] <= x:
            low = middle + 1
        else:
            high = middle
    return low - 1


@compiled
def _above(edges: Floats, x: float) -> int:
    """Return the first edge that is at least x; as many as there are: none is."""
    low, high = 0, edges.shape[0]
    while low < high:
        middle = (low + high) >> 1
        if edges[middle] < x:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def is_beaten(
    point: Floats, compared: int, points: Floats, lows: Floats, state: Ints, edges: Floats, grid: Floats
) -> bool:
    """Return whether one of the known points is no worse in what is compared, and better somewhere."""
    i = _place(edges[0], point[1]) if compared > 1 else 0
    j = _place(edges[1], point[2]) if compared > 2 else 0
    if i >= 0 and j >= 0 and grid[i, j] < point[0]:
        return True
    if grid[min(i + 1, grid.shape[0] - 1), min(j + 1, grid.shape[1] - 1)] > point[0]:
        return False
    return is_dominated(point, compared, points, lows, state)


@compiled
def mark(point: Floats, compared: int, edges: Floats, grid: Floats) -> None:
    """Lower the cells that a point lies below."""
    begin = _above(edges[0], point[1]) if compared > 1 else 0
    first = _above(edges[1], point[2]) if compared > 2 else 0
    for i in range(begin, grid.shape[0]):
        if first >= grid.shape[1] or grid[i, first] <= point[0]:
            return  # and so it is in all rows that follow
        for j in range(first, grid.shape[1]):
            if grid[i, j] <= point[0]:
                break
            grid[i, j] = point[0]


@compiled
def grid_of(points: Floats, keys: Ints, state: Ints, compared: int, edges: Floats) -> Floats:
    """Return the grid of all points that are known, P x F; rows with a key of 0 are empty."""
    grid = np.full((edges.shape[1] if compared > 1 else 1, edges.shape[1] if compared > 2 else 1), np.inf)
    for k in range(state[TOP]):
        if keys[k, 0] > 0:
            mark(points[k], compared, edges, grid)
    return grid
