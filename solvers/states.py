"""The states of a space, numbered: how many blocks are done, and at which level the samples are; and what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.solvers.kernels.arguments import States, packed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer import Space

__all__ = ["States", "follows_of", "states_of"]


def states_of(space: Space) -> States:
    """Return the states that cuts and exits can lead to."""
    blocks, levels = space.problem.block_count, space.jump.shape[0]
    reached = np.zeros((blocks + 1, levels), bool)
    reached[0, 0] = True
    # A piece that ends with a block begins at any state before: what counts is which levels have come up by then.
    known = np.zeros(levels, bool)
    for end in range(blocks):
        known |= reached[end]
        after = space.jump[known, end]
        reached[end + 1, after[after >= 0]] = True
    # Copies, because what numpy found lies in one array and numba would compile its kernels for that once more.
    begins, at = (np.ascontiguousarray(each) for each in np.nonzero(reached))
    number = np.full(reached.shape, -1, np.int32)
    number[begins, at] = np.arange(len(begins))
    return States(number, begins, at)


def follows_of(space: Space) -> NDArray[np.int64]:
    """Return for each node which groups may come after it in a plan, as words of bits (M x W)."""
    rank = np.zeros(space.required.shape[1], np.int64)
    rank[space.group] = space.rank  # the nodes of a group have one rank
    return packed((rank >= space.rank[:, None]) & (np.arange(len(rank)) != space.group[:, None]))
