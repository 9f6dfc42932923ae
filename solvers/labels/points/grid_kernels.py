"""Numba kernels of a grid over the points that are known, which turns away most of what they dominate in one look.

A cell holds the least first measure of the points that lie below its corner in the others: that of the corner below a
point tells that it is dominated, that of the corner above that it is not, and few lie between. Edges are quantiles of
the points themselves, so that cells are fine where points are many; the last has no end. Where the corners do not tell,
what dominates lies between the edges around the point, in one measure or the other: points are listed by these *strips*
too. Arrays are told apart by an index and not by looks at a part, of which numba would count references.
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

__all__ = ["GRID", "edges_of", "grid_of", "is_beaten", "mark", "strips_of"]

GRID = 256
"""Edges of each measure, at most."""

_FEW = 64  # edges below which strips hold too much of all
_FRESH = 4096  # points that are found at one threshold, for which strips have room at least


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
def _place(edges: Floats, d: int, x: float) -> int:
    """Return the last edge that is at most x; -1: none is."""
    low, high = 0, edges.shape[1]
    while low < high:
        middle = (low + high) >> 1
        if edges[d, middle] <= x:
            low = middle + 1
        else:
            high = middle
    return low - 1


@compiled
def _above(edges: Floats, d: int, x: float) -> int:
    """Return the first edge that is at least x; as many as there are: none is."""
    low, high = 0, edges.shape[1]
    while low < high:
        middle = (low + high) >> 1
        if edges[d, middle] < x:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _in_strip(point: Floats, compared: int, spots: Floats, strips: Ints, d: int, strip: int) -> bool:
    """Return whether one of the points of a strip is no worse in what is compared, and better somewhere."""
    spot, beaten = strips[d, spots.shape[0] + strip], False
    while spot >= 0 and not beaten:
        worse, better = False, False
        for k in range(compared):
            worse = worse or spots[spot, k] > point[k]
            better = better or spots[spot, k] < point[k]
        beaten = better and not worse
        spot = strips[d, spot]
    return beaten


@compiled
def is_beaten(
    point: Floats, compared: int, points: Floats, lows: Floats, state: Ints, edges: Floats, grid: Floats,
    spots: Floats, strips: Ints,
) -> bool:  # fmt: skip
    """Return whether one of the known points is no worse in what is compared, and better somewhere."""
    x = point[0]
    i = _place(edges, 0, point[1]) if compared > 1 else 0
    j = _place(edges, 1, point[2]) if compared > 2 else 0
    above, right = min(i + 1, grid.shape[0] - 1), min(j + 1, grid.shape[1] - 1)
    inside = i >= 0 and j >= 0
    beaten = inside and grid[i, j] < x
    if not beaten and grid[above, right] <= x:
        full = strips[0, strips.shape[1] - 1] > spots.shape[0] or above == i or (right == j and compared > 2)
        if full or (inside and grid[i, j] == x):
            beaten = is_dominated(point, compared, points, lows, state)
        elif compared == 2:
            beaten = _in_strip(point, compared, spots, strips, 0, above)
        else:  # nothing below the lower corner; is there below the two others?
            over, beside = j >= 0 and grid[above, j] <= x, i >= 0 and grid[i, right] <= x
            if over or not beside:
                beaten = _in_strip(point, compared, spots, strips, 0, above)
            if beside and not beaten:
                beaten = _in_strip(point, compared, spots, strips, 1, right)
    return beaten


@compiled
def mark(point: Floats, compared: int, edges: Floats, grid: Floats, spots: Floats, strips: Ints) -> None:
    """Lower the cells that a point lies below, and list it by its strips."""
    begin = _above(edges, 0, point[1]) if compared > 1 else 0
    first = _above(edges, 1, point[2]) if compared > 2 else 0
    spot, size = strips[0, strips.shape[1] - 1], spots.shape[0]
    if spot < size:
        for k in range(compared):
            spots[spot, k] = point[k]
        for d in range(compared - 1):
            strip = begin if d == 0 else first
            if point[d + 1] < edges[d, strip]:  # on an edge, corners tell all of it
                strips[d, spot], strips[d, size + strip] = strips[d, size + strip], spot
    if spot <= size:  # one more than there is room for says that some are left out
        strips[0, strips.shape[1] - 1] = spot + 1
    for i in range(begin, grid.shape[0]):
        if first >= grid.shape[1] or grid[i, first] <= point[0]:
            return  # and so it is in all rows that follow
        for j in range(first, grid.shape[1]):
            if grid[i, j] <= point[0]:
                break
            grid[i, j] = point[0]


def strips_of(known: int, compared: int, edges: Floats) -> tuple[Floats, Ints]:
    """Return room for the lists of points by strip: the points, K x D, and 2 x (K + G + 1) integers.

    Of each point there is the next one of its strip, then of each strip the first one (-1: none), and last, in the
    first row, how many there are; more than K where lists are incomplete, as they are from the beginning where strips
    are wide.

    Parameters
    ----------
    known
        How many points are known.
    compared, edges
        As in `edges_of`.
    """
    wide = edges.shape[1] < _FEW or compared < 2
    room = 0 if wide else 2 * known + _FRESH
    strips = np.full((2, room + edges.shape[1] + 1), -1)
    strips[0, -1] = 1 if wide else 0
    return np.empty((room, compared)), strips


@compiled
def grid_of(
    points: Floats, keys: Ints, state: Ints, compared: int, edges: Floats, spots: Floats, strips: Ints
) -> Floats:
    """Return the grid of all points that are known, P x F, and list them; rows with a key of 0 are empty."""
    grid = np.full((edges.shape[1] if compared > 1 else 1, edges.shape[1] if compared > 2 else 1), np.inf)
    for k in range(state[TOP]):
        if keys[k, 0] > 0:
            mark(points[k], compared, edges, grid, spots, strips)
    return grid
