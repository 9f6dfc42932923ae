"""The plans of single streams: priced by what a place costs that it keeps busy, and kept as columns of the master.

With a multiplier for each limit, the best plan of a stream is an ordinary question about one stream: the expected
latency times a factor, and the expected seconds on each server times what they cost, are one additive measure (Dantzig
and Wolfe, Decomposition Principle for Linear Programs, Operations Research 8, 1960; as columns Desrosiers and Lübbecke,
A Primer in Column Generation, 2005, section 2). The labels answer it exactly, so the bound that follows is proved.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from tiercut.cpus import cpu_count
from tiercut.optimizer import (
    Constraint,
    busy_by_place,
    evaluate_tables,
    measure,
    occupancy,
    plus,
    price,
    scaled,
    servers,
)
from tiercut.solvers.interface import Options
from tiercut.solvers.joint.branches import Side, narrowed
from tiercut.solvers.registry import choose

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiercut.optimizer import Decision, Measure, Problem, Space
    from tiercut.solvers.interface import Outcome, Solver
    from tiercut.solvers.joint.branches import Branch, Rule
    from tiercut.solvers.joint.task import Floats, JointTask, Limit, Stream
    from tiercut.solvers.task import Task

__all__ = ["Column", "Multipliers", "Pool", "Priced", "Pricer", "Pricers"]

Found = TypeVar("Found")

_LESS = 1e-10  # by which share a plan has to cost less than those that are known


class Multipliers(NamedTuple):
    """What plans are priced by.

    Parameters
    ----------
    latency
        One for each stream: what a second of its latency counts.
    limits
        K: what it costs to take all that a limit allows.
    """

    latency: Floats
    limits: Floats

    def cost(self, place: int, latency_s: float, loads: Floats) -> float:
        """Return what a plan of a stream costs."""
        return float(self.latency[place] * latency_s + self.limits @ loads)

    def towards(self, other: Multipliers, share: float) -> Multipliers:
        """Return a point between the two."""
        return Multipliers(*(mine + share * (its - mine) for mine, its in zip(self, other, strict=True)))


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A plan of a stream: its decision, expected latency in seconds, and the share of each limit that it takes (K)."""

    decision: Decision
    latency_s: float
    loads: Floats


class Priced(NamedTuple):
    """The cheapest plan of a stream at some multipliers: what it costs (inf: there is none), whether it is proved."""

    value: float
    decision: Decision | None
    proved: bool


