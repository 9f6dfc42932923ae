"""Numba kernels for frontiers over two or three measures: points that nothing beats, and every plan scored.

A *point* is what a plan comes to in F measures, all of them made least (accuracy with its sign turned): first the D
that are compared, then those that decide among equals, then those that are only bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.kernels.step_kernels import (
    Places,
    answered,
    crossed,
    doubled,
    dropped,
    ended,
    may_follow,
    passed,
    uses,
    write_frames,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = ["TOP", "beaten", "offer_point", "offer_points", "walk_points"]


_CHUNK = 16
"""Rows of which it is known what is the least that any of them has of each measure."""

TOP, FRESH, LAST = range(3)
"""What stands in ``state``: rows in use, rows written since all were sorted, and the row that last beat a candidate."""


@compiled
def _beats(point: Floats, compared: int, other: Floats) -> bool:
    """Return whether the other is no worse in what is compared, and better somewhere."""
    better = False
    for d in range(compared):
        if point[d] < other[d]:
            return False
        better = better or point[d] > other[d]
    return better


@compiled
def beaten(point: Floats, compared: int, points: Floats, lows: Floats, state: Ints) -> bool:
    """Return whether one of the points is no worse in what is compared, and better somewhere.

    What beats one candidate often beats the next, and is asked first; then rows are passed over sixteen at a time where
    the least that they have of each measure does not reach the candidate.
    """
    if state[TOP] > 0 and _beats(point, compared, points[state[LAST]]):
        return True
    for chunk in range((state[TOP] + _CHUNK - 1) // _CHUNK):
        near = True
        for d in range(compared):
            if point[d] < lows[chunk, d]:
                near = False
                break
        if not near:
            continue
        for i in range(chunk * _CHUNK, min((chunk + 1) * _CHUNK, state[TOP])):
            if _beats(point, compared, points[i]):
                state[LAST] = i
                return True
    return False


@compiled
def _sooner(point: Floats, key: Ints, other: Floats, other_key: Ints, compared: int, ties: int) -> bool:
    """Return whether a plan comes before another one of the same point: by the tying measures, then by key."""
    for f in range(compared, compared + ties):
        if point[f] != other[f]:
            return bool(point[f] < other[f])
    for i in range(key.shape[0]):
        if key[i] != other_key[i]:
            return bool(key[i] < other_key[i])
    return False


@compiled
def offer_point(
    point: Floats, key: Ints, compared: int, ties: int, points: Floats, keys: Ints, lows: Floats, state: Ints
) -> Any:
    """Offer a plan to the points that nothing beats; return points, keys, lows (perhaps longer ones) and the state.

    Parameters
    ----------
    point, key
        F measures, and the decision (see `tiercut.solvers.encoding`).
    compared, ties
        How many of the measures are compared, and how many of the next decide among equals.
    points, keys
        P x F and P x width: rows with a key of 0 are empty, and infinite.
    lows
        For each chunk of rows no more than what any of them has of each measure.
    state
        See `TOP`; changed.
    """
    if beaten(point, compared, points, lows, state):
        return points, keys, lows, state
    place = -1
    for i in range(state[TOP]):
        worse, better = False, False
        for d in range(compared):
            better = better or point[d] < points[i, d]
            worse = worse or point[d] > points[i, d]
        if not worse and not better:
            if _sooner(point, key, points[i], keys[i], compared, ties):
                points[i], keys[i] = point, key
            return points, keys, lows, state
        if not worse:
            points[i], keys[i, 0] = np.inf, 0
            place = i
    if place < 0:
        if state[TOP] == points.shape[0]:
            points, keys, lows = doubled(points), doubled(keys), doubled(lows)
        place = state[TOP]
        if place % _CHUNK == 0:
            lows[place // _CHUNK] = np.inf
        state[TOP] += 1
    points[place], keys[place] = point, key
    chunk = place // _CHUNK
    for d in range(compared):
        lows[chunk, d] = min(lows[chunk, d], point[d])
    state[FRESH] += 1
    if state[FRESH] > 8 * _CHUNK and 2 * state[FRESH] > state[TOP]:
        _sort(compared, points, keys, lows, state)
    return points, keys, lows, state


@compiled
def _sort(compared: int, points: Floats, keys: Ints, lows: Floats, state: Ints) -> None:
    """Put rows that are alike into one chunk: by the first measure, and what is near in it by the last compared."""
    live = np.flatnonzero(keys[: state[TOP], 0] > 0)
    live = live[np.argsort(points[live, 0])]
    wide = int(np.ceil(np.sqrt(live.shape[0] / _CHUNK))) * _CHUNK
    for begin in range(0, live.shape[0], wide):
        part = live[begin : begin + wide]
        live[begin : begin + wide] = part[np.argsort(points[part, compared - 1])]
    sorted_points, sorted_keys = points[live], keys[live]
    count = live.shape[0]
    points[:count], keys[:count] = sorted_points, sorted_keys
    lows[:] = np.inf
    for i in range(count):
        for d in range(compared):
            lows[i // _CHUNK, d] = min(lows[i // _CHUNK, d], points[i, d])
    state[TOP], state[FRESH], state[LAST] = count, 0, 0


@compiled
def offer_points(
    new: Floats, new_keys: Ints, compared: int, ties: int, points: Floats, keys: Ints, lows: Floats, state: Ints
) -> Any:
    """Offer K plans to the points that nothing beats, as `offer_point`."""
    for k in range(new.shape[0]):
        points, keys, lows, state = offer_point(new[k], new_keys[k], compared, ties, points, keys, lows, state)
    return points, keys, lows, state


@compiled
def walk_points(
    lane: int, source: int, most: int, fewest: int, required: Ints, exits_at: int, thresholds_at: int,
    codecs_at: int, first: Floats, span: Floats, bare: Floats, send: Floats, result: Floats, whole: Bools,
    drops: Floats, stay: Floats, accuracy: Floats, option_exit: Bools, option_threshold: Ints, jump: Ints,
    inside: bool, can_end: Bools, group: Ints, rank: Ints, linked: Bools, turned: Ints, compared: int, ties: int,
    caps: Floats, points: Floats, keys: Ints, lows: Floats, state: Ints, progress: Ints,
) -> Any:  # fmt: skip
    """Score every decision of one lane of any space in R measures and accuracy, and keep what nothing beats.

    Parameters
    ----------
    lane, source, most, fewest, required, exits_at, thresholds_at, codecs_at
        As in `tiercut.solvers.kernels.plain_kernels.walk_plans`.
    first, span, bare, send, result
        As in `tiercut.optimizer.space.Costs`, with the R measures in the last axis.
    whole
        R: whether the pieces of a measure count whole.
    drops, stay, ..., linked
        As in `walk_plans`.
    turned
        R+1: which measure (R: accuracy) stands at each place of a point.
    compared, ties
        As in `offer_point`.
    caps
        R+1: greatest values by place in a point.
    points, keys, lows, state
        As in `offer_point`.
    progress
        ``[stop, decisions scored]``, as in `tiercut.solvers.kernels.plain_kernels.enumerate_plans`.
    """
    # A walk in depth; a frame for each piece. The counter of a frame runs over (end, option, next node, way).
    nodes, blocks, rows = group.shape[0], accuracy.shape[0], first.shape[1]
    options, ways = option_exit.shape[0], send.shape[0]
    room = blocks + 1
    node, begin, level = np.zeros(room, np.int64), np.zeros(room, np.int64), np.zeros(room, np.int64)
    parts, asked, counter = np.zeros(room, np.int64), np.zeros(room, np.int64), np.zeros(room, np.int64)
    option, way = np.zeros(room, np.int64), np.zeros(room, np.int64)
    used = np.zeros(room, np.int64)
    cost, right = np.zeros((room, rows)), np.zeros(room)
    totals, point = np.zeros(rows + 1), np.zeros(rows + 1)
    key, at_key = np.zeros(keys.shape[1], np.int64), Places(most, exits_at, thresholds_at, codecs_at)
    scored = 0
    for root in range(nodes):
        if not linked[source, root]:
            continue
        node[0], begin[0], level[0], parts[0], asked[0], counter[0] = root, 0, 0, 1, 0, -1
        used[0], right[0] = 1 << group[root], 0.0
        cost[0] = first[root]
        depth = 0
        while depth >= 0:
            v, start, share = node[depth], begin[depth], stay[level[depth]]
            if counter[depth] < 0:
                counter[depth] = 0
                complete = parts[depth] >= fewest and uses(used[depth], required)
                for end in range(start, blocks):
                    if not can_end[end] or not complete or (lane > 0 and asked[depth] == 0):
                        continue
                    scored += 1
                    for r in range(rows):
                        weight, back = 1.0 if whole[r] else share, result[end, v, r]
                        totals[r] = ended(cost[depth, r], weight, span[v, start, end, r], share, back)
                    totals[rows] = -answered(right[depth], share, accuracy[end])
                    fits = totals[0] < np.inf  # not nan either: a forbidden piece that nobody gets to
                    for f in range(rows + 1):
                        point[f] = totals[turned[f]]
                        fits = fits and point[f] <= caps[f]
                    if not fits or beaten(point, compared, points, lows, state):
                        continue
                    write_frames(key, at_key, depth, node, begin, option, way, option_exit, option_threshold, end, lane)
                    points, keys, lows, state = offer_point(point, key, compared, ties, points, keys, lows, state)
            if counter[depth] >= (blocks - 1 - start) * options * nodes * ways:
                depth -= 1
                progress[1] += scored
                scored = 0
                if progress[0] != 0:
                    return points, keys, lows, state
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
            onward = stay[after]
            leave = share - onward
            deeper = depth + 1
            for r in range(rows):
                piece = span[v, start, end, r] if option_exit[o] else bare[v, start, end, r]
                total = passed(cost[depth, r], 1.0 if whole[r] else share, piece, leave, result[end, v, r])
                cost[deeper, r] = crossed(total, onward, send[x, end, v, w, r]) if w != v else total
            if not cost[deeper, 0] < np.inf:
                continue
            a = answered(right[depth], leave, accuracy[end])
            right[deeper] = dropped(a, onward, drops[x, end]) if w != v else a
            option[depth], way[depth] = o, x
            node[deeper], begin[deeper], level[deeper], counter[deeper] = w, end + 1, after, -1
            parts[deeper], asked[deeper] = parts[depth] + (w != v), asked[depth] + option_exit[o]
            used[deeper] = used[depth] | (1 << group[w])
            depth = deeper
    progress[1] += scored
    return points, keys, lows, state
