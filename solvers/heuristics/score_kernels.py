"""Numba kernels of the heuristics: one candidate as a row, its score, its key, and random numbers.

A candidate is a row of integers, ``[parts | last block of each part | node of each | codec of what comes to each |
option of each block | threshold index]``: blocks 1-based, the rest 0-based (see `tiercut.optimizer.space`); what comes
to the first part is the input. Parts have nodes of different groups, cuts stand where they may, the input has a codec
that can be; everything else that a question forbids counts as a *violation*, so that a search can cross it. What a row
holds beyond its parts does not count; a key (`tiercut.solvers.encoding`) omits it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.kernels.arguments import Places
from tiercut.solvers.kernels.step_kernels import (
    answered,
    column_of,
    crossed,
    dropped,
    ended,
    passed,
    write_cut,
    write_end,
    write_exit,
    write_root,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Shorts = NDArray[np.int32]
    Bools = NDArray[np.bool_]
    State = NDArray[np.uint64]

__all__ = [
    "CODECS", "CUTS", "CUTS_BEFORE", "ENDS", "ENDS_BEFORE", "ENTERS", "EXITS", "EXITS_BEFORE", "GROUP", "INPUTS",
    "INSIDE", "MOST", "SCALE", "THRESHOLDS", "ScoreTables", "below", "draw", "keys_of", "read_key", "score",
    "score_rows", "write_key",
]  # fmt: skip


class ScoreTables(NamedTuple):
    """What candidates consist of and are scored by: S bounded measures beside the objective, which stands before them.

    Other sizes are as in `tiercut.optimizer.space`. NOTE: only kernels that Python calls take the tables;
    those that they call get its arrays one by one, because numba counts references at every look into a tuple.

    Parameters
    ----------
    rules
        Most and fewest partitions, whether exits may stand inside a part, threshold indices and codec choices,
        where exits, thresholds and codecs stand in a key, and whether there are codec choices for the input.
    first
        (S+1) x W x M: as in `tiercut.optimizer.space.Costs`; infinite without a path from the source.
    pieces
        2 x (S+1) x M x N x N: blocks without a branch, and with that of the last one.
    send
        W x N x M x M x (S+1); infinite without a path.
    result
        N x M x (S+1).
    stay, jump
        Q x L and Q x N x O: the tables of levels.
    gains
        A x R x N x P, A the threshold indices: as `tiercut.optimizer.space.Space.accuracies` has them for each; A is 1
        where all have the same.
    drops
        W x N: the fall in accuracy over a cut after each block by each codec.
    input_drops
        W x M: that of the input on its way to a first node.
    thresholds, nodes
        O: the threshold of each option. (2+W) x M: group, rank, and whether the input may come by each codec.
    fits
        N x O: 1 where an option asks an exit, 0 where it asks none, -1 where it cannot be after a block.
    places
        6 x (N+1): blocks (0-based, rising) where a part that is not the last may end, and before each block the number
        of them; the same for the last one, and for exits inside a part. The last column counts.
    limits
        4 x (S+2): greatest values, slack included; by what violations are divided; whether pieces count whole, and
        partitions as one piece. The last column is about accuracy, with its sign turned.
    required, furthest
        As in `tiercut.optimizer.space.Space`.
    shares
        8 rising numbers up to 1: which share of the moves is of a kind, or of one before it. Kinds: shift a cut,
        another node, nodes in another order, add a part, remove one, threshold index, option, codec.
    """

    rules: Ints
    first: Floats
    pieces: Floats
    send: Floats
    result: Floats
    stay: Floats
    jump: Shorts
    gains: Floats
    drops: Floats
    input_drops: Floats
    thresholds: Ints
    nodes: Ints
    fits: Ints
    places: Ints
    limits: Floats
    required: Bools
    furthest: Ints
    shares: Floats


GROUP, _RANK, ENTERS = range(3)
MOST, _FEWEST, INSIDE, THRESHOLDS, CODECS, _EXITS_AT, _THRESHOLDS_AT, _CODECS_AT, INPUTS = range(9)
CUTS, CUTS_BEFORE, ENDS, ENDS_BEFORE, EXITS, EXITS_BEFORE = range(6)
_CAP, SCALE, _WHOLE, _ONCE = range(4)
_SPAN = 1


# Random numbers


@compiled
def draw(state: State) -> float:
    """Return a random number in [0, 1): splitmix64, which needs no more than its one word of state."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return float(z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@compiled
def below(state: State, count: int) -> int:
    """Return a random integer in 0..count-1."""
    return int(draw(state) * count)


# The score of a candidate


