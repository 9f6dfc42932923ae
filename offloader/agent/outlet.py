"""Where an agent sends to: a peer behind a way of links, in order, each message once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tiercut.offloader.agent.watch import Watch
from tiercut.offloader.links.clock import LinkClock
from tiercut.offloader.links.path import NO_LINKS, Full, ShapedPath, Way
from tiercut.offloader.protocol.channels import Peer
from tiercut.offloader.protocol.tensors import put_parameters
from tiercut.offloader.protocol.wire import Opened, size_of
from tiercut.offloader.transports.courier import Courier
from tiercut.offloader.transports.framing import Bytes
from tiercut.offloader.transports.offer import Wanted
from tiercut.offloader.transports.stream import Failure

__all__ = ["Full", "Outlet", "Parcel", "Waits"]

_SILENT = ("UNAVAILABLE", "DEADLINE_EXCEEDED")
"""How a call ends to which nobody answers."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message on its way.

    Parameters
    ----------
    request
        What is sent.
    contents
        The bytes of its tensors.
    size
        Bytes that a link carries for it.
    until_ns
        Its frame's deadline, by `time.monotonic_ns`.
    failed
        Called with the reason if it does not get there.
    spare_ns
        So long before that deadline it is given up, so that its sender can still answer itself.
    answered
        Called with what a server that is no agent answers itself, and when it was called.
    place
        Its number among those that went over the links; None: it passes by them.
    """

    request: Any
    contents: Sequence[Bytes]
    size: int
    until_ns: int
    failed: Callable[[str], None]
    spare_ns: int = 0
    answered: Callable[[Opened, int], None] | None = None
    place: int | None = None


class Waits(NamedTuple):
    """A message that its peer has not taken.

    Parameters
    ----------
    since_ns
        When it was sent, or the one before it was taken, by `time.monotonic_ns`.
    size
        Bytes that a link carries for it.
    """

    since_ns: int
    size: int


class Outlet:
    """A peer, and the way to it.

    Parameters
    ----------
    peer
        Who takes the messages.
    way, clock
        The links on the way; none where they are real.
    most
        How many messages may wait for the first link.
    transport
        How messages travel where the peer takes that; else by gRPC.
    carries
        Bytes of the tensors of a message that goes this way, at most; None: all that the peer takes.
    """

    def __init__(
        self,
        peer: Peer,
        way: Way = NO_LINKS,
        clock: LinkClock | None = None,
        *,
        most: int = 64,
        transport: Wanted = "grpc",
        carries: int | None = None,
    ) -> None:
        self.peer = self._peer = peer
        self._courier = Courier(peer, transport, carries)
        self._watch = Watch(peer)
        self._lock = threading.Lock()
        self._under_way: dict[int, Waits] = {}
        self._count, self._taken_ns = 0, 0
        self._path: ShapedPath[Parcel] = ShapedPath(way, clock, self._deliver, most=most)

    def put(
        self,
        request: Any,
        contents: Sequence[Bytes],
        until_ns: int,
        failed: Callable[[str], None],
        timings: Mapping[str, str | int | bool],
        *,
        direct: bool = False,
        spare_ns: int = 0,
        answered: Callable[[Opened, int], None] | None = None,
        ready_ns: int = 0,
    ) -> None:
        """Send a message; the links carry what it is without its timings.

        Parameters
        ----------
        request
            The message, without the bytes of its tensors.
        contents
            Those; nobody may change them any more.
        until_ns
            Its frame's deadline, by `time.monotonic_ns`.
        failed
            Called with the reason if it does not get there.
        timings
            Parameters to be added.
        direct
            Whether it passes by the links.
        spare_ns
            So long before its frame's deadline it is given up; then the peer is watched until it is back.
        answered
            Called in place of an acknowledgement if the peer is no agent and answers itself: with that, and with when
            it was called.
        ready_ns
            Not before that time it begins its way.

        Raises
        ------
        Full
            If too many wait already.
        """
        size = size_of(request, contents)
        ready_ns = max(ready_ns, time.monotonic_ns())
        put_parameters(request, {**timings, "sent_ns": ready_ns})
        place = None if direct else self._begun(Waits(ready_ns, size))
        parcel = Parcel(request, contents, size, until_ns, failed, spare_ns, answered, place)
        try:
            self._path.put(parcel, size, past_links=direct, ready_ns=ready_ns, until_ns=until_ns - spare_ns)
        except Full:
            self._ended(parcel, taken=False)
            raise

    @property
    def waits(self) -> Waits | None:
        """The oldest message on its way to the peer; None where there is none."""
        with self._lock:
            oldest = next(iter(self._under_way.values()), None)
            return None if oldest is None else oldest._replace(since_ns=max(oldest.since_ns, self._taken_ns))

    def _begun(self, waits: Waits) -> int:
        with self._lock:
            self._count += 1
            self._under_way[self._count] = waits
            return self._count

    def _ended(self, parcel: Parcel, *, taken: bool) -> None:
        if parcel.place is None:
            return
        with self._lock:
            self._under_way.pop(parcel.place, None)
            if taken:
                self._taken_ns = time.monotonic_ns()

    def room(self, sizes: Sequence[int]) -> list[Bytes] | None:
        """See `tiercut.offloader.transports.courier.Courier.room`."""
        return self._courier.room(sizes)

    @property
    def is_up(self) -> bool:
        """Whether the peer answers, as far as is known."""
        return self._watch.is_up

    @property
    def address(self) -> str:
        """Of the peer."""
        return self._peer.address

    def _deliver(self, parcel: Parcel) -> None:
        called_ns = time.monotonic_ns()
        left_ns = parcel.until_ns - called_ns
        if left_ns <= parcel.spare_ns:
            self._ended(parcel, taken=False)
            parcel.failed(f"it was not sent to {self._peer.address} before its deadline")
            return
        put_parameters(parcel.request, {"left_ns": left_ns})

        def ended(failure: Failure | None) -> None:
            self._ended(parcel, taken=failure is None or failure.status not in _SILENT)
            if failure is None:
                return
            if parcel.spare_ns and failure.status in _SILENT:
                self._watch.lost()
            parcel.failed(
                f"{self._peer.address}: {failure.status}" + (f": {failure.details}" if failure.details else "")
            )

        def answered(answer: Opened) -> None:
            self._ended(parcel, taken=True)
            assert parcel.answered is not None
            parcel.answered(answer, called_ns)

        try:
            left_s = (left_ns - parcel.spare_ns) / 1e9
            by_answer = None if parcel.answered is None else answered
            self._courier.send(parcel.request, parcel.contents, left_s, ended, by_answer)
        except ValueError:  # the channel was closed meanwhile: this process ends
            self._ended(parcel, taken=False)
            parcel.failed(f"the channel to {self._peer.address} is closed")

    def close(self) -> None:
        """Send what waits, and close the channel."""
        self._watch.close()
        self._path.close()
        self._courier.close()
        self._peer.close()
