"""Trainings of parts of a network with branches: each branch by itself, and the configuration that a plan needs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tiercut.profiling.data.datasets import Split
from tiercut.profiling.exits.exits import ExitModel, configuration
from tiercut.profiling.exits.statistics import record_samples
from tiercut.profiling.exits.training import Progress, Schedule, train_jointly

__all__ = ["fine_tune", "separate_accuracies", "train_separately"]


def train_separately(
    exits: ExitModel,
    split: Split,
    schedule: Schedule,
    *,
    checkpoints: str | os.PathLike[str] | None = None,
    progress: Progress = lambda *_: None,
) -> Iterator[tuple[int, ExitModel]]:
    """Train, for every branch, a model of its own: the backbone up to its block, and that branch alone.

    The Joint model takes the accuracies of its branches from such models (section 2.2): in joint training each
    branch gives way to all others, more than it will have to in the network that is deployed.

    Parameters
    ----------
    exits
        The network, which stays as it is; every model begins with weights of its own.
    split, schedule
        As for `tiercut.profiling.exits.training.train_jointly`.
    checkpoints
        Folder for a checkpoint of each training; with it, a later call goes on where this one was interrupted.
    progress
        Called after every epoch, whose number is counted over all branches.

    Yields
    ------
    tuple
        The block, 1-based, and its trained model, one after another.

    Raises
    ------
    QuestionError, InputError
        As `tiercut.profiling.exits.training.train_jointly`.
    """
    import keras

    present = [index + 1 for index in exits.present]
    for done, block in enumerate(present):
        keras.utils.set_random_seed(schedule.seed)
        alone = configuration(exits, (block,), fresh=True)
        kept = None if checkpoints is None else Path(checkpoints) / f"alone{block}.npz"
        train_jointly(alone, split, schedule, checkpoint=kept, progress=_part(progress, done, len(present)))
        yield block, alone


def _part(progress: Progress, done: int, parts: int) -> Progress:
    return lambda epoch: progress(epoch._replace(done=done * epoch.most + epoch.done, most=parts * epoch.most))


def separate_accuracies(
    exits: ExitModel,
    split: Split,
    measured: Split,
    schedule: Schedule,
    *,
    checkpoints: str | os.PathLike[str] | None = None,
    progress: Progress = lambda *_: None,
) -> list[float | None]:
    """Return the accuracy of every branch when it is trained by itself (see `train_separately`).

    Parameters
    ----------
    measured
        What the accuracies are measured on: the profile split, or the test split.

    Returns
    -------
    list
        N values, None where a block has no branch.
    """
    found: list[float | None] = [None] * len(exits.blocks)
    for block, alone in train_separately(exits, split, schedule, checkpoints=checkpoints, progress=progress):
        found[block - 1] = float(record_samples(alone, measured).correct[:, -1].mean())
    return found


def fine_tune(
    exits: ExitModel,
    branches: Sequence[int],
    split: Split,
    schedule: Schedule,
    *,
    weights: Sequence[float] | None = None,
    fresh: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress = lambda *_: None,
) -> ExitModel:
    """Train the configuration that a plan needs: the backbone up to its last block, with its exits alone.

    Parameters
    ----------
    exits
        The network, which stays as it is.
    branches
        Blocks after which samples may leave, 1-based and rising; the last of them is where the network is trimmed.
    split, schedule, weights, checkpoint, progress
        As for `tiercut.profiling.exits.training.train_jointly`.
    fresh
        Whether to begin with new weights, as the Joint model does to validate its estimates (section 3.2), in place
        of those that the network has.

    Returns
    -------
    ExitModel
        The trained configuration.

    Raises
    ------
    QuestionError, InputError
        As `tiercut.profiling.exits.training.train_jointly`, or if a block has no branch.
    """
    import keras

    keras.utils.set_random_seed(schedule.seed)
    part = configuration(exits, branches, fresh=fresh)
    train_jointly(part, split, schedule, weights=weights, checkpoint=checkpoint, progress=progress)
    return part
