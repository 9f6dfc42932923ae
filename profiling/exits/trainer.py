"""The whole training of one network: build it, give it exits, train it, and write it as one ``.keras`` file."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tiercut.documents import check_writable
from tiercut.documents.locks import clear, held
from tiercut.errors import InputError, QuestionError
from tiercut.profiling.data.datasets import Dataset, Shares, load_dataset
from tiercut.profiling.exits.calibration import calibrate
from tiercut.profiling.exits.checkpoints import digest
from tiercut.profiling.exits.configurations import fine_tune, separate_accuracies
from tiercut.profiling.exits.exit_files import ExitFile, has_exits, load_exits, save_exits
from tiercut.profiling.exits.exits import ExitModel, attach_exits
from tiercut.profiling.exits.statistics import record_samples, warn_of_chance
from tiercut.profiling.exits.training import Epoch, Schedule, train_jointly
from tiercut.profiling.models.backbones import BACKBONES, backbone
from tiercut.profiling.models.loader import folded, load_keras
from tiercut.profiling.models.runtime import start_framework

__all__ = ["Network", "Trained", "Training", "data_of", "new_network", "origin_of", "train_network", "unseen_samples"]

log = logging.getLogger(__name__)

Report = Callable[[str, Epoch], None]
"""Called after every epoch with what is trained: ``jointly``, ``separately`` or ``configuration``."""

POLICIES = ("mixed_float16", "mixed_bfloat16", "float32")


@dataclass(frozen=True, slots=True)
class Training:
    """What to train, and how.

    Parameters
    ----------
    schedule
        How long, how fast, on how much.
    branches
        Blocks that get a branch (see `tiercut.profiling.exits.exits.attach_exits`).
    weights
        What the loss of each branch counts.
    separately
        Whether to train each branch by itself too, for its accuracy.
    configuration
        Blocks after which samples may leave, where one configuration is to be trained; empty for all branches.
    fresh
        Whether a configuration begins with new weights.
    temperature
        Whether to calibrate every branch on the samples held out.
    policy
        Keras' policy for precision; None leaves it as it is.
    shares
        Of the splits of the data set; None for the usual ones (see `tiercut.profiling.data.datasets.load_dataset`). A
        network that was trained before keeps its own.
    """

    schedule: Schedule = field(default_factory=Schedule)
    branches: Collection[int] | Literal["all", "auto"] = "all"
    weights: Sequence[float] | None = None
    separately: bool = False
    configuration: tuple[int, ...] = ()
    fresh: bool = False
    temperature: bool = False
    policy: str | None = None
    shares: Shares | None = None

    def __post_init__(self) -> None:
        if self.policy is not None and self.policy not in POLICIES:
            raise QuestionError(f"the precision is one of {', '.join(POLICIES)}, not '{self.policy}'")
        if self.temperature and not self.schedule.held_out:
            raise QuestionError("temperatures are fitted to samples held out of the training: give held_out")
        if self.configuration and self.separately:
            raise QuestionError("a configuration is trained as it is; train its branches separately before")
        if self.schedule.freeze and (self.separately or self.fresh):
            raise QuestionError(
                "a frozen network keeps its weights, so none are fresh, and its branches have nothing in common that "
                "training them separately could change"
            )


@dataclass(frozen=True, slots=True)
class Network:
    """A network with branches and what it is, or will be, trained on.

    Parameters
    ----------
    title
        What profiles call it.
    exits
        The model.
    data
        The data set in its splits.
    record
        What its file says of it; None for one that was just built.
    """

    title: str
    exits: ExitModel
    data: Dataset
    record: ExitFile | None = None


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training gave.

    Parameters
    ----------
    path
        The ``.keras`` file.
    record
        What stands in it beside the model.
    accuracy
        Of each branch on the profile split, N values, None where a block has none.
    """

    path: Path
    record: ExitFile
    accuracy: tuple[float | None, ...]


def train_network(
    name: str,
    dataset: str | None = None,
    training: Training = Training(),
    *,
    output: str | os.PathLike[str],
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    threads: int | None = None,
    backend: str | None = None,
    trust: bool = False,
    redo: bool = False,
    report: Report = lambda *_: None,
) -> Trained:
    """Train a network with its exits and write it, with all that profiling needs, as one ``.keras`` file.

    A checkpoint is kept beside the output after every epoch: the same call goes on where it was interrupted.

    Parameters
    ----------
    name
        A backbone of `tiercut.profiling.models.backbones`, a file that an earlier training wrote, or any other model
        that `tiercut.profiling.models.loader.load_keras` knows.
    dataset
        See `tiercut.profiling.data.datasets.load_dataset`; by default what a network was trained on before, or
        ``digits32``.
    training
        What and how.
    output
        The file to write, ``*.keras``, or a folder, in which it is called after network and data set.
    size, channels
        What images are scaled to; by default their own, or what the model takes.
    threads, backend
        See `tiercut.profiling.models.runtime.start_framework`.
    trust
        Whether a file may run code of its own.
    redo
        Whether a file that is there already is written anew.
    report
        Called with the progress.

    Raises
    ------
    QuestionError
        If something is unknown or does not go together, or the loss is no longer a number.
    InputError
        If a file cannot be read, or written, or is there already; which is checked before anything is trained.

    Warns
    -----
    TiercutWarning
        Names the branches whose answers are no better than chance.
    """
    check_writable(_target(Path(output), "any"))
    start_framework(threads, backend=backend)
    with _policy(training.policy):
        network = _open(name, dataset, training, size, channels, trust)
    target = _target(Path(output), _stem(name, network.data.name, training.configuration))
    folder = target.with_name(f".{target.stem}.partial")
    _refuse_existing(target, redo)
    with held(folder, os.fspath(target), by="another training"):
        _refuse_existing(target, redo)  # another training may have ended just now
        return _trained(network, training, target, folder, report)


