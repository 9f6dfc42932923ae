"""Numba kernels of the label solver's bounds: what a partial plan may have cost and still be of interest.

Budgets are kept for CELLS cells of accuracy gained so far. They are *sheared*: compared with a label's cost less
``slope`` times what it gained. Where the frontier rises by about that slope, budgets hardly change from cell to cell,
and it does no harm that a label is only known to be somewhere in its cell: a step leads from anywhere in one cell to
anywhere in two. All rounding goes towards keeping a label, so that no cell is too coarse to be right, only too coarse
to be quick.

A bound that lets every node be used again is weak where nodes are quick at different blocks and links cost little.
Budgets may therefore know which nodes have been used: one row for each set of *critical* ones (see `Sets`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.kernels.step_kernels import column_of, passed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.solvers.kernels.arguments import Rules, Shares, States, Tables

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = ["LEAVING", "STAYING", "Budgets", "Cells", "Sets", "allowances", "budgets", "cell_of"]

STAYING, LEAVING = 0, 1
"""The tables of budgets: a node is to go on from a state; the output of the last block is to be sent away from it."""

_NEAR = 1e-9
"""Cells; sums that should be equal may lie on the two sides of a border between cells, this near to it."""

_ROUNDED = 4e-7
"""Budgets are kept in single precision; each step loosens them by this share of the greatest value of interest, which
is more than its three roundings take."""


class Sets(NamedTuple):
    """The sets of used groups that budgets tell apart.

    Parameters
    ----------
    bit
        M: the bit of a node's group, which is critical; 0 where budgets let a group be used again.
    sizes
        2 to the number of critical groups: how many groups a set has.
    may_end
        As long: whether a plan that has used these, and perhaps others, may have used enough.
    """

    bit: Ints
    sizes: Ints
    may_end: Bools


class Budgets(NamedTuple):
    """What a label may have cost so far and still be of interest, less the slope times what it gained.

    Parameters
    ----------
    place
        2 x S x M x sets: the row of a node that is to go on from a state (`STAYING`), or has to send its output away
        to whichever node, by whichever codec, is best (`LEAVING`). Row 0 is of none: no label gets there.
    peaks
        As large: the greatest budget over all cells; -inf where no label is of interest.
    rows
        Rows x (C+1), in single precision: by cells of accuracy gained.
    """

    place: NDArray[np.int32]
    peaks: Floats
    rows: NDArray[np.float32]


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
def _floors(
    source: int, most: int, slope: float, first: Floats, stay: Floats, weight: Floats, accuracy: Floats, span: Floats,
    bare: Floats, send: Floats, result: Floats, drops: Floats, input_drops: Floats, option_exit: Bools,
    option_threshold: Ints, jump: Ints, state_of: Ints, begins: Ints, levels: Ints, inside: bool, group: Ints,
    rank: Ints, linked: Bools, furthest: Ints, bit: Ints, sizes: Ints, stop: Ints,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Return the least that a label may have cost, less what it gained times the slope.

    Parameters
    ----------
    source, most, slope, first, ..., stop
        As in `budgets`; where it is stopped, what it returns is not complete.

    Returns
    -------
    array, array
        S x M x sets: node v is to go on from the state, these groups having been used; and the same before the output
        of the last block is sent away from v.
    """
    nodes, codecs, by_level, sets = group.shape[0], send.shape[0], accuracy.shape[0] > 1, sizes.shape[0]
    final = accuracy.shape[2] - 1
    reached, left = np.empty((begins.shape[0], nodes, sets)), np.empty((begins.shape[0], nodes, sets))
    for state in range(begins.shape[0]):
        if stop[0] != 0:
            return reached, left
        reached[state], left[state] = np.inf, np.inf
    for v in range(nodes):
        for codec in range(codecs if linked[source, v] else 0):
            reached[0, v, bit[v]] = min(reached[0, v, bit[v]], first[codec, v] + slope * input_drops[codec, v])
    for state in range(begins.shape[0]):
        if stop[0] != 0:
            break
        start, share, at = begins[state], stay[levels[state]], levels[state] if by_level else 0
        own = weight[levels[state]]
        for v in range(nodes if start > 0 else 0):
            if not _any_finite(left[state, v]):
                continue
            for w in range(nodes):
                if group[w] == group[v] or rank[w] < rank[v] or not linked[v, w]:
                    continue
                cost = np.inf
                for codec in range(codecs):
                    cost = min(cost, own * send[codec, start - 1, v, w] + slope * share * drops[codec, start - 1])
                for used in range(sets):
                    if used & bit[w] == 0 and sizes[used] < most:
                        then = used | bit[w]
                        reached[state, w, then] = min(reached[state, w, then], left[state, v, used] + cost)
        for v in range(nodes):
            here = reached[state, v]
            for end in range(start, furthest[v, start] + 1 if _any_finite(here) else start):
                for option in range(option_exit.shape[0]):
                    after = jump[levels[state], end, option]
                    if after < 0:
                        continue
                    piece = span[v, start, end] if option_exit[option] else bare[v, start, end]
                    column = column_of(option_threshold[option], final)
                    fewer, gain = own - weight[after], (share - stay[after]) * accuracy[at, end, column]
                    step = passed(0.0, own, piece, fewer, result[end, v]) - slope * gain
                    ahead = state_of[end + 1, after]
                    _lower(left[ahead, v], here, step)
                    if inside and option_exit[option]:
                        _lower(reached[ahead, v], here, step)
    return reached, left


