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

__all__ = ["Effort", "Times", "median_uncertainty", "summarise", "time_calls"]

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Times:
    """What many runs of one call took, in seconds.

    Parameters
    ----------
    runs
        How many there were.
    mean, p50, p99, iqr
        Mean, median, 99th percentile, and the distance between the quartiles.
    """

    runs: int
    mean: float
    p50: float
    p99: float
    iqr: float


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
    """

    runs: int = 1000
    least: int = 200
    precision: float = 0.01
    burst: int = 20
    warm_up: int = 2

    def __post_init__(self) -> None:
        if self.runs < 1 or self.least < 1 or self.burst < 1:
            raise QuestionError(
                f"there must be at least 1 run of each call, got {min(self.runs, self.least, self.burst)}"
            )
        if self.warm_up < 0 or not self.precision >= 0:
            raise QuestionError("the runs of the warm-up and the precision must be 0 or more")


def summarise(seconds: NDArray[np.float64]) -> Times:
    """Return the statistics of a call's runs, in any order; there must be at least one."""
    low, middle, high, tail = np.percentile(seconds, [25, 50, 75, 99])
    return Times(len(seconds), float(np.mean(seconds)), float(middle), float(tail), float(high - low))


def median_uncertainty(seconds: NDArray[np.float64]) -> float:
    """Return half the 95 % confidence interval of the median, as a share of the median.

    The interval runs between two order statistics, whatever the distribution (Le Boudec, "Performance Evaluation
    of Computer and Communication Systems", section 2.2.2); runs that follow each other are taken as independent.
    """
    ordered, count = np.sort(seconds), len(seconds)
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
    progress: Callable[[int, int], None] = lambda *_: None,
) -> dict[K, NDArray[np.float64]]:
    """Time every call, all equally often, and return the seconds that each of its runs took.

    Parameters
    ----------
    calls
        What to time, by key. A call returns when its result is there.
    effort
        How often.
    clock
        Monotonic nanoseconds.
    progress
        Called after every round with the runs done and the most to do.

    Returns
    -------
    dict
        Seconds of every run, float64[runs], by key; run r of each call belongs to the same round as run r of
        the others.
    """
    taken: dict[K, list[int]] = {key: [] for key in calls}
    done = 0
    while done < effort.runs:
        burst = min(effort.burst, effort.runs - done)
        for key, call in calls.items():
            taken[key] += _burst(call, burst, effort.warm_up, clock)
        done += burst
        if done >= effort.least and _precise(taken, effort.precision):
            break
        progress(done, effort.runs)
    progress(done, done)
    return {key: _seconds(runs) for key, runs in taken.items()}


def _burst(call: Callable[[], object], runs: int, warm_up: int, clock: Callable[[], int]) -> list[int]:
    taken = [0] * runs
    for _ in range(warm_up):
        call()
    collecting = gc.isenabled()
    gc.disable()
    try:
        for run in range(runs):
            begin = clock()
            call()
            taken[run] = clock() - begin
    finally:
        if collecting:
            gc.enable()
    return taken


def _precise(taken: Mapping[K, list[int]], precision: float) -> bool:
    return all(median_uncertainty(_seconds(runs)) <= precision for runs in taken.values())


def _seconds(runs: list[int]) -> NDArray[np.float64]:
    return np.asarray(runs, dtype=np.float64) * 1e-9
