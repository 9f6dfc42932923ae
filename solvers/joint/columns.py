"""The plans of single streams: priced by what a place costs that it keeps busy, and kept as columns of the master.

With a multiplier for each limit, the best plan of a stream is an ordinary question about one stream: the expected
latency times a factor, and the expected seconds on each server times what they cost, are one additive measure (Dantzig
and Wolfe, Decomposition Principle for Linear Programs, Operations Research 8, 1960; as columns Desrosiers and Lübbecke,
A Primer in Column Generation, 2005, section 2). The labels answer it exactly, so the bound that follows is proved.
Memory that has a price is a sum of another kind (`holding`).
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
from tiercut.solvers.joint.branches import Side, around, narrowed, thinned
from tiercut.solvers.joint.curves import Curve, Priced, Wanted
from tiercut.solvers.joint.holding import Holding, held_bytes
from tiercut.solvers.joint.task import Limit
from tiercut.solvers.registry import choose

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiercut.optimizer import Decision, Measure, Problem, Space
    from tiercut.solvers.interface import Outcome, Solver
    from tiercut.solvers.joint.branches import Branch, Rule
    from tiercut.solvers.joint.task import Floats, JointTask, Room, Stream
    from tiercut.solvers.task import Task

__all__ = ["Column", "Multipliers", "Pool", "Pricer", "Pricers"]

Found = TypeVar("Found")

_CUTS, _THRESHOLDS = 24, 7  # about how many of them plans have that are priced roughly
_NEXT = 1  # how far cuts and thresholds of plans may be from those of known ones that are made better
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


class Pool:
    """Plans of one network from one node, whichever stream found them.

    Of each it knows what a frame takes of every server, and the bytes that it holds on every node. One thread alone may
    add plans, while no other reads them.
    """

    def __init__(self, problem: Problem) -> None:
        sizes = problem.partition_bytes
        self.sizes = sizes if problem.knows_memory else np.zeros_like(sizes)  # else nothing is limited
        self.decisions: list[Decision] = []
        self.place: dict[Decision, int] = {}
        self.rows: list[tuple[float, float, Floats]] = []
        self._arrays: tuple[Floats, Floats, Floats] | None = None

    def take(self, problem: Problem, decision: Decision) -> tuple[float, float, Floats]:
        """Return latency, accuracy, and seconds on each server with bytes on each node, of a plan, which is kept."""
        at = self.place.get(decision)
        if at is None:
            plan, busy = price(problem, decision), busy_by_place(problem, decision)
            right = inf if plan.accuracy is None else plan.accuracy
            at = self.place[decision] = len(self.rows)
            self.decisions.append(decision)
            held = held_bytes(self.sizes, problem.node_count, decision)
            self.rows.append((plan.latency_s, right, np.concatenate([list(busy.values()), held])))
            self._arrays = None
        return self.rows[at]

    @property
    def arrays(self) -> tuple[Floats, Floats, Floats]:
        """P latencies and accuracies, and P x (R + M) seconds and bytes."""
        if self._arrays is None:
            latencies, rights, taken = zip(*self.rows, strict=True)
            self._arrays = np.array(latencies), np.array(rights), np.array(taken)
        return self._arrays


class Pricer:
    """Prices the plans of one stream."""

    def __init__(self, stream: Stream, rows: Sequence[Limit | Room], pool: Pool) -> None:
        self.stream, self.pool = stream, pool
        self.problem = stream.task.space.problem
        self.latency = measure(self.problem, "latency")
        self.columns: dict[Decision, Column] = {}
        self.names = tuple(servers(self.problem))
        self._adds = np.array([self._added(row) for row in rows]).reshape(len(rows), -1)

    def _added(self, row: Limit | Room) -> list[float]:
        """Return which share of a limit a second on each server takes, and a byte on each node."""
        if isinstance(row, Limit):
            busy = [self.stream.rate_fps / row.most * (name in row.servers) for name in self.names]
            return busy + [0.0] * self.problem.node_count
        a_byte = 1.0 / row.most if self.problem.knows_memory else 0.0
        return [0.0] * len(self.names) + [a_byte * (name == row.node) for name in self.problem.nodes]

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
            latency, _, taken = self.pool.take(self.problem, decision)
            found = self.columns[decision] = Column(decision, latency, self._adds @ taken)
        return found

    def borrowed(self, factor: float, prices: Floats, below: float, most: int, cap: float = inf) -> list[Column]:
        """Return the cheapest plans of the pool that cost less than so much, and that this stream may have."""
        if not self.pool.rows:
            return []
        costs = self._pool_costs(factor, prices, cap)
        best = np.argsort(costs, kind="stable")[:most]
        return [self.column(self.pool.decisions[at]) for at in best if costs[at] < below]

    def cheapest_known(self, factor: float, prices: Floats, cap: float = inf) -> tuple[float, Decision | None]:
        """Return the cheapest plan of the pool that this stream may have, and what it costs; inf: there is none."""
        if not self.pool.rows:
            return inf, None
        costs = self._pool_costs(factor, prices, cap)
        best = int(np.argmin(costs))
        return (inf, None) if costs[best] == inf else (float(costs[best]), self.pool.decisions[best])

    def _pool_costs(self, factor: float, prices: Floats, cap: float) -> Floats:
        """Return what each plan of the pool costs this stream; inf where it may not have it."""
        latencies, rights, taken = self.pool.arrays
        task = self.stream.task
        costs: Floats = factor * latencies + taken @ (prices @ self._adds)
        costs[(rights < task.floor) | (latencies > min(task.cap, cap))] = inf
        return costs

    def alone(self) -> Outcome:
        """Return the best plan of the stream by itself."""
        return _solved(choose(self.stream.task)[0], self.stream.task)

    def list_all(self, most: int) -> bool:
        """Take every plan of the stream, where there are no more than so many; return whether that was done."""
        base = self.stream.task
        if base.space.decisions > most:
            return False
        task = replace(base, kind="rank", top=base.space.decisions)
        outcome = _solved(choose(task)[0], task)
        for decision in outcome.decisions:
            self.column(decision)
        return outcome.status in ("optimal", "infeasible")  # of the latter it is proved that there is none

    def cheapest(
        self, factor: float, prices: Floats, rules: Sequence[Rule] = (), cap: float = inf, within: float = 0.0
    ) -> Priced:
        """Return the plan that costs least: so much for a second of latency, and for all that each limit allows.

        Only plans that are cheaper than all known ones are looked for; where there are none, the best of these is the
        answer.

        Parameters
        ----------
        factor, prices
            The multipliers of the stream, and of the K limits.
        rules
            That the plan keeps to.
        cap
            Its greatest latency.
        within
            By which share a plan has to be cheaper than those that are known to be looked for.
        """
        less = 1.0 - max(within, _LESS)
        least, known = min(
            (
                (factor * column.latency_s + float(prices @ column.loads), column.decision)
                for column in self.columns.values()
                if column.latency_s <= cap and all(rule.holds(column) for rule in rules)
            ),
            key=lambda each: each[0],
            default=(inf, None),
        )
        if not rules and (pooled := self.cheapest_known(factor, prices, cap))[0] < least:
            least, known = pooled
        if least <= 0:
            return Priced(least, known, proved=True)
        tables, base = self._tables(factor, prices), self.stream.task
        sides = [self._bounded(rule) for rule in rules if isinstance(rule, Side)]
        space = narrowed(base.space, rules) if len(sides) < len(rules) else base.space
        if not len(space.threshold_indices) or not space.can_end.any():
            return Priced(inf, None, proved=True)

        def ask(space: Space, tables: Measure, most: float) -> tuple[Decision | None, bool]:
            task = replace(
                base,
                space=space,
                measure=tables,
                costs=space.costs(tables),
                ties=base.costs if space is base.space else space.costs(self.latency),
                cap=most,
                constraints=tuple(self._fitted(space, each) for each in (*self._constraints, *sides)),
            )
            solver, outcome = self._within(task, cap)
            found = outcome.decisions[0] if outcome.decisions else None
            return found, solver.exact and outcome.status in ("optimal", "infeasible")

        if (held := (prices @ self._adds)[len(self.names) :]).any():
            value, decision, proved = self._holding.cheapest(space, tables, held, least * less, ask)
        else:
            decision, proved = ask(space, tables, least * less)
            value = least * less if decision is None else evaluate_tables(self.problem, decision, tables)
        return Priced(value, known if decision is None else decision, proved)

    def _within(self, task: Task, cap: float) -> tuple[Solver, Outcome]:
        """Return the best plan up to a latency, and who found it: the best of all, where that is quick enough."""
        solver = choose(task)[0]
        outcome = _solved(solver, task)
        # Not taken from the pool: this runs in several threads, which share it.
        if cap == inf or not outcome.decisions or price(self.problem, outcome.decisions[0]).latency_s <= cap:
            return solver, outcome
        assert task.ties is not None
        bound = Constraint("latency", self.latency, task.ties, cap)
        task = replace(task, constraints=(bound, *task.constraints))
        solver = choose(task)[0]
        return solver, _solved(solver, task)

    @cached_property
    def _holding(self) -> Holding:
        return Holding(self.stream.task.space, self.pool.sizes)

    def _fitted(self, space: Space, bound: Constraint) -> Constraint:
        """Return a constraint with tables that are fitted to a part of the stream's space."""
        return bound if space is self.stream.task.space else replace(bound, costs=space.costs(bound.measure))

    def _bounded(self, side: Side) -> Constraint:
        """Return a bound on the stream's plans as the constraint that solvers know."""
        load = None if side.limit is None else self._tables(0.0, np.eye(len(self._adds))[side.limit])
        tables = scaled(self.latency if load is None else load, side.sign)
        return Constraint("a share", tables, self.stream.task.space.costs(tables), side.most)

    def _tables(self, factor: float, prices: Floats) -> Measure:
        weights = zip(self.names, (prices @ self._adds)[: len(self.names)], strict=True)
        busy = occupancy(self.problem, {name: float(each) for name, each in weights if each})
        return plus(scaled(self.latency, factor), busy)


