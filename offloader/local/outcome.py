"""What becomes of frames, which of them are under way, and the ways that they are sent by."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from tiercut.errors import QuestionError
from tiercut.offloader.agent.agent import RESULTS, SERVER
from tiercut.offloader.agent.outlet import Outlet
from tiercut.offloader.bundles.manifest import Bundle, TensorSpec
from tiercut.offloader.protocol.channels import Peer
from tiercut.offloader.protocol.coding import coming
from tiercut.offloader.protocol.messages import ACCEPTED, message
from tiercut.offloader.protocol.tensors import put_parameters
from tiercut.offloader.transports.offer import Transport

__all__ = ["Entry", "Outcome", "UnderWay", "taken"]

_PATIENCE_S = 10.0


@dataclass(slots=True)
class Outcome:
    """What became of a frame.

    Parameters
    ----------
    due_ns
        When it was due, by `time.monotonic_ns`.
    ended_ns
        When its result came, or it failed; None until then.
    failure
        Why it failed; None where it was answered.
    exit
        The block where it left.
    results
        What was answered, by name.
    parameters
        What came with the result: timings among them.
    return_s, by
        How long the result was under way, and how it came.
    late_ns
        How much later than due it was sent.
    doubled
        How many more results came.
    fell_back
        Why it was answered from an exit at the source; None where the plan answered it.
    late
        How many results came after that one, or were held back in vain.
    asked
        Whether the first agent was asked for that answer.
    plan
        Number of the plan by which it was sent last; once it has ended, of the one that answered it.
    sent
        How often it was sent: more than once where a plan lost it.
    """

    due_ns: int
    ended_ns: int | None = None
    failure: str | None = None
    exit: int | None = None
    results: dict[str, NDArray[Any]] = field(default_factory=dict)
    parameters: dict[str, str | int | bool] = field(default_factory=dict)
    return_s: float | None = None
    by: Transport = "grpc"
    late_ns: int = 0
    doubled: int = 0
    fell_back: str | None = None
    late: int = 0
    asked: bool = False
    plan: str = ""
    sent: int = 0

    @property
    def answered(self) -> bool:
        """Whether its result came in time."""
        return self.ended_ns is not None and self.failure is None

    @property
    def latency_s(self) -> float:
        """From when it was due until it ended."""
        assert self.ended_ns is not None
        return (self.ended_ns - self.due_ns) / 1e9

    def count_again(self, parameters: Mapping[str, str | int | bool]) -> None:
        """Count a further result: answered twice by the plan, or late beside another answer."""
        if "failed" in parameters or not self.answered:
            return
        if self.fell_back is not None or "fell_back" in parameters or self.sent > 1:
            self.late += 1
        else:
            self.doubled += 1


class Entry:
    """A plan as its driver sees it: where frames go in, and what comes out.

    Parameters
    ----------
    number
        What agents call it (``model_version``); empty where they hold but one.
    bundles
        Of its partitions, in order.
    outlet
        The way to the first agent.
    """

    def __init__(self, number: str, bundles: tuple[Bundle, ...], outlet: Outlet) -> None:
        self.number, self.bundles, self.outlet = number, bundles, outlet
        self.first = bundles[0]
        self.coding = coming(self.first)
        self.wanted = _results_by_exit(bundles)

    @property
    def last_exit(self) -> int | None:
        """Where frames leave at the end; of a server that stands in there, which names none."""
        return self.bundles[-1].pieces[-1].exit

    @property
    def peer(self) -> Peer:
        """The first agent."""
        return self.outlet.peer

    def check(self) -> None:
        """Make sure that the first agent is one, and serves the first partition of a plan.

        Raises
        ------
        QuestionError
            If it does not answer, or serves something else.
        """
        import grpc

        peer, first = self.peer, self.first
        asked = message("ModelMetadataRequest", name=first.model)
        try:
            server = peer.call("ServerMetadata", message("ServerMetadataRequest"), _PATIENCE_S)
            model = peer.call("ModelMetadata", asked, _PATIENCE_S)
        except grpc.RpcError as error:
            why: Any = error
            raise QuestionError(f"{peer.address} does not answer as an agent: {why.details()}"[:300]) from None
        parts = (model.inputs, first.inputs), (model.outputs, first.outputs)
        same = all(
            [(a.name, list(a.shape)) for a in there] == [(b.name, b.shape) for b in here] for there, here in parts
        )
        if server.name != SERVER or not same:
            raise QuestionError(
                f"{peer.address} serves something else than blocks {first.blocks[0]} to "
                f"{first.blocks[1]} of {first.model}; start it with the first bundle of this plan"
            )


class UnderWay:
    """What was sent and has no answer; what is past its deadline is forgotten. Times are of `time.monotonic_ns`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frames: dict[str, tuple[str, int, int]] = {}
        self._answered_ns: dict[str, int] = {}

    def begin(self, frame: str, number: str, now_ns: int, until_ns: int) -> None:
        """Take it that a frame goes by a plan from now on, and has a deadline."""
        with self._lock:
            self._frames[frame] = number, now_ns, until_ns

    def end(self, frame: str, now_ns: int, by: str | None = None) -> None:
        """Take it that a frame is lost, or answered by a plan, which may be another one than it went by last."""
        with self._lock:
            self._frames.pop(frame, None)
            if by is not None:
                self._answered_ns[by] = now_ns

    def count(self, number: str, now_ns: int) -> int:
        """Return how many frames go by a plan."""
        with self._lock:
            self._forget(now_ns)
            return sum(each == number for each, _, _ in self._frames.values())

    def since(self, now_ns: int) -> dict[str, int]:
        """Return, of each plan that frames go by, when its oldest one was sent, or an answer came after that."""
        found: dict[str, int] = {}
        with self._lock:
            self._forget(now_ns)
            for number, since_ns, _ in self._frames.values():
                found[number] = min(since_ns, found.get(number, since_ns))
            return {number: max(since_ns, self._answered_ns.get(number, 0)) for number, since_ns in found.items()}

    def _forget(self, now_ns: int) -> None:
        for frame in [name for name, (_, _, until_ns) in self._frames.items() if until_ns < now_ns]:
            del self._frames[frame]


def taken(frame: str) -> Any:
    """Return the acknowledgement of a result."""
    answer = message("ModelInferResponse", model_name=RESULTS, id=frame)
    put_parameters(answer, {ACCEPTED: True})
    return answer


def _results_by_exit(bundles: tuple[Bundle, ...]) -> dict[int | None, list[TensorSpec]]:
    """Return what is answered at each exit, by its block."""
    found: dict[int | None, list[TensorSpec]] = {}
    for bundle in bundles:
        for piece in bundle.pieces:
            if piece.exit is not None and piece.scores is not None:
                found[piece.exit] = [each for each in piece.outputs if each.name == piece.scores]
    last = bundles[-1]
    found.setdefault(last.pieces[-1].exit, last.outputs)
    return found
