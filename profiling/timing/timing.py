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

__all__ = ["P99_RUNS", "Effort", "Runs", "Times", "fewest_kept", "median_uncertainty", "summarise", "time_calls"]

K = TypeVar("K", bound=Hashable)

_LEAST_FOR_INTERVAL = 6
"""The least and the greatest of five runs have the median between them less often than 19 times in 20."""

P99_RUNS = 662
"""Least runs for a 99th percentile: with so many, two at least lie beyond it with 99 % confidence (Wilks' sample size
for a two-sided tolerance interval)."""


@dataclass(frozen=True, slots=True)
class Times:
    """What many runs of one call took, in seconds.

    Parameters
    ----------
    runs
        How many there were.
    mean, p25, p50, p99, iqr
        Mean, lower quartile, median, 99th percentile, and the distance between the quartiles. The 99th percentile of
        fewer than `P99_RUNS` runs is little more than the slowest of them.
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
    counted
        Least runs of each call that were not set aside; with fewer there is no result.
    """

    runs: int = 1000
    least: int = 200
    precision: float = 0.01
    burst: int = 20
    warm_up: int = 2
    limit_s: float = math.inf
    counted: int = 0

    def __post_init__(self) -> None:
        if self.runs < 1 or self.least < 1 or self.burst < 1:
            raise QuestionError(
                f"there must be at least 1 run of each call, got {min(self.runs, self.least, self.burst)}"
            )
        if self.warm_up < 0 or not self.precision >= 0:
            raise QuestionError("the runs of the warm-up and the precision must be 0 or more")
        if not self.limit_s > 0:
            raise QuestionError(f"the time for timing must be greater than 0 s, got {self.limit_s}")
        if self.runs < self.counted:
            raise QuestionError(f"{self.counted} runs of each call are needed, but there may be {self.runs} at most")


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


def fewest_kept(runs: Mapping[K, Runs]) -> int:
    """Return how many runs count of the call of which the fewest do."""
    return min(len(each.kept) for each in runs.values())


def time_calls(
    calls: Mapping[K, Callable[[], object]],
    effort: Effort = Effort(),
    *,
    clock: Callable[[], int] = perf_counter_ns,
    waited: Callable[[], int] | None = None,
    count: Callable[[Mapping[K, Runs]], int] = fewest_kept,
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
    count
        Says how many runs there are to be held against `Effort.counted`.
    progress
        Called after every round with the runs done and the most to do.

    Raises
    ------
    QuestionError
        If fewer runs than `Effort.counted` count, or fit into the time; the latter is said as soon as the pace shows.
    """
    taken: dict[K, list[tuple[int, int]]] = {key: [] for key in calls}
    done, begin = 0, clock()
    while done < effort.runs:
        burst = min(effort.burst, effort.runs - done)
        for key, call in calls.items():
            taken[key] += _burst(call, burst, effort.warm_up, clock, waited)
        done += burst
        spent = (clock() - begin) * 1e-9
        _check_pace(done, spent, effort)
        if spent >= effort.limit_s:
            break
        if done >= effort.least:
            runs = _all_runs(taken, waited is not None)
            if _precise(runs, effort.precision) and (not effort.counted or count(runs) >= effort.counted):
                break
        progress(done, _expected(done, spent, effort))
    progress(done, done)
    runs = _all_runs(taken, waited is not None)
    if effort.counted and (found := count(runs)) < effort.counted:
        raise QuestionError(
            f"{effort.counted} undisturbed runs of each piece are needed, but of {done} only {found} were; allow "
            f"--runs {_rounded_up(done * effort.counted / max(found, 1))} or a longer --limit, or record another "
            "--statistic"
        )
    return runs


_PACE_KNOWN = 0.1
"""The share of the time for timing after which its pace is known."""


def _check_pace(done: int, spent: float, effort: Effort) -> None:
    """Refuse to go on timing where fewer runs than are needed fit into the time."""
    if not effort.counted or spent < _PACE_KNOWN * effort.limit_s or _expected(done, spent, effort) >= effort.counted:
        return
    needed = spent / done * effort.counted
    raise QuestionError(
        f"{effort.counted} runs of each piece are needed, but at this pace {_expected(done, spent, effort)} fit into "
        f"{effort.limit_s:g} s; allow --limit '{_rounded_up(1.2 * needed)} s', or record another --statistic"
    )


def _rounded_up(number: float) -> int:
    """Return a number with two digits that is not less."""
    unit: int = 10 ** max(math.floor(math.log10(max(number, 1.0))) - 1, 0)
    return math.ceil(number / unit) * unit


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


def _precise(runs: Mapping[K, Runs], precision: float) -> bool:
    return all(each.uncertainty <= precision for each in runs.values())


def _all_runs(taken: Mapping[K, list[tuple[int, int]]], waiting: bool) -> dict[K, Runs]:
    return {key: _runs(each, waiting) for key, each in taken.items()}


def _runs(taken: list[tuple[int, int]], waiting: bool) -> Runs:
    table = np.asarray(taken, dtype=np.float64) * 1e-9
    return Runs(table[:, 0], table[:, 1] if waiting else None)
