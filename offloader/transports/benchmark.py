"""What a hop of 1 MiB takes by each transport, interleaved in one run.

``python -m tiercut.offloader.transports.benchmark [RUNS]`` prints a table, and one JSON object at the end. The receiver
is a process of its own. All lines of the table are measured in each run, in an order drawn anew (seed 0), so that what
else the machine does meets all of them; the ratios are those of medians.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import random
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np

from tiercut.offloader.bundles.manifest import TensorSpec
from tiercut.offloader.protocol.channels import Peer, options
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.service import Service
from tiercut.offloader.protocol.tensors import describe, put_parameters, take
from tiercut.offloader.protocol.wire import Opened
from tiercut.offloader.transports.offer import Offer
from tiercut.offloader.transports.server import Arrival, StreamServer
from tiercut.offloader.transports.stream import Failure, Stream

__all__ = ["main"]

SIZE = 1 << 20
SPEC = TensorSpec(name="x", dtype="float32", shape=[1, SIZE // 4])
WARM_UP = 20
ACK = b"\1" * 16
Call = Callable[[], None]


def serve(said: Any) -> None:
    """Take what comes by every transport, in a process of its own; say where."""

    def taken(arrival: Arrival) -> None:
        take(arrival.request, [SPEC], arrival.contents)
        arrival.release()

    def echoed(came: Opened, _: Any) -> Any:
        request, contents = came
        tensors = take(request, [SPEC], contents)
        answer = message("ModelInferResponse", model_name="m", id=request.id)
        return answer, describe(answer, tensors)

    streams = StreamServer("127.0.0.1", taken, SIZE)
    protocol = Service({"ModelInfer": echoed}, "127.0.0.1:0", SIZE)
    bare = bare_server({"Take": lambda _, __: ACK, "Echo": lambda raw, _: raw})
    raw = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=raw_server, args=(raw,), daemon=True).start()
    said.send((str(streams.offer), protocol.address, bare, raw.getsockname()[1]))
    said.recv()
    os._exit(0)


def bare_server(calls: dict[str, Any]) -> str:
    """Start a gRPC server that neither parses nor checks what it gets, and return its address."""
    from concurrent.futures import ThreadPoolExecutor

    import grpc

    server = grpc.server(ThreadPoolExecutor(8), options=options(SIZE))
    handlers = {name: grpc.unary_unary_rpc_method_handler(call) for name, call in calls.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bare", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    bare_server.kept = server  # type: ignore[attr-defined]
    return f"127.0.0.1:{port}"


def raw_server(listener: socket.socket) -> None:
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


def waited(send: Callable[[Callable[[Failure | None], None]], bool]) -> None:
    """Send, and wait until it is acknowledged."""
    there = threading.Lock()
    there.acquire()
    failed: list[Failure] = []

    def done(failure: Failure | None) -> None:
        if failure is not None:
            failed.append(failure)
        there.release()

    assert send(done)
    there.acquire()
    assert not failed, failed


def calls(stack: ExitStack, where: tuple[str, str, str, int]) -> dict[str, Call]:
    """Return what is timed, by name."""
    import grpc

    offer = Offer.among([where[0]])
    assert offer is not None
    payload = np.random.default_rng(0).random((1, SIZE // 4), np.float32)
    raw_bytes = payload.tobytes()
    head = message("ModelInferRequest", model_name="m", id="0")
    (content,) = describe(head, {"x": payload})
    put_parameters(head, {"destination": "127.0.0.1:65535", "left_ns": 1, "sent_ns": 1})
    text = head.SerializeToString()

    tcp, memory = (Stream("127.0.0.1", offer, kind, SIZE) for kind in ("tcp", "memory"))
    stack.callback(tcp.close)
    stack.callback(memory.close)

    def placed() -> None:
        found = None
        while found is None:  # its slots are free again once the last message has been dealt with
            found = memory.place([SIZE])
        waited(lambda done: memory.send_placed(found[0], text, [SIZE], 5.0, done))

    link = socket.create_connection(("127.0.0.1", where[3]))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stack.callback(link.close)
    back = memoryview(bytearray(len(ACK)))

    def sockets() -> None:
        link.sendall(raw_bytes)
        link.recv_into(back, len(ACK), socket.MSG_WAITALL)

    channel = stack.enter_context(grpc.insecure_channel(where[2], options=options(SIZE)))
    bare_take, bare_echo = channel.unary_unary("/bare/Take"), channel.unary_unary("/bare/Echo")
    own = Peer(where[1], SIZE)
    stack.callback(own.close)

    def protocol_echo() -> None:
        request = message("ModelInferRequest", model_name="m", id="0")
        contents = describe(request, {"x": payload})
        answer = own.infer(request, 5.0, contents)
        take(answer.message, [SPEC], answer.contents)

    return {
        "shared memory, written in place": placed,
        "shared memory, copied into it": lambda: waited(lambda done: memory.send(text, [content], 5.0, done)),
        "bare gRPC, acknowledged": lambda: bare_take(raw_bytes, timeout=5.0),
        "own stream over TCP": lambda: waited(lambda done: tcp.send(text, [content], 5.0, done)),
        "raw sockets": sockets,
        "the protocol over gRPC, echoed": protocol_echo,
        "bare gRPC, echoed": lambda: bare_echo(raw_bytes, timeout=5.0),
    }


def measured(timed: dict[str, Call], runs: int) -> dict[str, list[float]]:
    """Return the seconds of each call, in turn."""
    found: dict[str, list[float]] = {name: [] for name in timed}
    order = random.Random(0)
    for run in range(-WARM_UP, runs):
        for name in order.sample(sorted(timed), len(timed)):
            begun = time.perf_counter_ns()
            timed[name]()
            took = (time.perf_counter_ns() - begun) * 1e-9
            if run >= 0:
                found[name].append(took)
    return found


RATIOS = (
    ("shared memory, written in place", "bare gRPC, acknowledged", 0.2),
    ("own stream over TCP", "raw sockets", 1.3),
    ("the protocol over gRPC, echoed", "bare gRPC, echoed", 1.2),
)


def main() -> None:
    """Measure, print, and write."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=serve, args=(there,), daemon=True)
    server.start()
    with ExitStack() as stack:
        timed = calls(stack, here.recv())
        seconds = measured(timed, runs)
    here.send("done")
    server.join(5)
    medians = {name: float(np.median(each)) for name, each in seconds.items()}
    for name, each in seconds.items():
        print(f"{name:34} {1e3 * medians[name]:7.3f} ms   (10 %: {1e3 * float(np.quantile(each, 0.1)):.3f})")
    ratios = {f"{a} / {b}": medians[a] / medians[b] for a, b, _ in RATIOS}
    for (name, ratio), (_, _, aim) in zip(ratios.items(), RATIOS, strict=True):
        print(f"{name}: {ratio:.2f} (aim {aim})")
    result = {"runs": runs, "bytes": SIZE, "machine": f"{os.cpu_count()} cores, {platform.machine()}",
              "median_s": medians, "ratios": ratios}  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
