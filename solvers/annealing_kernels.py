"""Numba kernels of the heuristics: the score of one walk, moves that change it, chains of moves, what is worth keeping.

A walk is a row of integers, ``[parts | last block of each part | node of each | way over each cut | option of each
block | lane]``: blocks 1-based, the rest 0-based (see `tiercut.optimizer.space`). Parts have nodes of different groups,
cuts stand where they may; everything else that a question forbids counts as a *violation*, so that a search can cross
it. What a row holds beyond its parts is remembered, not part of the walk; a key (`tiercut.optimizer.keys`) omits it.

NOTE: kernels that call each other live in this one file, because numba's cache does not see edits in another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tiercut.optimizer.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]
    State = NDArray[np.uint64]

__all__ = ["MOVES", "Ground", "anneal", "cross_rows", "improve_rows", "keep_rows", "random_rows", "score_rows"]

MOVES = 8
"""Kinds of moves: shift a cut, another node, nodes in another order, add a part, remove one, lane, option, way."""

_EXPLORED = 0.15  # share of chains that begin anywhere
_STEP = 4  # a small shift of a cut goes so far at most


class Ground(NamedTuple):
    """What walks are made of and scored by: S bounded measures beside the objective, which stands before them.

    Other sizes are as in `tiercut.optimizer.space`. NOTE: only kernels that are called from outside take the ground;
    those that they call get its arrays one by one, because numba counts references at every look into a tuple.

    Parameters
    ----------
    rules
        Most and fewest partitions, whether exits may stand inside a part, lanes and ways, and where exits, thresholds
        and codecs stand in a key.
    first
        (S+1) x M: as in `tiercut.optimizer.space.Costs`; infinite without a path from the source.
    pieces
        3 x (S+1) x M x N x N: blocks without a branch, with one, and with the last branch and its result's way home.
    send
        W x N x M x M x (S+1); infinite without a path.
    result
        N x M x (S+1).
    stay, jump
        Q x L and Q x N x O: the tables of levels.
    gains
        (1+W) x N: accuracy of each branch, and the fall in accuracy over a cut after each block by each way.
    thresholds, nodes
        O: the threshold of each option. 2 x M: group and rank.
    fits
        N x O: 1 where an option asks an exit, 0 where it asks none, -1 where it cannot be after a block.
    places
        6 x (N+1): blocks (0-based, rising) where a part that is not the last may end, and before each block the number
        of them; the same for the last one, and for exits inside a part. The last column counts.
    limits
        3 x (S+2): greatest values, slack included; by what violations are divided; whether pieces count whole. The
        last column is about accuracy, with its sign turned.
    required
        As in `tiercut.optimizer.space.Space`.
    shares
        `MOVES` rising numbers up to 1: which share of the moves is of a kind, or of one before it.
    """

    rules: Ints
    first: Floats
    pieces: Floats
    send: Floats
    result: Floats
    stay: Floats
    jump: Ints
    gains: Floats
    thresholds: Ints
    nodes: Ints
    fits: Ints
    places: Ints
    limits: Floats
    required: Ints
    shares: Floats


_GROUP, _RANK = 0, 1
_MOST, _FEWEST, _INSIDE, _LANES, _WAYS, _EXITS_AT, _THRESHOLDS_AT, _CODECS_AT = range(8)
_CUTS, _CUTS_BEFORE, _ENDS, _ENDS_BEFORE, _EXITS, _EXITS_BEFORE = range(6)
_CAP, _SCALE, _WHOLE = 0, 1, 2
_BARE, _SPAN, _LAST = 0, 1, 2


# Random numbers


@compiled
def _draw(state: State) -> float:
    """Return a random number in [0, 1): splitmix64, which needs no more than its one word of state."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return float(z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@compiled
def _below(state: State, count: int) -> int:
    """Return a random integer in 0..count-1."""
    return int(_draw(state) * count)


# The score of a walk


