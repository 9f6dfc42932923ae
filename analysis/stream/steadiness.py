"""Latencies of frames, which depend on each other: what they prove of a mean and of quantiles."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.analysis.distribution import CONFIDENCE, QUANTILES
from tiercut.errors import QuestionError
from tiercut.optimizer import rank_of, samples_needed

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Latencies"]

_BATCHES = 32
_FEWEST_A_BATCH = 8

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Latencies:
    """Latencies of F frames in order of birth, in seconds.

    A frame that waits makes the next one wait too, so F frames prove less than F samples that know nothing of each
    other. How many of those they are worth is taken from the means of batches of frames (Law, *Simulation Modeling and
    Analysis*, section 9.5.3), and intervals are as wide as that few make them.
    """

    seconds: NDArray[np.float64]

    @property
    def mean_s(self) -> float | None:
        """Mean in seconds; None where there is no frame."""
        return float(self.seconds.mean()) if len(self.seconds) else None

    @property
    def worth(self) -> float:
        """How many independent samples prove as much as these frames; as many as there are, where those are few."""
        count = len(self.seconds)
        size = count // _BATCHES
        if size < _FEWEST_A_BATCH:
            return float(count)
        whole = self.seconds[: size * _BATCHES]
        between = float(whole.reshape(_BATCHES, size).mean(axis=1).var(ddof=1))
        spread = float(whole.var(ddof=1))
        if spread == 0 or between * size <= spread:
            return float(count)
        return max(count * spread / (between * size), 1.0)

    def quantile(self, share: float) -> float:
        """Return the least latency in seconds that a share of the frames does not exceed.

        Raises
        ------
        QuestionError
            If there are too few frames to tell (see `tiercut.optimizer.samples.intervals.samples_needed`).
        """
        count, needed = len(self.seconds), samples_needed(share)
        if count < needed:
            raise QuestionError(
                f"the {share:g} quantile of the latency needs {needed:,} frames that are done, and there are {count:,}"
            )
        rank = rank_of(share, count) - 1
        return float(np.partition(self.seconds, rank)[rank])

    @property
    def quantiles(self) -> dict[str, float | None]:
        """p50, p95 and p99 in seconds; None where there are too few frames to tell."""
        enough = {name: samples_needed(share) <= len(self.seconds) for name, share in QUANTILES.items()}
        return {name: self.quantile(share) if enough[name] else None for name, share in QUANTILES.items()}

    def intervals(self, confidence: float = CONFIDENCE) -> dict[str, Interval | None]:
        """Return intervals in seconds that hold the mean and the quantiles of a stream like this one, run for ever.

        None where there are too few frames to tell. They mean nothing where queues grow without end.
        """
        count, worth = len(self.seconds), self.worth
        z = NormalDist().inv_cdf((1 + confidence) / 2)
        mean = self.mean_s
        found: dict[str, Interval | None] = {"mean": None}
        if mean is not None and count >= _BATCHES:
            half = z * float(self.seconds.std(ddof=1)) / sqrt(worth)
            found["mean"] = mean - half, mean + half
        known = self.quantiles
        for name, share in QUANTILES.items():
            found[name] = None
            if known[name] is not None:
                half = z * sqrt(share * (1 - share) / worth)
                ends = [rank_of(min(max(each, 1e-12), 1.0), count) - 1 for each in (share - half, share + half)]
                low, high = np.partition(self.seconds, ends)[ends].tolist()
                found[name] = low, high
        return found

    def to_data(self) -> dict[str, Any]:
        """Return mean and quantiles with their intervals, and how many frames unknown quantiles need, as plain data."""
        quantiles = self.quantiles
        needs = {name: samples_needed(QUANTILES[name]) for name, value in quantiles.items() if value is None}
        intervals = {name: None if ends is None else list(ends) for name, ends in self.intervals().items()}
        return {
            "latency_s": {"mean": self.mean_s, **quantiles},
            "latency_interval_s": intervals,
            "frames_needed": needs,
        }
