"""Waiting until a time, as exactly as the system can: what stands for a link or a machine adds nothing of its own.

A sleep of Linux may end 50 us late by default, so that others can be woken with it, and the thread runs a while after
that. A frame that waits eight times would be most of a millisecond late.
"""

from __future__ import annotations

import sys
import threading
import time

__all__ = ["sleep_until"]

_SET_TIMER_SLACK = 29
_LOOKS_NS = 60_000
"""So long before the time a thread ends its sleep and looks at the clock."""

_fine = threading.local()


def sleep_until(moment_ns: int) -> None:
    """Wait until a time of `time.monotonic_ns`."""
    _ask_for_fine_timers()
    while (left := moment_ns - time.monotonic_ns()) > 0:
        if left > _LOOKS_NS:
            time.sleep((left - _LOOKS_NS) / 1e9)


def _ask_for_fine_timers() -> None:
    """Let sleeps of this thread end when they are due, where the system lets it choose."""
    if getattr(_fine, "asked", False):
        return
    _fine.asked = True
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(_SET_TIMER_SLACK, ctypes.c_ulong(1), 0, 0, 0)
