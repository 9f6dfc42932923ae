"""One clock for all that a question takes: whatever lasts looks at it, and ends early once the time is up.

The limit is that of the calling thread and of what it calls, so that no function has to hand it on. Work in other
threads is watched by the thread that began it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import inf

__all__ = ["Clock", "cut_short", "paused", "seconds_left", "time_limit"]


@dataclass(slots=True)
class Clock:
    """A limit of time.

    Parameters
    ----------
    deadline
        When the time is up, as `time.perf_counter` counts; inf: never.
    outer
        The limit within which this one was set.
    cut
        What was left out because the time was up, in words.
    stood
        Seconds for which it stood still (see `paused`).
    """

    deadline: float
    outer: Clock | None = None
    cut: list[str] = field(default_factory=list)
    stood: float = 0.0


_NOW: ContextVar[Clock | None] = ContextVar("clock", default=None)


@contextmanager
def time_limit(seconds: float | None) -> Iterator[Clock]:
    """Let everything inside end after so many seconds, or with an outer limit that ends earlier; None: no limit."""
    clock = Clock(inf if seconds is None else time.perf_counter() + seconds, _NOW.get())
    token = _NOW.set(clock)
    try:
        yield clock
    finally:
        _NOW.reset(token)


@contextmanager
def paused() -> Iterator[None]:
    """Stop the clock while something is loaded: kernels and libraries, which are no part of the work."""
    began, clock = time.perf_counter(), _NOW.get()
    token = _NOW.set(None)
    try:
        yield
    finally:
        _NOW.reset(token)
        stood = time.perf_counter() - began
        for each in _chain(clock):
            each.deadline += stood
            each.stood += stood


def seconds_left() -> float:
    """Return the seconds until the time is up: 0 where it is, infinite without a limit."""
    deadline = min((each.deadline for each in _chain(_NOW.get())), default=inf)
    return max(deadline - time.perf_counter(), 0.0)


def cut_short(what: str) -> None:
    """Note that something was left out because the time was up, so that nothing counts as proved."""
    for each in _chain(_NOW.get()):
        if what not in each.cut:
            each.cut.append(what)


def _chain(clock: Clock | None) -> Iterator[Clock]:
    while clock is not None:
        yield clock
        clock = clock.outer
