"""Numba kernels of the heuristics: what changes a candidate a little, draws one, or crosses two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.heuristics.score_kernels import (
    CODECS,
    CUTS,
    CUTS_BEFORE,
    ENDS,
    ENDS_BEFORE,
    ENTERS,
    EXITS,
    EXITS_BEFORE,
    GROUP,
    INPUTS,
    INSIDE,
    MOST,
    THRESHOLDS,
    ScoreTables,
    below,
    draw,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]
    State = NDArray[np.uint64]

__all__ = ["cross_rows", "moves", "random_row", "random_rows"]


_STEP = 4  # a small shift of a cut goes so far at most


@compiled
def _can_end(places: Ints, block: int) -> bool:
    return bool(places[ENDS_BEFORE, block + 1] > places[ENDS_BEFORE, block])


@compiled
def _free_node(row: Ints, most: int, nodes: Ints, state: State, but: int) -> int:
    """Return a random node whose group no part uses, except perhaps part `but`; -1 if luck finds none."""
    for _ in range(6):
        w = below(state, nodes.shape[1])
        free = True
        for part in range(row[0]):
            v = row[1 + most + part]
            free = free and (v != w if part == but else nodes[GROUP, v] != nodes[GROUP, w])
        if free:
            return w
    return -1


@compiled
def _random_option(inside: int, fits: Ints, state: State, block: int) -> int:
    """Return a random option that a cut after the block may have."""
    options = fits.shape[1]
    option = 0
    if options > 1 and (not inside or draw(state) < 0.5):
        option = below(state, options)
    return option if fits[block, option] >= 0 else 0


@compiled
def _near(state: State, place: int, low: int, high: int) -> int:
    """Return another place in low..high-1: near, or anywhere."""
    if draw(state) < 0.7:
        step = 1 + below(state, _STEP)
        return min(max(place + (step if draw(state) < 0.5 else -step), low), high - 1)
    return low + below(state, high - low)


@compiled
def _shift_cut(row: Ints, rules: Ints, places: Ints, fits: Ints, state: State) -> bool:
    parts, options = row[0], 1 + 3 * rules[MOST]
    part = below(state, parts)
    begin = row[part] if part > 0 else 0
    was = row[1 + part] - 1
    if part == parts - 1:
        low, high = places[ENDS_BEFORE, begin], places[ENDS_BEFORE, -1]
        block = places[ENDS, _near(state, places[ENDS_BEFORE, was], low, high)]
    else:
        low, high = places[CUTS_BEFORE, begin], places[CUTS_BEFORE, row[2 + part] - 1]
        block = places[CUTS, _near(state, places[CUTS_BEFORE, was], low, high)]
        option = row[options + was]
        if block != was and fits[block, option] >= 0:
            row[options + block] = option
            if rules[INSIDE]:
                row[options + was] = 0
    row[1 + part] = block + 1
    return bool(block != was)


@compiled
def _change_node(row: Ints, rules: Ints, nodes: Ints, state: State) -> bool:
    part = below(state, row[0])
    w = _free_node(row, rules[MOST], nodes, state, part)
    if w < 0:
        return False
    row[1 + rules[MOST] + part] = w
    return True


@compiled
def _reorder(row: Ints, rules: Ints, state: State) -> bool:
    """Let two parts swap their nodes, or let one node go elsewhere in the order."""
    if row[0] < 2:
        return False
    i, j = below(state, row[0]), below(state, row[0])
    at = 1 + rules[MOST]
    v = row[at + i]
    if draw(state) < 0.6:
        row[at + i], row[at + j] = row[at + j], v
    else:
        step = 1 if j > i else -1
        for part in range(i, j, step):
            row[at + part] = row[at + part + step]
        row[at + j] = v
    return i != j


@compiled
def _add_part(row: Ints, rules: Ints, places: Ints, nodes: Ints, fits: Ints, state: State) -> bool:
    parts, most = row[0], rules[MOST]
    w = _free_node(row, rules[MOST], nodes, state, -1) if parts < most else -1
    if w < 0:
        return False
    part = below(state, parts)
    begin, stop = row[part] if part > 0 else 0, row[1 + part] - 1
    longer = part == parts - 1 and places[ENDS_BEFORE, stop + 1] < places[ENDS_BEFORE, -1] and fits[stop, 0] >= 0
    if longer and draw(state) < 0.4:  # go on where the candidate ended
        block, w_first = stop, False
        low = places[ENDS_BEFORE, stop + 1]
        stop = places[ENDS, low + below(state, places[ENDS_BEFORE, -1] - low)]
    else:
        low, high = places[CUTS_BEFORE, begin], places[CUTS_BEFORE, stop]
        if high <= low:
            return False
        block, w_first = places[CUTS, low + below(state, high - low)], draw(state) < 0.5
    for k in range(parts, part, -1):
        for at in (1, 1 + most, 1 + 2 * most):
            row[at + k] = row[at + k - 1]
    row[0] = parts + 1
    row[1 + part], row[2 + part] = block + 1, stop + 1
    row[1 + most + part + (0 if w_first else 1)] = w
    row[2 + 2 * most + part] = below(state, rules[CODECS])
    row[1 + 3 * most + block] = _random_option(rules[INSIDE], fits, state, block)
    return True


@compiled
def _remove_part(row: Ints, rules: Ints, places: Ints, state: State) -> bool:
    parts, most = row[0], rules[MOST]
    if parts < 2:
        return False
    part = below(state, parts)
    trims = part == parts - 1 and _can_end(places, row[part] - 1) and draw(state) < 0.5
    if not trims and (part == parts - 1 or (part > 0 and draw(state) < 0.5)):
        if rules[INSIDE]:
            row[1 + 3 * most + row[part] - 1] = 0
        row[part] = row[1 + part]  # the part before takes its blocks
    elif not trims and rules[INSIDE]:
        row[1 + 3 * most + row[1 + part] - 1] = 0
    for k in range(part, parts - 1):
        for at in (1, 1 + most):
            row[at + k] = row[at + k + 1]
        if k > part:  # what comes to the part removed goes on to the next
            row[1 + 2 * most + k] = row[2 + 2 * most + k]
    row[0] = parts - 1
    return True


@compiled
def _change_threshold(row: Ints, rules: Ints, state: State) -> bool:
    thresholds = rules[THRESHOLDS]
    was = row[-1]
    row[-1] = _near(state, was, 0, thresholds) if draw(state) < 0.7 else below(state, thresholds)
    return bool(row[-1] != was)


@compiled
def _change_option(row: Ints, rules: Ints, places: Ints, fits: Ints, state: State) -> bool:
    """Set, move or take away an exit inside a part, or give an exit another threshold."""
    options, at = fits.shape[1], 1 + 3 * rules[MOST]
    low = 1 if rules[INSIDE] else 0
    if not rules[INSIDE]:
        if row[0] < 2 or options < 2:
            return False
        at += row[1 + below(state, row[0] - 1)] - 1
        row[at] = _near(state, row[at], 0, options)
        return True
    open_ = places[EXITS_BEFORE, row[row[0]] - 1]
    if open_ == 0:
        return False
    place = below(state, open_)
    if draw(state) < 0.5:  # one that stands, if there is one further on
        while place < open_ - 1 and fits[places[EXITS, place], row[at + places[EXITS, place]]] <= 0:
            place += 1
    block = places[EXITS, place]
    option = row[at + block]
    if fits[block, option] <= 0:
        row[at + block] = low + below(state, options - low)
        return True
    luck = draw(state)
    if options > 2 and luck < 0.5:
        row[at + block] = _near(state, option, low, options)
        return True
    row[at + block] = 0
    if luck < 0.75:
        row[at + places[EXITS, _near(state, place, 0, open_)]] = option
    return True


@compiled
def _change_codec(row: Ints, rules: Ints, state: State) -> bool:
    """Let another codec encode what comes to a part: the first takes the input, which few codecs may encode."""
    low = 0 if rules[INPUTS] else 1
    if row[0] <= low:
        return False
    row[1 + 2 * rules[MOST] + low + below(state, row[0] - low)] = below(state, rules[CODECS])
    return True


@compiled
def _enter(row: Ints, rules: Ints, nodes: Ints) -> None:
    """Send the input as it is where its codec cannot encode it for the first node."""
    at = 1 + 2 * rules[MOST]
    if not nodes[ENTERS + row[at], row[1 + rules[MOST]]]:
        row[at] = 0


@compiled
def _move(row: Ints, rules: Ints, places: Ints, nodes: Ints, fits: Ints, shares: Floats, state: State) -> bool:
    """Change a candidate a little; return whether it may be another now."""
    luck = draw(state)
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
        changed = _change_threshold(row, rules, state)
    elif kind == 6:
        changed = _change_option(row, rules, places, fits, state)
    else:
        changed = _change_codec(row, rules, state)
    return changed


@compiled
def moves(row: Ints, rules: Ints, places: Ints, nodes: Ints, fits: Ints, shares: Floats, state: State) -> bool:
    """Change a candidate by one move, or at times by several."""
    changed = _move(row, rules, places, nodes, fits, shares, state)
    while draw(state) < 0.3:
        changed = _move(row, rules, places, nodes, fits, shares, state) or changed
    _enter(row, rules, nodes)
    return changed


@compiled
def random_row(row: Ints, rules: Ints, places: Ints, nodes: Ints, fits: Ints, shares: Floats, state: State) -> None:
    """Fill a row with a candidate of one part, changed some times."""
    row[:] = 0
    row[0] = 1
    row[1] = places[ENDS, below(state, places[ENDS_BEFORE, -1])] + 1
    row[1 + rules[MOST]] = below(state, nodes.shape[1])
    row[-1] = below(state, rules[THRESHOLDS])
    for _ in range(below(state, 3 * rules[MOST] + 2)):
        _move(row, rules, places, nodes, fits, shares, state)
    _enter(row, rules, nodes)


@compiled
def random_rows(rows: Ints, g: ScoreTables, state: State) -> None:
    """Fill K rows: first candidates in one part for every node and end, up to half of the rows; the others at random.

    The whole network on one node is the plainest plan of all; it also tells how far costs and accuracies reach.
    """
    rules, places, nodes, fits, shares = g.rules, g.places, g.nodes, g.fits, g.shares
    wholes = min(nodes.shape[1] * places[ENDS_BEFORE, -1], rows.shape[0] // 2)
    for k in range(rows.shape[0]):
        random_row(rows[k], rules, places, nodes, fits, shares, state)
        if k < wholes:
            rows[k, 0] = 1
            rows[k, 1] = places[ENDS, places[ENDS_BEFORE, -1] - 1 - k // nodes.shape[1]] + 1
            rows[k, 1 + rules[MOST]] = k % nodes.shape[1]
            _enter(rows[k], rules, nodes)
            if rules[INSIDE]:
                rows[k, 1 + 3 * rules[MOST] : -1] = 0


@compiled
def cross_rows(firsts: Ints, seconds: Ints, children: Ints, g: ScoreTables, state: State) -> None:
    """Write for each pair a candidate that begins as the first parent and goes on as the second, and the reverse."""
    rules, places, nodes, fits = g.rules, g.places, g.nodes, g.fits
    pairs = firsts.shape[0]
    for k in range(pairs):
        block = 1 + below(state, fits.shape[0])
        _cross(firsts[k], seconds[k], children[k], block, rules, places, nodes, fits)
        _cross(seconds[k], firsts[k], children[pairs + k], block, rules, places, nodes, fits)


@compiled
def _cross(head: Ints, tail: Ints, child: Ints, block: int, rules: Ints, places: Ints, nodes: Ints, fits: Ints) -> None:
    """Take the parts of `head` that end within the first blocks, then those of `tail` whose nodes are still free."""
    most, options = rules[MOST], 1 + 3 * rules[MOST]
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
            free = free and nodes[GROUP, child[1 + most + part]] != nodes[GROUP, tail[1 + most + k]]
        if free:
            for at in (1, 1 + most, 1 + 2 * most):
                child[at + parts] = tail[at + k]
            parts += 1
    if parts == 0 or not _can_end(places, child[parts] - 1):
        child[:] = head
        return
    child[0] = parts
    _enter(child, rules, nodes)
    for part in range(parts - 1):
        if fits[child[1 + part] - 1, child[options + child[1 + part] - 1]] < 0:
            child[options + child[1 + part] - 1] = 0
