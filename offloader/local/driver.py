"""The source and the destination of a stream: frames are sent when they are due, and what becomes of each is kept.

Load is open loop: a frame is due at its time whether earlier ones have been answered or not, and its latency counts
from then, so that a stall is seen in every frame that it held up. Every frame is answered, or failed at its deadline.
"""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import inf
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import QuestionError
from tiercut.offloader.agent.agent import RESULTS
from tiercut.offloader.agent.emulation import AS_IT_IS, Emulation, slowing
from tiercut.offloader.agent.outlet import Full, Outlet
from tiercut.offloader.agent.timings import named
from tiercut.offloader.bundles.manifest import Bundle
from tiercut.offloader.links.clock import LinkClock
from tiercut.offloader.links.path import NO_LINKS, Way
from tiercut.offloader.links.waiting import sleep_until
from tiercut.offloader.local.outcome import Entry, Outcome, UnderWay, taken
from tiercut.offloader.local.timing import Round, Rounds
from tiercut.offloader.protocol.channels import Peer, address_of
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.service import Refused, Service
from tiercut.offloader.protocol.tensors import put_parameters, take, take_parameters
from tiercut.offloader.protocol.tls import Tls, only_grpc
from tiercut.offloader.transports.framing import Bytes
from tiercut.offloader.transports.offer import Wanted
from tiercut.offloader.transports.server import Arrival, StreamServer

__all__ = ["Driver", "Outcome"]

_THERE = "ALREADY_EXISTS"
_SETTLE_S, _WARM_UP_S, _LOOKS_S = 0.02, 10.0, 0.05


