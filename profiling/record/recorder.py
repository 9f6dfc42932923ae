"""One model, recorded: loaded by name, cut, timed on this machine, and added to its profile."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tiercut.errors import InputError, QuestionError
from tiercut.profiling.models.blocks import Block, find_blocks
from tiercut.profiling.models.graph import tensor_bytes
from tiercut.profiling.models.loader import LoadedModel, load_model
from tiercut.profiling.models.runtime import describe_framework, start_framework, versions
from tiercut.profiling.profile.files import load_profile, profile_path, save_profile
from tiercut.profiling.profile.merging import check_same_model, replaced
from tiercut.profiling.profile.schema import FORMAT, Device, Profile
from tiercut.profiling.timing.device import Key, Statistic, device_record
from tiercut.profiling.timing.machine import Watch, describe_machine
from tiercut.profiling.timing.measuring import Clock, time_blocks
from tiercut.profiling.timing.spans import draw_spans
from tiercut.profiling.timing.stress import stressed
from tiercut.profiling.timing.timing import Effort, Times

__all__ = ["EFFORT", "Progress", "Recorded", "Wanted", "record_model"]

log = logging.getLogger(__name__)

EFFORT = Effort(runs=100, least=10, precision=0.02, burst=2, warm_up=1, limit_s=30.0)
"""Enough for a median that is known to 2 %, and at most 30 s for a model."""

Progress = Callable[[str, int, int], None]
"""Told the stage (``load``, ``build``, ``time``), how much of it is done, and how much there is at most."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How to record a model.

    Parameters
    ----------
    device
        What to call this machine.
    rule
        How to find the blocks.
    batch
        Samples in one call.
    size
        Height and width of the input; None: the model's own.
    weights
        Of Keras Applications: None for random ones, which take the same time.
    trust
        Whether a file may run code of its own.
    threads
        To compute with; None: one for each CPU.
    backend
        Of Keras; None: the one that it is set to.
    jit
        Whether every piece is compiled (see `tiercut.profiling.models.runtime.compile_piece`).
    stress
        Shares of processors and memory that are kept busy meanwhile.
    effort
        How often everything is timed.
    statistic
        Which statistic of the runs stands in the profile.
    clock
        ``wall`` or ``cpu`` (see `tiercut.profiling.timing.measuring.time_blocks`); ``cpu`` needs one thread.
    check
        How many spans, drawn at random, to time besides those that are needed, so that the profile says how near
        the times of spans that were put together come.
    redo
        Whether to time a device again that the profile has already.
    """

    device: str = "local"
    rule: Literal["all", "scission"] = "all"
    batch: int = 1
    size: tuple[int, int] | None = None
    weights: str | None = None
    trust: bool = False
    threads: int | None = None
    backend: str | None = None
    jit: bool = False
    stress: Mapping[str, float] = field(default_factory=dict)
    effort: Effort = EFFORT
    statistic: Statistic = "p50"
    clock: Clock = "wall"
    check: int = 0
    redo: bool = False

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise QuestionError(f"there must be at least 1 sample in a batch, got {self.batch}")
        if self.clock == "cpu" and self.threads != 1:
            raise QuestionError("processor time says how long a call takes only with one thread: --threads 1")
        if self.check < 0:
            raise QuestionError(f"the number of spans to check must be 0 or more, got {self.check}")
        if not self.device:
            raise QuestionError("the device needs a name")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a model.

    Parameters
    ----------
    path
        Its profile.
    model
        What the profile calls it.
    blocks
        How many there are.
    whole_s
        Seconds of the uncut model.
    fresh
        False where the profile had this device already.
    """

    path: Path
    model: str
    blocks: int
    whole_s: float | None
    fresh: bool


def record_model(
    name: str, output: str | os.PathLike[str], wanted: Wanted = Wanted(), *, progress: Progress = lambda *_: None
) -> Recorded:
    """Record a model on this machine, and add the device to the model's profile.

    Parameters
    ----------
    name
        See `tiercut.profiling.models.loader.load_model`.
    output
        The profile, ``*.json``, or the folder in which it is called after the model. Where it exists, the device
        is added to it.
    wanted
        How.
    progress
        Told how far it is.

    Raises
    ------
    QuestionError
        If a name is unknown, a setting cannot be, or the profile has the device with other settings.
    InputError
        If the model's file cannot be read, or the profile there is of other blocks.
    """
    threads = start_framework(wanted.threads, backend=wanted.backend)
    progress("load", 0, 1)
    loaded = load_model(name, size=wanted.size, weights=wanted.weights, trust=wanted.trust)
    blocks = find_blocks(loaded.model, wanted.rule)
    target = profile_path(output, loaded.title.casefold())
    empty = _sketch(loaded, blocks, wanted)
    known = load_profile(target) if target.exists() else None
    if known is not None:
        fresh = Profile.from_data(empty | {"devices": {wanted.device: {"block_s": [0.0] * len(blocks)}}})
        check_same_model(known, fresh, names=(os.fspath(target), f"{name} as it is now"))
        found = known.devices.get(wanted.device)
        if found is not None and not wanted.redo:
            _check_settings(found, wanted, threads, target)
            return Recorded(target, loaded.title, len(blocks), found.whole_model_s, fresh=False)
    record = _timed(blocks, wanted, threads, progress)
    made = Profile.from_data(empty | {"devices": {wanted.device: record}}, source=os.fspath(target))
    if known is not None:
        made = replaced(known, made, names=(os.fspath(target), name))
    save_profile(made, target)
    return Recorded(target, loaded.title, len(blocks), record["whole_model_s"], fresh=True)