class Pool:
    """Plans of one network from one node, whichever stream found them: what each takes of every server for a frame."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self.place: dict[Decision, int] = {}
        self.rows: list[tuple[float, float, Floats]] = []
        self._arrays: tuple[Floats, Floats, Floats] | None = None

    def take(self, problem: Problem, decision: Decision) -> tuple[float, float, Floats]:
        """Return the latency, the accuracy and the seconds on each server of a plan, which is kept."""
        at = self.place.get(decision)
        if at is None:
            at = self.place[decision] = len(self.rows)
            plan, busy = price(problem, decision), busy_by_place(problem, decision)
            right = inf if plan.accuracy is None else plan.accuracy
            self.decisions.append(decision)
            self.rows.append((plan.latency_s, right, np.array(list(busy.values()))))
            self._arrays = None
        return self.rows[at]

    @property
    def arrays(self) -> tuple[Floats, Floats, Floats]:
        """P latencies and accuracies, and P x R seconds."""
        if self._arrays is None:
            latencies, rights, busy = zip(*self.rows, strict=True)
            self._arrays = np.array(latencies), np.array(rights), np.array(busy)
        return self._arrays


class Pricer:
    """Prices the plans of one stream."""

    def __init__(self, stream: Stream, limits: Sequence[Limit], pool: Pool) -> None:
        self.stream, self.pool = stream, pool
        self.problem = stream.task.space.problem
        self.latency = measure(self.problem, "latency")
        self.columns: dict[Decision, Column] = {}
        self.names = tuple(servers(self.problem))
        self._adds = np.array(
            [[stream.rate_fps / limit.most * (name in limit.servers) for name in self.names] for limit in limits]
        ).reshape(len(limits), len(self.names))

    @cached_property
    def _constraints(self) -> tuple[Constraint, ...]:
        """What the stream's plans are bounded by where latency is not what is minimised."""
        task = self.stream.task
        if task.cap == inf:
            return task.constraints
        return Constraint("latency", self.latency, task.costs, task.cap), *task.constraints

    def column(self, decision: Decision) -> Column:
        """Return a plan of the stream as a column, which is kept."""
        found = self.columns.get(decision)
        if found is None:
            latency, _, busy = self.pool.take(self.problem, decision)
            found = self.columns[decision] = Column(decision, latency, self._adds @ busy)
        return found

    def borrowed(self, factor: float, prices: Floats, below: float, most: int) -> list[Column]:
        """Return the cheapest plans of the pool that cost less than so much, and that this stream may have."""
        if not self.pool.rows:
            return []
        latencies, rights, busy = self.pool.arrays
        task = self.stream.task
        costs = factor * latencies + busy @ (prices @ self._adds)
        costs[(rights < task.floor) | (latencies > task.cap)] = inf
        best = np.argsort(costs, kind="stable")[:most]
        return [self.column(self.pool.decisions[at]) for at in best if costs[at] < below]

    def alone(self) -> Outcome:
        """Return the best plan of the stream by itself."""
        return _solved(choose(self.stream.task)[0], self.stream.task)

    def cheapest(self, factor: float, prices: Floats, rules: Sequence[Rule] = ()) -> Priced:
        """Return the plan that costs least: so much for a second of latency, and for all that each limit allows.

        Only plans that are cheaper than all known ones are looked for; where there are none, the best of these is the
        answer.

        Parameters
        ----------
        factor, prices
            The multipliers of the stream, and of the K limits.
        rules
            That the plan keeps to.
        """
        least, best = min(
            (
                (factor * column.latency_s + float(prices @ column.loads), at)
                for at, column in enumerate(self.columns.values())
                if all(rule.holds(column) for rule in rules)
            ),
            default=(inf, -1),
        )
        known = None if best < 0 else list(self.columns)[best]
        if least <= 0:
            return Priced(least, known, proved=True)
        tables, base = self._tables(factor, prices), self.stream.task
        sides = [self._bounded(rule) for rule in rules if isinstance(rule, Side)]
        space = narrowed(base.space, rules) if len(sides) < len(rules) else base.space
        if not len(space.threshold_indices) or not space.can_end.any():
            return Priced(inf, None, proved=True)
        task = replace(
            base,
            space=space,
            measure=tables,
            costs=space.costs(tables),
            ties=base.costs if space is base.space else space.costs(self.latency),
            cap=least * (1 - _LESS),
            constraints=tuple(self._fitted(space, each) for each in (*self._constraints, *sides)),
        )
        solver = choose(task)[0]
        outcome = _solved(solver, task)
        decision = outcome.decisions[0] if outcome.decisions else known
        value = (
            evaluate_tables(self.problem, outcome.decisions[0], tables) if outcome.decisions else least * (1 - _LESS)
        )
        return Priced(value, decision, proved=solver.exact and outcome.status in ("optimal", "infeasible"))

    def _fitted(self, space: Space, bound: Constraint) -> Constraint:
        """Return a constraint with tables that are fitted to a part of the stream's space."""
        return bound if space is self.stream.task.space else replace(bound, costs=space.costs(bound.measure))

    def _bounded(self, side: Side) -> Constraint:
        """Return a bound on the stream's plans as the constraint that solvers know."""
        load = None if side.limit is None else self._tables(0.0, np.eye(len(self._adds))[side.limit])
        tables = scaled(self.latency if load is None else load, side.sign)
        return Constraint("a share", tables, self.stream.task.space.costs(tables), side.most)

    def _tables(self, factor: float, prices: Floats) -> Measure:
        weights = zip(self.names, prices @ self._adds, strict=True)
        busy = occupancy(self.problem, {name: float(each) for name, each in weights if each})
        return plus(scaled(self.latency, factor), busy)


def _solved(solver: Solver, task: Task) -> Outcome:
    """Return what a solver finds; an end by the user is not its own."""
    outcome = solver.solve(task, Options(workers=1))
    if outcome.status == "interrupted":
        raise KeyboardInterrupt
    return outcome


class Pricers:
    """Prices the plans of all streams, several at a time."""

    def __init__(self, task: JointTask, options: Options) -> None:
        self.each: list[Pricer] = []
        pools: dict[int, Pool] = {}
        for stream in task.streams:
            # With other bounds what is a plan of one stream may be none of another.
            alike = not stream.task.constraints
            pool = pools.setdefault(id(stream.task.space.problem), Pool()) if alike else Pool()
            self.each.append(Pricer(stream, task.limits, pool))
        self.threads = max(min(options.workers or cpu_count(), len(self.each)), 1)

    def alone(self) -> list[Outcome]:
        """Return the best plan of each stream by itself."""
        return self._all(lambda place: self.each[place].alone())

    def cheapest(self, at: Multipliers, branch: Branch) -> list[Priced]:
        """Return the cheapest plan of each stream that a part of the joint plans admits."""
        return self._all(lambda place: self._cheapest(at, place, branch))

    def _cheapest(self, at: Multipliers, place: int, branch: Branch) -> Priced:
        if not branch.served.get(place, True):
            return Priced(inf, None, proved=True)
        return self.each[place].cheapest(float(at.latency[place]), at.limits, branch.of(place))

    def _all(self, work: Callable[[int], Found]) -> list[Found]:
        places = range(len(self.each))
        if self.threads == 1:
            return [work(place) for place in places]
        with ThreadPoolExecutor(self.threads) as pool:
            # A context for each, as the clock of the calling thread is to count in all of them.
            jobs = [pool.submit(copy_context().run, work, place) for place in places]
            return [job.result() for job in jobs]
