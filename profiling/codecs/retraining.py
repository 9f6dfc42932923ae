"""A model with a transfer layer, trained again as a whole, so that it learns to do with a quarter of the numbers.

What ScissionLite calls the Trainer (section 3.4): stochastic gradient descent with a learning rate of 0.001.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut import documents
from tiercut.errors import QuestionError
from tiercut.profiling.codecs.transfer_model import without_transfer_layer
from tiercut.profiling.data.datasets import Dataset, Split
from tiercut.profiling.exits.exit_files import ExitFile, save_exits
from tiercut.profiling.exits.exits import ExitModel
from tiercut.profiling.exits.training import Epoch, Schedule, retrain

__all__ = ["ExitHits", "Hits", "Retrained", "retrain_transfer_exits", "retrain_transfer_model"]

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
class ExitHits:
    """The same of one exit, asked about every sample.

    Parameters
    ----------
    block
        The layer that ends its block.
    before, inserted, retrained
        See `Retrained`.
    """

    block: str
    before: Hits
    inserted: Hits
    retrained: Hits


@dataclass(frozen=True, slots=True)
class Retrained:
    """What retraining gave, on samples that nothing was fitted to or chosen by.

    Parameters
    ----------
    before, inserted, retrained
        Without the transfer layer, with it and the weights of before, and with those of now; of the last exit.
    samples
        How many these were measured on.
    epochs, seconds
        What was trained, and what it took, interrupted or not.
    losses
        The mean loss of every epoch.
    exits
        Every exit of a network with exits, in order, the last one too; empty for any other.
    """

    before: Hits
    inserted: Hits
    retrained: Hits
    samples: int
    epochs: int
    seconds: float
    losses: tuple[float, ...]
    exits: tuple[ExitHits, ...] = ()

    @property
    def drop(self) -> float:
        """By how much the accuracy fell from before to now."""
        return self.before.top1 - self.retrained.top1

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data, ``tiercut.retrained/1``."""
        lists = {"losses": list(self.losses), "exits": [asdict(each) for each in self.exits]}
        return {"format": "tiercut.retrained/1", **asdict(self), **lists}


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
    if len(model.outputs) != 1:
        raise QuestionError(
            f"model '{model.name}' has {len(model.outputs)} outputs, so it is not retrained; networks with exits are "
            "what tiercut train writes"
        )
    return _retrained(model, data, schedule, output, momentum, progress, save=lambda: model.save(output))


def retrain_transfer_exits(
    exits: ExitModel,
    record: ExitFile,
    data: Dataset,
    schedule: Schedule,
    output: Path,
    *,
    momentum: float = 0.0,
    progress: Callable[[Epoch], None] = lambda *_: None,
) -> Retrained:
    """Train a network with exits and a transfer layer, all of its branches together, and write it.

    The loss is the sum of the branches' cross entropies, as in `tiercut.profiling.exits.training.train_jointly`.

    Parameters
    ----------
    exits
        What `tiercut.profiling.codecs.transfer_model.insert_among_exits` returns; its weights change.
    record
        What its file says of it. Accuracies of branches trained by themselves and temperatures are those of other
        weights, and are not written again.
    data
        The data set in the splits of its training.
    schedule, output, momentum, progress
        See `retrain_transfer_model`.

    Raises
    ------
    QuestionError, InputError
        See `retrain_transfer_model`.
    """
    told = {
        "origin": f"{record.origin}; retrained with a transfer layer, {schedule.epochs} epochs".removeprefix("; "),
        "accuracy_separate": None,
        "temperature": None,
    }
    names = [exits.blocks[place].name for place in exits.present]
    return _retrained(
        exits.model,
        data,
        schedule,
        output,
        momentum,
        progress,
        save=lambda: save_exits(exits, record.model_copy(update=told), output),
        exits=names,
    )


def _retrained(
    model: Any,
    data: Dataset,
    schedule: Schedule,
    output: Path,
    momentum: float,
    progress: Callable[[Epoch], None],
    *,
    save: Callable[[], None],
    exits: Sequence[str] = (),
) -> Retrained:
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
    save()
    for each in kept.iterdir():
        each.unlink()
    kept.rmdir()
    now = _hits(model, data.test)
    return Retrained(
        before[-1],
        inserted[-1],
        now[-1],
        len(data.test),
        len(losses),
        clock.total(len(losses)),
        tuple(losses),
        tuple(ExitHits(*each) for each in zip(exits, before, inserted, now, strict=True)) if exits else (),
    )


def _check(model: Any, data: Dataset) -> None:
    if len(model.inputs) != 1 or len(model.outputs[0].shape) != 2:
        raise QuestionError(f"model '{model.name}' is no classifier with one input, so it is not retrained")
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


def _hits(model: Any, split: Split) -> list[Hits]:
    """Return which share of samples each output of a model is right about."""
    first, five = ([0] * len(model.outputs) for _ in range(2))
    for begin in range(0, len(split), _BATCH):
        made = model.predict_on_batch(split.images[begin : begin + _BATCH])
        labels: NDArray[np.int64] = split.labels[begin : begin + _BATCH]
        for place, each in enumerate(made if isinstance(made, list) else [made]):
            scores = np.asarray(each)
            own = scores[np.arange(len(labels)), labels][:, None]
            first[place] += int((scores.argmax(axis=1) == labels).sum())
            five[place] += int(((scores > own).sum(axis=1) < 5).sum())
    many = int(model.outputs[0].shape[1]) > 5
    return [Hits(a / len(split), b / len(split) if many else None) for a, b in zip(first, five, strict=True)]
