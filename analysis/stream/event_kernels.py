"""The numba kernel that runs a stream event by event, over a heap: for every kind of queue, link and batch.

Events at one time come in the order: ends of service, births, arrivals, batches that have waited long enough; among
these by source, frame and packet. What moves is an item: a payload, a packet of one, or packets that came together.
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
    OLDEST,
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

__all__ = ["MOST_FRAMES", "MOST_PACKETS", "MOST_SOURCES", "run_events"]

MOST_PACKETS, MOST_FRAMES, MOST_SOURCES = 1 << 18, 1 << 32, 1 << 10
"""What the order of events has room for."""

_END, _BIRTH, _ARRIVAL, _TIMER = 0, 1, 2, 3
_FRAME, _STEP, _PACKET, _COUNT, _LEG, _JOINED, _NEXT, _WIDTH = 0, 1, 2, 3, 4, 5, 6, 8
_NEVER = 1 << 62
"""When nothing happens."""


@compiled
def _push(times: Ints, keys: Ints, items: Ints, size: int, time: int, key: int, item: int) -> None:
    at = size
    while at > 0:
        above = (at - 1) >> 1
        if times[above] < time or (times[above] == time and keys[above] < key):
            break
        times[at], keys[at], items[at] = times[above], keys[above], items[above]
        at = above
    times[at], keys[at], items[at] = time, key, item


@compiled
def _sink(times: Ints, keys: Ints, items: Ints, size: int, time: int, key: int, item: int) -> None:
    """Put an event in the place of the first one, in a heap of `size` events."""
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and (
            times[child + 1] < times[child] or (times[child + 1] == times[child] and keys[child + 1] < keys[child])
        ):
            child += 1
        if time < times[child] or (time == times[child] and key < keys[child]):
            break
        times[at], keys[at], items[at] = times[child], keys[child], items[child]
        at = child
    times[at], keys[at], items[at] = time, key, item


@compiled
def _add(
    times: Ints, keys: Ints, items: Ints, size: int, held: tuple[int, int, int], time: int, key: int, item: int
) -> tuple[int, tuple[int, int, int]]:
    """Add an event to a heap and the one beside it, which is the first of those added since; return both anew."""
    if held[0] == _NEVER:
        return size, (time, key, item)
    if time < held[0] or (time == held[0] and key < held[1]):
        _push(times, keys, items, size, held[0], held[1], held[2])
        return size + 1, (time, key, item)
    _push(times, keys, items, size, time, key, item)
    return size + 1, held


@compiled
def _key(sort: int, source: int, number: int, packet: int) -> int:
    return (sort << 60) | (source << 50) | (number << 18) | packet


@compiled
def _longer(values: Ints, length: int) -> Ints:
    grown = np.empty(length, np.int64)
    grown[: values.shape[0]] = values
    return grown


@compiled
def run_events(
    servers: Servers,
    ways: Ways,
    frames: Frames,
    rule: int,
    until: int,
    logged: int,
    status: NDArray[np.int8],
    ended: Ints,
    way: Ints,
    where: Ints,
    tallies: Ints,
    waited: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Run a stream, fill what is told of frames and servers, and return the services of the first frames.

    Parameters
    ----------
    servers, ways, frames
        What there is (see `tiercut.analysis.stream.arguments`).
    rule
        Who goes where a queue is full: `NEWEST`, `OLDEST` or `EXIT`.
    until
        When to stop; what happens at that time still happens.
    logged
        Of how many frames of each source the services are returned.
    status, ended, way, where
        F, filled: what became of each frame, when it ended (-1: it has not), the way that it took in the end, and the
        server that dropped it or sent it home (-1: none).
    tallies
        V x 8, filled: see `tiercut.analysis.stream.arguments`; zeros at first, and -1 for `BEHIND`.
    waited
        V, filled: time that the served payloads waited.

    Returns
    -------
    numpy.ndarray
        L x 6: server, frame, step, when it joined the queue, and when service began and ended.
    """
    count = frames.birth.shape[0]
    sources = frames.first.shape[0] - 1
    total = servers.workers.shape[0]
    leg = np.zeros(count, np.int64)
    order = np.empty(count, np.int64)  # of the frames among events of one time and sort
    for source in range(sources):
        for frame in range(frames.first[source], frames.first[source + 1]):
            order[frame] = _key(0, source, frame - frames.first[source], 0)
    free = servers.workers.copy()
    head, tail = np.full(total, -1, np.int64), np.full(total, -1, np.int64)
    waiting, armed = np.zeros(total, np.int64), np.full(total, -1, np.int64)
    widest = (servers.batch + servers.workers).max()  # of the events that one event brings
    items = np.empty((1024, _WIDTH), np.int64)
    spare, made = -1, 0
    # Most events bring one that comes next or soon: the first of those is kept beside the heap.
    times, keys, held = np.empty(1024, np.int64), np.empty(1024, np.int64), np.empty(1024, np.int64)
    size, soon = 0, (_NEVER, 0, 0)
    log, lines = np.empty((16, 6), np.int64), 0
    for source in range(sources):  # no more of them than the heap has room for
        if frames.first[source] < frames.first[source + 1]:
            born = frames.first[source]
            _push(times, keys, held, size, frames.birth[born], _key(_BIRTH, source, 0, 0), source)
            size += 1
    while True:
        if size == 0 or soon[0] < times[0] or (soon[0] == times[0] and soon[1] < keys[0]):
            now, key, item = soon
            if now > until or now == _NEVER:
                break
        else:
            now, key, item = times[0], keys[0], held[0]
            if now > until:
                break
            if soon[0] < _NEVER:
                _sink(times, keys, held, size, soon[0], soon[1], soon[2])
            else:
                size -= 1
                _sink(times, keys, held, size, times[size], keys[size], held[size])
        soon = (_NEVER, 0, 0)
        sort = key >> 60
        if size + widest + 8 > times.shape[0]:
            room = 2 * (size + widest + 8)
            times, keys, held = _longer(times, room), _longer(keys, room), _longer(held, room)
        if made + 4 > items.shape[0]:
            grown = np.empty((2 * made + 8, _WIDTH), np.int64)
            grown[:made] = items[:made]
            items = grown
        server, arrived, straight = -1, -1, -1
        if sort == _BIRTH:
            source = item
            frame = frames.first[source] + ((key >> 18) & (MOST_FRAMES - 1))
            if frame + 1 < frames.first[source + 1]:
                following = (_BIRTH << 60) | order[frame + 1]
                size, soon = _add(times, keys, held, size, soon, frames.birth[frame + 1], following, source)
            status[frame], way[frame], where[frame], ended[frame] = UNDER_WAY, frames.way[frame], -1, -1
            begin = ways.first[way[frame]]
            if begin == ways.first[way[frame] + 1]:
                status[frame], ended[frame] = DONE, now
                continue
            if spare >= 0:
                arrived, spare = spare, items[spare, _NEXT]
            else:
                arrived, made = made, made + 1
            items[arrived, _FRAME], items[arrived, _STEP] = frame, begin
            items[arrived, _PACKET], items[arrived, _COUNT], items[arrived, _LEG] = 0, ways.packets[begin], 0
        elif sort == _ARRIVAL:
            arrived = item
        elif sort == _TIMER:
            server = item
            armed[server] = -1
        else:  # the end of a service: each item moves on, and the worker is free
            server = ways.server[items[item, _STEP]]
            free[server] += 1
            while item >= 0:
                following = items[item, _NEXT]
                frame, step, packet = items[item, _FRAME], items[item, _STEP], items[item, _PACKET]
                there = now + ways.after[step]
                last = packet == ways.packets[step] - 1
                dead = status[frame] != UNDER_WAY or items[item, _LEG] != leg[frame]
                if not dead and last and step + 1 == ways.first[way[frame] + 1]:
                    if there <= until:
                        status[frame], ended[frame] = DONE, there
                    dead = True
                if dead or (ways.ends[step] and not last):
                    items[item, _NEXT], spare = spare, item
                else:
                    if ways.ends[step]:
                        packet = 0
                        items[item, _PACKET], items[item, _COUNT] = 0, ways.packets[step + 1]
                    items[item, _STEP] = step + 1
                    size, soon = _add(
                        times, keys, held, size, soon, there, (_ARRIVAL << 60) | order[frame] | packet, item
                    )
                item = following
        if arrived >= 0:
            frame, step, packet = items[arrived, _FRAME], items[arrived, _STEP], items[arrived, _PACKET]
            if status[frame] != UNDER_WAY or items[arrived, _LEG] != leg[frame]:
                items[arrived, _NEXT], spare = spare, arrived
                continue
            server = ways.server[step]
            joins = True
            if packet == 0:
                tallies[server, LAST] = now
                if free[server] > 0:
                    tallies[server, BEHIND] = -1
                elif tallies[server, BEHIND] < 0:
                    tallies[server, BEHIND] = now
                if free[server] == 0 and ways.refusable[step] and 0 <= servers.room[server] <= waiting[server]:
                    joins = False
                    if rule == OLDEST:
                        oldest = head[server]
                        while oldest >= 0:
                            other = items[oldest, _FRAME]
                            if (
                                items[oldest, _PACKET] == 0
                                and ways.refusable[items[oldest, _STEP]]
                                and status[other] == UNDER_WAY
                                and items[oldest, _LEG] == leg[other]
                            ):
                                break
                            oldest = items[oldest, _NEXT]
                        if oldest >= 0:
                            joins = True
                            frame = items[oldest, _FRAME]
                            waiting[server] -= 1
                    where[frame] = server
                    if rule == EXIT and ways.home[step] >= 0:
                        tallies[server, AT_HOME] += 1
                        leg[frame] += 1
                        way[frame] = ways.home[step]
                        begin = ways.first[way[frame]]
                        if begin == ways.first[way[frame] + 1]:
                            status[frame], ended[frame] = DONE, now
                        else:
                            items[arrived, _STEP], items[arrived, _COUNT] = begin, ways.packets[begin]
                            items[arrived, _LEG] = leg[frame]
                            again = (_ARRIVAL << 60) | order[frame]
                            size, soon = _add(times, keys, held, size, soon, now, again, arrived)
                            continue
                    else:
                        tallies[server, LOST] += 1
                        status[frame], ended[frame] = DROPPED, now
                if joins:
                    waiting[server] += 1
            if not joins:
                items[arrived, _NEXT], spare = spare, arrived
                continue
            items[arrived, _JOINED], items[arrived, _NEXT] = now, -1
            idle = free[server] > 0 and head[server] < 0
            if idle and servers.batch[server] == 1 and items[arrived, _COUNT] <= 1:
                straight = arrived  # nobody waits: it needs no queue
            elif tail[server] >= 0:
                items[tail[server], _NEXT] = arrived
                tail[server] = arrived
            else:
                head[server] = tail[server] = arrived
        # The server takes what it can.
        while free[server] > 0:
            while straight < 0 and head[server] >= 0:
                first = head[server]
                if status[items[first, _FRAME]] == UNDER_WAY and items[first, _LEG] == leg[items[first, _FRAME]]:
                    break
                head[server] = items[first, _NEXT]
                items[first, _NEXT], spare = spare, first
            first = straight if straight >= 0 else head[server]
            if first < 0:
                tail[server] = -1
                break
            step = items[first, _STEP]
            chain = -1
            if straight >= 0:
                chain, straight = straight, -1
            elif servers.batch[server] > 1:
                alike, kind, each = 0, ways.kind[step], first
                while each >= 0 and alike < servers.batch[server]:
                    frame = items[each, _FRAME]
                    if (
                        ways.kind[items[each, _STEP]] == kind
                        and status[frame] == UNDER_WAY
                        and items[each, _LEG] == leg[frame]
                    ):
                        alike += 1
                    each = items[each, _NEXT]
                deadline = items[first, _JOINED] + servers.batch_wait[server]
                full = 0 <= servers.room[server] < waiting[server]
                if alike < servers.batch[server] and now < deadline and not full:
                    if armed[server] != deadline:
                        armed[server] = deadline
                        timer = (_TIMER << 60) | server
                        size, soon = _add(times, keys, held, size, soon, deadline, timer, server)
                    break
                # Those of one kind leave the queue, in order, and are chained.
                previous, each, last_in_chain = -1, first, -1
                while each >= 0 and alike > 0:
                    following = items[each, _NEXT]
                    frame = items[each, _FRAME]
                    if (
                        ways.kind[items[each, _STEP]] == kind
                        and status[frame] == UNDER_WAY
                        and items[each, _LEG] == leg[frame]
                    ):
                        alike -= 1
                        if previous >= 0:
                            items[previous, _NEXT] = following
                        else:
                            head[server] = following
                        if tail[server] == each:
                            tail[server] = previous
                        items[each, _NEXT] = -1
                        if last_in_chain >= 0:
                            items[last_in_chain, _NEXT] = each
                        else:
                            chain = each
                        last_in_chain = each
                    else:
                        previous = each
                    each = following
            elif items[first, _COUNT] > 1:  # the next packet of those that came together
                if spare >= 0:
                    chain, spare = spare, items[spare, _NEXT]
                else:
                    chain, made = made, made + 1
                items[chain] = items[first]
                items[chain, _COUNT], items[chain, _NEXT] = 1, -1
                items[first, _PACKET] += 1
                items[first, _COUNT] -= 1
            else:
                chain = first
                head[server] = items[first, _NEXT]
                if head[server] < 0:
                    tail[server] = -1
                items[chain, _NEXT] = -1
            lasts, each = 0, chain
            while each >= 0:
                frame, step, packet = items[each, _FRAME], items[each, _STEP], items[each, _PACKET]
                if ways.draw[step] >= 0:
                    lasts += frames.drawn[frame, ways.draw[step]]
                elif packet == ways.packets[step] - 1:
                    lasts += ways.last_service[step]
                else:
                    lasts += ways.service[step]
                if packet == 0:
                    waiting[server] -= 1
                    tallies[server, SERVED] += 1
                    waited[server] += now - items[each, _JOINED]
                each = items[each, _NEXT]
            free[server] -= 1
            tallies[server, BUSY] += min(lasts, until - now)
            tallies[server, UNTIL] = max(tallies[server, UNTIL], now + lasts)
            each = chain
            while each >= 0 and logged > 0:
                frame = items[each, _FRAME]
                if (order[frame] >> 18) & (MOST_FRAMES - 1) < logged:
                    if lines == log.shape[0]:
                        longer = np.empty((2 * lines, 6), np.int64)
                        longer[:lines] = log
                        log = longer
                    log[lines, 0], log[lines, 1], log[lines, 2] = server, frame, items[each, _STEP]
                    log[lines, 3], log[lines, 4], log[lines, 5] = items[each, _JOINED], now, now + lasts
                    lines += 1
                each = items[each, _NEXT]
            end = (_END << 60) | order[items[chain, _FRAME]] | items[chain, _PACKET]
            size, soon = _add(times, keys, held, size, soon, now + lasts, end, chain)
        tallies[server, LONGEST] = max(tallies[server, LONGEST], waiting[server])
    return log[:lines].copy()
