"""One network, recorded: cut, timed on this machine, its exits run over samples, and added to its profile.

There is one pipeline for networks with exits and without. What exits do (see
`tiercut.profiling.record.record_exits`) is a second half of the same record: measured once, while every machine adds
its times.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tiercut.documents import check_writable
from tiercut.errors import InputError, QuestionError
from tiercut.profiling.exits.onnx_exits import OnnxNetwork
from tiercut.profiling.exits.statistics import warn_of_chance
from tiercut.profiling.exits.thresholds import Thresholds, read_thresholds
from tiercut.profiling.exits.trainer import Network
from tiercut.profiling.exits.training import train_jointly
from tiercut.profiling.models.blocks import Block, joined_blocks
from tiercut.profiling.models.cut import CutNetwork
from tiercut.profiling.models.graph import Framework
from tiercut.profiling.models.loader import start_for
from tiercut.profiling.profile.files import load_profile, profile_path, save_profile
from tiercut.profiling.profile.merging import check_same_model, replaced
from tiercut.profiling.profile.samples import samples_of
from tiercut.profiling.profile.schema import FORMAT, Device, Exits, Profile
from tiercut.profiling.record.agreement import agreeing
from tiercut.profiling.record.record_codecs import add_codecs, samples_for_codecs
from tiercut.profiling.record.record_exits import ExitHalf, exits_difference, measure_exits
from tiercut.profiling.record.settings import DEFAULTS, THRESHOLDS, Settings, check_settings, profile_stem
from tiercut.profiling.record.subject import Subject, open_subject
from tiercut.profiling.timing.joints import warn_of_joints
from tiercut.profiling.timing.machine import Watch, describe_machine
from tiercut.profiling.timing.pieces_timed import device_record, runs_needed, time_pieces
from tiercut.profiling.timing.spans import draw_spans
from tiercut.profiling.timing.stress import find_program, stressed
from tiercut.profiling.timing.stress_curves import stress_curves

__all__ = ["Progress", "Recording", "record", "record_model"]

Progress = Callable[[str, int, int], None]
"""Called with the stage (``load``, ``train``, ``exits``, ``build``, ``time``, ``stress``, ``codecs``), how much of it
is done, and how much there is at most."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The result for a model.

    Parameters
    ----------
    path
        Its profile.
    model
        What the profile calls it, with its data set where it has exits.
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
    name: str, output: str | os.PathLike[str], settings: Settings = DEFAULTS, *, progress: Progress = lambda *_: None
) -> Recording:
    """Record a model on this machine by its name.

    Parameters
    ----------
    name
        See `tiercut.profiling.models.loader.load_model`; also a file that `tiercut.train_network` wrote, or with a
        data set a backbone, which is given exits and trained before.
    output
        The profile, ``*.json``, or the folder in which it is called after the model. Where it exists, the device
        is added to it.
    settings
        How.
    progress
        Called with the progress.

    Raises
    ------
    QuestionError
        If a name is unknown, a setting cannot be or cannot count for this network.
    InputError
        If the model's file cannot be read, the profile cannot be written, or as `record`.
    """
    check_settings(name, settings)
    target = profile_path(output, profile_stem(name, settings.dataset))
    check_writable(target)
    threads = start_for(name, threads=settings.threads, backend=settings.backend, runtime=settings.runtime)
    progress("load", 0, 1)
    return record(open_subject(name, settings), target, settings, threads=threads, progress=progress)


def record(
    subject: Subject, target: Path, settings: Settings, *, threads: int, progress: Progress = lambda *_: None
) -> Recording:
    """Record a network, with exits or without, and add this device to its profile.

    Without `Settings.redo` nothing that was measured is written over: a device that the profile has already is not
    timed again, and the exits that it has stay if they are the same but for rounding. With exits, what every branch
    says of every sample is written beside the profile, apart for the profile split and the test split.

    Parameters
    ----------
    subject
        What `tiercut.profiling.record.subject.open_subject` returns.
    target
        The profile.
    settings
        How.
    threads
        What `tiercut.profiling.models.loader.start_for` returned.
    progress
        Called with the progress.

    Raises
    ------
    QuestionError
        If the network takes another batch, cannot be cut, or was not run often enough for the statistic.
    InputError
        If the profile there is of other blocks or exits, or has the device with other settings.
    """
    known = load_profile(target) if target.exists() else None
    found = known.devices.get(settings.device) if known is not None else None
    settings = replace(settings, batch=_batch(subject.cut, settings.batch))
    cut = _as_recorded(subject.cut, known)
    _check_same_blocks(cut, known, settings, target)
    if found is None or settings.redo:
        cut = agreeing(cut, batch=settings.batch or 1, jit=settings.jit)
        _check_same_blocks(cut, known, settings, target)
    sketch = _sketch(cut, settings) | {"origin": subject.origin}
    half = _fresh_exits(subject, known, settings, target, progress)
    if known is not None and found is not None and not settings.redo:
        _check_same_settings(found, settings, threads, cut.framework, target)
        coded = add_codecs(known, subject, cut, settings, progress=progress)
        if coded is not known:
            save_profile(coded, target)
        return Recording(target, known.name, len(cut.blocks), found.whole_model_s, fresh=coded is not known)
    samples = samples_for_codecs(subject, cut, settings)  # before everything else is timed
    device = _timed(cut, settings, threads, progress)
    if half is not None:
        sketch |= half.keys | half.save(target)
    profile = Profile.from_data(sketch | {"devices": {settings.device: device}}, source=os.fspath(target))
    if known is not None:
        profile = replaced(known, profile, names=(os.fspath(target), cut.title))
    profile = add_codecs(profile, subject, cut, settings, samples=samples, progress=progress)
    save_profile(profile, target)
    if not subject.trained:
        shutil.rmtree(_checkpoints(target), ignore_errors=True)
    return Recording(target, profile.name, len(cut.blocks), device["whole_model_s"], fresh=True)


