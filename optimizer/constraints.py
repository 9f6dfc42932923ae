"""Constraints: bounds on measures beside the objective, as tables that solvers add up along a plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tiercut.optimizer.measures.busy import rate_bounds
from tiercut.optimizer.measures.local import place_of
from tiercut.optimizer.measures.tables import Measure, measure, minus, scaled
from tiercut.optimizer.pricing import evaluate_tables
from tiercut.optimizer.query import SLACK
from tiercut.units import MONTH_S

if TYPE_CHECKING:
    from tiercut.optimizer.plan import Decision
    from tiercut.optimizer.problem import Problem
    from tiercut.optimizer.query import Bound, Query
    from tiercut.optimizer.space import Costs, Space

__all__ = ["Constraint", "bound_measure", "bound_value", "constraints_of", "is_rule", "limit_with_slack"]


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
    """Return the constraints of a question that neither the objective nor the space carries (see `is_rule`).

    Raises
    ------
    QuestionError
        If a measure or a place is unknown, or what it needs is not in the topology or the profile.
    """
    constraints = []
    if query.max_latency_s is not None and query.additive != "latency":
        tables = measure(space.problem, "latency")
        constraints.append(Constraint("latency", tables, space.costs(tables), query.latency_cap))
    for bound in (*query.bounds, *rate_bounds(space, query)):
        constraints += _of_bound(space, query, bound)
    return constraints


def _of_bound(space: Space, query: Query, bound: Bound) -> list[Constraint]:
    constraints: list[Constraint] = []
    for value, sign in ((bound.at_most, 1.0), (bound.at_least, -1.0)):
        if value is None or (sign > 0 and is_rule(space, bound)):
            continue
        tables, limit = bound_measure(space.problem, bound, query.rate_fps), value
        if bound.kind.peak:
            constraints += _of_peak(space, bound, tables, value)
            continue
        if bound.kind.ratio_of:
            # compute / latency <= share is linear: compute - share * latency <= 0.
            tables, limit = minus(tables, measure(space.problem, "latency"), value), 0.0
        if sign < 0:
            tables = scaled(tables, -1.0)
        constraints.append(Constraint(bound.name, tables, space.costs(tables), limit_with_slack(sign * limit)))
    return constraints


def _of_peak(space: Space, bound: Bound, tables: Measure, most: float) -> Iterator[Constraint]:
    """Yield a constraint for each of several sums that may exceed their greatest value: the share of it at most 1."""
    for each in (replace(tables, others=()), *tables.others):
        # Seconds of a frame are tiny numbers, which the slack of a bound would swallow.
        share = scaled(each, 1.0 / most) if most > 0 else each
        yield Constraint(bound.name, share, space.costs(share), limit_with_slack(1.0 if most > 0 else 0.0))


def is_rule(space: Space, bound: Bound) -> bool:
    """Return whether a greatest value is a rule for single partitions: of what counts once, where at most one is."""
    if not bound.kind.once or bound.place is None:
        return False
    groups = space.group[place_of(space.problem, bound.place)]
    return len(np.unique(groups)) == 1


def limit_with_slack(limit: float) -> float:
    """Return the greatest value that keeps a bound."""
    return limit + SLACK * max(1.0, abs(limit))


def bound_measure(problem: Problem, bound: Bound, rate_fps: float | None = None) -> Measure:
    """Return the tables of the measure that a bound is on."""
    tables = measure(problem, bound.name, rate_fps)
    if bound.monthly:
        assert rate_fps is not None, "a question with such a bound has a rate"
        return scaled(tables, rate_fps * MONTH_S)
    return scaled(tables, 1.0 / problem.block_count) if bound.relative else tables


def bound_value(problem: Problem, decision: Decision, bound: Bound, rate_fps: float | None = None) -> float:
    """Return the value that a decision has in the measure that a bound is on."""
    value = evaluate_tables(problem, decision, bound_measure(problem, bound, rate_fps))
    if not bound.kind.ratio_of:
        return value
    whole = evaluate_tables(problem, decision, measure(problem, "latency"))
    return value / whole if whole else 0.0
