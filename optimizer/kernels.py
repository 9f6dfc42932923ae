"""Numba kernels that score decisions, and the two containers that keep the good ones.

A decision is kept as a row of integers, its *key*: number of partitions, the 1-based last block of each partition,
the 0-based node of each, and the 0-based threshold; unused places hold 0. Comparing keys from left to right is the
project's order among equals: fewer partitions, then partition, placement, threshold.

Every sum is taken in the order in which a sample meets its terms, here and in `tiercut.optimizer.pricing`, so that
the two agree to the last bit.

NOTE: kernels that call each other live in this one file, because numba's cache does not see edits in another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.optimizer.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = [
    "ALL",
    "BUCKETS",
    "UNCUT",
    "enumerate_plans",
    "key_width",
    "offer_all",
    "offer_best",
    "offer_front",
    "score_keys",
]

BUCKETS = 4096
"""Resolution of the table that turns away most dominated candidates: accuracies are sorted into so many buckets."""


UNCUT, ALL = -1, -2
"""What stands for no cut, and for any, in place of a first cut."""


def key_width(most: int) -> int:
    """Return the number of integers in the key of a decision with at most `most` partitions."""
    return 2 * most + 2


@compiled
def _smaller(left: Ints, right: Ints) -> bool:
    for i in range(left.shape[0]):
        if left[i] != right[i]:
            return bool(left[i] < right[i])
    return False


@compiled
def _first_not_below(values: Floats, count: int, x: float) -> int:
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if values[middle] < x:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def offer_front(
    cost: float, accuracy: float, key: Ints, costs: Floats, accuracies: Floats, keys: Ints, table: Floats, count: int
) -> int:
    """Offer a candidate to a frontier, sorted by rising cost and rising accuracy; return its new length.

    ``table[b]`` holds the least cost seen above bucket b of the accuracies: whatever lies in the bucket and costs as
    much is dominated. There must be room for one more.
    """
    low = _first_not_below(costs, count, cost)
    if low > 0 and accuracies[low - 1] >= accuracy:
        return count
    if low < count and costs[low] == cost:
        if accuracies[low] > accuracy:
            return count
        if accuracies[low] == accuracy:
            if _smaller(key, keys[low]):
                keys[low] = key
            return count
    high = low
    while high < count and accuracies[high] <= accuracy:
        high += 1
    shift = 1 - (high - low)
    if shift > 0:
        for i in range(count, low, -1):
            costs[i], accuracies[i] = costs[i - 1], accuracies[i - 1]
            keys[i] = keys[i - 1]
    elif shift < 0:
        for i in range(high, count):
            costs[i + shift], accuracies[i + shift] = costs[i], accuracies[i]
            keys[i + shift] = keys[i]
    costs[low], accuracies[low] = cost, accuracy
    keys[low] = key
    bucket = int(accuracy * BUCKETS) - 1
    while bucket >= 0 and table[bucket] > cost:
        table[bucket] = cost
        bucket -= 1
    return count + shift


@compiled
def offer_best(
    cost: float,
    accuracy: float,
    key: Ints,
    by_accuracy: bool,
    costs: Floats,
    accuracies: Floats,
    keys: Ints,
    count: int,
) -> int:
    """Offer a candidate to a list of the best, in order; return its new length, at most ``costs.shape[0]``."""
    place = count
    while place > 0:
        c, a = costs[place - 1], accuracies[place - 1]
        if by_accuracy:
            before = accuracy > a or (accuracy == a and (cost < c or (cost == c and _smaller(key, keys[place - 1]))))
        else:
            before = cost < c or (cost == c and (accuracy > a or (accuracy == a and _smaller(key, keys[place - 1]))))
        if not before:
            break
        place -= 1
    if place >= costs.shape[0]:
        return count
    count = min(count + 1, costs.shape[0])
    for i in range(count - 1, place, -1):
        costs[i], accuracies[i] = costs[i - 1], accuracies[i - 1]
        keys[i] = keys[i - 1]
    costs[place], accuracies[place] = cost, accuracy
    keys[place] = key
    return count


@compiled
def offer_all(
    new_costs: Floats,
    new_accuracies: Floats,
    new_keys: Ints,
    front: bool,
    by_accuracy: bool,
    costs: Floats,
    accuracies: Floats,
    keys: Ints,
    table: Floats,
    count: int,
) -> Any:
    """Offer several candidates to a frontier, or to the best; return costs, accuracies, keys and their number."""
    for i in range(new_costs.shape[0]):
        if front:
            if count == costs.shape[0]:
                costs, accuracies, keys = _grown(costs), _grown(accuracies), _grown_keys(keys)
            count = offer_front(new_costs[i], new_accuracies[i], new_keys[i], costs, accuracies, keys, table, count)
        else:
            count = offer_best(
                new_costs[i], new_accuracies[i], new_keys[i], by_accuracy, costs, accuracies, keys, count
            )
    return costs, accuracies, keys, count


@compiled
def enumerate_plans(
    root: int,
    first_cut: int,
    most: int,
    deepest: int,
    first: Floats,
    middle: Floats,
    last: Floats,
    send: Floats,
    result: Floats,
    stay: Floats,
    accuracy: Floats,
    can_cut: NDArray[np.bool_],
    can_end: NDArray[np.bool_],
    group: Ints,
    rank: Ints,
    linked: NDArray[np.bool_],
    side_first: Floats,
    side_middle: Floats,
    side_last: Floats,
    side_send: Floats,
    side_result: Floats,
    side_caps: Floats,
    front: bool,
    by_accuracy: bool,
    cost_cap: float,
    accuracy_floor: float,
    costs: Floats,
    accuracies: Floats,
    keys: Ints,
    table: Floats,
    count: int,
    progress: Ints,
) -> Any:
    """Score every decision that begins on node `root` and is first cut after block `first_cut` (0-based).

    Parameters
    ----------
    root, first_cut
        Where to begin; -1 stands for the plans that are not cut, -2 for all.
    most, deepest
        Most partitions in a key, and in the plans that are scored.
    first, middle, last, send, result
        The tables of `tiercut.optimizer.space.Costs`.
    stay, accuracy, can_cut, can_end, group, rank, linked
        The arrays of `tiercut.optimizer.space.Space`.
    side_first, side_middle, side_last, side_send, side_result, side_caps
        The same tables for other measures that are bounded (one more axis in front, perhaps of length 0) and the
        bounds.
    front, by_accuracy
        Whether the frontier is kept, or else the best by cost or by accuracy.
    cost_cap, accuracy_floor
        Bounds, slack included.
    costs, accuracies, keys, table, count
        What has been kept so far.
    progress
        ``[stop, decisions scored]``, read and written as the work goes on: a stop that is not 0 ends it.

    Returns
    -------
    tuple
        The kept costs, accuracies and keys (perhaps in longer arrays) and their number.
    """
    # The body is long because numba keeps what is local in registers: split, the inner loops lose half their speed.
    nodes, blocks, lanes, sides = group.shape[0], accuracy.shape[0], stay.shape[1], side_caps.shape[0]
    cost = np.empty((most, lanes))
    right = np.empty((most, lanes))
    onward = np.empty((most, lanes))
    gained = np.empty((most, lanes))
    side_cost = np.zeros((most, sides, lanes))
    side_onward = np.zeros((most, sides, lanes))
    node = np.zeros(most, np.int64)
    begin = np.zeros(most, np.int64)
    cut = np.zeros(most, np.int64)
    following = np.zeros(most, np.int64)
    used = np.zeros(nodes, np.bool_)
    key = np.zeros(2 * most + 2, np.int64)
    lane_cost = np.empty(lanes)
    lane_right = np.empty(lanes)
    scored = 0

    node[0] = root
    used[group[root]] = True
    cost[0, :] = first[root]
    right[0, :] = 0.0
    for s in range(sides):
        side_cost[0, s, :] = side_first[s, root]
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
            for end in range(start, blocks):
                if not can_end[end]:
                    continue
                piece, share = last[v, start, end], accuracy[end]
                cap, floor = cost_cap, accuracy_floor
                if not front and count == costs.shape[0]:
                    if by_accuracy:
                        floor = max(floor, accuracies[count - 1])
                    else:
                        cap = min(cap, costs[count - 1])
                hits = 0
                for t in range(width):
                    lane_cost[t] = cost[depth, t] + stay[start, t] * piece
                    lane_right[t] = right[depth, t] + stay[start, t] * share
                if front:
                    for t in range(width):
                        hits += lane_cost[t] < table[int(lane_right[t] * BUCKETS)]
                else:
                    for t in range(width):
                        hits += (lane_cost[t] <= cap) & (lane_right[t] >= floor)
                scored += width
                if hits == 0:
                    continue
                for t in range(width):
                    c, a = lane_cost[t], lane_right[t]
                    if c > cap or a < floor:
                        continue
                    if c >= table[int(a * BUCKETS)]:
                        continue
                    fits = True
                    for s in range(sides):
                        total = side_cost[depth, s, t] + stay[start, t] * side_last[s, v, start, end]
                        fits = fits and total <= side_caps[s]
                    if not fits:
                        continue
                    key[:] = 0
                    key[0] = depth + 1
                    for k in range(depth):
                        key[1 + k] = cut[k] + 1
                        key[1 + most + k] = node[k]
                    key[1 + depth] = end + 1
                    key[1 + most + depth] = v
                    key[2 * most + 1] = t
                    if not front:
                        count = offer_best(c, a, key, by_accuracy, costs, accuracies, keys, count)
                        continue
                    if count == costs.shape[0]:
                        costs, accuracies, keys = _grown(costs), _grown(accuracies), _grown_keys(keys)
                    count = offer_front(c, a, key, costs, accuracies, keys, table, count)
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
            for s in range(sides):
                for t in range(lanes):
                    side_cost[deeper, s, t] = side_onward[depth, s, t] + stay[end + 1, t] * side_send[s, end, v, w]
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
        for s in range(sides):
            piece, back = side_middle[s, v, start, end], side_result[s, end, v]
            for t in range(lanes):
                leave = stay[start, t] - stay[end + 1, t]
                side_onward[depth, s, t] = side_cost[depth, s, t] + stay[start, t] * piece + leave * back
    progress[1] += scored
    return costs, accuracies, keys, count


@compiled
def _grown(values: Floats) -> Floats:
    made = np.empty(2 * values.shape[0])
    made[: values.shape[0]] = values
    return made


@compiled
def _grown_keys(keys: Ints) -> Ints:
    made = np.empty((2 * keys.shape[0], keys.shape[1]), np.int64)
    made[: keys.shape[0]] = keys
    return made


@compiled
def score_keys(
    keys: Ints,
    most: int,
    first: Floats,
    middle: Floats,
    last: Floats,
    send: Floats,
    result: Floats,
    stay: Floats,
    accuracy: Floats,
    costs: Floats,
    accuracies: Floats,
) -> None:
    """Write the cost and accuracy of every decision of `keys` (K x key_width) into the two arrays, K each."""
    for k in range(keys.shape[0]):
        key = keys[k]
        parts, lane = key[0], key[2 * most + 1]
        v = key[1 + most]
        c, a, start = first[v], 0.0, 0
        for part in range(parts - 1):
            end, w = key[1 + part] - 1, key[2 + most + part]
            leave = stay[start, lane] - stay[end + 1, lane]
            c = c + stay[start, lane] * middle[v, start, end] + leave * result[end, v]
            a = a + leave * accuracy[end]
            c = c + stay[end + 1, lane] * send[end, v, w]
            start, v = end + 1, w
        end = key[parts] - 1
        costs[k] = c + stay[start, lane] * last[v, start, end]
        accuracies[k] = a + stay[start, lane] * accuracy[end]
