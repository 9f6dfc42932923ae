"""The steps of a plan: what each adds to its cost and accuracy, and how a decision is encoded. Every kernel calls them.

A sample meets a *piece* (blocks on a node, perhaps with the branch after them); it leaves there, or *passes*; where the
piece ends in a cut, what stays *crosses* to the next node. Sums are taken in this order, here and in
`tiercut.optimizer.pricing`, so that the two agree to the last bit.

NOTE: The steps take numbers, not arrays, so that LLVM puts them into the loops that call them; there they cost nothing.
numba's own ``inline="always"`` does the same work before types are known, and the loops come out slower by a quarter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.solvers.kernels.arguments import Places

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = [
    "answered", "column_of", "crossed", "doubled", "dropped", "ended", "leaves_open", "may_follow", "passed", "spread",
    "use", "uses", "weighed", "write_cut", "write_end", "write_exit", "write_frames", "write_root",
]  # fmt: skip


# What a step adds


@compiled
def passed(cost: float, weight: float, piece: float, leave: float, back: float) -> float:
    """Return what a plan costs once a piece is passed.

    Parameters
    ----------
    cost
        So far, in any additive measure.
    weight, piece
        The share that the piece counts for (1 where a measure counts pieces whole), and its cost.
    leave, back
        The share that leaves after it, and what it costs to send a result from there.
    """
    return cost + weight * piece + leave * back


@compiled
def crossed(cost: float, onward: float, send: float) -> float:
    """Return what a plan costs once the share that goes on has crossed a cut; ``send`` is the transfer's cost."""
    return cost + onward * send


@compiled
def ended(cost: float, weight: float, piece: float, share: float, back: float) -> float:
    """Return the cost of a plan that ends with a piece, where all that came to it leave."""
    return passed(cost, weight, piece, share, back)


@compiled
def answered(right: float, leave: float, accuracy: float) -> float:
    """Return the accuracy so far once a share has left at a branch."""
    return right + leave * accuracy


@compiled
def dropped(right: float, onward: float, drop: float) -> float:
    """Return the accuracy so far once a share has crossed a cut whose codec takes some of it."""
    return right - onward * drop


@compiled
def column_of(threshold: int, last: int) -> int:
    """Return the column of accuracies for an exit with a threshold of its own, -1 where all have the same.

    ``last`` is the column of the last exit: 0 where accuracies do not depend on the exit before.
    """
    return min(max(threshold, 0), last)


@compiled
def weighed(share: float, tail: float) -> float:
    """Return what a term counts that a share of the samples meets (see `tiercut.optimizer.measures.tables.Measure`)."""
    if tail < 0.0:
        return share
    return 1.0 if share > tail else 0.0


@compiled
def spread(seconds: Floats, leave: Floats, count: int, tail: float, factor: float) -> float:
    """Return a quantile of the times of some paths (see `tiercut.optimizer.measures.tails.spread_value`)."""
    order, finished = np.argsort(seconds[:count] / factor, kind="mergesort"), 0.0
    for place in order:
        finished += leave[place]
        if finished >= 1.0 - tail:
            return float(seconds[place])
    return float(seconds[order[count - 1]])


# Rules


@compiled
def use(used: Ints, row: int, at: int, before: int, group: int) -> None:
    """Write a set of groups: that of the row `before`, where there is one (not -1), and one group more.

    A set is the words of 64 bits from column `at` to the end of a row, as many as the groups need (see
    `tiercut.solvers.kernels.arguments.packed`).
    """
    for k in range(at, used.shape[1]):
        used[row, k] = used[before, k] if before >= 0 else 0
    used[row, at + (group >> 6)] |= 1 << (group & 63)


@compiled
def meets(used: Ints, row: int, at: int, required: Ints, which: int) -> bool:
    """Return whether a set of groups has one of a required set."""
    common = 0
    for k in range(required.shape[1]):
        common |= used[row, at + k] & required[which, k]
    return common != 0


@compiled
def uses(used: Ints, row: int, at: int, required: Ints) -> bool:
    """Return whether a set of groups has one of each required set."""
    missing = 0
    for which in range(required.shape[0]):
        missing += not meets(used, row, at, required, which)
    return missing == 0


