"""A way from a node to another: payloads wait in it for as long as its links would take, and come out in order."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

from tiercut.errors import QuestionError
from tiercut.offloader.links.clock import LinkClock
from tiercut.offloader.links.waiting import sleep_until

__all__ = ["NO_LINKS", "Direction", "Full", "ShapedPath", "Way"]

P = TypeVar("P")
Full = queue.Full

_NS = 1e9


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction of a link: its number in the clock, bytes per second, and seconds.

    Both directions of a half-duplex link have one number.
    """

    number: int
    bandwidth: float
    latency: float


@dataclass(frozen=True, slots=True)
class Way:
    """The directions from a node to another, in order; none where nothing is shaped.

    Parameters
    ----------
    directions
        In order.
    forwarding, mtu
        See `tiercut.topologies.route`.
    """

    directions: tuple[Direction, ...] = ()
    forwarding: Literal["store", "cut-through"] = "store"
    mtu: float = 1500.0

    def without_bandwidth(self) -> Way:
        """Return the latencies of the way alone, where the kernel sees to its bandwidths."""
        waits = tuple(replace(each, bandwidth=math.inf) for each in self.directions)
        return replace(self, directions=waits)

    def to_data(self) -> dict[str, Any]:
        """Return the way as plain data."""
        hops = [[each.number, each.bandwidth, each.latency] for each in self.directions]
        return {"directions": hops, "forwarding": self.forwarding, "mtu": self.mtu}

    @classmethod
    def from_data(cls, data: Any) -> Way:
        """Return the way that `to_data` gave; QuestionError for anything else."""
        try:
            hops = tuple(Direction(int(a), float(b), float(c)) for a, b, c in data["directions"])
            forwarding: Literal["store", "cut-through"] = "store" if data["forwarding"] == "store" else "cut-through"
            found = cls(hops, forwarding, float(data["mtu"]))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise QuestionError(f"this is no way over links: {error}") from None
        for each in hops:
            if each.number < 0:
                raise QuestionError(f"this is no way over links: a link's number is 0 or more, not {each.number}")
            if not each.bandwidth > 0:
                raise QuestionError(f"this is no way over links: a bandwidth is above 0, not {each.bandwidth:g}")
            if not 0 <= each.latency < math.inf:
                raise QuestionError(f"this is no way over links: a latency is 0 or more, not {each.latency:g}")
        return found


NO_LINKS = Way()
"""Where nothing is shaped: real links, or none."""


@dataclass(frozen=True, slots=True)
class _Item(Generic[P]):
    payload: P
    size: int
    ready_ns: int
    until_ns: int | None = None


class ShapedPath(Generic[P]):
    """Payloads on their way, at most so many.

    Each link on the way passes one payload at a time; its latency passes afterwards and keeps nothing busy. A node
    between two links hands a payload on once it is there as a whole; under cut-through it hands packets on.

    Parameters
    ----------
    way
        The links.
    clock
        When they are free; None where the way has none.
    deliver
        Called with every payload once it is there, in a thread of the path.
    most
        How many payloads may wait before the first link.
    """

    def __init__(self, way: Way, clock: LinkClock | None, deliver: Callable[[P], None], *, most: int = 64) -> None:
        if way.directions and clock is None:
            raise QuestionError("links that are shaped need a clock")
        self._way, self._clock, self._deliver = way, clock, deliver
        stages = 1 + (len(way.directions) if way.forwarding == "store" else min(1, len(way.directions)))
        self._queues: list[queue.Queue[_Item[P] | None]] = [
            queue.Queue(most),
            *(queue.Queue() for _ in range(stages - 1)),
        ]
        self._threads = [
            threading.Thread(target=self._serve, args=(stage,), daemon=True, name=f"path-{stage}")
            for stage in range(stages)
        ]
        for thread in self._threads:
            thread.start()

    def put(
        self,
        payload: P,
        size: int,
        *,
        past_links: bool = False,
        ready_ns: int | None = None,
        until_ns: int | None = None,
    ) -> None:
        """Send a payload of so many bytes, or hand it past the links to the thread that delivers.

        It begins its way at a time, or now. One that finds no link free until another time passes none, and is handed
        over at that time: too late.

        Raises
        ------
        Full
            If too many wait already.
        """
        self._queues[-1 if past_links else 0].put_nowait(
            _Item(payload, size, time.monotonic_ns() if ready_ns is None else ready_ns, until_ns)
        )

    def _serve(self, stage: int) -> None:
        is_last = stage == len(self._threads) - 1
        while (item := self._queues[stage].get()) is not None:
            sleep_until(item.ready_ns)
            if is_last:
                self._deliver(item.payload)
                continue
            passed = self._passed(stage, item)
            if passed is None:
                assert item.until_ns is not None
                sleep_until(item.until_ns)
                self._queues[-1].put(item)
                continue
            sleep_until(passed[0])
            self._queues[stage + 1].put(_Item(item.payload, item.size, passed[1], item.until_ns))
        if not is_last:
            self._queues[stage + 1].put(None)

    def _passed(self, stage: int, item: _Item[P]) -> tuple[int, int] | None:
        """Return when a payload has left its link, or the first one, and when it is there; None: never."""
        assert self._clock is not None
        if self._way.forwarding == "cut-through":
            return self._through(item, self._clock)
        link = self._way.directions[stage]
        busy_ns = round(item.size / (link.bandwidth * self._clock.pace(link.number)) * _NS)
        sent_ns = self._clock.reserve(link.number, item.ready_ns, busy_ns, item.until_ns)
        return None if sent_ns is None else (sent_ns, sent_ns + round(self._paced(link, self._clock).latency * _NS))

    def _through(self, item: _Item[P], clock: LinkClock) -> tuple[int, int] | None:
        """Take all links at once: only the first packet pays each, the others follow at the pace of the slowest."""
        links, packet = [self._paced(each, clock) for each in self._way.directions], min(item.size, self._way.mtu)
        heads, offset = [], 0.0
        for link in links:
            heads.append(offset)
            offset += link.latency + packet / link.bandwidth
        slowest = min(link.bandwidth for link in links)
        with clock:
            free = [clock.free(link.number) - round(head * _NS) for link, head in zip(links, heads, strict=True)]
            begin = max(item.ready_ns, *free)
            if item.until_ns is not None and begin > item.until_ns:
                return None
            for link, head in zip(links, heads, strict=True):
                busy_ns = round(item.size / link.bandwidth * _NS)
                clock.take(link.number, begin + round(head * _NS) + busy_ns)
                clock.count(link.number, busy_ns)
        sent_ns = begin + round(item.size / links[0].bandwidth * _NS)
        return sent_ns, begin + round((offset + (item.size - packet) / slowest) * _NS)

    @staticmethod
    def _paced(link: Direction, clock: LinkClock) -> Direction:
        number = link.number
        return Direction(number, link.bandwidth * clock.pace(number), max(link.latency + clock.lag(number), 0.0))

    def close(self) -> None:
        """Let what is on its way arrive, and end."""
        self._queues[0].put(None)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=1.0)
