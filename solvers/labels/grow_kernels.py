"""Numba kernels of the label solver: labels grow forward within their budgets (see `tiercut.solvers.labels.solver`).

All labels of a state exist before the state is taken. So nothing is kept sorted while they grow: those of one state and
node are sorted once, by cost, and swept once (`tiercut.solvers.labels.sweep_kernels`).
"""

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
    may_follow,
    passed,
    use,
    uses,
    write_end,
)
from tiercut.solvers.labels.cell_kernels import cell_of
from tiercut.solvers.labels.floor_kernels import LEAVING, SHIFT, STAYING
from tiercut.solvers.labels.label_kernels import (
    AFTER,
    BEGIN,
    CODEC,
    EVALUATED,
    LAST,
    NODE,
    PARENT,
    PARTS,
    SEEN,
    THRESHOLD,
    USED,
    prefix,
)
from tiercut.solvers.labels.line_kernels import LINES, cells_at_birth, most_by_lines, some_stretch, without
from tiercut.solvers.labels.sweep_kernels import grouped, sort_labels, sweep_room, swept

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.solvers.kernels.arguments import Places, Rules, Shares, States, Tables
    from tiercut.solvers.labels.budget_kernels import Budgets, Sets
    from tiercut.solvers.labels.line_kernels import Heights, Lines

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["FULL", "Limits", "grow_labels"]

FULL = 2
"""Where in `stop` it is said that there was no room."""

_ROUNDED, _TINY = 2e-7, 1e-9
"""What single precision rounds at most, and a share of samples as good as none."""


class Limits(NamedTuple):
    """By what labels are pruned.

    Parameters
    ----------
    limited
        Whether fewer partitions are allowed than there are nodes (or tiers) to use.
    future
        M x W: the groups that may still follow a node, as words of bits.
    slope, base, summit
        As `tiercut.solvers.labels.budget_kernels.budgets` took them.
    allowed
        Of `tiercut.solvers.labels.cell_kernels.allowances`, without a slope and in finer cells of its own: what
        whole plans may cost. Lowered as plans are found.
    cost_cap, floor
        The bounds of the question: most cost and least accuracy.
    keep
        How many labels must dominate one before it is pruned: 1, or N for the N best.
    cap
        For the N best by cost: the cost of the N-th plan that is known already.
    beam
        How many labels of a state and node go on, those furthest below their budgets; 0: all, as an exact answer needs.
    """

    limited: bool
    future: Ints
    slope: float
    base: float
    summit: float
    allowed: Floats
    cost_cap: float
    floor: float
    keep: int
    cap: float
    beam: int


