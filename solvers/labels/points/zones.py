"""The zones that known plans leave, of a frontier over three measures, as kernels take them."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from tiercut.solvers.labels.points.zone_kernels import FAN, NOISE, Zones, zones_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Between = tuple[Floats, Floats, Floats, Ints]

__all__ = ["no_zones", "zones_between"]

_SLOPES = (0.3, 1.0, 3.0)  # of lines: what one measure counts against another, each by how far known plans spread
_NARROW = 1e-200  # spreads below which measures are taken for one value
_LEAST = 1e-300  # by which lines may be off where numbers are so small that they are rounded to few digits


def no_zones(shape: tuple[int, int]) -> Zones:
    """Return no zones at all, by which nothing is pruned."""
    none = np.zeros((*shape, 0))
    return Zones(np.empty((0, 0)), np.empty(0), np.empty((0, 0)), np.zeros(2, np.int64), none, none)


def zones_between(points: Floats, caps: Floats, turned: Ints, sums: int) -> Between:
    """Return the weights, the slack, and the tree of the zones between known points (see `Zones`).

    Parameters
    ----------
    points, caps
        P x F, and the greatest that there may be at each place of a point.
    turned, sums
        Which value of a label stands at each place of a point, and how many sums come before the accuracy.
    """
    points = np.ascontiguousarray(points[np.argsort(points[:, 0], kind="stable"), :3])
    corners = _in_slabs(zones_of(points, np.ascontiguousarray(caps[:3])))
    spread = np.diff(np.quantile(points, (0.1, 0.9), axis=0), axis=0)[0] if len(points) else np.ones(3)
    spread[spread < _NARROW] = 1.0
    added = [d for d in range(3) if turned[d] <= sums]
    pairs = [(one, other, slope) for one, other in combinations(added, 2) for slope in _SLOPES]
    by_place = np.zeros((len(pairs), 3))
    for k, (one, other, slope) in enumerate(pairs):
        by_place[k, one], by_place[k, other] = 1.0 / spread[one], slope / spread[other]
    weights = np.zeros((len(pairs), sums + 2))
    weights[:, turned[:3]] = by_place
    rows, starts, at = [], [], 0
    with np.errstate(over="ignore"):  # by column: an endless zone times a weight of 0 would be no number
        lined = [
            corners[:, [one]] * by_place[k, one] + corners[:, [other]] * by_place[k, other]
            for k, (one, other, _) in enumerate(pairs)
        ]
    boxes = np.ascontiguousarray(np.hstack((corners, *lined)))
    while True:
        count = len(boxes)
        boxes = np.vstack((boxes, np.full((-count % FAN, boxes.shape[1]), -np.inf)))
        rows.append(boxes)
        starts.append(at)
        at += len(boxes)
        if count <= FAN:
            break
        boxes = boxes.reshape(-1, FAN, boxes.shape[1]).max(axis=1)
    # Accuracies of at most 1 may cancel what is summed before them.
    return weights, 2.0 * NOISE * weights[:, sums] + _LEAST, np.vstack(rows), np.array([*starts, count])


def _in_slabs(corners: Floats) -> Floats:
    """Return corners so that those beside each other are alike: in slabs by the first measure, then by the next."""
    count = len(corners)
    wide = max(int(np.ceil((count / FAN) ** (1 / 3))), 1)
    rank = np.empty(count, int)
    rank[np.argsort(corners[:, 0])] = np.arange(count)
    slab = rank * wide // max(count, 1)
    order = np.lexsort((corners[:, 1], slab))
    rank[order] = np.arange(count)
    slab = slab * count + (rank * wide * wide // max(count, 1))
    return corners[np.lexsort((corners[:, 2], slab))]
