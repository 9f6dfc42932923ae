"""The client of a link measurement: latency and bandwidth to a peer, both ways (``tiercut measure-link``)."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tiercut.errors import InputError
from tiercut.profiling.links.protocol import (
    DOWN,
    GREETING,
    MOST_BYTES,
    PING,
    PORT,
    REQUEST,
    TIMED,
    UP,
    VERSION,
    PeerError,
    read_exactly,
    read_greeting,
    receive,
    send,
    set_up,
)

__all__ = ["LinkFigures", "Spread", "measure_link"]

PINGS, RUNS = 21, 5
_WARM_UP = 4
_FIRST_BYTES, _GROWTH, _LONG_ENOUGH_S = 16 << 10, 4, 0.25

Progress: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several measurements, and the quartiles around it, all in one unit."""

    median: float
    quartiles: tuple[float, float]
    runs: int

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Return the spread of some values."""
        low, middle, high = (float(each) for each in np.quantile(values, (0.25, 0.5, 0.75)))
        return cls(middle, (low, high), len(values))

    def to_data(self) -> dict[str, Any]:
        """Return the spread as plain data."""
        return {"median": self.median, "quartiles": list(self.quartiles), "runs": self.runs}


@dataclass(frozen=True, slots=True)
class LinkFigures:
    """What was measured of a link.

    Parameters
    ----------
    latency_s
        Half of a round trip, in seconds. Without a common clock the two ways cannot be measured apart.
    up, down
        Bytes per second to the peer and from it.
    up_bytes, down_bytes
        Payload of the transfers that count.
    """

    latency_s: Spread
    up: Spread
    down: Spread
    up_bytes: int
    down_bytes: int

    def to_data(self) -> dict[str, Any]:
        """Return the figures as plain data: seconds, bytes and bytes per second."""
        return {
            "latency_s": self.latency_s.to_data(),
            "up": {**self.up.to_data(), "payload_bytes": self.up_bytes},
            "down": {**self.down.to_data(), "payload_bytes": self.down_bytes},
        }


def measure_link(
    host: str, port: int = PORT, *, timeout_s: float = 5.0, progress: Progress = lambda _: None
) -> LinkFigures:
    """Measure the link to a machine that runs ``tiercut listen``.

    Parameters
    ----------
    host, port
        Where the peer listens.
    timeout_s
        How long to try to reach it.
    progress
        Told what is being measured.

    Returns
    -------
    LinkFigures
        Medians of 21 round trips of nine bytes, and of five transfers each way.

    Raises
    ------
    InputError
        If the peer cannot be reached, is no listener of this version, or falls silent.

    Notes
    -----
    TCP begins slowly and needs some round trips to fill a link. All goes through one connection, whose transfers grow
    fourfold from 16 KiB until one takes a quarter of a second; they are its warm-up, and five more of that size count.
    """
    peer = f"{host}:{port}"
    try:
        with closing(socket.create_connection((host, port), timeout_s)) as connection:
            set_up(connection)
            _greet(connection)
            progress("latency")
            latency = _latency(connection)
            progress("bandwidth to the peer")
            up_bytes, up = _bandwidth(lambda size: _up(connection, size))
            progress("bandwidth from the peer")
            down_bytes, down = _bandwidth(lambda size: _down(connection, size))
    except PeerError as error:
        raise InputError(peer, str(error)) from None
    except socket.gaierror as error:
        raise InputError(peer, f"there is no such host: {error.strerror}") from None
    except ConnectionRefusedError:
        raise InputError(peer, "nothing listens there; run 'tiercut listen --address ADDRESS' on it first") from None
    except TimeoutError:
        raise InputError(peer, "does not answer; is 'tiercut listen' running there, free, and let through?") from None
    except (OSError, UnicodeError, OverflowError) as error:
        raise InputError(peer, f"cannot be measured: {getattr(error, 'strerror', None) or error}") from None
    return LinkFigures(latency, up, down, up_bytes, down_bytes)


def _greet(connection: socket.socket) -> None:
    connection.sendall(GREETING)
    answer = read_greeting(connection)
    if answer == GREETING:
        return
    name, _, version = answer.rstrip().rpartition(b" ")
    if name == GREETING.split()[0]:
        spoken = version.decode("ascii", "replace")
        raise PeerError(f"speaks version {spoken} of the protocol, this tiercut version {VERSION}; use one on both")
    raise PeerError("is no 'tiercut listen': it answers something else")


def _latency(connection: socket.socket) -> Spread:
    trips = []
    for _ in range(_WARM_UP + PINGS):
        began = time.perf_counter()
        connection.sendall(REQUEST.pack(PING, 0))
        if read_exactly(connection, REQUEST.size) != REQUEST.pack(PING, 0):
            raise PeerError("is no 'tiercut listen': it does not echo")
        trips.append(time.perf_counter() - began)
    return Spread.of([trip / 2 for trip in trips[_WARM_UP:]])


def _bandwidth(transfer: Callable[[int], tuple[float, int]]) -> tuple[int, Spread]:
    """Return the payload that takes long enough, and the bytes per second of several transfers of it."""
    size = _FIRST_BYTES
    while transfer(size)[0] < _LONG_ENOUGH_S and size < MOST_BYTES:
        size = min(size * _GROWTH, MOST_BYTES)
    rates = [count / max(seconds, 1e-9) for seconds, count in (transfer(size) for _ in range(RUNS)) if count]
    if not rates:
        raise PeerError(f"{size:,} bytes arrive in one piece, which tells no bandwidth; measure again")
    return size, Spread.of(rates)


def _up(connection: socket.socket, size: int) -> tuple[float, int]:
    connection.sendall(REQUEST.pack(UP, size))
    send(connection, size)
    seconds, count = TIMED.unpack(read_exactly(connection, TIMED.size))
    if not 0 <= seconds < float("inf") or count > size:
        raise PeerError("is no 'tiercut listen': its times make no sense")
    return seconds, count


def _down(connection: socket.socket, size: int) -> tuple[float, int]:
    connection.sendall(REQUEST.pack(DOWN, size))
    return receive(connection, size)
