"""What an agent would answer itself: its last exit's word on each frame that went on, until the frame's deadline."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from tiercut.offloader.agent.version import Version
from tiercut.offloader.bundles.stage import Ended

__all__ = ["Held", "HeldAnswers"]


@dataclass(frozen=True, slots=True)
class Held:
    """An answer that was not given, as the frame went on.

    Parameters
    ----------
    ended
        The answer, as if the frame had left there.
    timings
        Where its time went so far.
    until_ns
        Its frame's deadline, by `time.monotonic_ns`.
    version
        What served it.
    """

    ended: Ended
    timings: Mapping[str, str | int | bool]
    until_ns: int
    version: Version


class HeldAnswers:
    """Answers by destination and frame, each given once at most, and forgotten at its deadline.

    Parameters
    ----------
    most
        How many are held; of more the oldest are forgotten.
    """

    def __init__(self, most: int = 4096) -> None:
        self._most, self._lock = most, threading.Lock()
        self._held: OrderedDict[tuple[str, str], Held] = OrderedDict()

    def keep(self, destination: str, frame: str, held: Held) -> None:
        """Hold an answer."""
        now_ns = time.monotonic_ns()
        with self._lock:
            self._held[destination, frame] = held
            while len(self._held) > self._most or next(iter(self._held.values())).until_ns < now_ns:
                self._held.popitem(last=False)
                if not self._held:
                    return

    def take(self, destination: str, frame: str) -> Held | None:
        """Return an answer and hold it no longer; None where there is none, or it is too late."""
        with self._lock:
            found = self._held.pop((destination, frame), None)
        return found if found is not None and found.until_ns >= time.monotonic_ns() else None
