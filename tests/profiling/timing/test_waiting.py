"""Runs that were disturbed, and runs that count."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from tiercut.profiling.timing import waiting
from tiercut.profiling.timing.waiting import calm, waiting_clock


def test_runs_in_which_no_other_process_was_on_the_processor_count() -> None:
    seconds = np.array([1.0, 1.1, 3.0, 1.2, 5.0])
    waited = np.array([0.0, 0.001, 1.9, 0.0, 3.9])
    np.testing.assert_array_equal(calm(seconds, waited), [1.0, 1.1, 1.2])


def test_threads_that_wait_for_each_other_a_little_are_no_disturbance() -> None:
    seconds = np.array([3e-4, 4e-4, 3e-3])
    np.testing.assert_array_equal(calm(seconds, np.array([1e-4, 2e-4, 2.7e-3])), seconds[:2])


def test_a_quarter_counts_even_where_every_run_was_disturbed() -> None:
    seconds = np.array([4.0, 2.0, 8.0, 6.0, 5.0, 3.0, 9.0, 7.0])
    waited = seconds * np.array([0.5, 0.1, 0.9, 0.6, 0.5, 0.2, 0.9, 0.7])
    np.testing.assert_array_equal(calm(seconds, waited), [2.0, 3.0])
    np.testing.assert_array_equal(calm(np.array([7.0]), np.array([6.0])), [7.0])


@pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="only Linux tells")  # noqa: PTH110
def test_the_clock_runs_on_while_this_process_waits_and_never_backwards() -> None:
    clock = waiting_clock()
    assert clock is not None
    read = []
    for _ in range(3):
        time.sleep(0.01)
        read.append(clock())
    assert read == sorted(read)
    assert read[-1] < time.process_time_ns() + 10**15


def test_a_system_that_tells_nothing_has_no_such_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> int:
        raise FileNotFoundError

    monkeypatch.setattr(waiting, "_read", missing)
    assert waiting_clock() is None
