"""What two machines say to each other to measure the link between them: one TCP connection, and no more than this.

The one that measures greets with `GREETING` and is greeted back. Then it sends requests of nine bytes, a letter and a
size: ``P`` is echoed; after ``U`` follow so many bytes, which the peer times and answers with `TIMED`; after ``D``
the peer sends so many. Timing is done where bytes arrive, from the first piece to the last, so that neither the
latency nor the buffers of the sender are counted.
"""

from __future__ import annotations

import os
import socket
import struct
import time

__all__ = [
    "DOWN",
    "GREETING",
    "MOST_BYTES",
    "PING",
    "PORT",
    "REQUEST",
    "SILENCE_S",
    "TIMED",
    "UP",
    "VERSION",
    "PeerError",
    "read_exactly",
    "read_greeting",
    "receive",
    "send",
    "set_up",
]

VERSION = 1
GREETING = f"tiercut-link {VERSION}\n".encode()
PORT = 7341
REQUEST = struct.Struct(">cQ")
"""A request: its letter, and how many bytes are wanted."""
TIMED = struct.Struct(">dQ")
"""The answer to ``U``: seconds from the first piece to the last, and the bytes that came after the first."""
PING, UP, DOWN = b"P", b"U", b"D"
MOST_BYTES = 64 << 20
"""Most bytes of one transfer."""
SILENCE_S = 10.0
"""How long either side waits for the next byte."""

_LONGEST_GREETING = 40
_PIECE = 1 << 18
_NOISE = os.urandom(_PIECE)
"""What is sent: random, as a compressing link would carry zeros in no time."""


class PeerError(Exception):
    """The other side does not keep to the protocol; the message says how."""


def set_up(connection: socket.socket) -> None:
    """Send small messages at once (no Nagle), and wait no longer than `SILENCE_S` for the other side."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(SILENCE_S)


def read_exactly(connection: socket.socket, count: int) -> bytes:
    """Return so many bytes; PeerError where the connection ends before."""
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise PeerError("the other side closed the connection")
        data += piece
    return data


def read_greeting(connection: socket.socket) -> bytes:
    """Return what the other side says first: up to the end of a line, or as much as a greeting may have."""
    data = b""
    while not data.endswith(b"\n") and len(data) < _LONGEST_GREETING:
        data += read_exactly(connection, 1)
    return data


def send(connection: socket.socket, size: int) -> None:
    """Send so many bytes of noise."""
    while size > 0:
        piece = memoryview(_NOISE)[: min(size, _PIECE)]
        connection.sendall(piece)
        size -= len(piece)


def receive(connection: socket.socket, size: int) -> tuple[float, int]:
    """Receive so many bytes; return the seconds from the first piece to the last, and the bytes after the first."""
    buffer = bytearray(_PIECE)
    left, first, began, now = size, 0, 0.0, 0.0
    while left > 0:
        count = connection.recv_into(buffer, min(left, _PIECE))
        now = time.perf_counter()
        if not count:
            raise PeerError("the other side closed the connection in the middle of a transfer")
        if not first:
            first, began = count, now
        left -= count
    return now - began, size - first
