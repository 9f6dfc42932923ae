"""The receiver's end of streams: each connection has a thread, buffers of its own, and what it may send is bounded."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tiercut.offloader.protocol.messages import methods
from tiercut.offloader.protocol.service import Refused
from tiercut.offloader.transports.framing import (
    ACK,
    FREE,
    HELLO,
    INLINE,
    PLACED,
    PREFIX,
    SIZE,
    SLACK,
    WELCOME,
    Bytes,
    Inflow,
    Prefix,
    StreamError,
    aligned,
    read_into,
    read_prefix,
    send_all,
    time_limit,
)
from tiercut.offloader.transports.memory import SlotView, has_memory, is_same_user, pieces
from tiercut.offloader.transports.offer import Offer, Transport, Wanted

__all__ = ["Arrival", "StreamServer"]

log = logging.getLogger(__name__)

_MOST_LINKS, _KEPT = 64, 4
_HELLO_S, _MESSAGE_S, _ANSWER_S, _PAUSE_S = 2.0, 30.0, 1.0, 0.1
_TOKEN = 16


def _nothing() -> None:
    """Release what needs no releasing."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that came.

    Parameters
    ----------
    request
        The message; raw tensors are not in it where they came beside it.
    contents
        The bytes of each tensor.
    left_s
        Seconds until the deadline of the call; None where the message alone says it.
    by
        How it came.
    release
        Called once nobody reads the contents any more: their memory is used again.
    """

    request: Any
    contents: Sequence[Any]
    left_s: float | None = None
    by: Transport = "grpc"
    release: Callable[[], None] = field(default=_nothing)


class StreamServer:
    """Takes streams, over TCP and by shared memory, from those who know the token.

    Parameters
    ----------
    host
        Where it listens.
    take
        Takes an arrival, or raises `Refused`; from then on the arrival is its own, to be released.
    most_bytes
        Bytes of the tensors of a message, at most.
    wanted
        Which it takes; ``grpc``: none.
    """

    def __init__(self, host: str, take: Callable[[Arrival], object], most_bytes: int, wanted: Wanted = "auto") -> None:
        self._take, self._most = take, most_bytes
        self._lock = threading.Lock()
        self._links: set[_Link] = set()
        self._listeners: list[socket.socket] = []
        self._closed = False
        kinds = [kind for kind in ("tcp", "memory") if wanted in ("auto", kind) and (kind == "tcp" or has_memory())]
        self._token = secrets.token_bytes(_TOKEN)
        port = 0
        try:
            if kinds:
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                tcp = socket.create_server((host.strip("[]"), 0), family=family, backlog=16)
                self._listeners.append(tcp)
                port = int(tcp.getsockname()[1])
            self.offer = Offer(port, self._token.hex(), tuple(kinds))
            if "memory" in kinds:
                unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self._listeners.append(unix)
                unix.bind(self.offer.unix)
                unix.listen(16)
        except OSError as error:
            log.info("no streams are taken: %s", error)
            self.close()
            self.offer = Offer(0, self._token.hex(), ())
        if "tcp" not in kinds and self._listeners:
            self._listeners.pop(0).close()  # it only lent its number to the Unix socket
        for listener in self._listeners:
            threading.Thread(target=self._accept, args=(listener,), daemon=True, name="streams").start()

    @property
    def extensions(self) -> list[str]:
        """What the server's metadata say of it."""
        return [str(self.offer)] if self.offer.kinds else []

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                if self._closed:
                    return
                time.sleep(_PAUSE_S)  # such as for want of descriptors, of which there may be some again
                continue
            with self._lock:
                if self._closed or len(self._links) >= _MOST_LINKS:
                    link.close()
                    continue
                made = _Link(link, self._token, self._take, self._most)
                self._links.add(made)
            threading.Thread(target=self._serve, args=(made,), daemon=True, name="stream").start()

    def _serve(self, link: _Link) -> None:
        try:
            link.serve()
        except (OSError, StreamError) as error:
            log.debug("a stream ended: %s", error)
        finally:
            link.close()
            with self._lock:
                self._links.discard(link)

    def close(self) -> None:
        """Take no more, and end those that there are."""
        with self._lock:
            self._closed = True
            links = list(self._links)
        for listener in self._listeners:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # which wakes the thread that accepts
            listener.close()
        for link in links:
            link.close()


