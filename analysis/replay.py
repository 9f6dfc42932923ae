"""A plan with every recorded sample sent through it: exact exit rates, accuracy and latencies of that recording."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from tiercut.analysis.distribution import CONFIDENCE, Distribution
from tiercut.optimizer import counted, itinerary, price
from tiercut.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from tiercut.optimizer import Decision, Plan, Problem, Recorded
    from tiercut.profiling import SampleSplit

__all__ = ["FORMAT", "ExitCount", "Replay", "replay_decisions"]

FORMAT = "tiercut.replay/1"


@dataclass(frozen=True, slots=True)
class ExitCount:
    """What the samples do at one exit.

    Parameters
    ----------
    block, node
        Where it stands: the 1-based block, and the node that runs it.
    left, right
        How many samples leave there, and how many of those are right.
    exit_rate, model_exit_rate
        The share of all samples that leaves there, and the share that the model lets leave.
    latency_s
        What a sample takes that leaves there, from its birth until the destination has the result.
    """

    block: int
    node: str
    left: int
    right: int
    exit_rate: float
    model_exit_rate: float
    latency_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Replay(Shown):
    """What recorded samples make of a plan.

    Parameters
    ----------
    model
        The plan as the model prices it, from rates and accuracies of the profile.
    replayed
        The same plan priced with what the samples do: exit rates, latency, accuracy, bytes.
    split
        Which samples: those of the profile, or others (``test``).
    samples
        How many.
    exits
        What they do at each exit, in the order in which a sample meets them.
    source
        The file that the samples come from; None where they were handed in.
    """

    model: Plan
    replayed: Plan
    split: SampleSplit
    samples: int
    exits: tuple[ExitCount, ...]
    source: str | None = None

    def __repr__(self) -> str:
        return f"<Replay of {self.replayed}: {self.samples} samples, accuracy {self.accuracy:.2%}>"

    @property
    def hits(self) -> int:
        """How many samples are answered rightly, before what codecs cost."""
        return self.latencies.hits

    @property
    def accuracy(self) -> float:
        """Share of right answers, less the fall that the profile records for the codecs of the plan.

        The recorded samples went through no codec, so the fall is taken off as the model does it: of the samples that
        cross a cut, the share that the profile says.
        """
        return self.replayed.accuracy or 0.0

    @property
    def codec_drop(self) -> float:
        """By how much the codecs of the plan lower the accuracy; 0 without codecs."""
        return self.hits / self.samples - self.accuracy if self.replayed.uses_codecs else 0.0

    def accuracy_interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Return the Clopper-Pearson interval of the accuracy, moved by the fall that codecs bring.

        It speaks of samples like these, for a plan that was not chosen by them.
        """
        low, high = self.latencies.right_interval(confidence)
        drop = self.codec_drop
        return max(low - drop, 0.0), min(high - drop, 1.0)

    @property
    def mean_s(self) -> float:
        """Mean latency in seconds: exactly the expected latency of the plan at the samples' exit rates."""
        return self.replayed.latency_s

    @property
    def latencies(self) -> Distribution:
        """The latencies that occur, with how many samples have them and how many of those are right."""
        return Distribution.of([(each.latency_s, each.left, each.right) for each in self.exits])

    def quantile(self, share: float) -> float:
        """Return the least latency in seconds that a share of the samples does not exceed.

        Raises
        ------
        QuestionError
            If there are too few samples to tell (see `tiercut.optimizer.samples.intervals.samples_needed`).
        """
        return self.latencies.quantile(share)

    @property
    def quantiles(self) -> dict[str, float | None]:
        """p50, p95 and p99 of the latency in seconds; None where there are too few samples to tell."""
        return self.latencies.quantiles

    def to_data(self) -> dict[str, Any]:
        """Return the replay as plain data, ``tiercut.replay/1``."""
        low, high = self.accuracy_interval()
        return {
            "format": FORMAT,
            "split": self.split,
            "samples": self.samples,
            "samples_file": self.source,
            "plan": self.replayed.to_data(1),
            "model": {name: getattr(self.model, name) for name in ("latency_s", "accuracy", "bytes_sent")},
            "accuracy": {
                "value": self.accuracy,
                "low": low,
                "high": high,
                "confidence": CONFIDENCE,
                "codec_drop": self.codec_drop,
            },
            "latency": self.latencies.to_data(self.mean_s),
            "exits": [asdict(each) for each in self.exits],
        }

    def to_json(self) -> str:
        """Return the replay as JSON text, numbers unrounded."""
        return json.dumps(self.to_data(), indent=1, allow_nan=False, ensure_ascii=False)

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each exit: block, node, left, right, exit_rate, model_exit_rate, latency_s."""
        import pandas as pd

        return pd.DataFrame([asdict(each) for each in self.exits])


def replay_decisions(problem: Problem, decisions: Sequence[Decision], recorded: Recorded) -> list[Replay]:
    """Send recorded samples through decisions.

    Parameters
    ----------
    problem
        The tables, with rates and accuracies as the model takes them.
    decisions
        What to replay.
    recorded
        The samples.

    Raises
    ------
    QuestionError
        If the samples and the problem do not belong together.
    """
    recorded.check_blocks(problem.profile, problem.block_count)
    replayed = replace(problem, recorded=recorded)
    counts = recorded.count_leaving(problem.thresholds, decisions)
    return [
        Replay(
            model=price(problem, decision),
            replayed=price(replayed, decision, counted(left, right, recorded.count)),
            split=recorded.split,
            samples=recorded.count,
            exits=tuple(_exits(problem, decision, left.tolist(), right.tolist(), recorded.count)),
            source=recorded.source,
        )
        for decision, (left, right) in zip(decisions, counts, strict=True)
    ]


def _exits(
    problem: Problem, decision: Decision, left: Sequence[int], right: Sequence[int], count: int
) -> Iterator[ExitCount]:
    path = itinerary(problem, decision)
    results = (step for step in path.steps if step.sort == "result")
    for step, gone, hits, seconds in zip(results, left, right, path.path_seconds, strict=True):
        assert step.node is not None
        yield ExitCount(step.last, step.node, gone, hits, gone / count, step.reach, seconds)
