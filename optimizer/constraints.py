"""Bounds on measures beside the objective (see `tiercut.optimizer.measures.names`), as tables that solvers add up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tiercut.optimizer.measures.tables import Measure, minus, scaled
from tiercut.optimizer.measures.whole_plan import measure
from tiercut.optimizer.pricing import evaluate_tables
from tiercut.optimizer.query import SLACK

if TYPE_CHECKING:
    from tiercut.optimizer.plan import Decision
    from tiercut.optimizer.problem import Problem
    from tiercut.optimizer.query import Bound, Query
    from tiercut.optimizer.space import Costs, Space

__all__ = ["Side", "bound_measure", "bound_value", "side_bounds"]


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """A measure that a plan may not exceed.

    Parameters
    ----------
    name
        What a person calls it.
    measure, costs
        Its tables, and the same fitted to the space.
    cap
        Greatest value, slack included. A least value is a greatest one of tables with the sign turned.
    """

    name: str
    measure: Measure
    costs: Costs
    cap: float


def side_bounds(space: Space, query: Query) -> list[Side]:
    """Return the bounds of a question that the objective itself does not carry.

    Raises
    ------
    QuestionError
        If a measure or a place is unknown, or what it needs is not in the topology or the profile.
    """
    sides = []
    if query.max_latency_s is not None and query.additive != "latency":
        tables = measure(space.problem, "latency")
        sides.append(Side("latency", tables, space.costs(tables), query.latency_cap))
    for bound in query.bounds:
        sides += _sides(space, query, bound)
    return sides


def _sides(space: Space, query: Query, bound: Bound) -> list[Side]:
    made = []
    for value, sign in ((bound.at_most, 1.0), (bound.at_least, -1.0)):
        if value is None:
            continue
        tables, limit = bound_measure(space.problem, bound, query.rate_fps), value
        if bound.measure == "share":
            # compute / latency <= share is linear: compute - share * latency <= 0.
            tables, limit = minus(tables, measure(space.problem, "latency"), value), 0.0
        if sign < 0:
            tables = scaled(tables, -1.0)
        slack = SLACK * max(1.0, abs(limit))
        made.append(Side(bound.name, tables, space.costs(tables), sign * limit + slack))
    return made


def bound_measure(problem: Problem, bound: Bound, rate_fps: float | None = None) -> Measure:
    """Return the tables of the measure that a bound is on."""
    tables = measure(problem, bound.name, rate_fps)
    return scaled(tables, 1.0 / problem.block_count) if bound.relative else tables


def bound_value(problem: Problem, decision: Decision, bound: Bound, rate_fps: float | None = None) -> float:
    """Return what a decision comes to in the measure that a bound is on."""
    value = evaluate_tables(problem, decision, bound_measure(problem, bound, rate_fps))
    if bound.measure != "share":
        return value
    whole = evaluate_tables(problem, decision, measure(problem, "latency"))
    return value / whole if whole else 0.0
