"""Timing of calls: a monotonic clock, warm-up, and runs until the median is known well enough.

All calls that belong to one record are timed in turn, a short burst of each, round after round: what else the
machine does meanwhile then falls on all of them alike, instead of on the one that was just being timed.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from time import perf_counter_ns
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import QuestionError
from tiercut.profiling.timing.waiting import calm, calm_runs

__all__ = ["Effort", "Runs", "Times", "median_uncertainty", "summarise", "time_calls"]

K = TypeVar("K", bound=Hashable)

_LEAST_FOR_INTERVAL = 6
"""The least and the greatest of five runs have the median between them less often than 19 times in 20."""


@dataclass(frozen=True, slots=True)
class Times:
    """What many runs of one call took, in seconds.

    Parameters
    ----------
    runs
        How many there were.
    mean, p25, p50, p99, iqr
        Mean, lower quartile, median, 99th percentile, and the distance between the quartiles.
    """

    runs: int
    mean: float
    p25: float
    p50: float
    p99: float
    iqr: float


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of one call.

    Parameters
    ----------
    seconds
        What each of them took, float64[runs]; run r of a call belongs to the same round as run r of another.
    waited
        How long this process waited for a processor in each of them, float64[runs] in seconds; None where
        that was not measured.
    """

    seconds: NDArray[np.float64]
    waited: NDArray[np.float64] | None = None

    @property
    def kept(self) -> NDArray[np.float64]:
        """The runs that count: all, or those that were disturbed least (see `waiting.calm`)."""
        return self.seconds if self.waited is None else calm(self.seconds, self.waited)

    @property
    def uncertainty(self) -> float:
        """How well the median of the runs that count is known; see `median_uncertainty`."""
        return median_uncertainty(self.kept)

    def minus(self, other: Runs) -> NDArray[np.float64]:
        """Return how much longer each run took than that of another call in the same round, float64[pairs] in seconds.

        A pair is left out where something else held the processor in one of the two (see `waiting.calm`).
        """
        more: NDArray[np.float64] = self.seconds - other.seconds
        if self.waited is None or other.waited is None:
            return more
        return more[calm_runs(self.seconds + other.seconds, self.waited + other.waited)]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to go on timing.

    Parameters
    ----------
    runs
        Most runs of each call.
    least
        Least runs of each call.
    precision
        Stop earlier once every median is known to this share of itself (see `median_uncertainty`).
    burst
        Runs of one call before it is the next one's turn.
    warm_up
        Runs before each burst that do not count.
    limit_s
        Begin no further round after so many seconds, however few runs there are.
    """

    runs: int = 1000
    least: int = 200
    precision: float = 0.01
    burst: int = 20
    warm_up: int = 2
    limit_s: float = math.inf

    def __post_init__(self) -> None:
        if self.runs < 1 or self.least < 1 or self.burst < 1:
            raise QuestionError(
                f"there must be at least 1 run of each call, got {min(self.runs, self.least, self.burst)}"
            )
        if self.warm_up < 0 or not self.precision >= 0:
            raise QuestionError("the runs of the warm-up and the precision must be 0 or more")
        if not self.limit_s > 0:
            raise QuestionError(f"the time for timing must be greater than 0 s, got {self.limit_s}")


def summarise(seconds: NDArray[np.float64]) -> Times:
    """Return the statistics of a call's runs, in any order; there must be at least one."""
    low, middle, high, tail = np.percentile(seconds, [25, 50, 75, 99])
    return Times(len(seconds), float(np.mean(seconds)), float(low), float(middle), float(tail), float(high - low))


def median_uncertainty(seconds: NDArray[np.float64]) -> float:
    """Return half the 95 % confidence interval of the median, as a share of the median.

    The interval runs between two order statistics, whatever the distribution (Le Boudec, "Performance Evaluation
    of Computer and Communication Systems", section 2.2.2); runs that follow each other are taken as independent.
    Fewer than six runs have no such interval, and the result is infinite.
    """
    ordered, count = np.sort(seconds), len(seconds)
    if count < _LEAST_FOR_INTERVAL:
        return math.inf
    reach = 0.98 * math.sqrt(count)
    low = max(math.floor(count / 2 - reach), 0)
    high = min(math.ceil(count / 2 + reach), count - 1)
    middle = float(np.median(ordered))
    return float(ordered[high] - ordered[low]) / 2 / middle if middle > 0 else math.inf


def time_calls(
    calls: Mapping[K, Callable[[], object]],
    effort: Effort = Effort(),
    *,
    clock: Callable[[], int] = perf_counter_ns,
    waited: Callable[[], int] | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> dict[K, Runs]:
    """Time every call, all equally often, and return what each of its runs took.

    Parameters
    ----------
    calls
        What to time, by key. A call returns when its result is there.
    effort
        How often.
    clock
        Monotonic nanoseconds.
    waited
        Nanoseconds that this process has waited for a processor so far; read before and after every run.
    progress
        Called after every round with the runs done and the most to do.
    """
    taken: dict[K, list[tuple[int, int]]] = {key: [] for key in calls}
    done, begin = 0, clock()
    while done < effort.runs:
        burst = min(effort.burst, effort.runs - done)
        for key, call in calls.items():
            taken[key] += _burst(call, burst, effort.warm_up, clock, waited)
        done += burst
        if done >= effort.least and _precise(taken, effort.precision, waited is not None):
            break
        spent = (clock() - begin) * 1e-9
        if spent >= effort.limit_s:
            break
        progress(done, _expected(done, spent, effort))
    progress(done, done)
    return {key: _runs(each, waited is not None) for key, each in taken.items()}


def _expected(done: int, spent: float, effort: Effort) -> int:
    """Return how many runs there will be at most, as far as the pace so far tells."""
    within = done * effort.limit_s / spent if spent > 0 else math.inf
    return max(done, int(min(effort.runs, within)))


def _burst(
    call: Callable[[], object], runs: int, warm_up: int, clock: Callable[[], int], waited: Callable[[], int] | None
) -> list[tuple[int, int]]:
    """Return the nanoseconds that each run of a burst took, and how many of them went by waiting."""
    taken = [(0, 0)] * runs
    for _ in range(warm_up):
        call()
    collecting = gc.isenabled()
    gc.disable()
    try:
        for run in range(runs):
            before = waited() if waited else 0
            begin = clock()
            call()
            end = clock()
            taken[run] = (end - begin, waited() - before if waited else 0)
    finally:
        if collecting:
            gc.enable()
    return taken


def _precise(taken: Mapping[K, list[tuple[int, int]]], precision: float, waiting: bool) -> bool:
    return all(_runs(each, waiting).uncertainty <= precision for each in taken.values())


def _runs(taken: list[tuple[int, int]], waiting: bool) -> Runs:
    table = np.asarray(taken, dtype=np.float64) * 1e-9
    return Runs(table[:, 0], table[:, 1] if waiting else None)
