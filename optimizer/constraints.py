"""Constraints: bounds on measures beside the objective, as tables that solvers add up along a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tiercut.optimizer.measures.tables import Measure, measure, minus, scaled
from tiercut.optimizer.pricing import evaluate_tables
from tiercut.optimizer.query import SLACK

if TYPE_CHECKING:
    from tiercut.optimizer.plan import Decision
    from tiercut.optimizer.problem import Problem
    from tiercut.optimizer.query import Bound, Query
    from tiercut.optimizer.space import Costs, Space

__all__ = ["Constraint", "bound_measure", "bound_value", "constraints_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Constraint:
    """A measure, and the greatest value of it that a plan may have.

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


def constraints_of(space: Space, query: Query) -> list[Constraint]:
    """Return the constraints of a question that the objective itself does not carry.

    Raises
    ------
    QuestionError
        If a measure or a place is unknown, or what it needs is not in the topology or the profile.
    """
    constraints = []
    if query.max_latency_s is not None and query.additive != "latency":
        tables = measure(space.problem, "latency")
        constraints.append(Constraint("latency", tables, space.costs(tables), query.latency_cap))
    for bound in query.bounds:
        constraints += _of_bound(space, query, bound)
    return constraints


def _of_bound(space: Space, query: Query, bound: Bound) -> list[Constraint]:
    constraints = []
    for value, sign in ((bound.at_most, 1.0), (bound.at_least, -1.0)):
        if value is None:
            continue
        tables, limit = bound_measure(space.problem, bound, query.rate_fps), value
        if bound.kind.ratio_of:
            # compute / latency <= share is linear: compute - share * latency <= 0.
            tables, limit = minus(tables, measure(space.problem, "latency"), value), 0.0
        if sign < 0:
            tables = scaled(tables, -1.0)
        slack = SLACK * max(1.0, abs(limit))
        constraints.append(Constraint(bound.name, tables, space.costs(tables), sign * limit + slack))
    return constraints


def bound_measure(problem: Problem, bound: Bound, rate_fps: float | None = None) -> Measure:
    """Return the tables of the measure that a bound is on."""
    tables = measure(problem, bound.name, rate_fps)
    return scaled(tables, 1.0 / problem.block_count) if bound.relative else tables


def bound_value(problem: Problem, decision: Decision, bound: Bound, rate_fps: float | None = None) -> float:
    """Return the value that a decision has in the measure that a bound is on."""
    value = evaluate_tables(problem, decision, bound_measure(problem, bound, rate_fps))
    if not bound.kind.ratio_of:
        return value
    whole = evaluate_tables(problem, decision, measure(problem, "latency"))
    return value / whole if whole else 0.0
