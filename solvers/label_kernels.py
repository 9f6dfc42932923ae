"""Numba kernels of the label solver: budgets backward, labels forward (see `tiercut.solvers.labels`).

Accuracy that has been gained so far is sorted into CELLS cells; a label in cell k has gained at most k / CELLS. All
rounding goes towards keeping a label, so that no cell is too coarse to be right, only too coarse to be quick.

NOTE: kernels that call each other live in this one file, because numba's cache does not see edits in another.
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

__all__ = ["allowances", "budgets", "grow_labels"]


@compiled
def _cell(accuracy: float, cells: int) -> int:
    """Return the first cell that surely holds an accuracy."""
    return min(int(accuracy * cells) + 1, cells)


@compiled
def _shift(gain: float, cells: int) -> int:
    """Return by how many cells a gain lifts a label at most."""
    return int(np.ceil(gain * cells))


@compiled
def allowances(costs: Floats, accuracies: Floats, count: int, cost_cap: float, floor: float, cells: int) -> Floats:
    """Return for each cell the most that a plan of such an accuracy may cost to be of interest.

    Parameters
    ----------
    costs, accuracies, count
        The frontier so far, rising in both; with a count of 0 the bounds alone decide.
    cost_cap, floor
        Most cost, and least accuracy.
    """
    made = np.empty(cells + 1)
    place = 0
    for k in range(cells + 1):
        y = k / cells
        # A cell holds accuracies up to y; what beats the frontier there costs no more than the first point above it.
        while place < count and accuracies[place] < y:
            place += 1
        most = cost_cap if place == count else min(cost_cap, costs[place])
        made[k] = -np.inf if y < floor else most * (1 + 1e-12) + 1e-15
    return made


@compiled
def budgets(
    allowed: Floats,
    stay: Floats,
    accuracy: Floats,
    middle: Floats,
    last: Floats,
    send: Floats,
    result: Floats,
    can_cut: Bools,
    can_end: Bools,
    group: Ints,
    rank: Ints,
    linked: Bools,
    budget: Floats,
    leaving: Floats,
    stop: Ints,
) -> None:
    """Fill in how much a label may have cost so far and still be of interest, nodes being free to be used again.

    Parameters
    ----------
    allowed
        Of `allowances`, C+1.
    stay
        N+1, for one threshold.
    accuracy, middle, last, send, result, can_cut, can_end, group, rank, linked
        As in `tiercut.optimizer.kernels.enumerate_plans`.
    budget
        (N+1) x M x (C+1), filled: i blocks are done and node v is to go on, k cells of accuracy are gained.
    leaving
        The same before the output of block i is sent away from v to whichever node is best.
    stop
        Read now and then: a value that is not 0 ends the work.
    """
    blocks, nodes, cells = accuracy.shape[0], group.shape[0], allowed.shape[0] - 1
    low, high = 1.0, 0.0
    for i in range(blocks):
        if can_end[i]:
            low, high = min(low, accuracy[i]), max(high, accuracy[i])
    tops = np.empty(blocks + 1, np.int64)
    for i in range(blocks + 1):
        tops[i] = min(int((1.0 - stay[i]) * high * cells) + 2, cells)
    for start in range(blocks - 1, -1, -1):
        if stop[0] != 0:
            return
        share, top = stay[start], tops[start]
        bottom = int((1.0 - share) * low * cells)
        for v in range(nodes):
            row = budget[start, v]
            row[bottom : top + 1] = -np.inf
            for end in range(start, blocks):
                if can_end[end]:
                    shift, cost = _shift(share * accuracy[end], cells), share * last[v, start, end]
                    edge = min(top, cells - shift)
                    for k in range(bottom, edge + 1):
                        row[k] = max(row[k], allowed[k + shift] - cost)
                    for k in range(max(edge + 1, bottom), top + 1):
                        row[k] = max(row[k], allowed[cells] - cost)
                if can_cut[end] and end < blocks - 1:
                    leave = share - stay[end + 1]
                    shift = _shift(leave * accuracy[end], cells)
                    cost = share * middle[v, start, end] + leave * result[end, v]
                    onward, roof = leaving[end + 1, v], tops[end + 1]
                    edge = min(top, roof - shift)
                    for k in range(bottom, edge + 1):
                        row[k] = max(row[k], onward[k + shift] - cost)
                    for k in range(max(edge + 1, bottom), top + 1):
                        row[k] = max(row[k], onward[roof] - cost)
        if start == 0:
            return
        for v in range(nodes):
            row = leaving[start, v]
            row[bottom : top + 1] = -np.inf
            for w in range(nodes):
                if group[w] == group[v] or rank[w] < rank[v] or not linked[v, w]:
                    continue
                cost, ahead = share * send[start - 1, v, w], budget[start, w]
                for k in range(bottom, top + 1):
                    row[k] = max(row[k], ahead[k] - cost)


@compiled
def _prefix(label: int, nodes: Ints, ends: Ints, parents: Ints, parts: Ints, most: int, key: Ints) -> None:
    """Write the partitions and nodes that lead to a label into a key; its own node is written, its own end is not."""
    key[:] = 0
    key[0] = parts[label]
    place = parts[label] - 1
    while label >= 0:
        key[1 + most + place] = nodes[label]
        if place > 0:
            key[place] = ends[label]
        label = parents[label]
        place -= 1


@compiled
def _earlier(
    left: int, right: int, nodes: Ints, ends: Ints, parents: Ints, parts: Ints, most: int, one: Ints, two: Ints
) -> bool:
    """Return whether the plans of the left label come first among equals."""
    _prefix(left, nodes, ends, parents, parts, most, one)
    _prefix(right, nodes, ends, parents, parts, most, two)
    for i in range(one.shape[0]):
        if one[i] != two[i]:
            return bool(one[i] < two[i])
    return True


@compiled
def grow_labels(
    lane: int,
    most: int,
    source: int,
    first: Floats,
    middle: Floats,
    last: Floats,
    send: Floats,
    result: Floats,
    stay: Floats,
    accuracy: Floats,
    can_cut: Bools,
    can_end: Bools,
    group: Ints,
    rank: Ints,
    linked: Bools,
    future: Ints,
    budget: Floats,
    leaving: Floats,
    allowed: Floats,
    cost_cap: float,
    floor: float,
    keep: int,
    cap: float,
    best_costs: Floats,
    room: int,
    stop: Ints,
) -> Any:
    """Grow all labels of one threshold that their budget allows, and return the plans they end in.

    Parameters
    ----------
    lane
        0-based threshold; plans with one exit are counted for the first alone.
    most, source, first, ..., linked
        As in `tiercut.optimizer.kernels.enumerate_plans`, `stay` for this threshold alone.
    future
        M: the groups that may still follow a node, as bits.
    budget, leaving, allowed
        Of `budgets` and `allowances`.
    cost_cap, floor
        The bounds of the question: most cost and least accuracy.
    keep
        How many labels must dominate one before it is dropped: 1, or N for the N best.
    cap, best_costs
        For the N best by cost: the cost of the N-th plan that is known already, and the costs of the N best found here,
        rising, infinite where there are fewer; empty for other questions. Updated.
    room
        Most labels; more end the work.
    stop
        ``[stop, labels made]``; written and read.

    Returns
    -------
    tuple
        Costs, accuracies and keys of the plans, and their number.
    """
    # One loop nest over labels in a linked list for each (block, node): split, every part would need twenty arrays.
    blocks, nodes, cells = accuracy.shape[0], group.shape[0], allowed.shape[0] - 1
    size = 1024
    cost, gained = np.empty(size), np.empty(size)
    used, parent = np.empty(size, np.int64), np.empty(size, np.int64)
    node, begun = np.empty(size, np.int64), np.empty(size, np.int64)
    parts, after = np.empty(size, np.int64), np.empty(size, np.int64)
    alive = np.empty(size, np.bool_)
    heads = np.full((blocks + 1, nodes), -1)
    found_cost, found_right = np.empty(64), np.empty(64)
    found_keys = np.zeros((64, 2 * most + 2), np.int64)
    one, two = np.zeros(2 * most + 2, np.int64), np.zeros(2 * most + 2, np.int64)
    count, found = 0, 0
    ranked = best_costs.shape[0]

    for v in range(nodes):
        if linked[source, v] and first[v] <= budget[0, v, _cell(0.0, cells)]:
            cost[count], gained[count] = first[v], 0.0
            used[count], parent[count], node[count] = 1 << group[v], -1, v
            begun[count], parts[count], after[count], alive[count] = 0, 1, -1, True
            heads[0, v] = count
            count += 1

    for start in range(blocks):
        if stop[0] != 0:
            break
        share = stay[start]
        for v in range(nodes):
            label = heads[start, v]
            while label >= 0:
                here, label = label, after[label]
                if not alive[here]:
                    continue
                so_far, right = cost[here], gained[here]
                less = max(0.0, cap - best_costs[ranked - 1]) if ranked > 0 and cap < np.inf else 0.0
                for end in range(start, blocks):
                    if can_end[end] and (lane == 0 or parts[here] > 1):
                        c = so_far + share * last[v, start, end]
                        a = right + share * accuracy[end]
                        if c <= allowed[_cell(a, cells)] - less and c <= cost_cap and a >= floor:
                            if found == found_cost.shape[0]:
                                found_cost, found_right = _longer(found_cost), _longer(found_right)
                                found_keys = _longer_rows(found_keys)
                            _prefix(here, node, begun, parent, parts, most, found_keys[found])
                            found_keys[found, parts[here]] = end + 1
                            found_keys[found, 2 * most + 1] = lane
                            found_cost[found], found_right[found] = c, a
                            found += 1
                            if ranked > 0:
                                _insert(best_costs, c)
                            elif keep == 1:
                                k = int(a * cells)
                                while k >= 0 and allowed[k] > c * (1 + 1e-12) + 1e-15:
                                    allowed[k] = c * (1 + 1e-12) + 1e-15
                                    k -= 1
                    if end == blocks - 1 or not can_cut[end] or parts[here] == most:
                        continue
                    leave = share - stay[end + 1]
                    c = so_far + share * middle[v, start, end] + leave * result[end, v]
                    a = right + leave * accuracy[end]
                    k = _cell(a, cells)
                    if c > leaving[end + 1, v, k] - less:
                        continue
                    for w in range(nodes):
                        if (used[here] >> group[w]) & 1 or rank[w] < rank[v] or not linked[v, w]:
                            continue
                        total = c + stay[end + 1] * send[end, v, w]
                        if total > budget[end + 1, w, k] - less:
                            continue
                        if count == size:
                            if count >= room:
                                stop[0] = 2
                                return found_cost, found_right, found_keys, found
                            cost, gained = _longer(cost), _longer(gained)
                            used, parent, node = _longer_ints(used), _longer_ints(parent), _longer_ints(node)
                            begun, parts, after = _longer_ints(begun), _longer_ints(parts), _longer_ints(after)
                            alive = _longer_flags(alive)
                            size = 2 * size
                        mask = used[here] | (1 << group[w])
                        cost[count], gained[count] = total, a
                        used[count], parent[count], node[count] = mask, here, w
                        begun[count], parts[count], alive[count] = end + 1, parts[here] + 1, True
                        # The list of (end + 1, w) is sorted by cost: only what stands before can dominate.
                        ahead, better = heads[end + 1, w], 0
                        before = -1
                        matter = mask & future[w]
                        while ahead >= 0 and cost[ahead] <= total:
                            if alive[ahead] and gained[ahead] >= a and (used[ahead] & future[w] & ~matter) == 0:
                                same = cost[ahead] == total and gained[ahead] == a
                                if not same or _earlier(ahead, count, node, begun, parent, parts, most, one, two):
                                    better += 1
                                    if better >= keep:
                                        break
                            before, ahead = ahead, after[ahead]
                        if better >= keep:
                            continue
                        after[count] = ahead
                        if before < 0:
                            heads[end + 1, w] = count
                        else:
                            after[before] = count
                        if keep == 1:
                            _drop_dominated(
                                count, heads[end + 1, w], cost, gained, used, after, alive, future[w],
                                node, begun, parent, parts, most, one, two,
                            )  # fmt: skip
                        count += 1
        stop[1] = count
    stop[1] = count
    return found_cost, found_right, found_keys, found


@compiled
def _drop_dominated(
    label: int,
    head: int,
    cost: Floats,
    gained: Floats,
    used: Ints,
    after: Ints,
    alive: Bools,
    future: int,
    node: Ints,
    begun: Ints,
    parent: Ints,
    parts: Ints,
    most: int,
    one: Ints,
    two: Ints,
) -> None:
    """Mark what a new label dominates in its list."""
    other = head
    while other >= 0:
        if other != label and alive[other] and cost[other] >= cost[label] and gained[other] <= gained[label]:
            inside = (used[label] & future & ~used[other]) == 0
            same = cost[other] == cost[label] and gained[other] == gained[label]
            if inside and (not same or _earlier(label, other, node, begun, parent, parts, most, one, two)):
                alive[other] = False
        other = after[other]


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
def _longer(values: Floats) -> Floats:
    made = np.empty(2 * values.shape[0])
    made[: values.shape[0]] = values
    return made


@compiled
def _longer_ints(values: Ints) -> Ints:
    made = np.empty(2 * values.shape[0], np.int64)
    made[: values.shape[0]] = values
    return made


@compiled
def _longer_flags(values: Bools) -> Bools:
    made = np.empty(2 * values.shape[0], np.bool_)
    made[: values.shape[0]] = values
    return made


@compiled
def _longer_rows(values: Ints) -> Ints:
    made = np.zeros((2 * values.shape[0], values.shape[1]), np.int64)
    made[: values.shape[0]] = values
    return made
