"""A server of the protocol that is no agent, in place of the last one: what it answers is passed on."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import numpy as np

from tiercut.errors import QuestionError
from tiercut.offloader.agent.job import Job
from tiercut.offloader.agent.timings import STEPS, came_by, named, of_piece
from tiercut.offloader.bundles.manifest import Bundle
from tiercut.offloader.protocol.channels import Peer, address_of
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.tensors import put_parameters
from tiercut.offloader.protocol.wire import Opened
from tiercut.offloader.transports.framing import Bytes
from tiercut.offloader.transports.offer import TRANSPORTS

__all__ = ["SlowedServer", "as_result", "as_stage", "check_stand_in"]

_PATIENCE_S = 10.0


def check_stand_in(address: str | None, bundles: Sequence[Bundle], *, explains: bool) -> None:
    """Make sure that a server can stand in for the last agent of a plan, and has its model; None: there is none.

    Parameters
    ----------
    address
        HOST:PORT.
    bundles
        Those of the plan, in order.
    explains
        Whether it is to be told where the time of a hop goes.

    Raises
    ------
    QuestionError
        If nothing hands on to it, it would have to take exits or know a codec, times of it are asked for that only an
        agent tells, or it does not answer.
    """
    if address is None:
        return
    last = bundles[-1]
    if len(bundles) == 1:
        raise QuestionError("the plan has one partition: there is no agent that hands on to another server")
    if len(last.pieces) > 1:
        raise QuestionError(
            f"the partition on '{last.node}' is left after block {last.pieces[0].blocks[1]} too: a server that is no "
            "agent takes no exits"
        )
    if last.input_codec is not None:
        raise QuestionError(f"what comes to '{last.node}' is encoded ({last.input_codec}), which only agents decode")
    if explains:
        raise QuestionError(f"--explain-hop needs an agent on '{last.node}': another server tells no times")
    import grpc

    asked = message("ModelReadyRequest", name=last.model)
    with closing(Peer(address_of(address, what="--agent"), last.most_bytes)) as peer:
        try:
            ready = bool(peer.call("ModelReady", asked, _PATIENCE_S).ready)
        except grpc.RpcError as error:
            why: Any = error
            raise QuestionError(f"{address} does not answer: {why.details()}"[:300]) from None
    if not ready:
        raise QuestionError(f"{address} does not serve the model '{last.model}'")


class SlowedServer:
    """A machine that takes one call after the other, as a server stands for it that is quicker and may take several.

    Parameters
    ----------
    factor
        So many times as long as the server it takes; 1: it is the server's own.
    """

    def __init__(self, factor: float) -> None:
        self._factor, self._free_ns, self._lock = factor, 0, threading.Lock()

    def taken(self, called_ns: int, answered_ns: int) -> tuple[int, int]:
        """Return for how many nanoseconds a call would wait for the machine, and be worked on.

        Parameters
        ----------
        called_ns, answered_ns
            When the server was called, and when it answered, by `time.monotonic_ns`.
        """
        took_ns = round(self._factor * (answered_ns - called_ns))
        if self._factor <= 1:
            return 0, took_ns
        with self._lock:
            begun_ns = max(called_ns, self._free_ns)
            self._free_ns = begun_ns + took_ns
        return begun_ns - called_ns, took_ns


def as_result(answer: Opened, job: Job, request: Any) -> tuple[Any, Sequence[Bytes]]:
    """Return the result of a frame, and the bytes of its tensors, as a server of the last partition answered it.

    Parameters
    ----------
    answer
        What it answered.
    job
        The frame, at the partition before.
    request
        The message that becomes the result.

    Raises
    ------
    QuestionError
        If other partitions follow, or there are no raw tensors in the answer.
    """
    outputs, bundle = answer.message.outputs, job.version.bundle
    if bundle.stage + 1 != bundle.stages:
        raise QuestionError("the next server is no agent, and can stand in for the last partition alone")
    if not outputs or len(outputs) != len(answer.contents):
        raise QuestionError("the next server is no agent, and answered without raw tensors")
    for each in outputs:
        request.inputs.add(name=each.name, datatype=each.datatype, shape=each.shape)
    put_parameters(request, {"warm_up": True} if job.warms_up else {})
    return request, [np.frombuffer(each, np.uint8) for each in answer.contents]


def as_stage(job: Job, send_ns: int, waited_ns: int, took_ns: int) -> dict[str, int]:
    """Return the times of the stage that follows, whose server tells none: its link, and the call as a whole.

    Parameters
    ----------
    job
        The frame, at the partition before.
    send_ns, waited_ns, took_ns
        From when it was sent until the call began, and then until its answer, see `SlowedServer.taken`.
    """
    stage = job.version.bundle.stage + 1
    found = {named(stage, step): 0 for step in STEPS} | {came_by(stage): TRANSPORTS.index("grpc")}
    found |= {named(stage, "send"): send_ns, named(stage, "queue"): waited_ns, named(stage, "compute"): took_ns}
    return found | ({of_piece(stage, 0): took_ns} if job.warms_up else {})
