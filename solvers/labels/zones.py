"""The zones that known plans leave, of a frontier over three measures, as kernels take them."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.solvers.labels.zone_kernels import FAN, Zones, least_lines, zones_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["make_zones", "no_zones"]
import os
_STEPS = eval(os.environ.get('STEPS', '(0.1, 0.3, 1.0, 3.0, 10.0)'))
_LEVELS = int(os.environ.get('LEVELS', 16))
_PAIRS = int(os.environ.get('PAIRS', 1))
_NOISE = 1e-9


def no_zones(shape: tuple[int, int]) -> Zones:
    """Return no zones at all, by which nothing is pruned."""
    none = np.empty((0, 0))
    return Zones(none, np.empty(0), np.empty(0), none, np.zeros((0, 2), np.int64), np.empty((*shape, 0)), np.empty((*shape, 0)))


def make_zones(points: Floats, turned: Ints, caps: Floats, sums: int, tables: Any, peaked: Ints, stop: Ints) -> Zones:
    """Return the zones of some points and what may follow by lines."""
    points = points[np.argsort(points[:, 0]), :3]
    most = np.minimum(caps[:3], 1e100)
    corners = zones_of(points, most)
    plain = [d for d in range(3) if turned[d] <= sums]
    spread = np.quantile(points, 0.9, axis=0) - np.quantile(points, 0.1, axis=0)
    spread[spread <= 0] = 1.0
    factors = []
    for each in product((0.0, *_STEPS), repeat=len(plain) - 1):
        if any(each) and (_PAIRS or all(each)):
            factors.append((1.0, *each))
    if len(plain) == 3 and _PAIRS:
        factors += [(0.0, 1.0, each) for each in _STEPS]
    by_place = np.zeros((len(factors), 3))
    by_place[:, plain] = np.array(factors) / spread[plain]
    weights = np.zeros((len(factors), sums + 2))
    weights[:, turned[:3]] = by_place
    top = [d for d in range(3) if turned[d] > sums]
    levels = np.array([np.inf])
    if top:
        inner = np.quantile(points[:, top[0]], np.linspace(0, 1, _LEVELS + 1)[1:-1])
        levels = np.array([*np.unique(inner), np.inf])
    which = np.searchsorted(levels, corners[:, top[0]]) if top else np.zeros(len(corners), int)
    trees = [_sorted(corners[which == level]) for level in range(len(levels))]
    height = 0
    while max(len(tree) for tree in trees) > FAN ** (height + 2):
        height += 1
    rows, starts, at = [], np.zeros((len(levels), height + 2), np.int64), 0
    for level, tree in enumerate(trees):
        boxes = np.hstack((tree, (tree @ by_place.T) ))
        for h in range(height + 1):
            short = -len(boxes) % FAN
            boxes = np.vstack((boxes, np.full((short, boxes.shape[1]), -np.inf)))
            starts[level, h] = at
            rows.append(boxes)
            at += len(boxes)
            starts[level, height + 1] = len(boxes)
            boxes = boxes.reshape(-1, FAN, boxes.shape[1]).max(axis=1)
    boxes = np.vstack(rows)
    slack = _NOISE * (2 * weights[:, sums] + np.abs(np.where(by_place > 0, by_place * points.max(axis=0), 0)).sum(axis=1))
    states, nodes = tables[-1].begins, tables[0].group
    shape = (len(states), len(nodes), len(levels) * len(weights))
    ahead, leaving = np.empty(shape), np.empty(shape)
    least_lines(*tables, peaked, weights, levels, ahead, leaving, stop)
    return Zones(weights, slack, levels, boxes, starts, ahead, leaving)


def _sorted(corners: Floats) -> Floats:
    """Return corners in an order in which those beside each other are alike: slabs, and slabs of these."""
    count = len(corners)
    wide = max(int(np.ceil((count / FAN) ** (1 / 3))), 1)
    rank = np.empty(count, int)
    rank[np.argsort(corners[:, 0])] = np.arange(count)
    slab = rank * wide // max(count, 1)
    order = np.lexsort((corners[:, 1], slab))
    rank[order] = np.arange(count)
    slab = slab * count + (rank * wide * wide // max(count, 1))
    return corners[np.lexsort((corners[:, 2], slab))]
