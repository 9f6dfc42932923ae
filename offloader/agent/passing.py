"""What a server that is no agent answers itself, made a result that goes to the destination of the frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tiercut.errors import QuestionError
from tiercut.offloader.agent.timings import STEPS, came_by, named, of_piece
from tiercut.offloader.bundles.manifest import Bundle
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.wire import Opened
from tiercut.offloader.transports.framing import Bytes
from tiercut.offloader.transports.offer import TRANSPORTS

__all__ = ["as_result", "as_stage"]


def as_result(answer: Opened, bundle: Bundle, model: str, frame: str) -> tuple[Any, Sequence[Bytes]]:
    """Return the result of a frame, and the bytes of its tensors, as a server of the last partition answered it.

    Parameters
    ----------
    answer
        What it answered.
    bundle
        The partition before.
    model, frame
        What results are sent to, and the name of the frame.

    Raises
    ------
    QuestionError
        If other partitions follow, or there are no raw tensors in the answer.
    """
    outputs = answer.message.outputs
    if bundle.stage + 1 != bundle.stages:
        raise QuestionError("the next server is no agent, and can stand in for the last partition alone")
    if not outputs or len(outputs) != len(answer.contents):
        raise QuestionError("the next server is no agent, and answered without raw tensors")
    request = message("ModelInferRequest", model_name=model, id=frame)
    for each in outputs:
        request.inputs.add(name=each.name, datatype=each.datatype, shape=each.shape)
    return request, [np.frombuffer(each, np.uint8) for each in answer.contents]


def as_stage(stage: int, send_ns: int, took_ns: int, *, warms_up: bool) -> dict[str, int]:
    """Return the times of a stage whose server tells none: its link, and the call as a whole.

    Parameters
    ----------
    stage
        Its number, from 1.
    send_ns, took_ns
        From when the frame was sent until the call began, and from there until its answer.
    warms_up
        Whether it only says what a frame will find on its way.
    """
    found = {named(stage, step): 0 for step in STEPS} | {came_by(stage): TRANSPORTS.index("grpc")}
    found |= {named(stage, "send"): send_ns, named(stage, "compute"): took_ns}
    return found | ({of_piece(stage, 0): took_ns} if warms_up else {})