class Driver:
    """Sends frames to the first agent, and takes results.

    Parameters
    ----------
    bundles
        Those of the plan that it begins with, in order.
    address
        Of the agent of the first.
    way, clock
        The links from the source to it.
    deadline_s
        After which a frame has failed, from when it is due.
    listen
        HOST:PORT where results are taken; agents must reach it by that name.
    stands_for
        How much slower the source is than this machine, where it encodes the input by a codec.
    fallback_s
        So long before its deadline a frame without a result is answered from the last exit at the source; 0: never.
    transport
        How frames and results may travel; by gRPC where an agent does not take that.
    tls
        What all channels are encrypted with; frames then travel by gRPC.
    number
        What agents call that plan, where they hold several.
    most_bytes
        Bytes of the tensors of a message at most, under all plans; None: under that one.
    """

    def __init__(
        self,
        bundles: tuple[Bundle, ...],
        address: str,
        *,
        deadline_s: float,
        listen: str = "127.0.0.1:0",
        way: Way = NO_LINKS,
        clock: LinkClock | None = None,
        stands_for: Emulation = AS_IT_IS,
        fallback_s: float = 0.0,
        transport: Wanted = "auto",
        tls: Tls | None = None,
        number: str = "",
        most_bytes: int | None = None,
    ) -> None:
        transport = only_grpc(transport, tls)
        self._slow, self._means, self._tls, self._clock = slowing(stands_for, clock), transport, tls, clock
        self._fallback_ns = round(fallback_s * 1e9)
        self._deadline_ns = round(deadline_s * 1e9)
        self._most = most = most_bytes or max(each.most_bytes for each in bundles)
        self._frames: dict[str, Outcome] = {}
        self._kept: dict[str, Mapping[str, NDArray[Any]]] = {}
        self._ended = threading.Condition()
        self._token = secrets.token_hex(4)
        self._rounds = Rounds(self._token)
        here = address_of(listen, what="--results")
        self._streams = StreamServer(here.rpartition(":")[0], self._streamed, most, transport)
        self._service = Service(
            {
                "ModelInfer": lambda came, _: self._take(Arrival(*came)),
                "ServerMetadata": lambda _, __: message("ServerMetadataResponse", extensions=self._streams.extensions),
                "ServerLive": lambda _, __: message("ServerLiveResponse", live=True),
                "ServerReady": lambda _, __: message("ServerReadyResponse", ready=True),
            },
            here,
            most,
            tls=tls,
        )
        self._outlets: dict[tuple[str, Way], Outlet] = {}
        self._entries: dict[str, Entry] = {}
        self.waiting = UnderWay()
        self._entry = self.add(number, bundles, address, way)
        self.strays = 0  # results of frames that were never sent
        # Asked, with the plan and the reason, when one loses a frame: whether the frame is to be sent again.
        self.rescue: Callable[[str, str], bool] | None = None
        self.on_end: Callable[[Outcome], None] = lambda _: None  # called with every frame that was answered

    def add(self, number: str, bundles: tuple[Bundle, ...], address: str, way: Way = NO_LINKS) -> Entry:
        """Return a further plan that frames can be sent by.

        Parameters
        ----------
        number
            What agents call it.
        bundles
            Of its partitions, in order.
        address, way
            Its first agent, and the links to there.
        """
        if (address, way) not in self._outlets:
            peer, size = Peer(address, self._most, self._tls), None if number else bundles[0].input_bytes
            self._outlets[address, way] = Outlet(peer, way, self._clock, most=4096, transport=self._means, carries=size)
        entry = self._entries[number] = Entry(number, bundles, self._outlets[address, way])
        return entry

    def use(self, number: str) -> None:
        """Send frames by another plan from now on; those that are under way go on by theirs."""
        self._entry = self._entries[number]

    def under_way(self, number: str) -> int:
        """Return how many frames that were sent by a plan have not ended, and are not past their deadline."""
        return self.waiting.count(number, time.monotonic_ns())

    def entry_of(self, number: str) -> Entry:
        """Return a plan that frames can be sent by."""
        return self._entries[number]

    @property
    def address(self) -> str:
        """Where results go."""
        return self._service.address

    @property
    def deadline_s(self) -> float:
        """After which a frame has failed, from when it is due."""
        return self._deadline_ns / 1e9

    @property
    def sent(self) -> int:
        """How many frames were sent."""
        return len(self._frames)

    def send(self, frame: str, tensors: Mapping[str, NDArray[Any]], due_ns: int, *, by: Entry | None = None) -> None:
        """Send a frame now, that was due at a time; by a plan that it names, it is not sent again where it is lost."""
        outcome = Outcome(due_ns)
        with self._ended:  # those who watch it look by themselves: waking them now would hold up what is sent
            self._frames[frame] = outcome
            if self.rescue is not None and by is None:
                self._kept[frame] = tensors
        outcome.late_ns = time.monotonic_ns() - due_ns
        self._send(frame, outcome, tensors, by or self._entry)

    def _send(self, frame: str, outcome: Outcome, tensors: Mapping[str, NDArray[Any]], entry: Entry) -> None:
        begun_ns, until_ns = time.monotonic_ns(), outcome.due_ns + self._deadline_ns
        with self._ended:
            if outcome.ended_ns is not None:  # its answer came just now
                return
            outcome.plan, outcome.sent = entry.number, outcome.sent + 1
            self.waiting.begin(frame, entry.number, begun_ns, until_ns)
        request = self._request(entry, frame)
        try:
            contents = self._described(entry, request, tensors)
        except QuestionError as error:
            self._fail(frame, str(error))
            return
        put_parameters(request, {"destination": self.address})
        if self._fallback_ns:
            put_parameters(request, {"fallback_ns": self._fallback_ns})
        timings = {named(0, "encode"): time.monotonic_ns() - begun_ns}
        try:
            entry.outlet.put(request, contents, until_ns, partial(self._lost, frame, entry.number), timings)
        except Full:
            self._lost(frame, entry.number, "too many frames wait at the source")

    def _lost(self, frame: str, number: str, reason: str) -> None:
        """Send a frame that a plan lost again, if it is to be rescued, or let it fail."""
        with self._ended:
            outcome = self._frames[frame]
            again = outcome.sent > 1 and _THERE in reason  # it came back to a plan that has it already
            if outcome.ended_ns is not None or outcome.plan != number or again:
                return
            if (tensors := self._kept.get(frame)) is not None:
                outcome.plan = ""  # and nobody else takes it for lost
        if tensors is not None and self.rescue is not None and self.rescue(number, reason):
            self._send(frame, outcome, tensors, self._entry)
        else:
            self._fail(frame, reason)

    def send_again(self, number: str, reason: str) -> None:
        """Take all frames that are under way by a plan for lost, but those that are sent once only."""
        with self._ended:
            frames = {name: self._frames[name] for name in self._kept}
            lost = [name for name, each in frames.items() if each.ended_ns is None and each.plan == number]
        for frame in lost:
            self._lost(frame, number, reason)

    @staticmethod
    def _request(entry: Entry, frame: str) -> Any:
        return message("ModelInferRequest", model_name=entry.first.model, model_version=entry.number, id=frame)

    def _described(self, entry: Entry, request: Any, tensors: Mapping[str, NDArray[Any]]) -> list[Bytes]:
        """Describe a frame, through its codec if there is one, as on a slower machine; return its bytes."""
        begun_ns = time.perf_counter_ns()
        contents = entry.coding.describe(request, tensors)
        if entry.coding.codec is not None:
            self._slow(time.perf_counter_ns() - begun_ns)
        return contents

    @property
    def entry(self) -> Entry:
        """The plan that frames are sent by."""
        return self._entry

    def warm_up(
        self,
        tensors: Mapping[str, NDArray[Any]],
        leaving: Sequence[int],
        interval_s: float,
        *,
        patience_s: float = _WARM_UP_S,
        until_s: float = math.inf,
    ) -> list[Round]:
        """Send messages through the agents, past all links, and return what came of each.

        Parameters
        ----------
        tensors
            Those of a frame.
        leaving
            The exit where each of them leaves, by its block.
        interval_s
            How far apart they begin; each waits for the one before.
        patience_s
            After which one that has not come home is lost.
        until_s
            After so many seconds no further one begins, once every exit had its turn.

        Raises
        ------
        QuestionError
            If one is lost.
        """
        send = partial(self._send_round, tensors, patience_s)
        return self._rounds.one_by_one(send, leaving, interval_s, patience_s, until_s)

    def rehearse(
        self,
        frame_of: Callable[[int], Mapping[str, NDArray[Any]]],
        leaving: Sequence[int],
        interval_s: float,
        *,
        patience_s: float,
        until_s: float = inf,
    ) -> list[Round]:
        """Send messages as frames are sent, over the links and whether earlier ones are home or not.

        Return what came of those that came home in time, as far as there was room for them; what they waited for each
        other is part of their hops. Parameters are those of `run` and `warm_up`.
        """
        messages = ((frame_of(number), block) for number, block in enumerate(leaving))
        return self._rounds.as_stream(
            lambda tensors, block, due_ns: self._send_round(tensors, patience_s, block, due_ns, by_links=True),
            messages,
            interval_s,
            patience_s,
            until_s,
        )

    def _send_round(
        self, tensors: Mapping[str, NDArray[Any]], patience_s: float, block: int, due_ns: int, *, by_links: bool = False
    ) -> str:
        entry, begun_ns = self._entry, time.monotonic_ns()
        frame = self._rounds.begin(due_ns, entry.bundles)
        request = self._request(entry, frame)
        contents = self._described(entry, request, tensors)
        put_parameters(request, {"destination": self.address, "warm_up": True, "leave": block, "by_links": by_links})
        timings = {named(0, "encode"): time.monotonic_ns() - begun_ns}
        until_ns = begun_ns + round(patience_s * 1e9)
        try:
            entry.outlet.put(
                request, contents, until_ns, partial(self._round_lost, frame, by_links), timings, direct=not by_links
            )
        except Full:
            self._rounds.lost(frame)
        return frame

    def _round_lost(self, frame: str, by_links: bool, _: str) -> None:
        if by_links:  # of others the result may still come, which is waited for
            self._rounds.lost(frame)

    def wait_for(self, deadline_s: float, fallback_s: float = 0.0) -> None:
        """Let frames that are sent from now on have so many seconds, the last of them to fall back in."""
        self._deadline_ns, self._fallback_ns = round(deadline_s * 1e9), round(fallback_s * 1e9)

    def run(
        self,
        frame_of: Callable[[int], Mapping[str, NDArray[Any]]],
        count: int,
        interval_s: float,
        *,
        sent: Callable[[float, float], None] = lambda *_: None,
        begins: Callable[[int], None] = lambda _: None,
        prefix: str = "",
        first_ns: int | None = None,
    ) -> list[Outcome]:
        """Send so many frames, one every `interval_s` seconds, and return what became of each.

        Parameters
        ----------
        frame_of
            Gives the tensors of a frame by its number.
        count, interval_s
            How many, and how far apart.
        sent
            Called with the number of frames sent so far, and of all.
        begins
            Called with when the first one is due, by `time.monotonic_ns`, before that.
        prefix
            Begins the names of the frames, which are new to the agents: no other driver has their beginning.
        first_ns
            When the first one is due, by `time.monotonic_ns`; None: soon.
        """
        prefix = f"{self._token} {prefix}"
        begun_ns = time.monotonic_ns() + round(_SETTLE_S * 1e9) if first_ns is None else first_ns
        begins(begun_ns)
        due_ns = {f"{prefix}{number}": begun_ns + round(number * interval_s * 1e9) for number in range(count)}
        watchers = [
            threading.Thread(target=self._watch, args=(due_ns, *each), daemon=True)
            for each in ((self._fallback_ns, self._is_late), (0, self._is_over))
        ]
        for watcher in watchers:
            watcher.start()
        for number, (frame, moment_ns) in enumerate(due_ns.items()):
            tensors = frame_of(number)
            sleep_until(moment_ns)
            self.send(frame, tensors, moment_ns)
            sent(number + 1, count)
        for watcher in watchers:
            watcher.join()
        return [self._frames[frame] for frame in due_ns]

    def _watch(self, due_ns: Mapping[str, int], before_ns: int, act: Callable[[str], None]) -> None:
        """Do something about every frame that has not ended so long before its deadline."""
        for frame, moment_ns in due_ns.items():
            until_ns = moment_ns + self._deadline_ns - before_ns
            with self._ended:
                while not self._has_ended(frame) and (left := until_ns - time.monotonic_ns()) > 0:
                    self._ended.wait(left / 1e9)
                while frame not in self._frames:  # its source is late
                    self._ended.wait(_LOOKS_S)
            act(frame)

    def _has_ended(self, frame: str) -> bool:
        outcome = self._frames.get(frame)
        return outcome is not None and outcome.ended_ns is not None

    def _is_late(self, frame: str) -> None:
        self._fall_back(frame, "no answer in time", lambda: None)

    def _is_over(self, frame: str) -> None:
        self._fail(frame, "no answer before its deadline")

    def _fail(self, frame: str, reason: str) -> None:
        with self._ended:
            outcome = self._frames[frame]
            if outcome.ended_ns is None:
                outcome.ended_ns, outcome.failure = time.monotonic_ns(), reason
                self.waiting.end(frame, outcome.ended_ns)
                self._kept.pop(frame, None)
                self._ended.notify_all()

    def _fall_back(self, frame: str, why: str, otherwise: Callable[[], None]) -> bool:
        """Ask the first agent, once, for what the last exit there says of a frame; return whether it was asked.

        Parameters
        ----------
        frame
            Which.
        why
            The reason, which comes back with the answer.
        otherwise
            Called if there is no such answer.
        """
        with self._ended:
            outcome = self._frames[frame]
            if not self._fallback_ns or outcome.asked or outcome.ended_ns is not None:
                return False
            outcome.asked = True
            left_ns = outcome.due_ns + self._deadline_ns - time.monotonic_ns()
            entry = self._entries[outcome.plan]
        request = self._request(entry, frame)
        put_parameters(request, {"destination": self.address, "fall_back": True, "why": why})

        def ended(future: Any) -> None:
            if future.cancelled() or future.exception() is not None:
                otherwise()

        try:
            entry.peer.start("ModelInfer", request, left_ns / 1e9, ended)
        except ValueError:  # the channel was closed meanwhile: this run ends
            return False
        return True

    def _streamed(self, arrival: Arrival) -> None:
        self._take(arrival)
        arrival.release()

    def _take(self, arrival: Arrival) -> Any:
        """Take a result."""
        there_ns = time.monotonic_ns()
        request = arrival.request
        if request.model_name != RESULTS:
            raise Refused("NOT_FOUND", f"results are sent to the model '{RESULTS}'")
        try:
            parameters = take_parameters(request)
            if self._rounds.took(request.id, parameters, there_ns):
                return taken(request.id)
            said = parameters.get("failed")
            entry, exit_ = self._entries.get(request.model_version, self._entry), parameters.get("exit")
            block = entry.last_exit if exit_ is None else _block(exit_)
            results = {}
            if said is None:
                found = take(request, entry.wanted.get(block, ()), arrival.contents, others=exit_ is None)
                results = {name: np.array(numbers) for name, numbers in found.items()}
        except QuestionError as error:
            raise Refused("INVALID_ARGUMENT", str(error)) from None
        lost, ended = False, None
        with self._ended:
            outcome = self._frames.get(request.id)
            if outcome is None:
                self.strays += 1
            elif outcome.ended_ns is not None:
                outcome.count_again(parameters)
            elif said is not None and (
                outcome.asked  # its answer comes, or its deadline
                or self._fall_back(request.id, str(said), partial(self._fail, request.id, str(said)))
            ):
                pass
            elif said is not None:
                lost = True
            else:
                outcome.ended_ns, outcome.plan = there_ns, str(request.model_version)
                # What left before the last stage says nothing of the rest of the way.
                whole = block is None or block >= entry.bundles[-1].blocks[0]
                self.waiting.end(request.id, there_ns, outcome.plan if whole else None)
                outcome.exit, outcome.results, outcome.parameters = block, results, parameters
                outcome.fell_back = None if (why := parameters.get("fell_back")) is None else str(why)
                outcome.by = arrival.by
                if isinstance(sent_ns := parameters.get("sent_ns"), int):
                    outcome.return_s = (there_ns - sent_ns) / 1e9
                self._kept.pop(request.id, None)
                self._ended.notify_all()
                ended = outcome
        if lost:
            self._lost(request.id, str(request.model_version), str(said))
        if ended is not None:
            self.on_end(ended)
        return taken(request.id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for outlet in self._outlets.values():
            outlet.close()
        self._streams.close()
        self._service.close()


def _block(value: str | int | bool | None) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
