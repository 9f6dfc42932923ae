"""A model with a transfer layer, trained again as a whole, so that it learns to do with a quarter of the numbers.

What ScissionLite calls the Trainer (section 3.4): stochastic gradient descent with a learning rate of 0.001.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut import documents
from tiercut.errors import QuestionError
from tiercut.profiling.codecs.transfer_model import without_transfer_layer
from tiercut.profiling.data.datasets import Dataset, Split
from tiercut.profiling.exits.training import Epoch, Schedule, retrain

__all__ = ["Hits", "Retrained", "retrain_transfer_model"]

_BATCH = 256
_SECONDS = "seconds.json"


@dataclass(frozen=True, slots=True)
class Hits:
    """Which share of samples a network is right about.

    Parameters
    ----------
    top1, top5
        With its likeliest class, and with one of its five likeliest; None where there are no more than five.
    """

    top1: float
    top5: float | None


@dataclass(frozen=True, slots=True)
class Retrained:
    """What retraining gave, on samples that nothing was fitted to or chosen by.

    Parameters
    ----------
    before, inserted, retrained
        Without the transfer layer, with it and the weights of before, and with those of now.
    samples
        How many these were measured on.
    epochs, seconds
        What was trained, and what it took, interrupted or not.
    losses
        The mean loss of every epoch.
    """

    before: Hits
    inserted: Hits
    retrained: Hits
    samples: int
    epochs: int
    seconds: float
    losses: tuple[float, ...]

    @property
    def drop(self) -> float:
        """By how much the accuracy fell from before to now."""
        return self.before.top1 - self.retrained.top1

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data, ``tiercut.retrained/1``."""
        return {"format": "tiercut.retrained/1", **asdict(self), "losses": list(self.losses)}


def retrain_transfer_model(
    model: Any,
    data: Dataset,
    schedule: Schedule,
    output: Path,
    *,
    momentum: float = 0.0,
    progress: Callable[[Epoch], None] = lambda *_: None,
) -> Retrained:
    """Train a model with a transfer layer, write it, and say what that did to its accuracy.

    What is interrupted goes on after the last whole epoch when the same call is made again.

    Parameters
    ----------
    model
        A classifier as `tiercut.profiling.codecs.transfer_model.insert_transfer_layer` returns it; its weights change.
    data
        Trained on its training split, measured on its test split.
    schedule
        How.
    output
        The ``.keras`` file to write; checkpoints are kept beside it until it is there.
    momentum
        Of the gradient descent.
    progress
        Called after every epoch.

    Raises
    ------
    QuestionError
        If there is no transfer layer, the model is no classifier with one output, does not take the images or does not
        know their classes, or the loss is no number any more.
    InputError
        If the file or a checkpoint cannot be written.
    """
    _check(model, data)
    original = without_transfer_layer(model)
    before, inserted = _hits(original, data.test), _hits(model, data.test)
    kept = output.with_name(f".{output.stem}.partial")
    kept.mkdir(parents=True, exist_ok=True)
    clock = _Clock(kept / _SECONDS)

    def ended(epoch: Epoch) -> None:
        clock.lap(epoch.done)
        progress(epoch)

    losses = retrain(model, data.train, schedule, momentum=momentum, checkpoint=kept / "retrained.npz", progress=ended)
    model.save(output)
    for each in kept.iterdir():
        each.unlink()
    kept.rmdir()
    now = _hits(model, data.test)
    return Retrained(before, inserted, now, len(data.test), len(losses), clock.total(len(losses)), tuple(losses))


def _check(model: Any, data: Dataset) -> None:
    if len(model.outputs) != 1 or len(model.inputs) != 1 or len(model.outputs[0].shape) != 2:
        raise QuestionError(
            f"model '{model.name}' is no classifier with one input and one output, so it is not retrained"
        )
    wanted, there = tuple(model.inputs[0].shape[1:]), data.test.images.shape[1:]
    same_axes = len(wanted) == len(there)
    if not same_axes or any(size not in (None, own) for size, own in zip(wanted, there, strict=True)):
        raise QuestionError(f"model '{model.name}' takes images of {wanted}, and '{data.name}' has {there}")
    known = int(model.outputs[0].shape[1])
    if known < data.classes:
        raise QuestionError(f"model '{model.name}' tells {known} classes apart, and '{data.name}' has {data.classes}")


class _Clock:
    """Seconds of every epoch, kept beside the checkpoint, so that an interruption loses none."""

    def __init__(self, path: Path) -> None:
        self._path, self._since = path, time.monotonic()
        self._laps: list[float] = []
        if path.exists():
            try:
                self._laps = [float(each) for each in json.loads(path.read_text(encoding="utf-8"))]
            except (ValueError, TypeError):
                self._laps = []

    def lap(self, done: int) -> None:
        now = time.monotonic()
        self._laps = [*self._laps[: done - 1], now - self._since]
        self._since = now
        text = json.dumps(self._laps).encode()
        documents.write_whole(self._path, lambda stream: stream.write(text))

    def total(self, epochs: int) -> float:
        return sum(self._laps[:epochs])


def _hits(model: Any, split: Split) -> Hits:
    """Return which share of samples a model is right about."""
    first = five = 0
    for begin in range(0, len(split), _BATCH):
        scores = np.asarray(model.predict_on_batch(split.images[begin : begin + _BATCH]))
        labels: NDArray[np.int64] = split.labels[begin : begin + _BATCH]
        own = scores[np.arange(len(labels)), labels][:, None]
        better = (scores > own).sum(axis=1)
        first += int((scores.argmax(axis=1) == labels).sum())
        five += int((better < 5).sum())
    many = int(model.outputs[0].shape[1]) > 5
    return Hits(first / len(split), five / len(split) if many else None)
