"""Numba kernels that grow labels in several measures at once (see `tiercut.solvers.labels.front`).

A label is a partial plan as in `tiercut.solvers.labels.grow_kernels`, with R sums and accuracy (its sign turned) in
place of cost and accuracy, and last the *peak*: the greatest so far of the sums whose greatest is one measure (a rate:
what keeps each node and link busy), else 0. What prunes it is the best that the rest of a plan can do in each measure
by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.kernels.keep_kernels import offer_point
from tiercut.solvers.kernels.step_kernels import (
    answered,
    column_of,
    crossed,
    doubled,
    dropped,
    leaves_open,
    may_follow,
    use,
    uses,
    weighed,
    write_end,
)
from tiercut.solvers.labels.label_kernels import (
    AFTER,
    ALIVE,
    BEGIN,
    CODEC,
    EVALUATED,
    LAST,
    NODE,
    PARENT,
    PARTS,
    THRESHOLD,
    USED,
    earlier,
    prefix,
)
from tiercut.solvers.labels.points.grid_kernels import is_beaten, mark
from tiercut.solvers.labels.points.onward_kernels import RUN, steps_from
from tiercut.solvers.labels.points.peak_kernels import note_open, peak_of
from tiercut.solvers.labels.points.zone_kernels import is_outside

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.solvers.kernels.arguments import Compared, Known, Measures, Places, Rules, Shares, States, Tables
    from tiercut.solvers.labels.points.peak_kernels import Peak
    from tiercut.solvers.labels.points.zone_kernels import Zones

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = ["Pruning", "grow_points"]


class Pruning(NamedTuple):
    """By what labels in several measures are pruned.

    Parameters
    ----------
    deepest
        Most partitions of a plan; the rules have the most that there may be in a key.
    limited
        Whether fewer partitions are allowed than there are nodes (or tiers) to use.
    future
        M x W: the groups that may still follow a node, as words of bits.
    ahead, leaving
        Of `tiercut.solvers.labels.points.ahead_kernels.least_ahead`.
    loose, caps
        As in `_is_pruned`.
    edges, grid, spots, strips
        As in `tiercut.solvers.labels.points.grid_kernels`.
    """

    deepest: int
    limited: bool
    future: Ints
    ahead: Floats
    leaving: Floats
    loose: Floats
    caps: Floats
    edges: Floats
    grid: Floats
    spots: Floats
    strips: Ints


@compiled
def _is_pruned(
    values: Floats, rests: Floats, a: int, b: int, turned: Ints, loose: Floats, compared: int, caps: Floats,
    bound: Floats, points: Floats, lows: Floats, known: Ints, edges: Floats, grid: Floats, spots: Floats, strips: Ints,
) -> bool:  # fmt: skip
    """Return whether no plan that a label can become holds the caps and is of interest.

    What is least ahead of each sum, of the accuracy and of the peak stands at ``rests[a, b]``: a look at these alone
    would count references for longer than it takes to compare. ``loose`` is 2 x F by place in a point: by which share
    of what is added, and by what, a bound may be too high.
    """
    for f in range(turned.shape[0]):
        bound[f] = rests[a, b, turned[f]]
    return _leads_nowhere(
        values, turned, loose, compared, caps, bound, points, lows, known, edges, grid, spots, strips
    )  # fmt: skip


@compiled
def _is_skipped(
    values: Floats, rests: Floats, a: int, b: int, turned: Ints, loose: Floats, compared: int, caps: Floats,
    bound: Floats, points: Floats, lows: Floats, known: Ints, edges: Floats, grid: Floats, spots: Floats, strips: Ints,
) -> bool:  # fmt: skip
    """As `_is_pruned`, where what is ahead is in the order of a point."""
    for f in range(turned.shape[0]):
        bound[f] = rests[a, b, f]
    return _leads_nowhere(
        values, turned, loose, compared, caps, bound, points, lows, known, edges, grid, spots, strips
    )  # fmt: skip


@compiled
def _leads_nowhere(
    values: Floats, turned: Ints, loose: Floats, compared: int, caps: Floats, bound: Floats, points: Floats,
    lows: Floats, known: Ints, edges: Floats, grid: Floats, spots: Floats, strips: Ints,
) -> bool:  # fmt: skip
    """As `_is_pruned`, of what is ahead in ``bound``, which then has what plans have at least."""
    peak, none = values.shape[0] - 1, False
    for f in range(turned.shape[0]):
        own, more = values[turned[f]], bound[f]
        both = own + more if turned[f] != peak else max(own, more)
        low = both - loose[0, f] * (abs(own) + abs(more)) - loose[1, f]
        none = none or own + more == np.inf or low > caps[f]
        bound[f] = low
    return none or is_beaten(bound, compared, points, lows, known, edges, grid, spots, strips)


@compiled
def _dominates(
    left: int, right: int, values: Floats, least: Floats, peaked: Ints, turned: Ints, compared: int, ties: int,
    caps: Floats, chain: Ints, v: int, future: Ints, required: Ints, fewest: int, most: int, limited: bool,
) -> int:  # fmt: skip
    """Return 1 where whatever the right label may become, the left one may too and at least as well.

    2 where the two come to the same in all that counts, so that their order decides; 0 otherwise.

    NOTE: One way out, here and in what else is called for every label: numba takes out the counting of references to
    arrays only where all ways lead to one end.
    """
    verdict, undecided = 1, True
    for f in range(turned.shape[0]):
        one, two = values[left, turned[f]], values[right, turned[f]]
        if one > two and (f < compared or caps[f] < np.inf or (undecided and f < compared + ties)):
            verdict = 0
            break
        # Of two peaks the lower one decides nothing yet: what follows may lift both alike.
        if one < two and f < compared + ties and turned[f] != values.shape[1] - 1:
            undecided = False
    for k in range(peaked.shape[0] if verdict == 1 else 0):
        if values[left, peaked[k]] > least[right, k]:
            verdict = 0
            break
    if verdict == 1:
        few, many = chain[left, PARTS], chain[right, PARTS]
        if chain[left, LAST] < chain[right, LAST] or (few < fewest and few < many) or (few > many and limited):
            verdict = 0
        elif many == most:  # no part follows, and what is required has been used, or the label would not be there
            verdict = int(few == many or uses(chain, left, USED, required))
        else:
            verdict = int(leaves_open(chain, left, right, USED, future, v, required))
    return 2 if verdict == 1 and undecided else verdict


@compiled
def grow_points(
    index: int, at_key: Places, rules: Rules, tables: Tables, measures: Measures, shares: Shares,
    states: States, pruning: Pruning, zones: Zones, peak: Peak, wanted: Compared, so_far: Known, room: int, stop: Ints,
) -> Any:  # fmt: skip
    """Grow all labels at one threshold that may still become of interest, and keep the points that none dominates.

    Parameters
    ----------
    index, at_key
        Index of the threshold, and where the parts of an encoding begin.
    rules, tables, measures, shares, states
        As in `tiercut.solvers.labels.points.ahead_kernels.least_ahead`.
    pruning, peak
        By what labels are pruned, and what is known of a measure that is the greatest of several sums.
    wanted, so_far
        What is compared and what decides among equals, and the points that are known already.
    room, stop
        As in `tiercut.solvers.labels.grow_kernels.grow_labels`.

    Returns
    -------
    tuple
        Points, keys and lows (perhaps longer ones) and their state.
    """
    # One loop nest over labels in a linked list for each (state, node): split, every part would need all these arrays.
    source, _, fewest, required, inside, option_exit, option_threshold, jump, can_end = rules[:9]
    group, rank, linked, furthest = rules[9:]
    first, span, bare, send, result, _, _ = tables
    whole, _, tails, _, _, _ = measures
    stay, accuracy, drops, input_drops = shares
    state_of, begins, levels = states
    deepest, limited, future, ahead, leaving, loose, caps, edges, grid, spots, strips = pruning
    weights, slack, boxes, starts, lined, lined_leaving = zones
    zoned, lines = boxes.shape[0] > 0, weights.shape[0]
    line_least, seen = np.empty(lines), np.zeros(1, np.int64)
    peaked = peak.rows
    turned, compared, ties = wanted
    points, keys, lows, known = so_far
    by_level, final = accuracy.shape[0] > 1, accuracy.shape[2] - 1
    nodes, rows, width = group.shape[0], first.shape[2], keys.shape[1]
    lead = turned.shape[0] - 1  # sums of measures; the further ones of a peak stand behind
    options, codecs, top = option_exit.shape[0], send.shape[0], turned[0]
    size, grown = max(1024, nodes * codecs), 0
    values, chain = np.empty((size, rows + 2)), np.zeros((size, USED + future.shape[1]), np.int64)
    least = np.empty((size, peaked.shape[0]))
    heads = np.full((begins.shape[0], nodes), -1)
    blocks, measured = can_end.shape[0], turned.shape[0]
    ending, passing = np.empty((blocks, 2, rows)), np.empty((blocks, options, 2, rows))
    rests, runs = np.empty((blocks, options, measured)), np.empty((blocks // RUN + 1, 1, measured))
    rest_lines, run_lines = np.empty((blocks, options, lines)), np.empty((blocks // RUN + 1, 1, lines))
    mine, new = np.empty(rows + 2), np.empty(rows + 2)  # of the label that is taken up, and of a new one
    at, point, bound = np.empty(rows + 2), np.empty(turned.shape[0]), np.empty(turned.shape[0])
    key = np.zeros(width, np.int64)
    for step in range(nodes * codecs):
        v, codec = step // codecs, step % codecs
        if linked[source, v] and first[codec, v, 0] < np.inf:
            values[grown, :rows], values[grown, rows] = first[codec, v], input_drops[codec, v]
            chain[grown, PARENT], chain[grown, NODE], chain[grown, PARTS] = -1, v, 1
            chain[grown, CODEC], chain[grown, ALIVE], chain[grown, LAST] = codec, 1, furthest[v, 0]
            values[grown, rows + 1] = peak_of(values[grown], peaked, 0.0)
            use(chain, grown, USED, -1, group[v])
            note_open(grown, 0, 1.0, chain, values, least, v, group, peak)
            other, before = heads[0, v], -1
            while other >= 0 and values[other, top] <= values[grown, top]:
                before, other = other, chain[other, AFTER]
            chain[grown, AFTER] = other
            if before < 0:
                heads[0, v] = grown
            else:
                chain[before, AFTER] = grown
            grown += 1
    for state in range(begins.shape[0]):
        start, share, level = begins[state], stay[levels[state]], levels[state] if by_level else 0
        for v in range(nodes):
            told = False
            label = heads[state, v]
            while label >= 0 and stop[0] == 0:
                here, label = label, chain[label, AFTER]
                for r in range(rows + 2):
                    mine[r] = values[here, r]
                if chain[here, ALIVE] == 0 or _is_pruned(
                    mine,
                    ahead,
                    state,
                    v,
                    turned,
                    loose,
                    compared,
                    caps,
                    bound,
                    points,
                    lows,
                    known,
                    edges,
                    grid,
                    spots,
                    strips,
                ):
                    continue
                complete = chain[here, PARTS] >= fewest and uses(chain, here, USED, required)
                complete = complete and (index == 0 or chain[here, EVALUATED] > 0)
                if not told:
                    told = True
                    steps_from(
                        start, share, level, v, inside, can_end, jump[levels[state]], state_of, stay, option_exit,
                        option_threshold, accuracy, whole, tails, span, bare, result, ahead, leaving, peaked, turned,
                        weights, lined, lined_leaving, ending, passing, rests, runs, rest_lines, run_lines,
                    )  # fmt: skip
                skipped = False
                for end in range(start, chain[here, LAST] + 1):
                    if stop[0] != 0:
                        break
                    if (end - start) % RUN == 0:
                        skipped = _is_skipped(
                            mine, runs, (end - start) // RUN, 0, turned, loose, compared, caps, bound, points, lows,
                            known, edges, grid, spots, strips,
                        )  # fmt: skip
                        skipped = skipped or (
                            zoned
                            and is_outside(
                                mine, bound, run_lines, (end - start) // RUN, 0, turned, weights, slack, boxes, starts,
                                line_least, seen,
                            )
                        )  # fmt: skip
                    if skipped:
                        continue
                    if can_end[end] and complete:
                        at[rows] = -answered(float(-mine[rows]), share, accuracy[level, end, final])
                        at[rows + 1], fits = mine[rows + 1], True
                        # First without the sums whose greatest counts: the peak so far is often enough.
                        for low, high in ((0, lead), (lead, rows)):
                            for r in range(low, high):
                                at[r] = mine[r] + ending[end, 0, r] + ending[end, 1, r]
                            if low > 0:
                                at[rows + 1] = peak_of(at, peaked, at[rows + 1])
                            fits = fits and at[0] < np.inf
                            for f in range(turned.shape[0]):
                                point[f] = at[turned[f]]
                                fits = fits and point[f] <= caps[f]
                            fits = fits and not is_beaten(
                                point, compared, points, lows, known, edges, grid, spots, strips
                            )
                            if not fits or lead == rows:
                                break
                        if fits:
                            prefix(here, chain, at_key, key)
                            write_end(key, at_key, chain[here, PARTS], chain[here, EVALUATED], end + 1, index)
                            points, keys, lows, known = offer_point(
                                point, key, compared, ties, points, keys, lows, known
                            )
                            mark(point, compared, edges, grid, spots, strips)
                    for option in range(options):
                        after = jump[levels[state], end, option]
                        if after < 0:
                            continue
                        if _is_skipped(
                            mine, rests, end, option, turned, loose, compared, caps, bound, points, lows, known,
                            edges, grid, spots, strips,
                        ):  # fmt: skip
                            continue
                        if zoned and is_outside(
                            mine, bound, rest_lines, end, option, turned, weights, slack, boxes, starts, line_least,
                            seen,
                        ):  # fmt: skip
                            continue
                        onward = stay[after]
                        then: Any = np.int64(state_of[end + 1, after])  # else what takes it is compiled for this too
                        leave, column = share - onward, column_of(option_threshold[option], final)
                        at[rows] = -answered(float(-mine[rows]), leave, accuracy[level, end, column])
                        at[rows + 1] = mine[rows + 1]
                        stays, away = inside and option_exit[option], chain[here, PARTS] < deepest
                        for low, high in ((0, lead), (lead, rows)):
                            for r in range(low, high):
                                at[r] = mine[r] + passing[end, option, 0, r] + passing[end, option, 1, r]
                            if low > 0:
                                at[rows + 1] = peak_of(at, peaked, at[rows + 1])
                            if not at[0] < np.inf:
                                away = stays = False
                            if lead == rows or (not away and not stays):
                                break
                            # What is added may lift the peak further than by itself.
                            away = away and not _is_pruned(
                                at, leaving, then, v, turned, loose, compared, caps, bound, points, lows, known,
                                edges, grid, spots, strips,
                            )  # fmt: skip
                        if not away and not stays:
                            continue
                        for step in range(nodes * codecs):
                            w, codec = step // codecs, step % codecs
                            if w == v:
                                if not stays or codec > 0:
                                    continue
                            elif not away or not may_follow(v, w, chain, here, USED, group, rank, linked):
                                continue
                            if grown == size:
                                if grown >= room:
                                    stop[0], stop[1] = 2, grown
                                    return points, keys, lows, known
                                values, chain, least = doubled(values), doubled(chain), doubled(least)
                                size = 2 * size
                            for r in range(rows + 2):
                                new[r] = at[r]
                            if w != v:
                                for r in range(rows):
                                    new[r] = crossed(at[r], weighed(onward, tails[r]), send[codec, end, v, w, r])
                                new[rows] = -dropped(float(-at[rows]), onward, drops[codec, end])
                                new[rows + 1] = peak_of(new, peaked, at[rows + 1])
                            if not new[0] < np.inf or _is_pruned(
                                new,
                                ahead,
                                then,
                                w,
                                turned,
                                loose,
                                compared,
                                caps,
                                bound,
                                points,
                                lows,
                                known,
                                edges,
                                grid,
                                spots,
                                strips,
                            ):
                                continue
                            if zoned and is_outside(
                                new, bound, lined, then, w, turned, weights, slack, boxes, starts, line_least, seen
                            ):
                                continue
                            for r in range(rows + 2):
                                values[grown, r] = new[r]
                            chain[grown, PARENT], chain[grown, NODE], chain[grown, BEGIN] = here, w, end + 1
                            use(chain, grown, USED, here, group[w])
                            chain[grown, CODEC], chain[grown, PARTS] = codec, chain[here, PARTS] + (w != v)
                            chain[grown, EVALUATED] = chain[here, EVALUATED] + option_exit[option]
                            chain[grown, THRESHOLD], chain[grown, ALIVE] = option_threshold[option], 1
                            chain[grown, LAST] = furthest[w, end + 1] if w != v else chain[here, LAST]
                            if chain[grown, PARTS] == deepest and not uses(chain, grown, USED, required):
                                continue
                            note_open(grown, end + 1, onward, chain, values, least, w, group, peak)
                            # The list is sorted by the first measure: only what stands before can dominate.
                            other, before, worse = heads[then, w], -1, False
                            while other >= 0 and values[other, top] <= new[top]:
                                if chain[other, ALIVE]:
                                    verdict = _dominates(
                                        other, grown, values, least, peaked, turned, compared, ties, caps, chain, w,
                                        future, required, fewest, deepest, limited,
                                    )  # fmt: skip
                                    if verdict == 1 or (verdict == 2 and earlier(other, grown, chain, at_key, width)):
                                        worse = True
                                        break
                                before, other = other, chain[other, AFTER]
                            if worse:
                                continue
                            chain[grown, AFTER] = other
                            if before < 0:
                                heads[then, w] = grown
                            else:
                                chain[before, AFTER] = grown
                            # Of equal first measures what stands before may be dominated too.
                            other = heads[then, w]
                            while other >= 0:
                                if other != grown and chain[other, ALIVE] and values[other, top] >= new[top]:
                                    verdict = _dominates(
                                        grown, other, values, least, peaked, turned, compared, ties, caps, chain, w,
                                        future, required, fewest, deepest, limited,
                                    )  # fmt: skip
                                    if verdict == 1 or (verdict == 2 and earlier(grown, other, chain, at_key, width)):
                                        chain[other, ALIVE] = 0
                                other = chain[other, AFTER]
                            grown += 1
                stop[1] = grown
    stop[1] = grown
    return points, keys, lows, known
