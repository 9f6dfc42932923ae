"""What a solver is to find: a question compiled into tables, so that no solver reads the question itself.

Whether one measure is minimised or several are traded is the task's business: `Task.goals` is there for several.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.optimizer import constraints_of, measure, within_bounds
from tiercut.solvers.kernels.arguments import one_or_each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tiercut.optimizer import Constraint, Costs, Kind, Measure, Query, Space

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["Goals", "Task", "bounded_goals", "make_task", "plain_tables"]

_NOISE = 1e-12  # of a sum that was taken in another order, as a share of it
_ACCURACY_NOISE = 1e-13
_TABLES = ("first", "span", "bare", "send", "result")


@dataclass(frozen=True, slots=True, eq=False)
class Goals:
    """R additive measures and accuracy, in the order in which a point has them.

    Parameters
    ----------
    costs
        R: tables of the additive measures.
    turned
        R+1: which of them (R: accuracy, its sign turned) stands at each place of a point: what is compared, in the
        order in which the frontier is sorted; what decides among equals (latency, accuracy); what is only bounded.
    compared, ties
        How many there are of the first two sorts.
    caps
        R+1: greatest value at each place of a point, slack included.
    loose
        2 x (R+1): by which share of what is added, and by what, a lower bound at each place may be too high, because
        it is summed in another order. Nothing for whole numbers, which are summed exactly.
    """

    costs: tuple[Costs, ...]
    turned: Ints
    compared: int
    ties: int
    caps: Floats
    loose: Floats


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Task:
    """What a solver is to find.

    Parameters
    ----------
    space
        The decisions that count.
    kind
        ``solve``: the best plan; ``rank``: the `top` best, in order; ``frontier``: all that no other dominates.
    top
        How many plans are wanted; 1 for the other kinds.
    by_accuracy
        Whether accuracy is maximised, and the objective only decides among equals.
    measure, costs
        The additive measure that is minimised or traded against accuracy, and the same fitted to the space.
    ties
        Tables of the latency, which decides among plans of equal cost; None where it is the objective itself. Where
        the latency is bounded these are the very tables of the first constraint.
    cap
        Greatest value of the objective, slack included; inf: none.
    floor
        Least accuracy, slack included; -inf: none.
    constraints
        Greatest values of other measures.
    goals
        For a frontier over other than one measure and accuracy: what is compared, constraints included; else None (see
        `bounded_goals`).
    """

    space: Space
    kind: Kind
    top: int
    by_accuracy: bool
    measure: Measure
    costs: Costs
    ties: Costs | None
    cap: float
    floor: float
    constraints: tuple[Constraint, ...]
    goals: Goals | None

    @property
    def front(self) -> bool:
        """Whether a frontier is wanted."""
        return self.kind == "frontier"

    @property
    def bounds_ties(self) -> bool:
        """Whether the latency, which decides among plans of equal cost, is also the first constraint."""
        return bool(self.constraints) and self.constraints[0].costs is self.ties

    def within(self, part: Space) -> Task:
        """Return the same task for a part of the space, for one without constraints and goals."""
        latency = None if self.ties is None else part.costs(measure(part.problem, "latency"))
        return replace(self, space=part, costs=part.costs(self.measure), ties=latency)


def make_task(space: Space, query: Query) -> Task:
    """Return the task of a question.

    Parameters
    ----------
    space
        The decisions that the question admits. The task's own keeps those bounds too that are rules for partitions.
    query
        Objective, bounds and kind of answer.

    Raises
    ------
    QuestionError
        If a measure or a place is unknown, or what it needs is not in the topology or the profile.
    """
    space = within_bounds(space, query)
    tables = measure(space.problem, query.additive, query.rate_fps)
    constraints = constraints_of(space, query)
    ties = None
    if query.additive != "latency":
        # NOTE The bound on latency, where there is one, comes first among the constraints.
        bounded = query.max_latency_s is not None
        ties = constraints[0].costs if bounded else space.costs(measure(space.problem, "latency"))
    return Task(
        space=space,
        kind=query.kind,
        top=query.top if query.kind == "rank" else 1,
        by_accuracy=query.objective == "accuracy" and query.kind != "frontier",
        measure=tables,
        costs=space.costs(tables),
        ties=ties,
        cap=query.latency_cap if query.additive == "latency" else inf,
        floor=query.accuracy_floor,
        constraints=tuple(constraints),
        goals=_goals(space, query, constraints) if query.many else None,
    )


def _goals(space: Space, query: Query, constraints: Sequence[Constraint]) -> Goals:
    """Return what a frontier over several measures compares and bounds."""
    names = [name for name in query.compared if name != "accuracy"]
    rows = [*names, *(["latency"] if "latency" not in names else [])]
    costs = [space.costs(measure(space.problem, name, query.rate_fps)) for name in rows]
    costs += [side.costs for side in constraints]
    right = len(costs)
    least = [names.index(name) if name != "accuracy" else right for name in query.compared]
    deciding = [place for place in (rows.index("latency"), right) if place not in least]
    turned = [*least, *deciding, *range(len(rows), right)]
    caps = [inf] * len(rows) + [side.cap for side in constraints] + [-query.accuracy_floor]
    caps[rows.index("latency")] = query.latency_cap
    return _arranged(costs, caps, turned, len(least), len(deciding))


def bounded_goals(task: Task) -> Goals:
    """Return a task with constraints as a frontier over what it minimises or trades, all else being bounded.

    Of a best plan one measure is compared, so that the frontier is that plan.
    """
    rows = [(task.costs, task.cap)]
    if task.ties is not None and not task.bounds_ties:
        rows.append((task.ties, inf))
    rows += [(side.costs, side.cap) for side in task.constraints]
    right, ties = len(rows), [] if task.ties is None else [1]
    if task.front:
        least = [0, right]
    else:
        least, ties = ([right], [0, *ties]) if task.by_accuracy else ([0], [*ties, right])
    turned = [*least, *ties, *(row for row in range(right) if row not in (*least, *ties))]
    caps = [*(cap for _, cap in rows), -task.floor]
    return _arranged([costs for costs, _ in rows], caps, turned, len(least), len(ties))


def _arranged(costs: Sequence[Costs], caps: Sequence[float], turned: Sequence[int], compared: int, ties: int) -> Goals:
    """Return goals of measures that are given in the order of the tables, accuracy last."""
    order = np.array(turned, np.int64)
    loose = np.array([*(_noise(each) for each in costs), (0.0, _ACCURACY_NOISE)]).T
    return Goals(tuple(costs), order, compared, ties, np.array(caps)[order], loose[:, order].copy())


def _noise(costs: Costs) -> tuple[float, float]:
    """Return by which share, and by what, a sum of a measure may differ when it is taken in another order."""
    if costs.others:
        each = [_noise(one) for one in (replace(costs, others=()), *costs.others)]
        return max(share for share, _ in each), max(more for _, more in each)
    values = [np.asarray(getattr(costs, name)) for name in _TABLES]
    finite = [table[np.isfinite(table)] for table in values]
    if costs.whole and all((table == np.rint(table)).all() for table in finite):
        return 0.0, 0.0
    if all((table >= 0).all() for table in finite):
        return _NOISE, 0.0
    blocks = costs.span.shape[1]
    return _NOISE, _NOISE * blocks * max(float(np.abs(table).max(initial=0.0)) for table in finite)


def plain_tables(space: Space, costs: Costs) -> tuple[tuple[Floats, ...], tuple[Any, ...]]:
    """Return costs and rules of a plain space, as `plain_kernels.enumerate_plans` takes them."""
    middle = costs.span if space.option_exit[0] else costs.bare
    stay = space.stay if space.option_exit[0] else np.ones((len(space.accuracy) + 1, 1))
    rules = (stay, space.accuracy, space.can_cut, space.can_end, space.group, space.rank, space.linked)
    pieces, which, factor = one_or_each(middle, costs.span)
    return (costs.first[0], *pieces, which, factor, costs.send[0], costs.result), rules