@compiled
def _score(
    row: Ints, rules: Ints, first: Floats, pieces: Floats, send: Floats, result: Floats, stay: Floats, jump: Ints,
    gains: Floats, nodes: Ints, fits: Ints, limits: Floats, required: Ints, totals: Floats,
) -> Any:  # fmt: skip
    """Return cost, accuracy and violation of a walk; terms are added in the order of `walk_plans`, to the last bit."""
    most, inside, measures = rules[_MOST], rules[_INSIDE], first.shape[0]
    parts, lane, at = row[0], row[-1], 1 + 3 * most
    v = row[1 + most]
    right, wrong = 0.0, 0.0
    for s in range(measures):
        totals[s] = first[s, v]
    start, level, part = 0, 0, 0
    while True:
        stop = row[1 + part] - 1
        end = stop
        if inside:
            for block in range(start, stop):
                if fits[block, row[at + block]] > 0:
                    end = block
                    break
        share = stay[level, lane]
        if part == parts - 1 and end == stop:
            break
        option = row[at + end]
        after = jump[level, end, option]
        onward = stay[after, lane]
        leave = share - onward
        asks = fits[end, option]
        right = right + leave * gains[0, end]
        w, way = v, 0
        if end == stop:
            w, way = row[2 + most + part], row[1 + 2 * most + part]
            wrong += nodes[_RANK, w] < nodes[_RANK, v]
            right = right - onward * gains[1 + way, end]
        for s in range(measures):
            weight = 1.0 if limits[_WHOLE, s] else share
            total = totals[s] + weight * pieces[asks, s, v, start, end] + leave * result[end, v, s]
            if end == stop:
                total = total + onward * send[way, end, v, w, s]
            if total < np.inf:  # not nan either: a forbidden piece that nobody gets to
                totals[s] = total
            else:
                wrong += 1.0
        start, level = end + 1, after
        if end == stop:
            part += 1
            v = w
    right = right + share * gains[0, stop]
    for s in range(measures):
        weight = 1.0 if limits[_WHOLE, s] else share
        total = totals[s] + weight * pieces[_LAST, s, v, start, stop]
        if total < np.inf:
            totals[s] = total
        else:
            wrong += 1.0
    return totals[0], right, wrong + _missed(row, rules, nodes, limits, required, totals, right)


@compiled
def _missed(row: Ints, rules: Ints, nodes: Ints, limits: Floats, required: Ints, totals: Floats, right: float) -> float:
    """Return by how much bounds and rules for the whole plan are missed."""
    wrong = float(max(rules[_FEWEST] - row[0], 0))
    if required.shape[0] > 0:
        used = 0
        for part in range(row[0]):
            used |= 1 << nodes[_GROUP, row[1 + rules[_MOST] + part]]
        for mask in required:
            wrong += (used & mask) == 0
    measures = totals.shape[0]
    for s in range(measures):
        if totals[s] > limits[_CAP, s]:
            over = (totals[s] - limits[_CAP, s]) / limits[_SCALE, s]
            wrong += over if over < 1e6 else 1e6
    if -right > limits[_CAP, measures]:
        wrong += (-right - limits[_CAP, measures]) / limits[_SCALE, measures]
    return wrong


@compiled
def score_rows(rows: Ints, g: Ground, costs: Floats, accuracies: Floats, violations: Floats) -> None:
    """Write cost, accuracy and violation of K walks into the arrays, K each."""
    rules, stay, jump, nodes, fits, limits = g.rules, g.stay, g.jump, g.nodes, g.fits, g.limits
    first, pieces, send, result, gains, required = g.first, g.pieces, g.send, g.result, g.gains, g.required
    totals = np.empty(first.shape[0])
    for k in range(rows.shape[0]):
        made = _score(
            rows[k], rules, first, pieces, send, result, stay, jump, gains, nodes, fits, limits, required, totals
        )
        costs[k], accuracies[k], violations[k] = made


# Rows and keys


@compiled
def _write_key(row: Ints, rules: Ints, thresholds: Ints, fits: Ints, key: Ints) -> None:
    key[:] = 0
    most, inside = rules[_MOST], rules[_INSIDE]
    exits_at, thresholds_at, codecs_at = rules[_EXITS_AT], rules[_THRESHOLDS_AT], rules[_CODECS_AT]
    parts, options = row[0], 1 + 3 * most
    key[0] = parts
    start, place, asked = 0, 0, 0
    for part in range(parts):
        stop = row[1 + part] - 1
        key[1 + part] = stop + 1
        key[1 + most + part] = row[1 + most + part]
        if codecs_at >= 0 and part < parts - 1:
            key[codecs_at + part] = row[1 + 2 * most + part]
        for block in range(start if inside else stop, stop + 1):
            option = row[options + block]
            if (part == parts - 1 and block == stop) or fits[block, option] <= 0:
                continue
            asked += 1
            if exits_at >= 0:
                key[exits_at + place] = block + 1
            if thresholds_at >= 0:
                key[thresholds_at + place] = thresholds[option]
            place += 1
        start = stop + 1
    if exits_at >= 0:
        key[exits_at + place] = row[parts]
    key[-1] = row[-1] if asked > 0 else 0


