"""Training of a backbone together with its branches."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import InputError, QuestionError
from tiercut.profiling.data.datasets import Split, check_labels, hold_out
from tiercut.profiling.exits.checkpoints import Checkpoint, digest, load_checkpoint, save_checkpoint
from tiercut.profiling.exits.exits import ExitModel
from tiercut.profiling.exits.heads import is_of_branch

__all__ = ["Epoch", "Progress", "Schedule", "retrain", "train_jointly"]

log = logging.getLogger(__name__)


class Epoch(NamedTuple):
    """An epoch of a training that has ended.

    Parameters
    ----------
    done, most
        The epochs done, and those to do at most.
    loss, held_loss
        The mean loss on the samples that are fitted, and on those held out; None where none are.
    """

    done: int
    most: int
    loss: float
    held_loss: float | None = None

    def __str__(self) -> str:
        held = "" if self.held_loss is None else f", {self.held_loss:.4f} on the samples held out"
        return f"epoch {self.done} of {self.most}: loss {self.loss:.4f}{held}"


_SUM = 1e-3
"""Scores whose sum is further from 1 are no probabilities."""

Progress = Callable[[Epoch], None]
"""Called after every epoch."""


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
    flip
        Whether half of the images are mirrored, left to right, anew in each epoch.
    held_out
        Share of the training split that is not fitted: it decides when to stop, and temperatures are fitted to it.
    patience
        Stop after this many epochs without a smaller loss on the samples held out, and take the weights of the best
        epoch; 0 trains to the end.
    seed
        Of the order of samples, their shifts and flips, random layers, and which samples are held out.
    freeze
        Whether the network keeps its weights, its own classifier too, and only the branches before it are trained.
    """

    epochs: int = 30
    batch: int = 32
    learning_rate: float = 2e-3
    shift: int = 3
    flip: bool = False
    held_out: float = 0.0
    patience: int = 0
    seed: int = 0
    freeze: bool = False

    def __post_init__(self) -> None:
        may_be_0 = ("seed", "shift", "flip", "held_out", "patience", "freeze")
        for name, value in asdict(self).items():
            if not value >= 0 or (value == 0 and name not in may_be_0):
                least = "0 or more" if name in may_be_0 else "greater than 0"
                raise QuestionError(f"the {name} of a training must be {least}, got {value}")
        if self.held_out > 0.5:
            raise QuestionError(f"the held_out share of a training must be 0.5 at most, got {self.held_out}")
        if self.patience and not self.held_out:
            raise QuestionError("to stop early, a training must hold samples out: give held_out, such as 0.1")

    def divide(self, split: Split) -> tuple[Split, Split]:
        """Return what of a training split is fitted, and what is held out."""
        return hold_out(split, self.held_out, seed=self.seed)


def train_jointly(
    exits: ExitModel,
    split: Split,
    schedule: Schedule,
    *,
    weights: Sequence[float] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress = lambda *_: None,
) -> list[float]:
    """Train backbone and branches together: the loss is the sum of the branches' cross entropies.

    BranchyNet (Teerapittayanon et al., 2016, section III-C) and the Joint model (section 2.2) train so, with all
    weights 1. What is trained is the same on every Keras backend and under every policy for precision; the numbers
    are the same again for the same seed on the same machine.

    Parameters
    ----------
    exits
        The model; its weights change.
    split
        What to train on; the schedule may hold a part of it out.
    schedule
        How long and how fast.
    weights
        What the loss of each branch counts, one for each that is present; all 1 by default.
    checkpoint
        File that is written after every epoch. The same call goes on after the last epoch that it holds, as if it
        had never been interrupted; a checkpoint of another training is not used.
    progress
        Called after every epoch.

    Returns
    -------
    list
        Mean loss of every epoch.

    Raises
    ------
    QuestionError
        If the samples or weights do not go with the model, nothing is left to train, or the loss is no longer a
        number; the model then has the weights of the last good epoch, and so has the checkpoint.
    InputError
        If the checkpoint cannot be written; the one of the epoch before stays.
    """
    import keras

    classes = int(exits.model.outputs[0].shape[-1])
    check_labels(split.labels, classes, "the training split")
    weights = _loss_weights(exits, weights)
    fitted, held = schedule.divide(split)
    keras.utils.set_random_seed(schedule.seed)
    run = _Run(exits.model, len(exits.present), _mark(exits.model, split, schedule, weights), checkpoint)
    with _frozen(exits.model, schedule.freeze):
        run.compile(_adam(exits.model, schedule, len(fitted)), "sparse_categorical_crossentropy", weights)
        _epochs(run, fitted, held, schedule, progress)
    return run.losses


