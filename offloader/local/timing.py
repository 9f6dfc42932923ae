"""What is timed as frames come: with a pause before each time, so that caches are as cold as they will be."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import QuestionError
from tiercut.offloader.agent.timings import named, of_piece, of_stage
from tiercut.offloader.bundles.manifest import Bundle
from tiercut.offloader.links.waiting import sleep_until
from tiercut.profiling import Runs, waiting_clock

__all__ = [
    "Hop",
    "Round",
    "Rounds",
    "middle",
    "paced_medians",
    "schedule",
    "turnarounds",
    "variations",
    "without_waits",
]

K = TypeVar("K", bound=Hashable)

_PAUSE_S = 0.01
_WARM_UP = 3

_WAITED_S, _TURNS = 2e-3, 5
"""A message that was there for so long before its pieces began was waiting for a worker, and was taken as soon as that
was free; so many of them tell how soon that is."""


def paced_medians(
    calls: Mapping[K, Callable[[], object]], *, clock: Callable[[], int] = time.perf_counter_ns, runs: int = 30
) -> dict[K, float]:
    """Return the median seconds of each call, of the runs in which nothing else held the processor.

    A piece that is called over and over finds its weights and its code in the caches; one that waits for the next frame
    does not, and takes half as long again where it is small. So every call comes after a pause here, in turn with the
    others.

    Parameters
    ----------
    calls
        What to time, by key.
    clock
        Nanoseconds: those that pass, or those that the calling thread computes.
    runs
        How often each.
    """
    waited = waiting_clock() or (lambda: 0)
    seconds = {key: np.zeros(runs) for key in calls}
    waits = {key: np.zeros(runs) for key in calls}
    for run in range(-_WARM_UP, runs):
        for key, call in calls.items():
            time.sleep(_PAUSE_S)
            before, begun = waited(), clock()
            call()
            ended = clock()
            if run >= 0:
                seconds[key][run] = (ended - begun) * 1e-9
                waits[key][run] = (waited() - before) * 1e-9
    return {key: float(np.median(Runs(seconds[key], waits[key]).kept)) for key in calls}


class Hop(NamedTuple):
    """What a message to a stage takes without any link, in seconds."""

    encode: float
    send: float
    queue: float
    decode: float

    @property
    def onward_s(self) -> float:
        """From when a result was there before it until its pieces begin."""
        return self.encode + self.send + self.queue + self.decode


class Round(NamedTuple):
    """What came of a message that passed the stages of a plan until it left at one of them, past links or over them.

    Parameters
    ----------
    block
        Where it left.
    hops
        To each of the stages.
    pieces_s
        In each of them the seconds of every piece that it passed, as on the machine that the agent stands for.
    back_s
        Seconds of its result home, which begin with its encoding.
    rest_s
        What none of these accounts for, from when it was due until its result came: mostly that its source was late.
    due_s
        When it was due.
    """

    block: int
    hops: tuple[Hop, ...]
    pieces_s: tuple[tuple[float, ...], ...]
    back_s: float
    rest_s: float = 0.0
    due_s: float = 0.0

    @classmethod
    def of(
        cls, said: Mapping[str, str | int | bool], bundles: Sequence[Bundle], due_ns: int, there_ns: int
    ) -> Self | None:
        """Return what the parameters say that came home with a result, of a message that was due; None: nothing."""
        exit_, sent_ns = said.get("exit"), said.get("sent_ns")
        stages = [times for bundle in bundles if (times := of_stage(said, bundle.stage)) is not None]
        if not isinstance(sent_ns, int) or not stages:
            return None
        encodes = [_seconds(said, named(0, "encode")) or 0.0, *(each["encode"] for each in stages)]
        hops = tuple(
            Hop(s, each["send"], each["queue"], each["decode"]) for s, each in zip(encodes, stages, strict=False)
        )
        pieces = tuple(
            tuple(
                s
                for place in range(len(bundle.pieces))
                if (s := _seconds(said, of_piece(bundle.stage, place))) is not None
            )
            for bundle in bundles[: len(stages)]
        )
        # What a worker does beside the pieces, of which only what it takes as a whole is known, counts to the first.
        pieces = tuple(
            (own[0] + max(each["compute"] - sum(own), 0.0), *own[1:]) for own, each in zip(pieces, stages, strict=True)
        )
        back_s = (there_ns - sent_ns) / 1e9 + encodes[-1]
        told_s = sum(hop.onward_s for hop in hops) + sum(map(sum, pieces)) + back_s
        return cls(
            exit_ if isinstance(exit_, int) else bundles[-1].blocks[1],
            hops,
            pieces,
            back_s,
            (there_ns - due_ns) / 1e9 - told_s,
            due_ns / 1e9,
        )

    def served(self, stage: int) -> tuple[float, float]:
        """Return when the pieces of a stage, 0-based, began and ended."""
        before_s = self.rest_s + sum(hop.onward_s for hop in self.hops[: stage + 1])
        begun_s = self.due_s + before_s + sum(sum(each) for each in self.pieces_s[:stage])
        return begun_s, begun_s + sum(self.pieces_s[stage])


@dataclass(slots=True)
class _UnderWay:
    """A message that was sent: when it was due, the stages before it, and what came of it."""

    due_ns: int
    bundles: Sequence[Bundle]
    round: Round | None = None
    ended: bool = False


class Rounds:
    """Messages that time a plan, from when they are sent until they come home or are lost.

    Parameters
    ----------
    token
        Begins their names, which no other driver gives.
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self._sent: dict[str, _UnderWay] = {}
        self._changed = threading.Condition()

    def begin(self, due_ns: int, bundles: Sequence[Bundle]) -> str:
        """Return the name of a message that is sent now and was due at a time, through these stages."""
        with self._changed:
            frame = f"warm-up {self._token} {len(self._sent)}"
            self._sent[frame] = _UnderWay(due_ns, bundles)
        return frame

    def took(self, frame: str, said: Mapping[str, str | int | bool], there_ns: int) -> bool:
        """Take what came home of a message; return whether there is one of that name."""
        with self._changed:
            found = self._sent.get(frame)
            if found is not None and not found.ended:
                found.round = Round.of(said, found.bundles, found.due_ns, there_ns)
                found.ended = True
                self._changed.notify_all()
        return found is not None

    def lost(self, frame: str) -> None:
        """Give a message up that does not come home."""
        with self._changed:
            self._sent[frame].ended = True
            self._changed.notify_all()

    def _ended(self, frames: Sequence[str], patience_s: float) -> list[Round]:
        """Wait until messages have ended, for so many seconds at most; return what came of those that came home."""
        with self._changed:
            self._changed.wait_for(lambda: all(self._sent[frame].ended for frame in frames), patience_s)
            return [found for frame in frames if (found := self._sent[frame].round) is not None]

    def one_by_one(
        self,
        send: Callable[[int, int], str],
        leaving: Sequence[int],
        interval_s: float,
        patience_s: float,
        until_s: float,
    ) -> list[Round]:
        """Send each message once the one before is home; see `tiercut.offloader.local.driver.Driver.warm_up`.

        Parameters
        ----------
        send
            Sends one that leaves at the exit of a block and is due at a time; returns its name.
        leaving, interval_s, patience_s, until_s
            See there.
        """
        found, wanted = list[Round](), set(leaving)
        begun_ns = due_ns = time.monotonic_ns()
        for block in leaving:
            if not wanted and time.monotonic_ns() - begun_ns > until_s * 1e9:
                break
            wanted.discard(block)
            sleep_until(due_ns := max(due_ns + round(interval_s * 1e9), time.monotonic_ns()))
            frame = send(block, due_ns)
            there = self._ended([frame], patience_s)
            if not there:
                stage = next(each.stage for each in self._sent[frame].bundles if block <= each.blocks[1])
                raise QuestionError(f"the agents of the stages 1 to {stage} do not answer together")
            found += there
        return found

    def as_stream(
        self,
        send: Callable[[Mapping[str, NDArray[Any]], int, int], str],
        messages: Iterable[tuple[Mapping[str, NDArray[Any]], int]],
        interval_s: float,
        patience_s: float,
        until_s: float,
    ) -> list[Round]:
        """Send messages when they are due; see `tiercut.offloader.local.driver.Driver.rehearse`.

        Parameters
        ----------
        send
            Sends tensors that leave at the exit of a block and are due at a time; returns the name of the message.
        messages
            Tensors, and the block where they leave.
        interval_s, patience_s, until_s
            See there.
        """
        begun_ns, sent = time.monotonic_ns(), list[str]()
        due_ns = begun_ns + round(interval_s * 1e9)
        for tensors, block in messages:
            if sent and due_ns - begun_ns > until_s * 1e9:
                break
            sleep_until(due_ns)
            sent.append(send(tensors, block, due_ns))
            due_ns += round(interval_s * 1e9)
        return self._ended(sent, patience_s)


