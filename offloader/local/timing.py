"""What is timed as frames come: with a pause before each time, so that caches are as cold as they will be."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple, Self, TypeVar

import numpy as np

from tiercut.offloader.agent.timings import named, of_piece, of_stage
from tiercut.offloader.bundles.manifest import Bundle
from tiercut.profiling import Runs, waiting_clock

__all__ = ["Hop", "Round", "middle", "paced_medians", "schedule"]

K = TypeVar("K", bound=Hashable)

_PAUSE_S = 0.01
_WARM_UP = 3


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
    """What came of a message that passed the stages of a plan until it left at one of them, past all links.

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
    """

    block: int
    hops: tuple[Hop, ...]
    pieces_s: tuple[tuple[float, ...], ...]
    back_s: float
    rest_s: float = 0.0

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
        back_s = (there_ns - sent_ns) / 1e9 + encodes[-1]
        told_s = sum(hop.onward_s for hop in hops) + sum(map(sum, pieces)) + back_s
        return cls(
            exit_ if isinstance(exit_, int) else bundles[-1].blocks[1],
            hops,
            pieces,
            back_s,
            (there_ns - due_ns) / 1e9 - told_s,
        )


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