def _batch(cut: CutNetwork, wanted: int | None) -> int:
    """Return the samples in one call: as many as the network takes, where it does not take any number."""
    fixed = cut.model.graph.batch
    if fixed is not None and wanted not in (None, fixed):
        raise QuestionError(f"{cut.title} takes batches of {fixed} samples; say --batch {fixed}")
    return wanted or fixed or 1


def _as_recorded(cut: CutNetwork, known: Profile | None) -> CutNetwork:
    """Return a network with the blocks that a profile has of it, where some of its cuts were dropped."""
    if known is None or cut.ends:
        return cut
    names = {block.name for block in known.blocks}
    ends = {block.end for block in cut.blocks if block.name in names}
    joined = joined_blocks(cut.model.graph, cut.blocks, ends)
    same = [block.name for block in joined] == [block.name for block in known.blocks]
    return replace(cut, blocks=joined) if same else cut


def _check_same_blocks(cut: CutNetwork, known: Profile | None, settings: Settings, target: Path) -> None:
    """Refuse a profile of other blocks."""
    if known is not None:
        empty = {settings.device: {"block_s": [0.0] * len(cut.blocks)}}
        names = (os.fspath(target), f"{cut.title} as it is now")
        check_same_model(known, Profile.from_data(_sketch(cut, settings) | {"devices": empty}), names=names)


def _sketch(cut: CutNetwork, settings: Settings) -> dict[str, Any]:
    """Return what a profile says of the network itself."""
    batch = settings.batch or 1
    return {
        "format": FORMAT,
        "model": cut.title,
        "architecture": cut.architecture,
        "rule": cut.rule,
        "batch": batch,
        "input_bytes": float(batch * cut.input_bytes),
        "result_bytes": float(batch * cut.result_bytes),
        "blocks": [_block(block, batch, cut.framework.backend == "onnxruntime") for block in cut.blocks],
    }


def _block(block: Block, batch: int, named: bool) -> dict[str, Any]:
    """Return what a profile says of a block; what crosses after it by name where tensors have names of their own."""
    found = {
        "name": block.name,
        "first_layer": block.first_layer,
        "last_layer": block.last_layer,
        "output_bytes": float(batch * block.output_bytes),
        "parameter_bytes": float(block.parameter_bytes),
        "activation_bytes": float(batch * block.activation_bytes),
        "flops": float(batch * block.flops),
    }
    if named or len(block.outputs) > 1:
        found["tensors"] = [
            {"name": each.name, "bytes": float(batch * each.nbytes), "dtype": each.dtype, "shape": [*each.sizes(batch)]}
            for each in block.outputs
        ]
    if block.state_bytes:
        found["state_bytes"] = float(batch * block.state_bytes)
    return found


def _fresh_exits(
    subject: Subject, known: Profile | None, settings: Settings, target: Path, progress: Progress
) -> ExitHalf | None:
    """Measure what exits do; return None where there are none, or the profile has them already."""
    if subject.network is None:
        return None
    if known is not None and known.exits is None:
        raise InputError(os.fspath(target), "is of this network without exits; name another --output")
    kept = None if settings.redo else known
    if not subject.trained:
        if kept is not None:
            _check_same_training(kept, subject, settings, target)
            return None
        _train(subject, settings, target, progress)
    progress("exits", 0, 1)
    half = measure_exits(subject.network, _thresholds(settings, kept))
    network = subject.network
    if not subject.trained or isinstance(network, OnnxNetwork):
        labels, present = network.data.profile.labels, network.exits.present
        warn_of_chance(network.title, half.profiled.correct, labels, present=present)
    if kept is None:
        return half
    exits = Exits.model_validate(half.keys["exits"])
    found = exits_difference(kept, half.keys["dataset"], half.keys["samples"], exits)
    if found is not None:
        raise _other_exits(target, found)
    return None