def without_waits(streamed: Sequence[Round], alone: Sequence[Round]) -> list[Round]:
    """Return messages of a stream as if none had met another: on their ways, and until a worker begins, as alone.

    What pieces took, and bytes from tensors and back, stays as it was in the stream. Where no message of the stream
    left at an exit, those that came alone stand for them.

    Parameters
    ----------
    streamed
        Messages that were sent whether earlier ones were home or not.
    alone
        Messages each of which was home before the next one was sent, some of them at each exit.
    """
    depth = max(len(each.hops) for each in alone)
    there = [[each.hops[stage] for each in alone if stage < len(each.hops)] for stage in range(depth)]
    ways = [(fmean(hop.send for hop in hops), fmean(hop.queue for hop in hops)) for hops in there]
    homes: dict[int, list[float]] = {}
    for each in alone:
        homes.setdefault(len(each.hops), []).append(each.back_s)
    late_s, seen = fmean(each.rest_s for each in alone), {each.block for each in streamed}
    found = [
        each._replace(
            hops=tuple(
                hop._replace(send=send, queue=queue) for hop, (send, queue) in zip(each.hops, ways, strict=False)
            ),
            back_s=fmean(homes.get(len(each.hops), [each.back_s])),
            rest_s=late_s,
        )
        for each in streamed
    ]
    return found + [each for each in alone if each.block not in seen]