@compiled
def score(
    row: Ints, rules: Ints, first: Floats, pieces: Floats, send: Floats, result: Floats, stay: Floats, jump: Shorts,
    gains: Floats, drops: Floats, input_drops: Floats, thresholds: Ints, nodes: Ints, fits: Ints, limits: Floats,
    required: Bools, furthest: Ints, totals: Floats,
) -> Any:  # fmt: skip
    """Return cost, accuracy and violation of a candidate."""
    most, inside, measures = rules[MOST], rules[INSIDE], first.shape[0]
    parts, index, at = row[0], row[-1], 1 + 3 * most
    v, codec = row[1 + most], row[1 + 2 * most]
    right, wrong = dropped(0.0, 1.0, input_drops[codec, v]), 0.0
    lane, by_level, final = index if gains.shape[0] > 1 else 0, gains.shape[1] > 1, gains.shape[3] - 1
    for s in range(measures):
        totals[s] = first[s, codec, v]
    start, level, part, entry = 0, 0, 0, 0
    while True:
        stop = row[1 + part] - 1
        end = stop
        if inside:
            for block in range(start, stop):
                if fits[block, row[at + block]] > 0:
                    end = block
                    break
        share = stay[level, index]
        if part == parts - 1 and end == stop:
            break
        option = row[at + end]
        after = jump[level, end, option]
        onward = stay[after, index]
        leave = share - onward
        asks = fits[end, option]
        right = answered(right, leave, gains[lane, level if by_level else 0, end, column_of(thresholds[option], final)])
        w, codec = v, 0
        if end == stop:
            w, codec = row[2 + most + part], row[2 + 2 * most + part]
            wrong += nodes[_RANK, w] < nodes[_RANK, v]
            right = dropped(right, onward, drops[codec, end])
        for s in range(measures):
            weight, since = 1.0 if limits[_WHOLE, s] else share, entry if limits[_ONCE, s] else start
            if limits[_ONCE, s] and end < stop:
                weight, since = 0.0, start  # the partition goes on, and counts where it ends
            total = passed(totals[s], weight, pieces[asks, s, v, since, end], leave, result[end, v, s])
            if end == stop:
                total = crossed(total, onward, send[codec, end, v, w, s])
            if total < np.inf:  # not nan either: a forbidden piece that no sample reaches
                totals[s] = total
            else:
                wrong += 1.0
        start, level = end + 1, after
        if end == stop:
            wrong += stop > furthest[v, entry]
            part, entry = part + 1, start
            v = w
    wrong += stop > furthest[v, entry]
    right = answered(right, share, gains[lane, level if by_level else 0, stop, final])
    for s in range(measures):
        weight, since = 1.0 if limits[_WHOLE, s] else share, entry if limits[_ONCE, s] else start
        total = ended(totals[s], weight, pieces[_SPAN, s, v, since, stop], share, result[stop, v, s])
        if total < np.inf:
            totals[s] = total
        else:
            wrong += 1.0
    return totals[0], right, wrong + _missed(row, rules, nodes, limits, required, totals, right)


@compiled
def _missed(
    row: Ints, rules: Ints, nodes: Ints, limits: Floats, required: Bools, totals: Floats, right: float
) -> float:
    """Return by how much bounds and rules for the whole plan are missed."""
    wrong = float(max(rules[_FEWEST] - row[0], 0))
    for r in range(required.shape[0]):
        used = False
        for part in range(row[0]):
            used = used or required[r, nodes[GROUP, row[1 + rules[MOST] + part]]]
        wrong += not used
    measures = totals.shape[0]
    for s in range(measures):
        if totals[s] > limits[_CAP, s]:
            over = (totals[s] - limits[_CAP, s]) / limits[SCALE, s]
            wrong += over if over < 1e6 else 1e6
    if -right > limits[_CAP, measures]:
        wrong += (-right - limits[_CAP, measures]) / limits[SCALE, measures]
    return wrong


@compiled
def score_rows(rows: Ints, g: ScoreTables, costs: Floats, accuracies: Floats, violations: Floats) -> None:
    """Write cost, accuracy and violation of K candidates into the arrays, K each."""
    rules, stay, jump, nodes, fits, limits = g.rules, g.stay, g.jump, g.nodes, g.fits, g.limits
    first, pieces, send, result, gains = g.first, g.pieces, g.send, g.result, g.gains
    drops, input_drops, thresholds = g.drops, g.input_drops, g.thresholds
    required, furthest = g.required, g.furthest
    totals = np.empty(first.shape[0])
    for k in range(rows.shape[0]):
        scored = score(
            rows[k], rules, first, pieces, send, result, stay, jump, gains, drops, input_drops, thresholds, nodes,
            fits, limits, required, furthest, totals,
        )  # fmt: skip
        costs[k], accuracies[k], violations[k] = scored


# Rows and keys


@compiled
def write_key(row: Ints, rules: Ints, thresholds: Ints, fits: Ints, key: Ints) -> None:
    """Write the key of a candidate."""
    key[:] = 0
    most, inside = rules[MOST], rules[INSIDE]
    at = Places(most, rules[_EXITS_AT], rules[_THRESHOLDS_AT], rules[_CODECS_AT])
    parts, options = row[0], 1 + 3 * most
    write_root(key, at, row[1 + most], row[1 + 2 * most])
    start, exits = 0, 0
    for part in range(parts):
        stop = row[1 + part] - 1
        for block in range(start if inside else stop, stop + 1):
            option = row[options + block]
            if (part == parts - 1 and block == stop) or fits[block, option] <= 0:
                continue
            write_exit(key, at, exits, block + 1, thresholds[option])
            exits += 1
        if part < parts - 1:
            write_cut(key, at, part, stop + 1, row[2 + 2 * most + part], row[2 + most + part])
        start = stop + 1
    write_end(key, at, parts, exits, row[parts], row[-1] if exits > 0 else 0)


@compiled
def keys_of(rows: Ints, g: ScoreTables, keys: Ints) -> None:
    """Write the key of each of K candidates."""
    for k in range(rows.shape[0]):
        write_key(rows[k], g.rules, g.thresholds, g.fits, keys[k])


@compiled
def read_key(key: Ints, rules: Ints, row: Ints) -> None:
    """Write the candidate of a key."""
    row[:] = 0
    most, inside = rules[MOST], rules[INSIDE]
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
