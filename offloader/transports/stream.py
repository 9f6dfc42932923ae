"""The sender's end of a stream: frames go out, and what became of each comes back."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from tiercut.offloader.transports.framing import (
    ACK,
    FREE,
    HELLO,
    INLINE,
    MOST_HEAD,
    MOST_TENSORS,
    PLACED,
    PREFIX,
    SIZE,
    SLACK,
    WELCOME,
    Bytes,
    Prefix,
    StreamError,
    read_into,
    read_prefix,
    send_all,
    time_limit,
)
from tiercut.offloader.transports.memory import Slots, is_same_user
from tiercut.offloader.transports.offer import Offer, Transport

__all__ = ["Failure", "Stream"]

_CONNECT_S, _LOOK_S = 1.0, 0.05
_LOST = "UNAVAILABLE"


class Failure(NamedTuple):
    """Why a message was not taken: the name of a status of gRPC, and words."""

    status: str
    details: str


Done = Callable[[Failure | None], None]


class Stream:
    """A stream to a server that offers it; of no use once `is_open` is false.

    Parameters
    ----------
    host, offer
        Of the server.
    kind
        Over TCP, or by shared memory beside a Unix socket.
    most_bytes
        Bytes of the tensors of a message, at most.

    Raises
    ------
    OSError, StreamError
        If the two do not come together.
    """

    def __init__(self, host: str, offer: Offer, kind: Transport, most_bytes: int) -> None:
        self.kind, self._most = kind, most_bytes + SLACK
        self._slots = Slots(most_bytes) if kind == "memory" else None
        self._link = self._called(host, offer)
        self._sending, self._state = threading.Lock(), threading.Lock()
        self._waiting: dict[int, tuple[int, int | None, Done]] = {}
        self._number, self._limit_s = 0, 0.0
        self.is_open = True
        time_limit(self._link, _LOOK_S, sending=False)
        threading.Thread(target=self._read, daemon=True, name="acknowledged").start()

    def _called(self, host: str, offer: Offer) -> socket.socket:
        """Return a connection over which this side has introduced itself."""
        if self._slots is None:
            link = socket.create_connection((host.strip("[]"), offer.port), _CONNECT_S)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            link.settimeout(_CONNECT_S)
            shared = b""
            if self._slots is not None:
                link.connect(offer.unix)
                if not is_same_user(link):
                    raise StreamError("the process at the other end is of another user")
                shared = SIZE.pack(self._slots.size) + SIZE.pack(self._slots.count)
            head = bytes.fromhex(offer.token) + shared
            hello = Prefix(HELLO, 0, 0, len(head), 0).pack() + head
            if self._slots is None:
                link.sendall(hello)
            else:
                socket.send_fds(link, [hello], [self._slots.file])
            answer = bytearray(PREFIX.size)
            read_into(link, [memoryview(answer)])
            if read_prefix(answer).kind != WELCOME:
                raise StreamError("the stream was refused")
            link.settimeout(None)
        except BaseException:
            link.close()
            if self._slots is not None:
                self._slots.close()
            raise
        return link

    def place(self, sizes: Sequence[int]) -> tuple[int, list[Bytes]] | None:
        """Return a slot of shared memory and a piece of it for each tensor, to be written; None where there is none."""
        return None if self._slots is None else self._slots.take(sizes)

    def room(self, sizes: Sequence[int]) -> list[Bytes] | None:
        """Return memory for the tensors of a message, to be written and sent from there; see `Slots.lend`."""
        return None if self._slots is None else self._slots.lend(sizes)

    def send(self, head: bytes, contents: Sequence[Bytes], timeout_s: float, done: Done) -> bool:
        """Send a message; return whether it is under way, else nothing was done: it is too large, or the stream ended.

        Parameters
        ----------
        head
            The message without its raw tensors.
        contents
            Their bytes; from memory that `room` gave they are not copied.
        timeout_s
            Seconds after which it has failed, and the stream with it.
        done
            Called once, with None when it was taken, or with why not; in a thread of the stream, or in this one.
        """
        sizes = [len(each) for each in contents]
        slot = None if self._slots is None else self._slots.lent(contents)
        if slot is not None and self._slots is not None:
            under_way = self._sent(PLACED, slot, head, sizes, (), timeout_s, done)
            if not under_way:
                self._slots.not_sent(slot, contents)
            return under_way
        placed = self.place(sizes)
        if placed is None:
            return self._sent(INLINE, 0, head, sizes, contents, timeout_s, done)
        for piece, each in zip(placed[1], contents, strict=True):
            np.copyto(piece, each)
        return self.send_placed(placed[0], head, sizes, timeout_s, done)

    def send_placed(self, slot: int, head: bytes, sizes: Sequence[int], timeout_s: float, done: Done) -> bool:
        """Send a message whose tensors are written in a slot; see `send`."""
        under_way = self._sent(PLACED, slot, head, sizes, (), timeout_s, done)
        if not under_way and self._slots is not None:
            self._slots.release(slot)
        return under_way

    def _sent(
        self,
        kind: int,
        slot: int,
        head: bytes,
        sizes: Sequence[int],
        contents: Sequence[Bytes],
        timeout_s: float,
        done: Done,
    ) -> bool:
        if len(head) > MOST_HEAD or len(sizes) > MOST_TENSORS or sum(sizes) > self._most:
            return False
        until_ns = time.monotonic_ns() + round(timeout_s * 1e9)
        with self._sending:
            with self._state:
                if not self.is_open:
                    return False
                self._number += 1
                number = self._number
                self._waiting[number] = until_ns, slot if kind == PLACED else None, done
            start = Prefix(kind, slot, len(sizes), len(head), number).pack() + b"".join(map(SIZE.pack, sizes)) + head
            try:
                if abs(timeout_s - self._limit_s) > 0.1 * timeout_s:
                    self._limit_s = timeout_s
                    time_limit(self._link, max(timeout_s, 1e-3), sending=True)
                send_all(self._link, [start, *contents])
            except OSError as error:
                self._end(Failure(_LOST, f"the stream broke: {error.strerror or error}"))
        return True

    def _read(self) -> None:
        """Take acknowledgements until the stream ends."""
        raw = bytearray(PREFIX.size)
        view = memoryview(raw)
        got = 0
        try:
            while self.is_open:
                try:
                    part = self._link.recv_into(view[got:])
                except OSError as error:
                    if error.errno not in (errno.EAGAIN, errno.EWOULDBLOCK):
                        raise
                    self._look()
                    continue
                if not part:
                    raise StreamError("the other side has ended")
                got += part
                if got == PREFIX.size:
                    got = 0
                    self._take(read_prefix(raw))
        except (OSError, StreamError) as error:
            self._end(Failure(_LOST, f"the stream broke: {error}"))

    def _take(self, prefix: Prefix) -> None:
        words = bytearray(prefix.head)
        if words:  # the limit of looks is too short for words that are still under way
            time_limit(self._link, _CONNECT_S, sending=False)
            read_into(self._link, [memoryview(words)])
            time_limit(self._link, _LOOK_S, sending=False)
        if prefix.kind == FREE and self._slots is not None:
            self._slots.release(prefix.slot)
        elif prefix.kind == ACK:
            with self._state:
                found = self._waiting.pop(prefix.number, None)
            if found is not None:
                _, slot, done = found
                if prefix.slot and slot is not None and self._slots is not None:  # it is free again already
                    self._slots.release(slot)
                status, _, details = words.decode(errors="replace").partition("\0")
                done(Failure(status[:50], details[:1000]) if status else None)

    def _look(self) -> None:
        """End the stream if a message was not acknowledged in its time."""
        now_ns = time.monotonic_ns()
        with self._state:
            late = any(until_ns < now_ns for until_ns, _, _ in self._waiting.values())
        if late:
            self._end(Failure("DEADLINE_EXCEEDED", "it was not acknowledged in time"))

    def _end(self, why: Failure) -> None:
        with self._state:
            if not self.is_open:
                return
            self.is_open = False
            left, self._waiting = self._waiting, {}
        self._shut()
        for _, _, done in left.values():
            done(why)

    def _shut(self) -> None:
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)  # which also wakes the thread that reads
        self._link.close()
        if self._slots is not None:
            self._slots.close()

    def close(self) -> None:
        """End the stream; what is not acknowledged has failed."""
        self._end(Failure("CANCELLED", "the stream was closed"))
