"""Time that passes only where somebody waits, so that what was due when does not hang on how busy the machine is."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

__all__ = ["BEGUN_NS", "ThreadTimes", "WoundEvent"]

BEGUN_NS = 10**15
"""When all begins."""


class ThreadTimes:
    """A time for each thread: until when it has waited, or whoever handed it what it works on.

    Parameters
    ----------
    monkeypatch
        Puts it in the place of the time of paths, clocks of links, and slowed machines.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._own = threading.local()
        times = self

        class StampedQueue(queue.Queue[Any]):
            def _put(self, item: Any) -> None:
                super()._put((times.now_ns, item))

            def _get(self) -> Any:
                then_ns, item = super()._get()
                times.wait(then_ns)
                return item

        clock = SimpleNamespace(monotonic_ns=lambda: self.now_ns)
        for module in ("links.path", "links.clock", "agent.emulation"):
            monkeypatch.setattr(f"tiercut.offloader.{module}.time", clock)
        for module in ("links.path", "agent.emulation"):
            monkeypatch.setattr(f"tiercut.offloader.{module}.sleep_until", self.wait)
        monkeypatch.setattr("tiercut.offloader.links.path.queue", SimpleNamespace(Queue=StampedQueue))

    @property
    def now_ns(self) -> int:
        """What time it is for the calling thread."""
        return getattr(self._own, "now_ns", BEGUN_NS)

    @property
    def now_s(self) -> float:
        """How many seconds have passed for the calling thread."""
        return (self.now_ns - BEGUN_NS) / 1e9

    def wait(self, moment_ns: int) -> None:
        """Wait until a time, in no time."""
        self._own.now_ns = max(self.now_ns, moment_ns)


class WoundEvent(threading.Event):
    """An event whose waits wind a clock, and let others look at what is so on the way.

    Parameters
    ----------
    looks
        After how many seconds, rising, and what is called then.
    settled
        Called before time passes.
    """

    def __init__(self, looks: list[tuple[float, Callable[[], object]]], settled: Callable[[], object]) -> None:
        super().__init__()
        self.now_ns = BEGUN_NS
        self._looks, self._settled = list(looks), settled

    def wait(self, timeout: float | None = None) -> bool:
        """Let so many seconds pass."""
        until_ns = self.now_ns + round((timeout or 0.0) * 1e9)
        self._settled()
        while self._looks and BEGUN_NS + round(self._looks[0][0] * 1e9) <= until_ns:
            after_s, look = self._looks.pop(0)
            self.now_ns = BEGUN_NS + round(after_s * 1e9)
            look()
        self.now_ns = until_ns
        return self.is_set()
