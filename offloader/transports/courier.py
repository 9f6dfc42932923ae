"""Who brings frames to a peer: by the quickest way that both agreed on, and by gRPC, which is always right, else."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from tiercut.errors import TiercutError
from tiercut.offloader.protocol.channels import Peer
from tiercut.offloader.protocol.messages import ACCEPTED, message
from tiercut.offloader.protocol.wire import Opened
from tiercut.offloader.transports.framing import Bytes
from tiercut.offloader.transports.memory import has_memory
from tiercut.offloader.transports.offer import Offer, Transport, Wanted
from tiercut.offloader.transports.stream import Failure, Stream

__all__ = ["Courier"]

log = logging.getLogger(__name__)

_PATIENCE_S, _AGAIN_S, _LONGEST_S = 2.0, 0.25, 60.0


class Courier:
    """Brings frames to a server of the protocol.

    It asks the server over gRPC which streams it takes, and opens one in the background. Until then, and whenever a
    stream has ended, frames go by gRPC; once one got there, the two try again to agree.

    Parameters
    ----------
    peer
        The server.
    wanted
        How frames are to travel; by gRPC where the server does not take that.
    carries
        Bytes of the tensors of a frame, at most, for which a stream is made ready; larger ones go by gRPC. None: all
        that the server takes.
    """

    def __init__(self, peer: Peer, wanted: Wanted = "grpc", carries: int | None = None) -> None:
        self._peer, self._wanted = peer, wanted
        self._carries = peer.most_bytes if carries is None else carries
        self._lock = threading.Lock()
        self._stream: Stream | None = None
        self._is_meeting, self._next_ns, self._pause_s = False, 0, _AGAIN_S
        self._closed = False
        self._begin_to_meet()

    @property
    def by(self) -> Transport:
        """How the next frame travels."""
        stream = self._stream
        return stream.kind if stream is not None and stream.is_open else "grpc"

    def room(self, sizes: Sequence[int]) -> list[Bytes] | None:
        """Return memory from which tensors of so many bytes go without being copied, where the peer shares some."""
        stream = self._stream
        return stream.room(sizes) if stream is not None and stream.is_open else None

    def send(
        self,
        request: Any,
        contents: Sequence[Bytes],
        timeout_s: float,
        done: Callable[[Failure | None], None],
        answered: Callable[[Opened], None] | None = None,
    ) -> None:
        """Send a message, and call `done` once: with None when it was taken, or with why it was not.

        A server that is no agent takes none, and answers itself: then `answered` is called in its place.

        Raises
        ------
        ValueError
            If the courier was closed.
        """
        stream = self._stream
        if (
            stream is not None
            and stream.is_open
            and stream.send(request.SerializeToString(), contents, timeout_s, done)
        ):
            return

        def ended(future: Any) -> None:
            if future.cancelled():
                done(Failure("CANCELLED", "the channel was closed"))
            elif future.exception() is not None:
                done(Failure(future.code().name, " ".join(str(future.details() or "").split())[:300]))
            elif answered is not None and ACCEPTED not in (answer := future.result()).message.parameters:
                answered(answer)
            else:
                done(None)
                self._begin_to_meet()

        self._peer.start("ModelInfer", request, timeout_s, ended, contents, apart=answered is not None)

    def _begin_to_meet(self) -> None:
        """Try to agree on a stream, in the background, unless that was tried just now."""
        if self._wanted == "grpc" or self.by != "grpc":
            return
        with self._lock:
            if self._is_meeting or self._closed or time.monotonic_ns() < self._next_ns:
                return
            self._is_meeting = True
        threading.Thread(target=self._meet, daemon=True, name="meeting").start()

    def _meet(self) -> None:
        found: Stream | None = None
        try:
            found = self._met()
        except Exception as error:  # whatever it is, gRPC goes on; it is not the frames' concern
            log.debug("no stream to %s: %s", self._peer.address, error)
        with self._lock:
            self._is_meeting = False
            self._pause_s = _AGAIN_S if found else min(2 * self._pause_s, _LONGEST_S)
            self._next_ns = time.monotonic_ns() + round(self._pause_s * 1e9)
            if not self._closed:
                self._stream, found = found, None
        if found is not None:
            found.close()

    def _met(self) -> Stream:
        """Return a stream to the server.

        Raises
        ------
        Exception
            If there is none, for whatever reason.
        """
        said = self._peer.call("ServerMetadata", message("ServerMetadataRequest"), _PATIENCE_S)
        offer = Offer.among(said.extensions)
        if offer is None:
            raise TiercutError("it takes no streams")
        host = self._peer.address.rpartition(":")[0]
        kinds: tuple[Transport, ...] = ("memory", "tcp") if has_memory() else ("tcp",)
        errors = []
        for kind in kinds:
            if kind not in offer.kinds or self._wanted not in ("auto", kind):
                continue
            try:
                return Stream(host, offer, kind, self._carries)
            except (OSError, TiercutError) as error:
                errors.append(f"{kind}: {error}")
        raise TiercutError("; ".join(errors) or "it takes none of those that are wanted")

    def close(self) -> None:
        """End the stream, if there is one; the peer is its owner's."""
        with self._lock:
            self._closed = True
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