def _of_some(task: Task, space: Space) -> Task:
    """Return a task about some of its plans."""
    return replace(
        task,
        space=space,
        costs=space.costs(task.measure),
        constraints=tuple(replace(each, costs=space.costs(each.measure)) for each in task.constraints),
    )


def _solved(solver: Solver, task: Task) -> Outcome:
    """Return what a solver finds; an end by the user is not its own."""
    outcome = solver.solve(task, Options(workers=1))
    if outcome.status == "interrupted":
        raise KeyboardInterrupt
    return outcome


class Pricers:
    """Prices the plans of all streams, several at a time.

    Parameters
    ----------
    task
        What is asked.
    options
        Threads.
    pools
        Of the plans that are known already; None: none is.
    """

    def __init__(self, task: JointTask, options: Options, pools: dict[tuple[int, ...], Pool] | None = None) -> None:
        self.each: list[Pricer] = []
        self.task, self.options = task, options
        self.pools = pools = {} if pools is None else pools
        for place, stream in enumerate(task.streams):
            problem = stream.task.space.problem
            # With other bounds what is a plan of one stream may be none of another.
            key = (id(problem), place) if stream.task.constraints else (id(problem),)
            if key not in pools:
                pools[key] = Pool(problem)
            self.each.append(Pricer(stream, task.rows, pools[key]))
        self.rooms = len(task.limits)  # from where on rows are about memory
        self.threads = max(min(options.workers or cpu_count(), len(self.each)), 1)
        self.looked = 0  # how many prices were looked for

    @cached_property
    def rough(self) -> Pricers | None:
        """What prices plans with a few of all cuts and thresholds, in a small part of the time; None: all are few."""
        if all(pricer.problem.block_count <= 2 * _CUTS for pricer in self.each):
            return None
        return self._of([thinned(each.task.space, _CUTS, _THRESHOLDS) for each in self.task.streams])

    def near(self, plans: Sequence[Sequence[Decision]]) -> Pricers:
        """Return what prices plans that are cut and left close to where some plans are, those of streams alike."""
        known: dict[int, set[Decision]] = {}
        for pricer, own in zip(self.each, plans, strict=True):
            known.setdefault(id(pricer.pool), set()).update(own)
        return self._of([around(each.stream.task.space, known[id(each.pool)], _NEXT, _NEXT) for each in self.each])

    def _of(self, spaces: Sequence[Space]) -> Pricers:
        """Return what prices some of the plans of each stream."""
        streams = tuple(
            replace(each, task=_of_some(each.task, space))
            for each, space in zip(self.task.streams, spaces, strict=True)
        )
        return Pricers(replace(self.task, streams=streams), self.options, self.pools)

    def alone(self) -> list[Outcome]:
        """Return the best plan of each stream by itself, which hangs on no rate: one for all that are alike."""
        keys = [(id(each.pool), each.stream.task.floor, each.stream.task.cap) for each in self.each]
        firsts: dict[tuple[int, float, float], int] = {}
        for place, key in enumerate(keys):
            firsts.setdefault(key, place)
        found = self._all(lambda place: self.each[place].alone(), list(firsts.values()))
        by_key = dict(zip(firsts, found, strict=True))
        return [by_key[key] for key in keys]

    def cheapest(self, at: Multipliers, branch: Branch, within: float = 0.0) -> list[Priced]:
        """Return the cheapest plan of each stream that a part of the joint plans admits.

        Parameters
        ----------
        at, branch
            The multipliers, and the part.
        within
            By which share a price may be too low, and its plan too dear.
        """
        curves = [self._curve(own, at, branch, within) for own in self._alike(at, branch)]
        while jobs := [(curve, each) for curve in curves for each in curve.next()]:
            found = self._all(
                lambda place: self._cheapest(at, place, branch, 0.5 * within), [each.place for _, each in jobs]
            )
            self.looked += len(jobs)
            for (curve, each), priced in zip(jobs, found, strict=True):
                # Only now, and in this order, so that what the next ones know depends on no thread.
                if priced.decision is not None:
                    self.each[each.place].column(priced.decision)
                curve.take(each, priced)
        prices = {place: priced for curve in curves for place, priced in curve.found.items()}
        return [prices.get(place, Priced(inf, None, proved=True)) for place in range(len(self.each))]

    def _holds(self, at: Multipliers) -> bool:
        """Return whether memory has a price."""
        return bool(at.limits[self.rooms :].any())

    def _alike(self, at: Multipliers, branch: Branch) -> list[list[int]]:
        """Return the streams that may be served in groups of those with the same plans, and one curve of prices."""
        groups: dict[object, list[int]] = {}
        for place, pricer in enumerate(self.each):
            if branch.served.get(place, True):
                factor = float(at.latency[place]) if self._holds(at) else 0.0
                own = (place,) if branch.of(place) else (id(pricer.pool), pricer.stream.task.cap, factor)
                groups.setdefault(own, []).append(place)
        return list(groups.values())

    def _curve(self, places: Sequence[int], at: Multipliers, branch: Branch, within: float) -> Curve:
        wanted = []
        for place in places:
            stream = self.each[place].stream
            ratio, rate = float(at.latency[place]) / stream.rate_fps, stream.rate_fps
            if self._holds(at):  # which hangs on no rate: what is left to differ is what a frame counts
                ratio, rate = stream.rate_fps, 1.0
            wanted.append(Wanted(place, ratio, rate, stream.task.floor))

        def known(place: int) -> tuple[float, Decision | None]:
            return self.each[place].cheapest_known(float(at.latency[place]), at.limits, branch.cap)

        return Curve(wanted, known, within)

    def _cheapest(self, at: Multipliers, place: int, branch: Branch, within: float) -> Priced:
        factor = float(at.latency[place])
        return self.each[place].cheapest(factor, at.limits, branch.of(place), branch.cap, within)

    def _all(self, work: Callable[[int], Found], places: Sequence[int]) -> list[Found]:
        """Return what comes of some work for each of some streams."""
        if self.threads == 1 or len(places) == 1:
            return [work(place) for place in places]
        with ThreadPoolExecutor(self.threads) as pool:
            # A context for each, as the clock of the calling thread is to count in all of them.
            jobs = [pool.submit(copy_context().run, work, place) for place in places]
            return [job.result() for job in jobs]
