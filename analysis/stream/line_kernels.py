"""The numba kernels that run a stream server by server: the recursion of Lindley (1952) over departure times.

They serve where a frame never comes back to a server, and payloads are served whole, one by one, first in first out:
what happens at a server then depends on servers before it alone. So servers are taken in that order, and at each one
the arrivals in the order of events; each begins when it has come and a worker is free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.analysis.stream.arguments import (
    AT_HOME,
    BEHIND,
    BUSY,
    DONE,
    DROPPED,
    EXIT,
    LAST,
    LONGEST,
    LOST,
    SERVED,
    UNDER_WAY,
    UNTIL,
    Frames,
    Servers,
    Ways,
)
from tiercut.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

__all__ = ["run_line", "run_recursion"]

_AT_ONCE = 2048
"""Frames that are taken from server to server together: their times stay in the cache."""


@compiled
def run_line(steps: slice, ways: Ways, births: Ints, ended: Ints, tallies: Ints, waited: NDArray[np.float64]) -> None:
    """Run frames that all take one way, past servers that serve one at a time, for a constant time, without a bound.

    Parameters
    ----------
    steps
        Of the way; each has a server of its own.
    ways
        Where they stand.
    births
        F, rising.
    ended
        F, filled: when each frame ends.
    tallies, waited
        Filled, as `run_events` does.
    """
    count, length = births.shape[0], steps.stop - steps.start
    free, behind = np.zeros(length, np.int64), np.full(length, -1, np.int64)
    furthest, last, total = np.zeros(length, np.int64), np.zeros(length, np.int64), np.zeros(length)
    for begin in range(0, count, _AT_ONCE):
        end = min(begin + _AT_ONCE, count)
        ended[begin:end] = births[begin:end]
        for k in range(length):
            service, after = ways.last_service[steps.start + k], ways.after[steps.start + k]
            until, since, longest, waiting = free[k], behind[k], furthest[k], total[k]
            now = last[k]
            for frame in range(begin, end):
                now = ended[frame]
                start = max(now, until)
                wait = start - now
                since = -1 if wait == 0 else (now if since < 0 else since)
                longest = max(longest, wait)
                waiting += wait
                until = start + service
                ended[frame] = until + after
            free[k], behind[k], furthest[k], total[k], last[k] = until, since, longest, waiting, now
    for k in range(length):
        server, service = ways.server[steps.start + k], ways.last_service[steps.start + k]
        tallies[server, BUSY], tallies[server, SERVED] = count * service, count
        tallies[server, BEHIND], tallies[server, LAST], tallies[server, UNTIL] = behind[k], last[k], free[k]
        # Who waits begins one service after who came before, so a wait is that many services, the first cut short.
        tallies[server, LONGEST] = -(-furthest[k] // service) if service > 0 else 0
        waited[server] = total[k]


@compiled
def _in_order(server: int, ways: Ways, frames: Frames, status: NDArray[np.int8], times: Ints, steps: Ints) -> Ints:
    """Return the frames whose next server it is, in the order of events: births before arrivals, then by number."""
    count, born_here = 0, False
    chosen = np.empty(times.shape[0], np.int64)
    for frame in range(times.shape[0]):
        if status[frame] == UNDER_WAY and ways.server[steps[frame]] == server:
            chosen[count] = frame
            count += 1
            born_here = born_here or steps[frame] == ways.first[frames.way[frame]]
    chosen = chosen[:count]
    if born_here:
        births = np.empty(count, np.bool_)
        for k in range(count):
            births[k] = steps[chosen[k]] == ways.first[frames.way[chosen[k]]]
        if not births.all():
            chosen = np.concatenate((chosen[births], chosen[~births]))
    for k in range(1, count):
        if times[chosen[k]] < times[chosen[k - 1]]:
            return chosen[np.argsort(times[chosen], kind="mergesort")]
    return chosen


@compiled
def run_recursion(
    servers: Servers,
    ways: Ways,
    frames: Frames,
    rule: int,
    order: Ints,
    status: NDArray[np.int8],
    ended: Ints,
    way: Ints,
    where: Ints,
    tallies: Ints,
    waited: NDArray[np.float64],
) -> None:
    """Run a stream to its end, and fill what is told of frames and servers, as `run_events` does.

    Parameters
    ----------
    servers, ways, frames, rule
        What there is, without batches and packets; the oldest never makes room.
    order
        The servers, each behind those from which frames come to it.
    status, ended, way, where, tallies, waited
        Filled.
    """
    count = frames.birth.shape[0]
    times, steps = frames.birth.copy(), np.empty(count, np.int64)
    for frame in range(count):
        way[frame], where[frame] = frames.way[frame], -1
        steps[frame] = ways.first[way[frame]]
        status[frame] = UNDER_WAY
        if steps[frame] == ways.first[way[frame] + 1]:
            status[frame], ended[frame] = DONE, times[frame]
    begun = np.empty(count, np.int64)
    for server in order:
        coming = _in_order(server, ways, frames, status, times, steps)
        workers, room = servers.workers[server], servers.room[server]
        free = np.zeros(workers, np.int64)
        admitted, started = 0, 0
        busy, lost, home, longest, last, behind, until = 0, 0, 0, 0, 0, -1, 0
        total = 0.0
        for k in range(coming.shape[0]):
            frame = coming[k]
            now, step = times[frame], steps[frame]
            worker = 0
            for other in range(1, workers):
                if free[other] < free[worker]:
                    worker = other
            while started < admitted and begun[started] <= now:
                started += 1
            last = now
            if free[worker] <= now:
                behind = -1
            else:
                if behind < 0:
                    behind = now
                if ways.refusable[step] and 0 <= room <= admitted - started:
                    where[frame] = server
                    if rule == EXIT and ways.home[step] >= 0:
                        home += 1
                        way[frame] = ways.home[step]
                        steps[frame] = ways.first[way[frame]]
                        if steps[frame] == ways.first[way[frame] + 1]:
                            status[frame], ended[frame] = DONE, now
                    else:
                        lost += 1
                        status[frame], ended[frame] = DROPPED, now
                    continue
            begin = max(now, free[worker])
            lasts = ways.last_service[step]
            if ways.draw[step] >= 0:
                lasts = frames.drawn[frame, ways.draw[step]]
            begun[admitted] = begin
            admitted += 1
            if begin > now:
                longest = max(longest, admitted - started)
            free[worker] = begin + lasts
            busy += lasts
            total += begin - now
            until = max(until, begin + lasts)
            times[frame] = begin + lasts + ways.after[step]
            if step + 1 == ways.first[way[frame] + 1]:
                status[frame], ended[frame] = DONE, times[frame]
            else:
                steps[frame] = step + 1
        tallies[server, BUSY], tallies[server, SERVED], tallies[server, LOST] = busy, admitted, lost
        tallies[server, AT_HOME], tallies[server, BEHIND], tallies[server, LAST] = home, behind, last
        tallies[server, LONGEST], tallies[server, UNTIL] = longest, until
        waited[server] = total
