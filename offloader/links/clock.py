"""When each direction of each link is free again, shared by the processes that send over it."""

from __future__ import annotations

import mmap
import os
import struct
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["LinkClock"]

_WORD, _PACE = struct.Struct("<q"), struct.Struct("<d")
_ONE = threading.Lock()
"""Held by the thread of this process that holds a file: locks of files are between processes alone."""


class LinkClock:
    """A file with whole nanoseconds for each direction: until when it is busy, by `time.monotonic_ns`.

    After these stand the shares of their bandwidths that directions have now, and what their latencies are longer by,
    as doubles; and, as whole nanoseconds again, how long they were busy so far. After the directions come nodes, which
    have a share of their speed, and are busy too.

    A direction is a token bucket that holds no more than the payload that is on its way: it passes one payload at a
    time, at its bandwidth, in the order in which processes come.

    Parameters
    ----------
    path
        The file, as `create` made it.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR)
        self._words = mmap.mmap(self._file, 0)

    @staticmethod
    def create(path: Path, directions: int, nodes: int = 0) -> Path:
        """Write the file of so many directions and nodes, all free and as they are, and return its place."""
        count = max(directions + nodes, 1)
        words = bytes(_WORD.size * count)
        path.write_bytes(words + _PACE.pack(1.0) * count + _PACE.pack(0.0) * count + words)
        return path

    def reserve(self, direction: int, ready_ns: int, busy_ns: int, until_ns: int | None = None) -> int | None:
        """Take a direction for a while, as soon as it is free, and return when that while ends.

        None, and nothing is taken, if it is not free by `until_ns`.

        Parameters
        ----------
        direction
            Its number, from 0.
        ready_ns
            When the payload can begin.
        busy_ns
            How long it takes to pass.
        until_ns
            When it is too late to begin; None: never.
        """
        with self:
            begin = max(ready_ns, self.free(direction))
            if until_ns is not None and begin > until_ns:
                return None
            self.take(direction, begin + busy_ns)
            self.count(direction, busy_ns)
            return begin + busy_ns

    def cut(self, direction: int, seconds: float) -> None:
        """Let nothing pass in a direction for so many seconds from now; what is under way still gets there."""
        with self:
            self.take(direction, max(self.free(direction), time.monotonic_ns() + round(seconds * 1e9)))

    def pace(self, direction: int) -> float:
        """Return which share of its bandwidth (or speed) a direction (or node) has; 1 unless `set_pace` was called."""
        return float(_PACE.unpack_from(self._words, self._pace_at(direction))[0])

    def set_pace(self, direction: int, share: float) -> None:
        """Give a direction a share of its bandwidth, or a node one of its speed, above 0, in all processes.

        It counts from the next payload, or piece, on.
        """
        if not 0 < share < float("inf"):
            raise ValueError(f"a link has a share of its bandwidth above 0, not {share}")
        with self:
            _PACE.pack_into(self._words, self._pace_at(direction), share)

    def lag(self, direction: int) -> float:
        """Return by how many seconds the latency of a direction is longer now; 0 unless `set_lag` was called."""
        return float(_PACE.unpack_from(self._words, self._lag_at(direction))[0])

    def set_lag(self, direction: int, seconds: float) -> None:
        """Make the latency of a direction longer by some seconds (less than 0: shorter), from the next payload on."""
        with self:
            _PACE.pack_into(self._words, self._lag_at(direction), seconds)

    def _pace_at(self, direction: int) -> int:
        return len(self._words) // 4 + _PACE.size * direction

    def _lag_at(self, direction: int) -> int:
        return len(self._words) // 2 + _PACE.size * direction

    def _busy_at(self, direction: int) -> int:
        return 3 * len(self._words) // 4 + _WORD.size * direction

    def free(self, direction: int) -> int:
        """Return until when a direction is taken; within `with`, so that nobody takes it meanwhile."""
        return int(_WORD.unpack_from(self._words, _WORD.size * direction)[0])

    def take(self, direction: int, until_ns: int) -> None:
        """Take a direction until some time; within `with`."""
        _WORD.pack_into(self._words, _WORD.size * direction, until_ns)

    def busy(self, direction: int) -> int:
        """Return for how many nanoseconds a direction was taken by payloads so far, or the workers of a node worked."""
        return int(_WORD.unpack_from(self._words, self._busy_at(direction))[0])

    def count(self, direction: int, busy_ns: int) -> None:
        """Add to what `busy` returns; within `with`."""
        _WORD.pack_into(self._words, self._busy_at(direction), self.busy(direction) + busy_ns)

    def __enter__(self) -> Self:
        import fcntl

        _ONE.acquire()
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX)  # which the system takes back from a process that dies
        except BaseException:
            _ONE.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import fcntl

        try:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
        finally:
            _ONE.release()

    def close(self) -> None:
        """Let the file go."""
        self._words.close()
        os.close(self._file)
