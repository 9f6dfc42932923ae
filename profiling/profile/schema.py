"""The profile file ``tiercut.profile/1``: what was measured of one model, on one or more devices."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr

from tiercut import documents
from tiercut.documents import Document, Key
from tiercut.errors import QuestionError
from tiercut.profiling.profile.checks import profile_faults

__all__ = ["FORMAT", "Block", "Codec", "Device", "Exits", "Profile", "SpanCheck"]

FORMAT = "tiercut.profile/1"

Seconds = Annotated[float, Field(ge=0)]
Bytes = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Drop = Annotated[float, Field(ge=-1, le=1)]
Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Times = list[Seconds]
TimesOrNone = list[Seconds | None]


class CrossingTensor(Document):
    """A tensor that crosses the cut after a block."""

    name: str
    bytes: Bytes
    dtype: str
    shape: list[Annotated[int, Field(ge=0)]]


class Block(Document):
    """The smallest piece that may not be cut: the layers between two consecutive partition points."""

    name: str
    output_bytes: Bytes | None = Field(description="bytes that leave a cut after this block; null for the last one")
    first_layer: int | None = None
    last_layer: int | None = None
    parameter_bytes: Bytes | None = None
    activation_bytes: Bytes | None = Field(default=None, description="largest tensor that lives inside the block")
    flops: Annotated[float, Field(ge=0)] | None = None
    tensors: list[CrossingTensor] | None = Field(default=None, description="what crosses after it, each tensor once")
    state_bytes: Bytes | None = Field(default=None, description="recurrent state that stays where the block runs")


class Exits(Document):
    """What the branches do with the samples of the profile split, at T thresholds and N branches."""

    thresholds: list[Share] = Field(min_length=1, description="normalised entropies, rising; T of them")
    exit_rate: list[list[Share]] | None = Field(default=None, description="T x N, every branch present; rows sum to 1")
    exit_rate_alone: list[list[Share]] | None = Field(
        default=None, description="T x N, each branch evaluated by itself"
    )
    hit_rate_alone: list[list[Share]] | None = Field(default=None, description="T x N, those that leave and are right")
    accuracy: list[Share | None] = Field(description="N, over all samples; null where a block has no branch")
    accuracy_separate: list[Share | None] | None = Field(
        default=None, description="N, of models that have that branch alone and were trained so"
    )
    calibration_error: list[Share | None] | None = Field(
        default=None, description="N, expected distance between confidence and accuracy"
    )
    temperature: list[Annotated[float, Field(gt=0)] | None] | None = Field(
        default=None, description="N, what the scores of each branch were divided by to calibrate it"
    )


class SpanCheck(Document):
    """A span that was timed only to see how near the time comes that is put together for it."""

    blocks: list[int] = Field(min_length=2, max_length=2, description="first and last, 1-based")
    timed_s: Seconds
    predicted_s: Seconds


class StressCurve(Document):
    """By which factor everything on a device takes longer, by the share of it that is kept busy with other work."""

    levels: list[Share] = Field(min_length=1, description="rising shares, 0..1")
    factor: list[Annotated[float, Field(gt=0)]] = Field(description="one for each level; 1 where nothing else runs")

    def at(self, share: float) -> float:
        """Return the factor at a share, on the straight line between the two levels around it.

        Raises
        ------
        ValueError
            If the share is less than the least level that was measured, or more than the greatest.
        """
        if not self.levels[0] <= share <= self.levels[-1]:
            said = f"measured from {100 * self.levels[0]:g} % to {100 * self.levels[-1]:g} %"
            raise ValueError(f"a load of {100 * share:g} % is outside what was measured: {said}")
        for (low, near), (high, far) in pairwise(zip(self.levels, self.factor, strict=True)):
            if share <= high:
                return near + (far - near) * (share - low) / (high - low)
        return self.factor[-1]


class Device(Document):
    """The times of one device, in seconds; N blocks."""

    description: str = ""
    framework: str = ""
    statistic: str = Field(default="", description="what the times are: mean, p50, p99, ...")
    runs: int | None = Field(default=None, ge=1)
    backend: str | None = Field(default=None, description="tensorflow, jax, torch or onnxruntime")
    versions: dict[str, str] = Field(default_factory=dict)
    threads: int | None = Field(default=None, ge=1)
    provider: str | None = Field(default=None, description="execution provider of ONNX Runtime; null: the processor")
    jit_compile: bool = False
    clock: Literal["wall", "cpu"] = Field(default="wall", description="cpu: processor time of one thread")
    stress: dict[str, Share] = Field(default_factory=dict, description="share of cpu and memory kept busy meanwhile")
    stress_curve: dict[Literal["cpu", "memory"], StressCurve] = Field(
        default_factory=dict, description="how much slower it is while a share of cpu or memory is kept busy"
    )
    load: dict[str, float] = Field(default_factory=dict, description="average: before; other_cores: busy meanwhile")
    precision: Share | None = Field(default=None, description="to which share of itself half of the medians are known")
    set_aside: Share | None = Field(default=None, description="runs left out, as others held the processor")
    benchmark_s: Seconds | None = Field(default=None, description="what building and timing all pieces took")
    block_s: Times | None = None
    branch_s: TimesOrNone | None = None
    block_mean_s: Times | None = None
    block_p50_s: Times | None = None
    block_p99_s: Times | None = None
    block_iqr_s: Times | None = None
    branch_mean_s: TimesOrNone | None = None
    branch_p50_s: TimesOrNone | None = None
    branch_p99_s: TimesOrNone | None = None
    branch_iqr_s: TimesOrNone | None = None
    span_s: list[Times] | None = Field(default=None, description="span_s[i][j-i]: blocks i..j with branch j, 0-based")
    encode_s: TimesOrNone | None = Field(default=None, description="tensor to bytes; index 0 is the input")
    decode_s: TimesOrNone | None = Field(default=None, description="bytes to tensor; index 0 is the input")
    span_method: str = Field(default="", description="how span_s was found")
    span_check: list[SpanCheck] = Field(
        default_factory=list, description="spans of span_s timed besides, drawn at random"
    )
    whole_model_s: Seconds | None = None
    whole_model_mean_s: Seconds | None = None
    whole_model_p50_s: Seconds | None = None
    whole_model_p99_s: Seconds | None = None
    whole_model_iqr_s: Seconds | None = None


class Codec(Document):
    """Another form of what crosses a cut; lists of N+1, null where the codec cannot be used."""

    bytes: list[Bytes | None] = Field(description="what is sent; where that depends on the sample, the mean")
    bytes_p99: list[Bytes | None] | None = Field(default=None, description="99th percentile over the samples")
    encode_s: dict[str, TimesOrNone] = Field(default_factory=dict, description="by device")
    decode_s: dict[str, TimesOrNone] = Field(default_factory=dict, description="by device")
    accuracy_drop: list[Drop | None] | None = Field(
        default=None, description="of the last exit; of unlabelled samples, the share that is answered otherwise"
    )
    agreement: list[Share | None] | None = Field(
        default=None, description="share of the samples that the last exit answers as without the codec"
    )
    samples: int | None = Field(default=None, ge=1, description="how many these were measured on")


class Profile(Document):  # noqa: PLW1641 - nor have its lists and mappings a hash
    """One model, measured: sizes and exits once, times once for each device.

    Seconds and bytes throughout. ``accuracy`` is the backbone's own, where there are no exits.
    """

    format: Literal["tiercut.profile/1"] = "tiercut.profile/1"
    model: str
    dataset: str | None = None
    classes: int | None = Field(default=None, ge=2)
    samples: int | None = Field(default=None, ge=1)
    origin: str = Field(default="", description="who measured this, with what, as text")
    architecture: str | None = Field(default=None, description="SHA-256 of layers, settings and connections")
    rule: str | None = Field(default=None, description="how the blocks were found: all, scission or explicit")
    batch: int = Field(default=1, ge=1, description="samples in one call; bytes and seconds are those of all of them")
    input_bytes: Bytes
    result_bytes: Bytes = 0.0
    blocks: list[Block] = Field(min_length=1)
    accuracy: Share | None = None
    exits: Exits | None = None
    samples_file: str | None = Field(default=None, description="entropies and hits of the samples behind 'exits'")
    samples_sha256: Hash | None = Field(default=None, description="SHA-256 of that file")
    test_samples_file: str | None = Field(default=None, description="the same of samples that nothing was fitted to")
    test_samples_sha256: Hash | None = Field(default=None, description="SHA-256 of that file")
    reference: str | None = Field(default=None, description="the device that a node's slowdown multiplies")
    devices: dict[str, Device] = Field(min_length=1)
    codecs: dict[str, Codec] = Field(default_factory=dict)
    _folder: Path | None = PrivateAttr(default=None)
    _file: tuple[str, str] | None = PrivateAttr(default=None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Profile) and self.__dict__ == other.__dict__  # wherever it was read

    @property
    def folder(self) -> Path | None:
        """Where the profile was read, and the files that it names lie; None for one that was built in memory."""
        return self._folder

    @property
    def file(self) -> tuple[str, str] | None:
        """What was read, as `load_profile` was given it, and the SHA-256 of its text; None for one built in memory."""
        return self._file

    def found_in(self, folder: Path, file: tuple[str, str] | None = None) -> Profile:
        """Return the same profile with the folder in which the files that it names lie, and what was read."""
        copy = self.model_copy()
        copy._folder, copy._file = folder, file
        return copy

    def with_separate_accuracies(self) -> Profile:
        """Return the profile with the accuracies of branches that were trained alone, as the Joint model takes them.

        Raises
        ------
        QuestionError
            If none were recorded.
        """
        if self.exits is None or self.exits.accuracy_separate is None:
            raise QuestionError(
                f"profile '{self.name}' has no accuracies of branches that were trained alone; record them with "
                "tiercut train --separately"
            )
        exits = self.exits.model_copy(update={"accuracy": self.exits.accuracy_separate})
        return self.model_copy(update={"exits": exits})

    @property
    def is_separate(self) -> bool:
        """Whether it is what `with_separate_accuracies` returned."""
        return self.exits is not None and self.exits.accuracy is self.exits.accuracy_separate

    @property
    def name(self) -> str:
        """The model with its dataset, such as ``ResNet20/CIFAR10``."""
        return f"{self.model}/{self.dataset}" if self.dataset else self.model

    @property
    def block_count(self) -> int:
        """Number of blocks, N."""
        return len(self.blocks)

    @property
    def reference_device(self) -> str:
        """Name of the device whose times a node without a device multiplies by its slowdown."""
        return self.reference or next(iter(self.devices))

    @property
    def payload_bytes(self) -> list[float]:
        """Bytes of the input and of every block's output, N+1; a last output that is null counts 0."""
        return [self.input_bytes, *(block.output_bytes or 0.0 for block in self.blocks)]

    def faults(self) -> Iterable[tuple[Key, str]]:
        """Yield what is wrong between keys: lengths, sums, orders, names of devices."""
        return profile_faults(self)

    @classmethod
    def from_data(cls, data: Any, *, source: str = "profile") -> Profile:
        """Check plain data, as it stands in a profile file, and return the profile.

        Parameters
        ----------
        data
            What ``json.load`` gives.
        source
            What to call it in an error.

        Raises
        ------
        InputError
            If anything in it is wrong.
        """
        return documents.validate(data, cls, format_=FORMAT, source=os.fspath(source))
