"""The side of a link measurement that answers: ``tiercut listen``."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from tiercut import units
from tiercut.errors import InputError
from tiercut.profiling.links.protocol import (
    DOWN,
    GREETING,
    MOST_BYTES,
    PING,
    REQUEST,
    TIMED,
    UP,
    PeerError,
    read_exactly,
    read_greeting,
    receive,
    send,
    set_up,
)

__all__ = ["LOOPBACK", "SESSION_S", "Listener"]

LOOPBACK = "127.0.0.1"
SESSION_S = 300.0
"""Longest that one peer is served."""


@dataclass(slots=True)
class _Tally:
    pings: int = 0
    received: int = 0
    sent: int = 0

    def __str__(self) -> str:
        moved = f"{units.format_bytes(self.received)} received, {units.format_bytes(self.sent)} sent"
        return f"{self.pings} pings, {moved}"


class Listener:
    """Answers those who measure the link to this machine, one after the other.

    Whoever reaches it can make this machine receive and send noise and nothing else: nothing is kept, looked up or
    run, a transfer has at most `MOST_BYTES`, a peer at most `SESSION_S` seconds, and one that falls silent is dropped.

    Parameters
    ----------
    address
        Where to listen. The loopback address keeps other machines out: open to a network, anyone on it can have
        this machine's bandwidth, so that has to be requested by name.
    port
        0 takes any that is free.
    report
        Told of every peer, in a sentence.
    session_s
        Longest that one peer is served, in seconds.

    Raises
    ------
    InputError
        If the address is not one of this machine's, or the port is taken.
    """

    def __init__(
        self,
        address: str = LOOPBACK,
        port: int = 0,
        *,
        report: Callable[[str], None] = lambda _: None,
        session_s: float = SESSION_S,
    ) -> None:
        self._report, self._session_s = report, session_s
        try:
            family, _, _, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
            self._server = socket.create_server(where[:2], family=family)
        except (OSError, UnicodeError, OverflowError) as error:
            raise InputError(f"{address}:{port}", f"cannot listen here: {_reason(error)}") from None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def serve_one(self) -> None:
        """Wait for a peer and serve it until it leaves, fails or has had its time."""
        connection, where = self._server.accept()
        tally = _Tally()
        with connection:
            try:
                self._serve(connection, tally)
                self._report(f"{where[0]}: {tally}")
            except (OSError, PeerError, struct.error) as error:
                self._report(f"{where[0]}: {_reason(error)}; {tally}")

    def _serve(self, connection: socket.socket, tally: _Tally) -> None:
        set_up(connection)
        if read_greeting(connection) != GREETING:
            connection.sendall(GREETING)  # tells a newer or older tiercut which version this is
            raise PeerError("no greeting of this version of tiercut measure-link")
        connection.sendall(GREETING)
        until = time.monotonic() + self._session_s
        while request := _next_request(connection):
            if time.monotonic() > until:
                raise PeerError(f"more than {self._session_s:g} s")
            _answer(connection, *request, tally)


def _next_request(connection: socket.socket) -> tuple[bytes, int] | None:
    """Return the next request, or None where the peer has left in good order."""
    first = connection.recv(1)
    if not first:
        return None
    kind, size = REQUEST.unpack(first + read_exactly(connection, REQUEST.size - 1))
    if size > MOST_BYTES:
        raise PeerError(f"asked for {size:,} bytes at once, more than {MOST_BYTES:,}")
    return kind, size


def _answer(connection: socket.socket, kind: bytes, size: int, tally: _Tally) -> None:
    if kind == PING:
        connection.sendall(REQUEST.pack(kind, size))
        tally.pings += 1
    elif kind == UP:
        connection.sendall(TIMED.pack(*receive(connection, size)))
        tally.received += size
    elif kind == DOWN:
        send(connection, size)
        tally.sent += size
    else:
        raise PeerError(f"asked for {kind!r}, which is no request")


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "fell silent"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