@compiled
def _read_key(key: Ints, rules: Ints, row: Ints) -> None:
    row[:] = 0
    most, inside = rules[_MOST], rules[_INSIDE]
    exits_at, thresholds_at, codecs_at = rules[_EXITS_AT], rules[_THRESHOLDS_AT], rules[_CODECS_AT]
    parts, options = key[0], 1 + 3 * most
    row[: 1 + 2 * most] = key[: 1 + 2 * most]
    row[-1] = key[-1]
    if codecs_at >= 0:
        row[1 + 2 * most : 1 + 2 * most + parts] = key[codecs_at : codecs_at + parts]
    asking = 1 if inside else 0
    place = 0
    while key[place + (exits_at if inside else 1)] < key[parts]:
        block = key[place + (exits_at if inside else 1)] - 1
        row[options + block] = asking + (key[thresholds_at + place] if thresholds_at >= 0 else 0)
        place += 1


# Moves


@compiled
def _can_end(places: Ints, block: int) -> bool:
    return bool(places[_ENDS_BEFORE, block + 1] > places[_ENDS_BEFORE, block])


@compiled
def _free_node(row: Ints, most: int, nodes: Ints, state: State, but: int) -> int:
    """Return a random node whose group no part uses, except perhaps part `but`; -1 if luck finds none."""
    for _ in range(6):
        w = _below(state, nodes.shape[1])
        free = True
        for part in range(row[0]):
            v = row[1 + most + part]
            free = free and (v != w if part == but else nodes[_GROUP, v] != nodes[_GROUP, w])
        if free:
            return w
    return -1


@compiled
def _random_option(inside: int, fits: Ints, state: State, block: int) -> int:
    """Return a random option that a cut after the block may have."""
    options = fits.shape[1]
    option = 0
    if options > 1 and (not inside or _draw(state) < 0.5):
        option = _below(state, options)
    return option if fits[block, option] >= 0 else 0


@compiled
def _near(state: State, place: int, low: int, high: int) -> int:
    """Return another place in low..high-1: near, or anywhere."""
    if _draw(state) < 0.7:
        step = 1 + _below(state, _STEP)
        return min(max(place + (step if _draw(state) < 0.5 else -step), low), high - 1)
    return low + _below(state, high - low)


@compiled
def _shift_cut(row: Ints, rules: Ints, places: Ints, fits: Ints, state: State) -> bool:
    parts, options = row[0], 1 + 3 * rules[_MOST]
    part = _below(state, parts)
    begin = row[part] if part > 0 else 0
    was = row[1 + part] - 1
    if part == parts - 1:
        low, high = places[_ENDS_BEFORE, begin], places[_ENDS_BEFORE, -1]
        block = places[_ENDS, _near(state, places[_ENDS_BEFORE, was], low, high)]
    else:
        low, high = places[_CUTS_BEFORE, begin], places[_CUTS_BEFORE, row[2 + part] - 1]
        block = places[_CUTS, _near(state, places[_CUTS_BEFORE, was], low, high)]
        option = row[options + was]
        if block != was and fits[block, option] >= 0:
            row[options + block] = option
            if rules[_INSIDE]:
                row[options + was] = 0
    row[1 + part] = block + 1
    return bool(block != was)


@compiled
def _change_node(row: Ints, rules: Ints, nodes: Ints, state: State) -> bool:
    part = _below(state, row[0])
    w = _free_node(row, rules[_MOST], nodes, state, part)
    if w < 0:
        return False
    row[1 + rules[_MOST] + part] = w
    return True


