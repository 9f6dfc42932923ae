"""Which partitions a node has room for: bounds on memory as rules of a space, which every solver keeps.

What a partition needs only grows with its blocks, so for each node and first block there is a last block that still
fits. With exits at cuts, or only at the end, a partition is one piece, and forbidden pieces say it all; with exits
inside partitions a solver also has to know where the partition began, and `Space.furthest` is for that.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tiercut.errors import TiercutWarning
from tiercut.optimizer.constraints import bound_measure, is_rule, limit_with_slack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer.plan import Decision
    from tiercut.optimizer.problem import Floats, Problem
    from tiercut.optimizer.query import Query
    from tiercut.optimizer.space import Space

__all__ = [
    "fits_memory",
    "fitting",
    "limits_memory",
    "memory_needed",
    "warn_of_memory",
    "within_bounds",
    "within_memory",
]


def limits_memory(problem: Problem) -> bool:
    """Return whether some node has too little memory for the whole network."""
    return problem.knows_memory and bool((problem.partition_bytes[0, -1] > _room(problem)).any())


def memory_needed(problem: Problem, decision: Decision) -> tuple[float, ...]:
    """Return the bytes that each partition of a decision needs; nan where the profile does not say."""
    sizes, begins = problem.partition_bytes, (0, *decision.partition)
    return tuple(float(sizes[begin, end - 1]) for begin, end in pairwise(begins))


def fits_memory(problem: Problem, decision: Decision) -> bool:
    """Return whether each node has room for its partition, where it is known."""
    needed, room = memory_needed(problem, decision), _room(problem)
    return not any(size > room[node] for size, node in zip(needed, decision.placement, strict=True))


def warn_of_memory(problem: Problem) -> None:
    """Warn where nodes have a memory that cannot be checked, because the profile does not say what blocks need."""
    if not problem.knows_memory and not np.isnan(problem.memory).all():
        warnings.warn(
            TiercutWarning(
                f"the memory of nodes is not checked: profile '{problem.profile}' does not have the key "
                "'parameter_bytes' of every block",
                "record the model again, or ask with ignore_memory",
            ),
            stacklevel=3,
        )


def _room(problem: Problem) -> Floats:
    """Return the bytes that each node may hold, slack included: M; inf where the topology does not say."""
    return np.array([limit_with_slack(each) for each in np.nan_to_num(problem.memory, nan=np.inf)])


def within_memory(space: Space) -> Space:
    """Return the part of a space whose partitions fit into the memory of their nodes, where both are known."""
    problem = space.problem
    if not problem.knows_memory or np.isnan(problem.memory).all():
        return space
    return fitting(space, problem.partition_bytes <= _room(problem)[:, None, None])


def within_bounds(space: Space, query: Query) -> Space:
    """Return the part of a space that keeps those bounds of a question that are rules for single partitions.

    Raises
    ------
    QuestionError
        If a place is unknown, or what a measure needs is not in the profile.
    """
    for bound in query.bounds:
        if bound.at_most is not None and is_rule(space, bound):
            span = bound_measure(space.problem, bound, query.rate_fps).span
            space = fitting(space, np.asarray(span) <= limit_with_slack(bound.at_most))
    return space


def fitting(space: Space, fits: NDArray[np.bool_]) -> Space:
    """Return the part of a space with partitions that fit: M x N x N, for blocks i..j on each node."""
    count = space.problem.block_count
    fits = np.logical_and.accumulate(fits | np.tri(count, k=-1, dtype=bool), axis=2)
    if fits.all():
        return space
    furthest = fits.sum(axis=2) - 1
    return replace(space, allowed=space.allowed & fits, furthest=np.minimum(space.furthest, furthest))
