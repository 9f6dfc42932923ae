"""Rules for the placement: what must and must not be used, what is pinned where, how many partitions there are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tiercut.errors import QuestionError
from tiercut.optimizer.measures.local import place_of
from tiercut.optimizer.memory import within_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer.query import Query
    from tiercut.optimizer.space import Space

__all__ = ["narrow"]


def narrow(space: Space, query: Query) -> Space:
    """Return the part of a space that the placement rules of a question and the memory of nodes leave.

    Raises
    ------
    QuestionError
        If a name is no node or tier, or a block is not there.
    """
    problem = space.problem
    allowed = space.allowed.copy()
    required = [place_of(problem, name) for name in query.include]
    if query.use_all_tiers:
        required += [np.array([each == tier for each in problem.tiers]) for tier in dict.fromkeys(problem.tiers)]
    for name in query.exclude:
        allowed[place_of(problem, name)] = False
    for here in required:
        _keep_to(space, here, allowed)
    for block, name in query.pins:
        _pin(allowed, block, place_of(problem, name))
    if query.keep_first > problem.block_count:
        raise QuestionError(
            f"the first {query.keep_first} blocks cannot be kept on the source: the network has {problem.block_count}"
        )
    source = np.arange(problem.node_count) == problem.source
    for block in range(1, query.keep_first + 1):
        _pin(allowed, block, source)
    space = space if query.ignore_memory else within_memory(space)
    return replace(
        space,
        allowed=space.allowed & allowed,
        required=np.array([_groups(space, here) for here in required], bool).reshape(-1, space.required.shape[1]),
        fewest=max(space.fewest, query.fewest_partitions or 1),
        most=min(space.most, query.most_partitions or space.most),
    )


def _keep_to(space: Space, here: NDArray[np.bool_], allowed: NDArray[np.bool_]) -> None:
    """Forbid the nodes that would take the one place of a group that must go to another of its nodes."""
    for group in set(space.group[here].tolist()):
        others = (space.group == group) & ~here
        if len(set(space.group[here].tolist())) == 1:
            allowed[others] = False


def _pin(allowed: NDArray[np.bool_], block: int, here: NDArray[np.bool_]) -> None:
    """Forbid every piece that holds the block (1-based) on other nodes."""
    count = allowed.shape[1]
    if not 1 <= block <= count:
        raise QuestionError(f"block {block} cannot be pinned: the network has blocks 1..{count}")
    allowed[~here, :block, block - 1 :] = False


def _groups(space: Space, here: NDArray[np.bool_]) -> NDArray[np.bool_]:
    groups = np.zeros(space.required.shape[1], bool)
    groups[space.group[here]] = True
    return groups
