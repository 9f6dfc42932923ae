"""Messages on a stream: a prefix, the sizes of the tensors, a head, and the tensors as they lie in memory.

Nothing is allocated, and nothing parsed, before all sizes are known to be within the limits. A head is a message of the
protocol without its raw tensors; nothing on a stream names a file or can run code.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import TiercutError

__all__ = [
    "ACK",
    "FREE",
    "HELLO",
    "INLINE",
    "MOST_HEAD",
    "MOST_TENSORS",
    "PLACED",
    "PREFIX",
    "SIZE",
    "SLACK",
    "WELCOME",
    "Bytes",
    "Inflow",
    "Prefix",
    "StreamError",
    "aligned",
    "bytes_of",
    "read_into",
    "read_prefix",
    "send_all",
    "time_limit",
]

HELLO, WELCOME, INLINE, PLACED, ACK, FREE = range(1, 7)
"""Who calls, and that it is welcome; a frame with its tensors, or with those in a slot of shared memory; that it was
taken, or why not; that its slot is free again."""

PREFIX = struct.Struct("<4sBBHIQ")
SIZE = struct.Struct("<Q")
_MARK = b"tcut"
MOST_HEAD, MOST_TENSORS = 64 << 10, 64
"""Bytes beside the tensors of a message, and tensors, at most."""

SLACK = 4096
"""Bytes by which what is encoded may be larger than it was."""

_LINE, _AHEAD = 64, 4096

Bytes = NDArray[np.uint8]


class StreamError(TiercutError):
    """A stream that cannot go on: what came was no message, or nothing came."""


class Prefix(NamedTuple):
    """How a message begins.

    Parameters
    ----------
    kind
        Which.
    slot
        Where its tensors lie, of those that are placed.
    tensors
        How many.
    head
        Bytes of the head.
    number
        Of the message, which its acknowledgement repeats.
    """

    kind: int
    slot: int
    tensors: int
    head: int
    number: int

    def pack(self) -> bytes:
        """Return it as bytes."""
        return PREFIX.pack(_MARK, *self)


def aligned(size: int) -> int:
    """Return a number of bytes, rounded up so that what follows begins on a line of the cache."""
    return -(-size // _LINE) * _LINE


def bytes_of(numbers: NDArray[Any]) -> Bytes:
    """Return the bytes of an array; they are not copied where they lie side by side."""
    return np.ascontiguousarray(numbers).reshape(-1).view(np.uint8)


def time_limit(link: socket.socket, seconds: float, *, sending: bool) -> None:
    """Let a call on a blocking socket wait for so long; 0: without end."""
    whole, rest = divmod(max(round(seconds * 1e6), 0), 1_000_000)
    option = socket.SO_SNDTIMEO if sending else socket.SO_RCVTIMEO
    link.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", whole, rest))


def send_all(link: socket.socket, parts: Sequence[bytes | Bytes]) -> None:
    """Send some parts one after the other.

    Raises
    ------
    OSError
        If that fails, or takes longer than the socket's limit; then the stream is of no use any more.
    """
    left = [memoryview(part) if isinstance(part, bytes) else part.data for part in parts if len(part)]
    while left:
        sent = link.sendmsg(left)
        while left and sent >= len(left[0]):
            sent -= len(left.pop(0))
        if left and sent:
            left[0] = left[0][sent:]


def read_into(link: socket.socket, views: Sequence[Bytes | memoryview], until_ns: int | None = None) -> None:
    """Fill some pieces of memory one after the other, before a time by `time.monotonic_ns`, if one is given.

    Raises
    ------
    StreamError
        If the other side has ended, or that time has passed.
    OSError
        If that fails, or takes longer than the socket's limit.
    """
    left = [view if isinstance(view, memoryview) else view.data for view in views if len(view)]
    while left:
        if until_ns is not None:
            if (left_ns := until_ns - time.monotonic_ns()) <= 0:
                raise StreamError("the other side did not introduce itself in time")
            time_limit(link, max(left_ns / 1e9, 1e-3), sending=False)
        got = link.recvmsg_into(left, 0, socket.MSG_WAITALL)[0]
        if not got:
            raise StreamError("the other side has ended")
        while left and got >= len(left[0]):
            got -= len(left.pop(0))
        if left and got:
            left[0] = left[0][got:]


class Inflow:
    """What comes by a socket: a message's beginning is taken at one go, with whatever else is there already.

    Parameters
    ----------
    link
        The socket, whose limit of time counts.
    """

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._ahead = memoryview(bytearray(_AHEAD))
        self._begin = self._end = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing is there that was not asked for yet."""
        return self._begin == self._end

    def wait(self) -> None:
        """Wait for anything; what comes is kept.

        Raises
        ------
        StreamError
            If the other side has ended.
        OSError
            If that fails, or takes longer than the socket's limit.
        """
        if not self.is_empty:
            return
        self._begin, self._end = 0, self._link.recv_into(self._ahead)
        if self.is_empty:
            raise StreamError("the other side has ended")

    def take(self, size: int) -> bytes | bytearray | memoryview:
        """Return so many bytes, which may be written over by the next call; see `fill`."""
        begin, end = self._begin, self._begin + size
        if end <= self._end:
            self._begin = end
            return self._ahead[begin:end]
        found = bytearray(size)
        self.fill([memoryview(found)])
        return found

    def fill(self, views: Sequence[Bytes | memoryview], until_ns: int | None = None) -> None:
        """Fill some pieces of memory, first with what is there already; raises as `read_into` does."""
        left = [view if isinstance(view, memoryview) else view.data for view in views if len(view)]
        while left and not self.is_empty:
            size = min(len(left[0]), self._end - self._begin)
            left[0][:size] = self._ahead[self._begin : self._begin + size]
            self._begin += size
            if size == len(left[0]):
                left.pop(0)
            else:
                left[0] = left[0][size:]
        read_into(self._link, left, until_ns)


def read_prefix(raw: bytes | bytearray | memoryview) -> Prefix:
    """Return how a message begins, of its bytes.

    Raises
    ------
    StreamError
        If it is none, or one that is too large.
    """
    mark, *rest = PREFIX.unpack(raw)
    found = Prefix(*rest)
    if mark != _MARK or not HELLO <= found.kind <= FREE:
        raise StreamError("this is no message of a stream")
    if found.head > MOST_HEAD or found.tensors > MOST_TENSORS:
        raise StreamError(f"a message has {MOST_HEAD} bytes beside its tensors, and {MOST_TENSORS} of them, at most")
    return found
