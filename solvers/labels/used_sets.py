"""Which groups budgets remember as used, and their sets (see `tiercut.solvers.labels.budget_kernels.Sets`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.solvers.labels.budget_kernels import Sets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiercut.optimizer import Space

__all__ = ["critical_groups", "sets_of"]


def critical_groups(space: Space, most: int) -> tuple[int, ...]:
    """Return groups whose sets are no more than so many: all, or first of all not the source's.

    The source is the node that a plan least wants to come back to, as nearly all begin there.
    """
    groups = sorted(set(space.group.tolist()))
    own = int(space.group[space.problem.source])
    count = min(len(groups), max(most, 1).bit_length() - 1)
    return tuple(sorted(groups, key=lambda group: group == own)[:count])


def sets_of(space: Space, critical: Sequence[int]) -> Sets:
    """Return the sets of critical groups; without any there is one, of none."""
    place = {group: 1 << at for at, group in enumerate(critical)}
    bit = np.array([place.get(group, 0) for group in space.group.tolist()], np.int64)
    members = np.arange(1 << len(critical))[:, None] >> np.arange(len(critical)) & 1
    sizes = members.sum(axis=1)
    others = sorted(set(space.group.tolist()) - set(critical))
    may_end = sizes + len(others) >= space.fewest
    for one in space.required:
        if not one[others].any():
            may_end &= (members * one[list(critical)]).any(axis=1)
    return Sets(bit, sizes, may_end)
