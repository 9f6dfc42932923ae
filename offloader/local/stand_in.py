"""A server of the protocol that is no agent and runs already, in place of the last one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from tiercut.errors import QuestionError
from tiercut.offloader.bundles.manifest import Bundle
from tiercut.offloader.protocol.channels import Peer, address_of
from tiercut.offloader.protocol.messages import message

__all__ = ["check_stand_in"]

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
