"""Numba kernels of the containers that keep good decisions: a frontier, the N best in order, and points.

A decision is kept as a row of integers, its *key* (`tiercut.solvers.encoding`), which orders it among equals. A *point*
is what a plan has of F measures, all of them minimised (accuracy with its sign turned): first the D that are compared,
then those that decide among equals, then those that are only bounded; kept are the points that none dominates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.kernels.step_kernels import doubled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.solvers.kernels.arguments import Kept, Known

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = [
    "BUCKETS", "TOP", "is_dominated", "is_wanted", "keep", "offer", "offer_all", "offer_best", "offer_front",
    "offer_point", "offer_points",
]  # fmt: skip

BUCKETS = 4096
"""Resolution of the table that turns away most dominated candidates: accuracies are sorted into so many buckets."""

_CHUNK = 16
"""Rows of which it is known what is the least that any of them has of each measure."""

TOP, FRESH, LAST = range(3)
"""What stands in ``state``: rows in use, rows written since all were sorted, and the row that last beat a candidate."""


@compiled
def _smaller(left: Ints, right: Ints) -> bool:
    tie = left.shape[0] - 2
    if left[tie] != right[tie]:
        return bool(left[tie] < right[tie])
    for i in range(left.shape[0]):
        if left[i] != right[i]:
            return bool(left[i] < right[i])
    return False


@compiled
def _equal(left: Ints, right: Ints) -> bool:
    same = True
    for i in range(left.shape[0]):
        same = same and left[i] == right[i]
    return same


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
def _write(rows: Ints, place: int, row: Ints) -> None:
    """Write a row. NOTE One by one: an assignment of slices compiles for seconds, for the words of its error."""
    for k in range(row.shape[0]):
        rows[place, k] = row[k]


@compiled
def _insert_front(
    cost: float, accuracy: float, key: Ints, costs: Floats, accuracies: Floats, keys: Ints, count: int
) -> int:
    """Offer a candidate to a frontier, sorted by rising cost and rising accuracy; return its new length."""
    low = _first_not_below(costs, count, cost)
    if low > 0 and accuracies[low - 1] >= accuracy:
        return count
    if low < count and costs[low] == cost:
        if accuracies[low] > accuracy:
            return count
        if accuracies[low] == accuracy:
            if _smaller(key, keys[low]):
                _write(keys, low, key)
            return count
    high = low
    while high < count and accuracies[high] <= accuracy:
        high += 1
    shift = 1 - (high - low)
    if shift > 0:
        for i in range(count, low, -1):
            costs[i], accuracies[i] = costs[i - 1], accuracies[i - 1]
            _write(keys, i, keys[i - 1])
    elif shift < 0:
        for i in range(high, count):
            costs[i + shift], accuracies[i + shift] = costs[i], accuracies[i]
            _write(keys, i + shift, keys[i])
    costs[low], accuracies[low] = cost, accuracy
    _write(keys, low, key)
    return count + shift


@compiled
def offer_front(
    cost: float, accuracy: float, key: Ints, costs: Floats, accuracies: Floats, keys: Ints, table: Floats, count: int
) -> int:
    """Offer a candidate to a frontier, sorted by rising cost and rising accuracy; return its new length.

    ``table[b]`` holds the least cost seen above bucket b of the accuracies: whatever lies in the bucket and costs as
    much is dominated. There must be room for one more.
    """
    count = _insert_front(cost, accuracy, key, costs, accuracies, keys, count)
    _mark(cost, accuracy, table)
    return count


@compiled
def _mark(cost: float, accuracy: float, table: Floats) -> None:
    bucket = min(int(accuracy * BUCKETS), BUCKETS) - 1  # codecs that mend answers can lift the sum above 1
    while bucket >= 0 and table[bucket] > cost:
        table[bucket] = cost
        bucket -= 1


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
    """Offer a candidate to a list of the best, in order; return its new length, at most ``costs.shape[0]``.

    What is offered again is kept once.
    """
    place, tie = count, key.shape[0] - 2
    while place > 0:
        c, a, other = costs[place - 1], accuracies[place - 1], keys[place - 1]
        if by_accuracy and accuracy != a:
            before = accuracy > a
        elif cost != c:
            before = cost < c
        elif key[tie] != other[tie] or accuracy == a:
            before = _smaller(key, other)
        else:
            before = accuracy > a
        if not before:
            break
        place -= 1
    if place >= costs.shape[0] or (place > 0 and _equal(key, keys[place - 1])):
        return count
    count = min(count + 1, costs.shape[0])
    for i in range(count - 1, place, -1):
        costs[i], accuracies[i] = costs[i - 1], accuracies[i - 1]
        _write(keys, i, keys[i - 1])
    costs[place], accuracies[place] = cost, accuracy
    _write(keys, place, key)
    return count


@compiled
def offer_all(
    new_costs: Floats,
    new_accuracies: Floats,
    new_keys: Ints,
    front: bool,
    by_accuracy: bool,
    kept: Kept,
    table: Floats,
) -> Any:
    """Offer several candidates to a frontier, or to the best; return costs, accuracies, keys and their number."""
    costs, accuracies, keys, count = kept
    for i in range(new_costs.shape[0]):
        costs, accuracies, keys, count = offer(
            new_costs[i], new_accuracies[i], new_keys[i], front, by_accuracy, costs, accuracies, keys, table, count
        )
    return costs, accuracies, keys, count


@compiled
def offer(
    cost: float, accuracy: float, key: Ints, front: bool, by_accuracy: bool,
    costs: Floats, accuracies: Floats, keys: Ints, table: Floats, count: int,
) -> Any:  # fmt: skip
    """Offer a candidate as `keep`; of a frontier the table of buckets follows."""
    held = keep(cost, accuracy, key, front, by_accuracy, costs, accuracies, keys, count)
    if front:
        _mark(cost, accuracy, table)
    return held


@compiled
def keep(
    cost: float, accuracy: float, key: Ints, front: bool, by_accuracy: bool,
    costs: Floats, accuracies: Floats, keys: Ints, count: int,
) -> Any:  # fmt: skip
    """Offer a candidate to either container; return costs, accuracies and keys, perhaps in longer arrays, and count."""
    if not front:
        return costs, accuracies, keys, offer_best(cost, accuracy, key, by_accuracy, costs, accuracies, keys, count)
    if count == costs.shape[0]:
        costs, accuracies, keys = doubled(costs), doubled(accuracies), doubled(keys)
    return costs, accuracies, keys, _insert_front(cost, accuracy, key, costs, accuracies, keys, count)


@compiled
def is_wanted(
    cost: float, accuracy: float, front: bool, by_accuracy: bool, costs: Floats, accuracies: Floats, count: int
) -> bool:
    """Return whether `keep` may take a candidate, whose encoding, yet to be written, then decides among equals."""
    if front:
        low = _first_not_below(costs, count, cost)
        return not (low > 0 and accuracies[low - 1] >= accuracy) and not (
            low < count and costs[low] == cost and accuracies[low] > accuracy
        )
    if count < costs.shape[0]:
        return True
    if by_accuracy and accuracy != accuracies[count - 1]:
        return bool(accuracy > accuracies[count - 1])
    return bool(cost <= costs[count - 1])


# Frontiers over several measures


@compiled
def _dominates(point: Floats, compared: int, points: Floats, i: int) -> bool:
    """Return whether another one is no worse in what is compared, and better somewhere.

    NOTE: The other is told by its row, as a look at it would count references, which takes longer than all else here.
    """
    better, worse = False, False
    for d in range(compared):
        worse = worse or point[d] < points[i, d]
        better = better or point[d] > points[i, d]
    return better and not worse


@compiled
def is_dominated(point: Floats, compared: int, points: Floats, lows: Floats, state: Ints) -> bool:
    """Return whether one of the points is no worse in what is compared, and better somewhere.

    What dominates one candidate often dominates the next, and is compared first; then rows are passed over
    sixteen at a time where the least that they have of each measure does not reach the candidate.
    """
    if state[TOP] > 0 and _dominates(point, compared, points, state[LAST]):
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
            if _dominates(point, compared, points, i):
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
    """Offer a plan to the points that are not dominated; return points, keys, lows (perhaps longer ones) and the state.

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
    if is_dominated(point, compared, points, lows, state):
        return points, keys, lows, state
    place = -1
    for i in range(state[TOP]):
        if points[i, 0] < point[0] or points[i, compared - 1] < point[compared - 1]:
            continue
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
def offer_points(new: Floats, new_keys: Ints, compared: int, ties: int, known: Known) -> Any:
    """Offer K plans to the points that none dominates, as `offer_point`."""
    points, keys, lows, state = known
    for k in range(new.shape[0]):
        points, keys, lows, state = offer_point(new[k], new_keys[k], compared, ties, points, keys, lows, state)
    return points, keys, lows, state
