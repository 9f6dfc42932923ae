"""Rules for the placement: what must and must not be used, what is pinned where, how many partitions there are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tiercut.errors import QuestionError, unknown_name
from tiercut.optimizer.measures.local import place_of
from tiercut.optimizer.memory import within_memory
from tiercut.optimizer.spaces.allowed import is_anything

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    required = [place_of(problem, name) for name in query.include]
    if query.use_all_tiers:
        required += [np.array([each == tier for each in problem.tiers]) for tier in dict.fromkeys(problem.tiers)]
    first = _block(problem.blocks, query.keep_first)
    allowed = space.allowed
    if required or query.exclude or query.pins or first > 0:
        allowed = np.array(allowed)
    for name in query.exclude:
        allowed[place_of(problem, name)] = False
    for here in required:
        _keep_to(space, here, allowed)
    for block, name in query.pins:
        _pin(allowed, _block(problem.blocks, block), place_of(problem, name))
    if first > problem.block_count:
        raise QuestionError(
            f"the first {first} blocks cannot be kept on the source: the network has {problem.block_count}"
        )
    source = np.arange(problem.node_count) == problem.source
    for block in range(1, first + 1):
        _pin(allowed, block, source)
    space = space if query.ignore_memory else within_memory(space)
    return replace(
        space,
        allowed=space.allowed if is_anything(allowed) else space.allowed & allowed,
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


def _block(names: Sequence[str], block: int | str) -> int:
    """Return the number of a block (1-based) that is given by number or name."""
    if isinstance(block, int):
        return block
    found = [place for place, name in enumerate(names, 1) if name == block]
    if not found:
        known = unknown_name("block", block, names)
        raise QuestionError(
            f"{known}; a block is named after the layer that ends it, 'tiercut blocks' lists all layers"
        )
    if len(found) > 1:
        listed = " and ".join(map(str, found))
        raise QuestionError(f"'{block}' is the name of the blocks {listed}; give the number of the one that is meant")
    return found[0]


def _groups(space: Space, here: NDArray[np.bool_]) -> NDArray[np.bool_]:
    groups = np.zeros(space.required.shape[1], bool)
    groups[space.group[here]] = True
    return groups