class _Link:
    """One connection."""

    def __init__(self, link: socket.socket, token: bytes, take: Callable[[Arrival], object], most: int) -> None:
        self._link, self._token, self._take, self._most = link, token, take, most
        self._inflow = Inflow(link)
        self._read = methods()["ModelInfer"].request.FromString
        self._answering = threading.Lock()
        self._buffers: list[Bytes] = []
        self._memory: SlotView | None = None
        self.kind: Transport = "tcp"

    def serve(self) -> None:
        """Take messages until it ends; `StreamError` and `OSError` say why."""
        self._welcome()
        time_limit(self._link, _MESSAGE_S, sending=False)
        while True:
            try:
                self._inflow.wait()
            except BlockingIOError:  # nothing came for a while
                continue
            self._message(read_prefix(self._inflow.take(PREFIX.size)))

    def _welcome(self) -> None:
        """Let in who knows the token, and map the memory that comes with it."""
        time_limit(self._link, _HELLO_S, sending=False)
        time_limit(self._link, _ANSWER_S, sending=True)
        files: list[int] = []
        try:
            shared = self._hello(files)
            if files and shared:
                self._memory = SlotView(files.pop(0), *(SIZE.unpack_from(shared, at)[0] for at in (0, SIZE.size)))
                self.kind = "memory"
        finally:
            for each in files:
                os.close(each)
        send_all(self._link, [Prefix(WELCOME, 0, 0, 0, 0).pack()])

    def _hello(self, files: list[int]) -> bytes:
        """Return what is said of shared memory by who knows the token; its descriptors are added to `files`."""
        until_ns = time.monotonic_ns() + round(_HELLO_S * 1e9)
        raw = bytearray(PREFIX.size)
        first = b""
        if self._link.family == socket.AF_UNIX:
            if not is_same_user(self._link):
                raise StreamError("the process at the other end is of another user")
            first, came, _, _ = socket.recv_fds(self._link, PREFIX.size, 1)
            files += came
            raw[: len(first)] = first
        else:
            self._link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        read_into(self._link, [memoryview(raw)[len(first) :]], until_ns)
        prefix = read_prefix(raw)
        if prefix.kind != HELLO or prefix.head not in (_TOKEN, _TOKEN + 2 * SIZE.size):
            raise StreamError("who calls does not introduce itself")
        head = bytearray(prefix.head)
        read_into(self._link, [memoryview(head)], until_ns)
        if not secrets.compare_digest(bytes(head[:_TOKEN]), self._token):
            raise StreamError("who calls does not know the token of this server")
        return bytes(head[_TOKEN:])

    def _message(self, prefix: Prefix) -> None:
        if prefix.kind not in (INLINE, PLACED):
            raise StreamError("this is no frame")
        start = bytes(self._inflow.take(SIZE.size * prefix.tensors + prefix.head))
        sizes = struct.unpack_from(f"<{prefix.tensors}Q", start)
        if sum(sizes) > self._most + SLACK:
            raise StreamError(f"a frame has {self._most} bytes at most")
        try:  # while its tensors are still under way
            request = self._read(start[SIZE.size * prefix.tensors :])
        except Exception as error:  # protobuf's own, which is imported where it is used
            raise StreamError("the head of a frame is no message of the protocol") from error
        contents, held = self._contents(prefix, sizes)
        status = b""
        try:
            self._take(Arrival(request, contents, None, self.kind, held.release))
        except Refused as refused:
            held.release()
            status = f"{refused.status}\0{refused.message}".encode()[:4096]
        with self._answering:
            held.acknowledged = True
            send_all(self._link, [Prefix(ACK, held.is_free, 0, len(status), prefix.number).pack() + status])

    def _contents(self, prefix: Prefix, sizes: Sequence[int]) -> tuple[list[Bytes], _Held]:
        """Return the tensors of a frame, and what says that nobody reads them any more."""
        if prefix.kind == PLACED:
            if self._memory is None:
                raise StreamError("no memory is shared")
            return self._memory.read(prefix.slot, sizes), _Held(self, prefix.slot)
        whole = sum(map(aligned, sizes))
        with self._answering:
            at = next((place for place, each in enumerate(self._buffers) if len(each) >= whole), None)
            buffer = None if at is None else self._buffers.pop(at)
        if buffer is None:
            buffer = np.empty(whole, np.uint8)
        contents = pieces(buffer, 0, sizes)
        self._inflow.fill(contents)
        return contents, _Held(self, None, buffer)

    def release(self, held: _Held) -> None:
        """Use the memory of a frame again: what is new has to be made by the system first, page by page."""
        with self._answering:
            if held.is_free:
                return
            held.is_free = True
            if held.buffer is not None:
                self._buffers.append(held.buffer)
                self._buffers.sort(key=len)
                del self._buffers[:-_KEPT]
            elif held.acknowledged and held.slot is not None:
                try:
                    send_all(self._link, [Prefix(FREE, held.slot, 0, 0, 0).pack()])
                except OSError:
                    self.close()

    def close(self) -> None:
        """End it."""
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        self._link.close()


@dataclass(slots=True)
class _Held:
    """The memory of a frame: a slot that the sender is told of, with its acknowledgement or later; or a buffer."""

    link: _Link
    slot: int | None
    buffer: Bytes | None = None
    acknowledged: bool = False
    is_free: bool = False

    def release(self) -> None:
        """Say that nobody reads it any more."""
        self.link.release(self)
