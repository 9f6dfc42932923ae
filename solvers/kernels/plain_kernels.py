"""Numba kernels that score decisions; `tiercut.solvers.kernels.keep_kernels` keep the good ones.

Every sum is taken in the order in which a sample meets its terms, here and in `tiercut.optimizer.pricing`, so that
the two agree to the last bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.kernels.keep_kernels import BUCKETS, offer, offer_best, offer_front
from tiercut.solvers.kernels.step_kernels import (
    Places,
    answered,
    crossed,
    dropped,
    ended,
    may_follow,
    passed,
    uses,
    weighed,
    write_frames,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]
    Bits = NDArray[np.uint64]

__all__ = ["ALL", "FULL", "UNCUT", "enumerate_plans", "walk_plans"]

FULL = 2
"""Where in `progress` it is said that there was no room."""

UNCUT, ALL = -1, -2
"""What stands for no cut, and for any, in place of a first cut."""


@compiled
def _next_hit(
    end: int, v: int, start: int, depth: int, width: int, cost: Floats, right: Floats, stay: Floats, last: Floats,
    result: Floats, accuracy: Floats, can_end: Bools, limit: Floats, floor: float,
) -> int:  # fmt: skip
    """Score the plans that end with a block, lane by lane, from block `end` on; stop at the first of interest.

    NOTE Nothing is written in here, so that the loop over the lanes becomes vector instructions.
    """
    blocks = len(accuracy)
    while end < blocks:
        if can_end[end]:
            piece, back, share, hits = last[v, start, end], result[end, v], accuracy[end], 0
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
    send: Floats, result: Floats, stay: Floats, accuracy: Floats, can_cut: Bools, can_end: Bools, group: Ints,
    rank: Ints, linked: Bools, front: bool, by_accuracy: bool, cost_cap: float, accuracy_floor: float,
    costs: Floats, accuracies: Floats, keys: Ints, table: Floats, count: int, progress: Ints,
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
    first, middle, last, send, result
        The tables of `tiercut.optimizer.space.Costs`: `middle` with branches or without, as cuts have them, `last` with
        them, without the way of the result; `send` N x M x M.
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
    nodes, blocks, lanes = group.shape[0], accuracy.shape[0], stay.shape[1]
    cost = np.empty((most, lanes))
    right = np.empty((most, lanes))
    onward = np.empty((most, lanes))
    gained = np.empty((most, lanes))
    node = np.zeros(most, np.int64)
    begin = np.zeros(most, np.int64)
    cut = np.zeros(most, np.int64)
    following = np.zeros(most, np.int64)
    used = np.zeros(nodes, np.bool_)
    key = np.zeros(keys.shape[1], np.int64)
    limit = np.full(lanes, cost_cap)
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
            width = 1 if depth == 0 else lanes
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
                    end + 1, v, start, depth, width, cost, right, stay, last, result, accuracy, can_end, limit, floor
                )
                if end == blocks:
                    break
                piece, back, share = last[v, start, end], result[end, v], accuracy[end]
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
                        keys[place] = key
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
            way = send[end, v, w]
            deeper = depth + 1
            for t in range(lanes):
                cost[deeper, t] = onward[depth, t] + stay[end + 1, t] * way
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
        piece, back, share = middle[v, start, end], result[end, v], accuracy[end]
        for t in range(lanes):
            leave = stay[start, t] - stay[end + 1, t]
            onward[depth, t] = cost[depth, t] + stay[start, t] * piece + leave * back
            gained[depth, t] = right[depth, t] + leave * share
    progress[1] += scored
    return count


@compiled
def _common(left: Bits, right: Bits) -> int:
    """Return how many bits are set in both."""
    total = 0
    for word in range(left.shape[0]):
        x = left[word] & right[word]
        x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
        x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
        x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
        total += int((x * np.uint64(0x0101010101010101)) >> np.uint64(56))
    return total


@compiled
def walk_plans(
    lane: int, source: int, most: int, fewest: int, required: Ints, exits_at: int, thresholds_at: int,
    codecs_at: int, first: Floats, span: Floats, bare: Floats, send: Floats, result: Floats,
    drops: Floats, stay: Floats, accuracy: Floats, option_exit: Bools, option_threshold: Ints, jump: Ints,
    inside: bool, can_end: Bools, group: Ints, rank: Ints, linked: Bools, side_first: Floats, side_span: Floats,
    side_bare: Floats, side_send: Floats, side_result: Floats, side_whole: Bools, side_tails: Floats,
    side_caps: Floats, whole: bool, tail: float,
    tied: bool, samples: int, below: Bits | None, hits: Bits | None,
    front: bool, by_accuracy: bool, cost_cap: float, accuracy_floor: float, costs: Floats, accuracies: Floats,
    keys: Ints, table: Floats, count: int, progress: Ints,
) -> Any:  # fmt: skip
    """Score every decision of one lane of any space, one by one: free exits, thresholds per exit, codecs, side bounds.

    Parameters
    ----------
    lane, source
        Index of the lane, and the node where samples are born.
    most, fewest, required
        As in `tiercut.optimizer.space.Space`.
    exits_at, thresholds_at, codecs_at
        As in `tiercut.solvers.encoding.Layout`.
    first, ..., linked
        The tables of `tiercut.optimizer.space.Costs` and `Space`; `stay` Q and `accuracy` R x N, of this lane.
    side_first, ..., side_result, side_whole, side_tails, side_caps
        The same for other measures that are bounded (one more axis in front, perhaps of length 0), whether their pieces
        count whole, the share up to which nothing counts (else -1), and their greatest values.
    whole, tail
        Whether the pieces of the cost itself count whole, and the share up to which nothing counts (else -1).
    tied
        Whether the first of these is the latency, which decides among plans of equal cost.
    samples, below, hits
        To replay samples in place of `stay` and `accuracy`: their number (else 0), which of them are below each
        threshold at each branch (T x N x words of 64 samples), and which are right there (N x words); else None.
    front, ..., progress
        As in `enumerate_plans`.
    """
    # A walk in depth; a frame for each piece. The counter of a frame runs over (end, option, next node, way).
    nodes, blocks, sides = group.shape[0], accuracy.shape[1], side_caps.shape[0]
    by_level, final = accuracy.shape[0] > 1, accuracy.shape[0] // 2
    options, ways = option_exit.shape[0], send.shape[0]
    room = blocks + 1
    node, begin, level = np.zeros(room, np.int64), np.zeros(room, np.int64), np.zeros(room, np.int64)
    parts, asked, counter = np.zeros(room, np.int64), np.zeros(room, np.int64), np.zeros(room, np.int64)
    option, way = np.zeros(room, np.int64), np.zeros(room, np.int64)
    used = np.zeros(room, np.int64)
    cost, right, side = np.zeros(room), np.zeros(room), np.zeros((room, sides))
    totals = np.zeros(sides)
    asked_last, gained, shares = np.full(room, -1), np.zeros(room), np.ones(room)
    # NOTE: numba leaves out what hangs on tables that are None, so that estimates cost what they did without samples.
    if below is not None and hits is not None:
        under_way = np.zeros((room, hits.shape[1]), np.uint64)
        for d in range(samples):
            under_way[0, d >> 6] |= np.uint64(1) << np.uint64(d & 63)
    key, at_key = np.zeros(keys.shape[1], np.int64), Places(most, exits_at, thresholds_at, codecs_at)
    scored = 0
    for root in range(nodes):
        if not linked[source, root]:
            continue
        node[0], begin[0], level[0], parts[0], asked[0], counter[0] = root, 0, 0, 1, 0, -1
        used[0], cost[0], right[0] = 1 << group[root], first[root], 0.0
        for s in range(sides):
            side[0, s] = side_first[s, root]
        depth = 0
        while depth >= 0:
            v, start, at = node[depth], begin[depth], level[depth] if by_level else 0
            share = stay[level[depth]]
            if below is not None:
                share = shares[depth]
            own = weighed(share, tail)
            if counter[depth] < 0:
                counter[depth], asked_last[depth] = 0, -1
                complete = parts[depth] >= fewest and uses(used[depth], required)
                for end in range(start, blocks):
                    if not can_end[end] or not complete or (lane > 0 and asked[depth] == 0):
                        continue
                    c = ended(cost[depth], 1.0 if whole else own, span[v, start, end], own, result[end, v])
                    a = answered(right[depth], share, accuracy[at + final, end])
                    if hits is not None:
                        a = right[depth] + _common(under_way[depth], hits[end]) / samples
                    scored += 1
                    if not (c <= cost_cap and c < np.inf) or a < accuracy_floor:
                        continue
                    fits = True
                    for s in range(sides):
                        counts, piece = weighed(share, side_tails[s]), side_span[s, v, start, end]
                        weight, back = 1.0 if side_whole[s] else counts, side_result[s, end, v]
                        totals[s] = ended(side[depth, s], weight, piece, counts, back)
                        fits = fits and totals[s] <= side_caps[s]
                    if not fits:
                        continue
                    write_frames(key, at_key, depth, node, begin, option, way, option_exit, option_threshold, end, lane)
                    if tied:
                        key[key.shape[0] - 2] = totals[:1].view(np.int64)[0]
                    kept = (costs, accuracies, keys, table, count)
                    costs, accuracies, keys, count = offer(c, a, key, front, by_accuracy, *kept)
            if counter[depth] >= (blocks - 1 - start) * options * nodes * ways:
                depth -= 1
                progress[1] += scored
                scored = 0
                if progress[0] != 0:
                    return costs, accuracies, keys, count
                continue
            step = counter[depth]
            counter[depth] += 1
            x, step = step % ways, step // ways
            w, step = step % nodes, step // nodes
            o, end = step % options, start + step // options
            after = jump[level[depth], end, o]
            if after < 0 or (w == v and (not inside or not option_exit[o] or x > 0)):
                continue
            if w != v and (parts[depth] == most or not may_follow(v, w, used[depth], group, rank, linked)):
                continue
            piece = span[v, start, end] if option_exit[o] else bare[v, start, end]
            onward = stay[after]
            if below is not None and hits is not None:
                if asked_last[depth] != end * options + o:
                    asked_last[depth], gained[depth] = end * options + o, 0.0
                    under_way[depth + 1], shares[depth + 1] = under_way[depth], share
                    if option_exit[o]:
                        limit = lane if option_threshold[o] < 0 else option_threshold[o]
                        gained[depth] = _common(under_way[depth] & below[limit, end], hits[end]) / samples
                        under_way[depth + 1] &= ~below[limit, end]
                        shares[depth + 1] = _common(under_way[depth + 1], under_way[depth + 1]) / samples
                onward = shares[depth + 1]
            leave = share - onward
            ahead = weighed(onward, tail)
            c = passed(cost[depth], 1.0 if whole else own, piece, own - ahead, result[end, v])
            a = answered(right[depth], leave, accuracy[at, end])
            if below is not None:
                a = right[depth] + gained[depth]
            if w != v:
                c = crossed(c, ahead, send[x, end, v, w])
                a = dropped(a, onward, drops[x, end])
            if not c < np.inf:  # nan too: a forbidden piece that nobody gets to
                continue
            deeper = depth + 1
            for s in range(sides):
                piece = side_span[s, v, start, end] if option_exit[o] else side_bare[s, v, start, end]
                counts, beyond = weighed(share, side_tails[s]), weighed(onward, side_tails[s])
                weight, back = 1.0 if side_whole[s] else counts, side_result[s, end, v]
                total = passed(side[depth, s], weight, piece, counts - beyond, back)
                side[deeper, s] = crossed(total, beyond, side_send[s, x, end, v, w]) if w != v else total
            option[depth], way[depth] = o, x
            node[deeper], begin[deeper], level[deeper], counter[deeper] = w, end + 1, after, -1
            parts[deeper], asked[deeper] = parts[depth] + (w != v), asked[depth] + option_exit[o]
            used[deeper] = used[depth] | (1 << group[w])
            cost[deeper], right[deeper] = c, a
            depth = deeper
    progress[1] += scored
    return costs, accuracies, keys, count
