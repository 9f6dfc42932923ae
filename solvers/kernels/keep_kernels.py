"""Numba kernels of the two containers that keep good decisions: a frontier, and the N best in order.

A decision is kept as a row of integers, its *key* (`tiercut.solvers.encoding`), which orders it among equals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.kernels.step_kernels import doubled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["BUCKETS", "is_wanted", "keep", "offer", "offer_all", "offer_best", "offer_front"]

BUCKETS = 4096
"""Resolution of the table that turns away most dominated candidates: accuracies are sorted into so many buckets."""


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
    bucket = min(int(accuracy * BUCKETS), BUCKETS) - 1  # codecs that mend answers can lift the sum above 1
    while bucket >= 0 and table[bucket] > cost:
        table[bucket] = cost
        bucket -= 1
    return count


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
        kept = (costs, accuracies, keys, table, count)
        costs, accuracies, keys, count = offer(new_costs[i], new_accuracies[i], new_keys[i], front, by_accuracy, *kept)
    return costs, accuracies, keys, count


@compiled
def offer(
    cost: float, accuracy: float, key: Ints, front: bool, by_accuracy: bool,
    costs: Floats, accuracies: Floats, keys: Ints, table: Floats, count: int,
) -> Any:  # fmt: skip
    """Offer a candidate to either container; return costs, accuracies and keys, perhaps in longer arrays, and count."""
    if not front:
        return costs, accuracies, keys, offer_best(cost, accuracy, key, by_accuracy, costs, accuracies, keys, count)
    if count == costs.shape[0]:
        costs, accuracies, keys = doubled(costs), doubled(accuracies), doubled(keys)
    return costs, accuracies, keys, offer_front(cost, accuracy, key, costs, accuracies, keys, table, count)


# Candidates whose encoding is yet to be written


@compiled
def is_wanted(
    cost: float, accuracy: float, front: bool, by_accuracy: bool, costs: Floats, accuracies: Floats, count: int
) -> bool:
    """Return whether `keep` may take a candidate, whose encoding then decides among equals."""
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


@compiled
def keep(
    cost: float, accuracy: float, key: Ints, front: bool, by_accuracy: bool,
    costs: Floats, accuracies: Floats, keys: Ints, count: int,
) -> Any:  # fmt: skip
    """Offer a candidate as `offer`, to a frontier without a table of buckets."""
    if not front:
        return costs, accuracies, keys, offer_best(cost, accuracy, key, by_accuracy, costs, accuracies, keys, count)
    if count == costs.shape[0]:
        costs, accuracies, keys = doubled(costs), doubled(accuracies), doubled(keys)
    return costs, accuracies, keys, _insert_front(cost, accuracy, key, costs, accuracies, keys, count)