def _refuse_existing(target: Path, redo: bool) -> None:
    if target.exists() and not redo:
        raise InputError(os.fspath(target), "is there already; name another --output, or train it again with --redo")


def _trained(network: Network, training: Training, target: Path, folder: Path, report: Report) -> Trained:
    exits, separate = _train(network, training, folder, report)
    held = training.schedule.divide(network.data.train)[1]
    record = ExitFile(
        title=network.title,
        cuts=[block.name for block in exits.blocks],
        branches=[place + 1 for place in exits.present],
        dataset=network.data.name,
        shares=_kept_shares(network, training),
        seed=training.schedule.seed,
        trained_on=_mark(network.data),
        origin=origin_of(network, training),
        accuracy_separate=separate,
        temperature=calibrate(exits, held) if training.temperature else None,
    )
    save_exits(exits, record, target)
    clear(folder)
    correct = record_samples(exits, network.data.profile).correct
    warn_of_chance(network.title, correct, network.data.profile.labels, present=exits.present)
    return Trained(
        target,
        record,
        tuple(float(each.mean()) if place in exits.present else None for place, each in enumerate(correct.T)),
    )


def _kept_shares(network: Network, training: Training) -> list[float] | None:
    if network.record is not None:
        return network.record.shares
    return None if training.shares is None else list(training.shares)


@contextmanager
def _policy(policy: str | None) -> Iterator[None]:
    import keras

    before = keras.config.dtype_policy()
    if policy is not None:
        keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _open(
    name: str,
    dataset: str | None,
    training: Training,
    size: tuple[int, int] | None,
    channels: int | None,
    trust: bool,
) -> Network:
    import keras

    seed = training.schedule.seed
    if has_exits(name):
        return _opened(name, dataset, training, trust)
    dataset = dataset or "digits32"
    known = next((key for key in BACKBONES if key == folded(name)), None)
    if known is not None:
        if training.schedule.freeze:
            raise QuestionError(
                f"'{known}' begins with random weights; freeze a network that was trained: a .keras file or "
                "module:function"
            )
        return new_network(
            known,
            dataset,
            seed=seed,
            size=size,
            channels=channels,
            branches=training.branches,
            shares=training.shares,
        )
    keras.utils.set_random_seed(seed)
    title, model = load_keras(name, size=size, trust=trust)
    exits = attach_exits(model, branches=training.branches)
    return Network(title, exits, _data_for(exits, dataset, seed, training.shares))


def new_network(
    name: str,
    dataset: str,
    *,
    seed: int = 0,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    branches: Collection[int] | Literal["all", "auto"] = "all",
    shares: Shares | None = None,
) -> Network:
    """Return a backbone with exits for a data set, not yet trained.

    Parameters
    ----------
    name
        A backbone of `tiercut.profiling.models.backbones`.
    dataset, size, channels, shares
        See `tiercut.profiling.data.datasets.load_dataset`.
    seed
        Of the splits and of the first weights.
    branches
        See `tiercut.profiling.exits.exits.attach_exits`.

    Raises
    ------
    QuestionError
        If a name is unknown, or the backbone cannot be built for such images.
    """
    import keras

    data = load_dataset(dataset, seed=seed, size=size, channels=channels, shares=shares)
    policy = keras.config.dtype_policy()
    keras.utils.clear_session()  # names that Keras makes up count from 1 again: the same network, the same names
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(seed)
    shape: Any = data.train.images.shape[1:]
    built = backbone(name, classes=data.classes, input_shape=shape)
    return Network(built.title, attach_exits(built.model, cuts=built.cuts, branches=branches), data)


def _opened(name: str, dataset: str | None, training: Training, trust: bool) -> Network:
    """Open a network that was trained before; it goes on with the same splits."""
    if training.policy is not None:
        raise QuestionError(f"'{name}' keeps the precision that it was trained with")
    exits, record = load_exits(name, trust=trust)
    if training.schedule.seed != record.seed:
        raise QuestionError(
            f"'{name}' was trained with the seed {record.seed}, on whose splits it has to stay; give that seed"
        )
    if training.shares is not None:
        raise QuestionError(f"'{name}' keeps the splits that it was trained with")
    if not training.configuration:
        raise QuestionError(f"'{name}' is trained already; name the exits of a configuration to fine-tune it")
    return Network(record.title, exits, data_of(exits, record, dataset, name), record)


