"""Hops of 1 MiB between two processes, timed one at a time."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Set
from contextlib import ExitStack
from typing import Any

import numpy as np

from tiercut.memory import keep_freed
from tiercut.offloader.protocol.channels import Peer, options
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.tensors import describe, put_parameters, take
from tiercut.offloader.transports.benchmark.servers import ACK, MODEL, SIZE, SPEC, Addresses
from tiercut.offloader.transports.offer import Offer
from tiercut.offloader.transports.stream import Failure, Stream

__all__ = ["call"]

_PATIENCE_S, _STOCK_PATIENCE_S = 5.0, 60.0

Timed = Callable[[], int]
"""Does it once, and returns the nanoseconds that it took."""


def call(said: Any, where: Addresses, kept: bool, stock: str | None, processors: Set[int]) -> None:
    """Do what is asked for by name, in a process of its own, and say what it took in nanoseconds, until told to end.

    What is asked for is done twice: who comes from something else finds nothing of its own in the caches, and that is
    the same for all.

    Parameters
    ----------
    said
        The end of a pipe.
    where
        The server.
    kept
        Whether freed memory is kept, as agents do.
    stock
        HOST:PORT of a stock server of the protocol.
    processors
        What it runs on; none: any.
    """
    if processors:  # before there are other threads, which begin where this one is
        os.sched_setaffinity(0, processors)
    if kept:
        keep_freed()
    with ExitStack() as stack:
        timed = _streams(stack, where) | _by_grpc(stack, where) | _bare(stack, where)
        if stock is not None:
            timed["mlserver, echoed"] = _echo(stack, stock, _STOCK_PATIENCE_S)
        said.send(sorted(timed))
        while name := said.recv():
            timed[name]()
            said.send(timed[name]())
    os._exit(0)


def _wall(act: Callable[[], object]) -> Timed:
    """Return what times a call from its begin to its return."""

    def timed() -> int:
        begun = time.perf_counter_ns()
        act()
        return time.perf_counter_ns() - begun

    return timed


def _acknowledged(send: Callable[[Callable[[Failure | None], None]], bool]) -> Timed:
    """Return what times a message until its sender is told what became of it, in the stream's own thread."""

    def timed() -> int:
        there = threading.Event()
        ended: list[tuple[int, Failure | None]] = []

        def done(failure: Failure | None) -> None:
            ended.append((time.perf_counter_ns(), failure))
            there.set()

        begun = time.perf_counter_ns()
        assert send(done)
        assert there.wait(_PATIENCE_S)
        assert ended[0][1] is None, ended
        return ended[0][0] - begun

    return timed


def _payload() -> Any:
    return np.random.default_rng(0).random((1, SIZE // 4), np.float32)


def _streams(stack: ExitStack, where: Addresses) -> dict[str, Timed]:
    offer = Offer.among([where.streams])
    assert offer is not None
    head = message("ModelInferRequest", model_name=MODEL, id="0")
    contents = describe(head, {"x": _payload()})
    put_parameters(head, {"destination": "127.0.0.1:65535", "left_ns": 1, "sent_ns": 1})
    text = head.SerializeToString()
    made: dict[str, Timed] = {}
    if "memory" in offer.kinds:
        memory = Stream("127.0.0.1", offer, "memory", SIZE)
        stack.callback(memory.close)

        def placed(done: Callable[[Failure | None], None]) -> bool:
            while (room := memory.room([SIZE])) is None:  # what a piece writes into
                pass  # its slots are free again once the last message has been dealt with
            return memory.send(text, room, _PATIENCE_S, done)

        made["shared memory, written in place"] = _acknowledged(placed)
        made["shared memory, copied into it"] = _acknowledged(
            lambda done: memory.send(text, contents, _PATIENCE_S, done)
        )
    tcp = Stream("127.0.0.1", offer, "tcp", SIZE)
    stack.callback(tcp.close)
    made["own stream over TCP"] = _acknowledged(lambda done: tcp.send(text, contents, _PATIENCE_S, done))
    return made


def _bare(stack: ExitStack, where: Addresses) -> dict[str, Timed]:
    import grpc

    raw = _payload().tobytes()
    link = socket.create_connection(("127.0.0.1", where.raw))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stack.callback(link.close)
    back = memoryview(bytearray(len(ACK)))

    def sockets() -> None:
        link.sendall(raw)
        link.recv_into(back, len(ACK), socket.MSG_WAITALL)

    channel = stack.enter_context(grpc.insecure_channel(where.bare, options=options(SIZE)))
    taken, echoed = channel.unary_unary("/bare/Take"), channel.unary_unary("/bare/Echo")
    return {
        "raw sockets": _wall(sockets),
        "bare gRPC, acknowledged": _wall(lambda: taken(raw, timeout=_PATIENCE_S)),
        "bare gRPC, echoed": _wall(lambda: echoed(raw, timeout=_PATIENCE_S)),
    }


def _by_grpc(stack: ExitStack, where: Addresses) -> dict[str, Timed]:
    return {"the protocol over gRPC, echoed": _echo(stack, where.protocol, _PATIENCE_S)}


def _echo(stack: ExitStack, address: str, patience_s: float) -> Timed:
    """Return what times an echo from an array to an array."""
    peer, payload = Peer(address, 8 * SIZE), _payload()
    stack.callback(peer.close)

    def echo() -> None:
        request = message("ModelInferRequest", model_name=MODEL, id="0")
        contents = describe(request, {"x": payload})
        answer = peer.infer(request, patience_s, contents)
        take(answer.message, [SPEC], answer.contents)

    return _wall(echo)
