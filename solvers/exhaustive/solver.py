"""Every decision, scored: the reference against which the others are checked.

The tree of decisions is cut into tasks (first node, first cut); threads take them one by one and keep what is good in
containers of their own, which are merged at the end. Memory does not grow with the number of decisions.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from math import inf
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.optimizer.constraints import Constraint, constraints_of
from tiercut.optimizer.measures.tables import measure
from tiercut.optimizer.query import Query
from tiercut.solvers.encoding import Layout
from tiercut.solvers.interface import Options, Outcome, Status
from tiercut.solvers.kernels import plain_kernels
from tiercut.solvers.parallel import ROOM, Keeper, cores, decisions_of, merge, plain_tables, watch
from tiercut.solvers.warm_up import tiny_space

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer.space import Costs, Space

__all__ = ["solve"]

_SMALL = 200_000  # decisions below which threads cost more than they bring


def solve(space: Space, query: Query, options: Options) -> Outcome:
    """Score every admitted decision and keep the best, the N best or the frontier.

    Parameters
    ----------
    space
        The decisions that count.
    query
        Objective, bounds and kind of answer.
    options
        Number of threads, time limit and progress.

    Returns
    -------
    Outcome
        ``optimal``, or ``feasible`` where the time limit or an interrupt ended the work early.

    Notes
    -----
    For blocks N, nodes M and thresholds T there are T·Σ_L C(N,L)·M!/(M-L)! decisions (the Joint model, section 3.3,
    tries them all).
    """
    if query.many:
        from tiercut.solvers.labels.points import solve_points

        return solve_points(space, query, options, "exhaustive")
    _load_kernels()
    began = time.perf_counter()
    work = _Work(space, query)
    keepers, finished = _run(work, options)
    decisions = decisions_of(space, work.layout, _merged(work, keepers))
    status: Status = "feasible" if not finished else "optimal" if decisions else "infeasible"
    scored = _scored(keepers)
    seconds = time.perf_counter() - began
    return Outcome("exhaustive", True, status, decisions, seconds, scored, "" if finished else "stopped before the end")


@cache
def _load_kernels() -> None:
    """Compile the kernels, or read them from the disk, by asking something tiny; what is measured begins after it."""
    for query in (Query(kind="frontier"), Query(kind="rank")):
        work = _Work(tiny_space(), query)
        _merged(work, _run(work, Options())[0])


class _Work:
    """The arguments of the kernels, fitted once, and the list of tasks."""

    def __init__(self, space: Space, query: Query) -> None:
        self.layout = Layout.of(space)
        self.front = query.kind == "frontier"
        self.by_accuracy = query.objective == "accuracy" and not self.front
        self.capacity = ROOM if self.front else query.top if query.kind == "rank" else 1
        self.decisions = space.decisions
        self.space = space
        cap = query.latency_cap if query.additive == "latency" else inf
        self.wanted = (self.front, self.by_accuracy, cap, query.accuracy_floor)
        sides = constraints_of(space, query)
        self.tied = query.additive != "latency"
        if self.tied and query.max_latency_s is None:
            latency = measure(space.problem, "latency")
            sides.insert(0, Constraint("latency", latency, space.costs(latency), inf))
        costs = space.costs(measure(space.problem, query.additive, query.rate_fps))
        self.fast = space.plain and not sides and not costs.whole and costs.tail is None
        self.tasks: list[tuple[int, ...]]
        self.arrays: tuple[Any, ...]
        if self.fast:
            tables, rules = plain_tables(space, costs)
            self.arrays = (*tables, *rules)
            cuts = (
                [plain_kernels.UNCUT, *np.flatnonzero(space.can_cut).tolist()]
                if space.most > 1
                else [plain_kernels.UNCUT]
            )
            roots = np.flatnonzero(space.linked[space.problem.source])
            self.tasks = [(int(root), cut, space.most, space.most, False) for cut in cuts for root in roots]
        else:
            self.arrays = self._walking(costs, sides)
            self.tasks = [(lane,) for lane in range(len(space.lanes))]

    def _walking(self, costs: Costs, sides: list[Constraint]) -> tuple[Any, ...]:
        space = self.space
        tables = (costs.first, costs.span, costs.bare, costs.send, costs.result, space.drops)
        samples = space.problem.recorded
        seen = (0, None, None) if samples is None else (samples.count, *samples.bits(space.problem.thresholds))
        rules = (space.option_exit, space.option_threshold, space.jump, space.inside, space.can_end)
        return (
            *tables,
            *(*rules, space.group, space.rank, space.linked),
            *(_stacked([getattr(side.costs, name) for side in sides], getattr(costs, name)) for name in _TABLES),
            np.array([side.costs.whole for side in sides], bool),
            np.array([_tail(side.costs) for side in sides], float),
            np.array([side.cap for side in sides], float),
            costs.whole,
            _tail(costs),
            self.tied,
            *seen,
        )

    def keeper(self) -> Keeper:
        return Keeper(self.capacity, self.layout.width)

    def perform(self, task: tuple[Any, ...], keeper: Keeper) -> None:
        if self.fast:
            keeper.enumerate(task, self.arrays, self.wanted)
            return
        space, layout, lane = self.space, self.layout, task[0]
        places = (layout.exits_at, layout.thresholds_at, layout.codecs_at)
        head = (lane, space.problem.source, space.most, space.fewest, space.required_bits, *places, *self.arrays[:6])
        kept = (*self.wanted, *keeper.arrays, keeper.count, keeper.progress)
        run: Any = plain_kernels.walk_plans
        made = run(*head, np.ascontiguousarray(space.stay[:, lane]), space.accuracies(lane), *self.arrays[6:], *kept)
        keeper.costs, keeper.accuracies, keeper.keys, keeper.count = made


_TABLES = ("first", "span", "bare", "send", "result")


def _tail(costs: Costs) -> float:
    return -1.0 if costs.tail is None else costs.tail


def _stacked(tables: list[NDArray[np.float64]], like: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack(tables) if tables else np.empty((0, *(0 for _ in like.shape)))


def _run(work: _Work, options: Options) -> tuple[list[Keeper], bool]:
    """Let threads take the tasks one by one; return what they kept, and whether all was done."""
    count = 1 if work.decisions < _SMALL else options.workers or cores()
    keepers = [work.keeper() for _ in range(count)]
    tasks: SimpleQueue[tuple[int, ...]] = SimpleQueue()
    for task in work.tasks:
        tasks.put(task)

    def take(keeper: Keeper) -> None:
        while not keeper.progress[0]:
            try:
                task = tasks.get_nowait()
            except Empty:
                return
            work.perform(task, keeper)

    if count == 1 and options.time_limit_s is None and work.decisions < _SMALL:
        take(keepers[0])
        return keepers, True
    with ThreadPoolExecutor(count) as pool:
        running = [pool.submit(take, keeper) for keeper in keepers]
        finished = watch(
            running, [keeper.progress for keeper in keepers], options, lambda: (_scored(keepers), work.decisions)
        )
    for each in running:
        each.result()
    return keepers, finished


def _scored(keepers: list[Keeper]) -> int:
    return int(sum(keeper.progress[1] for keeper in keepers))


def _merged(work: _Work, keepers: list[Keeper]) -> Keeper:
    best = work.keeper()
    for keeper in keepers:
        kept = (keeper.costs[: keeper.count], keeper.accuracies[: keeper.count], keeper.keys[: keeper.count])
        merge(best, *kept, work.front, work.by_accuracy)
    return best
