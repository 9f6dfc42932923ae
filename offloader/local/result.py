"""What became of a plan that was run: measured beside predicted (``tiercut.run/1``)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tiercut.offloader.local.frame_times import FrameTimes
from tiercut.offloader.local.hops import HopParts
from tiercut.offloader.transports.offer import Transport
from tiercut.optimizer import rank_of, samples_needed

if TYPE_CHECKING:
    from tiercut.offloader.adaptive.asking import Asked
    from tiercut.offloader.adaptive.mover import Move
    from tiercut.offloader.disturbed.player import Disturbance

__all__ = ["FORMAT", "QUANTILES", "Figures", "Run", "StageTimes", "latency_figures"]

FORMAT = "tiercut.run/1"

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def latency_figures(seconds: Sequence[float]) -> dict[str, float | None]:
    """Return mean, p50, p95 and p99; None where there are too few to tell."""
    if not seconds:
        return dict.fromkeys(("mean", *QUANTILES))
    ordered = sorted(seconds)
    found: dict[str, float | None] = {"mean": sum(ordered) / len(ordered)}
    for name, share in QUANTILES.items():
        enough = len(ordered) >= samples_needed(share)
        found[name] = ordered[rank_of(share, len(ordered)) - 1] if enough else None
    return found


@dataclass(frozen=True, slots=True)
class Figures:
    """Latencies in seconds, accuracy (None where it is not known), and the share that leaves at each exit."""

    latency_s: dict[str, float | None]
    accuracy: float | None
    exit_rate: dict[int, float]

    def to_data(self) -> dict[str, Any]:
        """Return them as plain data."""
        rates = {str(block): rate for block, rate in self.exit_rate.items()}
        return {"latency_s": self.latency_s, "accuracy": self.accuracy, "exit_rate": rates}


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Means over the frames that got to a stage, in seconds; None where there are none.

    Parameters
    ----------
    node, blocks
        Where it runs, and its first and last block.
    frames
        How many got there.
    factor
        How much slower its node is than this machine.
    measured
        ``encode_before`` (tensors to bytes, before they are sent there), ``send`` (on the way, links included),
        ``queue``, ``decode``, ``compute``, ``encode`` and ``result`` (the way home of those that left there).
    predicted
        ``send``, ``compute`` and ``result``; ``coding``, the part of ``send`` that a codec takes at both ends; and,
        where pieces were timed here, their ``variation`` (standard deviation over the mean) and the ``turnaround`` of a
        worker from one frame to the next that waits.
    codec
        What encodes what comes there; None: it comes as it is.
    came_by, result_by
        How most frames came there, and how most results went home.
    """

    node: str
    blocks: tuple[int, int]
    frames: int
    factor: float
    measured: dict[str, float | None]
    predicted: dict[str, float | None]
    codec: str | None = None
    came_by: Transport | None = None
    result_by: Transport | None = None

    @property
    def coding_s(self) -> float | None:
        """Seconds of encoding and decoding on the way there."""
        parts = self.measured["encode_before"], self.measured["decode"]
        return None if self.codec is None or None in parts else sum(each for each in parts if each is not None)


