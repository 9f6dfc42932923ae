"""The whole recording of one network: build, train, record its exits, time it, and write its profile."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tiercut.documents import check_writable
from tiercut.errors import InputError
from tiercut.profiling.data.datasets import Dataset, load_dataset
from tiercut.profiling.exits.exit_files import load_exits
from tiercut.profiling.exits.exits import ExitModel, attach_exits
from tiercut.profiling.exits.statistics import exits_record, model_record, record_samples
from tiercut.profiling.exits.thresholds import Thresholds, read_thresholds
from tiercut.profiling.exits.trainer import Network, data_of
from tiercut.profiling.exits.training import Schedule, train_jointly
from tiercut.profiling.models.backbones import backbone
from tiercut.profiling.models.runtime import describe_framework, start_framework
from tiercut.profiling.profile.files import load_profile, profile_path, save_profile
from tiercut.profiling.profile.samples import Samples, save_samples
from tiercut.profiling.profile.schema import FORMAT, Profile
from tiercut.profiling.timing.device import Statistic, device_record, time_exits
from tiercut.profiling.timing.machine import Watch, describe_machine
from tiercut.profiling.timing.timing import Effort

__all__ = ["Progress", "profile_backbone", "profile_exits"]

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Told the stage (``train``, ``build``, ``time``), how much of it is done, and how much there is at most."""


def profile_backbone(
    name: str = "resnet20",
    dataset: str = "digits32",
    *,
    output: str | os.PathLike[str],
    device: str = "local",
    epochs: int = 40,
    seed: int = 0,
    runs: int = 1000,
    precision: float = 0.01,
    thresholds: int | str = 20,
    threads: int | None = None,
    statistic: Statistic = "p50",
    work: str | os.PathLike[str] | None = None,
    progress: Progress = lambda *_: None,
) -> Profile:
    """Train a backbone with a branch after every block, record its exits, time it here, and write its profile.

    Three files are written at the end, whole: the profile, and beside it what every branch says of every sample of
    the profile split (``*.samples.npz``) and, apart, of the test split (``*.test.samples.npz``). A checkpoint of the
    training is kept meanwhile, so that the same call goes on where it was interrupted.

    Parameters
    ----------
    name
        A backbone of `tiercut.profiling.models.backbones`.
    dataset
        A data set of `tiercut.profiling.data.datasets`.
    output
        The profile to write, ``*.json``, or a folder, in which it is called after backbone and data set.
    device
        What to call this machine in the profile.
    epochs
        Passes over the training split.
    seed
        Of the split, the first weights, and the order of training.
    runs
        Most runs of everything that is timed.
    precision
        Fewer runs will do once every median is known to this share of itself.
    thresholds
        How many thresholds, at even distances up to 1; or as `tiercut.profiling.exits.thresholds.read_thresholds` reads
        them.
    threads
        Threads of one operation; by default one for each CPU.
    statistic
        Which statistic of the runs to record as the times (see `tiercut.profiling.timing.device.device_record`).
    work
        Folder that keeps the trained model. One that is named stays, and a later call with the same settings
        times without training; by default a hidden one beside the output, which is removed at the end.
    progress
        Told how far it is.

    Returns
    -------
    Profile
        What was written.

    Raises
    ------
    QuestionError
        If a name is unknown, a number out of range, or TensorFlow or scikit-learn is not installed.
    InputError
        If the profile cannot be written, which is told before anything is trained.
    """
    schedule, effort = Schedule(epochs=epochs, seed=seed), Effort(runs=runs, precision=precision)
    marks = read_thresholds(str(thresholds))
    target = profile_path(output, f"{name}-{dataset}")
    check_writable(target)
    folder = Path(work) if work is not None else target.with_name(f".{target.stem}.partial")
    threads = start_framework(threads)
    data = load_dataset(dataset, seed=seed)
    title, exits = _build(name, data, seed)
    train_jointly(
        exits,
        data.train,
        schedule,
        checkpoint=folder / "joint.npz",
        progress=lambda done, most: progress("train", done, most),
    )
    profile = _recorded(
        Network(title, exits, data),
        _origin(title, data, schedule),
        marks,
        target,
        threads,
        device,
        statistic,
        effort,
        progress,
    )
    if work is None:
        shutil.rmtree(folder, ignore_errors=True)
    return profile


