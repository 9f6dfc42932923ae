"""A decision, and the plan that it becomes once it is priced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tiercut.errors import QuestionError
from tiercut.units import format_seconds

__all__ = ["NEGLIGIBLE", "Decision", "Plan", "Stage", "exit_limits"]

NEGLIGIBLE = 1e-12
"""Share of the samples that counts as none; rates that sum to 1 leave about as much behind."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a solver decides (the Joint model's triplet of threshold, partition and placement).

    Parameters
    ----------
    partition
        1-based last block of each partition, rising.
    placement
        0-based node of each partition.
    exits
        1-based blocks whose branch may end the path of a sample; the last one always does.
    threshold
        0-based index into the problem's thresholds; None where it has no effect.
    thresholds
        With a threshold for each exit: the index for every exit but the last, which takes all that are left; else None.
    codecs
        At each cut the index of a codec of the problem, or None: sent as it is. Empty: none anywhere.
    input_codec
        The same for the input on its way from the source to the first node; None where it goes nowhere.
    """

    partition: tuple[int, ...]
    placement: tuple[int, ...]
    exits: tuple[int, ...]
    threshold: int | None = None
    thresholds: tuple[int, ...] | None = None
    codecs: tuple[int | None, ...] = ()
    input_codec: int | None = None

    @property
    def order(self) -> tuple[Any, ...]:
        """The key that decides among plans of equal measures: fewer partitions first, then lexicographic."""
        threshold = -1 if self.threshold is None else self.threshold
        at_cuts = self.codecs or (None,) * (len(self.partition) - 1)
        codecs = tuple(-1 if codec is None else codec for codec in (self.input_codec, *at_cuts))
        head = len(self.partition), self.partition, self.placement, self.exits
        return *head, self.thresholds or (), codecs, threshold


@dataclass(frozen=True, slots=True)
class Stage:
    """One partition on its node; the seconds are those of a sample that gets there.

    Parameters
    ----------
    node, blocks
        Where it runs, and its first and last block (1-based).
    reach, exit_rate
        Shares of all samples that get there and that leave there.
    compute_s, result_s
        Seconds to compute the blocks and the branch, and to send the prediction to the destination.
    send_to, send_bytes, send_s
        The next node, what is sent there and how long it takes; None, 0 and 0 for the last stage.
    exits, thresholds
        1-based blocks whose branch is evaluated there, and for each the normalised entropy below which a sample
        leaves; None for the last exit of the plan, which takes all that are left.
    codec
        Name of what encodes the output that is sent; None: sent as it is.
    """

    node: str
    blocks: tuple[int, int]
    reach: float
    exit_rate: float
    compute_s: float
    result_s: float
    send_to: str | None = None
    send_bytes: float = 0.0
    send_s: float = 0.0
    exits: tuple[int, ...] = ()
    thresholds: tuple[float | None, ...] = ()
    codec: str | None = None

    @property
    def latency_s(self) -> float:
        """What the stage adds to the expected latency."""
        stay = self.reach - self.exit_rate
        return self.reach * self.compute_s + self.exit_rate * self.result_s + stay * self.send_s

    def to_data(self) -> dict[str, Any]:
        """Return the stage as it stands in an answer."""
        data = {name: getattr(self, name) for name in self.__slots__}
        return data | {name: list(data[name]) for name in ("blocks", "exits", "thresholds")}


def exit_limits(
    exits: tuple[int, ...], threshold: float | None, thresholds: tuple[float, ...] | None
) -> tuple[float | None, ...]:
    """Return the normalised entropy below which a sample leaves at each exit; None at the last, which takes all."""
    return (*((threshold,) * (len(exits) - 1) if thresholds is None else thresholds), None)


@dataclass(frozen=True, slots=True)
class Plan:
    """A priced decision: ``latency_s = input_s + Σ stage.latency_s``.

    Parameters
    ----------
    latency_s, accuracy
        Expected seconds of one sample, and expected share of right answers (None where the profile knows none).
    threshold
        Normalised entropy below which a sample leaves; None exactly where it has no effect.
    thresholds
        With a threshold for each exit: one for every exit but the last; else None.
    partition, exits
        1-based last block of each partition, and blocks whose branch is used.
    placement
        Name of the node of each partition.
    codecs
        Codec at each cut; None: sent as it is.
    input_codec
        What encodes the input on its way from the source to the first node; None: it is sent as it is, or goes nowhere.
    bytes_sent
        Expected payload, input and result included, each transfer once however many links it crosses.
    input_s
        Seconds to bring the input to the first node.
    stages
        One for each partition.
    indices
        The decision in indices of the problem that priced it; None where the plan was read from a file. It says nothing
        that names and numbers do not say, so plans are compared without it.
    digits
        In how many significant digits its thresholds are shown, so that they are told from others of the profile.
    """

    latency_s: float
    accuracy: float | None
    threshold: float | None
    thresholds: tuple[float, ...] | None
    partition: tuple[int, ...]
    placement: tuple[str, ...]
    exits: tuple[int, ...]
    codecs: tuple[str | None, ...]
    bytes_sent: float
    input_s: float
    stages: tuple[Stage, ...]
    indices: Decision | None = field(default=None, compare=False, repr=False)
    digits: int = field(default=6, compare=False, repr=False)
    input_codec: str | None = None

    @property
    def decision(self) -> Decision:
        """The decision in indices, for code that goes on with it.

        Raises
        ------
        QuestionError
            If the plan was read from a file, so that no problem has given it indices yet.
        """
        if self.indices is None:
            raise QuestionError(
                f"the plan '{self}' was read from a file and belongs to no problem yet; price it with one first, as "
                "tiercut.explain and tiercut.replay do"
            )
        return self.indices

    def to_data(self, rank: int) -> dict[str, Any]:
        """Return the plan as it stands in an answer, ``tiercut.answer/1``."""
        return {
            "rank": rank,
            "latency_s": self.latency_s,
            "accuracy": self.accuracy,
            "threshold": self.threshold,
            **({} if self.thresholds is None else {"thresholds": list(self.thresholds)}),
            "partition": list(self.partition),
            "placement": list(self.placement),
            "exits": list(self.exits),
            "codecs": list(self.codecs),
            "input_codec": self.input_codec,
            **({"idle_stages": list(self.idle_stages)} if self.idle_stages else {}),
            "bytes_sent": self.bytes_sent,
            "input_s": self.input_s,
            "stages": [stage.to_data() for stage in self.stages],
        }

    def __str__(self) -> str:
        return "".join(self._parts())

    def __repr__(self) -> str:
        right = "" if self.accuracy is None else f", accuracy {self.accuracy:.2%}"
        word = "threshold" if self.thresholds is None else "thresholds"
        limits = "" if self.thresholds_shown == "-" else f", {word} {self.thresholds_shown}"
        return f"<Plan {self}: {format_seconds(self.latency_s)}{right}{limits}>"

    def _parts(self) -> Iterator[str]:
        """Yield what is said of each stage, the transfer there included."""
        first = (1, *(last + 1 for last in self.partition[:-1]))
        entry = "" if self.input_codec is None else f"({self.input_codec}) → "
        arrows = (entry, *(" → " if codec is None else f" → ({codec}) → " for codec in self.codecs))
        for arrow, node, begin, end in zip(arrows, self.placement, first, self.partition, strict=True):
            yield f"{arrow}{node} {_span(begin, end)}"

    @property
    def uses_codecs(self) -> bool:
        """Whether anything that is sent is encoded by a codec, the input included."""
        return any((self.input_codec, *self.codecs))

    @property
    def idle_stages(self) -> tuple[int, ...]:
        """Stages, counted from 1, that no sample reaches: without them nothing would change for anyone."""
        return tuple(place for place, stage in enumerate(self.stages, 1) if stage.reach <= NEGLIGIBLE)

    @property
    def shown(self) -> str:
        """The plan as tables show it: stages that no sample reaches in brackets."""
        parts = list(self._parts())
        begin = len(parts) - len(self.idle_stages)  # shares never grow along a plan
        return "".join(parts[:begin]) + (f" [{''.join(parts[begin:]).lstrip()}]" if self.idle_stages else "")

    @property
    def thresholds_shown(self) -> str:
        """The thresholds for display: one, one for each exit, or ``-`` where none has an effect."""
        if self.thresholds is not None:
            return ", ".join(f"{each:.{self.digits}g}" for each in self.thresholds)
        return "-" if self.threshold is None else f"{self.threshold:.{self.digits}g}"


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
