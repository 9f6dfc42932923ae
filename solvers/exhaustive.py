"""Every decision, scored: the reference against which the others are checked.

The tree of decisions is cut into tasks (first node, first cut); threads take them one by one and keep what is good in
containers of their own, which are merged at the end. Memory does not grow with the number of decisions.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cache
from math import inf
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.optimizer import kernels
from tiercut.optimizer.measures import measure
from tiercut.optimizer.outcome import Outcome, Status
from tiercut.optimizer.plan import Decision
from tiercut.optimizer.query import Query
from tiercut.optimizer.tiny import tiny_space
from tiercut.solvers.options import Options

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer.space import Space

__all__ = ["solve"]

_SMALL = 200_000  # decisions below which threads cost more than they bring
_POLL_S = 0.1


@dataclass(slots=True)
class _Keeper:
    """What one thread has kept so far, and how far it has come."""

    capacity: int
    width: int
    costs: NDArray[np.float64] = field(init=False)
    accuracies: NDArray[np.float64] = field(init=False)
    keys: NDArray[np.int64] = field(init=False)
    table: NDArray[np.float64] = field(init=False)
    progress: NDArray[np.int64] = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        self.costs = np.empty(self.capacity)
        self.accuracies = np.empty(self.capacity)
        self.keys = np.empty((self.capacity, self.width), np.int64)
        self.table = np.full(kernels.BUCKETS + 1, inf)
        self.progress = np.zeros(2, np.int64)


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
    _load_kernels()
    began = time.perf_counter()
    work = _Work(space, query)
    keepers, finished = _run(work, options)
    best = _merge(work, keepers)
    decisions = tuple(_decision(space, row, work.most) for row in best.keys[: best.count])
    status: Status = "feasible" if not finished else "optimal" if decisions else "infeasible"
    scored = int(sum(keeper.progress[0] for keeper in keepers))
    seconds = time.perf_counter() - began
    return Outcome("exhaustive", True, status, decisions, seconds, scored, "" if finished else "stopped before the end")


@cache
def _load_kernels() -> None:
    """Compile the kernels, or read them from the disk, by asking something tiny; what is measured begins after it."""
    for query in (Query(kind="frontier"), Query(kind="rank")):
        work = _Work(tiny_space(), query)
        _merge(work, _run(work, Options())[0])


class _Work:
    """The arguments of the kernel, fitted once, and the list of tasks."""

    def __init__(self, space: Space, query: Query) -> None:
        self.most = space.most_partitions
        self.front = query.kind == "frontier"
        self.by_accuracy = query.objective == "accuracy"
        self.capacity = 64 if self.front else query.top if query.kind == "rank" else 1
        self.decisions = space.decisions
        costs = space.costs(measure(space.problem, query.additive))
        capped = query.max_latency_s is not None
        sides = ["latency"] if capped and query.additive != "latency" else []
        cap = query.latency_cap if query.additive == "latency" else inf
        side = [space.costs(measure(space.problem, name)) for name in sides]
        self.arrays: tuple[Any, ...] = (
            *(costs.first, costs.middle, costs.last, costs.send, costs.result),
            *(space.stay, space.accuracy, space.can_cut, space.can_end, space.group, space.rank, space.linked),
            *(_stacked([getattr(each, name) for each in side], getattr(costs, name)) for name in _TABLES),
            np.full(len(sides), query.latency_cap),
            *(self.front, self.by_accuracy, cap, query.accuracy_floor),
        )
        roots = np.flatnonzero(space.linked[space.problem.source])
        cuts = [-1, *np.flatnonzero(space.can_cut).tolist()] if self.most > 1 else [-1]
        self.tasks = [(int(root), cut) for cut in cuts for root in roots]

    def keeper(self) -> _Keeper:
        return _Keeper(self.capacity, kernels.key_width(self.most))

    def perform(self, task: tuple[int, int], keeper: _Keeper) -> None:
        kept = (keeper.costs, keeper.accuracies, keeper.keys, keeper.table, keeper.count, keeper.progress)
        enumerate_plans: Any = kernels.enumerate_plans
        made = enumerate_plans(*task, self.most, *self.arrays, *kept)
        keeper.costs, keeper.accuracies, keeper.keys, keeper.count = made


_TABLES = ("first", "middle", "last", "send", "result")


def _stacked(tables: list[NDArray[np.float64]], like: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack(tables) if tables else np.empty((0, *(0 for _ in like.shape)))


def _run(work: _Work, options: Options) -> tuple[list[_Keeper], bool]:
    """Let threads take the tasks one by one; return what they kept, and whether all was done."""
    count = 1 if work.decisions < _SMALL else options.workers or _cores()
    keepers = [work.keeper() for _ in range(count)]
    tasks: SimpleQueue[tuple[int, int]] = SimpleQueue()
    for task in work.tasks:
        tasks.put(task)

    def take(keeper: _Keeper) -> None:
        while not keeper.progress[1]:
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
        finished = _watch(running, keepers, work.decisions, options)
    for each in running:
        each.result()
    return keepers, finished


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _watch(running: list[Any], keepers: list[_Keeper], total: int, options: Options) -> bool:
    """Report progress until the threads are done (True), the time is up or the user interrupts (False)."""
    deadline = inf if options.time_limit_s is None else time.perf_counter() + options.time_limit_s
    try:
        while wait(running, timeout=_POLL_S).not_done:
            if options.progress is not None:
                options.progress(int(sum(keeper.progress[0] for keeper in keepers)), total)
            if time.perf_counter() > deadline:
                _stop(keepers)
                return False
    except KeyboardInterrupt:
        _stop(keepers)
        return False
    return True


def _stop(keepers: list[_Keeper]) -> None:
    for keeper in keepers:
        keeper.progress[1] = 1


def _merge(work: _Work, keepers: list[_Keeper]) -> _Keeper:
    """Offer what every thread kept to one container; the order of the threads does not matter."""
    room = max(work.capacity, sum(keeper.count for keeper in keepers))
    merged = _Keeper(room if work.front else work.capacity, kernels.key_width(work.most))
    for keeper in keepers:
        for row in range(keeper.count):
            found = (float(keeper.costs[row]), float(keeper.accuracies[row]), keeper.keys[row])
            kept = (merged.costs, merged.accuracies, merged.keys)
            if work.front:
                merged.count = kernels.offer_front(*found, *kept, merged.table, merged.count)
            else:
                merged.count = kernels.offer_best(*found, work.by_accuracy, *kept, merged.count)
    return merged


def _decision(space: Space, key: NDArray[np.int64], most: int) -> Decision:
    parts = int(key[0])
    partition = tuple(int(each) for each in key[1 : 1 + parts])
    placement = tuple(int(each) for each in key[1 + most : 1 + most + parts])
    final = space.exits == "final"
    lane = None if final or parts == 1 else int(space.thresholds[key[2 * most + 1]])
    return Decision(partition, placement, partition[-1:] if final else partition, lane)