def retrain(
    model: Any,
    split: Split,
    schedule: Schedule,
    *,
    momentum: float = 0.0,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress = lambda *_: None,
) -> list[float]:
    """Train a whole classifier further by stochastic gradient descent, at a learning rate that stays as it is.

    Parameters
    ----------
    model
        A Keras model, whose outputs are all probabilities or all logits; its weights change. The loss is the sum of
        those of its outputs.
    split, schedule, checkpoint, progress
        See `train_jointly`.
    momentum
        Of the gradient descent.

    Returns
    -------
    list
        Mean loss of every epoch.

    Raises
    ------
    QuestionError, InputError
        See `train_jointly`.
    """
    import keras

    check_labels(split.labels, int(model.outputs[0].shape[-1]), "the training split")
    fitted, held = schedule.divide(split)
    keras.utils.set_random_seed(schedule.seed)
    settings = asdict(schedule) | {"optimizer": "sgd", "momentum": momentum}
    mark = digest(settings, [*_values(_variables(model)), split.images, split.labels])
    run = _Run(model, len(model.outputs), mark, checkpoint)
    made = model.predict_on_batch(split.images[:1])
    scores = np.asarray(made[-1] if isinstance(made, list) else made, dtype=np.float64)
    logits = bool(scores.min() < 0 or abs(scores.sum() - 1) > _SUM)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=logits)
    run.compile(keras.optimizers.SGD(schedule.learning_rate, momentum=momentum), loss, [1.0] * run.branches)
    _epochs(run, fitted, held, schedule, progress)
    return run.losses


def _epochs(run: _Run, fitted: Split, held: Split, schedule: Schedule, progress: Progress) -> None:
    """Train to the end, or until the samples held out say that it does not help."""
    run.resume()
    while len(run.losses) < schedule.epochs and not run.exhausted(schedule.patience):
        run.epoch(fitted, held, schedule)
        progress(run.last_epoch(schedule.epochs))
    run.finish()


def _adam(model: Any, schedule: Schedule, samples: int) -> Any:
    """Return Adam with a learning rate that falls to 0 along half a cosine."""
    import keras

    steps = schedule.epochs * -(-samples // schedule.batch)
    optimizer: Any = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(schedule.learning_rate, steps))
    # NOTE Keras would look at the policy of the model and not of its layers, and a copy of a model has none
    if any(getattr(layer, "compute_dtype", None) == "float16" for layer in model.layers):
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


@contextmanager
def _frozen(model: Any, freeze: bool) -> Iterator[None]:
    """Keep all layers but those of the branches as they are, their statistics too; afterwards they can be trained."""
    kept = [layer for layer in model.layers if freeze and layer.trainable and not is_of_branch(layer.name)]
    for layer in kept:
        layer.trainable = False
    try:
        if freeze and not model.trainable_variables:
            raise QuestionError("a frozen network without branches before its end has nothing to train")
        yield
    finally:
        for layer in kept:
            layer.trainable = True


def _loss_weights(exits: ExitModel, weights: Sequence[float] | None) -> list[float]:
    count = len(exits.present)
    found = [1.0] * count if weights is None else [float(weight) for weight in weights]
    if len(found) != count:
        raise QuestionError(f"expected a weight for the loss of each of the {count} branches, got {len(found)}")
    if not (all(0 <= weight < float("inf") for weight in found) and any(found)):
        raise QuestionError(f"the weights of the losses must be 0 or more, finite, and not all 0, got {found}")
    return found


def _mark(model: Any, split: Split, schedule: Schedule, weights: Sequence[float]) -> str:
    settings = asdict(schedule) | {"weights": list(weights)}
    return digest(settings, [*_values(_variables(model)), split.images, split.labels])


def _variables(model: Any) -> list[Any]:
    """Return the variables of a model with the seeds of its random layers, but without those of its metrics."""
    metrics = {id(variable) for variable in model.metrics_variables}
    return [variable for variable in model.variables if id(variable) not in metrics]


def _values(variables: Iterable[Any]) -> list[NDArray[Any]]:
    return [np.array(variable.numpy()) for variable in variables]