def _thresholds(settings: Settings, kept: Profile | None) -> Thresholds:
    if settings.thresholds is None and kept is not None and kept.exits is not None:
        same = kept.exits.thresholds
        return lambda _: list(same)
    return read_thresholds(settings.thresholds or THRESHOLDS)


def _train(subject: Subject, settings: Settings, target: Path, progress: Progress) -> None:
    assert isinstance(subject.network, Network)
    train_jointly(
        subject.network.exits,
        subject.network.data.train,
        settings.schedule,
        checkpoint=_checkpoints(target) / "joint.npz",
        progress=lambda epoch: progress("train", epoch.done, epoch.most),
    )


def _checkpoints(target: Path) -> Path:
    """Return the folder that keeps a training until its profile is written."""
    return target.with_name(f".{target.stem}.partial")


def _check_same_training(known: Profile, subject: Subject, settings: Settings, target: Path) -> None:
    """Refuse to take the exits of another training for those that were requested; nothing is trained for it."""
    # without the version that recorded it
    before, now = (text.partition(": ")[2] for text in (known.origin, subject.origin))
    if before != now:
        raise _other_exits(target, f"they come from '{before}' there and '{now}' here")
    if settings.thresholds is not None and known.exits is not None:
        wanted = read_thresholds(settings.thresholds)(samples_of(known))
        if wanted != known.exits.thresholds:
            raise _other_exits(target, "thresholds differs")


def _other_exits(target: Path, difference: str) -> InputError:
    return InputError(
        os.fspath(target),
        f"has other exits: {difference}; name another --output, or say --redo to record them again",
    )


def _timed(cut: CutNetwork, settings: Settings, threads: int, progress: Progress) -> dict[str, Any]:
    """Time everything and return what the profile says of this device (Scission, table III: how long that takes)."""
    began = time.perf_counter()
    if settings.stress_levels:
        find_program()  # before everything else is timed
    drawn, framework = draw_spans(len(cut.blocks), settings.check), cut.framework
    with stressed(settings.stress):
        watch = Watch()
        measured = time_pieces(
            cut,
            replace(settings.timing, counted=runs_needed(settings.statistic)),
            also=drawn,
            batch=settings.batch or 1,
            jit=settings.jit,
            calm=not settings.stress,
            clock=settings.clock,
            progress=lambda done, most: progress("time", done, most),
            building=lambda done, most: progress("build", done, most),
        )
        load, busy = watch.figures(), watch.describe()
    record = device_record(measured.times, len(cut.blocks), statistic=settings.statistic, also=drawn)
    if framework.backend == "onnxruntime":
        warn_of_joints(cut.title, record)
    curves = {} if not settings.stress_levels else {"stress_curve": _curves(cut, settings, progress)}
    samples = "batches of one sample" if settings.batch == 1 else f"batches of {settings.batch} samples"
    return {
        "description": f"{describe_machine()}, {threads} thread{'s' * (threads != 1)}; {busy}; {samples}",
        "framework": framework.description,
        "load": load,
        "precision": round(min(measured.precision, 1.0), 4),
        "set_aside": round(measured.set_aside, 4),
        "benchmark_s": round(time.perf_counter() - began, 3),
        **_settings_kept(settings, threads, framework),
        "versions": dict(framework.versions),
        **record,
        **curves,
    }


def _curves(cut: CutNetwork, settings: Settings, progress: Progress) -> dict[str, Any]:
    """Time the whole network at every level of load (McNamee et al., "The case for adaptive ...", section IV)."""
    return stress_curves(
        cut,
        settings.stress_levels,
        replace(settings.timing, counted=runs_needed(settings.statistic)),
        batch=settings.batch or 1,
        jit=settings.jit,
        statistic=settings.statistic,
        progress=lambda done, most: progress("stress", done, most),
    )


def _settings_kept(settings: Settings, threads: int, framework: Framework) -> dict[str, Any]:
    """Return the settings that a profile keeps for a device."""
    return {
        "backend": framework.backend,
        "threads": threads,
        "jit_compile": settings.jit,
        "clock": settings.clock,
        "stress": dict(settings.stress),
        "statistic": settings.statistic,
        "provider": settings.onnx.provider,
    }


def _check_same_settings(found: Device, settings: Settings, threads: int, framework: Framework, target: Path) -> None:
    """Refuse to take a record for the one that is requested when its settings differ."""
    levels = {tuple(curve.levels) for curve in found.stress_curve.values()}
    if settings.stress_levels and levels != {settings.stress_levels}:
        raise InputError(
            os.fspath(target),
            f"the device '{settings.device}' is there already, without curves of these levels; give this one another "
            "name with --device, or say --redo to time it again",
        )
    for key, value in _settings_kept(settings, threads, framework).items():
        if getattr(found, key) != value:
            raise InputError(
                os.fspath(target),
                f"the device '{settings.device}' is there already, recorded with {key} {getattr(found, key)} and not "
                f"{value}; give this one another name with --device, or say --redo to time it again",
            )
