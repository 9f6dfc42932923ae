"""The numba kernel that sends recorded samples through the exits of plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

__all__ = ["count_leaving"]

_CHUNK = 4096  # samples at a time, so that what is being processed stays in the nearest cache


@compiled
def count_leaving(
    entropy: NDArray[np.float32],
    correct: NDArray[np.uint8],
    exits: Ints,
    limits: NDArray[np.float32],
    first: Ints,
    left: Ints,
    right: Ints,
) -> None:
    """Add to `left` and `right` how many samples leave at each exit of each plan, and how many of those are right.

    Parameters
    ----------
    entropy, correct
        N x S: normalised entropies, and 1 where the answer is right; samples in the fast direction.
    exits, limits
        E: the exits of all plans one after the other, 0-based, and the entropy below which a sample leaves there.
    first
        P+1: where the exits of each plan begin.
    left, right
        E: what is counted.
    """
    remains = np.empty(_CHUNK, np.uint8)
    for begin in range(0, entropy.shape[1], _CHUNK):
        size = min(_CHUNK, entropy.shape[1] - begin)
        for plan in range(first.shape[0] - 1):
            remains[:size] = 1
            for k in range(first[plan], first[plan + 1]):
                row = entropy[exits[k], begin : begin + size]
                hit = correct[exits[k], begin : begin + size]
                limit = limits[k]
                # NOTE: no branch, and sums no wider than need be, so that the compiler does 32 samples at once.
                leaving, good = np.int32(0), np.int32(0)
                for s in range(size):
                    leaves = np.uint8(remains[s] & np.uint8(row[s] < limit))
                    leaving += np.int32(leaves)
                    good += np.int32(leaves & hit[s])
                    remains[s] = remains[s] ^ leaves
                left[k] += leaving
                right[k] += good