def _sketch(loaded: LoadedModel, blocks: Sequence[Block], wanted: Wanted) -> dict[str, Any]:
    """Return the profile of a model without its devices."""
    from tiercut import __version__

    batch = wanted.batch
    return {
        "format": FORMAT,
        "model": loaded.title,
        "origin": f"recorded by tiercut {__version__}",
        "architecture": loaded.fingerprint,
        "rule": wanted.rule,
        "batch": batch,
        "input_bytes": float(batch * tensor_bytes(blocks[0].input)),
        "result_bytes": float(batch * tensor_bytes(blocks[-1].output)),
        "blocks": [
            {
                "name": block.name,
                "first_layer": block.first_layer,
                "last_layer": block.last_layer,
                "output_bytes": float(batch * block.output_bytes),
                "parameter_bytes": float(block.parameter_bytes),
                "activation_bytes": float(batch * block.activation_bytes),
                "flops": float(batch * block.flops),
            }
            for block in blocks
        ],
    }


def _timed(blocks: Sequence[Block], wanted: Wanted, threads: int, progress: Progress) -> dict[str, Any]:
    """Time everything and return what the profile says of this device."""
    import keras

    drawn = draw_spans(len(blocks), wanted.check)
    with stressed(wanted.stress):
        watch = Watch()
        measured = time_blocks(
            blocks,
            wanted.effort,
            also=drawn,
            batch=wanted.batch,
            jit=wanted.jit,
            calm=not wanted.stress,
            clock=wanted.clock,
            progress=lambda done, most: progress("time", done, most),
            building=lambda done, most: progress("build", done, most),
        )
        load, told = watch.figures(), watch.describe()
    needed = {key: each for key, each in measured.times.items() if key[0] != "span" or key[1:] not in drawn}
    rows = device_record(needed, len(blocks), statistic=wanted.statistic)
    samples = "batches of one sample" if wanted.batch == 1 else f"batches of {wanted.batch} samples"
    return {
        "description": f"{describe_machine()}, {threads} thread{'s' * (threads != 1)}; {told}; {samples}",
        "framework": describe_framework(),
        "backend": keras.backend.backend(),
        "versions": versions(),
        "threads": threads,
        "jit_compile": wanted.jit,
        "clock": wanted.clock,
        "stress": dict(wanted.stress),
        "load": load,
        "precision": round(min(measured.precision, 1.0), 4),
        "set_aside": round(measured.set_aside, 4),
        "span_check": _checked(measured.times, drawn, rows["span_s"], wanted.statistic),
    } | rows


def _checked(
    times: Mapping[Key, Times], drawn: Sequence[tuple[int, int]], rows: Sequence[Sequence[float]], statistic: Statistic
) -> list[dict[str, Any]]:
    """Return what the profile says of the spans that were timed only to be compared."""
    return [
        {
            "blocks": [first + 1, last + 1],
            "timed_s": float(getattr(times["span", first, last], statistic)),
            "predicted_s": rows[first][last - first],
        }
        for first, last in drawn
    ]


def _check_settings(found: Device, wanted: Wanted, threads: int, target: Path) -> None:
    """Refuse to take a record for the one that is asked for when it was made otherwise."""
    import keras

    asked = {
        "threads": threads,
        "backend": keras.backend.backend(),
        "jit_compile": wanted.jit,
        "clock": wanted.clock,
        "stress": dict(wanted.stress),
        "statistic": wanted.statistic,
    }
    for key, value in asked.items():
        if getattr(found, key) != value:
            raise InputError(
                os.fspath(target),
                f"the device '{wanted.device}' is there already, recorded with {key} {getattr(found, key)} and not "
                f"{value}; give this one another name with --device, or say --redo to time it again",
            )
