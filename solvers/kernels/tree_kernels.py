"""The numba kernel that scores every decision of any space: one tree walk over R measures and accuracy.

It keeps the best plan, the N best or a frontier over cost (the first measure) and accuracy, or the points of a frontier
over several measures; the other measures are bounded, or decide among equals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.kernels.arguments import Compared, Kept, Known, Wanted
from tiercut.solvers.kernels.keep_kernels import is_dominated, is_wanted, keep, offer_point
from tiercut.solvers.kernels.step_kernels import (
    answered,
    column_of,
    crossed,
    dropped,
    ended,
    may_follow,
    passed,
    spread,
    use,
    uses,
    weighed,
    write_frames,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.solvers.kernels.arguments import Measures, Places, Rules, Shares, Tables

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bits = NDArray[np.uint64]

__all__ = ["walk_plans", "walk_points"]


@compiled
def walk_plans(
    index: int, at: Places, rules: Rules, tables: Tables, measures: Measures, shares: Shares, wanted: Wanted,
    kept: Kept, progress: Ints, samples: int, below: Bits | None, hits: Bits | None,
) -> Any:  # fmt: skip
    """Score every decision at one threshold, one by one, and keep the frontier or the best.

    Parameters
    ----------
    index, at
        Index of the threshold, and where the parts of an encoding begin.
    rules, tables, measures, shares
        Which plans there are, and the tables of R measures: the cost, and others that are bounded.
    wanted, kept
        What is kept, and what has been kept so far.
    progress
        ``[stop, decisions scored]``, read and written as the work goes on: a stop that is not 0 ends it.
    samples, below, hits
        As in `tiercut.solvers.kernels.arguments.Samples`.

    Returns
    -------
    tuple
        Costs, accuracies and keys, perhaps in longer arrays, and their number.
    """
    none, state = np.empty((0, 0)), np.zeros(0, np.int64)
    compared, known = Compared(state, 0, 0), Known(none, kept.keys, none, state)
    found = _walk(
        index, at, rules, tables, measures, shares, wanted, kept, compared, known, progress, samples, below, hits
    )
    return found[0], found[1], found[2], found[3]


@compiled
def walk_points(
    index: int, at: Places, rules: Rules, tables: Tables, measures: Measures, shares: Shares, floor: float,
    compared: Compared, known: Known, progress: Ints, samples: int, below: Bits | None, hits: Bits | None,
) -> Any:  # fmt: skip
    """Score every decision at one threshold as `walk_plans`, and keep the points that none dominates.

    Parameters
    ----------
    index, ..., shares, progress, ..., hits
        As in `walk_plans`.
    floor
        Least accuracy, slack included.
    compared, known
        What is compared and what decides among equals, and the points so far.

    Returns
    -------
    tuple
        Points, keys and lows, perhaps longer ones, and the state.
    """
    none = np.empty(0)
    wanted, kept = Wanted(False, False, False, floor), Kept(none, none, known.keys, 0)
    found = _walk(
        index, at, rules, tables, measures, shares, wanted, kept, compared, known, progress, samples, below, hits
    )
    return found[4], found[5], found[6], found[7]


@compiled
def _common(left: Bits, right: Bits) -> int:
    """Return how many bits are set in both."""
    total = 0
    for word in range(left.shape[0]):
        x = left[word] & right[word]
        x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
        x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
        x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
        total += int((x * np.uint64(0x0101010101010101)) >> np.uint64(56))
    return total


@compiled
def _walk(
    index: int, at: Places, rules: Rules, tables: Tables, measures: Measures, shares: Shares, wanted: Wanted,
    kept: Kept, several: Compared, known: Known, progress: Ints, samples: int, below: Bits | None, hits: Bits | None,
) -> Any:  # fmt: skip
    """Score every decision at one threshold; keep plans, or points where any measures are compared."""
    # A tree, depth first; a frame for each piece. The counter of a frame runs over (end, option, next node, codec).
    source, most, fewest, required, inside, option_exit, option_threshold, jump, can_end = rules[:9]
    group, rank, linked, furthest = rules[9:]
    first, span, bare, send, result, _, _ = tables
    whole, once, tails, spreads, caps, peaks = measures
    stay, accuracy, drops, input_drops = shares
    front, by_accuracy, tied, floor = wanted
    costs, accuracies, keys, count = kept
    turned, compared, ties = several
    points, point_keys, lows, state = known
    nodes, blocks, rows = group.shape[0], accuracy.shape[1], first.shape[2]
    by_level, final = accuracy.shape[0] > 1, accuracy.shape[2] - 1
    options, codecs = option_exit.shape[0], send.shape[0]
    room = blocks + 1
    node, begin, level = np.zeros(room, np.int64), np.zeros(room, np.int64), np.zeros(room, np.int64)
    parts, evaluated, counter = np.zeros(room, np.int64), np.zeros(room, np.int64), np.zeros(room, np.int64)
    option, codec = np.zeros(room, np.int64), np.zeros(room, np.int64)
    entry, until = np.zeros(room, np.int64), np.zeros(room, np.int64)
    used = np.zeros((room, required.shape[1]), np.int64)
    cost, counts, right = np.zeros((room, rows)), np.zeros((room, rows)), np.zeros(room)
    totals, point = np.zeros(rows + 1), np.zeros(turned.shape[0])
    done, leaves = np.zeros((rows, room)), np.zeros(room)  # times of the paths that end at exits, and their shares
    evaluated_last, hit, reach = np.full(room, -1), np.zeros(room), np.ones(room)
    # NOTE: numba leaves out what hangs on tables that are None, so that estimates cost what they did without samples.
    if below is not None and hits is not None:
        remaining = np.zeros((room, hits.shape[1]), np.uint64)
        for d in range(samples):
            remaining[0, d >> 6] |= np.uint64(1) << np.uint64(d & 63)
    key = np.zeros(keys.shape[1], np.int64)
    # NOTE: Nearly all measures count the share that is there, piece by piece; looking it up for each costs a quarter.
    plain = True
    for r in range(rows):
        plain = plain and tails[r] < 0.0 and spreads[r] == 0.0 and not once[r]
    peaked = peaks[rows - 1] < rows - 1  # further sums stand last
    scored = 0
    for beginning in range(nodes * codecs):
        root, entered = beginning // codecs, beginning % codecs
        if not linked[source, root] or not first[entered, root, 0] < np.inf:
            continue
        node[0], begin[0], level[0], parts[0], evaluated[0], counter[0] = root, 0, 0, 1, 0, -1
        use(used, 0, 0, -1, group[root])
        right[0], entry[0], until[0] = dropped(0.0, 1.0, input_drops[entered, root]), 0, furthest[root, 0]
        for r in range(rows):
            cost[0, r], counts[0, r] = first[entered, root, r], weighed(1.0, tails[r])
        depth = 0
        while depth >= 0:
            v, start, row = node[depth], begin[depth], level[depth] if by_level else 0
            share = stay[level[depth]]
            if below is not None:
                share = reach[depth]
            if counter[depth] < 0:
                counter[depth], evaluated_last[depth] = 0, -1
                complete = (
                    parts[depth] >= fewest and uses(used, depth, 0, required) and (index == 0 or evaluated[depth] > 0)
                )
                for end in range(start, until[depth] + 1 if complete else start):
                    if not can_end[end]:
                        continue
                    scored += 1
                    a = answered(right[depth], share, accuracy[row, end, final])
                    if hits is not None:
                        a = right[depth] + _common(remaining[depth], hits[end]) / samples
                    if a < floor:
                        continue
                    fits = True
                    for r in range(rows):
                        if plain:
                            weight, back = 1.0 if whole[r] else share, result[end, v, r]
                            totals[r] = ended(cost[depth, r], weight, span[v, start, end, r], share, back)
                            fits = fits and totals[r] <= caps[r]
                            continue
                        own, piece = counts[depth, r], span[v, entry[depth] if once[r] else start, end, r]
                        if spreads[r] != 0.0:
                            done[r, depth], leaves[depth] = cost[depth, r] + piece + result[end, v, r], share
                            totals[r] = spread(done[r], leaves, depth + 1, tails[r], spreads[r])
                        else:
                            totals[r] = ended(cost[depth, r], 1.0 if whole[r] else own, piece, own, result[end, v, r])
                        fits = fits and totals[r] <= caps[r]
                    if peaked:
                        for r in range(rows):
                            totals[peaks[r]] = max(totals[peaks[r]], totals[r])
                    if not (fits and totals[0] < np.inf):  # not nan either: a forbidden piece that no sample gets to
                        continue
                    if compared > 0:
                        totals[rows] = -a
                        for f in range(turned.shape[0]):
                            point[f] = totals[turned[f]]
                        if is_dominated(point, compared, points, lows, state):
                            continue
                    elif not is_wanted(totals[0], a, front, by_accuracy, costs, accuracies, count):
                        continue
                    write_frames(
                        key, at, entered, depth, node, begin, option, codec, option_exit, option_threshold, end, index
                    )
                    if compared > 0:
                        points, point_keys, lows, state = offer_point(
                            point, key, compared, ties, points, point_keys, lows, state
                        )
                        continue
                    if tied:
                        key[key.shape[0] - 2] = totals[1:2].view(np.int64)[0]
                    costs, accuracies, keys, count = keep(
                        totals[0], a, key, front, by_accuracy, costs, accuracies, keys, count
                    )
            if counter[depth] >= (blocks - 1 - start) * options * nodes * codecs:
                depth -= 1
                progress[1] += scored
                scored = 0
                if progress[0] != 0:
                    break
                continue
            step = counter[depth]
            counter[depth] += 1
            x, step = step % codecs, step // codecs
            w, step = step % nodes, step // nodes
            o, end = step % options, start + step // options
            after = jump[level[depth], end, o]
            if end > until[depth] or after < 0 or (w == v and (not inside or not option_exit[o] or x > 0)):
                continue
            if w != v and (parts[depth] == most or not may_follow(v, w, used, depth, 0, group, rank, linked)):
                continue
            onward = stay[after]
            if below is not None and hits is not None:
                if evaluated_last[depth] != end * options + o:
                    evaluated_last[depth], hit[depth] = end * options + o, 0.0
                    remaining[depth + 1], reach[depth + 1] = remaining[depth], share
                    if option_exit[o]:
                        limit = index if option_threshold[o] < 0 else option_threshold[o]
                        hit[depth] = _common(remaining[depth] & below[limit, end], hits[end]) / samples
                        remaining[depth + 1] &= ~below[limit, end]
                        reach[depth + 1] = _common(remaining[depth + 1], remaining[depth + 1]) / samples
                onward = reach[depth + 1]
            deeper = depth + 1
            for r in range(rows):
                if plain:
                    piece = span[v, start, end, r] if option_exit[o] else bare[v, start, end, r]
                    weight, back = 1.0 if whole[r] else share, result[end, v, r]
                    total = passed(cost[depth, r], weight, piece, share - onward, back)
                    cost[deeper, r] = crossed(total, onward, send[x, end, v, w, r]) if w != v else total
                    continue
                since = entry[depth] if once[r] else start
                piece = span[v, since, end, r] if option_exit[o] else bare[v, since, end, r]
                if once[r] and w == v:
                    piece = 0.0  # the partition goes on, and counts where it ends
                if spreads[r] != 0.0:
                    total = cost[depth, r] + piece
                    done[r, depth], leaves[depth] = total + result[end, v, r], share - onward
                    cost[deeper, r] = total + send[x, end, v, w, r] if w != v else total
                    continue
                own, ahead = counts[depth, r], weighed(onward, tails[r])
                total = passed(cost[depth, r], 1.0 if whole[r] else own, piece, own - ahead, result[end, v, r])
                cost[deeper, r] = crossed(total, ahead, send[x, end, v, w, r]) if w != v else total
                counts[deeper, r] = ahead
            if not cost[deeper, 0] < np.inf:
                continue
            a = answered(right[depth], share - onward, accuracy[row, end, column_of(option_threshold[o], final)])
            if below is not None:
                a = right[depth] + hit[depth]
            right[deeper] = dropped(a, onward, drops[x, end]) if w != v else a
            option[depth], codec[depth] = o, x
            node[deeper], begin[deeper], level[deeper], counter[deeper] = w, end + 1, after, -1
            parts[deeper], evaluated[deeper] = parts[depth] + (w != v), evaluated[depth] + option_exit[o]
            use(used, deeper, 0, depth, group[w])
            entry[deeper] = end + 1 if w != v else entry[depth]
            until[deeper] = furthest[w, end + 1] if w != v else until[depth]
            depth = deeper
        if progress[0] != 0:
            break
    progress[1] += scored
    return costs, accuracies, keys, count, points, point_keys, lows, state