@dataclass(frozen=True, slots=True)
class Run:
    """A plan that was run.

    Parameters
    ----------
    title
        What ran, for people: the plan.
    frames, answered, duplicated, same_as_uncut
        How many frames there were, were answered in time, were answered twice, and were answered as by the uncut
        network on this machine; where the plan has codecs, as by its pieces on this machine with these between them.
    failures
        Number and reason of each frame that failed.
    measured, predicted
        Of the frames that were answered; and what the model says of the same ones.
    by_replay
        Whether the prediction is that of the same samples, as they were recorded; else it is the formula's.
    stages
        In order.
    interval_s, deadline_s
        How far apart frames were due, and after which time they had failed.
    runtime, threads, retimed
        What ran the pieces, with how many threads, and whether pieces were timed here for the prediction.
    deaths
        How agents ended before their time, by node.
    latencies_s
        Of each frame; None where it failed.
    by_frame
        Where the time of every frame went.
    hops
        Where the time of the hop to each stage goes, without its link; empty where it was not asked for.
    fallbacks
        Number, exit (the block) and reason of each frame that was answered from an exit before the plan's next agent.
    same_as_uncoded
        Where the plan has codecs, how many were answered as by the uncut network without them; else None.
    late
        How many results came for those in vain.
    moves
        Changes of plan, in order.
    frames_by_plan
        How many frames each plan answered, where plans changed; empty where they could not.
    sent_again
        How many frames were lost by a plan and sent by another.
    asked
        What a solver was asked meanwhile, in order.
    disturbances
        What was done to links and nodes meanwhile, in order.
    """

    title: str
    frames: int
    answered: int
    duplicated: int
    same_as_uncut: int
    failures: tuple[tuple[int, str], ...]
    measured: Figures
    predicted: Figures
    by_replay: bool
    stages: tuple[StageTimes, ...]
    interval_s: float
    deadline_s: float
    runtime: str
    threads: int
    retimed: bool
    deaths: dict[str, str]
    latencies_s: tuple[float | None, ...]
    by_frame: FrameTimes
    hops: tuple[HopParts, ...] = ()
    fallbacks: tuple[tuple[int, int, str], ...] = ()
    late: int = 0
    same_as_uncoded: int | None = None
    moves: tuple[Move, ...] = ()
    frames_by_plan: dict[str, int] = field(default_factory=dict)
    sent_again: int = 0
    asked: tuple[Asked, ...] = ()
    disturbances: tuple[Disturbance, ...] = ()

    @property
    def failed(self) -> int:
        """How many frames were reported failed."""
        return len(self.failures)

    @property
    def fell_back_at(self) -> dict[int, int]:
        """How many frames were answered from each exit, by its block, as they could not go on."""
        return dict(sorted(Counter(exit_ for _, exit_, _ in self.fallbacks).items()))

    @property
    def marks(self) -> list[tuple[float, str]]:
        """When something was done to links and nodes, in seconds from when the first frame was due, and what."""
        return [(each.done_s, f"{each.what}: {each.value}") for each in self.disturbances if each.done_s is not None]

    def to_data(self) -> dict[str, Any]:
        """Return the run as plain data, ``tiercut.run/1``."""
        return {
            "format": FORMAT,
            "frames": self.frames,
            "answered": self.answered,
            "failed": self.failed,
            "duplicated": self.duplicated,
            "same_as_uncut": self.same_as_uncut,
            **({} if self.same_as_uncoded is None else {"same_as_uncoded": self.same_as_uncoded}),
            "fell_back": len(self.fallbacks),
            "fell_back_at": {str(block): count for block, count in self.fell_back_at.items()},
            "late": self.late,
            "measured": self.measured.to_data(),
            "predicted": self.predicted.to_data(),
            "by_replay": self.by_replay,
            "stages": [self._stage(each) for each in self.stages],
            "interval_s": self.interval_s,
            "deadline_s": self.deadline_s,
            "runtime": self.runtime,
            "threads": self.threads,
            "retimed": self.retimed,
            "failures": [{"frame": number, "reason": reason} for number, reason in self.failures],
            "fallbacks": [
                {"frame": number, "exit": exit_, "reason": reason} for number, exit_, reason in self.fallbacks
            ],
            "agents_ended": self.deaths,
            "frame_latency_s": list(self.latencies_s),
            **({"disturbances": [asdict(each) for each in self.disturbances]} if self.disturbances else {}),
            **({"adaptation": self._adaptation()} if self.frames_by_plan else {}),
            **({"hops": [asdict(each) for each in self.hops]} if self.hops else {}),
        }

    def _adaptation(self) -> dict[str, Any]:
        moves = [asdict(each) | {"before": str(each.before), "after": str(each.after)} for each in self.moves]
        asked = [asdict(each) | {"plan": None if each.plan is None else str(each.plan)} for each in self.asked]
        found = {"moves": moves, "frames_by_plan": self.frames_by_plan, "sent_again": self.sent_again}
        return found | ({"asked": asked} if asked else {})

    def _stage(self, stage: StageTimes) -> dict[str, Any]:
        place = self.stages.index(stage)
        onward = self.stages[place + 1] if place + 1 < len(self.stages) else None
        return {
            "node": stage.node,
            "blocks": list(stage.blocks),
            "frames": stage.frames,
            "factor": stage.factor,
            "came_by": stage.came_by,
            "result_by": stage.result_by,
            **({"input_s": stage.measured["send"]} if place == 0 else {}),
            **({} if stage.codec is None else {"codec": stage.codec, "coding_s": stage.coding_s}),
            "queue_s": stage.measured["queue"],
            "decode_s": stage.measured["decode"],
            "compute_s": stage.measured["compute"],
            "encode_s": stage.measured["encode"],
            "send_s": None if onward is None else onward.measured["send"],
            "result_s": stage.measured["result"],
            "predicted": {
                **({"input_s": stage.predicted["send"]} if place == 0 else {}),
                **({} if stage.codec is None else {"coding_s": stage.predicted.get("coding")}),
                "compute_s": stage.predicted["compute"],
                "send_s": None if onward is None else onward.predicted["send"],
                "result_s": stage.predicted["result"],
                "compute_variation": stage.predicted.get("variation"),
                "turnaround_s": stage.predicted.get("turnaround"),
            },
        }

    def to_json(self) -> str:
        """Return the run as JSON text, numbers unrounded."""
        return json.dumps(self.to_data(), indent=1, allow_nan=False, ensure_ascii=False)
