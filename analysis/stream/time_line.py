"""Services of the first frames of a stream one after the other: for a picture, and as a trace that Perfetto opens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tiercut.analysis.stream.arguments import DROPPED
from tiercut.analysis.stream.layout import PICOSECONDS
from tiercut.documents import trace_events
from tiercut.documents.trace_events import Event, Lane
from tiercut.errors import QuestionError

if TYPE_CHECKING:
    from tiercut.analysis.stream.result import Stream

__all__ = ["Drop", "Slice", "drops_of", "slices_of", "trace_text"]


class Slice(NamedTuple):
    """One service: a stage on a node, or a payload or packet on a link.

    Parameters
    ----------
    server, worker
        Indices; a batch is served by one worker.
    source, frame
        Index of the source, and number of the frame within it.
    what
        For people: the blocks, or what is sent.
    joined_s, began_s, ended_s
        When it joined the queue, and when service began and ended.
    """

    server: int
    worker: int
    source: int
    frame: int
    what: str
    joined_s: float
    began_s: float
    ended_s: float


class Drop(NamedTuple):
    """A frame that was dropped: the index of the server without room, whose frame it was, and when."""

    server: int
    source: int
    frame: int
    at_s: float


def drops_of(stream: Stream) -> list[Drop]:
    """Return the frames that were dropped among the first ones, of which a stream has kept services."""
    kept = slices_of(stream)
    found = []
    for index, first in enumerate(stream.frames.first[:-1].tolist()):
        last = max((each.frame for each in kept if each.source == index), default=-1)
        for frame in range(first, first + last + 1):
            if stream.status[frame] == DROPPED:
                at = int(stream.ended[frame]) / PICOSECONDS
                found.append(Drop(int(stream.where[frame]), index, frame - first, at))
    return found


def slices_of(stream: Stream) -> list[Slice]:
    """Return the services that a stream has kept, in order of their beginning.

    Raises
    ------
    QuestionError
        If it has kept none.
    """
    if not len(stream.log):
        raise QuestionError(
            "this stream kept no services; ask for them: time_line=20 keeps those of the first 20 frames"
        )
    source = np.searchsorted(stream.frames.first, stream.log[:, 1], side="right") - 1
    free: list[list[int]] = [[0] * server.workers for server in stream.layout.servers]
    before: dict[int, tuple[int, int, int]] = {}
    found = []
    for row, (server, frame, step, joined, began, ended) in enumerate(stream.log.tolist()):
        worker = _worker(free[server], before.get(server), began, ended, stream.layout.arrays.batch[server] > 1)
        free[server][worker] = ended
        before[server] = worker, began, ended
        index = int(source[row])
        number = frame - int(stream.frames.first[index])
        times = (each / PICOSECONDS for each in (joined, began, ended))
        found.append(Slice(server, worker, index, number, stream.layout.stages[step], *times))
    return found


def _worker(free: list[int], before: tuple[int, int, int] | None, began: int, ended: int, batches: bool) -> int:
    """Return the worker that serves: that of the slice before where both are of one batch, else the first free one."""
    if batches and before is not None and before[1:] == (began, ended):
        return before[0]
    return next((place for place, until in enumerate(free) if until <= began), int(np.argmin(free)))


def trace_text(stream: Stream) -> str:
    """Return the services as a trace in Chrome's JSON format, which Perfetto and chrome://tracing open.

    Nodes and links are processes, their workers threads; what waits at each is a counter, and arrows follow a frame.
    """
    tracks = [trace_events.Track(each.name, each.is_link, each.workers) for each in stream.layout.servers]
    lanes = trace_events.lanes_of(tracks)
    events = [*trace_events.names(tracks), *_services(stream, lanes), *_drops(stream, lanes), *_waiting(stream, lanes)]
    return trace_events.text_of(events)


def _services(stream: Stream, lanes: list[list[Lane]]) -> Iterator[Event]:
    several = len(stream.sources) > 1
    seen = set[tuple[int, int]]()
    for each in slices_of(stream):
        lane = lanes[each.server][each.worker]
        origin = f" from {stream.sources[each.source].node} ({each.source + 1})" if several else ""
        name = f"frame {each.frame}{origin}"
        waited_s = each.began_s - each.joined_s
        yield trace_events.service(lane, name, each.what, each.began_s, each.ended_s, waited_s)
        who = each.source, each.frame
        yield trace_events.follow(lane, name, f"{each.source}.{each.frame}", each.began_s, first=who not in seen)
        seen.add(who)


def _drops(stream: Stream, lanes: list[list[Lane]]) -> Iterator[Event]:
    for each in drops_of(stream):
        yield trace_events.instant(lanes[each.server][0], f"frame {each.frame} dropped", each.at_s)


def _waiting(stream: Stream, lanes: list[list[Lane]]) -> Iterator[Event]:
    """Yield how many of the kept services wait at each server, whenever that changes."""
    changes: list[tuple[float, int, int]] = []
    for each in slices_of(stream):
        if each.began_s > each.joined_s:
            changes += [(each.joined_s, each.server, 1), (each.began_s, each.server, -1)]
    count = [0] * len(stream.layout.servers)
    for time, index, change in sorted(changes):
        count[index] += change
        name = f"waiting at {stream.layout.servers[index].name}"
        yield trace_events.counter(lanes[index][0], name, time, count[index])