@compiled
def _reorder(row: Ints, rules: Ints, state: State) -> bool:
    """Let two parts swap their nodes, or let one node go elsewhere in the order."""
    if row[0] < 2:
        return False
    i, j = _below(state, row[0]), _below(state, row[0])
    at = 1 + rules[_MOST]
    v = row[at + i]
    if _draw(state) < 0.6:
        row[at + i], row[at + j] = row[at + j], v
    else:
        step = 1 if j > i else -1
        for part in range(i, j, step):
            row[at + part] = row[at + part + step]
        row[at + j] = v
    return i != j


@compiled
def _add_part(row: Ints, rules: Ints, places: Ints, nodes: Ints, fits: Ints, state: State) -> bool:
    parts, most = row[0], rules[_MOST]
    w = _free_node(row, rules[_MOST], nodes, state, -1) if parts < most else -1
    if w < 0:
        return False
    part = _below(state, parts)
    begin, stop = row[part] if part > 0 else 0, row[1 + part] - 1
    longer = part == parts - 1 and places[_ENDS_BEFORE, stop + 1] < places[_ENDS_BEFORE, -1] and fits[stop, 0] >= 0
    if longer and _draw(state) < 0.4:  # go on where the walk ended
        block, w_first = stop, False
        low = places[_ENDS_BEFORE, stop + 1]
        stop = places[_ENDS, low + _below(state, places[_ENDS_BEFORE, -1] - low)]
    else:
        low, high = places[_CUTS_BEFORE, begin], places[_CUTS_BEFORE, stop]
        if high <= low:
            return False
        block, w_first = places[_CUTS, low + _below(state, high - low)], _draw(state) < 0.5
    for k in range(parts, part, -1):
        for at in (1, 1 + most, 1 + 2 * most):
            row[at + k] = row[at + k - 1]
    row[0] = parts + 1
    row[1 + part], row[2 + part] = block + 1, stop + 1
    row[1 + most + part + (0 if w_first else 1)] = w
    row[1 + 2 * most + part] = _below(state, rules[_WAYS])
    row[1 + 3 * most + block] = _random_option(rules[_INSIDE], fits, state, block)
    return True


@compiled
def _remove_part(row: Ints, rules: Ints, places: Ints, state: State) -> bool:
    parts, most = row[0], rules[_MOST]
    if parts < 2:
        return False
    part = _below(state, parts)
    trims = part == parts - 1 and _can_end(places, row[part] - 1) and _draw(state) < 0.5
    if not trims and (part == parts - 1 or (part > 0 and _draw(state) < 0.5)):
        if rules[_INSIDE]:
            row[1 + 3 * most + row[part] - 1] = 0
        row[part] = row[1 + part]  # the part before takes its blocks
    elif not trims and rules[_INSIDE]:
        row[1 + 3 * most + row[1 + part] - 1] = 0
    for k in range(part, parts - 1):
        for at in (1, 1 + most, 1 + 2 * most):
            row[at + k] = row[at + k + 1]
    row[0] = parts - 1
    return True


@compiled
def _change_lane(row: Ints, rules: Ints, state: State) -> bool:
    lanes = rules[_LANES]
    was = row[-1]
    row[-1] = _near(state, was, 0, lanes) if _draw(state) < 0.7 else _below(state, lanes)
    return bool(row[-1] != was)


@compiled
def _change_option(row: Ints, rules: Ints, places: Ints, fits: Ints, state: State) -> bool:
    """Set, move or take away an exit inside a part, or give an exit another threshold."""
    options, at = fits.shape[1], 1 + 3 * rules[_MOST]
    low = 1 if rules[_INSIDE] else 0
    if not rules[_INSIDE]:
        if row[0] < 2 or options < 2:
            return False
        at += row[1 + _below(state, row[0] - 1)] - 1
        row[at] = _near(state, row[at], 0, options)
        return True
    open_ = places[_EXITS_BEFORE, row[row[0]] - 1]
    if open_ == 0:
        return False
    place = _below(state, open_)
    if _draw(state) < 0.5:  # one that stands, if there is one further on
        while place < open_ - 1 and fits[places[_EXITS, place], row[at + places[_EXITS, place]]] <= 0:
            place += 1
    block = places[_EXITS, place]
    option = row[at + block]
    if fits[block, option] <= 0:
        row[at + block] = low + _below(state, options - low)
        return True
    luck = _draw(state)
    if options > 2 and luck < 0.5:
        row[at + block] = _near(state, option, low, options)
        return True
    row[at + block] = 0
    if luck < 0.75:
        row[at + places[_EXITS, _near(state, place, 0, open_)]] = option
    return True


