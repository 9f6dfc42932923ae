"""What is timed as frames come: with a pause before each time, so that caches are as cold as they will be."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from tiercut.profiling import Runs, waiting_clock

__all__ = ["Hop", "Rounds", "Stop", "paced_medians"]

K = TypeVar("K", bound=Hashable)

_PAUSE_S = 0.01
_WARM_UP = 3


def paced_medians(
    calls: Mapping[K, Callable[[], object]], *, clock: Callable[[], int] = time.perf_counter_ns, runs: int = 30
) -> dict[K, float]:
    """Return the median seconds of each call, of the runs in which nothing else held the processor.

    A piece that is called over and over finds its weights and its code in the caches; one that waits for the next frame
    does not, and takes half as long again where it is small. So every call comes after a pause here, in turn with the
    others.

    Parameters
    ----------
    calls
        What to time, by key.
    clock
        Nanoseconds: those that pass, or those that the calling thread computes.
    runs
        How often each.
    """
    waited = waiting_clock() or (lambda: 0)
    seconds = {key: np.zeros(runs) for key in calls}
    waits = {key: np.zeros(runs) for key in calls}
    for run in range(-_WARM_UP, runs):
        for key, call in calls.items():
            time.sleep(_PAUSE_S)
            before, begun = waited(), clock()
            call()
            ended = clock()
            if run >= 0:
                seconds[key][run] = (ended - begun) * 1e-9
                waits[key][run] = (waited() - before) * 1e-9
    return {key: float(np.median(Runs(seconds[key], waits[key]).kept)) for key in calls}


class Hop(NamedTuple):
    """What a message to a stage takes without any link, in seconds, and a result from there home with its encoding."""

    encode: float
    send: float
    queue: float
    decode: float
    back: float

    @property
    def onward_s(self) -> float:
        """From when a result was there before it until its pieces begin."""
        return self.encode + self.send + self.queue + self.decode


class Stop(NamedTuple):
    """What came of a message at a stage: its number, 1-based, its hop, and the seconds of each of its pieces there."""

    stage: int
    hop: Hop
    pieces_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Rounds:
    """Messages that went through all stages of a plan, one after the other, past its links.

    Parameters
    ----------
    hops_s
        float64[rounds, stages, 5] in seconds, see `Hop`.
    pieces_s
        For each stage float64[rounds, pieces] in seconds: as on the machine that it stands for.
    """

    hops_s: NDArray[np.float64]
    pieces_s: tuple[NDArray[np.float64], ...]

    @classmethod
    def of(cls, stops: Sequence[Stop], stages: int) -> Self:
        """Return the rounds that messages stopped in, which did one after the other."""
        by_stage = [[each for each in stops if each.stage == stage] for stage in range(1, stages + 1)]
        hops = np.array([[each.hop for each in own] for own in by_stage], float)
        return cls(hops.transpose(1, 0, 2), tuple(np.array([each.pieces_s for each in own]) for own in by_stage))

    @property
    def count(self) -> int:
        """How many."""
        return len(self.hops_s)

    @property
    def middle(self) -> dict[int, Hop]:
        """The median of each part of the hop to each stage, 1-based."""
        return {stage: Hop(*parts) for stage, parts in enumerate(np.median(self.hops_s, axis=0).tolist(), 1)}

    @property
    def mean(self) -> Rounds:
        """One round, in which everything takes what it took on average."""
        return Rounds(self.hops_s.mean(axis=0, keepdims=True), tuple(each.mean(axis=0)[None] for each in self.pieces_s))