def profile_exits(
    path: str | os.PathLike[str],
    dataset: str | None = None,
    *,
    output: str | os.PathLike[str],
    device: str = "local",
    runs: int = 1000,
    precision: float = 0.01,
    thresholds: int | str = 20,
    threads: int | None = None,
    backend: str | None = None,
    statistic: Statistic = "p50",
    trust: bool = False,
    progress: Progress = lambda *_: None,
) -> Profile:
    """Record the exits of a network that was trained before, time it here, and write its profile.

    Parameters
    ----------
    path
        What `tiercut.profiling.exits.trainer.train_network` wrote.
    dataset
        What it was trained on; by default the name that the file has. The splits are those of the training.
    output
        The profile to write, ``*.json``, or a folder, in which it is called after the network's file.
    device, runs, precision, thresholds, threads, statistic, progress
        As for `profile_backbone`.
    backend
        See `tiercut.profiling.models.runtime.start_framework`.
    trust
        Whether the file may run code of its own.

    Returns
    -------
    Profile
        What was written, with the two files of samples.

    Raises
    ------
    QuestionError
        If the data set is unknown, or a number out of range.
    InputError
        If the file cannot be read, the profile cannot be written or has other devices, whose times would be lost, or
        the data set is not the one that the network was trained on.
    """
    effort, marks = Effort(runs=runs, precision=precision), read_thresholds(str(thresholds))
    target = profile_path(output, Path(path).stem)
    check_writable(target)
    _check_others(target, device)
    threads = start_framework(threads, backend=backend)
    exits, record = load_exits(path, trust=trust)
    network = Network(record.title, exits, data_of(exits, record, dataset, os.fspath(path)), record)
    origin = f"{record.origin}; exits recorded on {len(network.data.profile)} others"
    return _recorded(network, origin, marks, target, threads, device, statistic, effort, progress)


def _check_others(target: Path, device: str) -> None:
    """Refuse to write a profile over one that has times of other devices."""
    others = [name for name in load_profile(target).devices if name != device] if target.exists() else []
    if others:
        raise InputError(
            os.fspath(target),
            f"has times of {', '.join(others)}, which would be lost; record into another folder with --output, and "
            "put both together with tiercut merge",
        )


def _recorded(
    network: Network,
    origin: str,
    marks: Thresholds,
    target: Path,
    threads: int,
    device: str,
    statistic: Statistic,
    effort: Effort,
    progress: Progress,
) -> Profile:
    """Record what the exits do, time the pieces, and write everything."""
    exits, data = network.exits, network.data
    samples, tests = record_samples(exits, data.profile), record_samples(exits, data.test)
    watch = Watch()
    times = time_exits(
        exits,
        data.profile.images[:1],
        effort,
        progress=lambda done, most: progress("time", done, most),
        building=lambda done, most: progress("build", done, most),
    )
    machine = f"{describe_machine()}, {threads} thread{'s' * (threads != 1)}; {watch.describe()}; batches of one sample"
    record = {"description": machine, "framework": describe_framework()}
    archive, apart = (target.with_name(f"{target.stem}{part}.samples.npz") for part in ("", ".test"))
    files = {"samples_file": archive.name, "samples_sha256": save_samples(samples, archive)}
    files |= {"test_samples_file": apart.name, "test_samples_sha256": save_samples(tests, apart)}
    profile = Profile.from_data(
        {"format": FORMAT, "model": network.title, "dataset": data.name, "samples": len(data.profile)}
        | {"origin": origin}
        | model_record(exits)
        | {"exits": _exits_record(network, samples, marks), "reference": device}
        | files
        | {"devices": {device: record | device_record(times, len(exits.blocks), statistic=statistic)}},
        source=os.fspath(target),
    )
    save_profile(profile, target)
    return profile.found_in(target.parent)


def _exits_record(network: Network, samples: Samples, marks: Thresholds) -> dict[str, Any]:
    found = exits_record(samples, marks(samples), present=network.exits.present)
    if network.record is not None:
        kept = {"accuracy_separate": network.record.accuracy_separate, "temperature": network.record.temperature}
        found |= {key: value for key, value in kept.items() if value is not None}
    return found


def _build(name: str, data: Dataset, seed: int) -> tuple[str, ExitModel]:
    import keras

    keras.utils.set_random_seed(seed)
    shape: Any = data.profile.images.shape[1:]
    made = backbone(name, classes=data.classes, input_shape=shape)
    return made.title, attach_exits(made.model, cuts=made.cuts)


def _origin(title: str, data: Dataset, schedule: Schedule) -> str:
    from tiercut import __version__

    return (
        f"recorded by tiercut {__version__}: {title} with {schedule.epochs} epochs of joint training on "
        f"{len(data.train)} samples of {data.name}, seed {schedule.seed}; exits recorded on {len(data.profile)} others"
    )
