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
    Shorts = NDArray[np.int32]
    Bools = NDArray[np.bool_]

__all__ = [
    "LEAVING", "SHIFT", "STAYING", "by_stretch", "ceilings", "floors", "greatest_by_stretch", "in_run", "looked_up",
    "onward", "runs_of", "within",
]  # fmt: skip

SHIFT = 5
"""Blocks are looked at in stretches of 2 to this: most have no piece that counts, which one look at the least tells."""

STAYING, LEAVING = 0, 1
"""The tables of budgets: a node is to go on from a state; the output of the last block is to be sent away from it."""


@compiled
def onward(
    many: int, level: int, start: int, row: int, share: float, own: float, slope: float, blocks: int, final: int,
    stay: Floats, weight: Floats, accuracy: Floats, option_exit: Bools, option_threshold: Ints, jump: Shorts,
    state_of: Shorts, seen: Ints, ends: Ints, options: Ints, aheads: Ints, gains: Floats, fewer: Floats, shears: Floats,
) -> tuple[int, bool]:  # fmt: skip
    """Write down the pieces that lead on from a state, whatever node they run on.

    Parameters
    ----------
    many
        How many of them are in a run (see `in_run`).
    level, start, row, share, own
        Of the state: its level, blocks done, row of accuracies, share of samples, and what their terms count.
    slope, blocks, final, stay, weight, accuracy, option_exit, option_threshold, jump, state_of
        As in `budgets`; the last column of accuracies.
    seen
        Of `looked_up`.
    ends, options, aheads, gains, fewer, shears
        By piece, filled: last block, option, state after it, what is gained, the share whose results are sent, and the
        slope times the gain.

    Returns
    -------
    tuple
        How many there are, and whether they are in a *run*: blocks and states after them are consecutive, and all are
        exits or none is, so that loops over them are vector instructions.
    """
    if many > 0:
        after, ahead, column = seen[0, start], seen[1, start], column_of(option_threshold[0], final)
        gain_of, fewer_of, shear_of = gains[:many], fewer[:many], shears[:many]
        stay_of, weight_of, right_of = stay[after : after + many], weight[after : after + many], accuracy[row, start:]
        for k in range(many):  # one after the other, each in vector instructions
            ends[k] = start + k
        for k in range(many):
            aheads[k] = ahead + k
        for k in range(many):
            options[k] = 0
        for k in range(many):
            gain_of[k] = (share - stay_of[k]) * right_of[k, column]
        for k in range(many):
            fewer_of[k] = own - weight_of[k]
        for k in range(many):
            shear_of[k] = slope * gain_of[k]
        return many, True
    run = True
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
def looked_up(jump: Shorts, state_of: Shorts) -> Ints:
    """Return 3 x N by block: the level after it, its state, and where the run of such blocks ends that begins there.

    It is that of level 0, which mostly is that of all levels before the block. The next levels and states of a run are
    consecutive, and after it there is no such block; where there are several options, there is no run.
    """
    blocks, last = jump.shape[1], -1
    seen = np.full((3, blocks), -1)
    for end in range(blocks - 1 if jump.shape[2] == 1 else -1, -1, -1):
        after = jump[0, end, 0]
        if after < 0:
            continue
        seen[0, end], seen[1, end] = after, state_of[end + 1, after]
        if last < 0:
            last = end
        if end == last:
            seen[2, end] = end + 1
        elif seen[0, end + 1] == after + 1 and seen[1, end + 1] == seen[1, end] + 1:
            seen[2, end] = seen[2, end + 1]
    return seen


@compiled
def runs_of(jump: Shorts, state_of: Shorts, begins: Ints, levels: Ints) -> tuple[Ints, Ints]:
    """Return what `looked_up` does, and by state what `in_run` does: they are the same for all thresholds."""
    seen, runs = looked_up(jump, state_of), np.empty(begins.shape[0], np.int64)
    for state in range(begins.shape[0]):
        runs[state] = in_run(levels[state], begins[state], jump, seen)
    return seen, runs


@compiled
def in_run(level: int, start: int, jump: Shorts, seen: Ints) -> int:
    """Return how many blocks from `start` on are in a run, if what is known of them holds at a level too; else 0."""
    if seen[2, start] < 0:
        return 0
    row, known, other = jump[level, start:, 0], seen[0, start:], 0
    for k in range(row.shape[0]):
        other |= row[k] ^ known[k]
    return seen[2, start] - start if other == 0 else 0


@compiled
def within(ends: Ints, many: int, last: int) -> int:
    """Return how many of the pieces, by rising last block, end with block ``last`` or before."""
    while many > 0 and ends[many - 1] > last:
        many -= 1
    return many


