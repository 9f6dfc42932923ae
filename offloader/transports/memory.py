"""Memory that two processes of one machine share: slots that a sender writes and a receiver reads where they are.

The memory has no name: its descriptor goes through a Unix socket, to a process of the same user. It cannot shrink, so
that a reader is safe from it.
"""

from __future__ import annotations

import mmap
import os
import socket
import struct
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from tiercut.offloader.transports.framing import SLACK, Bytes, StreamError, aligned

__all__ = ["SLOTS", "SlotView", "Slots", "has_memory", "is_same_user"]

SLOTS = 4
"""Frames that may lie in a memory at once; others travel by the stream."""

_POPULATED = 64 << 20
_MOST_SLOTS = 16


def has_memory() -> bool:
    """Whether this system can share memory without a name."""
    return hasattr(os, "memfd_create") and hasattr(socket, "SO_PEERCRED") and hasattr(socket, "send_fds")


def is_same_user(link: socket.socket) -> bool:
    """Whether the process at the other end of a Unix socket is of the same user."""
    pid_uid_gid = struct.Struct("@iii")
    _, uid, _ = pid_uid_gid.unpack(link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, pid_uid_gid.size))
    return bool(uid == os.getuid())


class Slots:
    """The sender's side.

    Parameters
    ----------
    most_bytes
        Bytes of the tensors of a message, at most.
    count
        How many slots.
    """

    def __init__(self, most_bytes: int, count: int = SLOTS) -> None:
        import fcntl

        self.size = aligned(most_bytes + SLACK)
        self.file = os.memfd_create("tiercut", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.file, self.size * count)
        fcntl.fcntl(self.file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        flags = mmap.MAP_SHARED | (mmap.MAP_POPULATE if self.size * count <= _POPULATED else 0)
        self._memory: mmap.mmap | None = mmap.mmap(self.file, self.size * count, flags)
        self._start = _address(np.frombuffer(self._memory, np.uint8))
        # NOTE a slot that was lent is given back wherever its last piece goes, and that may be in the midst of taking
        self._lock, self._free = threading.RLock(), set(range(count))
        self._lent: dict[int, weakref.finalize[Any, Any]] = {}
        self.count = count

    def take(self, sizes: Sequence[int]) -> tuple[int, list[Bytes]] | None:
        """Return a slot, and a piece of it for each size, to be written; None where none is free or it is too small."""
        if sum(map(aligned, sizes)) > self.size:
            return None
        with self._lock:
            if not self._free:
                return None
            slot = self._free.pop()
            return slot, pieces(self._slot(slot), 0, sizes)

    def lend(self, sizes: Sequence[int]) -> list[Bytes] | None:
        """Return a piece of a slot for each size, which is free again when none of them is there any more.

        Unless it was sent before: see `lent`. None where no slot is free or it is too small.
        """
        with self._lock:
            taken = self.take(sizes)
            if taken is None:
                return None
            slot, found = taken
            self._lend(slot, found[0].base)
            return found

    def _lend(self, slot: int, whole: Any) -> None:
        self._lent[slot] = weakref.finalize(whole, self._given_back, slot)
        self._lent[slot].atexit = False

    def _given_back(self, slot: int) -> None:
        with self._lock:
            self._lent.pop(slot, None)
            self.release(slot)

    def lent(self, contents: Sequence[Any]) -> int | None:
        """Return the slot that some arrays of bytes are all pieces of, in their order; None where they are none.

        Whoever asks is to send it and to release it; see `not_sent`.
        """
        if not contents or not all(isinstance(each, np.ndarray) for each in contents):
            return None
        slot, begin = divmod(_address(contents[0]) - self._start, self.size)
        for each in contents:
            if _address(each) != self._start + slot * self.size + begin:
                return None
            begin += aligned(len(each))
        with self._lock:
            given = self._lent.pop(slot, None) if begin == sum(aligned(len(each)) for each in contents) else None
            return None if given is None or given.detach() is None else slot

    def not_sent(self, slot: int, contents: Sequence[Bytes]) -> None:
        """Say that a slot that was lent could not be sent, so that it is free again when its pieces are gone."""
        with self._lock:
            self._lend(slot, contents[0].base)

    def _slot(self, slot: int) -> Bytes:
        """Return a slot as an array that its pieces, and no others, are views of."""
        assert self._memory is not None
        return np.frombuffer(self._memory, np.uint8, self.size, slot * self.size)

    def release(self, slot: int) -> None:
        """Say that a slot is free again."""
        with self._lock:
            if self.file >= 0 and 0 <= slot < self.count:
                self._free.add(slot)

    def close(self) -> None:
        """Let the descriptor and the memory go, which goes with its last reader; there are no slots from now on."""
        with self._lock:
            if self.file >= 0:
                os.close(self.file)
                self.file = -1
            self._free, self._lent, self._memory = set(), {}, None


class SlotView:
    """The receiver's side, which cannot write.

    Parameters
    ----------
    file
        The descriptor, which is closed here.
    size, count
        Bytes of a slot, and how many there are.

    Raises
    ------
    StreamError
        If the memory is not what it is said to be, or could shrink.
    """

    def __init__(self, file: int, size: int, count: int) -> None:
        import fcntl

        try:
            seals = fcntl.fcntl(file, fcntl.F_GET_SEALS)
            if not seals & fcntl.F_SEAL_SHRINK or not 0 < count <= _MOST_SLOTS:
                raise StreamError("this memory cannot be shared: it may shrink, or has too many slots")
            if size <= 0 or os.fstat(file).st_size != size * count:
                raise StreamError("this memory is not as large as it is said to be")
            flags = mmap.MAP_SHARED | (mmap.MAP_POPULATE if size * count <= _POPULATED else 0)
            held = mmap.mmap(file, size * count, flags, mmap.PROT_READ)
        except OSError as error:
            raise StreamError(f"this memory cannot be shared: {error.strerror}") from None
        finally:
            os.close(file)
        self._bytes, self._size, self._count = np.frombuffer(held, np.uint8), size, count

    def read(self, slot: int, sizes: Sequence[int]) -> list[Bytes]:
        """Return what lies in a slot.

        Raises
        ------
        StreamError
            If there is no such slot, or it holds less.
        """
        if not 0 <= slot < self._count or sum(map(aligned, sizes)) > self._size:
            raise StreamError("there is no such slot, or it holds less")
        return pieces(self._bytes, slot * self._size, sizes)


def _address(numbers: Bytes) -> int:
    return int(numbers.__array_interface__["data"][0])


def pieces(memory: Bytes, begin: int, sizes: Sequence[int]) -> list[Bytes]:
    """Return pieces of a memory, each on a line of its own."""
    found = []
    for size in sizes:
        found.append(memory[begin : begin + size])
        begin += aligned(size)
    return found
