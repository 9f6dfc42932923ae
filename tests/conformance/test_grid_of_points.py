"""The grid of known points says of every point what comparing it with all of them says."""

from __future__ import annotations

import numpy as np
import pytest

from tiercut.solvers.kernels.keep_kernels import offer_point
from tiercut.solvers.labels.points.grid_kernels import edges_of, grid_of, is_beaten, mark, strips_of


@pytest.mark.parametrize("compared", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_a_point_is_beaten_where_one_that_is_known_is_no_worse_and_better_somewhere(compared: int, seed: int) -> None:
    rng = np.random.default_rng([compared, seed])
    coarse, level = seed % 2 == 0, seed >= 2  # ties abound; few are beaten, so that strips are narrow enough to be used

    def drawn() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        values = rng.random(compared + 1)
        if level:
            values[:compared] *= rng.uniform(1.0, 1.001) / values[:compared].sum()
        return np.round(values * (600 if level else 6)) if coarse else values

    points, keys = np.empty((64, compared + 1)), np.zeros((64, 3), np.int64)
    known = (points, keys, np.empty((64, compared)), np.zeros(3, np.int64))
    seen = [drawn() for _ in range(400)]
    for place, point in enumerate(seen[:200]):
        known = offer_point(point, np.array([1, place, 0]), compared, 0, *known)
    edges = edges_of(known[0][known[1][:, 0] > 0], compared)
    spots, strips = strips_of(int((known[1][:, 0] > 0).sum()), compared, edges)
    assert (strips[0, -1] == 0) == (level and compared > 1)
    grid = grid_of(known[0], known[1], known[3], compared, edges, spots, strips)
    for place, point in enumerate(seen):
        if place >= 200:  # of these the edges know nothing
            known = offer_point(point, np.array([1, place, 0]), compared, 0, *known)
            mark(point, compared, edges, grid, spots, strips)
        other = drawn()
        told = is_beaten(other, compared, known[0], known[2], known[3], edges, grid, spots, strips)
        before = np.array(seen[: max(place + 1, 200)])[:, :compared]
        no_worse, better = (before <= other[:compared]).all(axis=1), (before < other[:compared]).any(axis=1)
        assert told == bool((no_worse & better).any())