@compiled
def _any_finite(values: Floats) -> bool:
    """Return whether one of the values is less than infinite."""
    for value in values:
        if value < np.inf:
            return True
    return False


@compiled
def _lower(row: Floats, before: Floats, step: float) -> None:
    """Lower each of a row to what a step makes of another."""
    for k in range(row.shape[0]):
        row[k] = before[k] + step if before[k] + step < row[k] else row[k]


class Cells(NamedTuple):
    """What cells of accuracy divide.

    Parameters
    ----------
    base, summit
        Where the first begins and the last ends.
    low, high
        Least and greatest accuracy of those who have left, codecs aside.
    """

    base: float
    summit: float
    low: float
    high: float


@compiled
def budgets(
    allowed: Floats, slope: float, cells: Cells, rules: Rules, tables: Tables, shares: Shares, weight: Floats,
    states: States, sets: Sets, stop: Ints,
) -> Any:  # fmt: skip
    """Return how much a label may have cost so far and still be of interest, by the critical groups that it has used.

    Others are free to be used again. A step that would be too dear even for the cheapest label is left out.

    Parameters
    ----------
    allowed
        C+1, of `allowances`.
    slope
        As it takes them.
    cells
        Between which accuracies there are.
    rules, tables, shares
        Which plans there are, the tables of one measure, and what is known of the samples at one threshold.
    weight
        Q: what the terms of the cost count.
    states
        S pairs of blocks done and level, and their numbers.
    sets
        What the rows tell apart.
    stop
        Read now and then: a value that is not 0 ends the work.

    Returns
    -------
    tuple
        `Budgets`.
    """
    # Two loop nests, over pieces and over links, for each state: split, both would need all these arrays.
    source, most, _, _, inside, option_exit, option_threshold, jump, can_end, group, rank, linked, furthest = rules
    first, span, bare, send, result = tables
    stay, accuracy, drops, input_drops = shares
    state_of, begins, levels = states
    base, summit, low, high = cells
    bit, sizes, may_end = sets
    nodes, top, codecs, count = group.shape[0], allowed.shape[0] - 1, send.shape[0], sizes.shape[0]
    by_level, final, per = accuracy.shape[0] > 1, accuracy.shape[2] - 1, top / (summit - base)
    reached, left = _floors(
        source, most, slope, first, stay, weight, accuracy, span, bare, send, result, drops, input_drops, option_exit,
        option_threshold, jump, state_of, begins, levels, inside, group, rank, linked, furthest, bit, sizes, stop,
    )  # fmt: skip
    place = np.zeros((2, begins.shape[0], nodes, count), np.int32)
    leaving = _numbered(left, place[LEAVING], 1)
    budget = np.empty((_numbered(reached, place[STAYING], leaving), top + 1), np.float32)
    # What a step that gains accuracy reads: it leads from anywhere in a cell into one of two.
    paired = np.empty((budget.shape[0] if inside else leaving, top + 1), np.float32)
    peaks = np.full(place.shape, -np.inf)
    rest = np.full(place.shape, np.inf)  # the least that comes yet, whatever it gains
    bottoms, tops = _rows(allowed, base, per, low, high, stay, levels, _varies(drops) or _varies(input_drops))
    peak, highest_cost = _greatest(allowed), _most(allowed, slope, base, per)
    spare = _ROUNDED * (_most_finite(allowed) + 2 * slope * (summit - base))
    ends, end_pairs = np.empty(top + 1, np.float32), np.empty(top + 1, np.float32)
    for k in range(top + 1):
        ends[k] = np.float32(allowed[k] + spare)
    _pair(ends, end_pairs, 0, top)
    budget[0] = -np.inf
    for state in range(begins.shape[0] - 1, -1, -1):
        if stop[0] != 0:
            break
        start, share, at = begins[state], stay[levels[state]], levels[state] if by_level else 0
        own, bottom, roof = weight[levels[state]], bottoms[state], tops[state]
        for v in range(nodes):
            here, rows, least = reached[state, v], place[STAYING, state, v], rest[STAYING, state, v]
            # Here and not at once: tables of a thousand blocks are so large that writing them takes seconds.
            for used in range(count):
                if rows[used] > 0:
                    budget[rows[used]] = -np.inf
            for end in range(start, furthest[v, start] + 1 if _any_finite(here) else start):
                gain, cost = share * accuracy[at, end, final], own * (span[v, start, end] + result[end, v])
                step = cost - slope * gain
                near, far = _shifts(gain, per)
                for used in range(count if can_end[end] and cost < np.inf else 0):
                    if rows[used] > 0 and may_end[used] and here[used] + step <= peak:
                        ahead = end_pairs if gain != 0.0 else ends
                        for shift in range(near, far + 1):
                            _raise(budget[rows[used]], bottom, roof, ahead, shift, 0, top, np.float32(step - spare))
                        least[used] = min(least[used], cost)
                for option in range(option_exit.shape[0]):
                    after = jump[levels[state], end, option]
                    if after < 0:
                        continue
                    column, then = column_of(option_threshold[option], final), state_of[end + 1, after]
                    gain = (share - stay[after]) * accuracy[at, end, column]
                    piece = span[v, start, end] if option_exit[option] else bare[v, start, end]
                    cost = passed(0.0, own, piece, own - weight[after], result[end, v])
                    if not cost < np.inf:
                        continue
                    step = cost - slope * gain
                    near, far = _shifts(gain, per)
                    less, floor = np.float32(step - spare), max(bottoms[then] - (gain != 0.0), 0)
                    for rest_of in range(STAYING if inside and option_exit[option] else LEAVING, LEAVING + 1):
                        onward, highest = place[rest_of, then, v], peaks[rest_of, then, v]
                        for used in range(count):
                            if rows[used] > 0 and here[used] + step <= highest[used]:
                                ahead = paired[onward[used]] if gain != 0.0 else budget[onward[used]]
                                row = budget[rows[used]]
                                for shift in range(near, far + 1):
                                    _raise(row, bottom, roof, ahead, shift, floor, tops[then], less)
                                least[used] = min(least[used], cost + rest[rest_of, then, v, used])
            for used in range(count):
                if rows[used] > 0 and least[used] < np.inf:
                    row, most_here = budget[rows[used]], highest_cost - least[used]
                    highest_here = _capped(row, bottom, roof, most_here, slope, base, per, spare) + spare
                    if highest_here >= here[used]:
                        peaks[STAYING, state, v, used] = highest_here
                        if inside:
                            _pair(row, paired[rows[used]], bottom, roof)
        for v in range(nodes if start > 0 else 0):
            if stop[0] != 0:
                break
            gone, rows = left[state, v], place[LEAVING, state, v]
            for used in range(count):
                if rows[used] == 0:
                    continue
                row, lowest = budget[rows[used]], np.inf
                row[:] = -np.inf
                for w in range(nodes if sizes[used] < most else 0):
                    then = used | bit[w]
                    if (
                        group[w] == group[v]
                        or rank[w] < rank[v]
                        or not linked[v, w]
                        or used & bit[w] != 0
                        or peaks[STAYING, state, w, then] == -np.inf
                    ):
                        continue
                    for codec in range(codecs):
                        cost, gain = own * send[codec, start - 1, v, w], -share * drops[codec, start - 1]
                        step = cost - slope * gain
                        if cost < np.inf and gone[used] + step <= peaks[STAYING, state, w, then]:
                            ahead, less = budget[place[STAYING, state, w, then]], np.float32(step - spare)
                            near, far = _shifts(gain, per)
                            for shift in range(near, far + (2 if gain != 0.0 else 1)):
                                _raise(row, bottom, roof, ahead, shift, bottom, roof, less)
                            lowest = min(lowest, cost + rest[STAYING, state, w, then])
                rest[LEAVING, state, v, used] = lowest
                highest_here = _greatest32(row, bottom, roof) + spare
                if lowest < np.inf and highest_here >= gone[used]:
                    peaks[LEAVING, state, v, used] = highest_here
                    _pair(row, paired[rows[used]], bottom, roof)
    return place, peaks, budget