@compiled
def grow_labels(
    index: int, at_key: Places, width: int, rules: Rules, tables: Tables, ties: Tables, shares: Shares, weight: Floats,
    states: States, sets: Sets, budgets: Budgets, lines: Lines, limits: Limits, best_costs: Floats, room: int,
    patience: int, stop: Ints,
) -> Any:  # fmt: skip
    """Grow all labels at one threshold that their budget allows, and return the plans they end in.

    Parameters
    ----------
    index, at_key, width
        Index of the threshold, where the parts of an encoding begin, and integers in it.
    rules, tables, shares, weight, states, sets
        As in `tiercut.solvers.labels.budget_kernels.budgets`.
    ties
        The tables of the measure that decides among plans of equal cost; of length 0 where there is none.
    budgets, lines
        What it returned, or what takes its place (see `tiercut.solvers.labels.line_kernels.Lines`); the other is empty.
    limits
        By what labels are pruned.
    best_costs
        For the N best by cost: the costs of the N best found here, rising, infinite where there are fewer; empty for
        other questions. Updated.
    room
        Most labels at a time; more end the work, which is then said, as do more plans than an eighth of them. NOTE
        Arrays never change places in here: with names that are bound again in a loop, numba counts references all the
        time.
    patience
        Most labels in all; more end the work as having no room does.
    stop
        ``[stop, labels grown, full]``; written and read.

    Returns
    -------
    tuple
        Costs, accuracies and keys of the plans, and their number.
    """
    # One loop nest over pieces and the labels of each (state, node): split, every part would need all these arrays.
    source, most, fewest, required, inside, option_exit, option_threshold, jump, can_end = rules[:9]
    group, rank, linked, furthest = rules[9:]
    first, span, bare, send, result, which, factor = tables
    tie_first, tie_span, tie_bare, tie_send, tie_result, tie_which, tie_factor = ties
    stay, accuracy, drops, input_drops = shares
    state_of, begins, levels = states
    bit, sizes, _ = sets
    place, peaks, budget, near = budgets
    slopes, line_most, heights = lines
    lined = slopes.shape[0] > 0
    slack, over = np.empty(LINES), np.empty(LINES)
    falls = required.shape[0] == 0 and fewest <= 1  # heights, with each group more that has been used
    limited, future, slope, base, summit, allowed, cost_cap, floor, keep, cap, beam = limits
    nodes, cells, fine = group.shape[0], budget.shape[1] - 1, allowed.shape[0] - 1
    per, fine_per = cells / (summit - base), fine / (summit - base)
    options, codecs, ranked = option_exit.shape[0], send.shape[0], best_costs.shape[0]
    by_level, final = accuracy.shape[0] > 1, accuracy.shape[2] - 1
    cost, gained, tie = np.empty(room), np.empty(room), np.empty(room)
    tied, bits = tie_first.shape[0] > 0, np.zeros(1)
    chain, line, spare = (
        np.empty((room, USED + future.shape[1]), np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
    )
    costs_here, rights_here = np.empty(room), np.empty(room)
    number, starts, seen_here = (
        np.full(sizes.shape[0], -1),
        np.empty(sizes.shape[0] + 1, np.int64),
        np.empty(sizes.shape[0], np.int64),
    )
    soonest = np.empty((sizes.shape[0] + 1, max(slopes.shape[0], 1)))  # and last of all groups
    piece_ends = np.empty(can_end.shape[0], np.int64)
    set_number, one_of, best_rights = sweep_room(group, keep, inside, furthest)
    heads = np.full((begins.shape[0], nodes), -1)
    born_cells = cells_at_birth(heights) if lined and set_number.shape[0] > 0 and beam == 0 else 0
    born = np.full((nodes, begins.shape[0], heights.shape[3], born_cells), np.float32(np.inf))
    born_per = (born_cells - 1) / (summit - base)
    most_found = max(room // 8, 1024)
    found_cost, found_right = np.empty(most_found), np.empty(most_found)
    found_keys = np.empty((most_found, width), np.int64)
    top, free, grown, found = 0, -1, 0, 0
    for step in range(nodes * codecs):
        v, codec = step // codecs, step % codecs
        total, reached = first[codec, v], dropped(0.0, 1.0, input_drops[codec, v])
        if lined:
            for k in range(LINES):
                slack[k] = heights[STAYING, v, 0, 0, k] - (total - slopes[k] * reached)
            fits = some_stretch(slack, line_most)
        else:
            k = cell_of(reached, base, per, cells)
            fits = total - slope * reached <= budget[place[STAYING, v, 0, bit[v]], k]
        if linked[source, v] and total < np.inf and fits:
            if top == room:
                stop[FULL], stop[1] = 1, grown
                return found_cost, found_right, found_keys, found
            cost[top], gained[top], tie[top] = total, reached, tie_first[codec, v] if tied else 0.0
            chain[top, PARENT], chain[top, NODE], chain[top, PARTS], chain[top, BEGIN] = -1, v, 1, 0
            chain[top, EVALUATED], chain[top, CODEC], chain[top, SEEN], chain[top, THRESHOLD] = 0, codec, bit[v], -1
            chain[top, LAST], chain[top, AFTER] = furthest[v, 0], heads[0, v]
            use(chain, top, USED, -1, group[v])
            heads[0, v] = top
            top += 1
            grown += 1

    for state in range(begins.shape[0]):
        if stop[0] != 0:
            break
        start, share, at = begins[state], stay[levels[state]], levels[state] if by_level else 0
        own = weight[levels[state]]
        for v in range(nodes):
            many, label = 0, heads[state, v]
            while label >= 0:
                line[many] = label
                many += 1
                label = chain[label, AFTER]
            if many == 0:
                continue
            sort_labels(line, spare, many, cost, tie, gained, chain, at_key, width)
            few = swept(
                line,
                spare,
                many,
                gained,
                chain,
                keep,
                v,
                future,
                required,
                fewest,
                most,
                limited,
                set_number,
                one_of,
                best_rights,
            )
            for i in range(few, many):  # dominated: others take their places
                chain[line[i], AFTER], free = free, line[i]
            if 0 < beam < few:
                few = _foremost(
                    line, few, beam, cost, gained, chain, place[STAYING, v, state], budget, slope, base, per, slopes,
                    line_most, heights[STAYING, v, state], bit[v],
                )  # fmt: skip
            groups = grouped(line, spare, few, chain, number, seen_here, starts)
            most_right, least = base, np.inf
            soonest[groups] = np.inf
            for g in range(groups):
                soonest[g] = np.inf
                for i in range(starts[g], starts[g + 1]):
                    costs_here[i], rights_here[i] = cost[line[i]], gained[line[i]]
                    least, most_right = min(least, costs_here[i]), max(most_right, rights_here[i])
                    if lined:
                        for k in range(LINES):
                            soonest[g, k] = min(soonest[g, k], costs_here[i] - slopes[k] * rights_here[i])
                    else:
                        soonest[g, 0] = min(soonest[g, 0], costs_here[i] - slope * rights_here[i])
                for k in range(soonest.shape[1]):
                    soonest[groups, k] = min(soonest[groups, k], soonest[g, k])
            # For each piece all labels, whose budgets lie beside each other; none where the best of them is too late.
            pieces = _ends(near[v, state], start, furthest[v, start], piece_ends)
            for p in range(pieces):
                end = piece_ends[p]
                less = max(0.0, cap - best_costs[ranked - 1]) if ranked > 0 and cap < np.inf else 0.0
                last, back, right = span[which[v], start, end] * factor[v], result[end, v], accuracy[at, end, final]
                earliest, best_right = ended(least, own, last, own, back), answered(most_right, share, right)
                ends = can_end[end] and earliest <= allowed[cell_of(best_right, base, fine_per, fine)] - less
                for i in range(few if ends else 0):
                    here = line[i]
                    c, a = ended(costs_here[i], own, last, own, back), answered(rights_here[i], share, right)
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
                        stop[FULL], stop[1] = 1, grown
                        return found_cost, found_right, found_keys, found
                    key = found_keys[found]
                    prefix(here, chain, at_key, key)
                    write_end(key, at_key, chain[here, PARTS], chain[here, EVALUATED], end + 1, index)
                    if tied:
                        time = tie_span[tie_which[v], start, end] * tie_factor[v]
                        bits[0] = ended(tie[here], share, time, share, tie_result[end, v])
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
                    piece = (span if option_exit[option] else bare)[which[v], start, end] * factor[v]
                    column = column_of(option_threshold[option], final)
                    right, fewer = accuracy[at, end, column], own - weight[after]
                    stays = inside and option_exit[option]
                    if lined:
                        may_go, may_stay = not falls, stays and not falls
                        for k in range(LINES):
                            over[k] = passed(0.0, own, piece, fewer, back) - slopes[k] * (leave * right)
                            slack[k] = heights[LEAVING, v, ahead, 0, k] - (soonest[groups, k] + over[k])
                        may_go = may_go or some_stretch(slack, line_most)
                        if stays and not may_go:
                            for k in range(LINES):
                                slack[k] = heights[STAYING, v, ahead, 0, k] - (soonest[groups, k] + over[k])
                            may_stay = may_stay or some_stretch(slack, line_most)
                        if not (may_go or may_stay):
                            continue
                    for g in range(groups):
                        if stop[0] != 0:
                            break
                        seen = seen_here[g]
                        if lined:
                            at_set = without(seen, bit[v])
                            for k in range(LINES):
                                slack[k] = heights[LEAVING, v, ahead, at_set, k] - (soonest[g, k] + over[k])
                            may_go, may_stay = some_stretch(slack, line_most), stays
                            if stays:
                                for k in range(LINES):
                                    slack[k] = heights[STAYING, v, ahead, at_set, k] - (soonest[g, k] + over[k])
                                may_stay = some_stretch(slack, line_most)
                        else:
                            earliest = passed(soonest[g, 0], own, piece, fewer, back) - slope * (leave * right)
                            may_stay = stays and earliest <= peaks[STAYING, v, ahead, seen] - less
                            may_go = earliest <= peaks[LEAVING, v, ahead, seen] - less
                            going, staying = place[LEAVING, v, ahead, seen], place[STAYING, v, ahead, seen]
                        for i in range(starts[g], starts[g + 1] if may_stay or may_go else starts[g]):
                            c = passed(costs_here[i], own, piece, fewer, back)
                            a = answered(rights_here[i], leave, right)
                            if lined:
                                away, stay_here = may_go, may_stay
                                if away:
                                    for k in range(LINES):
                                        slack[k] = heights[LEAVING, v, ahead, at_set, k] - (c - slopes[k] * a)
                                    away = some_stretch(slack, line_most)
                                if stay_here:
                                    for k in range(LINES):
                                        slack[k] = heights[STAYING, v, ahead, at_set, k] - (c - slopes[k] * a)
                                    stay_here = some_stretch(slack, line_most)
                            else:
                                k, sheared = cell_of(a, base, per, cells), c - slope * a
                                away = may_go and sheared <= budget[going, k] - less
                                stay_here = may_stay and sheared <= budget[staying, k] - less
                            here = line[i]
                            if not (away or stay_here) or end > chain[here, LAST]:
                                continue
                            away = away and chain[here, PARTS] < most
                            for step in range(nodes * codecs):
                                w, codec = step // codecs, step % codecs
                                total, reached, then = c, a, seen
                                if w == v:
                                    if not stay_here or codec > 0:
                                        continue
                                else:
                                    if not away or not may_follow(v, w, chain, here, USED, group, rank, linked):
                                        continue
                                    total = crossed(c, weight[after], send[codec, end, v, w])
                                    reached, then = dropped(a, onward, drops[codec, end]), seen | bit[w]
                                if lined:
                                    to_set = without(then, bit[w])
                                    for k in range(LINES):
                                        slack[k] = heights[STAYING, w, ahead, to_set, k] - (total - slopes[k] * reached)
                                    fits = some_stretch(slack, line_most)
                                else:
                                    k = cell_of(reached, base, per, cells)
                                    fits = total - slope * reached <= budget[place[STAYING, w, ahead, then], k] - less
                                if not fits or not total < np.inf:
                                    continue
                                if born_cells > 0:
                                    mean = reached / max(1.0 - onward, _TINY)
                                    k = cell_of(mean, base, born_per, born_cells - 1)
                                    if total > born[w, ahead, to_set, k]:
                                        continue
                                    costly, k = np.float32(total + abs(total) * _ROUNDED), k - 1
                                    while k >= 0 and born[w, ahead, to_set, k] > costly:
                                        born[w, ahead, to_set, k] = costly
                                        k -= 1
                                new = free if free >= 0 else top
                                if new == room or grown == patience:
                                    stop[FULL], stop[1] = 1, grown
                                    return found_cost, found_right, found_keys, found
                                cost[new], gained[new], tie[new] = total, reached, 0.0
                                following = chain[new, AFTER]
                                chain[new, PARENT], chain[new, NODE], chain[new, BEGIN] = here, w, end + 1
                                chain[new, PARTS] = chain[here, PARTS] + (w != v)
                                chain[new, EVALUATED] = chain[here, EVALUATED] + option_exit[option]
                                chain[new, CODEC], chain[new, SEEN] = codec, then
                                use(chain, new, USED, here, group[w])
                                chain[new, THRESHOLD] = option_threshold[option]
                                chain[new, LAST] = furthest[w, end + 1] if w != v else chain[here, LAST]
                                if chain[new, PARTS] == most and not uses(chain, new, USED, required):
                                    chain[new, AFTER] = following
                                    continue
                                if tied:
                                    times = tie_span if option_exit[option] else tie_bare
                                    time = times[tie_which[v], start, end] * tie_factor[v]
                                    time = passed(tie[here], share, time, leave, tie_result[end, v])
                                    tie[new] = crossed(time, onward, tie_send[codec, end, v, w]) if w != v else time
                                chain[new, AFTER], heads[ahead, w] = heads[ahead, w], new
                                if new == free:
                                    free = following
                                else:
                                    top += 1
                                grown += 1
        stop[1] = grown
    stop[1] = grown
    return found_cost, found_right, found_keys, found


@compiled
def _foremost(
    line: Ints, few: int, beam: int, cost: Floats, gained: Floats, chain: Ints, place: NDArray[np.int32],
    budget: NDArray[np.float32], slope: float, base: float, per: float, slopes: Floats,
    line_most: Floats, heights: Heights, bit: int,
) -> int:  # fmt: skip
    """Bring those labels to the front that are furthest below their budgets, and return their number."""
    cells = budget.shape[1] - 1
    over = np.empty(few)
    for i in range(few):
        here = line[i]
        if slopes.shape[0] > 0:
            row = heights[without(chain[here, SEEN], bit)]
            over[i] = cost[here] - most_by_lines(gained[here], row, line_most, slopes)
        else:
            k = cell_of(gained[here], base, per, cells)
            over[i] = cost[here] - slope * gained[here] - budget[place[chain[here, SEEN]], k]
    for i in range(beam):
        least = i
        for j in range(i + 1, few):
            if over[j] < over[least]:
                least = j
        line[i], line[least] = line[least], line[i]
        over[i], over[least] = over[least], over[i]
    return beam


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


@compiled
def _ends(near: NDArray[np.bool_], start: int, last: int, ends: Ints) -> int:
    """Write the last blocks of pieces that may be of interest, by stretch of blocks, and return their number."""
    count = 0
    for stretch in range(start >> SHIFT, (last >> SHIFT) + 1):
        if near[stretch]:
            for end in range(max(start, stretch << SHIFT), min(last + 1, (stretch + 1) << SHIFT)):
                ends[count] = end
                count += 1
    return count
