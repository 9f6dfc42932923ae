"""Streams once more, in plain Python: one object a packet, every rule as it is written down, no speed."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tiercut.analysis.stream.arguments import (
    BEHIND,
    DONE,
    DROPPED,
    EXIT,
    NEWEST,
    OLDEST,
    TALLIES,
    UNBORN,
    UNDER_WAY,
    Frames,
    Servers,
    Ways,
)

__all__ = ["Outcome", "StepOf", "System", "arrays_of", "run_plainly", "told"]

NEVER = 1 << 61


class StepOf(NamedTuple):
    """A step of a way; see `tiercut.analysis.stream.arguments.Ways`."""

    server: int
    service: int
    last_service: int | None = None
    packets: int = 1
    after: int = 0
    ends: bool = True
    refusable: bool = True
    home: int = -1
    kind: int = 0
    draw: int = -1


@dataclass
class System:
    """Servers as (workers, room, batch, wait), ways as steps, and for each source its frames as (birth, way)."""

    servers: list[tuple[int, int, int, int]]
    ways: list[list[StepOf]]
    sources: list[list[tuple[int, int]]]
    rule: int = NEWEST
    until: int = NEVER
    drawn: list[list[int]] = field(default_factory=list)


def arrays_of(system: System) -> tuple[Servers, Ways, Frames]:
    """Return a system as kernels take it."""
    steps = [step for way in system.ways for step in way]

    def column(name: str) -> Any:
        return np.array([int(getattr(step, name)) for step in steps], np.int64)

    last = [step.service if step.last_service is None else step.last_service for step in steps]
    servers = np.array(system.servers, np.int64).T
    frames = [frame for source in system.sources for frame in source]
    rows = np.array(frames, np.int64).reshape(-1, 2)
    return (
        Servers(*(np.ascontiguousarray(each) for each in servers)),
        Ways(
            first=np.cumsum([0, *map(len, system.ways)]).astype(np.int64),
            server=column("server"),
            service=column("service"),
            last_service=np.array(last, np.int64),
            packets=column("packets"),
            after=column("after"),
            ends=column("ends"),
            refusable=column("refusable"),
            home=column("home"),
            draw=column("draw"),
            kind=column("kind"),
        ),
        Frames(
            first=np.cumsum([0, *map(len, system.sources)]).astype(np.int64),
            birth=np.ascontiguousarray(rows[:, 0]),
            way=np.ascontiguousarray(rows[:, 1]),
            drawn=np.array(system.drawn or [[]], np.int64).reshape(len(rows) if system.drawn else 1, -1),
        ),
    )


class Outcome(NamedTuple):
    """What became of frames and servers, as the kernels tell it."""

    status: Any
    ended: Any
    way: Any
    where: Any
    tallies: Any
    waited: Any
    log: Any


def told(system: System, engine: Any, logged: int = 1 << 30) -> Outcome:
    """Run a system by a kernel."""
    servers, ways, frames = arrays_of(system)
    count = len(frames.birth)
    status, ended = np.zeros(count, np.int8), np.full(count, -1, np.int64)
    way, where = frames.way.copy(), np.full(count, -1, np.int64)
    tallies, waited = np.zeros((len(system.servers), TALLIES), np.int64), np.zeros(len(system.servers))
    tallies[:, BEHIND] = -1
    arrays = status, ended, way, where, tallies, waited
    log = engine(servers, ways, frames, system.rule, system.until, logged, *arrays)
    return Outcome(*arrays, log)


@dataclass
class _Frame:
    source: int
    number: int
    birth: int
    way: int
    services: list[int]
    state: int = UNBORN
    ended: int = -1
    where: int = -1


@dataclass
class _Packet:
    """One packet on its way; a payload that is not cut is one."""

    frame: _Frame
    way: int
    step: int
    number: int
    joined: int = -1

    @property
    def moves(self) -> bool:
        """Whether it still belongs to what its frame is doing."""
        return self.frame.state == UNDER_WAY and self.frame.way == self.way


class _Server:
    def __init__(self, workers: int, room: int, batch: int, wait: int) -> None:
        self.free, self.room, self.batch, self.wait = workers, room, batch, wait
        self.queue: deque[_Packet] = deque()
        self.busy = self.served = self.dropped = self.home = self.longest = self.waited = 0

    @property
    def payloads(self) -> list[_Packet]:
        return [each for each in self.queue if each.number == 0 and each.moves]


class _Run:
    def __init__(self, system: System) -> None:
        self.system = system
        self.servers = [_Server(*each) for each in system.servers]
        self.events: list[tuple[tuple[int, ...], int, str, Any]] = []
        self.made = 0
        rows = iter(system.drawn)
        self.frames = [
            _Frame(source, number, birth, way, next(rows, []))
            for source, each in enumerate(system.sources)
            for number, (birth, way) in enumerate(each)
        ]
        for frame in self.frames:
            self.put((frame.birth, 1, frame.source, frame.number, 0), "birth", frame)

    def put(self, key: tuple[int, ...], what: str, whom: Any) -> None:
        self.made += 1
        heapq.heappush(self.events, (key, self.made, what, whom))

    def go(self) -> None:
        while self.events:
            (now, *_), _, what, whom = heapq.heappop(self.events)
            if now > self.system.until:
                return
            getattr(self, what)(now, whom)

    def birth(self, now: int, frame: _Frame) -> None:
        frame.state = UNDER_WAY
        self.arrival(now, self.payload(frame, frame.way, 0))

    def send(self, time: int, frame: _Frame, way: int, step: int) -> None:
        """Let a payload arrive at a step, all of its packets at once."""
        self.put((time, 2, frame.source, frame.number, 0), "arrival", self.payload(frame, way, step))

    def payload(self, frame: _Frame, way: int, step: int) -> list[_Packet]:
        return [_Packet(frame, way, step, number) for number in range(self.system.ways[way][step].packets)]

    def arrival(self, now: int, packets: list[_Packet]) -> None:
        packet = packets[0]
        if not packet.moves:
            return
        step = self.system.ways[packet.way][packet.step]
        server = self.servers[step.server]
        full = server.free == 0 and 0 <= server.room <= len(server.payloads)
        if packet.number == 0 and step.refusable and full and not self.make_room(now, packet, step):
            return
        for each in packets:
            each.joined = now
        server.queue += packets
        self.serve(now, step.server)
        server.longest = max(server.longest, len(server.payloads))

    def make_room(self, now: int, packet: _Packet, step: StepOf) -> bool:
        server, refused = self.servers[step.server], packet.frame
        if self.system.rule == OLDEST:
            waiting = [each for each in server.payloads if self.system.ways[each.way][each.step].refusable]
            if waiting:
                refused = waiting[0].frame
        refused.where = step.server
        if self.system.rule == EXIT and step.home >= 0:
            server.home += 1
            refused.way = step.home
            if self.system.ways[step.home]:
                self.send(now, refused, step.home, 0)
            else:
                refused.state, refused.ended = DONE, now
            return False
        server.dropped += 1
        refused.state, refused.ended = DROPPED, now
        return refused is not packet.frame

    def serve(self, now: int, index: int) -> None:
        server = self.servers[index]
        while server.free:
            server.queue = deque(each for each in server.queue if each.moves)
            if not server.queue:
                return
            first = server.queue[0]
            kind = self.step(first).kind
            together = [each for each in server.queue if server.batch == 1 or self.step(each).kind == kind]
            together = together[: server.batch]
            forced = 0 <= server.room < len(server.payloads)
            if len(together) < server.batch and now < first.joined + server.wait and not forced:
                self.put((first.joined + server.wait, 3, index), "timer", index)
                return
            for each in together:
                server.queue.remove(each)
                if each.number == 0:
                    server.served += 1
                    server.waited += now - each.joined
            lasts = sum(self.takes(each) for each in together)
            server.free -= 1
            server.busy += min(lasts, self.system.until - now)
            frame = together[0].frame
            self.put((now + lasts, 0, frame.source, frame.number, together[0].number), "end", (index, together))

    def timer(self, now: int, index: int) -> None:
        self.serve(now, index)

    def step(self, packet: _Packet) -> StepOf:
        return self.system.ways[packet.way][packet.step]

    def takes(self, packet: _Packet) -> int:
        step = self.step(packet)
        if step.draw >= 0:
            return packet.frame.services[step.draw]
        last = packet.number == step.packets - 1 and step.last_service is not None
        return step.last_service if last and step.last_service is not None else step.service

    def end(self, now: int, what: tuple[int, list[_Packet]]) -> None:
        index, packets = what
        self.servers[index].free += 1
        for packet in packets:
            self.moved(now, packet)
        self.serve(now, index)

    def moved(self, now: int, packet: _Packet) -> None:
        if not packet.moves:
            return
        way, step = self.system.ways[packet.way], self.step(packet)
        last, there, frame = packet.number == step.packets - 1, now + step.after, packet.frame
        if packet.step == len(way) - 1:
            if last and there <= self.system.until:
                frame.state, frame.ended = DONE, there
        elif not step.ends:
            further = _Packet(frame, packet.way, packet.step + 1, packet.number)
            self.put((there, 2, frame.source, frame.number, packet.number), "arrival", [further])
        elif last:
            self.send(there, frame, packet.way, packet.step + 1)


def run_plainly(system: System) -> Outcome:
    """Run a system in plain Python."""
    run = _Run(system)
    run.go()
    frames = run.frames
    tallies = np.array(
        [(each.busy, each.served, each.dropped, each.home, 0, 0, each.longest, 0) for each in run.servers], np.int64
    )
    return Outcome(
        status=np.array([each.state for each in frames]),
        ended=np.array([each.ended for each in frames]),
        way=np.array([each.way for each in frames]),
        where=np.array([each.where for each in frames]),
        tallies=tallies,
        waited=np.array([each.waited for each in run.servers], float),
        log=None,
    )