@compiled
def greatest_by_stretch(values: Floats, first: int, end: int, into: Floats) -> None:
    """Write the greatest value of each stretch of blocks from `first` to before `end`; what is outside counts not."""
    for stretch in range(first >> SHIFT, (max(end, first + 1) - 1 >> SHIFT) + 1):
        k, past = max(first, stretch << SHIFT), min(end, (stretch + 1) << SHIFT)
        one = two = -np.inf  # side by side: each comparison waits for the one before
        while k + 1 < past:
            one, two = values[k] if values[k] > one else one, values[k + 1] if values[k + 1] > two else two
            k += 2
        if k < past:
            one = max(one, values[k])
        into[stretch] = max(one, two)


@compiled
def ceilings(
    highest: float, spare: float, slope: float, quickest: Floats, pace: float, back: Floats, stay: Floats,
    weight: Floats, accuracy: Floats, jump: Shorts, can_end: Bools, state_of: Shorts, begins: Ints, levels: Ints,
    seen: Ints, runs: Ints, over: Floats,
) -> Floats:  # fmt: skip
    """Return by state the most that a label may have cost, less what it gained times the slope, to be of interest.

    What the rest costs at least is summed over the quickest node of each piece, as if nothing crossed a link.

    Parameters
    ----------
    highest, spare
        The most that a whole plan of interest may cost, less the slope times what it gains, and how far that may be
        off.
    slope, stay, weight, accuracy, jump, can_end, state_of, begins, levels
        As in `budgets`; there is one option.
    quickest, pace
        N x N, the least of each piece over all nodes, before it is multiplied by the pace; 0 x 0 where that is not
        known, and nothing is left out.
    back
        M x N: what sending a result takes.
    seen, runs
        Of `runs_of`.
    over
        Room for N numbers.
    """
    states, blocks = begins.shape[0], quickest.shape[0]
    most = np.full(states, np.inf)
    if blocks == 0:
        return most
    rest, least_back, by_level = np.full(states, np.inf), np.full(blocks, np.inf), accuracy.shape[0] > 1
    final = accuracy.shape[2] - 1
    for v in range(back.shape[0]):
        for end in range(blocks):
            least_back[end] = min(least_back[end], back[v, end])
    for state in range(states - 1, -1, -1):
        start, level = begins[state], levels[state]
        share, own, at = stay[level], weight[level], level if by_level else 0
        pieces, backs, many = quickest[start, start:], least_back[start:], runs[state]
        rights, lasts, may_end = accuracy[at, start:, 0], accuracy[at, start:, final], can_end[start:]
        for k in range(pieces.shape[0]):  # one after the other, each in vector instructions
            last = own * (pieces[k] * pace) + own * backs[k] - share * slope * lasts[k]
            over[k] = last if may_end[k] else np.inf
        if many > 0:
            after, ahead = seen[0, start], seen[1, start]
            weights, stays, rests = weight[after : after + many], stay[after : after + many], rest[ahead : ahead + many]
            for k in range(many):
                gone = (own - weights[k]) * backs[k] - (share - stays[k]) * (slope * rights[k])
                left = own * (pieces[k] * pace) + gone + rests[k]
                over[k] = left if left < over[k] else over[k]
        else:
            for k in range(pieces.shape[0]):
                after = jump[level, start + k, 0]
                if after >= 0:
                    gone = (own - weight[after]) * backs[k] - (share - stay[after]) * (slope * rights[k])
                    over[k] = min(over[k], own * (pieces[k] * pace) + gone + rest[state_of[start + k + 1, after]])
        still = least(over[: pieces.shape[0]])
        rest[state] = still
        most[state] = highest - still + spare
    return most


