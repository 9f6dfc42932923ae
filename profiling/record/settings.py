"""How to record a network: one set of settings, whether it has exits or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from tiercut.errors import QuestionError
from tiercut.profiling.codecs.codec import TensorCodec, read_codecs
from tiercut.profiling.exits.exit_files import has_exits
from tiercut.profiling.exits.thresholds import read_thresholds
from tiercut.profiling.exits.training import Schedule
from tiercut.profiling.models.loader import Runtime, folded, kind_of, runs_on_onnx
from tiercut.profiling.models.onnx.options import NO_ONNX_OPTIONS, OnnxOptions
from tiercut.profiling.timing.pieces_timed import Clock, Statistic, runs_needed
from tiercut.profiling.timing.timing import Effort

__all__ = [
    "DEFAULTS",
    "EFFORT",
    "THRESHOLDS",
    "Settings",
    "Subjects",
    "check_settings",
    "effort_for",
    "profile_stem",
    "subject_kind",
]

EFFORT = Effort(runs=100, least=10, precision=0.02, burst=2, warm_up=1, limit_s=30.0)
"""Enough for a median that is known to 2 %, and at most 30 s for a model."""

_SPARE = 1.5
"""So many times the runs that a statistic needs may be done, as those that were disturbed do not count."""

EPOCHS, THRESHOLDS = 40, "20"

Subjects = Literal["plain", "trained", "to train", "onnx"]
"""A network without exits; a file of one that was trained with exits; a backbone that is given exits and trained; an
ONNX file."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to record a network.

    What is None is as the network has it, and may be given only where it counts (see `check_settings`).

    Parameters
    ----------
    device
        What to call this machine.
    rule
        How to find the blocks; by default ``all``.
    batch
        Samples in one call.
    size
        Sizes of the input's axes beside batch and channels, such as height and width.
    weights
        Of Keras Applications: by default random ones, which take the same time.
    trust
        Whether a file may run code of its own.
    threads
        To compute with; None: one for each CPU.
    backend
        Of Keras; None: the one that it is set to.
    jit
        Whether every piece is compiled (see `tiercut.profiling.models.cut.CutNetwork.compile`).
    stress
        Shares of processors and memory that are kept busy meanwhile.
    stress_levels
        Shares of processors and of memory at which the whole network is timed besides, for the curves by which loads
        of a node count; none: no curves.
    effort
        How often everything is timed; by default `effort_for` the statistic.
    statistic
        Which statistic of the runs stands in the profile.
    clock
        ``wall`` or ``cpu`` (see `tiercut.profiling.timing.pieces_timed.time_pieces`); ``cpu`` needs one thread.
    check
        How many spans, drawn at random, to time besides those that are needed, so that the profile says how near
        the times of spans that were put together come.
    redo
        Whether to measure again what the profile has already: the times of this device, and what exits do.
    dataset
        What exits are measured on, and a backbone is trained on before (see
        `tiercut.profiling.data.datasets.load_dataset`); by default what the network was trained on.
    thresholds
        At which to record exits, as `tiercut.profiling.exits.thresholds.read_thresholds` reads them; by default those
        that the profile has, or 20 at even distances.
    epochs
        Of the training of a backbone; by default 40.
    seed
        Of that training and its splits; by default 0.
    onnx
        What is said of ONNX files.
    runtime
        ``onnx``: a Keras model is exported to ONNX and timed there; by default Keras runs it.
    codecs
        What is measured at every cut besides, as `tiercut.profiling.codecs.codec.read_codecs` reads it; by default
        nothing.
    codec_data
        Samples for it, a ``.npz`` file; by default the profile split that exits are recorded on.
    codec_samples
        How many of them at most.
    """

    device: str = "local"
    rule: Literal["all", "scission"] | None = None
    batch: int | None = None
    size: tuple[int, ...] | None = None
    weights: str | None = None
    trust: bool = False
    threads: int | None = None
    backend: str | None = None
    jit: bool = False
    stress: Mapping[str, float] = field(default_factory=dict)
    stress_levels: tuple[float, ...] = ()
    effort: Effort | None = None
    statistic: Statistic = "p50"
    clock: Clock = "wall"
    check: int = 0
    redo: bool = False
    dataset: str | None = None
    thresholds: str | None = None
    epochs: int | None = None
    seed: int | None = None
    onnx: OnnxOptions = NO_ONNX_OPTIONS
    runtime: Runtime | None = None
    codecs: str | None = None
    codec_data: str | None = None
    codec_samples: int | None = None

    def __post_init__(self) -> None:
        if self.batch is not None and self.batch < 1:
            raise QuestionError(f"there must be at least 1 sample in a batch, got {self.batch}")
        if self.clock == "cpu" and self.threads != 1:
            raise QuestionError("processor time says how long a call takes only with one thread: --threads 1")
        if self.check < 0:
            raise QuestionError(f"the number of spans to check must be 0 or more, got {self.check}")
        if not self.device:
            raise QuestionError("the device needs a name")
        if (needed := runs_needed(self.statistic)) > self.timing.runs:
            raise QuestionError(
                f"a {self.statistic} takes at least {needed} runs of each piece, not {self.timing.runs}: --runs "
                f"{effort_for(self.statistic).runs}; or record the median, --statistic p50"
            )
        read_thresholds(self.thresholds or THRESHOLDS)
        if self.codecs is None and (self.codec_data is not None or self.codec_samples is not None):
            raise QuestionError(
                "--codec-data and --codec-samples tell what codecs are measured on: name the codecs with --codecs"
            )
        if self.codec_samples is not None and self.codec_samples < 1:
            raise QuestionError(f"codecs are measured on at least 1 sample, not {self.codec_samples}")
        _ = self.schedule, self.tensor_codecs  # which refuse what cannot be

    @property
    def timing(self) -> Effort:
        """How often everything is timed."""
        return self.effort or effort_for(self.statistic)

    @property
    def tensor_codecs(self) -> tuple[TensorCodec, ...]:
        """The codecs that are measured."""
        return () if self.codecs is None else read_codecs(self.codecs)

    @property
    def schedule(self) -> Schedule:
        """How a backbone is trained."""
        return Schedule(epochs=EPOCHS if self.epochs is None else self.epochs, seed=self.seed or 0)


def effort_for(statistic: Statistic) -> Effort:
    """Return how often everything is timed by default: as often as a statistic needs."""
    needed = runs_needed(statistic)
    return replace(EFFORT, runs=max(EFFORT.runs, round(_SPARE * needed)))


DEFAULTS = Settings()


def subject_kind(name: str, dataset: str | None) -> Subjects:
    """Return what a model that is recorded is, without loading it; a data set makes one of a backbone's name."""
    if runs_on_onnx(name):
        return "onnx"
    if name.endswith(".keras") and has_exits(name):
        return "trained"
    return "plain" if dataset is None else "to train"


