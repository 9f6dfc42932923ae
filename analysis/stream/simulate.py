"""Frames through plans: what is born when, leaves where and is served for how long, and the engine that runs it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tiercut.analysis.stream.arguments import BEHIND, EXIT, NEWEST, OLDEST, TALLIES, Frames
from tiercut.analysis.stream.arrivals import births, read_trace
from tiercut.analysis.stream.engines import NEVER, Told, run_stream
from tiercut.analysis.stream.event_kernels import MOST_FRAMES, MOST_SOURCES
from tiercut.analysis.stream.layout import PICOSECONDS, Layout, lay_out, whole
from tiercut.analysis.stream.result import Source, Stream
from tiercut.analysis.stream.service import Service, lognormal_draws
from tiercut.errors import QuestionError
from tiercut.memory import check_room
from tiercut.optimizer import itinerary, price, shares_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.analysis.stream.question import Drop
    from tiercut.optimizer import Decision, Problem, Recorded
    from tiercut.topologies import Topology

__all__ = ["Feed", "simulate_feeds"]

_RULES = {"newest": NEWEST, "oldest": OLDEST, "exit": EXIT}

_BYTES_A_FRAME = 120.0


@dataclass(frozen=True, slots=True, eq=False)
class Feed:
    """Frames of one source and the plan that they take.

    Parameters
    ----------
    problem, decision
        Tables with the source and destination of the frames, and what was decided.
    service
        What serving takes on each node.
    rate
        Frames per second; None where a trace says when they are born.
    arrivals
        ``periodic``, ``poisson``, or a trace file (see `tiercut.analysis.stream.arrivals.read_trace`).
    frames
        How many; None: all of the trace.
    recorded
        Samples whose exits the frames take, one after the other and again from the first; None: exits are drawn.
    first_s
        When the first one is born, where no trace says it.
    """

    problem: Problem
    decision: Decision
    service: Service
    rate: float | None
    arrivals: str | os.PathLike[str]
    frames: int | None
    recorded: Recorded | None
    first_s: float = 0.0


def simulate_feeds(
    topology: Topology,
    feeds: Sequence[Feed],
    *,
    queue: int | None = None,
    drop: Drop = "newest",
    seed: int = 0,
    until_s: float | None = None,
    logged: int = 0,
) -> Stream:
    """Return what becomes of frames that several sources send through their plans at once.

    Parameters
    ----------
    topology
        Nodes and links, which all share.
    feeds
        A source each, in the order that decides at equal times.
    queue
        How many payloads may wait at each node or link direction; None: any number.
    drop
        Who goes where there is no room: the ``newest``, the ``oldest``, or whoever comes takes the ``exit``.
    seed
        Of everything random; an integer of 0 or more.
    until_s
        When to stop, in seconds; None: when all frames have ended.
    logged
        Of how many frames of each source every service is kept, for a time line.

    Raises
    ------
    InputError, QuestionError
        If a trace or a number is wrong.
    """
    _check(queue, seed, feeds)
    plans = [(feed.problem, feed.decision, feed.service) for feed in feeds]
    layout = lay_out(topology, plans, queue=queue, rule=_RULES[drop])
    until = NEVER if until_s is None else whole(_positive("until", until_s), "until")
    seeds = np.random.SeedSequence(seed).spawn(len(feeds))
    made = [_frames_of(feed, layout, index, seeds[index]) for index, feed in enumerate(feeds)]
    columns = max((each.drawn.shape[1] for each in made), default=0)
    frames = Frames(
        first=np.cumsum([0, *(len(each.birth) for each in made)]).astype(np.int64),
        birth=np.concatenate([each.birth for each in made]),
        way=np.concatenate([each.way for each in made]),
        drawn=np.concatenate([np.pad(each.drawn, ((0, 0), (0, columns - each.drawn.shape[1]))) for each in made]),
    )
    _check_length(layout, frames)
    count, servers = len(frames.birth), len(layout.servers)
    status, ended = np.zeros(count, np.int8), np.full(count, -1, np.int64)
    way, where = frames.way.copy(), np.full(count, -1, np.int64)
    tallies, waited = np.zeros((servers, TALLIES), np.int64), np.zeros(servers)
    tallies[:, BEHIND] = -1
    told = Told(status, ended, way, where, tallies, waited)
    began = time.perf_counter()
    log = run_stream(layout.arrays, layout.ways, frames, _RULES[drop], until, logged, *told)
    seconds = time.perf_counter() - began
    sources = tuple(
        _source(feed, layout, index, each.sample) for index, (feed, each) in enumerate(zip(feeds, made, strict=True))
    )
    return Stream(
        topology=topology.name,
        profile=feeds[0].problem.profile,
        sources=sources,
        layout=layout,
        frames=frames,
        status=status,
        ended=ended,
        way=way,
        where=where,
        tallies=tallies,
        waited=waited,
        log=log,
        until=None if until_s is None else until,
        seconds=seconds,
    )


def _check(queue: int | None, seed: int, feeds: Sequence[Feed]) -> None:
    if queue is not None and not queue >= 0:
        raise QuestionError(f"a queue holds 0 or more waiting frames, not {queue}; leave it out for no bound")
    if seed < 0:
        raise QuestionError(f"a seed is 0 or more, not {seed}")
    if len(feeds) > MOST_SOURCES:
        raise QuestionError(f"a stream has at most {MOST_SOURCES:,} sources, not {len(feeds):,}")
    for feed in feeds:
        if feed.frames is not None and not 1 <= feed.frames < MOST_FRAMES:
            raise QuestionError(f"frames is 1 or more, less than {MOST_FRAMES:,}, not {feed.frames:,}")
        if feed.rate is not None:
            _positive("the rate", feed.rate)
    check_room(_BYTES_A_FRAME * sum(feed.frames or 0 for feed in feeds), "all frames of the stream (--frames)")


def _check_length(layout: Layout, frames: Frames) -> None:
    """Refuse a stream that would last longer than picoseconds can be counted, whatever it does."""
    ways = layout.ways
    steps = ways.service.astype(float) * (ways.packets - 1) + ways.last_service + ways.after
    steps[ways.draw >= 0] = 0.0  # those are drawn for each frame
    each = np.add.reduceat(np.append(steps, 0.0), ways.first[:-1]) * (np.diff(ways.first) > 0)
    taken = np.bincount(frames.way, minlength=len(each))
    longest = float(frames.birth.max()) + float(taken @ each) + float(frames.drawn.sum(dtype=float))
    longest += float(layout.arrays.batch_wait.max()) * len(frames.way)
    whole(longest / PICOSECONDS, "a stream in which every frame waits for all others")


def _positive(what: str, value: float) -> float:
    if not 0 < value < float("inf"):
        raise QuestionError(f"{what} is a number greater than 0, not {value:g}")
    return value


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    birth: NDArray[np.int64]
    way: NDArray[np.int64]
    drawn: NDArray[np.int64]
    sample: NDArray[np.int64] | None


def _frames_of(feed: Feed, layout: Layout, index: int, seed: np.random.SeedSequence) -> _Made:
    """Return births, ways and drawn services of one source; each has random numbers of its own."""
    arriving, leaving, serving = (np.random.default_rng(each) for each in seed.spawn(3))
    birth = _births(feed, arriving)
    ways = np.array(layout.exits[index], np.int64)
    sample = None
    if feed.recorded is not None:
        sample = np.arange(len(birth)) % feed.recorded.count
        way = ways[_leaving(feed)[sample]]
    else:
        limits = np.cumsum(itinerary(feed.problem, feed.decision).exit_rates)[:-1]
        way = ways[np.searchsorted(limits, leaving.random(len(birth)), side="right")]
    return _Made(birth, way, _drawn(layout, way, serving), sample)


def _births(feed: Feed, rng: np.random.Generator) -> NDArray[np.int64]:
    if feed.arrivals in ("periodic", "poisson"):
        if feed.rate is None:
            raise QuestionError(
                f"{feed.arrivals} arrivals need a rate, such as --rate '30 fps'; or a trace of births (--arrivals FILE)"
            )
        return births(str(feed.arrivals), feed.rate, feed.frames or 1, rng) + whole(feed.first_s, "the first birth")
    if feed.rate is not None:
        raise QuestionError(
            f"the trace '{feed.arrivals}' says when frames are born, so leave --rate out; or --arrivals is periodic or "
            "poisson"
        )
    times = read_trace(feed.arrivals)
    if feed.frames is not None and feed.frames > len(times):
        raise QuestionError(
            f"the trace '{feed.arrivals}' has {len(times):,} frames, and {feed.frames:,} were asked for"
        )
    return times[: feed.frames]


def _leaving(feed: Feed) -> NDArray[np.int64]:
    """Return which of the exits of the plan each recorded sample takes, 0-based."""
    assert feed.recorded is not None
    feed.recorded.check_blocks(feed.problem.profile, feed.problem.block_count)
    decision = feed.decision
    before = len(decision.exits) - 1
    chosen = decision.thresholds or (decision.threshold or 0,) * before
    blocks = feed.recorded.leaving(decision.exits, [float(feed.problem.thresholds[each]) for each in chosen])
    return np.searchsorted(np.array(decision.exits), blocks)


def _drawn(layout: Layout, way: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return F x C services of nodes in picoseconds; none where they are constant."""
    first, draw = layout.ways.first, layout.ways.draw
    used = np.unique(way).tolist()
    columns = max((int(draw[first[each] : first[each + 1]].max()) + 1 for each in used), default=0)
    services = np.zeros((len(way), columns), np.int64)
    normal = rng.standard_normal((len(way), columns))
    for each in used:
        rows = np.flatnonzero(way == each)
        for step in range(first[each], first[each + 1]):
            if (column := draw[step]) >= 0:
                low, high, constant = layout.spread[step]
                seconds = constant + lognormal_draws(np.array(low), np.array(high), normal[rows, column])
                whole(float(seconds.max(initial=0.0)), layout.stages[step])
                services[rows, column] = np.rint(seconds * PICOSECONDS).astype(np.int64)
    return services


