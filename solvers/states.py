"""The states of a space, numbered: how many blocks are done, and at which level the samples are; and what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.solvers.kernels.arguments import States

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer import Space

__all__ = ["States", "follows_of", "states_of"]


def states_of(space: Space) -> States:
    """Return the states that cuts and exits can lead to."""
    blocks, levels = space.problem.block_count, space.jump.shape[0]
    reached = np.zeros((blocks + 1, levels), bool)
    reached[0, 0] = True
    for begin in range(blocks):
        for level in np.flatnonzero(reached[begin]):
            ends, options = np.nonzero(space.jump[level, begin:] >= 0)
            reached[begin + ends + 1, space.jump[level, begin + ends, options]] = True
    # Copies, because what numpy found lies in one array and numba would compile its kernels for that once more.
    begins, at = (np.ascontiguousarray(each) for each in np.nonzero(reached))
    number = np.full(reached.shape, -1)
    number[begins, at] = np.arange(len(begins))
    return States(number, begins, at)


def follows_of(space: Space) -> NDArray[np.int64]:
    """Return for each node which groups may come after it in a plan, bit g for group g."""
    bits = np.left_shift(1, space.group)
    follows = (space.rank[None, :] >= space.rank[:, None]) & (space.group[None, :] != space.group[:, None])
    return np.array([np.bitwise_or.reduce(bits[row], initial=0) for row in follows])
