"""What became of a stream of frames: counts, latencies, what was busy, and whether the rate can be kept up."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tiercut.analysis.stream.arguments import (
    AT_HOME,
    BEHIND,
    BUSY,
    DONE,
    DROPPED,
    LAST,
    LONGEST,
    LOST,
    SERVED,
    UNBORN,
    UNTIL,
    Frames,
)
from tiercut.analysis.stream.layout import PICOSECONDS, Layout, Server
from tiercut.analysis.stream.steadiness import Latencies
from tiercut.shown import Shown

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from tiercut.optimizer import Plan

__all__ = ["FORMAT", "ServerUse", "Source", "Stream", "Verdict"]

FORMAT = "tiercut.stream/1"

Verdict = Literal["stable", "backlogged", "overloaded"]

_SLACK = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What one source sends, and through which plan.

    Parameters
    ----------
    node
        Where its frames are born.
    plan
        Which they take.
    rate
        Frames per second; None where a trace says when they are born.
    busy_s
        V: seconds for which one of its frames keeps each server busy on average.
    right
        Expected accuracy of those who leave at each exit, by its 1-based block; nan where it is not known.
    codec_drop
        By how much codecs lower it, by block.
    correct
        N x S: which branch is right about which recorded sample, and which sample each frame is; None: drawn exits.
    """

    node: str
    plan: Plan
    rate: float | None
    busy_s: NDArray[np.float64]
    right: dict[int, float]
    codec_drop: dict[int, float]
    correct: tuple[NDArray[np.uint8], NDArray[np.int64]] | None


@dataclass(frozen=True, slots=True)
class ServerUse:
    """What a node or a direction of a link did.

    Parameters
    ----------
    server
        Which it is.
    utilisation
        Share of the time that its workers were busy; None where no time passed.
    wait_s
        Mean seconds that payloads waited that were served; None where none was.
    served, dropped, sent_home
        Numbers of payloads that were served, of frames that found no room and were dropped, and that went home.
    longest
        The most payloads that waited at once.
    load
        Share of the time that it would be busy if nothing were dropped; None where a trace has no rate.
    """

    server: Server
    utilisation: float | None
    wait_s: float | None
    served: int
    dropped: int
    sent_home: int
    longest: int
    load: float | None

    def to_data(self) -> dict[str, Any]:
        """Return it as it stands in ``tiercut.stream/1``."""
        told = ("utilisation", "wait_s", "dropped", "sent_home", "served", "longest", "load")
        return {self.server.key: self.server.name} | {name: getattr(self, name) for name in told}


