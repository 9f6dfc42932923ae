"""Channels to servers of the protocol, that come back soon after a peer does, and calls with a deadline."""

from __future__ import annotations

import os
import threading
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tiercut.errors import QuestionError
from tiercut.offloader.protocol.messages import methods
from tiercut.offloader.protocol.wire import Opened, opened, serialised

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from tiercut.offloader.protocol.tls import Tls

__all__ = ["Peer", "address_of", "check_grpc", "hush_grpc", "options"]

ENVELOPE = 64 << 10
"""Bytes beside its tensors that a message may have."""


def check_grpc() -> None:
    """Make sure that gRPC is installed.

    Raises
    ------
    QuestionError
        Says what to install.
    """
    missing = [name for name, module in (("grpcio", "grpc"), ("protobuf", "google")) if find_spec(module) is None]
    if missing:
        raise QuestionError(f"agents talk by {' and '.join(missing)}; install with: pip install 'tiercut[offload]'")


def hush_grpc() -> None:
    """Keep gRPC's core from writing to standard error what its calls report anyway; counts before it is loaded."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")


def options(most_bytes: int) -> list[tuple[str, int]]:
    """Return the options of a channel or a server whose messages hold tensors of so many bytes at most.

    gRPC refuses more than 4 MiB at both ends unless told otherwise. A peer that comes back is called again within half
    a second; by default that takes up to 17 s.
    """
    limit = most_bytes + ENVELOPE
    return [
        ("grpc.max_receive_message_length", limit),
        ("grpc.max_send_message_length", limit),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 500),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0),
        ("grpc.so_reuseport", 0),
    ]


def address_of(text: str, *, what: str) -> str:
    """Return an address as gRPC takes it; checks that it is written HOST:PORT.

    Raises
    ------
    QuestionError
        If it is written otherwise.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdecimal() or int(port) > 65535 or "/" in host:
        raise QuestionError(f"{what} is written HOST:PORT, such as 127.0.0.1:8001, not '{text}'")
    return f"{host}:{int(port)}"


class Peer:
    """A server of the protocol that is called; its channel is opened anew once a deadline has passed on it.

    A channel stays dead after a peer was frozen: calls on it wait for a connection that will never answer.

    Parameters
    ----------
    address
        HOST:PORT.
    most_bytes
        Bytes of the tensors of a message, at most.
    tls
        What its channel is encrypted with; None: nothing is.
    """

    def __init__(self, address: str, most_bytes: int, tls: Tls | None = None) -> None:
        hush_grpc()
        self.address, self.most_bytes, self._tls = address, most_bytes, tls
        self._lock = threading.Lock()
        self._channel: Any = None
        self._stubs: tuple[Any, dict[tuple[str, bool], Any]] = None, {}
        self._closed = False

    def call(self, name: str, request: Any, timeout_s: float, contents: Sequence[NDArray[np.uint8]] = ()) -> Any:
        """Return the answer to a call by its name, such as ``ServerLive``.

        Raises
        ------
        grpc.RpcError
            If it fails, or takes longer.
        ValueError
            If this peer was closed.
        """
        return self._answer(name, request, timeout_s, contents, apart=False)

    def infer(self, request: Any, timeout_s: float, contents: Sequence[NDArray[np.uint8]]) -> Opened:
        """Return the answer to ``ModelInfer``, its tensors where they came; see `call`."""
        found: Opened = self._answer("ModelInfer", request, timeout_s, contents, apart=True)
        return found

    def _answer(
        self, name: str, request: Any, timeout_s: float, contents: Sequence[NDArray[np.uint8]], *, apart: bool
    ) -> Any:
        """Call, and wait for the answer here: gRPC's own thread would have to be woken, and to wake this one."""
        import grpc

        raw = serialised(request, contents) if contents else request.SerializeToString()
        channel = self._open()
        try:
            return self._stub(channel, name, apart)(raw, timeout=max(timeout_s, 0.0))
        except grpc.RpcError as error:
            status: Any = error
            self._after(channel, status.code())
            raise

    def start(
        self,
        name: str,
        request: Any,
        timeout_s: float,
        done: Callable[[Any], None] | None = None,
        contents: Sequence[NDArray[np.uint8]] = (),
        *,
        apart: bool = False,
    ) -> Any:
        """Begin a call and return what it will become, a ``grpc.Future``.

        Parameters
        ----------
        name
            Of the call.
        request
            What it takes.
        timeout_s
            Seconds after which it has failed.
        done
            Called with the future once it has ended, in a thread of gRPC.
        contents
            The bytes of the tensors that the request describes, where they are not in it.
        apart
            Whether the answer becomes an `Opened`.

        Raises
        ------
        ValueError
            If this peer was closed.
        """
        raw = serialised(request, contents) if contents else request.SerializeToString()
        channel = self._open()
        future = self._stub(channel, name, apart).future(raw, timeout=max(timeout_s, 0.0))

        def ended(each: Any) -> None:
            self._after(channel, each.code())
            if done is not None:
                done(each)

        future.add_done_callback(ended)
        return future

    def _stub(self, channel: Any, name: str, apart: bool) -> Any:
        """Return what calls by a name, made once for a channel."""
        with self._lock:
            if self._stubs[0] is not channel:
                self._stubs = channel, {}
            stub = self._stubs[1].get((name, apart))
            if stub is None:
                method = methods()[name]
                reader = partial(opened, method.response) if apart else method.response.FromString
                stub = channel.unary_unary(method.path, response_deserializer=reader)
                self._stubs[1][name, apart] = stub
            return stub

    def _open(self) -> Any:
        import grpc

        with self._lock:
            if self._closed:
                raise ValueError(f"the channel to {self.address} is closed")
            if self._channel is None:
                said = options(self.most_bytes)
                self._channel = (
                    grpc.insecure_channel(self.address, options=said)
                    if self._tls is None
                    else grpc.secure_channel(self.address, self._tls.channel(), options=said)
                )
            return self._channel

    def _after(self, channel: Any, code: Any) -> None:
        """Give up a channel on which a deadline has passed, as the status of a call says."""
        import grpc

        if code is not grpc.StatusCode.DEADLINE_EXCEEDED:
            return
        with self._lock:
            if self._channel is not channel:
                return
            self._channel, self._stubs = None, (None, {})
        threading.Thread(target=channel.close, daemon=True).start()  # not in gRPC's own thread, which it waits for

    def close(self) -> None:
        """Close the channel; calls that go on are given up, and there are no more."""
        with self._lock:
            self._closed = True
            channel, self._channel, self._stubs = self._channel, None, (None, {})
        if channel is not None:
            channel.close()
