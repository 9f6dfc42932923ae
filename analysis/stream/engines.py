"""The engines of streams behind one face: a recursion over departure times where it applies, else events over a heap.

Both give the same, frame by frame and to the picosecond; the recursion is the quicker one.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tiercut.analysis.stream.arguments import DONE, OLDEST, Frames, Servers, Ways
from tiercut.analysis.stream.event_kernels import run_events
from tiercut.analysis.stream.line_kernels import run_line, run_recursion

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

__all__ = ["NEVER", "Told", "recursion_order", "run_stream"]

NEVER = 1 << 61
"""When a stream stops that runs until all frames have ended."""

_NO_LOG = np.empty((0, 6), np.int64)


class Told(NamedTuple):
    """What engines fill of F frames and V servers; see `tiercut.analysis.stream.event_kernels.run_events`."""

    status: NDArray[np.int8]
    ended: Ints
    way: Ints
    where: Ints
    tallies: Ints
    waited: NDArray[np.float64]


def run_stream(
    servers: Servers, ways: Ways, frames: Frames, rule: int, until: int, logged: int, *told: NDArray[np.generic]
) -> Ints:
    """Run a stream by the quickest engine that applies; arguments and result are those of `run_events`."""
    filled = Told(*told)  # type: ignore[arg-type]
    order = recursion_order(servers, ways, rule) if until >= NEVER and not logged else None
    if order is None:
        return run_events(servers, ways, frames, rule, until, logged, *filled)
    line = _line(servers, ways, frames)
    if line is None:
        run_recursion(servers, ways, frames, rule, order, *filled)
        return _NO_LOG
    filled.way[:], filled.where[:], filled.status[:] = frames.way, -1, DONE
    run_line(line, ways, frames.birth, filled.ended, filled.tallies, filled.waited)
    return _NO_LOG


def recursion_order(servers: Servers, ways: Ways, rule: int) -> Ints | None:
    """Return the servers, each behind those from which frames come; None where the recursion does not apply.

    It does not where a frame can come back to a server, payloads travel in packets, nodes form batches, or the oldest
    of a bounded queue makes room.
    """
    bounded = bool((servers.room >= 0).any())
    if (servers.batch > 1).any() or (ways.packets > 1).any() or (rule == OLDEST and bounded):
        return None
    before: dict[int, set[int]] = {server: set() for server in range(len(servers.workers))}
    first, at = ways.first.tolist(), ways.server.tolist()
    for begin, end in pairwise(first):
        for step in range(begin, end):
            if step > begin:
                before[at[step]].add(at[step - 1])
            home = int(ways.home[step])
            if home >= 0 and first[home] < first[home + 1]:
                before[at[first[home]]].add(at[step])
    try:
        return np.array(list(TopologicalSorter(before).static_order()), np.int64)
    except CycleError:
        return None


def _line(servers: Servers, ways: Ways, frames: Frames) -> slice | None:
    """Return the steps of the one way that all frames of the one source take, if its servers need no more care."""
    if len(frames.first) != 2 or not len(frames.way) or (frames.way != frames.way[0]).any():
        return None
    steps = slice(int(ways.first[frames.way[0]]), int(ways.first[frames.way[0] + 1]))
    used = ways.server[steps]
    plain = (servers.workers[used] == 1).all() and (servers.room[used] < 0).all() and (ways.draw[steps] < 0).all()
    return steps if plain else None
