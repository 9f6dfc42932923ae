"""Bounds on measures beside the objective, as tables that solvers add up along a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tiercut.optimizer.measures import measure

if TYPE_CHECKING:
    from tiercut.optimizer.query import Query
    from tiercut.optimizer.space import Costs, Space

__all__ = ["Side", "side_bounds"]


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """A measure that a plan may not exceed.

    Parameters
    ----------
    name
        What a person calls it.
    costs
        Its tables.
    whole
        Whether its pieces count whole, however few samples get there.
    cap
        Greatest value, slack included.
    """

    name: str
    costs: Costs
    whole: bool
    cap: float


def side_bounds(space: Space, query: Query) -> list[Side]:
    """Return the bounds of a question that the objective itself does not carry."""
    sides = []
    if query.max_latency_s is not None and query.additive != "latency":
        sides.append(Side("latency", space.costs(measure(space.problem, "latency")), False, query.latency_cap))
    return sides
