"""A second replay, in plain Python: every sample is a problem of its own, in which it alone is the share that stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from support.reference import Choice, Reference, Score
from support.seeded.problems import Case
from tiercut.profiling.profile.samples import Samples


class OneSample(Reference):
    """A problem as one sample meets it: it goes on or it has left, and an answer is right or wrong."""

    def __init__(self, topology: dict[str, Any], profile: dict[str, Any], entropy: list[float], hits: list[bool]):
        super().__init__(topology, profile)
        self.entropy, self.hits = entropy, hits

    def stay(self, choice: Choice, block: int) -> float:
        if block >= choice.exits[-1]:
            return 0.0
        limit = 0.0 if choice.threshold is None or self.exits is None else self.exits["thresholds"][choice.threshold]
        return float(all(self.entropy[e - 1] >= limit for e in choice.exits if e <= block))

    def accuracy_of(self, branch: int) -> float:
        return float(self.hits[branch - 1])


@dataclass(frozen=True)
class Lives:
    """The values of each sample under a choice."""

    scores: list[Score]

    @property
    def latencies(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([score.latency for score in self.scores])

    def mean(self, name: str) -> float:
        return float(np.mean([getattr(score, name) for score in self.scores]))


def lives(case: Case, choice: Choice, samples: Samples) -> Lives:
    """Return the values of every sample under a choice."""
    rows = zip(samples.entropy.tolist(), samples.correct.tolist(), strict=True)
    return Lives([OneSample(case.topology, case.profile, *row).score(choice) for row in rows])


def random_samples(rng: np.random.Generator, count: int, branches: int) -> Samples:
    """Return samples of which deeper branches are surer and more often right; some entropies equal thresholds."""
    hard = rng.random((count, 1))
    depth = np.linspace(0.2, 1.2, branches)
    entropy = np.clip(hard + rng.normal(0, 0.2, (count, branches)) + 0.6 - depth, 0, 1)
    entropy = np.where(rng.random((count, branches)) < 0.3, np.round(entropy * 20) / 20, entropy)
    return Samples(entropy.astype(np.float32), rng.random((count, branches)) < 1 - hard * np.exp(-depth))
