"""Numba kernels of the bounds of hard thresholds: lines under what the rest of a plan may come to, by groups used.

A frontier is cut into stretches, each with a slope: what accuracy costs there. For each slope one backward program
tells the least that the rest of a plan may cost less what its accuracy is worth, and forgets nothing of the past. So
each slope gives a line that no end of a label lies below; a label is pruned where every stretch of the frontier lies
below one of its lines. In place of rows of many cells of accuracy there are a few numbers. What is relaxed is the
accuracy, to the convex hull of what can follow: Lagrangean relaxation (Geoffrion, "Lagrangean relaxation for integer
programming", 1974), whose bounds by several slopes together are a bound set (Ehrgott and Gandibleux, "Bound sets for
biobjective combinatorial optimization problems", 2007).

All rounding goes towards keeping a label.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.kernels.step_kernels import passed
from tiercut.solvers.labels.floor_kernels import LEAVING, STAYING, in_run, looked_up, onward, within

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.solvers.kernels.arguments import Rules, Shares, States, Tables
    from tiercut.solvers.labels.budget_kernels import Sets

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Heights = NDArray[np.float32]

__all__ = ["LINES", "Lines", "cells_at_birth", "heights_of", "lines_along", "most_by_lines", "some_stretch", "without"]

LINES = 16
"""Slopes by which a frontier is followed."""

_TOGETHER = 8  # sets whose lines a loop goes through at once; what a step takes is written out for each
_LARGEST = 3e38  # in single precision
_ROUNDED = 4e-7
"""Heights are kept in single precision; each step loosens them by this share of the greatest value of interest, which
is more than its roundings take."""


_BORN, _LEAST_BORN, _MOST_BORN = 2_500_000, 16, 128
"""Cells of the table of what new labels cost least, and of one of its rows."""


class Lines(NamedTuple):
    """What a label may have cost so far and still be of interest: the most of some rising lines in what it gained.

    Parameters
    ----------
    slopes
        What accuracy is worth by each line; of length 0 where budgets by cells take their place.
    most
        By stretch and line: what a whole plan of the stretch may cost, less what its accuracy is worth by the line;
        -inf for none.
    heights
        2 x M x S x sets x lines, in single precision: what the rest of a plan gains is worth less what it costs, at
        most; before a node goes on (`STAYING`) and before its output is sent away (`LEAVING`), by the groups used but
        its own (see `without`).
    """

    slopes: Floats
    most: Floats
    heights: Heights


def lines_along(costs: Floats, rights: Floats) -> tuple[Floats, Floats]:
    """Cut a frontier into stretches of equal width in accuracy, the first of which is what lies below it.

    Parameters
    ----------
    costs, rights
        The frontier so far, rising in both; no plan's accuracy exceeds that of the last.

    Returns
    -------
    tuple
        What `Lines` begins with: slopes, those of the chords of stretches, and what plans of interest may cost.
    """
    slopes, most = np.zeros(LINES), np.full((LINES, LINES), -np.inf)
    allowed = costs * (1 + 1e-12) + 1e-15
    most[0] = np.inf
    most[0, 0] = allowed[0]
    if len(costs) > 1:
        borders = np.linspace(rights[0], rights[-1], LINES)
        slopes[1:] = np.diff(np.interp(borders, rights, costs)) / np.diff(borders)
        # What is more accurate than one plan may cost as much as the next, wherever between them it lies.
        below = rights[:-1, None] - 1e-12
        first = np.searchsorted(borders, below[:, 0], side="right").clip(1, LINES - 1)
        last = np.searchsorted(borders, rights[1:] + 1e-12).clip(1, LINES - 1)
        for shift in range(int((last - first).max()) + 1):
            there = first + shift <= last
            from_ = np.maximum(below[:, 0], borders[(first + shift - 1).clip(0, LINES - 1)] - 1e-12)
            worth = allowed[1:, None] - slopes * from_[:, None]
            at = (first + shift)[there]  # rising
            starts = np.flatnonzero(np.diff(at, prepend=-1))
            most[at[starts]] = np.maximum(most[at[starts]], np.maximum.reduceat(worth[there], starts))
    return slopes, most


@compiled
def without(used: int, bit: int) -> int:
    """Return a set of groups without one of them, and without a place for it."""
    low = bit - 1
    return (used & low) | (used >> 1 & ~low)


@compiled
def some_stretch(slack: Floats, most: Floats) -> bool:
    """Return whether a label may still end in a plan of interest: there is a stretch where it lies below all lines.

    NOTE Callers fill the slack themselves: handing on an array of many axes takes longer than all of this.

    Parameters
    ----------
    slack
        By line: its height less what the label cost, of which what it gained by the slope is taken.
    most
        As in `Lines`.
    """
    for stretch in range(LINES):
        over = False
        for k in range(LINES):  # vector instructions
            over |= slack[k] + most[stretch, k] < 0.0
        if not over:
            return True
    return False


@compiled
def most_by_lines(gained: float, row: Heights, most: Floats, slopes: Floats) -> float:
    """Return the most that a label may have cost that gained so much."""
    highest = -np.inf
    for k in range(LINES):
        lowest = np.inf
        for other in range(LINES):
            lowest = min(lowest, row[other] + (most[k, other] + slopes[other] * gained))
        highest = max(highest, lowest)
    return highest


@compiled
def heights_of(
    slopes: Floats, dearest: float, summit: float, rules: Rules, tables: Tables, shares: Shares, weight: Floats,
    states: States, sets: Sets, stop: Ints,
) -> Any:  # fmt: skip
    """Return the heights of all lines (see `Lines`); every group is told apart.

    Parameters
    ----------
    slopes
        What accuracy is worth by each line.
    dearest, summit
        What no plan of interest costs more than, and what no accuracy exceeds.
    rules, tables, shares, weight, states, sets, stop
        As in `tiercut.solvers.labels.budget_kernels.budgets`.
    """
    _, largest, _, _, inside, option_exit, option_threshold, jump, can_end, group, rank, linked, furthest = rules
    _, span, bare, send, result, which, factor = tables
    stay, accuracy, drops, _ = shares
    state_of, begins, levels = states
    bit, sizes, may_end = sets
    nodes, codecs, half = group.shape[0], send.shape[0], sizes.shape[0] // 2
    by_level, final = accuracy.shape[0] > 1, accuracy.shape[2] - 1
    blocks, last = accuracy.shape[1], begins.shape[0]
    room = blocks * option_exit.shape[0]
    ends, options, aheads = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    gains, fewer, shears, seen = np.empty(room), np.empty(room), np.empty(room), looked_up(jump, state_of)
    heights = np.empty((2, nodes, last, half, LINES), np.float32)
    lines = heights.reshape((2, nodes, last, half * LINES))
    together = min(_TOGETHER, half) * LINES
    less, closing, over = (
        np.empty((2 * room, together), np.float32),
        np.empty(LINES, np.float32),
        np.empty(LINES, np.float32),
    )
    froms, thens = np.empty(2 * room, np.int64), np.empty(2 * room, np.int64)
    spare = np.empty(LINES)
    for k in range(LINES):
        spare[k] = _ROUNDED * (dearest + 2 * slopes[k] * summit)
    for state in range(last - 1, -1, -1):
        if stop[0] != 0:
            break
        start, share, at = begins[state], stay[levels[state]], levels[state] if by_level else 0
        own = weight[levels[state]]
        many, _ = onward(
            in_run(levels[state], start, jump, seen), levels[state], start, at, share, own, 0.0, blocks, final, stay,
            weight, accuracy, option_exit, option_threshold, jump, state_of, seen, ends, options, aheads, gains,
            fewer, shears,
        )  # fmt: skip
        for v in range(nodes):
            closing[:] = -np.inf
            for end in range(start, furthest[v, start] + 1):
                cost, gain = (
                    own * (span[which[v], start, end] * factor[v] + result[end, v]),
                    share * accuracy[at, end, final],
                )
                if can_end[end] and cost < np.inf:
                    for k in range(LINES):
                        left = np.float32(slopes[k] * gain - cost + spare[k])
                        closing[k] = left if left > closing[k] else closing[k]
            steps = 0
            for piece in range(within(ends, many, furthest[v, start])):
                asks, end = option_exit[options[piece]], ends[piece]
                least = (span if asks else bare)[which[v], start, end] * factor[v]
                cost = passed(0.0, own, least, fewer[piece], result[end, v])
                if not cost < np.inf:
                    continue
                for k in range(LINES):
                    over[k] = np.float32(min(cost - slopes[k] * gains[piece] - spare[k], _LARGEST))
                for to in range(STAYING if inside and asks else LEAVING, LEAVING + 1):
                    froms[steps], thens[steps] = to, aheads[piece]
                    for low in range(0, together, LINES):
                        for k in range(LINES):
                            less[steps, low + k] = over[k]
                    steps += 1
            for used in range(half):
                whole = (used & (bit[v] - 1)) | ((used & ~(bit[v] - 1)) << 1) | bit[v]
                for k in range(LINES):
                    heights[STAYING, v, state, used, k] = closing[k] if may_end[whole] else np.float32(-np.inf)
            for low in range(0, half * LINES, together):
                row = lines[STAYING, v, state, low : low + together]
                for step in range(steps):
                    onto, by = lines[froms[step], v, thens[step], low : low + together], less[step]
                    for k in range(together):  # vector instructions
                        left = onto[k] - by[k]
                        row[k] = left if left > row[k] else row[k]
        for v in range(nodes if start > 0 else 0):
            lines[LEAVING, v, state] = np.float32(-np.inf)
            for w in range(nodes):
                if group[w] == group[v] or rank[w] < rank[v] or not linked[v, w]:
                    continue
                for codec in range(codecs):
                    cost, gain = own * send[codec, start - 1, v, w], -share * drops[codec, start - 1]
                    if not cost < np.inf:
                        continue
                    for k in range(LINES):
                        less[0, k] = np.float32(min(cost - slopes[k] * gain - spare[k], _LARGEST))
                    for used in range(half):
                        whole = (used & (bit[v] - 1)) | ((used & ~(bit[v] - 1)) << 1) | bit[v]
                        if whole & bit[w] != 0 or sizes[whole] >= largest:
                            continue
                        row = heights[LEAVING, v, state, used]
                        onto = heights[STAYING, w, state, without(whole | bit[w], bit[w])]
                        for k in range(LINES):
                            left = onto[k] - less[0, k]
                            row[k] = left if left > row[k] else row[k]
    return heights


@compiled
def cells_at_birth(heights: Heights) -> int:
    """Return the cells of accuracy, of each row of lines, that tell what new labels cost least; 0 where they are few.

    Most labels are dominated by another of the same nodes, and those need not be stored.
    """
    rows = heights.shape[1] * heights.shape[2] * heights.shape[3]
    cells = min(_BORN // max(rows, 1), _MOST_BORN)
    return cells if cells >= _LEAST_BORN else 0
