"""Training of a backbone together with all its branches."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import QuestionError
from tiercut.profiling.data import Split
from tiercut.profiling.exits import ExitModel

__all__ = ["Schedule", "train_jointly"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Schedule:
    """How to train.

    Parameters
    ----------
    epochs
        Passes over the training split.
    batch
        Samples per step.
    learning_rate
        Of Adam at the first step; it falls to 0 along half a cosine.
    shift
        Every image is moved by up to this many pixels in either direction, anew in each epoch.
    seed
        Of the order of samples and of their shifts.
    """

    epochs: int = 30
    batch: int = 32
    learning_rate: float = 2e-3
    shift: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least = "0 or more" if name in ("seed", "shift") else "greater than 0"
            if value < 0 or (value == 0 and least != "0 or more"):
                raise QuestionError(f"the {name} of a training must be {least}, got {value}")


def train_jointly(
    exits: ExitModel, split: Split, schedule: Schedule, *, progress: Callable[[int, int], None] = lambda *_: None
) -> list[float]:
    """Train backbone and branches together: the loss is the sum of the branches' cross entropies.

    BranchyNet (Teerapittayanon et al., 2016, section III-C) and the Joint model train so, with all weights 1.

    Parameters
    ----------
    exits
        The model; its weights change.
    split
        What to train on.
    schedule
        How long and how fast.
    progress
        Called after every epoch with the epochs done and to do.

    Returns
    -------
    list
        Mean loss of every epoch.

    Raises
    ------
    QuestionError
        If the loss is no longer a number.
    """
    import keras

    keras.utils.set_random_seed(schedule.seed)
    steps = schedule.epochs * -(-len(split) // schedule.batch)
    rate = keras.optimizers.schedules.CosineDecay(schedule.learning_rate, steps)
    branches = len(exits.present)
    exits.model.compile(keras.optimizers.Adam(rate), loss=["sparse_categorical_crossentropy"] * branches)
    rng = np.random.default_rng(schedule.seed)
    history = []
    for epoch in range(schedule.epochs):
        history.append(_epoch(exits.model, _batches(split, schedule, rng), branches))
        log.info("epoch %d of %d: loss %.4f", epoch + 1, schedule.epochs, history[-1])
        if not np.isfinite(history[-1]):
            raise QuestionError(f"the loss is {history[-1]} after epoch {epoch + 1}; try a smaller learning rate")
        progress(epoch + 1, schedule.epochs)
    return history


def _epoch(model: Any, batches: Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]], branches: int) -> float:
    losses = []
    for images, labels in batches:
        losses.append(float(np.ravel(model.train_on_batch(images, [labels] * branches))[0]))
        model.reset_metrics()
    return float(np.mean(losses))


def _batches(
    split: Split, schedule: Schedule, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    order = rng.permutation(len(split))
    for start in range(0, len(order), schedule.batch):
        chosen = order[start : start + schedule.batch]
        yield _shifted(split.images[chosen], schedule.shift, rng), split.labels[chosen]


def _shifted(images: NDArray[np.float32], most: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Move every image by up to `most` pixels; what comes in at the edges is 0."""
    if most == 0:
        return images
    padded = np.pad(images, ((0, 0), (most, most), (most, most), (0, 0)))
    height, width = images.shape[1:3]
    corners = rng.integers(0, 2 * most + 1, (len(images), 2))
    return np.stack(
        [each[top : top + height, left : left + width] for each, (top, left) in zip(padded, corners, strict=True)]
    )
