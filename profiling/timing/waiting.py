"""How long the threads of this process have waited for a processor, which other processes held meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["CALM", "LEAST_KEPT", "calm", "calm_runs", "waiting_clock"]

_TASKS = Path("/proc/self/task")

CALM = 0.02
"""A run counts as undisturbed where its threads have waited for less than this share of its time ..."""

HANDOVER_S = 0.5e-3
"""... or for less than threads wait for each other anyway, when one hands work to the next; less than a time slice."""

LEAST_KEPT = 0.25
"""The share of runs that is kept in any case: those that were disturbed least."""


def waiting_clock() -> Callable[[], int] | None:
    """Return a clock of the nanoseconds that all threads of this process together have waited so far.

    Returns
    -------
    Callable or None
        None where the system does not tell; Linux does, in ``schedstat`` (kernel documentation, "Scheduler
        Statistics", /proc/<pid>/schedstat).
    """
    try:
        _read()
    except (OSError, ValueError, IndexError):
        return None
    return _read


def _read() -> int:
    waited = 0
    for name in os.listdir(_TASKS):  # noqa: PTH208  # a third of the time of iterdir, between runs that are timed
        with suppress(FileNotFoundError), open(f"{_TASKS}/{name}/schedstat", "rb") as stream:  # noqa: PTH123
            waited += int(stream.read().split()[1])
    return waited


def calm(seconds: NDArray[np.float64], waited: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the runs in which nothing else held the processor, or those that were disturbed least.

    Parameters
    ----------
    seconds
        What each run took, float64[runs].
    waited
        What its threads waited in it, float64[runs].
    """
    kept: NDArray[np.float64] = seconds[calm_runs(seconds, waited)]
    return kept


def calm_runs(seconds: NDArray[np.float64], waited: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which runs `calm` keeps, bool[runs]."""
    disturbed = np.where(waited <= HANDOVER_S, 0.0, waited / np.maximum(seconds, 1e-12))
    limit = max(CALM, float(np.quantile(disturbed, LEAST_KEPT, method="inverted_cdf")))
    kept: NDArray[np.bool_] = disturbed <= limit
    return kept
