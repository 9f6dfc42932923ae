"""What was trained for the validation, and the files that keep what the trained networks say of every sample."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["RECORDED", "SETTINGS", "Setting", "Trainings", "archive_of", "held", "merge", "partitionings"]

RECORDED = Path(__file__).parent / "recorded"
"""The folder of what was trained."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How the networks of one data set are trained, all of them alike.

    Parameters
    ----------
    epochs, batch, learning_rate, shift
        As in `tiercut.profiling.exits.training.Schedule`.
    partitionings
        How many partitionings are drawn at random.
    held_out
        As there, too.
    patience
        Stop after this many epochs in which the accuracy on the samples held out, the mean of all branches, did not
        rise, and take the weights of the best epoch; 0 trains to the end.
    interleaved
        So many partitionings take turns with the branches trained by themselves, so that a study that is not done says
        something; 0 does the branches last.
    dataset
        The data set, where it is not the name of the setting.
    """

    epochs: int
    batch: int
    learning_rate: float
    shift: int
    partitionings: int
    held_out: float = 0.0
    patience: int = 0
    interleaved: int = 0
    dataset: str | None = None


SETTINGS = {
    "clutter": Setting(epochs=3, batch=32, learning_rate=2e-3, shift=0, partitionings=8),
    "clutter-settled": Setting(
        epochs=20,
        batch=32,
        learning_rate=2e-3,
        shift=0,
        partitionings=28,
        held_out=0.1,
        patience=5,
        interleaved=10,
        dataset="clutter",
    ),
    "digits32": Setting(epochs=20, batch=32, learning_rate=2e-3, shift=3, partitionings=8),
}
"""By name."""


def partitionings(count: int, *, blocks: int = 10, seed: int = 0) -> list[tuple[int, ...]]:
    """Return different partitionings drawn at random, each as the last blocks of its two to four partitions, P.

    One partition alone is no partitioning here: it is a branch that is trained by itself.
    """
    rng = np.random.default_rng(seed)
    found: dict[tuple[int, ...], None] = {}
    while len(found) < count:
        ends = rng.choice(blocks, size=rng.integers(2, 5), replace=False) + 1
        found[tuple(sorted(map(int, ends)))] = None
    return list(found)


def archive_of(setting: str, folder: Path = RECORDED) -> Path:
    """Return the file that keeps the trainings of a setting."""
    return folder / f"resnet20-{setting}.trainings.npz"


@dataclass(frozen=True, slots=True)
class Trainings:
    """What trained networks say of samples.

    Parameters
    ----------
    arrays
        By ``NAME/SPLIT_entropy`` and ``NAME/SPLIT_correct``, where NAME is ``all`` for the network with every branch,
        or the blocks that have one, such as ``3-9-10``, and SPLIT is ``profile`` or ``test``: float16 normalised
        entropies and bool hits, [samples, branches]. ``NAME/held_accuracy`` is the accuracy on the samples held out
        after every epoch, the mean of all branches, where a setting stops by it.
    """

    arrays: Mapping[str, NDArray[Any]]

    @classmethod
    def read(cls, path: Path) -> Trainings:
        """Read what `write` wrote."""
        with np.load(path, allow_pickle=False) as archive:
            return cls({name: archive[name] for name in archive.files})

    def write(self, path: Path) -> None:
        """Write everything into one archive, whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".partial")
        with fresh.open("wb") as stream:
            np.savez_compressed(stream, **self.arrays)
        fresh.replace(path)

    def has(self, name: str) -> bool:
        """Return whether a training was finished."""
        return f"{name}/test_correct" in self.arrays

    def epochs(self) -> list[int]:
        """Return after how many epochs the trainings ended that stopped by their accuracy."""
        return [len(each) for key, each in self.arrays.items() if key.endswith("/held_accuracy")]

    def rises(self, last: int) -> list[float]:
        """Return how much their last epochs brought to the accuracy of the best epoch, each at least 0."""
        held = [each for key, each in self.arrays.items() if key.endswith("/held_accuracy")]
        return [float(each.max() - each[:-last].max()) for each in held if len(each) > last]

    def with_training(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> Trainings:
        """Return these and one more."""
        return Trainings({**self.arrays, **{f"{name}/{key}": value for key, value in arrays.items()}})

    def of(self, names: Container[str]) -> Trainings:
        """Return some of them."""
        return Trainings({key: array for key, array in self.arrays.items() if key.partition("/")[0] in names})

    def entropy(self, name: str, split: str) -> NDArray[np.float64]:
        """Return the normalised entropies of a training on the profile or test split."""
        return self.arrays[f"{name}/{split}_entropy"].astype(np.float64)

    def correct(self, name: str, split: str) -> NDArray[np.bool_]:
        """Return the hits of a training on the profile or test split."""
        return self.arrays[f"{name}/{split}_correct"]

    def partitionings(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield name and blocks of every network that was trained with several branches, but not with all."""
        names = {key.partition("/")[0]: None for key in self.arrays}
        for name in names:
            if "-" in name:
                yield name, tuple(map(int, name.split("-")))

    def separate(self, split: str, *, blocks: int = 10) -> NDArray[np.float64] | None:
        """Return the accuracy of every branch trained by itself, NaN where it was not; None if none was."""
        names = [str(block) for block in range(1, blocks + 1)]
        if not any(self.has(name) for name in names):
            return None
        return np.array([self.correct(name, split).mean() if self.has(name) else np.nan for name in names])


def merge(path: Path, more: Trainings) -> Trainings:
    """Add trainings to an archive, which may not exist yet, and return all that it holds then.

    What another process adds at the same time is kept, and so is a training that the archive has already.
    """
    with held(path.parent, wait=True):
        there = Trainings.read(path) if path.exists() else Trainings({})
        new = {key: array for key, array in more.arrays.items() if not there.has(key.partition("/")[0])}
        every = Trainings({**there.arrays, **new})
        if new:
            every.write(path)
    return every


@contextmanager
def held(folder: Path, *, wait: bool = False) -> Iterator[bool]:
    """Hold a folder, which is made if need be, while the body runs; the system takes it back from a process that dies.

    Parameters
    ----------
    folder
        What only one process may use at a time.
    wait
        Whether to wait until no other holds it.

    Yields
    ------
    bool
        Whether it is held; without `wait` another process may have it.
    """
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = True
        except BlockingIOError:
            ours = False
        yield ours
    finally:
        os.close(handle)
