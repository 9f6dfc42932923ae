"""Calls timed as frames come: with a pause before each, so that caches are as cold as they will be."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

import numpy as np

from tiercut.profiling import Runs, waiting_clock

__all__ = ["paced_medians"]

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
