"""The numba kernel that scores the decisions of a plain space: the fast path.

Every sum is taken in the order in which a sample meets its terms, here and in `tiercut.optimizer.pricing`, so that
the two agree to the last bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.kernels.keep_kernels import BUCKETS, offer_best, offer_front

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = ["ALL", "FULL", "UNCUT", "enumerate_plans"]

FULL = 2
"""Where in `progress` it is said that there was no room."""

UNCUT, ALL = -1, -2
"""What stands for no cut, and for any, in place of a first cut."""


@compiled
def _next_hit(
    end: int, v: int, start: int, depth: int, width: int, cost: Floats, right: Floats, stay: Floats, last: Floats,
    place: int, pace: float, result: Floats, accuracy: Floats, can_end: Bools, limit: Floats, floor: float,
) -> int:  # fmt: skip
    """Score the plans that end with a block, by threshold, from block `end` on; stop at the first of interest.

    NOTE Nothing is written in here, so that the loop over the thresholds becomes vector instructions.
    """
    blocks = len(accuracy)
    while end < blocks:
        if can_end[end]:
            piece, back, share, hits = last[place, start, end] * pace, result[end, v], accuracy[end], 0
            for t in range(width):
                c = cost[depth, t] + stay[start, t] * piece + stay[start, t] * back
                a = right[depth, t] + stay[start, t] * share
                hits += (c <= limit[t]) & (a >= floor)
            if hits:
                return end
        end += 1
    return blocks


@compiled
def enumerate_plans(
    root: int, first_cut: int, most: int, deepest: int, coarse: bool, first: Floats, middle: Floats, last: Floats,
    which: Ints, factor: Floats, send: Floats, result: Floats, stay: Floats, accuracy: Floats, can_cut: Bools,
    can_end: Bools, group: Ints, rank: Ints, linked: Bools, front: bool, by_accuracy: bool, cost_cap: float,
    accuracy_floor: float, costs: Floats, accuracies: Floats, keys: Ints, table: Floats, count: int, progress: Ints,
) -> int:  # fmt: skip
    """Score every decision of a plain space that begins on node `root` and is first cut after block `first_cut`.

    Parameters
    ----------
    root, first_cut
        Where to begin, 0-based; `UNCUT` stands for the plans that are not cut, `ALL` for all.
    most, deepest
        Most partitions in a key, and in the plans that are scored.
    coarse
        Whether a frontier needs no more than one point for each bucket of accuracies and one of the greatest accuracy
        there is, kept in its place: room for all of them is needed, and infinite costs where there is none yet.
    first, middle, last, which, factor, send, result
        The tables of `tiercut.optimizer.space.Costs`: `middle` with branches or without, as cuts have them, `last` with
        them, without the transfer of the result; `send` N x M x M. Of pieces a node has table ``which``, times
        ``factor``.
    stay
        (N+1) x T: after each block, thresholds in the fast direction.
    accuracy, can_cut, can_end, group, rank, linked
        The arrays of `tiercut.optimizer.space.Space`.
    front, by_accuracy
        Whether the frontier is kept, or else the best by cost or by accuracy.
    cost_cap, accuracy_floor
        Bounds, slack included.
    costs, accuracies, keys, table, count
        What has been kept so far.
    progress
        ``[stop, decisions scored, full]``, read and written as the work goes on: a stop that is not 0 ends it, and so
        does a frontier for which there is no room, which is then said.

    Returns
    -------
    int
        How many are kept.

    Notes
    -----
    Arrays never change places in here: with names that are bound again in a loop, numba counts references all the time.
    """
    # NOTE The one kernel that has the sums and the encoding of `step_kernels` to itself, in its one body: numba keeps
    # what is local in registers, and the loops over thresholds are vector instructions; split, they lose half of that.
    nodes, blocks, thresholds = group.shape[0], accuracy.shape[0], stay.shape[1]
    cost = np.empty((most, thresholds))
    right = np.empty((most, thresholds))
    onward = np.empty((most, thresholds))
    gained = np.empty((most, thresholds))
    node = np.zeros(most, np.int64)
    begin = np.zeros(most, np.int64)
    cut = np.zeros(most, np.int64)
    following = np.zeros(most, np.int64)
    used = np.zeros(nodes, np.bool_)
    key = np.zeros(keys.shape[1], np.int64)
    limit = np.full(thresholds, cost_cap)
    scored = 0
    highest, ends = 0.0, np.zeros(blocks + 1, np.int64)
    for end in range(blocks - 1, -1, -1):
        ends[end] = ends[end + 1] + can_end[end]
        if can_end[end]:
            highest = max(highest, accuracy[end])

    node[0] = root
    used[group[root]] = True
    cost[0, :] = first[root]
    right[0, :] = 0.0
    last_cut = blocks if first_cut == ALL else first_cut
    cut[0] = blocks if first_cut == UNCUT else max(first_cut, 0) - 1
    following[0] = nodes
    depth = 0
    entered = first_cut < 0  # whether the plans that end in the partition at `depth` are still to be scored

    while depth >= 0:
        v, start = node[depth], begin[depth]
        if entered:
            entered = False
            width = 1 if depth == 0 else thresholds
            cap, floor = cost_cap, accuracy_floor
            if front:
                for t in range(width):
                    limit[t] = min(cap, table[int((right[depth, t] + stay[start, t] * highest) * BUCKETS)])
            end = start - 1
            while True:
                if not front and count == costs.shape[0]:
                    if by_accuracy:
                        floor = max(floor, accuracies[count - 1])
                    elif costs[count - 1] < limit[0]:
                        limit[:] = cap = costs[count - 1]
                end = _next_hit(
                    end + 1,
                    v,
                    start,
                    depth,
                    width,
                    cost,
                    right,
                    stay,
                    last,
                    which[v],
                    factor[v],
                    result,
                    accuracy,
                    can_end,
                    limit,
                    floor,
                )
                if end == blocks:
                    break
                piece, back, share = last[which[v], start, end] * factor[v], result[end, v], accuracy[end]
                for t in range(width):
                    c = cost[depth, t] + stay[start, t] * piece + stay[start, t] * back
                    a = right[depth, t] + stay[start, t] * share
                    bucket = int(a * BUCKETS)
                    place = BUCKETS if coarse and a >= highest - 1e-13 else bucket
                    if not (c <= cap and a >= floor and c < table[bucket]) or (coarse and c >= costs[place]):
                        continue
                    key[:] = 0
                    key[0] = depth + 1
                    for k in range(depth):
                        key[1 + k] = cut[k] + 1
                        key[1 + most + k] = node[k]
                    key[1 + depth] = end + 1
                    key[1 + most + depth] = v
                    key[key.shape[0] - 1] = t
                    if coarse:
                        costs[place], accuracies[place] = c, a
                        for k in range(key.shape[0]):  # a row at once compiles for seconds (see `keep_kernels`)
                            keys[place, k] = key[k]
                        while bucket > 0 and table[bucket - 1] > c:
                            bucket -= 1
                            table[bucket] = c
                    elif not front:
                        count = offer_best(c, a, key, by_accuracy, costs, accuracies, keys, count)
                    elif count == costs.shape[0]:
                        progress[FULL] = 1
                        return count
                    else:
                        count = offer_front(c, a, key, costs, accuracies, keys, table, count)
            scored += width * ends[start]
            if depth + 1 == deepest:
                used[group[v]] = False
                depth -= 1
                continue
        if following[depth] < nodes:
            w = following[depth]
            following[depth] += 1
            if used[group[w]] or rank[w] < rank[v] or not linked[v, w]:
                continue
            end = cut[depth]
            transfer = send[end, v, w]
            deeper = depth + 1
            for t in range(thresholds):
                cost[deeper, t] = onward[depth, t] + stay[end + 1, t] * transfer
                right[deeper, t] = gained[depth, t]
            node[deeper], begin[deeper] = w, end + 1
            cut[deeper], following[deeper] = end, nodes
            used[group[w]] = True
            depth = deeper
            entered = True
            continue
        end = cut[depth] + 1
        while end < blocks - 1 and not can_cut[end]:
            end += 1
        if end >= blocks - 1 or (depth == 0 and end > last_cut):
            used[group[v]] = False
            depth -= 1
            progress[1] += scored
            scored = 0
            if progress[0] != 0:
                break
            continue
        cut[depth] = end
        following[depth] = 0
        piece, back, share = middle[which[v], start, end] * factor[v], result[end, v], accuracy[end]
        for t in range(thresholds):
            leave = stay[start, t] - stay[end + 1, t]
            onward[depth, t] = cost[depth, t] + stay[start, t] * piece + leave * back
            gained[depth, t] = right[depth, t] + leave * share
    progress[1] += scored
    return count
