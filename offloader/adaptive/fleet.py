"""Agents of a whole network, and the plans that are ready on them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from tiercut.errors import QuestionError
from tiercut.offloader.agent.waits import ASKS
from tiercut.offloader.bundles.manifest import Bundle, load_bundle
from tiercut.offloader.bundles.split import write_bundle
from tiercut.offloader.bundles.whole import range_of
from tiercut.offloader.links.path import NO_LINKS, Way
from tiercut.offloader.protocol.channels import Peer
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.tensors import put_parameters, take_parameters
from tiercut.offloader.protocol.tls import Tls
from tiercut.optimizer import Plan
from tiercut.profiling import CutNetwork

__all__ = ["Fleet", "Ready", "Ways", "same_plan"]

_LOAD_S, _UNLOAD_S = 30.0, 2.0


@dataclass(frozen=True, slots=True)
class Ways:
    """The links that a plan uses, where they are shaped.

    Parameters
    ----------
    entry
        From the source to the first node.
    onward, home
        From each partition to the next, and to the destination; none where a list is shorter.
    """

    entry: Way = NO_LINKS
    onward: tuple[Way, ...] = ()
    home: tuple[Way, ...] = ()


@dataclass(frozen=True, slots=True)
class Ready:
    """A plan that agents are ready to run.

    Parameters
    ----------
    number
        What agents call it.
    plan, bundles
        The plan, and what its partitions take and make.
    address, way
        Of the first agent, and the links to there.
    ranges
        What each agent was told, as JSON.
    """

    number: str
    plan: Plan
    bundles: tuple[Bundle, ...]
    address: str
    way: Way
    ranges: tuple[str, ...] = field(repr=False)


def same_plan(one: Plan, other: Plan) -> bool:
    """Return whether two plans do the same, whatever they were priced at."""
    return all(
        getattr(one, name) == getattr(other, name)
        for name in ("partition", "placement", "exits", "threshold", "thresholds", "codecs", "input_codec")
    )


class Fleet:
    """Agents of a whole network by the names of their nodes.

    Parameters
    ----------
    addresses
        HOST:PORT of each.
    cut
        The network.
    ways
        Gives the links that a plan uses.
    most_bytes
        Bytes of the tensors of a message, at most.
    tls
        What channels are encrypted with.
    """

    def __init__(
        self,
        addresses: Mapping[str, str],
        cut: CutNetwork,
        most_bytes: int,
        *,
        ways: Callable[[Plan], Ways] = lambda _: Ways(),
        tls: Tls | None = None,
    ) -> None:
        self.addresses, self._cut, self._ways = dict(addresses), cut, ways
        self._peers = {node: Peer(address, most_bytes, tls) for node, address in addresses.items()}
        # Questions have channels of their own: one that is not answered in time ends all calls on its channel.
        self._asked = {node: Peer(address, most_bytes, tls) for node, address in addresses.items()}
        self._lock = threading.Lock()
        self._count = 0
        self._loading: dict[str, Ready] = {}
        self.ready: dict[str, Ready] = {}
        self.known: dict[str, Ready] = {}  # with those that agents have forgotten

    def find(self, plan: Plan) -> Ready | None:
        """Return a plan that is ready; None if it is not."""
        return next((each for each in list(self.ready.values()) if same_plan(each.plan, plan)), None)

    def load(self, plan: Plan, *, told: Callable[[Ready], object] = lambda _: None) -> Ready:
        """Make a plan ready on its agents, unless it is, and return what is needed to send frames by it.

        Several may be loaded at once: an agent that does not answer holds up only those that it is to run.

        Parameters
        ----------
        plan
            Which.
        told
            Called once agents have it, before anybody else can find it.

        Raises
        ------
        QuestionError
            If there is no agent on a node, or one refuses.
        """
        with self._lock:
            if (found := self.find(plan)) is not None:
                return found
            if missing := [node for node in plan.placement if node not in self.addresses]:
                raise QuestionError(f"there is no agent on '{missing[0]}', which the plan '{plan}' uses")
            self._count += 1
            number = str(self._count)
        ready = self._loading[number] = self._described(plan, number)
        try:
            for place in reversed(range(len(plan.partition))):  # the last first: nobody hands on to nothing
                self._tell(ready, place)
        except QuestionError:
            self._loading.pop(number, None)
            self._forget(ready, plan.placement[place + 1 :])
            raise
        with self._lock:
            del self._loading[number]
            if (found := self.find(plan)) is None:
                told(ready)
                self.ready[number] = self.known[number] = ready
                return ready
        self._forget(ready, plan.placement)  # somebody else loaded it meanwhile
        return found

    def load_again(self, node: str) -> None:
        """Make all plans ready on an agent that was started anew, also those that are being loaded.

        Raises
        ------
        QuestionError
            If it refuses, or does not answer.
        """
        with self._lock:
            known = [*self.ready.values(), *self._loading.values()]
        for ready in known:
            if node in ready.plan.placement:
                self._tell(ready, ready.plan.placement.index(node))

    def unload(self, number: str) -> None:
        """Let agents forget a plan, of which no frame may be under way."""
        self.forget(self.retire(number))

    def retire(self, number: str) -> Ready:
        """Let nobody find a plan any more, and return it; its agents hold it until `forget`."""
        with self._lock:
            return self.ready.pop(number)

    def forget(self, ready: Ready) -> None:
        """Let agents forget a plan that is retired; those that do not answer in time are not waited for."""
        self._forget(ready, ready.plan.placement)

    def _forget(self, ready: Ready, nodes: Sequence[str]) -> None:
        import grpc

        gone = grpc.RpcError, ValueError  # an agent that is gone has forgotten it
        for node in nodes:
            request = message("RepositoryModelUnloadRequest", model_name=ready.bundles[0].model)
            request.parameters["version"].string_param = ready.number
            with suppress(*gone):
                self._peers[node].call("RepositoryModelUnload", request, _UNLOAD_S)

    def is_up(self, node: str, patience_s: float) -> bool:
        """Return whether the agent of a node answers within some seconds."""
        import grpc

        try:
            return bool(self._asked[node].call("ServerReady", message("ServerReadyRequest"), patience_s).ready)
        except (grpc.RpcError, ValueError):
            return False

    def waits(self, node: str, number: str, destination: str, patience_s: float) -> dict[str, int] | None:
        """Return what of a plan waits at the agent of a node; None if it does not answer within some seconds.

        See `tiercut.offloader.agent.waits.what_waits`; `destination` is where results go.
        """
        import grpc

        ready = self.known[number]
        request = message("ModelInferRequest", model_name=ready.bundles[0].model, model_version=number)
        put_parameters(request, {ASKS: True, "destination": destination})
        try:
            answer = self._asked[node].call("ModelInfer", request, patience_s)
        except ValueError:
            return None
        except grpc.RpcError as error:
            why: Any = error
            return None if why.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED) else {}
        return {name: value for name, value in take_parameters(answer).items() if isinstance(value, int)}

    def _described(self, plan: Plan, number: str) -> Ready:
        ways = self._ways(plan)
        count = len(plan.partition)
        with TemporaryDirectory(prefix="tiercut-plan-") as folder:
            parts = [Path(folder) / str(place) for place in range(count)]
            for place, part in enumerate(parts):
                write_bundle(plan, self._cut, place, part)
            bundles = tuple(load_bundle(part) for part in parts)
        ranges = [
            range_of(
                plan,
                place,
                self.addresses[plan.placement[place + 1]] if place + 1 < count else None,
                _data(ways.onward, place),
                _data(ways.home, place),
            ).model_dump_json()
            for place in range(count)
        ]
        return Ready(number, plan, bundles, self.addresses[plan.placement[0]], ways.entry, tuple(ranges))

    def _tell(self, ready: Ready, place: int) -> None:
        import grpc

        node = ready.plan.placement[place]
        request = message("RepositoryModelLoadRequest", model_name=ready.bundles[0].model)
        request.parameters["version"].string_param = ready.number
        request.parameters["config"].string_param = ready.ranges[place]
        try:
            self._peers[node].call("RepositoryModelLoad", request, _LOAD_S)
        except grpc.RpcError as error:
            why: Any = error
            raise QuestionError(f"the agent of '{node}' does not take a plan: {why.details()}"[:400]) from None
        except ValueError:
            raise QuestionError(f"the channel to the agent of '{node}' is closed") from None

    def close(self) -> None:
        """Close the channels."""
        for peer in (*self._peers.values(), *self._asked.values()):
            peer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _data(ways: tuple[Way, ...], place: int) -> dict[str, Any] | None:
    return ways[place].to_data() if place < len(ways) else None
