"""Numba kernels of the label solver: labels grow forward within their budgets (see `tiercut.solvers.labels.solver`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.kernels.step_kernels import (
    answered,
    column_of,
    crossed,
    dropped,
    ended,
    leaves_open,
    may_follow,
    passed,
    use,
    uses,
    write_cut,
    write_end,
    write_exit,
    write_root,
)
from tiercut.solvers.labels.budget_kernels import LEAVING, STAYING, cell_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.solvers.kernels.arguments import Places, Rules, Shares, States, Tables

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = [
    "AFTER",
    "ALIVE",
    "BEGIN",
    "CODEC",
    "EVALUATED",
    "FULL",
    "LAST",
    "NODE",
    "PARENT",
    "PARTS",
    "THRESHOLD",
    "USED",
    "Limits",
    "earlier",
    "grow_labels",
    "prefix",
]


@compiled
def prefix(label: int, chain: Ints, at: Places, key: Ints) -> None:
    """Write the steps that lead to a label into a key: all but its own end (see `tiercut.solvers.encoding`)."""
    key[:] = 0
    key[0] = chain[label, PARTS]
    if at.exits_at >= 0:
        stop = at.thresholds_at if at.thresholds_at >= 0 else at.codecs_at if at.codecs_at >= 0 else key.shape[0] - 1
        key[at.exits_at : stop] = stop - at.exits_at + 1  # later than any block: an earlier exit comes first
    while chain[label, PARENT] >= 0:
        row, parent = chain[label], chain[label, PARENT]
        if chain[parent, PARTS] < row[PARTS]:
            write_cut(key, at, chain[parent, PARTS] - 1, row[BEGIN], row[CODEC], row[NODE])
        if chain[parent, EVALUATED] < row[EVALUATED]:
            write_exit(key, at, chain[parent, EVALUATED], row[BEGIN], row[THRESHOLD])
        label = parent
    write_root(key, at, chain[label, NODE], chain[label, CODEC])


@compiled
def earlier(left: int, right: int, chain: Ints, at: Places, width: int) -> bool:
    """Return whether the plans of the left label come first among equals."""
    one, two = np.empty(width, np.int64), np.empty(width, np.int64)
    prefix(left, chain, at, one)
    prefix(right, chain, at, two)
    for i in range(width):
        if one[i] != two[i]:
            return bool(one[i] < two[i])
    return True


FULL = 2
"""Where in `stop` it is said that there was no room."""

PARENT, NODE, BEGIN, EVALUATED, CODEC, THRESHOLD, PARTS, LAST, AFTER, ALIVE, USED = range(11)
"""The columns of a label beside its cost and accuracy: AFTER links the labels of a state and node by rising cost, LAST
is the last block that its partition may have, and from USED on stand the words of the groups that it has used. Those
that a walk along such a list reads stand together, at the end."""


class Limits(NamedTuple):
    """By what labels are pruned.

    Parameters
    ----------
    limited
        Whether fewer partitions are allowed than there are nodes (or tiers) to use.
    future
        M x W: the groups that may still follow a node, as words of bits.
    budget, peaks, slope, base, summit
        Of `tiercut.solvers.labels.budget_kernels.budgets`.
    allowed
        Of `tiercut.solvers.labels.budget_kernels.allowances`, without a slope and in finer cells of its own: what
        whole plans may cost. Lowered as plans are found.
    cost_cap, floor
        The bounds of the question: most cost and least accuracy.
    keep
        How many labels must dominate one before it is pruned: 1, or N for the N best.
    cap
        For the N best by cost: the cost of the N-th plan that is known already.
    """

    limited: bool
    future: Ints
    budget: Floats
    peaks: Floats
    slope: float
    base: float
    summit: float
    allowed: Floats
    cost_cap: float
    floor: float
    keep: int
    cap: float


@compiled
def grow_labels(
    index: int, at_key: Places, width: int, rules: Rules, tables: Tables, ties: Tables, shares: Shares, weight: Floats,
    states: States, limits: Limits, best_costs: Floats, room: int, stop: Ints,
) -> Any:  # fmt: skip
    """Grow all labels at one threshold that their budget allows, and return the plans they end in.

    Parameters
    ----------
    index, at_key, width
        Index of the threshold, where the parts of an encoding begin, and integers in it.
    rules, tables, shares, weight, states
        As in `tiercut.solvers.labels.budget_kernels.budgets`.
    ties
        The tables of the measure that decides among plans of equal cost; of length 0 where there is none.
    limits
        By what labels are pruned.
    best_costs
        For the N best by cost: the costs of the N best found here, rising, infinite where there are fewer; empty for
        other questions. Updated.
    room
        Most labels; more end the work, which is then said, as do more plans than an eighth of them. NOTE Arrays never
        change places in here: with names that are bound again in a loop, numba counts references all the time.
    stop
        ``[stop, labels grown, full]``; written and read.

    Returns
    -------
    tuple
        Costs, accuracies and keys of the plans, and their number.
    """
    # One loop nest over labels in a linked list for each (state, node): split, every part would need all these arrays.
    source, most, fewest, required, inside, option_exit, option_threshold, jump, can_end = rules[:9]
    group, rank, linked, furthest = rules[9:]
    first, span, bare, send, result = tables
    tie_first, tie_span, tie_bare, tie_send, tie_result = ties
    stay, accuracy, drops, input_drops = shares
    state_of, begins, levels = states
    limited, future, budget, peaks, slope, base, summit, allowed, cost_cap, floor, keep, cap = limits
    blocks, nodes, cells, fine = accuracy.shape[1], group.shape[0], budget.shape[3] - 1, allowed.shape[0] - 1
    per, fine_per = cells / (summit - base), fine / (summit - base)
    options, codecs, ranked = option_exit.shape[0], send.shape[0], best_costs.shape[0]
    by_level, final = accuracy.shape[0] > 1, accuracy.shape[2] - 1
    cost, gained, tie = np.empty(room), np.empty(room), np.empty(room)
    tied, bits = tie_first.shape[0] > 0, np.zeros(1)
    chain, line = np.empty((room, USED + future.shape[1]), np.int64), np.empty(room, np.int64)
    heads = np.full((begins.shape[0], nodes), -1)
    most_found = room // 8
    found_cost, found_right = np.empty(most_found), np.empty(most_found)
    found_keys = np.empty((most_found, width), np.int64)
    count, found = 0, 0
    for step in range(nodes * codecs):
        v, codec = step // codecs, step % codecs
        total, reached = first[codec, v], dropped(0.0, 1.0, input_drops[codec, v])
        k = cell_of(reached, base, per, cells)
        if linked[source, v] and total < np.inf and total - slope * reached <= budget[STAYING, 0, v, k]:
            cost[count], gained[count], tie[count] = total, reached, tie_first[codec, v] if tied else 0.0
            chain[count, PARENT], chain[count, NODE], chain[count, PARTS] = -1, v, 1
            chain[count, EVALUATED], chain[count, CODEC], chain[count, ALIVE] = 0, codec, 1
            chain[count, LAST] = furthest[v, 0]
            use(chain, count, USED, -1, group[v])
            other, before = heads[0, v], -1
            while other >= 0 and cost[other] <= total:
                before, other = other, chain[other, AFTER]
            chain[count, AFTER] = other
            if before < 0:
                heads[0, v] = count
            else:
                chain[before, AFTER] = count
            count += 1

    for state in range(begins.shape[0]):
        if stop[0] != 0:
            break
        start, share, at = begins[state], stay[levels[state]], levels[state] if by_level else 0
        own = weight[levels[state]]
        for v in range(nodes):
            many, label, most_right, best = 0, heads[state, v], base, np.inf
            while label >= 0:
                if chain[label, ALIVE]:
                    line[many] = label
                    many += 1
                    most_right = max(most_right, gained[label])
                    best = min(best, cost[label] - slope * gained[label])
                label = chain[label, AFTER]
            if many == 0:
                continue
            least = cost[line[0]]
            # For each piece all labels, whose budgets lie beside each other; none where the best of them is too late.
            for end in range(start, blocks):
                less = max(0.0, cap - best_costs[ranked - 1]) if ranked > 0 and cap < np.inf else 0.0
                last, back, right = span[v, start, end], result[end, v], accuracy[at, end, final]
                soonest, best_right = ended(least, own, last, own, back), answered(most_right, share, right)
                ends = can_end[end] and soonest <= allowed[cell_of(best_right, base, fine_per, fine)] - less
                for i in range(many if ends else 0):
                    here = line[i]
                    c, a = ended(cost[here], own, last, own, back), answered(gained[here], share, right)
                    if not (
                        c <= allowed[cell_of(a, base, fine_per, fine)] - less
                        and c <= cost_cap
                        and c < np.inf
                        and a >= floor
                    ):
                        continue
                    if end > chain[here, LAST] or chain[here, PARTS] < fewest or not uses(chain, here, USED, required):
                        continue
                    if index > 0 and chain[here, EVALUATED] == 0:
                        continue
                    if found == most_found:
                        stop[FULL] = 1
                        return found_cost, found_right, found_keys, found
                    key = found_keys[found]
                    prefix(here, chain, at_key, key)
                    write_end(key, at_key, chain[here, PARTS], chain[here, EVALUATED], end + 1, index)
                    if tied:
                        bits[0] = ended(tie[here], share, tie_span[v, start, end], share, tie_result[end, v])
                        key[width - 2] = bits.view(np.int64)[0]
                    found_cost[found], found_right[found] = c, a
                    found += 1
                    if ranked > 0:
                        _insert(best_costs, c)
                    elif keep == 1:
                        k, most_cost = cell_of(a, base, fine_per, fine) - 1, c * (1 + 1e-12) + 1e-15
                        while k >= 0 and allowed[k] > most_cost:
                            allowed[k] = most_cost
                            k -= 1
                for option in range(options):
                    after = jump[levels[state], end, option]
                    if after < 0:
                        continue
                    ahead, onward = state_of[end + 1, after], stay[after]
                    leave = share - onward
                    piece = span[v, start, end] if option_exit[option] else bare[v, start, end]
                    column = column_of(option_threshold[option], final)
                    right, fewer = accuracy[at, end, column], own - weight[after]
                    stays = inside and option_exit[option]
                    earliest = passed(best, own, piece, fewer, back) - slope * (leave * right)
                    may_stay = stays and earliest <= peaks[STAYING, ahead, v] - less
                    if not may_stay and not earliest <= peaks[LEAVING, ahead, v] - less:
                        continue
                    for i in range(many):
                        if stop[0] != 0:
                            break
                        here = line[i]
                        if end > chain[here, LAST]:
                            continue
                        c, a = passed(cost[here], own, piece, fewer, back), answered(gained[here], leave, right)
                        k, sheared = cell_of(a, base, per, cells), c - slope * a
                        away = chain[here, PARTS] < most and sheared <= budget[LEAVING, ahead, v, k] - less
                        if not away and not (may_stay and sheared <= budget[STAYING, ahead, v, k] - less):
                            continue
                        for step in range(nodes * codecs):
                            w, codec = step // codecs, step % codecs
                            total, reached = c, a
                            if w == v:
                                if not may_stay or codec > 0:
                                    continue
                            else:
                                if not away or not may_follow(v, w, chain, here, USED, group, rank, linked):
                                    continue
                                total = crossed(c, weight[after], send[codec, end, v, w])
                                reached = dropped(a, onward, drops[codec, end])
                            k = cell_of(reached, base, per, cells)
                            if not total - slope * reached <= budget[STAYING, ahead, w, k] - less or not total < np.inf:
                                continue
                            if count == room:
                                stop[FULL] = 1
                                return found_cost, found_right, found_keys, found
                            cost[count], gained[count], tie[count] = total, reached, 0.0
                            if tied:
                                time = tie_span[v, start, end] if option_exit[option] else tie_bare[v, start, end]
                                time = passed(tie[here], share, time, leave, tie_result[end, v])
                                tie[count] = crossed(time, onward, tie_send[codec, end, v, w]) if w != v else time
                            chain[count, PARENT], chain[count, NODE], chain[count, BEGIN] = here, w, end + 1
                            chain[count, PARTS] = chain[here, PARTS] + (w != v)
                            chain[count, EVALUATED] = chain[here, EVALUATED] + option_exit[option]
                            chain[count, CODEC], chain[count, ALIVE] = codec, 1
                            use(chain, count, USED, here, group[w])
                            chain[count, THRESHOLD] = option_threshold[option]
                            chain[count, LAST] = furthest[w, end + 1] if w != v else chain[here, LAST]
                            if chain[count, PARTS] == most and not uses(chain, count, USED, required):
                                continue
                            word = future[w, 0]
                            # The list is sorted by cost: only what stands before can dominate.
                            other, before, better, level = heads[ahead, w], -1, 0, -1
                            while other >= 0 and cost[other] <= total:
                                if gained[other] >= reached and chain[other, ALIVE] and _dominates(
                                    other, count, cost, gained, tie, chain, word, w, future, required, fewest, most,
                                    limited,
                                ):  # fmt: skip
                                    same = (
                                        cost[other] == total and gained[other] == reached and tie[other] == tie[count]
                                    )
                                    if not same or earlier(other, count, chain, at_key, width):
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
                                    count, other, cost, gained, tie, chain, word, w, future, required, fewest, most,
                                    limited,
                                ):  # fmt: skip
                                    same = (
                                        cost[other] == total and gained[other] == reached and tie[other] == tie[count]
                                    )
                                    if not same or earlier(count, other, chain, at_key, width):
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
def _dominates(
    left: int, right: int, cost: Floats, gained: Floats, tie: Floats, chain: Ints, first_word: int, v: int,
    future: Ints, required: Ints, fewest: int, most: int, limited: bool,
) -> bool:  # fmt: skip
    """Return whether whatever the right label may become, the left one may too, and at least as well."""
    if cost[left] > cost[right] or gained[left] < gained[right]:
        return False
    if cost[left] == cost[right] and tie[left] > tie[right]:
        return False
    few, many = chain[left, PARTS], chain[right, PARTS]
    if chain[left, LAST] < chain[right, LAST] or (few < many and few < fewest) or (few > many and limited):
        return False
    if many == most:  # no part follows, and what is required has been used, or the label would not be there
        return few == many or uses(chain, left, USED, required)
    # NOTE: One word is nearly always enough, and most time goes by here, so that the first is tested by itself.
    if chain[left, USED] & first_word & ~chain[right, USED] != 0:
        return False
    return (future.shape[1] == 1 and required.shape[0] == 0) or leaves_open(
        chain, left, right, USED, future, v, required
    )


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
