"""Numba kernels of cells of accuracy: what plans may cost by cell, and rows of budgets.

All rounding goes towards keeping a label.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Row = NDArray[np.float32]

__all__ = [
    "allowances", "capped", "cell_of", "greatest", "greatest_of", "least", "most_cost", "most_finite",
    "numbered", "pair", "rows_of_interest", "shifts", "transposed", "varies",
]  # fmt: skip

_NEAR = 1e-9
"""Cells; sums that should be equal may lie on the two sides of a border between cells, this near to it."""


@compiled
def cell_of(accuracy: float, base: float, per: float, cells: int) -> int:
    """Return the cell of an accuracy: how many times 1 / ``per`` it lies above ``base``."""
    return min(max(int((accuracy - base) * per), 0), cells)


@compiled
def allowances(
    costs: Floats, accuracies: Floats, count: int, cost_cap: float, floor: float, ceiling: float, slope: float,
    base: float, summit: float, cells: int,
) -> Floats:  # fmt: skip
    """Return for each cell the most that a plan there may cost, less ``slope`` times its accuracy, to be of interest.

    Parameters
    ----------
    costs, accuracies, count
        The frontier so far, rising in both; with a count of 0 the bounds alone decide.
    cost_cap, floor, ceiling
        Most cost, least accuracy, and what no plan's accuracy exceeds.
    slope
        Cost for accuracy, 0 or more.
    base, summit, cells
        Cell 0 begins at accuracy ``base`` and the last, C, at ``summit``; no label gains less or more.

    Returns
    -------
    array
        C+1; -inf where there is no accuracy of interest. With a slope of 0 it never falls between two such cells.
    """
    most_by_cell, per = np.full(cells + 1, -np.inf), cells / (summit - base)
    low, near = max(floor, base), _NEAR / per
    for i in range(count + 1):
        if i == count and count > 0 and accuracies[count - 1] >= ceiling:
            break
        # What lies above `low` must cost no more than the first plan that is as accurate, or more.
        high = min(accuracies[i], ceiling) if i < count else ceiling
        most = min(cost_cap, costs[i]) if i < count else cost_cap
        if high < low - near:  # sums of equal accuracies may lie a little above the ceiling, and `low` with them
            continue
        for k in range(cell_of(low - near, base, per, cells), cell_of(high + near, base, per, cells) + 1):
            least = max(low, base + k / per - near)
            most_by_cell[k] = max(most_by_cell[k], most * (1 + 1e-12) + 1e-15 - slope * (least - 1e-12))
        low = high
        if low >= ceiling:
            break
    return most_by_cell


@compiled
def numbered(lows: Floats, place: NDArray[np.int32], count: int) -> int:
    """Give each row that labels may reach the next number, and return the one after."""
    for v in range(lows.shape[0]):
        for state in range(lows.shape[1]):
            for used in range(lows.shape[2]):
                if lows[v, state, used] < np.inf:
                    place[v, state, used] = count
                    count += 1
    return count


@compiled
def shifts(gain: float, per: float) -> tuple[int, int]:
    """Return by how many cells a gain leads on: two numbers, that differ where rounding decides which it is."""
    if gain == 0.0:
        return 0, 0  # a label that gains nothing stays in its cell
    return int(np.floor(gain * per - _NEAR)), int(np.floor(gain * per + _NEAR))


@compiled
def pair(row: Row, into: Row, bottom: int, top: int) -> None:
    """Write the larger of each cell and the next; what is outside bottom - 1 to top is never read."""
    if bottom > 0:
        into[bottom - 1] = row[bottom]
    for k in range(bottom, top):
        into[k] = row[k + 1] if row[k + 1] > row[k] else row[k]
    into[top] = row[top]


@compiled
def rows_of_interest(
    allowed: Floats, base: float, per: float, low: float, high: float, stay: Floats, levels: Ints, varies: bool
) -> tuple[Ints, Ints]:
    """Return the first and the last cell, for each state, in which a label may be that is of interest."""
    cells, states = allowed.shape[0] - 1, levels.shape[0]
    bottoms, tops = np.zeros(states, np.int64), np.full(states, cells)
    if varies:
        return bottoms, tops
    first, last = 0, cells
    while first < cells and allowed[first] == -np.inf:
        first += 1
    while last > first and allowed[last] == -np.inf:
        last -= 1
    for state in range(states):
        share = stay[levels[state]]
        tops[state] = min(cell_of((1.0 - share) * high, base, per, cells) + 1, last)
        short = first - int(share * high * per) - 2  # the rest gains too little
        bottoms[state] = max(cell_of((1.0 - share) * low, base, per, cells) - 1, short, 0)
    return bottoms, tops


@compiled
def transposed(table: Floats) -> Floats:
    """Return a table of two axes with these in turn, and what was beside each other so no more."""
    turned = np.empty((table.shape[1], table.shape[0]))
    for i in range(table.shape[0]):
        for j in range(table.shape[1]):
            turned[j, i] = table[i, j]
    return turned


@compiled
def varies(drops: Floats) -> bool:
    """Return whether accuracy may go up and down along a plan, as codecs take from it or give."""
    for codec in range(drops.shape[0]):
        for place in range(drops.shape[1]):
            if drops[codec, place] != 0.0:
                return True
    return False


@compiled
def greatest(values: Floats) -> float:
    """Return the greatest value. NOTE With ``max`` of an array, numba would load what it needs to compile."""
    highest = -np.inf
    for k in range(values.shape[0]):
        highest = max(highest, float(values[k]))
    return highest


@compiled
def most_cost(allowed: Floats, slope: float, base: float, per: float) -> float:
    """Return the most that a plan of interest may cost."""
    most = -np.inf
    for k in range(allowed.shape[0]):
        most = max(most, allowed[k] + slope * (base + (k + 1) / per))
    return most


@compiled
def most_finite(values: Floats) -> float:
    """Return the greatest magnitude of what is finite; 0 if nothing is."""
    most = 0.0
    for value in values:
        if -np.inf < value < np.inf:
            most = max(most, abs(value))
    return most


@compiled
def greatest_of(row: Row, bottom: int, top: int) -> float:
    """Return the greatest value of a part of a row."""
    one = two = three = highest = np.float32(-np.inf)  # side by side: each comparison waits for the one before
    k = bottom
    while k + 3 <= top:
        one, two = row[k] if row[k] > one else one, row[k + 1] if row[k + 1] > two else two
        three, highest = row[k + 2] if row[k + 2] > three else three, row[k + 3] if row[k + 3] > highest else highest
        k += 4
    while k <= top:
        one, k = row[k] if row[k] > one else one, k + 1
    highest = max(one, two, three, highest)
    return float(highest)


@compiled
def capped(row: Row, bottom: int, top: int, most: float, slope: float, base: float, per: float, spare: float) -> float:
    """Lower a row to what is left if the rest costs its least, and return the greatest of what remains.

    Without it rounding could pay: step by step, a label would be credited with gains that never lead out of its cell.
    """
    highest_cap = most * (1 + 1e-12) + 1e-15 - slope * (base - _NEAR / per) + spare
    for k in range(bottom, top + 1):  # without a branch, so that it uses vector instructions
        cap, value = highest_cap - slope * (k / per), float(row[k])
        row[k] = np.float32(cap if value > cap else value)
    return greatest_of(row, bottom, top)


@compiled
def least(values: Floats) -> float:
    """Return the least value. NOTE With ``min`` of an array, numba would load what it needs to compile."""
    lowest = np.inf
    for k in range(values.shape[0]):
        lowest = min(lowest, float(values[k]))
    return lowest