@compiled
def _change_way(row: Ints, rules: Ints, state: State) -> bool:
    if row[0] < 2:
        return False
    row[1 + 2 * rules[_MOST] + _below(state, row[0] - 1)] = _below(state, rules[_WAYS])
    return True


@compiled
def _move(row: Ints, rules: Ints, places: Ints, nodes: Ints, fits: Ints, shares: Floats, state: State) -> bool:
    """Change a walk a little; return whether it may be another now."""
    luck = _draw(state)
    kind = 0
    while luck >= shares[kind]:
        kind += 1
    if kind == 0:
        changed = _shift_cut(row, rules, places, fits, state)
    elif kind == 1:
        changed = _change_node(row, rules, nodes, state)
    elif kind == 2:
        changed = _reorder(row, rules, state)
    elif kind == 3:
        changed = _add_part(row, rules, places, nodes, fits, state)
    elif kind == 4:
        changed = _remove_part(row, rules, places, state)
    elif kind == 5:
        changed = _change_lane(row, rules, state)
    elif kind == 6:
        changed = _change_option(row, rules, places, fits, state)
    else:
        changed = _change_way(row, rules, state)
    return changed


@compiled
def _moves(row: Ints, rules: Ints, places: Ints, nodes: Ints, fits: Ints, shares: Floats, state: State) -> bool:
    """Change a walk by one move, or at times by several."""
    changed = _move(row, rules, places, nodes, fits, shares, state)
    while _draw(state) < 0.3:
        changed = _move(row, rules, places, nodes, fits, shares, state) or changed
    return changed


@compiled
def _random_row(row: Ints, rules: Ints, places: Ints, nodes: Ints, fits: Ints, shares: Floats, state: State) -> None:
    """Fill a row with a walk of one part, changed some times."""
    row[:] = 0
    row[0] = 1
    row[1] = places[_ENDS, _below(state, places[_ENDS_BEFORE, -1])] + 1
    row[1 + rules[_MOST]] = _below(state, nodes.shape[1])
    row[-1] = _below(state, rules[_LANES])
    for _ in range(_below(state, 3 * rules[_MOST] + 2)):
        _move(row, rules, places, nodes, fits, shares, state)


