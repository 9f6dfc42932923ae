"""Streams once more, as processes of SimPy; without batches, and packets only where queues have no bound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import simpy

from support.streams.plain import System
from tiercut.analysis.stream.arguments import DONE, DROPPED, EXIT, OLDEST, UNDER_WAY

__all__ = ["run_by_simpy"]


class _LostError(Exception):
    """A frame found no room and has no answer."""


class _Run:
    def __init__(self, system: System) -> None:
        self.system, self.env = system, simpy.Environment()
        self.servers = [simpy.Resource(self.env, workers) for workers, *_ in system.servers]
        frames = [frame for source in system.sources for frame in source]
        self.status = np.full(len(frames), UNDER_WAY)
        self.ended = np.full(len(frames), -1)
        self.waiting: dict[Any, tuple[Any, bool]] = {}
        for number, (birth, way) in enumerate(frames):
            self.env.process(self.frame(number, birth, way))

    def frame(self, number: int, birth: int, way: int) -> Iterator[Any]:
        yield self.env.timeout(birth)
        process, at = self.env.active_process, 0
        try:
            while at < len(self.system.ways[way]):
                step = self.system.ways[way][at]
                transfer = [step]
                while not transfer[-1].ends:
                    transfer.append(self.system.ways[way][at + len(transfer)])
                if step.packets > 1:
                    parts = [self.env.process(self.packet(transfer, each)) for each in range(step.packets)]
                    yield self.env.all_of(parts)
                    at += len(transfer)
                    continue
                server, room = self.servers[step.server], self.system.servers[step.server][1]
                if step.refusable and server.count == server.capacity and 0 <= room <= len(server.queue):
                    victims = [self.waiting[each][0] for each in server.queue if self.waiting[each][1]]
                    if self.system.rule == OLDEST and victims:
                        victims[0].interrupt()
                        yield self.env.timeout(0)  # it leaves first
                    elif self.system.rule == EXIT and step.home >= 0:
                        way, at = step.home, 0
                        continue
                    else:
                        raise _LostError
                with server.request() as request:
                    self.waiting[request] = process, step.refusable
                    yield request
                    yield self.env.timeout(step.service)
                yield self.env.timeout(step.after)
                at += 1
        except (_LostError, simpy.Interrupt):
            self.status[number], self.ended[number] = DROPPED, self.env.now
        else:
            self.status[number], self.ended[number] = DONE, self.env.now

    def packet(self, transfer: list[Any], number: int) -> Iterator[Any]:
        for step in transfer:
            with self.servers[step.server].request() as request:
                yield request
                last = number == step.packets - 1 and step.last_service is not None
                yield self.env.timeout(step.last_service if last else step.service)
            yield self.env.timeout(step.after)


def run_by_simpy(system: System) -> tuple[Any, Any]:
    """Return status and end of every frame."""
    run = _Run(system)
    run.env.run()
    return run.status, run.ended
