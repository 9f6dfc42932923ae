"""Where an agent sends to: a peer behind a way of links, in order, each message once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

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

__all__ = ["Full", "Outlet", "Parcel"]

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
    """

    request: Any
    contents: Sequence[Bytes]
    size: int
    until_ns: int
    failed: Callable[[str], None]
    spare_ns: int = 0
    answered: Callable[[Opened, int], None] | None = None


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
        self._path.put(
            Parcel(request, contents, size, until_ns, failed, spare_ns, answered),
            size,
            past_links=direct,
            ready_ns=ready_ns,
            until_ns=until_ns - spare_ns,
        )

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
            parcel.failed(f"it was not sent to {self._peer.address} before its deadline")
            return
        put_parameters(parcel.request, {"left_ns": left_ns})

        def ended(failure: Failure | None) -> None:
            if failure is None:
                return
            if parcel.spare_ns and failure.status in _SILENT:
                self._watch.lost()
            parcel.failed(
                f"{self._peer.address}: {failure.status}" + (f": {failure.details}" if failure.details else "")
            )

        answered = None if parcel.answered is None else partial(_called, parcel.answered, called_ns)
        try:
            self._courier.send(parcel.request, parcel.contents, (left_ns - parcel.spare_ns) / 1e9, ended, answered)
        except ValueError:  # the channel was closed meanwhile: this process ends
            parcel.failed(f"the channel to {self._peer.address} is closed")

    def close(self) -> None:
        """Send what waits, and close the channel."""
        self._watch.close()
        self._path.close()
        self._courier.close()
        self._peer.close()


def _called(answered: Callable[[Opened, int], None], called_ns: int, answer: Opened) -> None:
    answered(answer, called_ns)