@compiled
def random_rows(rows: Ints, g: Ground, state: State) -> None:
    """Fill K rows: first walks in one part for every node and end, up to half of the rows; the others at random.

    The whole network on one node is the plainest plan of all; it also tells how far costs and accuracies reach.
    """
    rules, places, nodes, fits, shares = g.rules, g.places, g.nodes, g.fits, g.shares
    wholes = min(nodes.shape[1] * places[_ENDS_BEFORE, -1], rows.shape[0] // 2)
    for k in range(rows.shape[0]):
        _random_row(rows[k], rules, places, nodes, fits, shares, state)
        if k < wholes:
            rows[k, 0] = 1
            rows[k, 1] = places[_ENDS, places[_ENDS_BEFORE, -1] - 1 - k // nodes.shape[1]] + 1
            rows[k, 1 + rules[_MOST]] = k % nodes.shape[1]
            if rules[_INSIDE]:
                rows[k, 1 + 3 * rules[_MOST] : -1] = 0


@compiled
def cross_rows(mothers: Ints, fathers: Ints, children: Ints, g: Ground, state: State) -> None:
    """Write for each pair a walk that begins as the mother and goes on as the father, and the other way round."""
    rules, places, nodes, fits = g.rules, g.places, g.nodes, g.fits
    pairs = mothers.shape[0]
    for k in range(pairs):
        block = 1 + _below(state, fits.shape[0])
        _cross(mothers[k], fathers[k], children[k], block, rules, places, nodes, fits)
        _cross(fathers[k], mothers[k], children[pairs + k], block, rules, places, nodes, fits)


@compiled
def _cross(head: Ints, tail: Ints, child: Ints, block: int, rules: Ints, places: Ints, nodes: Ints, fits: Ints) -> None:
    """Take the parts of `head` that end within the first blocks, then those of `tail` whose nodes are still free."""
    most, options = rules[_MOST], 1 + 3 * rules[_MOST]
    child[:] = head
    child[options + block : -1] = tail[options + block : -1]
    parts = 0
    while parts < head[0] - 1 and head[1 + parts] <= block:
        parts += 1
    for k in range(tail[0]):
        if parts == most or (parts > 0 and tail[1 + k] <= child[parts]):
            continue
        free = True
        for part in range(parts):
            free = free and nodes[_GROUP, child[1 + most + part]] != nodes[_GROUP, tail[1 + most + k]]
        if free:
            for at in (1, 1 + most, 1 + 2 * most):
                child[at + parts] = tail[at + k]
            parts += 1
    if parts == 0 or not _can_end(places, child[parts] - 1):
        child[:] = head
        return
    child[0] = parts
    for part in range(parts - 1):
        if fits[child[1 + part] - 1, child[options + child[1 + part] - 1]] < 0:
            child[options + child[1 + part] - 1] = 0


# What is worth keeping


@compiled
def _compare(left: Ints, right: Ints) -> int:
    for i in range(left.shape[0]):
        if left[i] != right[i]:
            return -1 if left[i] < right[i] else 1
    return 0


@compiled
def _wanted(
    cost: float, right: float, front: bool, by_accuracy: bool, costs: Floats, accuracies: Floats, count: int
) -> int:
    """Return where a walk would stand among what is kept; -1 where it is not wanted."""
    if not front:
        room = costs.shape[0]
        place = count
        while place > 0 and _ahead(cost, right, costs[place - 1], accuracies[place - 1], by_accuracy) < 0:
            place -= 1
        level = place > 0 and costs[place - 1] == cost and accuracies[place - 1] == right
        return place if place < room or level else -1
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if costs[middle] < cost:
            low = middle + 1
        else:
            high = middle
    if low > 0 and accuracies[low - 1] >= right:
        return -1
    return -1 if low < count and costs[low] == cost and accuracies[low] > right else low


@compiled
def _keep(
    place: int, cost: float, right: float, key: Ints, front: bool, costs: Floats, accuracies: Floats, keys: Ints,
    count: int,
) -> int:  # fmt: skip
    """Put a walk where `_wanted` says, once, equals in the order of their keys; return the new length.

    There must be room for one more in a frontier; among the best, the last gives way.
    """
    if front:
        if place < count and costs[place] == cost and accuracies[place] == right:
            if _compare(key, keys[place]) < 0:
                keys[place] = key
            return count
        high = place
        while high < count and accuracies[high] <= right:
            high += 1
        return _insert(cost, right, key, costs, accuracies, keys, place, high, count)
    while place > 0 and costs[place - 1] == cost and accuracies[place - 1] == right:
        order = _compare(key, keys[place - 1])
        if order == 0:
            return count
        if order > 0:
            break
        place -= 1
    room = costs.shape[0]
    return (
        count
        if place == room
        else _insert(cost, right, key, costs, accuracies, keys, place, place, min(count, room - 1))
    )


@compiled
def _ahead(cost: float, right: float, other: float, other_right: float, by_accuracy: bool) -> int:
    """Return -1 where the first comes before the second, 1 where after, 0 where they are equal in both."""
    if by_accuracy and right != other_right:
        return -1 if right > other_right else 1
    if cost != other:
        return -1 if cost < other else 1
    if right != other_right:
        return -1 if right > other_right else 1
    return 0


@compiled
def _insert(
    cost: float, right: float, key: Ints, costs: Floats, accuracies: Floats, keys: Ints, low: int, high: int, count: int
) -> int:
    """Replace places low..high-1 by one; return the new length."""
    shift = 1 - (high - low)
    if shift > 0:
        for i in range(count, low, -1):
            costs[i], accuracies[i] = costs[i - 1], accuracies[i - 1]
            keys[i] = keys[i - 1]
    elif shift < 0:
        for i in range(high, count):
            costs[i + shift], accuracies[i + shift] = costs[i], accuracies[i]
            keys[i + shift] = keys[i]
    costs[low], accuracies[low] = cost, right
    keys[low] = key
    return count + shift


@compiled
def _roomy(front: bool, costs: Floats, accuracies: Floats, keys: Ints, count: int) -> Any:
    """Return the arrays, twice as long where a frontier fills them."""
    if not front or count < costs.shape[0]:
        return costs, accuracies, keys
    more_costs, more_accuracies = np.empty(2 * count), np.empty(2 * count)
    more_keys = np.empty((2 * count, keys.shape[1]), np.int64)
    more_costs[:count], more_accuracies[:count], more_keys[:count] = costs, accuracies, keys
    return more_costs, more_accuracies, more_keys


@compiled
def keep_rows(
    rows: Ints, row_costs: Floats, row_accuracies: Floats, violations: Floats, g: Ground, front: bool,
    by_accuracy: bool, costs: Floats, accuracies: Floats, keys: Ints, count: int,
) -> Any:  # fmt: skip
    """Keep what is good among K scored walks; return costs, accuracies and keys (perhaps longer) and their number."""
    key = np.zeros(keys.shape[1], np.int64)
    for k in range(rows.shape[0]):
        cost, right = row_costs[k], row_accuracies[k]
        place = _wanted(cost, right, front, by_accuracy, costs, accuracies, count) if violations[k] == 0.0 else -1
        if place >= 0:
            costs, accuracies, keys = _roomy(front, costs, accuracies, keys, count)
            _write_key(rows[k], g.rules, g.thresholds, g.fits, key)
            count = _keep(place, cost, right, key, front, costs, accuracies, keys, count)
    return costs, accuracies, keys, count


# Chains


@compiled
def _energy(cost: float, right: float, aim: Any) -> float:
    """Return what a chain makes less: a weighted sum, or the larger of two weighted distances from an ideal point."""
    weight, gain, ideal, ideal_right, sharp = aim
    if not sharp:
        return float(weight * cost - gain * right)
    x, y = weight * (cost - ideal), gain * (ideal_right - right)
    return float(max(x, y) + 0.05 * (x + y))


@compiled
def _aim(
    chain: int, limits: Floats, front: bool, by_accuracy: bool, costs: Floats, accuracies: Floats, count: int
) -> Any:
    """Return the weights of a chain: along a frontier they turn evenly, by the golden ratio."""
    if not front:
        small = 1e-6
        c, a = (small, 1.0) if by_accuracy else (1.0, small)
        return c / limits[_SCALE, 0], a / limits[_SCALE, -1], 0.0, 0.0, False
    wide, high = limits[_SCALE, 0], limits[_SCALE, -1]
    ideal, ideal_right = 0.0, 1.0
    if count > 1:
        wide, high = costs[count - 1] - costs[0], accuracies[count - 1] - accuracies[0]
        ideal, ideal_right = costs[0], accuracies[count - 1]
    angle = (chain * 0.6180339887498949) % 1.0 * 0.5 * np.pi
    return np.cos(angle) / wide, np.sin(angle) / high, ideal, ideal_right, chain % 2 == 1


@compiled
def _likeliest(aim: Any, costs: Floats, accuracies: Floats, count: int) -> int:
    """Return which of those kept has the least energy."""
    best, least = 0, np.inf
    for k in range(count):
        energy = _energy(costs[k], accuracies[k], aim)
        if energy < least:
            best, least = k, energy
    return best


@compiled
def anneal(
    row: Ints, g: Ground, state: State, chain: int, chains: int, steps: int, hot: float, cold: float, front: bool,
    by_accuracy: bool, costs: Floats, accuracies: Floats, keys: Ints, count: int, progress: Ints,
) -> Any:  # fmt: skip
    """Let chains of moves cool down, one after the other, and keep what is good of all that they pass.

    Parameters
    ----------
    row
        Where the last chain ended; written.
    g, state
        The ground, and the state of the random numbers.
    chain, chains, steps
        Number of the first chain, how many there are, and moves in each.
    hot, cold
        Temperatures at the beginning and the end of a chain, in units of the frontier's width.
    front, by_accuracy
        Whether a frontier is kept, or else the best by cost or by accuracy.
    costs, accuracies, keys, count
        What has been kept so far.
    progress
        ``[stop, walks scored]``, read and written as the work goes on: a stop that is not 0 ends it.

    Returns
    -------
    tuple
        The kept costs, accuracies and keys (perhaps in longer arrays) and their number.

    Notes
    -----
    Of two walks the one that violates less is better, whatever else they are (violation first); a chain may still take
    a worse one, by Metropolis' rule on the difference that decided.
    """
    rules, stay, jump, nodes, fits, limits = g.rules, g.stay, g.jump, g.nodes, g.fits, g.limits
    first, pieces, send, result, gains, required = g.first, g.pieces, g.send, g.result, g.gains, g.required
    places, shares, thresholds = g.places, g.shares, g.thresholds
    totals = np.empty(first.shape[0])
    key = np.zeros(keys.shape[1], np.int64)
    other = np.empty_like(row)
    scored = 0  # told now and then only: threads that write side by side slow each other down
    cooling = (cold / hot) ** (1.0 / max(steps, 1))
    for number in range(chain, chain + chains):
        aim = _aim(number, limits, front, by_accuracy, costs, accuracies, count)
        if _draw(state) < _EXPLORED:
            _random_row(row, rules, places, nodes, fits, shares, state)
        elif count > 0:
            _read_key(keys[_likeliest(aim, costs, accuracies, count)], rules, row)
        cost, right, wrong = _score(
            row, rules, first, pieces, send, result, stay, jump, gains, nodes, fits, limits, required, totals
        )
        energy, heat = _energy(cost, right, aim), hot
        for step in range(steps):
            if step % 256 == 0:
                progress[1] += scored
                scored = 0
                if progress[0] != 0:
                    return costs, accuracies, keys, count
            heat *= cooling
            other[:] = row
            if not _moves(other, rules, places, nodes, fits, shares, state):
                continue
            cost, right, missed = _score(
                other, rules, first, pieces, send, result, stay, jump, gains, nodes, fits, limits, required, totals
            )
            scored += 1
            place = _wanted(cost, right, front, by_accuracy, costs, accuracies, count) if missed == 0.0 else -1
            if place >= 0:
                costs, accuracies, keys = _roomy(front, costs, accuracies, keys, count)
                _write_key(other, rules, thresholds, fits, key)
                count = _keep(place, cost, right, key, front, costs, accuracies, keys, count)
            reached = _energy(cost, right, aim)
            worse = missed - wrong if missed != wrong else reached - energy
            if worse <= 0.0 or _draw(state) < np.exp(-worse / heat):
                row[:] = other
                energy, wrong = reached, missed
    progress[1] += scored
    return costs, accuracies, keys, count


@compiled
def improve_rows(rows: Ints, g: Ground, state: State, trials: int, wide: float, high: float) -> None:
    """Change each of K walks by moves, then climb: take what is no worse by weights that each draws for itself.

    Parameters
    ----------
    rows
        Walks, written.
    g, state
        The ground, and the state of the random numbers.
    trials
        Moves that each tries.
    wide, high
        What cost and accuracy are divided by before they are weighed.
    """
    rules, stay, jump, nodes, fits, limits = g.rules, g.stay, g.jump, g.nodes, g.fits, g.limits
    first, pieces, send, result, gains, required = g.first, g.pieces, g.send, g.result, g.gains, g.required
    places, shares = g.places, g.shares
    totals = np.empty(first.shape[0])
    other = np.empty(rows.shape[1], np.int64)
    for k in range(rows.shape[0]):
        row = rows[k]
        angle = _draw(state) * 0.5 * np.pi
        aim = (np.cos(angle) / wide, np.sin(angle) / high, 0.0, 0.0, False)
        _moves(row, rules, places, nodes, fits, shares, state)
        cost, right, wrong = _score(
            row, rules, first, pieces, send, result, stay, jump, gains, nodes, fits, limits, required, totals
        )
        energy = _energy(cost, right, aim)
        for _ in range(trials):
            other[:] = row
            if _moves(other, rules, places, nodes, fits, shares, state):
                cost, right, missed = _score(
                    other, rules, first, pieces, send, result, stay, jump, gains, nodes, fits, limits, required, totals
                )
                reached = _energy(cost, right, aim)
                if missed < wrong or (missed == wrong and reached <= energy):
                    row[:] = other
                    energy, wrong = reached, missed
