"""What the enumerating and the label solver share: the container of good plans, threads that can be stopped, keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.cpus import cpu_count as cores
from tiercut.optimizer.plan import Decision
from tiercut.solvers.encoding import Layout, decision_of
from tiercut.solvers.kernels import keep_kernels, plain_kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer.space import Costs, Space
    from tiercut.solvers.interface import Options

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["ROOM", "Keeper", "cores", "decisions_of", "merge", "plain_tables", "watch"]

ROOM = 1024
"""Points of a frontier for which there is room to begin with."""

_POLL_S = 0.1
_SORTED = 4000  # plans beyond which frontiers are merged by sorting


@dataclass(slots=True)
class Keeper:
    """Plans kept so far: a frontier, or the N best in order.

    Parameters
    ----------
    capacity
        Room to begin with; for the N best it is N.
    width
        Integers in a key (see `tiercut.solvers.kernels.plain_kernels`).
    """

    capacity: int
    width: int
    costs: Floats = field(init=False)
    accuracies: Floats = field(init=False)
    keys: Ints = field(init=False)
    table: Floats = field(init=False)
    progress: Ints = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        self.costs = np.empty(self.capacity)
        self.accuracies = np.empty(self.capacity)
        self.keys = np.empty((self.capacity, self.width), np.int64)
        self.table = np.full(keep_kernels.BUCKETS + 1, inf)
        self.progress = np.zeros(3, np.int64)

    @property
    def arrays(self) -> tuple[Floats, Floats, Ints, Floats]:
        """What kernels write into."""
        return self.costs, self.accuracies, self.keys, self.table

    def enumerate(self, task: tuple[int, ...], tables: tuple[Any, ...], wanted: tuple[Any, ...]) -> None:
        """Offer every decision of a task (see `tiercut.solvers.kernels.plain_kernels.enumerate_plans`)."""
        run: Any = plain_kernels.enumerate_plans
        while True:
            scored = self.progress[1]
            self.count = run(*task, *tables, *wanted, *self.arrays, self.count, self.progress)
            if not self.progress[plain_kernels.FULL]:
                return
            # Once more from the beginning of the task: what is offered twice is kept once.
            self.progress[1:] = scored, 0
            room = len(self.costs)
            self.costs, self.accuracies = (np.resize(each, 2 * room) for each in (self.costs, self.accuracies))
            self.keys = np.resize(self.keys, (2 * room, self.width))


def merge(keeper: Keeper, costs: Floats, accuracies: Floats, keys: Ints, front: bool, by_accuracy: bool) -> None:
    """Offer plans to a keeper; the order in which they come does not matter."""
    if front and keeper.count + len(costs) > _SORTED:
        _merge_sorted(keeper, costs, accuracies, keys)
        return
    made = keep_kernels.offer_all(costs, accuracies, keys, front, by_accuracy, *keeper.arrays, keeper.count)
    keeper.costs, keeper.accuracies, keeper.keys, keeper.count = made


def _merge_sorted(keeper: Keeper, costs: Floats, accuracies: Floats, keys: Ints) -> None:
    """Merge long frontiers at once: one by one, each plan would move all that cost more."""
    count = keeper.count
    costs = np.concatenate([keeper.costs[:count], costs])
    accuracies = np.concatenate([keeper.accuracies[:count], accuracies])
    keys = np.concatenate([keeper.keys[:count], keys])
    columns = (*keys.T[::-1], keys[:, -2], -accuracies, costs)  # the last decides first: the order of equal plans
    order = np.lexsort(columns)
    rights = accuracies[order]
    best = order[np.concatenate([[True], rights[1:] > np.maximum.accumulate(rights)[:-1]])]
    keeper.costs, keeper.accuracies, keeper.keys, keeper.count = costs[best], accuracies[best], keys[best], len(best)


def watch(
    running: Sequence[Future[None]], stops: Sequence[Ints], options: Options, done: Callable[[], tuple[int, int]]
) -> bool:
    """Wait for threads: True once they are done, False where time ran out or the user interrupted.

    Parameters
    ----------
    running
        The threads' work.
    stops
        One array for each thread, whose first value tells it to stop.
    options
        Time limit and progress.
    done
        Gives the work done, and the work in all.
    """
    deadline = inf if options.time_limit_s is None else time.perf_counter() + options.time_limit_s
    try:
        while wait(running, timeout=min(_POLL_S, max(deadline - time.perf_counter(), 0.001))).not_done:
            if options.progress is not None:
                options.progress(*done())
            if time.perf_counter() > deadline:
                break
        else:
            return True
    except KeyboardInterrupt:
        pass
    except BaseException:
        _stop(stops)  # or the threads would work on to their end before the error of `progress` is seen
        raise
    _stop(stops)
    return False


def _stop(stops: Sequence[Ints]) -> None:
    for stop in stops:
        stop[0] = 1


def decisions_of(space: Space, layout: Layout, keeper: Keeper) -> tuple[Decision, ...]:
    """Return the decisions that a keeper holds, in order."""
    return tuple(decision_of(space, layout, key) for key in keeper.keys[: keeper.count])


def plain_tables(space: Space, costs: Costs) -> tuple[tuple[Floats, ...], tuple[Any, ...]]:
    """Return costs and rules of a plain space, as `plain_kernels.enumerate_plans` takes them."""
    middle = costs.span if space.option_exit[0] else costs.bare
    stay = space.stay if space.option_exit[0] else np.ones((len(space.accuracy) + 1, 1))
    rules = (stay, space.accuracy, space.can_cut, space.can_end, space.group, space.rank, space.linked)
    return (costs.first, middle, costs.span, costs.send[0], costs.result), rules
