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
from tiercut.solvers.kernels.step_kernels import passed
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
    transposed,
    varies,
)
from tiercut.solvers.labels.floor_kernels import (
    LEAVING,
    SHIFT,
    STAYING,
    by_stretch,
    ceilings,
    floors,
    greatest_by_stretch,
    onward,
    runs_of,
    within,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.solvers.kernels.arguments import Rules, Shares, States, Tables

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = ["Budgets", "Cells", "Sets", "Stretches", "budgets", "stretches_of"]

_LARGEST = 3e38  # in single precision
_END = 1
"""The row of what whole plans may cost; row 0 is of none."""

_LONG = 200
"""Blocks from which on it pays to know what the rest costs at least, whatever node it runs on."""

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
        2 x M x S x sets: the row of a node that is to go on from a state (`STAYING`), or has to send its output away
        to whichever node, by whichever codec, is best (`LEAVING`). Row 0 is of none: no label gets there.
    peaks
        As large: the greatest budget over all cells; -inf where no label is of interest.
    rows
        Rows x (C+1), in single precision: by cells of accuracy gained.
    near
        M x S x stretches of blocks: whether any piece from a state on a node, ending there, is of interest.
    """

    place: NDArray[np.int32]
    peaks: Floats
    rows: NDArray[np.float32]
    near: Bools


class Stretches(NamedTuple):
    """The least of all pieces that end in a stretch of blocks (see `tiercut.solvers.labels.floor_kernels.SHIFT`).

    Parameters
    ----------
    span, bare
        M x N x stretches, of the tables of the same names.
    back
        M x stretches: the least that sending a result from there costs; -inf where any costs less than nothing.
    quickest, pace
        N x N: the least of each piece over all nodes, of long networks with exits at their cuts, before it is
        multiplied by the pace; else 0 x 0.
    seen, runs
        Of `tiercut.solvers.labels.floor_kernels.runs_of`.
    """

    span: Floats
    bare: Floats
    back: Floats
    quickest: Floats
    pace: float
    seen: Ints
    runs: Ints


def stretches_of(tables: Tables, rules: Rules, states: States, *, plain: bool) -> Stretches:
    """Return the least of all pieces by stretch of blocks; `plain`: without codecs."""
    begins, factor = np.arange(0, tables.span.shape[2], 1 << SHIFT), tables.factor
    once = (tables.span,) if tables.bare is tables.span else (tables.span, tables.bare)
    least = (np.minimum.reduceat(table, begins, axis=2)[tables.which] for table in once)
    span, *others = (each * factor[:, None, None] for each in least)
    back = np.ascontiguousarray(np.minimum.reduceat(tables.result, begins, axis=0).T)
    if not (tables.result >= 0.0).all():
        back[:] = -np.inf
    quickest, pace = np.empty((0, 0)), 1.0
    alike = plain and len(rules.option_exit) == 1 and bool(rules.option_exit[0])
    if alike and len(rules.can_end) >= _LONG and (tables.result >= 0.0).all() and (tables.send >= 0.0).all():
        paces = [float(factor[tables.which == place].min()) for place in range(len(tables.span))]
        if len(paces) == 1:
            quickest, pace = tables.span[0], paces[0]
        else:
            quickest = np.min([table * each for table, each in zip(tables.span, paces, strict=True)], axis=0)
    runs = runs_of(rules.jump, *states)
    return Stretches(span, others[0] if others else span, back, quickest, pace, *runs)


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
    allowed: Floats, slope: float, cells: Cells, rules: Rules, tables: Tables, stretches: Stretches, shares: Shares,
    weight: Floats, states: States, sets: Sets, stop: Ints,
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
    rules, tables, stretches, shares
        Which plans there are, the tables of one measure, the least in them by stretch of blocks, and what is known of
        the samples at one threshold.
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
    first, span, bare, send, result, which, factor = tables
    least_span, least_bare, least_back, quickest, pace_of_all, seen, runs = stretches
    stay, accuracy, drops, input_drops = shares
    state_of, begins, levels = states
    base, summit, low, high = cells
    bit, sizes, may_end = sets
    nodes, top, codecs, count = group.shape[0], allowed.shape[0] - 1, send.shape[0], sizes.shape[0]
    by_level, final, per = accuracy.shape[0] > 1, accuracy.shape[2] - 1, top / (summit - base)
    blocks, back = accuracy.shape[1], transposed(result)
    room = blocks * option_exit.shape[0]
    # NOTE Variables: what is called with constants is compiled for each of them.
    none: Any = np.int64(0)
    stay_here: Any = np.int64(STAYING)
    go_away: Any = np.int64(LEAVING)
    ends, options, aheads = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    picked = np.empty(room, np.int64)
    gains, fewer, shears, over = np.empty(room), np.empty(room), np.empty(room), np.empty(max(room, blocks))
    closing = np.empty(blocks)
    places = np.empty((max(2 * room + blocks, nodes * codecs), 8), np.int64)
    values = np.empty((places.shape[0], 2))
    highest_cost, highest = most_cost(allowed, slope, base, per), greatest(allowed)
    spare = _ROUNDED * (most_finite(allowed) + 2 * slope * (summit - base))
    ceiling = ceilings(
        highest, spare, slope, quickest, pace_of_all, back, stay, weight, accuracy, jump, can_end, state_of, begins,
        levels, seen, runs, over,
    )  # fmt: skip
    lows = floors(
        source, most, slope, first, stay, weight, accuracy, span, bare, which, factor, send, back, drops, input_drops,
        option_exit, option_threshold, jump, state_of, begins, levels, inside, group, rank, linked, furthest,
        bit, sizes, stop, ends, options, aheads, gains, fewer, shears, least_span, least_bare, least_back,
        seen, runs, ceiling,
    )  # fmt: skip
    # One state more than there are, the end: all rows there are one, what whole plans may cost.
    last = begins.shape[0]
    place = np.zeros((2, nodes, last + 1, count), np.int32)
    going = stop[0] == 0  # else the lows are not there, and tables so large that writing them takes seconds
    leaving = numbered(lows[LEAVING], place[LEAVING], _END + 1) if going else _END + 1
    rows = numbered(lows[STAYING], place[STAYING], leaving) if going else leaving
    # Of each row the budgets, and what a step reads that gains accuracy: it leads from anywhere in a cell into one of
    # two, so that is the larger of each cell and the next.
    both = np.empty((2, rows, top + 1), np.float32)
    budget, paired = both[0], both[1]
    peaks, crests = np.full(place.shape, -np.inf), np.full(place.shape[:3], -np.inf)  # by set, and of all sets
    rest = np.full(place.shape, np.inf)  # the least that comes yet, whatever it gains
    near = np.zeros((nodes, last, least_back.shape[1]), np.bool_)
    most_shear, least_fewer = np.empty(near.shape[2]), np.empty(near.shape[2])
    most_crest = np.full((nodes, (last >> SHIFT) + 1), -np.inf)  # of those that leave, by stretch of states
    most_closing = np.empty(near.shape[2])
    bottoms, tops = rows_of_interest(allowed, base, per, low, high, stay, levels, varies(drops) or varies(input_drops))
    budget[0] = -np.inf
    for k in range(top + 1):
        budget[_END, k] = np.float32(allowed[k] + spare)
    pair(budget[_END], paired[_END], 0, top)
    for v in range(nodes):
        for table in range(2):
            crests[table, v, last] = highest
            for used in range(count):
                place[table, v, last, used], rest[table, v, last, used] = _END, 0.0
                peaks[table, v, last, used] = highest if may_end[used] else -np.inf
    for state in range(last - 1, -1, -1):
        if stop[0] != 0:
            break
        start, share, at = begins[state], stay[levels[state]], levels[state] if by_level else 0
        own, bottom, roof = weight[levels[state]], bottoms[state], tops[state]
        many, run = onward(
            runs[state], levels[state], start, at, share, own, slope, blocks, final, stay, weight, accuracy,
            option_exit, option_threshold, jump, state_of, seen, ends, options, aheads, gains, fewer, shears,
        )  # fmt: skip
        for end in range(start, blocks):
            closing[end] = slope * (share * accuracy[at, end, final]) if can_end[end] else -np.inf
        greatest_by_stretch(closing, start, blocks, most_closing)
        alike = many > 0 and run and not inside
        if alike:
            by_stretch(ends[0], many, shears, fewer, most_shear, least_fewer)
        for v in range(nodes):
            table, pace = which[v], factor[v]
            lowest = least(lows[STAYING, v, state])
            if not lowest < np.inf:
                continue
            # By how much each piece is too dear even for the cheapest label; those that are not are looked at again.
            steps, lasting, to = none, furthest[v, start], start
            while to <= lasting:
                stretch = to >> SHIFT
                past = min(lasting + 1, (stretch + 1) << SHIFT)
                length, begin, to = past - to, to, past
                low_piece, low_back = least_span[v, start, stretch], least_back[v, stretch]
                if lowest + (own * (low_piece + low_back) - most_closing[stretch]) > highest:
                    continue
                pieces, results = span[table, start, begin:past], back[v, begin:past]
                shear, beyond = closing[begin:past], over[:length]
                for k in range(length):  # vector instructions
                    beyond[k] = lowest + (own * (pieces[k] * pace + results[k]) - shear[k]) - highest
                for k in range(length):
                    if not over[k] <= 0.0:
                        continue
                    end = begin + k
                    gain, cost = share * accuracy[at, end, final], own * (span[table, start, end] * pace + back[v, end])
                    if cost < np.inf:
                        near[v, state, stretch] = True
                        steps = _note(places, values, steps, stay_here, last, v, gain, cost, slope, per, none, top)
            there, chosen = within(ends, many, furthest[v, start]), 0
            if there > 0 and alike:
                offered = span if option_exit[options[0]] else bare
                soonest = (least_span if option_exit[options[0]] else least_bare)[v, start]
                to, lasting = ends[0], ends[there - 1]
                while to <= lasting:
                    stretch = to >> SHIFT
                    past = min(lasting + 1, (stretch + 1) << SHIFT)
                    at_first, length = to - ends[0], past - to
                    to, ahead = past, aheads[at_first]
                    step = (
                        passed(0.0, own, soonest[stretch], least_fewer[stretch], least_back[v, stretch])
                        - most_shear[stretch]
                    )
                    crest_there = max(most_crest[v, ahead >> SHIFT], most_crest[v, ahead + length - 1 >> SHIFT])
                    beyond = over[:length]
                    if lowest + step > crest_there:
                        continue
                    crest = crests[LEAVING, v, ahead : ahead + length]
                    pieces, results = offered[table, start, past - length : past], back[v, past - length : past]
                    less, shear = fewer[at_first : at_first + length], shears[at_first : at_first + length]
                    for k in range(length):  # vector instructions
                        step = passed(0.0, own, pieces[k] * pace, less[k], results[k]) - shear[k]
                        beyond[k] = lowest + step - crest[k]
                    for k in range(length):
                        if over[k] <= 0.0:
                            picked[chosen] = at_first + k
                            chosen += 1
            else:
                for k in range(there):
                    asks = option_exit[options[k]]
                    piece = (span[table, start, ends[k]] if asks else bare[table, start, ends[k]]) * pace
                    step = passed(0.0, own, piece, fewer[k], back[v, ends[k]]) - shears[k]
                    crest_there = crests[LEAVING, v, aheads[k]]
                    if inside and asks:
                        crest_there = max(crest_there, crests[STAYING, v, aheads[k]])
                    if lowest + step - crest_there <= 0.0:
                        picked[chosen] = k
                        chosen += 1
            for p in range(chosen):
                k = picked[p]
                asks, end, then, gain = option_exit[options[k]], ends[k], aheads[k], gains[k]
                piece = (span[table, start, end] if asks else bare[table, start, end]) * pace
                cost = passed(0.0, own, piece, fewer[k], back[v, end])
                if not cost < np.inf:
                    continue
                floor = max(bottoms[then] - (1 if gain != 0.0 else 0), 0)
                for to in range(STAYING if inside and asks else LEAVING, LEAVING + 1):
                    if lowest + (cost - shears[k]) <= crests[to, v, then]:
                        near[v, state, end >> SHIFT] = True
                        steps = _note(places, values, steps, to, then, v, gain, cost, slope, per, floor, tops[then])
            _raise(
                both, place, peaks, rest, lows, stay_here, state, v, places, values, steps, bit, sizes, count,
                bottom, roof, spare,
            )  # fmt: skip
            for used in range(count):
                still = rest[STAYING, v, state, used]
                if still == np.inf:
                    place[STAYING, v, state, used] = 0
                elif place[STAYING, v, state, used] > 0:
                    row = budget[place[STAYING, v, state, used]]
                    peak = capped(row, bottom, roof, highest_cost - still, slope, base, per, spare) + spare
                    if peak >= lows[STAYING, v, state, used]:
                        peaks[STAYING, v, state, used] = peak
                        crests[STAYING, v, state] = max(crests[STAYING, v, state], peak)
                        if inside:
                            pair(row, paired[place[STAYING, v, state, used]], bottom, roof)
        for v in range(nodes if start > 0 else 0):
            if stop[0] != 0:
                break
            lowest = least(lows[LEAVING, v, state])
            if not lowest < np.inf:
                continue
            steps = none
            for w in range(nodes):
                if group[w] == group[v] or rank[w] < rank[v] or not linked[v, w]:
                    continue
                for codec in range(codecs):
                    cost, gain = own * send[codec, start - 1, v, w], -share * drops[codec, start - 1]
                    if not (cost < np.inf and lowest + (cost - slope * gain) <= crests[STAYING, w, state]):
                        continue
                    steps = _note(places, values, steps, stay_here, state, w, gain, cost, slope, per, bottom, roof)
                    if gain != 0.0:  # its row is not paired: it is read twice
                        places[steps - 1, _PLANE], places[steps - 1, _FAR] = 0, places[steps - 1, _FAR] + 1
            _raise(
                both, place, peaks, rest, lows, go_away, state, v, places, values, steps, bit, sizes, most,
                bottom, roof, spare,
            )  # fmt: skip
            for used in range(count):
                if rest[LEAVING, v, state, used] == np.inf:
                    place[LEAVING, v, state, used] = 0
                elif place[LEAVING, v, state, used] > 0:
                    row = budget[place[LEAVING, v, state, used]]
                    peak = greatest_of(row, bottom, roof) + spare
                    if peak >= lows[LEAVING, v, state, used]:
                        peaks[LEAVING, v, state, used] = peak
                        crests[LEAVING, v, state] = max(crests[LEAVING, v, state], peak)
                        most_crest[v, state >> SHIFT] = max(most_crest[v, state >> SHIFT], peak)
                        pair(row, paired[place[LEAVING, v, state, used]], bottom, roof)
    return place, peaks, budget, near


_TO, _THEN, _NODE, _NEAR, _FAR, _PLANE, _FLOOR, _ROOF = range(8)
"""The columns of a step that is noted: table, state and node it leads to, by how many cells from and to, which of the
two rows is read there (see `budgets`), and the cells of interest there."""


@compiled
def _note(
    places: Ints, values: Floats, steps: int, to: int, then: int, w: int, gain: float, cost: float, slope: float,
    per: float, floor: int, roof: int,
) -> int:  # fmt: skip
    """Note a step that budgets are to be raised by, and return how many there are."""
    near, far = shifts(gain, per)
    row = places[steps]
    row[_TO], row[_THEN], row[_NODE], row[_NEAR], row[_FAR] = to, then, w, near, far
    row[_PLANE], row[_FLOOR], row[_ROOF] = 1 if gain != 0.0 else 0, floor, roof
    values[steps, 0], values[steps, 1] = cost, cost - slope * gain
    return steps + 1


@compiled
def _raise(
    both: NDArray[np.float32], place: NDArray[np.int32], peaks: Floats, rest: Floats, lows: Floats, table: int,
    state: int, v: int, places: Ints, values: Floats, steps: int, bit: Ints, sizes: Ints, most: int,
    bottom: int, top: int, spare: float,
) -> None:  # fmt: skip
    """Raise the rows of all sets to what steps leave them.

    Parameters
    ----------
    both
        The rows (see `budgets`).
    place, peaks, rest, lows
        By table, node, state and set: its row, its greatest value, the least that comes yet, which is lowered, and the
        least that a label may have cost.
    table, state, v
        Where the steps begin.
    places, values, steps
        Where they end, what they cost, the same less the slope times what is gained, and their number (see `_note`).
    bit
        The bits of groups; what leaves a node uses that of the one it leads to.
    sizes, most
        The sizes of sets, and the size from which on there are no such steps.
    bottom, top
        Cells of interest before the steps.
    spare
        By what budgets are loosened.
    """
    for used in range(place.shape[3]):
        at, low = place[table, v, state, used], lows[table, v, state, used]
        if at <= 0 or sizes[used] >= most:
            continue
        still = np.inf
        for i in range(steps):
            to, then, w = places[i, _TO], places[i, _THEN], places[i, _NODE]
            more = bit[w] if table == LEAVING else 0
            if used & more != 0 or not low + values[i, 1] <= peaks[to, w, then, used | more]:
                continue
            other = place[to, w, then, used | more]
            if still == np.inf:  # rows that no step leads from are never written
                both[0, at] = -np.inf
            still = min(still, values[i, 0] + rest[to, w, then, used | more])
            # A number: without limit less without limit is none.
            less = np.float32(min(values[i, 1] - spare, _LARGEST))
            for shift in range(places[i, _NEAR], places[i, _FAR] + 1):
                first, end = max(bottom, places[i, _FLOOR] - shift), min(top, places[i, _ROOF] - shift) + 1
                if first < end:
                    # NOTE Slices, or no vector instructions: an index that might be negative is tested each time.
                    row = both[0, at, first:end]
                    onward = both[places[i, _PLANE], other, first + shift : end + shift]
                    for k in range(row.shape[0]):
                        left = onward[k] - less
                        row[k] = left if left > row[k] else row[k]
        rest[table, v, state, used] = still
