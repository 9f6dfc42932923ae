"""Where the time of a hop goes, apart from its link."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tiercut.offloader.bundles.manifest import Bundle
from tiercut.offloader.local.timing import Hop
from tiercut.offloader.protocol.messages import message, methods
from tiercut.offloader.protocol.tensors import describe, put_parameters
from tiercut.offloader.protocol.wire import opened, serialised

__all__ = ["HopParts", "hop_parts"]

_RUNS, _PAUSE_S, _PORTION = 20, 0.01, 1 << 20


@dataclass(frozen=True, slots=True)
class HopParts:
    """What a message to a node takes without any link, in seconds.

    Parameters
    ----------
    to
        The node.
    size
        Bytes of the message.
    encode_s, decode_s
        Tensors to bytes, and back; through the codec, if there is one.
    serialise_s, deserialise_s
        The message to bytes, and back.
    wire_s
        The same bytes through a plain TCP connection of this machine: copies, and the receiver's wake-up.
    rest_s
        What is left of the time from one process to the other: gRPC's own threads and framing.
    queue_s
        Until a worker has it.
    """

    to: str
    size: int
    encode_s: float
    serialise_s: float
    wire_s: float
    rest_s: float
    deserialise_s: float
    decode_s: float
    queue_s: float

    @property
    def total_s(self) -> float:
        """All of it."""
        sending = self.serialise_s + self.wire_s + self.rest_s + self.deserialise_s
        return self.encode_s + sending + self.decode_s + self.queue_s


def hop_parts(
    bundles: Sequence[Bundle], hops: Mapping[int, Hop], encoded_bytes: Sequence[float]
) -> tuple[HopParts, ...]:
    """Return where the time of the hop to each stage goes; what was not timed between the processes is timed here.

    Parameters
    ----------
    bundles, hops
        The stages, and what was timed.
    encoded_bytes
        Bytes of what comes to each stage, where a codec encodes it.
    """
    return tuple(_parts(bundle, hops[bundle.stage], encoded_bytes[place]) for place, bundle in enumerate(bundles))


def _parts(bundle: Bundle, hop: Hop, encoded_bytes: float) -> HopParts:
    request = message("ModelInferRequest", model_name=bundle.model, id="0")
    if bundle.input_codec is None:
        contents = describe(request, {each.name: np.ones(each.shape, each.dtype) for each in bundle.inputs})
    else:
        contents = describe(request, {bundle.inputs[0].name: np.ones(round(encoded_bytes), np.uint8)})
    put_parameters(request, {"destination": "127.0.0.1:65535", "sent_ns": time.monotonic_ns()})
    raw, kind = serialised(request, contents), methods()["ModelInfer"].request
    serialise_s = _median(lambda: serialised(request, contents))
    deserialise_s = _median(lambda: opened(kind, raw))
    wire_s = _wire_s(raw)
    rest_s = max(hop.send - serialise_s - deserialise_s - wire_s, 0.0)
    return HopParts(
        bundle.node, len(raw), hop.encode, serialise_s, wire_s, rest_s, deserialise_s, hop.decode, hop.queue
    )


def _median(call: Callable[[], Any]) -> float:
    taken = []
    for _ in range(_RUNS):
        time.sleep(_PAUSE_S)
        begun = time.perf_counter_ns()
        call()
        taken.append(time.perf_counter_ns() - begun)
    return float(np.median(taken)) * 1e-9


def _wire_s(raw: bytes) -> float:
    """Return the seconds until bytes that are sent through a TCP connection have been read at its other end."""
    there: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = socket.create_connection(server.getsockname())
        receiver, _ = server.accept()
    sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with sender, receiver:
        reader = threading.Thread(target=_read, args=(receiver, len(raw), there), daemon=True)
        reader.start()
        begun = []
        for _ in range(_RUNS):
            time.sleep(_PAUSE_S)
            begun.append(time.monotonic_ns())
            sender.sendall(raw)
        reader.join(timeout=5.0)
    taken = [end - start for start, end in zip(begun, there, strict=False)]
    return float(np.median(taken)) * 1e-9 if taken else 0.0


def _read(receiver: socket.socket, size: int, there: list[int]) -> None:
    """Note when each of the payloads has come."""
    for _ in range(_RUNS):
        left = size
        while left:
            part = receiver.recv(min(left, _PORTION))
            if not part:
                return
            left -= len(part)
        there.append(time.monotonic_ns())
