"""A gRPC server whose calls are functions, with limits on what comes in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from tiercut.errors import InputError
from tiercut.offloader.protocol.channels import hush_grpc, options
from tiercut.offloader.protocol.messages import SERVICE, Method, methods
from tiercut.offloader.protocol.tls import Tls
from tiercut.offloader.protocol.wire import opened, serialised

__all__ = ["Handler", "Refused", "Service"]

Handler = Callable[[Any, Any], Any]
"""Takes a request and gRPC's context, and returns the response; or a pair of it and the bytes of its tensors.

That of ``ModelInfer`` is given the request as an `Opened`."""


class Refused(Exception):  # noqa: N818  # it is an answer
    """A call that is refused: the name of a status of gRPC, and what to say."""

    def __init__(self, status: str, message: str) -> None:
        self.status, self.message = status, message
        super().__init__(message)


class Service:
    """A server that listens until it is closed.

    Parameters
    ----------
    handlers
        What answers each call, by its name.
    address
        HOST:PORT; port 0 takes a free one.
    most_bytes
        Bytes of the tensors of a message, at most.
    threads
        How many calls are answered at once.
    tls
        What it shows callers, and whom it believes; None: nothing is encrypted, and nobody is asked.

    Raises
    ------
    InputError
        If it cannot listen there.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        address: str,
        most_bytes: int,
        *,
        threads: int = 8,
        tls: Tls | None = None,
    ) -> None:
        hush_grpc()
        import grpc

        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="call")
        self._server = grpc.server(
            self._pool,
            options=options(most_bytes),
            maximum_concurrent_rpcs=threads * 16,
        )
        known = methods()
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    SERVICE,
                    {
                        name: grpc.unary_unary_rpc_method_handler(
                            _guarded(handler),
                            request_deserializer=_reader(name, known[name]),
                            response_serializer=_as_bytes,
                        )
                        for name, handler in handlers.items()
                    },
                ),
            )
        )
        host = address.rpartition(":")[0]
        try:
            self.port = int(
                self._server.add_insecure_port(address)
                if tls is None
                else self._server.add_secure_port(address, tls.server())
            )
        except RuntimeError:
            self.port = 0
        if not self.port:
            self._pool.shutdown(wait=False)
            raise InputError(address, "cannot listen there: the address is taken, or not of this machine")
        self.address = f"{host}:{self.port}"
        self._server.start()

    def wait(self) -> None:
        """Wait until it is closed."""
        self._server.wait_for_termination()

    def close(self, grace_s: float = 0.0) -> None:
        """Take no further calls, and give up those that go on for longer."""
        self._server.stop(grace_s).wait()
        self._pool.shutdown(wait=False)


def _guarded(handler: Handler) -> Handler:
    import grpc

    def call(request: Any, context: Any) -> Any:
        if isinstance(request, Exception):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"the message cannot be read: {request}"[:300])
        try:
            return handler(request, context)
        except Refused as refused:
            context.abort(getattr(grpc.StatusCode, refused.status), refused.message)

    return call


def _reader(name: str, method: Method) -> Callable[[bytes], Any]:
    """Return what makes a request of its bytes, or says why that cannot be: what it raised, gRPC would not tell."""
    from google.protobuf.message import DecodeError

    read = partial(opened, method.request) if name == "ModelInfer" else method.request.FromString

    def read_or_told(raw: bytes) -> Any:
        try:
            return read(raw)
        except DecodeError as error:
            return error

    return read_or_told


def _as_bytes(answer: Any) -> bytes:
    """Return what a handler answers as gRPC sends it."""
    return serialised(*answer) if isinstance(answer, tuple) else bytes(answer.SerializeToString())
