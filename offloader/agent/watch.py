"""Whether the next agent answers: one that did not is asked now and then, until it does."""

from __future__ import annotations

import threading

from tiercut.offloader.protocol.channels import Peer
from tiercut.offloader.protocol.messages import message

__all__ = ["Watch"]

_PAUSE_S, _PATIENCE_S = 0.25, 0.4
"""Both together are less than the second within which a peer that is back is used again."""


class Watch:
    """Watches a peer from when a call to it failed until it is ready again; costs nothing while it is.

    Parameters
    ----------
    peer
        Who is watched.
    """

    def __init__(self, peer: Peer) -> None:
        self._peer, self._lock = peer, threading.Lock()
        self._closed = threading.Event()
        self._is_up = True

    @property
    def is_up(self) -> bool:
        """Whether it answered when it was last called."""
        return self._is_up

    def lost(self) -> None:
        """Say that it did not answer."""
        with self._lock:
            if not self._is_up or self._closed.is_set():
                return
            self._is_up = False
        threading.Thread(target=self._ask, daemon=True, name="watch").start()

    def _ask(self) -> None:
        while not self._closed.wait(_PAUSE_S):
            if self._is_ready():
                self._is_up = True
                return

    def _is_ready(self) -> bool:
        import grpc

        try:
            return bool(self._peer.call("ServerReady", message("ServerReadyRequest"), _PATIENCE_S).ready)
        except (grpc.RpcError, ValueError):  # the last: its channel was closed meanwhile
            return False

    def close(self) -> None:
        """Watch no longer."""
        self._closed.set()