def variations(rounds: Sequence[Round]) -> tuple[float | None, ...]:
    """Return by stage how much its pieces' time varies from message to message: standard deviation over the mean.

    Each is held against those that passed as many of its pieces; None where no two did.
    """
    found: list[float | None] = []
    for stage in range(max(len(each.hops) for each in rounds)):
        by_depth: dict[int, list[float]] = {}
        for each in rounds:
            if stage < len(each.pieces_s):
                by_depth.setdefault(len(each.pieces_s[stage]), []).append(sum(each.pieces_s[stage]))
        shares = [np.array(taken) / fmean(taken) for taken in by_depth.values()]
        known = any(len(taken) > 1 for taken in shares)
        found.append(float(np.concatenate(shares).std()) if known else None)
    return tuple(found)


def turnarounds(rounds: Sequence[Round], depth: int) -> tuple[float | None, ...]:
    """Return by stage the median seconds from the pieces' end until those of the next message begin, where that waits.

    In that time a worker makes bytes of what goes on, hands it over, and takes the next one. None where too few waited.

    Parameters
    ----------
    rounds
        Messages of a stream, to machines that work on one at a time.
    depth
        How many stages there are.
    """
    found: list[float | None] = []
    for stage in range(depth):
        hops = ((each, each.hops[stage]) for each in rounds if stage < len(each.hops))
        there = sorted((*each.served(stage), hop.queue, hop.decode) for each, hop in hops)
        turns = [
            after[0] - before[1]
            for before, after in pairwise(there)
            if after[2] > _WAITED_S and after[0] - after[2] - after[3] <= before[1]  # the other was not done yet
        ]
        found.append(max(float(np.median(turns)), 0.0) if len(turns) >= _TURNS else None)
    return tuple(found)


def _seconds(said: Mapping[str, str | int | bool], name: str) -> float | None:
    took = said.get(name)
    return took / 1e9 if isinstance(took, int) else None


def schedule(rates: Mapping[int, float], count: int, least: int) -> list[int]:
    """Return where each of so many messages leaves: as frames do, in even turns, but so many of them at each exit.

    The first ones leave at each exit once, the last one first.

    Parameters
    ----------
    rates
        The share of the frames that leaves at each exit, by its block.
    count, least
        How many there are for all frames, and for each exit.
    """
    turns = []
    for block, rate in rates.items():
        own = max(round(rate * count), least)
        turns += [((place + 0.5) / own, block) for place in range(own - 1)]
    return sorted(rates, reverse=True) + [block for _, block in sorted(turns)]


def middle(rounds: Sequence[Round]) -> dict[int, Hop]:
    """Return the median of each part of the hop to each stage, 1-based."""
    depth = max(len(each.hops) for each in rounds)
    by_stage = [[each.hops[place] for each in rounds if place < len(each.hops)] for place in range(depth)]
    return {stage: Hop(*np.median(own, axis=0).tolist()) for stage, own in enumerate(by_stage, 1)}
