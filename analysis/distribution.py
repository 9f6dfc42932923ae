"""The distribution of latencies over samples or frames: what occurs, how often, and what that many can prove."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tiercut.errors import QuestionError
from tiercut.optimizer import clopper_pearson, rank_of, samples_needed

__all__ = ["CONFIDENCE", "QUANTILES", "Distribution"]

CONFIDENCE = 0.95
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Distribution:
    """Latencies that occur, and how many samples have each: replayed, simulated or measured.

    Parameters
    ----------
    seconds
        K latencies, rising.
    counts, right
        K numbers of samples that have each of them, and of those that are answered rightly.
    """

    seconds: tuple[float, ...]
    counts: tuple[int, ...]
    right: tuple[int, ...]

    @classmethod
    def of(cls, latencies: Sequence[tuple[float, int, int]]) -> Distribution:
        """Return the distribution of (seconds, samples, of these right) in any order; those without samples go."""
        kept = sorted(each for each in latencies if each[1])
        seconds, counts, right = zip(*kept, strict=True) if kept else ((), (), ())
        return cls(seconds, counts, right)

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return sum(self.counts)

    @property
    def hits(self) -> int:
        """How many samples are answered rightly."""
        return sum(self.right)

    @property
    def mean_s(self) -> float:
        """Mean latency in seconds; nan where there are no samples."""
        total = sum(seconds * count for seconds, count in zip(self.seconds, self.counts, strict=True))
        return total / self.samples if self.samples else float("nan")

    def right_interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Return the Clopper-Pearson interval of the share of right answers."""
        return clopper_pearson(self.hits, self.samples, confidence)

    def quantile(self, share: float) -> float:
        """Return the least latency in seconds that a share of the samples does not exceed.

        Raises
        ------
        QuestionError
            If there are too few samples to tell (see `tiercut.optimizer.samples.intervals.samples_needed`).
        """
        needed = samples_needed(share)
        if self.samples < needed:
            raise QuestionError(
                f"the {share:g} quantile of the latency needs {needed:,} samples, and there are {self.samples:,}"
            )
        rank, seen = rank_of(share, self.samples), 0
        pairs = zip(self.seconds, self.counts, strict=True)
        return next(seconds for seconds, count in pairs if (seen := seen + count) >= rank)

    @property
    def quantiles(self) -> dict[str, float | None]:
        """p50, p95 and p99 of the latency in seconds; None where there are too few samples to tell."""
        enough = {name: samples_needed(share) <= self.samples for name, share in QUANTILES.items()}
        return {name: self.quantile(share) if enough[name] else None for name, share in QUANTILES.items()}

    def to_data(self, mean_s: float | None = None) -> dict[str, Any]:
        """Return mean, quantiles, and how many samples those need that are not known, as plain data.

        Parameters
        ----------
        mean_s
            The mean where it is known more exactly than by adding up.
        """
        quantiles = self.quantiles
        needs = {name: samples_needed(QUANTILES[name]) for name, value in quantiles.items() if value is None}
        seconds = {f"{name}_s": value for name, value in quantiles.items()}
        return {"mean_s": self.mean_s if mean_s is None else mean_s} | seconds | {"samples_needed": needs}
