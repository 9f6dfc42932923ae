"""Numba kernels about single labels: their columns, the plans they stand for, and which may become what another may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.kernels.step_kernels import leaves_open, uses, write_cut, write_exit, write_root

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.solvers.kernels.arguments import Places

    Ints = NDArray[np.int64]

__all__ = [
    "AFTER", "ALIVE", "BEGIN", "CODEC", "EVALUATED", "LAST", "NODE", "PARENT", "PARTS", "SEEN", "THRESHOLD", "USED",
    "covers", "earlier", "prefix",
]  # fmt: skip

PARENT, NODE, BEGIN, EVALUATED, CODEC, THRESHOLD, PARTS, LAST, AFTER, ALIVE, USED = range(11)
"""The columns of a label beside its cost and accuracy: AFTER links the labels of a state and node, LAST is the last
block that its partition may have, and from USED on stand the words of the groups that it has used."""

SEEN = ALIVE
"""Labels that are swept need not say whether they live, but which critical groups they have used."""


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


@compiled
def covers(
    left: int, right: int, chain: Ints, v: int, future: Ints, required: Ints, fewest: int, most: int, limited: bool
) -> bool:
    """Return whether whatever the right label may become, the left one may too, costs aside."""
    few, many = chain[left, PARTS], chain[right, PARTS]
    if chain[left, LAST] < chain[right, LAST] or (few < many and few < fewest) or (few > many and limited):
        return False
    if many == most:  # no part follows, and what is required has been used, or the label would not be there
        return few == many or uses(chain, left, USED, required)
    return leaves_open(chain, left, right, USED, future, v, required)