@compiled
def leaves_open(used: Ints, left: int, right: int, at: int, future: Ints, v: int, required: Ints) -> bool:
    """Return whether the left set leaves open what the right one does, and misses no more, of a plan now on `v`."""
    closed = 0
    for k in range(future.shape[1]):
        closed |= used[left, at + k] & future[v, k] & ~used[right, at + k]
    missed = 0
    for which in range(required.shape[0]):
        missed += meets(used, right, at, required, which) and not meets(used, left, at, required, which)
    return closed == 0 and missed == 0


@compiled
def may_follow(v: int, w: int, used: Ints, row: int, at: int, group: Ints, rank: Ints, linked: Bools) -> bool:
    """Return whether a part on node `w` may follow one on node `v`, a set of groups having been used."""
    return not ((used[row, at + (group[w] >> 6)] >> (group[w] & 63)) & 1 or rank[w] < rank[v] or not linked[v, w])


# Encoding


@compiled
def write_root(key: Ints, at: Places, node: int, codec: int) -> None:
    """Begin the encoding of a plan: node of its first part, codec choice of the input; the rest is in any order."""
    key[1 + at.most] = node
    if at.codecs_at >= 0:
        key[at.codecs_at] = codec


@compiled
def write_cut(key: Ints, at: Places, cuts: int, block: int, codec: int, node: int) -> None:
    """Encode a cut after a block (1-based), `cuts` others before it: codec choice, and node of the next part."""
    key[1 + cuts] = block
    key[2 + at.most + cuts] = node
    if at.codecs_at >= 0:
        key[at.codecs_at + 1 + cuts] = codec


@compiled
def write_exit(key: Ints, at: Places, exits: int, block: int, threshold: int) -> None:
    """Encode an exit after a block (1-based) that is not the last, `exits` others before it."""
    if at.exits_at >= 0:
        key[at.exits_at + exits] = block
    if at.thresholds_at >= 0:
        key[at.thresholds_at + exits] = threshold


@compiled
def write_end(key: Ints, at: Places, parts: int, exits: int, block: int, threshold: int) -> None:
    """Encode the last block (1-based) of a plan of so many parts, with exits before it and one threshold for all."""
    key[0], key[parts], key[key.shape[0] - 1] = parts, block, threshold
    if at.exits_at >= 0:
        key[at.exits_at + exits] = block


@compiled
def write_frames(
    key: Ints, at: Places, entry: int, depth: int, node: Ints, begin: Ints, option: Ints, codec: Ints,
    option_exit: Bools, option_threshold: Ints, end: int, threshold: int,
) -> None:  # fmt: skip
    """Encode a plan that a tree walk has reached.

    Parameters
    ----------
    key, at
        Written, all of it; and where.
    entry
        The codec choice of the input.
    depth, node, begin
        Pieces before the last one, and node and first block of each piece (0-based).
    option, codec
        How each but the last ends: its option, and the codec choice where another node follows.
    option_exit, option_threshold
        Whether an option is an exit, and its threshold.
    end, threshold
        Last block (0-based), and the threshold of all exits.
    """
    key[:] = 0
    cuts, exits = 0, 0
    write_root(key, at, node[0], entry)
    for d in range(depth):
        if option_exit[option[d]]:
            write_exit(key, at, exits, begin[d + 1], option_threshold[option[d]])
            exits += 1
        if node[d + 1] != node[d]:
            write_cut(key, at, cuts, begin[d + 1], codec[d], node[d + 1])
            cuts += 1
    write_end(key, at, cuts + 1, exits, end + 1, threshold)


# Arrays


@compiled
def doubled(rows: Any) -> Any:
    """Return an array of twice as many rows that begins with these."""
    longer = np.empty((2 * rows.shape[0], *rows.shape[1:]), rows.dtype)
    # NOTE One by one: an assignment of slices compiles for seconds, for the words of its error.
    flat, into = rows.reshape(-1), longer.reshape(-1)
    for k in range(flat.shape[0]):
        into[k] = flat[k]
    return longer