@compiled
def _numbered(reached: Floats, place: NDArray[np.int32], count: int) -> int:
    """Number the rows that labels may reach, from a number on, and return the next."""
    for state in range(reached.shape[0]):
        for v in range(reached.shape[1]):
            for used in range(reached.shape[2]):
                if reached[state, v, used] < np.inf:
                    place[state, v, used] = count
                    count += 1
    return count


@compiled
def _shifts(gain: float, per: float) -> tuple[int, int]:
    """Return by how many cells a gain leads on: two numbers, that differ where rounding decides which it is."""
    if gain == 0.0:
        return 0, 0  # a label that gains nothing stays in its cell
    return int(np.floor(gain * per - _NEAR)), int(np.floor(gain * per + _NEAR))


@compiled
def _pair(row: NDArray[np.float32], into: NDArray[np.float32], bottom: int, top: int) -> None:
    """Write the larger of each cell and the next; what is outside bottom - 1 to top is never read."""
    if bottom > 0:
        into[bottom - 1] = row[bottom]
    for k in range(bottom, top):
        into[k] = row[k + 1] if row[k + 1] > row[k] else row[k]
    into[top] = row[top]


@compiled
def _rows(
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
def _varies(drops: Floats) -> bool:
    """Return whether accuracy may go up and down along a plan, as codecs take from it or give."""
    for codec in range(drops.shape[0]):
        for place in range(drops.shape[1]):
            if drops[codec, place] != 0.0:
                return True
    return False


@compiled
def _greatest(values: Floats) -> float:
    """Return the greatest value. NOTE With ``max`` of an array, numba would load what it needs to compile."""
    greatest = -np.inf
    for k in range(values.shape[0]):
        greatest = max(greatest, float(values[k]))
    return greatest


@compiled
def _most(allowed: Floats, slope: float, base: float, per: float) -> float:
    """Return the most that a plan of interest may cost."""
    most = -np.inf
    for k in range(allowed.shape[0]):
        most = max(most, allowed[k] + slope * (base + (k + 1) / per))
    return most


@compiled
def _most_finite(values: Floats) -> float:
    """Return the greatest magnitude of what is finite; 0 if nothing is."""
    most = 0.0
    for value in values:
        if -np.inf < value < np.inf:
            most = max(most, abs(value))
    return most


@compiled
def _greatest32(row: NDArray[np.float32], bottom: int, top: int) -> float:
    """Return the greatest value of a part of a row."""
    greatest = np.float32(-np.inf)
    for k in range(bottom, top + 1):
        greatest = row[k] if row[k] > greatest else greatest
    return float(greatest)


@compiled
def _raise(
    row: NDArray[np.float32], bottom: int, top: int, ahead: NDArray[np.float32], shift: int, floor: int, roof: int,
    cost: np.float32,
) -> None:  # fmt: skip
    """Raise each cell of a row to what a step of so many cells leaves it: what is ``ahead`` there, less its cost.

    Only cells ``floor`` to ``roof`` of what is ahead count.
    """
    for k in range(max(bottom, floor - shift), min(top, roof - shift) + 1):
        row[k] = ahead[k + shift] - cost if ahead[k + shift] - cost > row[k] else row[k]


@compiled
def _capped(
    row: NDArray[np.float32], bottom: int, top: int, most: float, slope: float, base: float, per: float, spare: float
) -> float:
    """Lower a row to what is left if the rest costs its least, and return the greatest of what remains.

    Without it rounding could pay: step by step, a label would be credited with gains that never lead out of its cell.
    """
    highest = -np.inf
    for k in range(bottom, top + 1):
        cap = most * (1 + 1e-12) + 1e-15 - slope * (base + (k - _NEAR) / per) + spare
        if row[k] > cap:
            row[k] = np.float32(cap)
        highest = max(highest, float(row[k]))
    return highest
