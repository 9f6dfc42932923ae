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
from tiercut.solvers.labels.cell_kernels import (
    capped,
    greatest,
    greatest_of,
    least,
    most_cost,
    most_finite,
    numbered,
    pair,
    rows_of_interest,
    shifts,
    varies,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.solvers.kernels.arguments import Rules, Shares, States, Tables

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = ["LEAVING", "STAYING", "Budgets", "Cells", "Sets", "budgets"]

STAYING, LEAVING = 0, 1
"""The tables of budgets: a node is to go on from a state; the output of the last block is to be sent away from it."""

_LARGEST = 3e38  # in single precision
_END = 1
"""The row of what whole plans may cost; row 0 is of none."""

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
def _floors(
    source: int, most: int, slope: float, first: Floats, stay: Floats, weight: Floats, accuracy: Floats, span: Floats,
    bare: Floats, send: Floats, result: Floats, drops: Floats, input_drops: Floats, option_exit: Bools,
    option_threshold: Ints, jump: Ints, state_of: Ints, begins: Ints, levels: Ints, inside: bool, group: Ints,
    rank: Ints, linked: Bools, furthest: Ints, bit: Ints, sizes: Ints, stop: Ints,
) -> Floats:  # fmt: skip
    """Return the least that a label may have cost, less what it gained times the slope.

    Parameters
    ----------
    source, most, slope, first, ..., stop
        As in `budgets`; where it is stopped, what it returns is not complete.

    Returns
    -------
    array
        2 x S x M x sets: node v is to go on from the state, these groups having been used (`STAYING`); and the same
        before the output of the last block is sent away from v (`LEAVING`).
    """
    nodes, codecs, by_level, sets = group.shape[0], send.shape[0], accuracy.shape[0] > 1, sizes.shape[0]
    final = accuracy.shape[2] - 1
    lows = np.empty((2, begins.shape[0], nodes, sets))
    reached, left = lows[STAYING], lows[LEAVING]
    for state in range(begins.shape[0]):
        if stop[0] != 0:
            return lows
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
            if not least(left[state, v]) < np.inf:
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
            for end in range(start, furthest[v, start] + 1 if least(here) < np.inf else start):
                for option in range(option_exit.shape[0]):
                    after = jump[levels[state], end, option]
                    if after < 0:
                        continue
                    piece = span[v, start, end] if option_exit[option] else bare[v, start, end]
                    column = column_of(option_threshold[option], final)
                    fewer, gain = own - weight[after], (share - stay[after]) * accuracy[at, end, column]
                    step = passed(0.0, own, piece, fewer, result[end, v]) - slope * gain
                    ahead = state_of[end + 1, after]
                    stays = inside and option_exit[option]
                    for used in range(sets):
                        there = here[used] + step
                        left[ahead, v, used] = min(left[ahead, v, used], there)
                        if stays:
                            reached[ahead, v, used] = min(reached[ahead, v, used], there)
    return lows


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
    lows = _floors(
        source, most, slope, first, stay, weight, accuracy, span, bare, send, result, drops, input_drops, option_exit,
        option_threshold, jump, state_of, begins, levels, inside, group, rank, linked, furthest, bit, sizes, stop,
    )  # fmt: skip
    # One state more than there are, the end: all rows there are one, what whole plans may cost.
    last = begins.shape[0]
    place = np.zeros((2, last + 1, nodes, count), np.int32)
    going = stop[0] == 0  # else the lows are not there, and tables so large that writing them takes seconds
    leaving = numbered(lows[LEAVING], place[LEAVING], _END + 1) if going else _END + 1
    rows = numbered(lows[STAYING], place[STAYING], leaving) if going else leaving
    # Of each row the budgets, and what a step reads that gains accuracy: it leads from anywhere in a cell into one of
    # two, so that is the larger of each cell and the next.
    both = np.empty((2, rows, top + 1), np.float32)
    budget, paired = both[0], both[1]
    peaks, crests = np.full(place.shape, -np.inf), np.full(place.shape[:3], -np.inf)  # by set, and of all sets
    rest = np.full(place.shape, np.inf)  # the least that comes yet, whatever it gains
    bottoms, tops = rows_of_interest(allowed, base, per, low, high, stay, levels, varies(drops) or varies(input_drops))
    highest_cost = most_cost(allowed, slope, base, per)
    spare = _ROUNDED * (most_finite(allowed) + 2 * slope * (summit - base))
    budget[0] = -np.inf
    for k in range(top + 1):
        budget[_END, k] = np.float32(allowed[k] + spare)
    pair(budget[_END], paired[_END], 0, top)
    place[:, last], rest[:, last] = _END, 0.0
    for used in range(count):
        peaks[:, last, :, used] = greatest(allowed) if may_end[used] else -np.inf
    crests[:, last] = greatest(allowed)
    for state in range(last - 1, -1, -1):
        if stop[0] != 0:
            break
        start, share, at = begins[state], stay[levels[state]], levels[state] if by_level else 0
        own, bottom, roof = weight[levels[state]], bottoms[state], tops[state]
        for v in range(nodes):
            lowest = least(lows[STAYING, state, v])
            for used in range(count):
                if place[STAYING, state, v, used] > 0:
                    budget[place[STAYING, state, v, used]] = -np.inf
            for end in range(start, furthest[v, start] + 1 if lowest < np.inf else start):
                gain, cost = share * accuracy[at, end, final], own * (span[v, start, end] + result[end, v])
                if can_end[end] and cost < np.inf and lowest + (cost - slope * gain) <= crests[STAYING, last, v]:
                    near, far = shifts(gain, per)
                    _raise(
                        both, 1 if gain != 0.0 else 0, place, peaks, rest, lows, STAYING, state, v, STAYING,
                        last, v, 0, sizes, count, cost, cost - slope * gain, near, far, bottom, roof, 0, top, spare,
                    )  # fmt: skip
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
                    for to in range(STAYING if inside and option_exit[option] else LEAVING, LEAVING + 1):
                        if not lowest + (cost - slope * gain) <= crests[to, then, v]:
                            continue
                        near, far = shifts(gain, per)
                        _raise(
                            both, 1 if gain != 0.0 else 0, place, peaks, rest, lows, STAYING, state, v, to,
                            then, v, 0, sizes, count, cost, cost - slope * gain, near, far, bottom, roof,
                            max(bottoms[then] - (gain != 0.0), 0), tops[then], spare,
                        )  # fmt: skip
            for used in range(count):
                still = rest[STAYING, state, v, used]
                if place[STAYING, state, v, used] > 0 and still < np.inf:
                    row = budget[place[STAYING, state, v, used]]
                    peak = capped(row, bottom, roof, highest_cost - still, slope, base, per, spare) + spare
                    if peak >= lows[STAYING, state, v, used]:
                        peaks[STAYING, state, v, used] = peak
                        crests[STAYING, state, v] = max(crests[STAYING, state, v], peak)
                        if inside:
                            pair(row, paired[place[STAYING, state, v, used]], bottom, roof)
        for v in range(nodes if start > 0 else 0):
            if stop[0] != 0:
                break
            lowest = least(lows[LEAVING, state, v])
            if not lowest < np.inf:
                continue
            for used in range(count):
                if place[LEAVING, state, v, used] > 0:
                    budget[place[LEAVING, state, v, used]] = -np.inf
            for w in range(nodes):
                if group[w] == group[v] or rank[w] < rank[v] or not linked[v, w]:
                    continue
                for codec in range(codecs):
                    cost, gain = own * send[codec, start - 1, v, w], -share * drops[codec, start - 1]
                    if not (cost < np.inf and lowest + (cost - slope * gain) <= crests[STAYING, state, w]):
                        continue
                    near, far = shifts(gain, per)
                    _raise(
                        both, 0, place, peaks, rest, lows, LEAVING, state, v, STAYING, state, w, bit[w], sizes,
                        most, cost, cost - slope * gain, near, far + (gain != 0.0), bottom, roof, bottom, roof, spare,
                    )  # fmt: skip
            for used in range(count):
                if place[LEAVING, state, v, used] > 0 and rest[LEAVING, state, v, used] < np.inf:
                    row = budget[place[LEAVING, state, v, used]]
                    peak = greatest_of(row, bottom, roof) + spare
                    if peak >= lows[LEAVING, state, v, used]:
                        peaks[LEAVING, state, v, used] = peak
                        crests[LEAVING, state, v] = max(crests[LEAVING, state, v], peak)
                        pair(row, paired[place[LEAVING, state, v, used]], bottom, roof)
    return place, peaks, budget


@compiled
def _raise(
    both: NDArray[np.float32], plane: int, place: NDArray[np.int32], peaks: Floats, rest: Floats,
    lows: Floats, table: int, state: int, v: int, to: int, then: int, w: int, bit: int, sizes: Ints, most: int,
    cost: float, step: float, near: int, far: int, bottom: int, top: int, floor: int, roof: int, spare: float,
) -> None:  # fmt: skip
    """Raise the rows of all sets to what a step leaves them.

    Parameters
    ----------
    both, plane
        The rows, of which budgets are raised, and which of the two is read (see `budgets`).
    place, peaks, rest, lows
        By table, state, node and set: its row, its greatest value, the least that comes yet, which is lowered, and the
        least that a label may have cost.
    table, state, v, to, then, w
        Where the step begins and ends.
    bit, sizes, most
        The group that the step uses, the sizes of sets, and the size from which on there is no such step.
    cost, step
        Of the step; the same less the slope times what is gained.
    near, far
        By how many cells the step leads on, from and to.
    bottom, top, floor, roof
        Cells of interest before and after the step.
    spare
        By what budgets are loosened.
    """
    less = np.float32(min(step - spare, _LARGEST))  # a number: without limit less without limit is none
    for used in range(place.shape[3]):
        if used & bit != 0 or not lows[table, state, v, used] + step <= peaks[to, then, w, used | bit]:
            continue
        at, other = place[table, state, v, used], place[to, then, w, used | bit]
        if at <= 0 or sizes[used] >= most:
            continue
        rest[table, state, v, used] = min(rest[table, state, v, used], cost + rest[to, then, w, used | bit])
        for shift in range(near, far + 1):
            low, high = max(bottom, floor - shift), min(top, roof - shift) + 1
            if low < high:
                # NOTE Slices, or no vector instructions: an index that might be negative is tested each time.
                row, onward = both[0, at, low:high], both[plane, other, low + shift : high + shift]
                for k in range(row.shape[0]):
                    left = onward[k] - less
                    row[k] = left if left > row[k] else row[k]
