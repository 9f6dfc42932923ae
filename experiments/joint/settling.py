"""Training until accuracy on samples held out stops rising, kept after every epoch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tiercut

__all__ = ["best_of", "settle"]


class _SettledError(Exception):
    """Raised to end a training whose accuracy no longer rises."""


def settle(
    model: Any, split: Any, schedule: tiercut.Schedule, held: Any, patience: int, checkpoint: Path
) -> NDArray[np.float64]:
    """Train until the accuracy on the samples held out stops rising, and leave the model with its best weights.

    The same call goes on after the last epoch that is kept; what was kept under another schedule is left.

    Parameters
    ----------
    model
        What is trained.
    split, schedule
        The samples to fit, and how.
    held
        The samples held out.
    patience
        Epochs without a greater accuracy, the mean of all branches, after which it stops.
    checkpoint
        The file that keeps the training; accuracies and best weights are kept beside it, see `best_of`.

    Returns
    -------
    numpy.ndarray
        The accuracy after every epoch.
    """
    watch = _Watch(model, held, patience, best_of(checkpoint), repr(schedule))
    try:
        if not watch.settled():
            tiercut.train_jointly(model, split, schedule, checkpoint=checkpoint, progress=watch)
    except _SettledError:
        pass
    watch.take_best()
    return np.array(watch.accuracies)


def best_of(checkpoint: Path) -> Path:
    """Return the file that keeps the accuracies and the best weights of a training."""
    return checkpoint.with_suffix(".best.npz")


class _Watch:
    """The accuracies of a training so far, and the weights of its best epoch."""

    def __init__(self, model: Any, held: Any, patience: int, kept: Path, schedule: str) -> None:
        self.model, self.held, self.patience, self.kept = model, held, patience, kept
        self.schedule = schedule
        self.accuracies: list[float] = []
        self.weights: list[NDArray[Any]] = []
        if kept.exists():
            with np.load(kept, allow_pickle=False) as archive:
                if str(archive.get("schedule", schedule)) != schedule:  # a file without one is of before it was kept
                    return
                self.accuracies = archive["accuracies"].tolist()
                count = sum(name.startswith("weight") for name in archive.files)
                self.weights = [archive[f"weight{place}"] for place in range(count)]

    def __call__(self, epoch: Any) -> None:
        """Measure the model after an epoch."""
        samples = tiercut.record_samples(self.model, self.held, batch=240)
        accuracy = float(samples.correct[:, self.model.present].mean())
        del self.accuracies[epoch.done - 1 :]  # of a training that began anew since
        if accuracy > max(self.accuracies, default=-1.0):
            self.weights = self.model.model.get_weights()
        # NOTE an epoch whose accuracy was not kept, as the process ended just then, counts as the one after it
        self.accuracies += [accuracy] * (epoch.done - len(self.accuracies))
        fresh = self.kept.with_suffix(".partial")
        with fresh.open("wb") as stream:
            weights = {f"weight{at}": each for at, each in enumerate(self.weights)}
            np.savez(stream, accuracies=self.accuracies, schedule=np.array(self.schedule), **weights)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(self.kept)
        print(f"  {epoch}; accuracy {accuracy:.4f}", flush=True)
        if self.settled():
            raise _SettledError

    def settled(self) -> bool:
        """Return whether the last `patience` epochs brought nothing."""
        return bool(self.accuracies) and len(self.accuracies) - 1 - int(np.argmax(self.accuracies)) >= self.patience

    def take_best(self) -> None:
        """Give the model the weights of its best epoch."""
        self.model.model.set_weights(self.weights)
