"""Numba kernels of the label solver: budgets backward, labels forward (see `tiercut.solvers.labels`).

Accuracy that has been gained so far is sorted into CELLS cells; a label in cell k has gained at most k / CELLS. All
rounding goes towards keeping a label, so that no cell is too coarse to be right, only too coarse to be quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.optimizer.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = ["FULL", "allowances", "budgets", "grow_labels"]


@compiled
def _cell(accuracy: float, cells: int) -> int:
    """Return the first cell that surely holds an accuracy."""
    return min(max(int(accuracy * cells) + 1, 0), cells)


@compiled
def _shift(gain: float, cells: int) -> int:
    """Return by how many cells a gain lifts a label at most."""
    return int(np.ceil(gain * cells))


@compiled
def _larger(left: float, right: float) -> float:
    """Return the larger; unlike ``max`` it asks nothing about nan, so that loops over it use vector instructions."""
    return right if right > left else left


@compiled
def allowances(
    costs: Floats, accuracies: Floats, count: int, cost_cap: float, floor: float, ceiling: float, cells: int
) -> Floats:
    """Return for each cell the most that a plan of such an accuracy may cost to be of interest.

    Parameters
    ----------
    costs, accuracies, count
        The frontier so far, rising in both; with a count of 0 the bounds alone decide.
    cost_cap, floor, ceiling
        Most cost, least accuracy, and what no plan's accuracy exceeds.
    """
    made = np.empty(cells + 1)
    place = 0
    for k in range(cells + 1):
        y = min(k / cells, ceiling - 1e-13)
        # A cell holds accuracies up to y; what beats the frontier there costs no more than the first point above it.
        while place < count and accuracies[place] < y:
            place += 1
        most = cost_cap if place == count else min(cost_cap, costs[place])
        made[k] = -np.inf if k / cells < floor else most * (1 + 1e-12) + 1e-15
    return made


@compiled
def budgets(
    allowed: Floats, low: float, high: float, stay: Floats, weight: Floats, accuracy: Floats, span: Floats,
    bare: Floats, send: Floats, result: Floats, drops: Floats, option_exit: Bools, jump: Ints, state_of: Ints,
    begins: Ints, levels: Ints, inside: bool, can_end: Bools, group: Ints, rank: Ints, linked: Bools,
    budget: Floats, leaving: Floats, stop: Ints,
) -> None:  # fmt: skip
    """Fill in how much a label may have cost so far and still be of interest, nodes being free to be used again.

    Parameters
    ----------
    allowed
        Of `allowances`, C+1.
    low, high
        Least and greatest accuracy of those who have left.
    stay, weight
        Q, for one lane: the share under way, and what the terms of the cost count.
    accuracy, span, bare, send, result, drops, option_exit, jump, inside, can_end, group, rank, linked
        The tables of `tiercut.optimizer.space.Space` and `Costs`.
    state_of, begins, levels
        (N+1) x Q: the state of (blocks done, level), -1 where it cannot be; S: both of each state, blocks done rising.
    budget
        S x M x (C+1), filled: node v is to go on from the state, k cells of accuracy are gained.
    leaving
        The same before the output of the last block is sent away from v to whichever node, by whichever way, is best.
    stop
        Read now and then: a value that is not 0 ends the work.
    """
    blocks, nodes, cells, ways = accuracy.shape[1], group.shape[0], allowed.shape[0] - 1, send.shape[0]
    by_level, final = accuracy.shape[0] > 1, accuracy.shape[0] // 2
    tops, bottoms = np.empty(begins.shape[0], np.int64), np.empty(begins.shape[0], np.int64)
    for state in range(begins.shape[0]):
        gone = 1.0 - stay[levels[state]]
        tops[state] = min(int(gone * high * cells) + 2, cells)
        bottoms[state] = int(gone * low * cells)
    for state in range(begins.shape[0] - 1, -1, -1):
        if stop[0] != 0:
            return
        start, share, at = begins[state], stay[levels[state]], levels[state] if by_level else 0
        own = weight[levels[state]]
        bottom, top = bottoms[state], tops[state]
        for v in range(nodes):
            row = budget[state, v]
            row[bottom : top + 1] = -np.inf
            for end in range(start, blocks):
                if can_end[end] and span[v, start, end] < np.inf:
                    shift = _shift(share * accuracy[at + final, end], cells)
                    cost = own * span[v, start, end] + own * result[end, v]
                    _raise(row, bottom, top, allowed, shift, 0, cells, cost)
                for option in range(option_exit.shape[0]):
                    after = jump[levels[state], end, option]
                    if after < 0:
                        continue
                    piece = span[v, start, end] if option_exit[option] else bare[v, start, end]
                    if piece == np.inf:
                        continue
                    leave, ahead = share - stay[after], state_of[end + 1, after]
                    shift = _shift(leave * accuracy[at, end], cells)
                    cost = own * piece + (own - weight[after]) * result[end, v]
                    _raise(row, bottom, top, leaving[ahead, v], shift, bottoms[ahead], tops[ahead], cost)
                    if inside and option_exit[option]:
                        _raise(row, bottom, top, budget[ahead, v], shift, bottoms[ahead], tops[ahead], cost)
        if start == 0:
            continue
        for v in range(nodes):
            row = leaving[state, v]
            row[bottom : top + 1] = -np.inf
            for w in range(nodes):
                if group[w] == group[v] or rank[w] < rank[v] or not linked[v, w]:
                    continue
                for way in range(ways):
                    if send[way, start - 1, v, w] < np.inf:
                        shift, cost = -int(share * drops[way, start - 1] * cells), own * send[way, start - 1, v, w]
                        _raise(row, bottom, top, budget[state, w], shift, bottom, top, cost)


@compiled
def _raise(row: Floats, bottom: int, top: int, ahead: Floats, shift: int, floor: int, roof: int, cost: float) -> None:
    """Raise each cell of a row to what a step leaves it: ``ahead`` some cells further on, less the cost of the step."""
    if ahead[max(min(roof, top + shift), floor)] - cost <= row[bottom]:
        return  # both rise from cell to cell, so the most that the step leaves is no more than the least there is
    first, last = max(bottom, floor - shift), min(top, roof - shift)
    for k in range(bottom, min(first, top + 1)):
        row[k] = _larger(row[k], ahead[floor] - cost)
    for k in range(first, last + 1):
        row[k] = _larger(row[k], ahead[k + shift] - cost)
    for k in range(max(last + 1, bottom), top + 1):
        row[k] = _larger(row[k], ahead[roof] - cost)


@compiled
def _prefix(label: int, chain: Ints, most: int, exits_at: int, thresholds_at: int, codecs_at: int, key: Ints) -> None:
    """Write the steps that lead to a label into a key: all but its own end (see `tiercut.optimizer.keys`)."""
    key[:] = 0
    key[0] = chain[label, PARTS]
    if exits_at >= 0:
        stop = thresholds_at if thresholds_at >= 0 else codecs_at if codecs_at >= 0 else key.shape[0] - 1
        key[exits_at:stop] = stop - exits_at + 1  # later than any block: an earlier exit comes first
    while label >= 0:
        row, parent = chain[label], chain[label, PARENT]
        key[most + row[PARTS]] = row[NODE]
        if parent >= 0:
            if chain[parent, PARTS] < row[PARTS]:
                key[row[PARTS] - 1] = row[BEGIN]
                if codecs_at >= 0:
                    key[codecs_at + row[PARTS] - 2] = row[WAY]
            if chain[parent, ASKED] < row[ASKED]:
                if exits_at >= 0:
                    key[exits_at + row[ASKED] - 1] = row[BEGIN]
                if thresholds_at >= 0:
                    key[thresholds_at + row[ASKED] - 1] = row[THRESHOLD]
        label = parent


@compiled
def _earlier(
    left: int, right: int, chain: Ints, most: int, exits_at: int, thresholds_at: int, codecs_at: int, width: int
) -> bool:
    """Return whether the plans of the left label come first among equals."""
    one, two = np.empty(width, np.int64), np.empty(width, np.int64)
    _prefix(left, chain, most, exits_at, thresholds_at, codecs_at, one)
    _prefix(right, chain, most, exits_at, thresholds_at, codecs_at, two)
    for i in range(width):
        if one[i] != two[i]:
            return bool(one[i] < two[i])
    return True


FULL = 2
"""Where in `stop` it is said that there was no room."""

PARENT, NODE, BEGIN, PARTS, ASKED, USED, WAY, THRESHOLD, AFTER, ALIVE = range(10)
"""The columns of a label beside its cost and accuracy: AFTER links the labels of a state and node by rising cost."""


@compiled
def grow_labels(
    lane: int, source: int, most: int, fewest: int, required: Ints, limited: bool, exits_at: int,
    thresholds_at: int, codecs_at: int, width: int, first: Floats, stay: Floats, weight: Floats, accuracy: Floats,
    span: Floats, bare: Floats, send: Floats, result: Floats, drops: Floats, tie_first: Floats,
    tie_span: Floats, tie_bare: Floats, tie_send: Floats, tie_result: Floats,
    option_exit: Bools, option_threshold: Ints, jump: Ints, state_of: Ints, begins: Ints, levels: Ints,
    inside: bool, can_end: Bools, group: Ints, rank: Ints, linked: Bools, future: Ints, budget: Floats,
    leaving: Floats, allowed: Floats, cost_cap: float, floor: float, keep: int, cap: float, best_costs: Floats,
    room: int, stop: Ints,
) -> Any:  # fmt: skip
    """Grow all labels of one lane that their budget allows, and return the plans they end in.

    Parameters
    ----------
    lane, source, most, fewest, required, exits_at, thresholds_at, codecs_at
        As in `tiercut.optimizer.kernels.walk_plans`.
    limited
        Whether fewer partitions are allowed than there are nodes (or tiers) to use.
    width
        Integers in a key.
    first, ..., linked
        As in `budgets`.
    tie_first, ..., tie_result
        The tables of the measure that decides among plans of equal cost; of length 0 where there is none.
    future
        M: the groups that may still follow a node, as bits.
    budget, leaving, allowed
        Of `budgets` and `allowances`; the last is lowered as plans are found.
    cost_cap, floor
        The bounds of the question: most cost and least accuracy.
    keep
        How many labels must dominate one before it is dropped: 1, or N for the N best.
    cap, best_costs
        For the N best by cost: the cost of the N-th plan that is known already, and the costs of the N best found here,
        rising, infinite where there are fewer; empty for other questions. Updated.
    room
        Most labels; more end the work, which is then said, as do more plans than an eighth of them. NOTE Arrays never
        change places in here: with names that are bound again in a loop, numba counts references all the time.
    stop
        ``[stop, labels made, full]``; written and read.

    Returns
    -------
    tuple
        Costs, accuracies and keys of the plans, and their number.
    """
    # One loop nest over labels in a linked list for each (state, node): split, every part would need all these arrays.
    blocks, nodes, cells = accuracy.shape[1], group.shape[0], allowed.shape[0] - 1
    options, ways, ranked = option_exit.shape[0], send.shape[0], best_costs.shape[0]
    by_level, final = accuracy.shape[0] > 1, accuracy.shape[0] // 2
    cost, gained, tie = np.empty(room), np.empty(room), np.zeros(room)
    tied, bits = tie_first.shape[0] > 0, np.zeros(1)
    chain, line = np.empty((room, 10), np.int64), np.empty(room, np.int64)
    heads = np.full((begins.shape[0], nodes), -1)
    most_found = room // 8
    found_cost, found_right = np.empty(most_found), np.empty(most_found)
    found_keys = np.empty((most_found, width), np.int64)
    count, found = 0, 0
    for v in range(nodes):
        if linked[source, v] and first[v] <= budget[0, v, _cell(0.0, cells)]:
            cost[count], gained[count] = first[v], 0.0
            if tied:
                tie[count] = tie_first[v]
            chain[count, PARENT], chain[count, NODE], chain[count, PARTS] = -1, v, 1
            chain[count, ASKED], chain[count, USED], chain[count, AFTER], chain[count, ALIVE] = 0, 1 << group[v], -1, 1
            heads[0, v] = count
            count += 1

    for state in range(begins.shape[0]):
        if stop[0] != 0:
            break
        start, share, at = begins[state], stay[levels[state]], levels[state] if by_level else 0
        own = weight[levels[state]]
        for v in range(nodes):
            many, label, most_right = 0, heads[state, v], 0.0
            while label >= 0:
                if chain[label, ALIVE]:
                    line[many] = label
                    many += 1
                    most_right = max(most_right, gained[label])
                label = chain[label, AFTER]
            if many == 0:
                continue
            least = cost[line[0]]
            # For each piece all labels, whose budgets lie beside each other; none where the best of them is too late.
            for end in range(start, blocks):
                less = max(0.0, cap - best_costs[ranked - 1]) if ranked > 0 and cap < np.inf else 0.0
                last, back, right = own * span[v, start, end], result[end, v], share * accuracy[at + final, end]
                ends = can_end[end] and least + last + own * back <= allowed[_cell(most_right + right, cells)] - less
                for i in range(many if ends else 0):
                    here = line[i]
                    c, a = cost[here] + last + own * back, gained[here] + right
                    if not (c <= allowed[_cell(a, cells)] - less and c <= cost_cap and c < np.inf and a >= floor):
                        continue
                    if chain[here, PARTS] < fewest or not _uses(chain[here, USED], required):
                        continue
                    if lane > 0 and chain[here, ASKED] == 0:
                        continue
                    if found == most_found:
                        stop[FULL] = 1
                        return found_cost, found_right, found_keys, found
                    key = found_keys[found]
                    _prefix(here, chain, most, exits_at, thresholds_at, codecs_at, key)
                    key[chain[here, PARTS]] = end + 1
                    if exits_at >= 0:
                        key[exits_at + chain[here, ASKED]] = end + 1
                    key[width - 1] = lane
                    if tied:
                        bits[0] = tie[here] + share * tie_span[v, start, end] + share * tie_result[end, v]
                        key[width - 2] = bits.view(np.int64)[0]
                    found_cost[found], found_right[found] = c, a
                    found += 1
                    if ranked > 0:
                        _insert(best_costs, c)
                    elif keep == 1:
                        k, most_cost = int(a * cells), c * (1 + 1e-12) + 1e-15
                        while k >= 0 and allowed[k] > most_cost:
                            allowed[k] = most_cost
                            k -= 1
                for option in range(options):
                    after = jump[levels[state], end, option]
                    if after < 0:
                        continue
                    ahead, onward = state_of[end + 1, after], stay[after]
                    leave = share - onward
                    piece = own * (span[v, start, end] if option_exit[option] else bare[v, start, end])
                    right, fewer = leave * accuracy[at, end], own - weight[after]
                    stays = inside and option_exit[option]
                    k, earliest = _cell(most_right + right, cells), least + piece + fewer * back
                    may_stay = stays and earliest <= budget[ahead, v, k] - less
                    if not may_stay and not earliest <= leaving[ahead, v, k] - less:
                        continue
                    for i in range(many):
                        here = line[i]
                        c, a, used = cost[here] + piece + fewer * back, gained[here] + right, chain[here, USED]
                        away = chain[here, PARTS] < most and c <= leaving[ahead, v, _cell(a, cells)] - less
                        if not away and not (may_stay and c <= budget[ahead, v, _cell(a, cells)] - less):
                            continue
                        for step in range(nodes * ways):
                            w, way = step // ways, step % ways
                            total, reached, mask = c, a, used
                            if w == v:
                                if not may_stay or way > 0:
                                    continue
                            else:
                                if not away or (used >> group[w]) & 1 or rank[w] < rank[v] or not linked[v, w]:
                                    continue
                                total = c + weight[after] * send[way, end, v, w]
                                reached = a - onward * drops[way, end]
                                mask = used | (1 << group[w])
                            if not total <= budget[ahead, w, _cell(reached, cells)] - less or not total < np.inf:
                                continue
                            if count == room:
                                stop[FULL] = 1
                                return found_cost, found_right, found_keys, found
                            cost[count], gained[count] = total, reached
                            if tied:
                                time = tie_span[v, start, end] if option_exit[option] else tie_bare[v, start, end]
                                tie[count] = tie[here] + share * time + leave * tie_result[end, v]
                                tie[count] += onward * tie_send[way, end, v, w] if w != v else 0.0
                            chain[count, PARENT], chain[count, NODE], chain[count, BEGIN] = here, w, end + 1
                            chain[count, PARTS] = chain[here, PARTS] + (w != v)
                            chain[count, ASKED] = chain[here, ASKED] + option_exit[option]
                            chain[count, USED], chain[count, WAY], chain[count, ALIVE] = mask, way, 1
                            chain[count, THRESHOLD] = option_threshold[option]
                            # The list is sorted by cost: only what stands before can dominate.
                            other, before, better, level = heads[ahead, w], -1, 0, -1
                            while other >= 0 and cost[other] <= total:
                                if chain[other, ALIVE] and _dominates(
                                    other, count, cost, gained, tie, chain, future[w], required, fewest, limited
                                ):
                                    same = (
                                        cost[other] == total and gained[other] == reached and tie[other] == tie[count]
                                    )
                                    if not same or _earlier(
                                        other, count, chain, most, exits_at, thresholds_at, codecs_at, width
                                    ):
                                        better += 1
                                        if better >= keep:
                                            break
                                if level < 0 and cost[other] == total:
                                    level = other
                                before, other = other, chain[other, AFTER]
                            if better >= keep:
                                continue
                            chain[count, AFTER] = other
                            if before < 0:
                                heads[ahead, w] = count
                            else:
                                chain[before, AFTER] = count
                            # It dominates none that costs less; what it does dominate leaves the list.
                            before, other = count if level < 0 else -1, other if level < 0 else level
                            if keep > 1:
                                other = -1
                            while other >= 0:
                                following = chain[other, AFTER]
                                if other == count:
                                    before = count
                                elif _dominates(
                                    count, other, cost, gained, tie, chain, future[w], required, fewest, limited
                                ):
                                    same = (
                                        cost[other] == total and gained[other] == reached and tie[other] == tie[count]
                                    )
                                    if not same or _earlier(
                                        count, other, chain, most, exits_at, thresholds_at, codecs_at, width
                                    ):
                                        chain[other, ALIVE] = 0
                                        if before >= 0:
                                            chain[before, AFTER] = following
                                    elif before >= 0:
                                        before = other
                                elif before >= 0:
                                    before = other
                                other = following
                            count += 1
        stop[1] = count
    stop[1] = count
    return found_cost, found_right, found_keys, found


@compiled
def _uses(used: int, required: Ints) -> bool:
    """Return whether one of each required set of groups is used."""
    missing = 0
    for mask in required:
        missing += (used & mask) == 0
    return missing == 0


@compiled
def _dominates(
    left: int,
    right: int,
    cost: Floats,
    gained: Floats,
    tie: Floats,
    chain: Ints,
    future: int,
    required: Ints,
    fewest: int,
    limited: bool,
) -> bool:
    """Return whether whatever the right label may become, the left one may too, and at least as well."""
    if cost[left] > cost[right] or gained[left] < gained[right]:
        return False
    if cost[left] == cost[right] and tie[left] > tie[right]:
        return False
    one, two = chain[left, USED], chain[right, USED]
    if (one & future & ~two) != 0:
        return False
    for mask in required:
        if (two & mask) != 0 and (one & mask) == 0:
            return False
    few, many = chain[left, PARTS], chain[right, PARTS]
    return bool((few >= fewest or few >= many) and (few <= many or not limited))


@compiled
def _insert(values: Floats, value: float) -> None:
    """Insert into a rising array, dropping the last."""
    place = values.shape[0] - 1
    if value >= values[place]:
        return
    while place > 0 and values[place - 1] > value:
        values[place] = values[place - 1]
        place -= 1
    values[place] = value
