"""Where the time of every frame of a run went, with what was predicted for it: as a table, a file and a trace."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tiercut import documents
from tiercut.documents import trace_events
from tiercut.documents.parquet import write_parquet
from tiercut.errors import QuestionError
from tiercut.offloader.agent.timings import named, of_stage
from tiercut.offloader.bundles.manifest import Bundle
from tiercut.offloader.local.driver import Outcome
from tiercut.offloader.local.prediction import Predicted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ON_THE_WAY", "FrameTimes", "Term", "frame_times"]

_STEPS = ("encode", "send", "decode", "queue", "compute")
"""What is timed at each stage, in the order of a frame: tensors to bytes where it was before, on the way, bytes to
tensors, waiting for a worker, pieces."""
_ENCODE, _SEND, _DECODE, _QUEUE, _COMPUTE = range(5)
_WAY = [_ENCODE, _SEND, _DECODE, _QUEUE]

Numbers = NDArray[np.float64]


class Term(NamedTuple):
    """A part of a latency.

    Parameters
    ----------
    name
        For people: a node with its blocks, or what is sent.
    sort
        ``send`` (to a stage), ``compute``, ``result`` (from wherever a frame leaves) or ``rest`` (what is left of the
        latency; between machines also all that their clocks cannot tell apart).
    stage
        0-based; None for the last two.
    """

    name: str
    sort: Literal["send", "compute", "result", "rest"]
    stage: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FrameTimes:
    """All frames of a run, F of them, over S stages, in seconds; nan where a frame did not come, or nobody can tell.

    Parameters
    ----------
    nodes, blocks
        S: where each stage runs, and its first and last block.
    due_s, late_s
        F: when each was due, from the first one's time on, and how much later the source sent it.
    latency_s
        F: from when it was due until its answer; nan where it failed.
    failed_s, failures, fell_back
        F: from when it was due until it was reported failed, else nan; the reason, else None; and why it was answered
        from an earlier exit than the plan's, else None.
    exit, entropy
        F: the block where it left, 0 where it failed; its entropy there.
    right
        F: whether the answer is the right class; None where that is not known.
    as_uncut
        F: whether it left where it leaves the uncut network, with the same answer.
    steps
        F x S x 5: tensors to bytes before a stage, on the way there, bytes to tensors, waiting, and computing.
    encode_s, return_s
        F: the result to bytes where it left, and on its way home.
    predicted_s
        F x (2S + 1): what the model says of a frame that leaves where this one leaves the uncut network: by stage the
        way there and computing; last the way home.
    one_clock
        Whether all ran on one machine, so that the time between agents is known.
    """

    nodes: tuple[str, ...]
    blocks: tuple[tuple[int, int], ...]
    due_s: Numbers
    late_s: Numbers
    latency_s: Numbers
    failed_s: Numbers
    failures: tuple[str | None, ...]
    fell_back: tuple[str | None, ...]
    exit: NDArray[np.int64]
    entropy: Numbers
    right: tuple[bool | None, ...]
    as_uncut: tuple[bool, ...]
    steps: Numbers
    encode_s: Numbers
    return_s: Numbers
    predicted_s: Numbers
    one_clock: bool = True

    @property
    def terms(self) -> tuple[Term, ...]:
        """The parts of a latency, in the order of a frame."""
        found = []
        for stage, (node, (first, last)) in enumerate(zip(self.nodes, self.blocks, strict=True)):
            found.append(Term(f"to {node}", "send", stage))
            found.append(Term(f"{node} {first}" if first == last else f"{node} {first}-{last}", "compute", stage))
        return *found, Term("result", "result"), Term("the rest" if self.one_clock else ON_THE_WAY, "rest")

    @property
    def measured_s(self) -> Numbers:
        """The parts of each latency, F x terms; they sum to it. nan where a frame failed, 0 where it did not come."""
        parts = np.zeros((len(self.due_s), 2 * len(self.nodes) + 2))
        if self.one_clock:
            parts[:, :-2:2] = np.nan_to_num(self.steps[:, :, _WAY]).sum(axis=2)
            parts[:, -2] = np.nan_to_num(self.encode_s) + np.nan_to_num(self.return_s)
        parts[:, 1:-1:2] = np.nan_to_num(self.steps[:, :, _COMPUTE])
        parts[:, -1] = self.latency_s - parts.sum(axis=1)
        parts[np.isnan(self.latency_s)] = np.nan
        return parts

    @property
    def predicted_latency_s(self) -> Numbers:
        """What the model says of each frame, F."""
        total: Numbers = self.predicted_s.sum(axis=1)
        return total

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each frame, in order.

        Columns: frame, status (answered or failed), due_s, late_s (how much later it was sent), ended_s, latency_s,
        predicted_s, exit (1-based block), entropy, right, as_uncut (the answer and exit are the uncut network's),
        failure, fell_back (why it was answered from an earlier exit); and for each stage ``NUMBER-NODE.`` with
        encode_s, send_s, decode_s, queue_s, compute_s and the predicted_send_s and predicted_compute_s; last result_s
        and predicted_result_s.
        """
        import pandas as pd

        failed = np.isnan(self.latency_s)
        columns: dict[str, Any] = {
            "frame": np.arange(len(self.due_s)),
            "status": np.where(failed, "failed", "answered"),
            "due_s": self.due_s,
            "late_s": self.late_s,
            "ended_s": self.due_s + np.where(failed, self.failed_s, self.latency_s),
            "latency_s": self.latency_s,
            "predicted_s": self.predicted_latency_s,
            "exit": pd.Series(self.exit, dtype="Int64").where(self.exit > 0),
            "entropy": self.entropy,
            "right": pd.Series(self.right, dtype="boolean"),
            "as_uncut": self.as_uncut,
            "failure": pd.Series(self.failures, dtype=object),
            "fell_back": pd.Series(self.fell_back, dtype=object),
        }
        for stage, node in enumerate(self.nodes):
            name = f"{stage + 1}-{node}."
            columns |= {f"{name}{step}_s": self.steps[:, stage, place] for place, step in enumerate(_STEPS)}
            columns[f"{name}predicted_send_s"] = self.predicted_s[:, 2 * stage]
            columns[f"{name}predicted_compute_s"] = self.predicted_s[:, 2 * stage + 1]
        columns["result_s"] = self.encode_s + self.return_s
        columns["predicted_result_s"] = self.predicted_s[:, -1]
        return pd.DataFrame(columns)

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write `to_frame` as a Parquet file, whole.

        Raises
        ------
        QuestionError
            If pyarrow, which writes it, is not installed.
        """
        sorts: dict[str, type] = dict.fromkeys(("status", "failure", "fell_back"), str)
        sorts |= dict.fromkeys(("frame", "exit"), int) | dict.fromkeys(("right", "as_uncut"), bool)
        write_parquet(self.to_frame(), path, sorts)

    def to_trace(self, path: str | os.PathLike[str], marks: Sequence[tuple[float, str]] = ()) -> None:
        """Write what every node and link did for which frame as a trace that Perfetto (ui.perfetto.dev) opens.

        Steps of a frame follow one another from when it was due. What no step accounts for stands at its end.

        Parameters
        ----------
        path
            The file.
        marks
            What else happened: seconds from when the first frame was due, and what.

        Raises
        ------
        QuestionError
            If the frames crossed several machines, whose clocks differ.
        """
        if not self.one_clock:
            raise QuestionError(
                "a trace needs one clock for all agents, so it belongs to --local; of agents elsewhere it is not known "
                "when they did what"
            )
        documents.write_text(path, _trace_text(self, marks))


ON_THE_WAY = "on the way"
"""All that the clocks of several machines cannot tell apart."""


def frame_times(
    outcomes: Sequence[Outcome],
    bundles: Sequence[Bundle],
    prediction: Predicted,
    leaving: Sequence[int],
    right: Sequence[bool | None],
    as_uncut: Sequence[bool],
    *,
    one_clock: bool,
) -> FrameTimes:
    """Return where the time of every frame went.

    Parameters
    ----------
    outcomes
        What became of the frames, F.
    bundles
        Of the stages, S.
    prediction
        What the model says of the plan.
    leaving
        F: the block where each leaves the uncut network.
    right, as_uncut, one_clock
        See `FrameTimes`.
    """
    count, depth = len(outcomes), len(bundles)
    steps = np.full((count, depth, len(_STEPS)), np.nan)
    encode_s, entropy = np.full(count, np.nan), np.full(count, np.nan)
    for number, each in enumerate(outcomes):
        for stage in range(depth):
            if each.answered and (times := of_stage(each.parameters, stage + 1)) is not None:
                steps[number, stage] = [_before(each, stage), *(times.get(step, np.nan) for step in _STEPS[1:])]
                encode_s[number] = times.get("encode", np.nan)
        said = each.parameters.get("entropy")
        entropy[number] = float(said) if isinstance(said, str) else np.nan
    if not one_clock:
        steps[:, :, _SEND] = np.nan
    first_ns = outcomes[0].due_ns
    by_exit = {block: _predicted_parts(prediction, block, depth) for block in set(leaving)}
    return FrameTimes(
        tuple(each.node for each in bundles),
        tuple((each.blocks[0], each.blocks[1]) for each in bundles),
        due_s=np.array([(each.due_ns - first_ns) / 1e9 for each in outcomes]),
        late_s=np.array([each.late_ns / 1e9 for each in outcomes]),
        latency_s=np.array([each.latency_s if each.answered else np.nan for each in outcomes]),
        failed_s=np.array([np.nan if each.answered else each.latency_s for each in outcomes]),
        failures=tuple(each.failure for each in outcomes),
        fell_back=tuple(each.fell_back for each in outcomes),
        exit=np.array([each.exit or bundles[-1].blocks[1] if each.answered else 0 for each in outcomes]),
        entropy=entropy,
        right=tuple(right),
        as_uncut=tuple(as_uncut),
        steps=steps,
        encode_s=encode_s,
        return_s=np.array(
            [np.nan if each.return_s is None or not one_clock else each.return_s for each in outcomes], float
        ),
        predicted_s=np.array([by_exit[block] for block in leaving]),
        one_clock=one_clock,
    )


def _before(outcome: Outcome, stage: int) -> float:
    """Return the seconds that tensors took to become bytes before a stage, 0-based."""
    took = outcome.parameters.get(named(stage, "encode"))
    return took / 1e9 if isinstance(took, int) else float("nan")


def _predicted_parts(prediction: Predicted, block: int, depth: int) -> list[float]:
    """Return the predicted seconds of a frame that leaves after a block: by stage the way and computing, then home."""
    parts = [0.0] * (2 * depth + 1)
    for step in prediction.steps:
        match step.sort:
            case "result" if step.last == block:
                parts[-1] = step.seconds
                break
            case "input":
                parts[0] = step.seconds
            case "send":
                parts[2 * (step.stage + 1)] = step.seconds
            case "compute":
                parts[2 * step.stage + 1] += step.seconds
    return parts


class _Span(NamedTuple):
    """What a node or a link did for a frame."""

    track: tuple[str, bool]
    frame: int
    what: str
    began_s: float
    ended_s: float
    waited_s: float = 0.0


def _spans(times: FrameTimes) -> Iterator[_Span]:
    """Yield what was done for each frame, one thing after the other, from when it was due."""
    for frame in np.flatnonzero(~np.isnan(times.latency_s)).tolist():
        now, before = float(times.due_s[frame] + times.late_s[frame]), "source"
        for stage, node in enumerate(times.nodes):
            encode, send, decode, queue, compute = np.nan_to_num(times.steps[frame, stage]).tolist()
            if np.isnan(times.steps[frame, stage, _COMPUTE]):
                break
            for track, what, took, waited in (
                ((before, False), "tensors to bytes", encode, 0.0),
                ((f"{before} > {node}", True), "send", send, 0.0),
                ((node, False), "bytes to tensors", decode, 0.0),
                ((node, False), f"blocks {times.blocks[stage][0]}-{times.blocks[stage][1]}", compute, queue),
            ):
                now += waited
                yield _Span(track, frame, what, now, now + took, waited)
                now += took
            before = node
        encode, home = float(np.nan_to_num(times.encode_s[frame])), float(np.nan_to_num(times.return_s[frame]))
        yield _Span((before, False), frame, "result to bytes", now, now + encode)
        yield _Span((f"{before} > destination", True), frame, "result", now + encode, now + encode + home)


def _trace_text(times: FrameTimes, marks: Sequence[tuple[float, str]]) -> str:
    """Return the spans as a trace; what goes on at once on one node or link stands in lanes beside each other."""
    spans = sorted(_spans(times), key=lambda each: (each.began_s, each.frame))
    free: dict[tuple[str, bool], list[float]] = {}
    places = []
    for each in spans:
        lanes = free.setdefault(each.track, [])
        place = next((k for k, until in enumerate(lanes) if until <= each.began_s + 1e-9), len(lanes))
        lanes[place : place + 1] = [each.ended_s]
        places.append(place)
    order = list(free)
    tracks = [trace_events.Track(name, is_link, len(free[name, is_link])) for name, is_link in order]
    lanes_by_track = dict(zip(order, trace_events.lanes_of(tracks), strict=True))
    events, seen = list(trace_events.names(tracks)), set[int]()
    for each, place in zip(spans, places, strict=True):
        lane, name = lanes_by_track[each.track][place], f"frame {each.frame}"
        events.append(trace_events.service(lane, name, each.what, each.began_s, each.ended_s, each.waited_s))
        events.append(trace_events.follow(lane, name, str(each.frame), each.began_s, first=each.frame not in seen))
        seen.add(each.frame)
    if tracks:
        events += [
            trace_events.instant(lanes_by_track[order[0]][0], f"frame {frame} failed: {reason}", ended_s)
            for frame, (reason, ended_s) in enumerate(zip(times.failures, times.due_s + times.failed_s, strict=True))
            if reason is not None
        ]
        events += [trace_events.instant(lanes_by_track[order[0]][0], what, at_s) for at_s, what in marks]
    return trace_events.text_of(events)
