"""Numba kernels of the label solver: the pieces that lead on from a state, and how little a label may have cost there.

The nodes used are forgotten, as in `tiercut.solvers.labels.budget_kernels`, or told apart by sets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.kernels.step_kernels import column_of, passed
from tiercut.solvers.labels.cell_kernels import least

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = ["LEAVING", "STAYING", "floors", "onward", "within"]

STAYING, LEAVING = 0, 1
"""The tables of budgets: a node is to go on from a state; the output of the last block is to be sent away from it."""


@compiled
def onward(
    level: int, start: int, row: int, share: float, own: float, slope: float, blocks: int, final: int, stay: Floats,
    weight: Floats, accuracy: Floats, option_exit: Bools, option_threshold: Ints, jump: Ints, state_of: Ints,
    ends: Ints, options: Ints, aheads: Ints, gains: Floats, fewer: Floats, shears: Floats,
) -> tuple[int, bool]:  # fmt: skip
    """Write down the pieces that lead on from a state, whatever node they run on.

    Parameters
    ----------
    level, start, row, share, own
        Of the state: its level, blocks done, row of accuracies, share of samples, and what their terms count.
    slope, blocks, final, stay, weight, accuracy, option_exit, option_threshold, jump, state_of
        As in `budgets`; the last column of accuracies.
    ends, options, aheads, gains, fewer, shears
        By piece, filled: last block, option, state after it, what is gained, the share whose results are sent, and the
        slope times the gain.

    Returns
    -------
    tuple
        How many there are, and whether they are in a *run*: blocks and states after them are consecutive, and all are
        exits or none is, so that loops over them are vector instructions.
    """
    many, run = 0, True
    for end in range(start, blocks):
        for option in range(option_exit.shape[0]):
            after = jump[level, end, option]
            if after < 0:
                continue
            gain = (share - stay[after]) * accuracy[row, end, column_of(option_threshold[option], final)]
            ends[many], options[many], aheads[many] = end, option, state_of[end + 1, after]
            gains[many], fewer[many], shears[many] = gain, own - weight[after], slope * gain
            run = run and (
                many == 0
                or (
                    aheads[many] == aheads[many - 1] + 1
                    and end == ends[many - 1] + 1
                    and option_exit[option] == option_exit[options[0]]
                )
            )
            many += 1
    return many, run


@compiled
def within(ends: Ints, many: int, last: int) -> int:
    """Return how many of the pieces, by rising last block, end with block ``last`` or before."""
    while many > 0 and ends[many - 1] > last:
        many -= 1
    return many


@compiled
def floors(
    source: int, most: int, slope: float, first: Floats, stay: Floats, weight: Floats, accuracy: Floats, span: Floats,
    bare: Floats, send: Floats, back: Floats, drops: Floats, input_drops: Floats, option_exit: Bools,
    option_threshold: Ints, jump: Ints, state_of: Ints, begins: Ints, levels: Ints, inside: bool, group: Ints,
    rank: Ints, linked: Bools, furthest: Ints, bit: Ints, sizes: Ints, stop: Ints,
    ends: Ints, options: Ints, aheads: Ints, gains: Floats, fewer: Floats, shears: Floats,
) -> Floats:  # fmt: skip
    """Return the least that a label may have cost, less what it gained times the slope.

    Parameters
    ----------
    source, most, slope, first, ..., stop
        As in `budgets`; where it is stopped, what it returns is not complete. ``back`` is M x N.
    ends, ..., shears
        Room for what `onward` writes.

    Returns
    -------
    array
        2 x M x S x sets: node v is to go on from the state, these groups having been used (`STAYING`); and the same
        before the output of the last block is sent away from v (`LEAVING`).
    """
    nodes, codecs, by_level, sets = group.shape[0], send.shape[0], accuracy.shape[0] > 1, sizes.shape[0]
    blocks, final = accuracy.shape[1], accuracy.shape[2] - 1
    lows = np.empty((2, nodes, begins.shape[0], sets))
    lines = lows.reshape((2, nodes, begins.shape[0] * sets))
    reached, left = lows[STAYING], lows[LEAVING]
    for v in range(nodes):
        if stop[0] != 0:
            return lows
        reached[v], left[v] = np.inf, np.inf
    for v in range(nodes):
        for codec in range(codecs if linked[source, v] else 0):
            reached[v, 0, bit[v]] = min(reached[v, 0, bit[v]], first[codec, v] + slope * input_drops[codec, v])
    for state in range(begins.shape[0]):
        if stop[0] != 0:
            break
        start, share, at = begins[state], stay[levels[state]], levels[state] if by_level else 0
        own = weight[levels[state]]
        many, run = onward(
            levels[state], start, at, share, own, slope, blocks, final, stay, weight, accuracy, option_exit,
            option_threshold, jump, state_of, ends, options, aheads, gains, fewer, shears,
        )  # fmt: skip
        for v in range(nodes if start > 0 else 0):
            if not least(left[v, state]) < np.inf:
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
                        reached[w, state, then] = min(reached[w, state, then], left[v, state, used] + cost)
        for v in range(nodes):
            here = reached[v, state]
            near = within(ends, many, furthest[v, start]) if least(here) < np.inf else 0
            if near > 0 and run and sets == 1 and not inside:
                low, line = here[0], lines[LEAVING, v, aheads[0] : aheads[0] + near]
                pieces = (span if option_exit[options[0]] else bare)[v, start, ends[0] : ends[0] + near]
                results, less, shear = back[v, ends[0] : ends[0] + near], fewer[:near], shears[:near]
                for k in range(near):  # vector instructions
                    there = low + (passed(0.0, own, pieces[k], less[k], results[k]) - shear[k])
                    line[k] = there if there < line[k] else line[k]
                continue
            for k in range(near):
                asks, end, ahead = option_exit[options[k]], ends[k], aheads[k]
                piece = span[v, start, end] if asks else bare[v, start, end]
                step = passed(0.0, own, piece, fewer[k], back[v, end]) - shears[k]
                for used in range(sets):
                    there = here[used] + step
                    left[v, ahead, used] = min(left[v, ahead, used], there)
                    if inside and asks:
                        reached[v, ahead, used] = min(reached[v, ahead, used], there)
    return lows