def profile_stem(name: str, dataset: str | None = None) -> str:
    """Return what the profile of a model is called, without ``.json``."""
    match subject_kind(name, dataset):
        case "trained":
            return Path(name).stem
        case "to train":
            return f"{name}-{Path(dataset or '').stem if Path(dataset or '').exists() else dataset}"
    kind = kind_of(name)
    if kind == "file":
        return Path(name).stem.casefold()
    return name.rpartition(":")[2].casefold() if kind == "function" else folded(name)


_FLAGS = {
    "rule": "--rule",
    "size": "--input-size",
    "weights": "--weights",
    "thresholds": "--thresholds",
    "epochs": "--epochs",
    "seed": "--seed",
    "backend": "--backend",
    "dataset": "--dataset",
}

_USELESS: Mapping[Subjects, tuple[str, tuple[str, ...]]] = {
    "plain": ("without --dataset", ("thresholds", "epochs", "seed")),
    "to train": ("with --dataset", ("rule", "weights")),
    "trained": (
        "for a network with exits, which keeps what it was trained with",
        ("rule", "size", "weights", "epochs", "seed"),
    ),
    "onnx": (
        "for an ONNX file, or a PyTorch model, which is exported to one",
        ("size", "weights", "backend", "dataset", "epochs", "seed", "thresholds"),
    ),
}
"""The settings that cannot count for a network, and what to call such networks; all others count for each of them."""


def check_settings(name: str, settings: Settings, *, listing: bool = False) -> None:
    """Refuse settings that cannot count for a network; those of timing do not when its blocks are only listed.

    Raises
    ------
    QuestionError
        Names all of them.
    """
    if settings.stress_levels and settings.stress:
        raise QuestionError(
            "--stress-levels tells how much slower loads make a machine that is idle: leave --stress out"
        )
    if settings.stress_levels and settings.clock == "cpu":
        raise QuestionError("processor time does not pass while other work holds the processor: --clock wall")
    kind = subject_kind(name, settings.dataset)
    where, useless = _USELESS[kind]
    named = [_FLAGS[each] for each in useless if getattr(settings, each) is not None]
    if kind == "onnx":
        named += ["--jit-compile"] if settings.jit else []
        if settings.onnx.exits is not None and settings.onnx.data is None and not listing:
            raise QuestionError("exits are recorded on samples that the network did not learn from: --data FILE.npz")
        if settings.onnx.data is not None:
            named = [each for each in named if each != "--thresholds"]
        if settings.onnx.cuts and settings.rule is not None:
            raise QuestionError("cuts that are named with --cut need no --rule; leave one of the two out")
        if settings.size is not None:
            raise QuestionError("the sizes of an ONNX file are named by input: --input NAME=1x3x224x224")
        if settings.runtime == "keras":
            raise QuestionError(f"Keras does not run '{name}'; leave out --runtime")
    elif settings.runtime == "onnx" and kind != "plain":
        raise QuestionError(
            f"'{name}' has exits: write it as an ONNX file (tiercut export), and profile that with --exits and --data"
        )
    elif settings.onnx.given and settings.runtime != "onnx":
        raise QuestionError(f"{', '.join(settings.onnx.given)}: these are for .onnx files, which '{name}' is not")
    if named:
        raise QuestionError(f"not {where}: {', '.join(named)}; leave {'it' if len(named) == 1 else 'them'} out")
