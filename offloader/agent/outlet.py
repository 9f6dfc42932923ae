"""Where an agent sends to: a peer behind a way of links, in order, each message once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tiercut.offloader.agent.watch import Watch
from tiercut.offloader.links.clock import LinkClock
from tiercut.offloader.links.path import NO_LINKS, Full, ShapedPath, Way
from tiercut.offloader.protocol.channels import Peer
from tiercut.offloader.protocol.tensors import put_parameters

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
    size
        Bytes that a link carries for it.
    until_ns
        Its frame's deadline, by `time.monotonic_ns`.
    failed
        Called with the reason if it does not get there.
    spare_ns
        So long before that deadline it is given up, so that its sender can still answer itself.
    """

    request: Any
    size: int
    until_ns: int
    failed: Callable[[str], None]
    spare_ns: int = 0


class Outlet:
    """A peer, and the way to it.

    Parameters
    ----------
    peer
        Who takes the messages.
    way, clock
        The links on the way; none where they are real.
    """

    def __init__(self, peer: Peer, way: Way = NO_LINKS, clock: LinkClock | None = None, *, most: int = 64) -> None:
        self._peer = peer
        self._watch = Watch(peer)
        self._path: ShapedPath[Parcel] = ShapedPath(way, clock, self._deliver, most=most)

    def put(
        self,
        request: Any,
        until_ns: int,
        failed: Callable[[str], None],
        timings: Mapping[str, str | int | bool],
        *,
        direct: bool = False,
        spare_ns: int = 0,
    ) -> None:
        """Send a message; the links carry what it is without its timings.

        Parameters
        ----------
        request
            The message.
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

        Raises
        ------
        Full
            If too many wait already.
        """
        size = int(request.ByteSize())
        put_parameters(request, {**timings, "sent_ns": time.monotonic_ns()})
        self._path.put(Parcel(request, size, until_ns, failed, spare_ns), size, past_links=direct)

    @property
    def is_up(self) -> bool:
        """Whether the peer answers, as far as is known."""
        return self._watch.is_up

    @property
    def address(self) -> str:
        """Of the peer."""
        return self._peer.address

    def _deliver(self, parcel: Parcel) -> None:
        left_ns = parcel.until_ns - time.monotonic_ns()
        if left_ns <= parcel.spare_ns:
            parcel.failed(f"it was not sent to {self._peer.address} before its deadline")
            return
        put_parameters(parcel.request, {"left_ns": left_ns})

        def ended(future: Any) -> None:
            if not future.cancelled() and future.exception() is not None:
                if parcel.spare_ns and future.code().name in _SILENT:
                    self._watch.lost()
                parcel.failed(_said(self._peer.address, future))

        try:
            self._peer.start("ModelInfer", parcel.request, (left_ns - parcel.spare_ns) / 1e9, ended)
        except ValueError:  # the channel was closed meanwhile: this process ends
            parcel.failed(f"the channel to {self._peer.address} is closed")

    def close(self) -> None:
        """Send what waits, and close the channel."""
        self._watch.close()
        self._path.close()
        self._peer.close()


def _said(address: str, future: Any) -> str:
    """Return why a call failed, in a line."""
    details = " ".join(str(future.details() or "").split())[:300]
    return f"{address}: {future.code().name}" + (f": {details}" if details else "")
