"""What became of the frames of several sources: measured beside predicted (``tiercut.joint-run/1``)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tiercut.offloader.local.prediction import Predicted
from tiercut.offloader.local.result import Run, latency_figures

if TYPE_CHECKING:
    from tiercut.optimizer import Plan
    from tiercut.profiling import Profile
    from tiercut.topologies import Topology

__all__ = ["FORMAT", "JointRun", "PlaceUse", "SourceRun"]

FORMAT = "tiercut.joint-run/1"


@dataclass(frozen=True, slots=True, eq=False)
class SourceRun:
    """One of the sources.

    Parameters
    ----------
    name, rate
        What the answer calls it, and its frames per second.
    topology, profile, plan
        What its plan was made for, the topology as this source sees it.
    prediction
        The plan in seconds, of a frame that meets no other.
    first_s
        When its first frame was due, from the first one of all on.
    leaving
        The block where each of its frames leaves the uncut network, F.
    between_s
        By stage how long a worker is busy from the end of its pieces until those of the next frame that waits.
    run
        What became of its frames; predicted of it is that of frames that meet no other.
    loaded_s
        Mean, p50, p95 and p99 of the latency as predicted of frames that wait for those of all sources; empty: not
        predicted.
    """

    name: str
    rate: float
    topology: Topology
    profile: Profile
    plan: Plan
    prediction: Predicted
    first_s: float
    leaving: tuple[int, ...]
    between_s: tuple[float, ...]
    run: Run
    loaded_s: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def is_timed(self) -> bool:
        """Whether its pieces were timed here, and what is between two frames with them."""
        return bool(self.between_s)

    @property
    def pieces_s(self) -> dict[tuple[str, int, int], float]:
        """Seconds for which each piece keeps a worker busy, by its node, first and last block."""
        steps = [step for step in self.prediction.steps if step.sort == "compute"]
        first = {step.stage: step.first for step in reversed(steps)}
        found = {}
        for step in steps:
            more_s = self.between_s[step.stage] if step.first == first[step.stage] and self.between_s else 0.0
            found[str(step.node), step.first, step.last] = step.seconds + more_s
        return found

    def with_waits(self, waited_s: NDArray[np.float64]) -> SourceRun:
        """Return it with what is predicted of frames that wait for others, each for so many seconds, F.

        What a frame takes that meets no other varies as it did when its pieces were timed.
        """
        alone, seen = self.prediction, dict.fromkeys(self.leaving, 0)
        latencies = []
        for block, waited in zip(self.leaving, waited_s.tolist(), strict=True):
            taken = alone.rounds_s.get(block) or (alone.at_exit[block],)
            latencies.append(taken[seen[block] % len(taken)] + waited)
            seen[block] += 1
        mean = float(np.mean([alone.at_exit[block] for block in self.leaving]) + np.mean(waited_s))
        return replace(self, loaded_s=latency_figures(latencies) | {"mean": mean})

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "source": self.name,
            "rate_fps": self.rate,
            "first_s": self.first_s,
            "predicted_under_load": {"latency_s": dict(self.loaded_s)} if self.loaded_s else None,
            "run": self.run.to_data(),
        }


@dataclass(frozen=True, slots=True)
class PlaceUse:
    """For which share of the time the workers of a node were busy, or payloads took a direction of a link.

    Parameters
    ----------
    name, is_link
        Of the node, or of the link: ``a>b``, and ``a-b`` where both directions share it.
    measured, predicted
        Shares of the time from when the first frame was due until the last one ended; None: not predicted.
    """

    name: str
    is_link: bool
    measured: float
    predicted: float | None = None

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        kind = "link" if self.is_link else "node"
        return {kind: self.name, "utilisation": self.measured, "predicted": self.predicted}


@dataclass(frozen=True, slots=True, eq=False)
class JointRun:
    """The plans of several sources that were run at once.

    Parameters
    ----------
    sources
        In the order of the answer.
    places
        Nodes and links that a plan uses.
    duration_s
        From when the first frame was due until the last one ended.
    processors
        How many processors of this machine the pieces alone keep busy while all sources send.
    """

    sources: tuple[SourceRun, ...]
    places: tuple[PlaceUse, ...]
    duration_s: float
    processors: float

    def with_waits(self, waited_s: Sequence[NDArray[np.float64]], busy: Mapping[str, float]) -> JointRun:
        """Return the run with what is predicted under the load of all sources.

        Parameters
        ----------
        waited_s
            For each source how long its frames wait for others.
        busy
            Share of the time for which each node and link is busy, by its name.
        """
        sources = (each.with_waits(own) for each, own in zip(self.sources, waited_s, strict=True))
        places = (replace(each, predicted=busy.get(each.name, 0.0)) for each in self.places)
        return replace(self, sources=tuple(sources), places=tuple(places))

    def to_data(self) -> dict[str, Any]:
        """Return the run as plain data, ``tiercut.joint-run/1``."""
        return {
            "format": FORMAT,
            "duration_s": self.duration_s,
            "processors": self.processors,
            "sources": [each.to_data() for each in self.sources],
            "shared": [each.to_data() for each in self.places],
        }

    def to_json(self) -> str:
        """Return the run as JSON text, numbers unrounded."""
        return json.dumps(self.to_data(), indent=1, allow_nan=False, ensure_ascii=False)
