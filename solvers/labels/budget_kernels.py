"""Numba kernels of the label solver's bounds: what a partial plan may have cost and still be of interest.

Budgets are kept for CELLS cells of accuracy gained so far. They are *sheared*: compared with a label's cost less
``slope`` times what it gained. Where the frontier rises by about that slope, budgets hardly change from cell to cell,
and it does no harm that a label is only known to be somewhere in its cell: a step leads from anywhere in one cell to
anywhere in two. All rounding goes towards keeping a label, so that no cell is too coarse to be right, only too coarse
to be quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.kernels.step_kernels import column_of, passed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.solvers.kernels.arguments import Rules, Shares, States, Tables

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = ["LEAVING", "STAYING", "Cells", "allowances", "budgets", "cell_of"]

STAYING, LEAVING = 0, 1
"""The tables of budgets: a node is to go on from a state; the output of the last block is to be sent away from it."""

_NEAR = 1e-9
"""Cells; sums that should be equal may lie on the two sides of a border between cells, this near to it."""


@compiled
def cell_of(accuracy: float, base: float, per: float, cells: int) -> int:
    """Return the cell of an accuracy: how many times 1 / ``per`` it lies above ``base``."""
    return min(max(int((accuracy - base) * per), 0), cells)


@compiled
def _larger(left: float, right: float) -> float:
    """Return the larger; unlike ``max`` it asks nothing about nan, so that loops over it use vector instructions."""
    return right if right > left else left


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
    source: int, slope: float, first: Floats, stay: Floats, weight: Floats, accuracy: Floats, span: Floats,
    bare: Floats, send: Floats, result: Floats, drops: Floats, input_drops: Floats, option_exit: Bools,
    option_threshold: Ints, jump: Ints, state_of: Ints, begins: Ints, levels: Ints, inside: bool, group: Ints,
    rank: Ints, linked: Bools, stop: Ints,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Return the least that a label may have cost, less what it gained times the slope, nodes being free to be reused.

    Parameters
    ----------
    source, slope, first, ..., linked, stop
        As in `budgets`; where it is stopped, what it returns is not complete.

    Returns
    -------
    array, array
        S x M: node v is to go on from the state; and the same before the output of the last block is sent away from v.
    """
    blocks, nodes, codecs, by_level = accuracy.shape[1], group.shape[0], send.shape[0], accuracy.shape[0] > 1
    final = accuracy.shape[2] - 1
    reached, left = np.empty((begins.shape[0], nodes)), np.empty((begins.shape[0], nodes))
    for state in range(begins.shape[0]):
        if stop[0] != 0:
            return reached, left
        reached[state], left[state] = np.inf, np.inf
    for v in range(nodes):
        for codec in range(codecs if linked[source, v] else 0):
            reached[0, v] = min(reached[0, v], first[codec, v] + slope * input_drops[codec, v])
    for state in range(begins.shape[0]):
        if stop[0] != 0:
            break
        start, share, at = begins[state], stay[levels[state]], levels[state] if by_level else 0
        own = weight[levels[state]]
        for v in range(nodes if start > 0 else 0):
            for w in range(nodes if left[state, v] < np.inf else 0):
                if group[w] == group[v] or rank[w] < rank[v] or not linked[v, w]:
                    continue
                for codec in range(codecs):
                    cost = own * send[codec, start - 1, v, w] + slope * share * drops[codec, start - 1]
                    reached[state, w] = min(reached[state, w], left[state, v] + cost)
        for v in range(nodes):
            here = reached[state, v]
            for end in range(start, blocks if here < np.inf else start):
                for option in range(option_exit.shape[0]):
                    after = jump[levels[state], end, option]
                    if after < 0:
                        continue
                    piece = span[v, start, end] if option_exit[option] else bare[v, start, end]
                    column = column_of(option_threshold[option], final)
                    fewer, gain = own - weight[after], (share - stay[after]) * accuracy[at, end, column]
                    there = passed(here, own, piece, fewer, result[end, v]) - slope * gain
                    ahead = state_of[end + 1, after]
                    left[ahead, v] = min(left[ahead, v], there)
                    if inside and option_exit[option]:
                        reached[ahead, v] = min(reached[ahead, v], there)
    return reached, left


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
    states: States, budget: Floats, peaks: Floats, stop: Ints,
) -> None:  # fmt: skip
    """Fill in how much a label may have cost so far and still be of interest, nodes being free to be used again.

    A step that would be too dear even for the cheapest label is left out.

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
    budget
        2 x S x M x (C+1), filled: node v is to go on from the state, or has to send its output away to whichever node,
        by whichever codec, is best; k cells of accuracy are gained. Less ``slope`` times what a label gained.
    peaks
        2 x S x M, filled: the greatest budget over all cells; -inf where no label is of interest.
    stop
        Read now and then: a value that is not 0 ends the work.
    """
    # Two loop nests, over pieces and over links, for each state: split, both would need all these arrays.
    source, _, _, _, inside, option_exit, option_threshold, jump, can_end, group, rank, linked, _ = rules
    first, span, bare, send, result = tables
    stay, accuracy, drops, input_drops = shares
    state_of, begins, levels = states
    base, summit, low, high = cells
    blocks, nodes, cells_there, codecs = accuracy.shape[1], group.shape[0], allowed.shape[0] - 1, send.shape[0]
    by_level, final, per = accuracy.shape[0] > 1, accuracy.shape[2] - 1, cells_there / (summit - base)
    reached, left = _floors(
        source, slope, first, stay, weight, accuracy, span, bare, send, result, drops, input_drops, option_exit,
        option_threshold, jump, state_of, begins, levels, inside, group, rank, linked, stop,
    )  # fmt: skip
    varies = _varies(drops) or _varies(input_drops)
    bottoms, tops = _rows(allowed, base, per, low, high, stay, levels, varies)
    peak, most = _greatest(allowed), _most(allowed, slope, base, per)
    rest = np.empty(peaks.shape)  # the least that comes yet, whatever it gains
    for state in range(begins.shape[0] - 1, -1, -1):
        if stop[0] != 0:
            return
        # Here and not at once: tables of a thousand blocks are so large that writing them takes seconds.
        budget[:, state], peaks[:, state], rest[:, state] = -np.inf, -np.inf, np.inf
        start, share, at = begins[state], stay[levels[state]], levels[state] if by_level else 0
        own, bottom, top = weight[levels[state]], bottoms[state], tops[state]
        for v in range(nodes):
            row, here, least = budget[STAYING, state, v], reached[state, v], np.inf
            for end in range(start, blocks if here < np.inf else start):
                gain, cost = share * accuracy[at, end, final], own * (span[v, start, end] + result[end, v])
                if can_end[end] and here + cost - slope * gain <= peak:
                    _raise(row, bottom, top, allowed, gain, 0, cells_there, cost - slope * gain, per)
                    least = min(least, cost)
                for option in range(option_exit.shape[0]):
                    after = jump[levels[state], end, option]
                    if after < 0:
                        continue
                    column = column_of(option_threshold[option], final)
                    ahead, gain = state_of[end + 1, after], (share - stay[after]) * accuracy[at, end, column]
                    piece = span[v, start, end] if option_exit[option] else bare[v, start, end]
                    cost = passed(0.0, own, piece, own - weight[after], result[end, v])
                    for rest_of in range(STAYING if inside and option_exit[option] else LEAVING, LEAVING + 1):
                        if here + cost - slope * gain <= peaks[rest_of, ahead, v]:
                            rows, floor, roof = budget[rest_of, ahead, v], bottoms[ahead], tops[ahead]
                            _raise(row, bottom, top, rows, gain, floor, roof, cost - slope * gain, per)
                            least = min(least, cost + rest[rest_of, ahead, v])
            rest[STAYING, state, v] = least
            highest = _capped(row, bottom, top, most - least, slope, base, per) if least < np.inf else -np.inf
            peaks[STAYING, state, v] = highest if highest >= here else -np.inf
        for v in range(nodes if start > 0 else 0):
            row, gone, least = budget[LEAVING, state, v], left[state, v], np.inf
            if stop[0] != 0:
                return
            for w in range(nodes if gone < np.inf else 0):
                if group[w] == group[v] or rank[w] < rank[v] or not linked[v, w] or peaks[0, state, w] == -np.inf:
                    continue
                for codec in range(codecs):
                    cost, gain = own * send[codec, start - 1, v, w], -share * drops[codec, start - 1]
                    if gone + cost - slope * gain <= peaks[STAYING, state, w]:
                        rows = budget[STAYING, state, w]
                        _raise(row, bottom, top, rows, gain, bottom, top, cost - slope * gain, per)
                        least = min(least, cost + rest[STAYING, state, w])
            rest[LEAVING, state, v] = least
            highest = _greatest(row) if least < np.inf else -np.inf
            peaks[LEAVING, state, v] = highest if highest >= gone else -np.inf


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
def _raise(
    row: Floats, bottom: int, top: int, ahead: Floats, gain: float, floor: int, roof: int, cost: float, per: float
) -> None:
    """Raise each cell of a row to what a step leaves it: the most ``ahead`` where its gain leads, less its cost."""
    near, far = int(np.floor(gain * per - _NEAR)), int(np.floor(gain * per + _NEAR)) + 1
    if gain == 0.0:
        near = far = 0  # a label that gains nothing stays in its cell
    for shift in range(near, far + 1):
        for k in range(max(bottom, floor - shift), min(top, roof - shift) + 1):
            row[k] = _larger(row[k], ahead[k + shift] - cost)


@compiled
def _capped(row: Floats, bottom: int, top: int, spare: float, slope: float, base: float, per: float) -> float:
    """Lower a row to what is spared if the rest costs its least, and return the greatest of what remains.

    Without it rounding could pay: step by step, a label would be credited with gains that never lead out of its cell.
    """
    highest = -np.inf
    for k in range(bottom, top + 1):
        row[k] = min(row[k], spare * (1 + 1e-12) + 1e-15 - slope * (base + (k - _NEAR) / per))
        highest = max(highest, row[k])
    return highest
