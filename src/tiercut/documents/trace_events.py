"""Events of a trace in Chrome's JSON format, which Perfetto and chrome://tracing open; all times in seconds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

__all__ = ["Event", "Lane", "Track", "counter", "follow", "instant", "lanes_of", "names", "service", "text_of"]

Event = dict[str, Any]

_MICROSECONDS = 1e6
_NODES, _LINKS = 1, 2
"""What stands for a process in a trace."""


class Track(NamedTuple):
    """A node or a link: its name, which of both it is, and how much it does at once."""

    name: str
    is_link: bool
    lanes: int


class Lane(NamedTuple):
    """What a node or a link does one after the other."""

    process: int
    thread: int


def lanes_of(tracks: Sequence[Track]) -> list[list[Lane]]:
    """Return the lanes of each track; nodes and links are processes of a trace, their lanes threads."""
    found, first = [], 1
    for track in tracks:
        process = _LINKS if track.is_link else _NODES
        found.append([Lane(process, first + place) for place in range(track.lanes)])
        first += track.lanes
    return found


def names(tracks: Sequence[Track]) -> Iterator[Event]:
    """Yield what each track is called."""
    for process, name in ((_NODES, "nodes"), (_LINKS, "links")):
        yield {"ph": "M", "name": "process_name", "pid": process, "tid": 0, "args": {"name": name}}
    for track, lanes in zip(tracks, lanes_of(tracks), strict=True):
        for place, lane in enumerate(lanes, 1):
            name = track.name if track.lanes == 1 else f"{track.name} ({place})"
            yield {"ph": "M", "name": "thread_name", **_at(lane), "args": {"name": name}}


def _at(lane: Lane) -> Event:
    return {"pid": lane.process, "tid": lane.thread}


def service(lane: Lane, name: str, what: str, began_s: float, ended_s: float, waited_s: float) -> Event:
    """Return that something was done from one time to another, after it had waited."""
    return {
        "ph": "X",
        "name": name,
        "cat": what,
        "ts": began_s * _MICROSECONDS,
        "dur": (ended_s - began_s) * _MICROSECONDS,
        "args": {"what": what, "waited_ms": waited_s * 1e3},
        **_at(lane),
    }


def follow(lane: Lane, name: str, key: str, at_s: float, *, first: bool) -> Event:
    """Return one end of an arrow, which follows what has one key from service to service."""
    phase = "s" if first else "t"
    return {"ph": phase, "name": name, "cat": "frame", "id": key, "ts": at_s * _MICROSECONDS, **_at(lane)}


def instant(lane: Lane, name: str, at_s: float) -> Event:
    """Return that something happened."""
    return {"ph": "i", "s": "t", "name": name, **_at(lane), "ts": at_s * _MICROSECONDS}


def counter(lane: Lane, name: str, at_s: float, count: int) -> Event:
    """Return how many wait from a time on."""
    return {"ph": "C", "name": name, "pid": lane.process, "ts": at_s * _MICROSECONDS, "args": {"waiting": count}}


def text_of(events: Iterable[Event]) -> str:
    """Return a trace of events."""
    return json.dumps({"displayTimeUnit": "ms", "traceEvents": list(events)}, allow_nan=False, ensure_ascii=False)