@compiled
def floors(
    source: int, most: int, slope: float, first: Floats, stay: Floats, weight: Floats, accuracy: Floats, span: Floats,
    bare: Floats, which: Ints, factor: Floats, send: Floats, back: Floats, drops: Floats, input_drops: Floats,
    option_exit: Bools,
    option_threshold: Ints, jump: Shorts, state_of: Shorts, begins: Ints, levels: Ints, inside: bool, group: Ints,
    rank: Ints, linked: Bools, furthest: Ints, bit: Ints, sizes: Ints, stop: Ints,
    ends: Ints, options: Ints, aheads: Ints, gains: Floats, fewer: Floats, shears: Floats, least_span: Floats,
    least_bare: Floats, least_back: Floats, seen: Ints, runs: Ints, ceiling: Floats,
) -> Floats:  # fmt: skip
    """Return the least that a label may have cost, less what it gained times the slope.

    Parameters
    ----------
    source, most, slope, first, ..., stop
        As in `budgets`; where it is stopped, what it returns is not complete. ``back`` is M x N.
    ends, ..., shears
        Room for what `onward` writes.
    least_span, least_bare, least_back
        Of `tiercut.solvers.labels.budget_kernels.Stretches`.
    seen, runs
        Of `runs_of`.
    ceiling
        Of `ceilings`: what costs more is as if it were not there.

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
    stretches = least_back.shape[1]
    most_left = np.full((nodes, (begins.shape[0] >> SHIFT) + 1), np.inf)  # the greatest of `left` by stretch of states
    most_shear, least_fewer = np.empty(stretches), np.empty(stretches)
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
            runs[state], levels[state], start, at, share, own, slope, blocks, final, stay, weight, accuracy,
            option_exit, option_threshold, jump, state_of, seen, ends, options, aheads, gains, fewer, shears,
        )  # fmt: skip
        alike = many > 0 and run and sets == 1 and not inside
        if alike:
            by_stretch(ends[0], many, shears, fewer, most_shear, least_fewer)
        for v in range(nodes if start > 0 else 0):
            if not least(left[v, state]) < np.inf:
                continue
            if least(left[v, state]) > ceiling[state]:
                left[v, state] = np.inf
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
            here, place, pace = reached[v, state], which[v], factor[v]
            if least(here) > ceiling[state]:
                here[:] = np.inf
            near = within(ends, many, furthest[v, start]) if least(here) < np.inf else 0
            if near > 0 and alike:
                low, table = here[0], span if option_exit[options[0]] else bare
                quickest = (least_span if option_exit[options[0]] else least_bare)[v, start]
                to, lasting = ends[0], ends[near - 1]
                while to <= lasting:
                    stretch = to >> SHIFT
                    past = min(lasting + 1, (stretch + 1) << SHIFT)
                    k, count = to - ends[0], past - to
                    ahead = aheads[k]
                    # The least of all pieces here against the greatest value there is: nearly always too dear.
                    bound = low + (
                        passed(0.0, own, quickest[stretch], least_fewer[stretch], least_back[v, stretch])
                        - most_shear[stretch]
                    )
                    one, two = ahead >> SHIFT, ahead + count - 1 >> SHIFT
                    to = past
                    if bound >= max(most_left[v, one], most_left[v, two]):
                        continue
                    line, pieces = lines[LEAVING, v, ahead : ahead + count], table[place, start, past - count : past]
                    results, less = back[v, past - count : past], fewer[k : k + count]
                    shear = shears[k : k + count]
                    for i in range(count):  # vector instructions
                        there = low + (passed(0.0, own, pieces[i] * pace, less[i], results[i]) - shear[i])
                        line[i] = there if there < line[i] else line[i]
                    reach = min((two + 1) << SHIFT, lines.shape[2])
                    greatest_by_stretch(lines[LEAVING, v], one << SHIFT, reach, most_left[v])
                continue
            for k in range(near):
                asks, end, ahead = option_exit[options[k]], ends[k], aheads[k]
                piece = (span[place, start, end] if asks else bare[place, start, end]) * pace
                step = passed(0.0, own, piece, fewer[k], back[v, end]) - shears[k]
                for used in range(sets):
                    there = here[used] + step
                    left[v, ahead, used] = min(left[v, ahead, used], there)
                    if inside and asks:
                        reached[v, ahead, used] = min(reached[v, ahead, used], there)
    return lows


@compiled
def by_stretch(first: int, many: int, shears: Floats, fewer: Floats, most_shear: Floats, least_fewer: Floats) -> None:
    """Write by stretch of blocks the greatest of the shears, and the least share whose results are sent.

    They belong to pieces that end with block `first` and the `many` - 1 that follow.
    """
    for stretch in range(first >> SHIFT, (first + many - 1 >> SHIFT) + 1):
        k, past = max(stretch << SHIFT, first) - first, min((stretch + 1) << SHIFT, first + many) - first
        one = two = -np.inf  # side by side: each comparison waits for the one before
        less = lesser = np.inf
        while k + 1 < past:
            one, two = shears[k] if shears[k] > one else one, shears[k + 1] if shears[k + 1] > two else two
            less, lesser = fewer[k] if fewer[k] < less else less, fewer[k + 1] if fewer[k + 1] < lesser else lesser
            k += 2
        if k < past:
            one, less = max(one, shears[k]), min(less, fewer[k])
        most_shear[stretch], least_fewer[stretch] = max(one, two), min(less, lesser)