@dataclass(frozen=True, slots=True, eq=False)
class Stream(Shown):
    """A stream of F frames from S sources over V servers. Arrays hold whole picoseconds.

    Parameters
    ----------
    topology, profile
        Names, for display.
    sources
        In the order of the call.
    layout
        Servers, and the ways through them.
    frames
        As they were born.
    status, ended, way, where
        F: what became of each (see `tiercut.analysis.stream.arguments`), when it ended (-1: it has not), the way that
        it took in the end, and the server that dropped it or sent it home (-1: none).
    tallies, waited
        V x 8 and V: what was counted of servers, and the time that payloads waited.
    log
        L x 6: services of the first frames (server, frame, step, joined, began, ended), for a time line.
    until
        When it was stopped; None: all frames have ended.
    seconds
        What the engine took.
    """

    topology: str
    profile: str
    sources: tuple[Source, ...]
    layout: Layout
    frames: Frames
    status: NDArray[np.int8]
    ended: NDArray[np.int64]
    way: NDArray[np.int64]
    where: NDArray[np.int64]
    tallies: NDArray[np.int64]
    waited: NDArray[np.float64]
    log: NDArray[np.int64]
    until: int | None = None
    seconds: float = 0.0

    def __repr__(self) -> str:
        return f"<Stream of {self.born:,} frames on {self.topology}: {self.verdict}, {self.dropped:,} dropped>"

    @property
    def born(self) -> int:
        """How many frames were born: done, dropped and in flight together."""
        return int(np.count_nonzero(self.status != UNBORN))

    @property
    def done(self) -> int:
        """How many frames have an answer at the destination, those that were sent home among them."""
        return int(np.count_nonzero(self.status == DONE))

    @property
    def dropped(self) -> int:
        """How many frames found no room and have no answer."""
        return int(np.count_nonzero(self.status == DROPPED))

    @property
    def in_flight(self) -> int:
        """How many frames had not ended when the stream was stopped."""
        return self.born - self.done - self.dropped

    @property
    def sent_home(self) -> int:
        """How many frames were sent home with an earlier answer, for want of room."""
        return int(self.tallies[:, AT_HOME].sum())

    @property
    def _span(self) -> tuple[int, int]:
        """The first birth, and the last end or when the stream was stopped."""
        born = self.status != UNBORN
        if not born.any():
            return 0, 0
        first = int(self.frames.birth[born].min())
        last = int(self.until) if self.until is not None and self.in_flight else int(self.ended[born].max())
        return first, last

    @property
    def total_s(self) -> float:
        """Seconds from the first birth to the last end, or to when the stream was stopped with frames in flight."""
        first, last = self._span
        return (last - first) / PICOSECONDS

    @property
    def latencies(self) -> Latencies:
        """Latencies of the frames that are done, in order of birth."""
        return self._latencies(self.status == DONE)

    def latencies_of(self, source: int) -> Latencies:
        """Return the latencies of the frames of one source that are done."""
        return self._latencies((self.status == DONE) & self._of(source))

    def _latencies(self, chosen: NDArray[np.bool_]) -> Latencies:
        birth = self.frames.birth[chosen]
        order = np.argsort(birth, kind="stable")
        return Latencies((self.ended[chosen] - birth)[order] / PICOSECONDS)

    def _of(self, source: int) -> NDArray[np.bool_]:
        chosen = np.zeros(len(self.status), bool)
        chosen[self.frames.first[source] : self.frames.first[source + 1]] = True
        return chosen

    @property
    def exit_counts(self) -> dict[int, int]:
        """How many frames have the answer of each exit, by its 1-based block."""
        return self._exit_counts(self.status == DONE)

    def _exit_counts(self, chosen: NDArray[np.bool_]) -> dict[int, int]:
        counts = np.bincount(self.way[chosen], minlength=len(self.layout.ends))
        found = {block: 0 for source in self.sources for block in source.plan.exits}
        for end, count in zip(self.layout.ends, counts.tolist(), strict=True):
            found[end.block] = found.get(end.block, 0) + count
        return dict(sorted(found.items()))

    @property
    def accuracy(self) -> float | None:
        """Share of right answers among the frames that are done; None where it is not known.

        Of recorded samples as they were recorded, else as the profile expects it of those who leave at each exit. What
        codecs cost is taken off. Drawn frames that were sent home have no accuracy that the profile knows.
        """
        return self._accuracy(range(len(self.sources)))

    def _accuracy(self, sources: range) -> float | None:
        right, count = 0.0, 0
        for index in sources:
            found = self._right(index)
            if found is None:
                return None
            right, count = right + found[0], count + found[1]
        return right / count if count else None

    def _right(self, index: int) -> tuple[float, int] | None:
        """Return how many right answers a source has, and how many answers."""
        source, rows = self.sources[index], slice(self.frames.first[index], self.frames.first[index + 1])
        done = self.status[rows] == DONE
        blocks = np.array([end.block for end in self.layout.ends])[self.way[rows][done]]
        exits, counts = np.unique(blocks, return_counts=True)
        fall = sum(
            source.codec_drop.get(int(each), 0.0) * int(count) for each, count in zip(exits, counts, strict=True)
        )
        if source.correct is not None:
            correct, sample = source.correct
            return float(np.count_nonzero(correct[blocks - 1, sample[done]])) - fall, len(blocks)
        if np.any(self.way[rows][done] != self.frames.way[rows][done]):
            return None
        hits = sum(source.right[int(each)] * int(count) for each, count in zip(exits, counts, strict=True))
        return None if np.isnan(hits) else (hits - fall, len(blocks))

    @property
    def load(self) -> NDArray[np.float64] | None:
        """V: share of the time that each server would be busy if nothing were dropped; None where a rate is unknown."""
        rates = [self._rate(index) for index in range(len(self.sources))]
        if any(rate is None for rate in rates):
            return None
        busy = sum((rate or 0.0) * source.busy_s for rate, source in zip(rates, self.sources, strict=True))
        load: NDArray[np.float64] = np.asarray(busy, float) / [each.workers for each in self.layout.servers]
        return load

    def _rate(self, index: int) -> float | None:
        """Return frames per second of a source: as asked, or as many as the trace has between its first and last."""
        if (asked := self.sources[index].rate) is not None:
            return asked
        birth = self.frames.birth[self.frames.first[index] : self.frames.first[index + 1]]
        span = (birth[-1] - birth[0]) / PICOSECONDS
        return (len(birth) - 1) / span if span > 0 else None

    @property
    def bottleneck(self) -> Server | None:
        """The server with the greatest load; None where no load is known."""
        load = self.load
        return None if load is None else self.layout.servers[int(np.argmax(load))]

    @property
    def sustainable_rate(self) -> float | None:
        """Frames per second of all sources together at which the busiest server has no time left.

        With several sources the rates of all grow alike. None where nothing takes time, or a rate is unknown.
        """
        if len(self.sources) == 1:
            busy = float((self.sources[0].busy_s / [each.workers for each in self.layout.servers]).max())
            return 1.0 / busy if busy > 0 else None
        load = self.load
        if load is None or not load.max() > 0:
            return None
        return sum(self._rate(index) or 0.0 for index in range(len(self.sources))) / float(load.max())

    @property
    def verdict(self) -> Verdict:
        """Whether the servers keep up.

        ``overloaded``: a server is asked for more than it can do, so its queue grows without end, or loses frames for
        ever. ``backlogged``: the load is below that, but for more than half of the time in which frames were born, and
        until the last of them came, every payload found some server busy. ``stable``: neither.
        """
        load = self.load
        if load is not None and load.max() > 1 + _SLACK:
            return "overloaded"
        birth = self.frames.birth[self.status != UNBORN]
        behind = self.tallies[:, BEHIND] >= 0
        if len(birth) and np.any(behind):
            held = (self.tallies[:, LAST] - self.tallies[:, BEHIND])[behind].max()
            if held > (birth.max() - birth.min()) / 2:
                return "backlogged"
        return "stable"

    @property
    def servers(self) -> tuple[ServerUse, ...]:
        """What each node and link did, nodes first."""
        first, last = self._span
        load = self.load
        return tuple(
            self._use(index, last - first, last, None if load is None else float(load[index]))
            for index in range(len(self.layout.servers))
        )

    def _use(self, index: int, span: int, last: int, load: float | None) -> ServerUse:
        server, told = self.layout.servers[index], self.tallies[index].tolist()
        # What is left of a payload that was dropped elsewhere may still be on a link when the last frame ends.
        busy = told[BUSY] - max(0, told[UNTIL] - last if self.until is None else 0)
        served = told[SERVED]
        return ServerUse(
            server=server,
            utilisation=busy / (span * server.workers) if span else None,
            wait_s=float(self.waited[index]) / served / PICOSECONDS if served else None,
            served=served,
            dropped=told[LOST],
            sent_home=told[AT_HOME],
            longest=told[LONGEST],
            load=load,
        )

    def to_data(self) -> dict[str, Any]:
        """Return the stream as plain data, ``tiercut.stream/1``."""
        several = len(self.sources) > 1
        sources = {"sources": [self._source_data(index) for index in range(len(self.sources))]} if several else {}
        return {
            "format": FORMAT,
            "frames": self.born,
            "done": self.done,
            "dropped": self.dropped,
            "in_flight": self.in_flight,
            "sent_home": self.sent_home,
            "total_s": self.total_s,
            "sustainable_rate": self.sustainable_rate,
            "verdict": self.verdict,
            "bottleneck": None if self.bottleneck is None else {self.bottleneck.key: self.bottleneck.name},
            **self._answers(self.latencies, self.exit_counts, self.accuracy),
            "servers": [each.to_data() for each in self.servers],
            **sources,
        }

    @staticmethod
    def _answers(latencies: Latencies, counts: dict[int, int], accuracy: float | None) -> dict[str, Any]:
        done = sum(counts.values())
        return {
            **latencies.to_data(),
            "accuracy": accuracy,
            "exit_rate": {str(block): count / done if done else None for block, count in counts.items()},
        }

    def _source_data(self, index: int) -> dict[str, Any]:
        source, mine = self.sources[index], self._of(index)
        status = self.status[mine]
        done = mine & (self.status == DONE)
        return {
            "source": source.node,
            "plan": str(source.plan),
            "rate": self._rate(index),
            "frames": int(np.count_nonzero(status != UNBORN)),
            "done": int(np.count_nonzero(status == DONE)),
            "dropped": int(np.count_nonzero(status == DROPPED)),
            "in_flight": int(np.count_nonzero(status == 1)),
            **self._answers(
                self._latencies(done), self._own_exits(index, done), self._accuracy(range(index, index + 1))
            ),
        }

    def _own_exits(self, index: int, done: NDArray[np.bool_]) -> dict[int, int]:
        counts = self._exit_counts(done)
        return {block: counts.get(block, 0) for block in self.sources[index].plan.exits}

    def to_json(self) -> str:
        """Return the stream as JSON text, numbers unrounded."""
        return json.dumps(self.to_data(), indent=1, allow_nan=False, ensure_ascii=False)

    def to_trace(self, path: str | os.PathLike[str]) -> None:
        """Write the services that were kept as a trace that Perfetto (ui.perfetto.dev) opens.

        Raises
        ------
        QuestionError
            If none were kept (see ``time_line`` of `tiercut.simulate`).
        """
        from tiercut import documents
        from tiercut.analysis.stream.time_line import trace_text

        documents.write_text(path, trace_text(self))

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each frame that was born, by source and order of birth.

        Columns: source (index), node, frame, status (done, dropped or in flight), born_s, ended_s, latency_s (nan where
        there is none), exit (1-based block of the answer), refused_by (the server that dropped it or sent it home).
        """
        import pandas as pd

        born = self.status != UNBORN
        sizes = np.diff(self.frames.first)
        source = np.repeat(np.arange(len(sizes)), sizes)[born]
        number = (np.arange(len(born)) - np.repeat(self.frames.first[:-1], sizes))[born]
        done = self.status[born] == DONE
        ended = np.where(self.ended[born] >= 0, self.ended[born] / PICOSECONDS, np.nan)
        birth = self.frames.birth[born] / PICOSECONDS
        blocks = np.array([end.block for end in self.layout.ends])[self.way[born]]
        names = np.array([*(each.name for each in self.layout.servers), None], object)
        words = np.array(["", "in flight", "done", "dropped"], object)
        spent = (self.ended[born] - self.frames.birth[born]) / PICOSECONDS
        return pd.DataFrame(
            {
                "source": source,
                "node": np.array([each.node for each in self.sources], object)[source],
                "frame": number,
                "status": words[self.status[born]],
                "born_s": birth,
                "ended_s": ended,
                "latency_s": np.where(done, spent, np.nan),
                "exit": pd.Series(blocks, dtype="Int64").where(done),
                "refused_by": names[self.where[born]],
            }
        )

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write `to_frame` as a Parquet file, whole.

        Raises
        ------
        QuestionError
            If pyarrow, which writes it, is not installed.
        """
        from tiercut.documents.parquet import write_parquet

        sorts: dict[str, type] = dict.fromkeys(("node", "status", "refused_by"), str)
        write_parquet(self.to_frame(), path, sorts | dict.fromkeys(("source", "frame", "exit"), int))