def _source(feed: Feed, layout: Layout, index: int, sample: NDArray[np.int64] | None) -> Source:
    """Return what a source offers to the servers, and what is known of its answers."""
    problem, decision = feed.problem, feed.decision
    path = itinerary(problem, decision)
    if feed.recorded is None:
        rates = np.array(path.exit_rates)
    else:
        rates = np.bincount(_leaving(feed), minlength=len(decision.exits)) / feed.recorded.count
    busy = sum(rate * layout.busy_s(way) for rate, way in zip(rates.tolist(), layout.exits[index], strict=True))
    rows = None if feed.recorded is None or sample is None else (feed.recorded.correct, sample)
    return Source(
        node=problem.nodes[problem.source],
        plan=price(problem, decision),
        rate=feed.rate,
        busy_s=np.asarray(busy, float),
        right=_right(problem, decision),
        codec_drop=_codec_drops(problem, decision),
        correct=rows,
    )


def _right(problem: Problem, decision: Decision) -> dict[int, float]:
    """Return the expected accuracy of those who leave at each exit, by block; nan where none is known."""
    shares, reach, right = shares_of(problem, decision), 1.0, {}
    for block, onward, hits in zip(decision.exits, shares.onward, shares.right, strict=True):
        left = reach - onward
        right[block] = hits / left if left > 0 else float(problem.accuracy[block - 1])
        reach = onward
    return right


def _codec_drops(problem: Problem, decision: Decision) -> dict[int, float]:
    """Return by how much codecs, of the input and at cuts before it, lower the accuracy at each exit, by block."""
    codecs = decision.codecs or (None,) * (len(decision.partition) - 1)
    cuts = zip((0, *decision.partition), (decision.input_codec, *codecs), strict=False)
    falls = [(block, float(problem.codec_drop[codec, block])) for block, codec in cuts if codec is not None]
    return {exit_: sum(fall for block, fall in falls if block < exit_) for exit_ in decision.exits}
