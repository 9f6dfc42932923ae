"""What the enumerating and the label solver share: the container of good plans, threads that can be stopped, keys."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from tiercut.optimizer import kernels
from tiercut.optimizer.plan import Decision

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer.space import Space
    from tiercut.solvers.options import Options

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["Keeper", "cores", "decisions_of", "merge", "watch"]

_POLL_S = 0.1


@dataclass(slots=True)
class Keeper:
    """Plans kept so far: a frontier, or the N best in order.

    Parameters
    ----------
    capacity
        Room to begin with; for the N best it is N.
    width
        Integers in a key (see `tiercut.optimizer.kernels`).
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
        self.table = np.full(kernels.BUCKETS + 1, inf)
        self.progress = np.zeros(2, np.int64)

    @property
    def arrays(self) -> tuple[Floats, Floats, Ints, Floats]:
        """What kernels write into."""
        return self.costs, self.accuracies, self.keys, self.table


def merge(keeper: Keeper, costs: Floats, accuracies: Floats, keys: Ints, front: bool, by_accuracy: bool) -> None:
    """Offer plans to a keeper; the order in which they come does not matter."""
    made = kernels.offer_all(costs, accuracies, keys, front, by_accuracy, *keeper.arrays, keeper.count)
    keeper.costs, keeper.accuracies, keeper.keys, keeper.count = made


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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


def decisions_of(space: Space, keeper: Keeper, most: int) -> tuple[Decision, ...]:
    """Return the decisions that a keeper holds, in order."""
    return tuple(_decision(space, key, most) for key in keeper.keys[: keeper.count])


def _decision(space: Space, key: Ints, most: int) -> Decision:
    parts = int(key[0])
    partition = tuple(int(each) for each in key[1 : 1 + parts])
    placement = tuple(int(each) for each in key[1 + most : 1 + most + parts])
    final = space.exits == "final"
    lane = None if final or parts == 1 else int(space.thresholds[key[2 * most + 1]])
    return Decision(partition, placement, partition[-1:] if final else partition, lane)