def data_of(exits: ExitModel, record: ExitFile, dataset: str | None, source: str) -> Dataset:
    """Return the data set of a trained network, in the splits of its training.

    Parameters
    ----------
    exits, record
        What `tiercut.profiling.exits.exit_files.load_exits` gives.
    dataset
        Its name or place; by default the name that the file has.
    source
        What to call the file in an error.

    Raises
    ------
    QuestionError
        If it is unknown.
    InputError
        If it is not what the network was trained on: its samples would stand in other splits.
    """
    try:
        shares = None if record.shares is None else Shares(*record.shares)
        data = _data_for(exits, dataset or record.dataset, record.seed, shares)
    except QuestionError as error:
        if dataset is not None:
            raise
        raise QuestionError(f"'{source}' was trained on '{record.dataset}': {error}; name it with --dataset") from None
    if _mark(data) != record.trained_on:
        raise InputError(
            source,
            f"was trained on other samples than the training split of '{data.name}' with the seed {record.seed}; "
            "give the data set that it was trained on, so that nothing is measured on what it has seen",
        )
    return data


def unseen_samples(
    path: str | os.PathLike[str], dataset: str | None = None, *, trust: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the images and labels that nothing about a trained network was chosen by: its data set's test split.

    Parameters
    ----------
    path
        What `tiercut.profiling.exits.exit_files.save_exits` wrote.
    dataset, trust
        See `data_of` and `tiercut.profiling.exits.exit_files.load_exits`.

    Raises
    ------
    InputError, QuestionError
        If it is no such file, or another data set.
    """
    exits, record = load_exits(path, trust=trust)
    test = data_of(exits, record, dataset, os.fspath(path)).test
    return test.images, test.labels


def _data_for(exits: ExitModel, dataset: str, seed: int, shares: Shares | None) -> Dataset:
    """Return a data set as a model takes it."""
    shape = tuple(exits.model.inputs[0].shape[1:])
    if len(shape) != 3 or None in shape:
        raise QuestionError(f"a network for images takes height, width and channels, not {shape}")
    data = load_dataset(dataset, seed=seed, size=shape[:2], channels=shape[2], shares=shares)
    classes = exits.classes
    if data.classes != classes:
        raise QuestionError(
            f"the network tells {classes} classes apart, but '{data.name}' has {data.classes}; give a function that "
            "builds it for so many, as module:function"
        )
    return data


def _mark(data: Dataset) -> str:
    return digest({}, [data.train.indices, data.train.labels, data.train.images[:: max(1, len(data.train) // 64)]])


def _train(
    network: Network, training: Training, folder: Path, report: Report
) -> tuple[ExitModel, list[float | None] | None]:
    exits, split, schedule = network.exits, network.data.train, training.schedule

    def labelled(what: str) -> Callable[[Epoch], None]:
        return lambda epoch: report(what, epoch)

    if training.configuration:
        part = fine_tune(
            exits,
            training.configuration,
            split,
            schedule,
            weights=training.weights,
            fresh=training.fresh,
            checkpoint=folder / "configuration.npz",
            progress=labelled("configuration"),
        )
        return part, None
    separate = None
    train_jointly(
        exits,
        split,
        schedule,
        weights=training.weights,
        checkpoint=folder / "joint.npz",
        progress=labelled("jointly"),
    )
    if training.separately:
        separate = separate_accuracies(
            exits, split, network.data.profile, schedule, checkpoints=folder, progress=labelled("separately")
        )
    return exits, separate


def _stem(name: str, dataset: str, configuration: Sequence[int]) -> str:
    stem = Path(name.rpartition(":")[2]).stem.removesuffix(f"-{dataset}").casefold()
    return f"{stem}-{dataset}" + "".join(f"-{block}" for block in configuration)


def _target(output: Path, stem: str) -> Path:
    target = output / f"{stem}.keras" if output.is_dir() or not output.suffix else output
    if target.suffix != ".keras":
        raise QuestionError(f"a network is a .keras file, or a folder to write it into, not '{output}'")
    return target


def origin_of(network: Network, training: Training) -> str:
    """Return the name of a network and how it is trained, as text."""
    from tiercut import __version__

    schedule = training.schedule
    blocks = ", ".join(map(str, training.configuration))
    what = f"training of the exits after blocks {blocks}" if blocks else "joint training"
    before = f"{network.record.origin}; then " if network.record is not None and not training.fresh else ""
    most = "at most " if schedule.patience else ""
    fitted, _ = schedule.divide(network.data.train)
    return (
        f"{before}trained by tiercut {__version__}: {network.title} with {most}{schedule.epochs} epochs of {what} on "
        f"{len(fitted)} samples of {network.data.name}, seed {schedule.seed}"
    )
