"""Triplets scored by people's usual means: vectorised NumPy, and plain Python, as it is written down and tuned.

Each peer gets the same triplets of cuts, nodes and threshold, all there are or some drawn at random, and returns the
least latency of those whose accuracy is at least a floor. `multiply_adds` is what a core can do at best.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from math import comb, perm
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut import Problem

    Ints = NDArray[np.int64]
    Pairs = list[tuple[Ints, Ints]]

__all__ = ["draw", "formula_best", "multiply_adds", "numpy_best", "tuned_best"]


def draw(problem: Problem, most: int, seed: int = 0) -> Pairs:
    """Return cuts and nodes, for each number of partitions K x parts of both: all, or about `most` drawn uniformly."""
    rng = np.random.default_rng(seed)
    blocks, nodes = problem.block_count, problem.node_count
    counts = [comb(blocks, parts) * perm(nodes, parts) for parts in range(1, nodes + 1)]
    drawn = []
    for parts, count in enumerate(counts, 1):
        if sum(counts) <= most:
            cuts = np.array(list(itertools.combinations(range(1, blocks + 1), parts)))
            places = np.array(list(itertools.permutations(range(nodes), parts)))
            drawn.append((np.repeat(cuts, len(places), axis=0), np.tile(places, (len(cuts), 1))))
            continue
        rows = round(most * count / sum(counts))
        cut = np.sort(rng.random((rows, blocks)).argpartition(parts - 1, axis=1)[:, :parts] + 1, axis=1)
        drawn.append((cut, rng.random((rows, nodes)).argsort(axis=1)[:, :parts]))
    return drawn


def numpy_best(problem: Problem, drawn: Pairs, floor: float) -> float:
    """One array operation for each term of the formula, over placements and thresholds of one length at once."""
    best = np.inf
    for cut, place in drawn:
        latency, right = _columns(problem, cut, place)
        best = min(best, float(latency[right >= floor].min(initial=np.inf)))
    return best


def _columns(problem: Problem, cut: Ints, place: Ints) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return latency and accuracy of K decisions at T thresholds, K x T."""
    parts, stay, accuracy = cut.shape[1], problem.stay, problem.accuracy
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


def _rows(drawn: Pairs) -> Iterator[tuple[list[int], list[int]]]:
    for cuts, places in drawn:
        yield from zip(cuts.tolist(), places.tolist(), strict=True)


def formula_best(problem: Problem, drawn: Pairs, floor: float) -> float:
    """Plain Python as the formula is written down: seconds and exit rates of a partition are sums over its blocks."""
    each = np.arange(problem.block_count)
    block = problem.bare_s[:, each, each].tolist()
    branch = (problem.span_s[:, each, each] - problem.bare_s[:, each, each]).tolist()
    exit_rate, accuracy = (-np.diff(problem.stay, axis=1)).tolist(), problem.accuracy.tolist()
    transfer, result, source = problem.transfer_s.tolist(), problem.result_s.tolist(), problem.source
    best = float("inf")
    for cuts, places in _rows(drawn):
        for rates in exit_rate:
            latency, right, stay, first = transfer[0][source][places[0]], 0.0, 1.0, 0
            for k, (last, node) in enumerate(zip(cuts, places, strict=True)):
                end = k == len(cuts) - 1
                leave = stay if end else sum(rates[first:last])
                latency += stay * (branch[node][last - 1] + sum(block[node][first:last]))
                latency += leave * result[last - 1][node]
                right += leave * accuracy[last - 1]
                stay -= leave
                if not end:
                    latency += stay * transfer[last][node][places[k + 1]]
                first = last
            if right >= floor and latency < best:
                best = latency
    return best


def tuned_best(problem: Problem, drawn: Pairs, floor: float) -> float:
    """Plain Python with the sums of all partitions looked up, as nobody writes it at first."""
    stay, accuracy = problem.stay.tolist(), problem.accuracy.tolist()
    span, transfer, result = problem.span_s.whole.tolist(), problem.transfer_s.tolist(), problem.result_s.tolist()
    best = float("inf")
    for cuts, places in _rows(drawn):
        parts = len(cuts)
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
            if right >= floor and latency < best:
                best = latency
    return best


_CHAINS = 80


@njit  # type: ignore[untyped-decorator]
def _chains(rounds: int, factor: float, added: float) -> float:
    values = np.arange(_CHAINS) * 1e-3
    for _ in range(rounds):
        for k in range(_CHAINS):  # independent of each other, and all in registers or the nearest cache
            values[k] = values[k] * factor + added
    return float(values.sum())


def multiply_adds(rounds: int) -> int:
    """Do as many multiplications with an addition each as one core can, and return how many."""
    _chains(rounds, 0.999, 0.001)
    return rounds * _CHAINS
