"""The same triplets scored by people's usual means: a vectorised NumPy scorer, and plain Python."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut import Problem

__all__ = ["numpy_best", "python_best"]


def numpy_best(problem: Problem, floor: float) -> tuple[float, int]:
    """Return the least latency of all triplets whose accuracy is at least `floor`, and how many triplets were scored.

    One array operation for each term of the formula, over all placements and thresholds of one length at once.
    """
    blocks, nodes = problem.block_count, problem.node_count
    stay, accuracy = problem.stay, problem.accuracy
    best, scored = np.inf, 0
    for parts in range(1, nodes + 1):
        cuts = np.array(list(itertools.combinations(range(1, blocks + 1), parts)))
        places = np.array(list(itertools.permutations(range(nodes), parts)))
        cut = np.repeat(cuts, len(places), axis=0)
        place = np.tile(places, (len(cuts), 1))
        latency, right = _columns(problem, cut, place, stay, accuracy)
        scored += latency.size
        fits = right >= floor
        if fits.any():
            best = min(best, float(latency[fits].min()))
    return best, scored


def _columns(
    problem: Problem,
    cut: NDArray[np.int64],
    place: NDArray[np.int64],
    stay: NDArray[np.float64],
    accuracy: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return latency and accuracy of K decisions at T thresholds, K x T."""
    parts = cut.shape[1]
    latency = np.repeat(problem.transfer_s[0, problem.source, place[:, 0]][:, None], len(stay), axis=1)
    right = np.zeros_like(latency)
    reach = np.ones_like(latency)
    begin = np.zeros(len(cut), np.int64)
    for k in range(parts):
        v, end = place[:, k], cut[:, k] - 1
        onward = stay[:, cut[:, k]].T if k < parts - 1 else np.zeros_like(reach)
        leave = reach - onward
        latency += reach * problem.span_s[v, begin, end][:, None] + leave * problem.result_s[end, v][:, None]
        right += leave * accuracy[end][:, None]
        if k < parts - 1:
            latency += onward * problem.transfer_s[cut[:, k], v, place[:, k + 1]][:, None]
        begin, reach = cut[:, k], onward
    return latency, right


def python_best(problem: Problem, floor: float, most: int) -> tuple[float, int]:
    """Return the same from the first `most` triplets alone, in plain Python, and how many were scored."""
    stay, accuracy = problem.stay.tolist(), problem.accuracy.tolist()
    span, transfer, result = problem.span_s.tolist(), problem.transfer_s.tolist(), problem.result_s.tolist()
    best, scored = float("inf"), 0
    blocks, nodes = problem.block_count, problem.node_count
    for parts in range(nodes, 0, -1):
        for cuts in itertools.combinations(range(1, blocks + 1), parts):
            for places in itertools.permutations(range(nodes), parts):
                for lane in stay:
                    latency, right, reach, begin = transfer[0][problem.source][places[0]], 0.0, 1.0, 0
                    for k in range(parts):
                        v, end = places[k], cuts[k] - 1
                        onward = lane[cuts[k]] if k < parts - 1 else 0.0
                        leave = reach - onward
                        latency += reach * span[v][begin][end] + leave * result[end][v]
                        right += leave * accuracy[end]
                        if k < parts - 1:
                            latency += onward * transfer[cuts[k]][v][places[k + 1]]
                        begin, reach = cuts[k], onward
                    scored += 1
                    if right >= floor and latency < best:
                        best = latency
                    if scored == most:
                        return best, scored
    return best, scored
