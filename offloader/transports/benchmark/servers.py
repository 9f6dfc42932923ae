"""What takes messages in a benchmark of hops: everything that agents take, and what they are compared with."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tiercut.errors import QuestionError
from tiercut.memory import keep_freed
from tiercut.offloader.bundles.manifest import TensorSpec
from tiercut.offloader.protocol.channels import Peer, options
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.service import Service
from tiercut.offloader.protocol.tensors import describe, take
from tiercut.offloader.protocol.wire import Opened
from tiercut.offloader.transports.server import Arrival, StreamServer

__all__ = ["ACK", "MODEL", "SIZE", "SPEC", "Addresses", "serve", "stock_server"]

SIZE = 1 << 20
SPEC = TensorSpec(name="x", dtype="float32", shape=[1, SIZE // 4])
ACK = b"\1" * 16
MODEL = "echo"

_START_S, _END_S = 90.0, 20.0

_ECHO = """
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Echo(MLModel):
    async def predict(self, payload):
        outputs = [NumpyCodec.encode_output(each.name, NumpyCodec.decode_input(each)) for each in payload.inputs]
        return InferenceResponse(model_name=self.name, id=payload.id, outputs=outputs)
"""
"""The echo as a model of mlserver, which hands models lists of numbers and codecs that make arrays of them."""


class Addresses(NamedTuple):
    """Where a process takes messages: an offer of streams, the protocol, bare gRPC, and a raw socket."""

    streams: str
    protocol: str
    bare: str
    raw: int


def serve(said: Any, kept: bool, processors: Set[int]) -> None:
    """Take what comes by every transport, in a process of its own; say where, and end when told to.

    Parameters
    ----------
    said
        The end of a pipe.
    kept
        Whether freed memory is kept, as agents do.
    processors
        What it runs on; none: any.
    """
    if processors:  # before there are other threads, which begin where this one is
        os.sched_setaffinity(0, processors)
    if kept:
        keep_freed()

    def taken(arrival: Arrival) -> None:
        take(arrival.request, [SPEC], arrival.contents)
        arrival.release()

    def echoed(came: Opened, _: Any) -> Any:
        tensors = take(came.message, [SPEC], came.contents)
        answer = message("ModelInferResponse", model_name=MODEL, id=came.message.id)
        return answer, describe(answer, tensors)

    streams = StreamServer("127.0.0.1", taken, SIZE)
    protocol = Service({"ModelInfer": echoed}, "127.0.0.1:0", SIZE)
    bare, server = _bare_server({"Take": lambda _, __: ACK, "Echo": lambda raw, _: raw})
    raw = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_raw_server, args=(raw,), daemon=True).start()
    said.send(Addresses(str(streams.offer), protocol.address, bare, raw.getsockname()[1]))
    said.recv()
    server.stop(None)
    os._exit(0)


def _bare_server(calls: dict[str, Any]) -> tuple[str, Any]:
    """Start a gRPC server that neither parses nor checks what it gets, and return its address and it."""
    import grpc

    server = grpc.server(ThreadPoolExecutor(8), options=options(SIZE))
    handlers = {name: grpc.unary_unary_rpc_method_handler(call) for name, call in calls.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bare", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return f"127.0.0.1:{port}", server


def _raw_server(listener: socket.socket) -> None:
    """Receive into one place, and acknowledge."""
    link, _ = listener.accept()
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    place = memoryview(bytearray(SIZE))
    while True:
        got = 0
        while got < SIZE:
            part = link.recv_into(place[got:], SIZE - got, socket.MSG_WAITALL)
            if not part:
                return
            got += part
        link.sendall(ACK)


@contextmanager
def stock_server(command: str) -> Iterator[str]:
    """Start mlserver with an echo, and yield where it takes calls of the protocol.

    Raises
    ------
    QuestionError
        If it is not ready within 90 s; with what it said.
    """
    with TemporaryDirectory(prefix="tiercut-hops-") as folder:
        home = Path(folder)
        http, grpc, metrics = _free_ports(3)
        settings: dict[str, Any] = {"host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics}
        (home / "settings.json").write_text(json.dumps({**settings, "parallel_workers": 0}), encoding="utf-8")
        model = {"name": MODEL, "implementation": "echo.Echo"}
        (home / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
        (home / "echo.py").write_text(_ECHO, encoding="utf-8")
        alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        with (home / "said").open("wb") as said:
            process = subprocess.Popen([command, "start", str(home)], cwd=home, env=alone, stdout=said, stderr=said)
        try:
            address = f"127.0.0.1:{grpc}"
            _wait_until_ready(process, address, home / "said")
            yield address
        finally:
            process.terminate()
            process.wait(_END_S)


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [int(each.getsockname()[1]) for each in held]
    for each in held:
        each.close()
    return found


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, said: Path) -> None:
    import grpc

    until = time.monotonic() + _START_S
    with closing(Peer(address, SIZE)) as peer:
        while process.poll() is None and time.monotonic() < until:
            try:
                if peer.call("ModelReady", message("ModelReadyRequest", name=MODEL), 2.0).ready:
                    return
            except grpc.RpcError:
                time.sleep(0.25)
    raise QuestionError(f"mlserver was not ready: {said.read_text(encoding='utf-8', errors='replace')[-500:]}")