class _Run:
    """A training in progress: the model and the losses so far."""

    def __init__(self, model: Any, branches: int, mark: str, checkpoint: str | os.PathLike[str] | None) -> None:
        self.model, self.branches, self.mark, self.checkpoint = model, branches, mark, checkpoint
        self.losses: list[float] = []
        self.held_losses: list[float] = []
        self.best: list[NDArray[Any]] = []

    def compile(self, optimizer: Any, loss: Any, weights: Sequence[float]) -> None:
        losses = [loss] * self.branches
        self.model.compile(optimizer, loss=losses, loss_weights=list(weights), auto_scale_loss=False)
        self.model.optimizer.build(self.model.trainable_variables)

    def variables(self) -> list[Any]:
        """Return all that an epoch changes: the model's variables first, then the optimizer's."""
        return [*_variables(self.model), *self.model.optimizer.variables]

    def restore(self, values: Sequence[NDArray[Any]]) -> None:
        """Take values of `variables` again, or of the model's alone."""
        for variable, value in zip(self.variables(), values, strict=False):
            variable.assign(value)

    def resume(self) -> None:
        kept = None if self.checkpoint is None else load_checkpoint(self.checkpoint, self.mark)
        if kept is not None:
            self.losses, self.held_losses = list(kept.losses), list(kept.held_losses)
            self.best = list(kept.best)
            self.restore(kept.state)
            log.info("went on after epoch %d of %s", len(self.losses), self.checkpoint)

    def last_epoch(self, most: int) -> Epoch:
        return Epoch(len(self.losses), most, self.losses[-1], self.held_losses[-1] if self.held_losses else None)

    def exhausted(self, patience: int) -> bool:
        """Whether the last `patience` epochs did not lower the loss on the samples held out."""
        waited = len(self.held_losses) - 1 - _best(self.held_losses) if self.held_losses else 0
        return 0 < patience <= waited

    def epoch(self, fitted: Split, held: Split, schedule: Schedule) -> None:
        number, good = len(self.losses), _values(self.variables())
        rng = np.random.default_rng((schedule.seed, number))
        loss = self._fit(fitted, schedule, rng)
        held_loss = self._evaluate(held, schedule.batch) if len(held) else None
        if not np.isfinite(loss) or not (held_loss is None or np.isfinite(held_loss)):
            self.restore(good)
            raise QuestionError(self._broken(loss if held_loss is None or not np.isfinite(loss) else held_loss, number))
        self.losses.append(loss)
        if held_loss is not None:
            self.held_losses.append(held_loss)
            if _best(self.held_losses) == number:
                self.best = _values(_variables(self.model))
        log.info("epoch %d of %d: loss %.4f", number + 1, schedule.epochs, loss)
        self._keep()

    def _fit(self, split: Split, schedule: Schedule, rng: np.random.Generator) -> float:
        losses = []
        for images, labels in _batches(split, schedule, rng):
            out = self.model.train_on_batch(images, [labels] * self.branches)
            losses.append(float(np.ravel(out)[0]))
            self.model.reset_metrics()
            if not np.isfinite(losses[-1]):
                break  # NOTE the weights are lost already; further steps would only take time
        return float(np.mean(losses))

    def _evaluate(self, split: Split, batch: int) -> float:
        total = 0.0
        for start in range(0, len(split), batch):
            images, labels = split.images[start : start + batch], split.labels[start : start + batch]
            total += len(labels) * float(np.ravel(self.model.test_on_batch(images, [labels] * self.branches))[0])
            self.model.reset_metrics()
        return total / len(split)

    def _broken(self, loss: float, number: int) -> str:
        kept = f"the weights of epoch {number} are kept" if number else "the first weights are kept"
        where = "" if self.checkpoint is None or not number else f" in {os.fspath(self.checkpoint)}"
        return f"the loss is {loss} in epoch {number + 1}; {kept}{where}; try a smaller learning rate"

    def _keep(self) -> None:
        if self.checkpoint is None:
            return
        state = tuple(_values(self.variables()))
        latest = Checkpoint(self.mark, tuple(self.losses), tuple(self.held_losses), state, tuple(self.best))
        try:
            save_checkpoint(latest, self.checkpoint)
        except InputError as error:
            before = len(self.losses) - 1
            kept = f"the checkpoint of epoch {before} is kept" if before else "no epoch was kept"
            raise InputError(
                error.source, f"{error.faults[0].message}; {kept}; make room and run the same call again to go on"
            ) from None

    def finish(self) -> None:
        """Take the best weights, where samples were held out to tell."""
        if self.best and _best(self.held_losses) != len(self.held_losses) - 1:
            self.restore(self.best)
            log.info("took the weights of epoch %d, the best on the samples held out", _best(self.held_losses) + 1)


def _best(losses: Sequence[float]) -> int:
    return int(np.argmin(losses))


def _batches(
    split: Split, schedule: Schedule, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    order = rng.permutation(len(split))
    for start in range(0, len(order), schedule.batch):
        chosen = order[start : start + schedule.batch]
        images = _shifted(split.images[chosen], schedule.shift, rng)
        yield (_flipped(images, rng) if schedule.flip else images), split.labels[chosen]


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


def _flipped(images: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    mirrored = rng.random(len(images)) < 0.5
    return np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)
