"""Images to train on and to measure with, in splits that never overlap."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import QuestionError, TiercutWarning, unknown_name
from tiercut.profiling.data.clutter import clutter
from tiercut.profiling.data.sources import (
    DIGITS,
    KERAS_DATASETS,
    Pictures,
    from_archive,
    from_folder,
    from_keras,
    resized,
)

__all__ = ["DATASETS", "Dataset", "Shares", "Split", "check_labels", "hold_out", "load_dataset", "split"]

SHARES: Mapping[str, float] = {"train": 0.45, "profile": 0.40, "test": 0.15}
"""Shares of the splits. The profile split is large because a 99th percentile wants at least 662 samples."""

_DEEPEST = 2
"""Bytes of the deepest pixels that cameras and files of images have."""

CLUTTERED, DIFFICULTY = 24_000, 0.5
"""How many images `load_dataset` draws of clutter, and how hard they get."""

CLUTTER_SHARES: Mapping[str, float] = {"train": 0.5, "profile": 0.25, "test": 0.25}
"""Shares of the splits of clutter, of which there can be as much as is wanted."""


class Shares(NamedTuple):
    """The shares of the splits of a data set, of every class: three numbers between 0 and 1 whose sum is 1."""

    train: float
    profile: float
    test: float

    def check(self) -> None:
        """Refuse shares of which one is nothing, or that are not the whole.

        Raises
        ------
        QuestionError
            If they are so.
        """
        if not all(0 < share < 1 for share in self) or abs(sum(self) - 1) > _SUM_TOLERANCE:
            raise QuestionError(
                "the shares of the train, profile and test split are numbers between 0 and 1 whose sum is 1, such as "
                f"0.45,0.4,0.15, not {','.join(f'{share:g}' for share in self)}"
            )


_SUM_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Split:
    """Samples with their labels.

    Parameters
    ----------
    indices
        Places of the samples in the whole data set, int64[n].
    images
        float32[n, height, width, channels] in 0..1.
    labels
        int64[n], from 0.
    """

    indices: NDArray[np.int64]
    images: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, places: NDArray[np.int64]) -> Split:
        """Return the samples at some places of this split."""
        return Split(self.indices[places], self.images[places], self.labels[places])


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set in three splits without a common sample.

    Parameters
    ----------
    name
        The name that a profile carries.
    classes
        Number of classes.
    train, profile, test
        What weights are fitted to; what accuracies and exit rates are recorded on; what nothing is chosen by.
    """

    name: str
    classes: int
    train: Split
    profile: Split
    test: Split


def load_dataset(
    name: str,
    *,
    seed: int = 0,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    shares: Shares | None = None,
) -> Dataset:
    """Return a data set, split with the given seed.

    Parameters
    ----------
    name
        ``digits32`` (or 8, 16, 28): scikit-learn's handwritten digits; ``clutter``: shapes on a cluttered background,
        which tiercut draws (see `tiercut.profiling.data.clutter`), where how hard they get at most may follow, as in
        ``clutter-0.8``; ``cifar10``, ``cifar100``, ``mnist``, ``fashion_mnist``: from Keras, which fetches them; a
        ``.npz`` file; or a folder with a folder of image files for each class.
    seed
        Of the splits.
    size
        Height and width that images are scaled to; their own by default, which a folder of images does not have.
    channels
        1 or 3; their own by default.
    shares
        Of the splits; by default 0.45, 0.4 and 0.15, of clutter 0.5, 0.25 and 0.25. Of a data set that has a test
        split of its own, 0.9 and 0.1 of the others.

    Raises
    ------
    QuestionError
        If there is no such data set, it cannot be fetched, or it cannot be split.
    InputError
        If a file cannot be read.

    Warns
    -----
    TiercutWarning
        If images are exact copies of others: each is used once.
    """
    if channels not in (None, 1, 3):
        raise QuestionError(f"images have 1 or 3 channels, not {channels}")
    title, pictures, usual = _pictures(name, seed, size, channels)
    if shares is not None:
        shares.check()
        if pictures.tests:
            raise QuestionError(f"the data set '{name}' has a test split of its own, so its shares cannot be chosen")
    images = pictures.images
    shape = (size or images.shape[1:3], channels or images.shape[3])
    if (images.shape[1:3], images.shape[3]) != shape:
        images = resized(images, *shape) / _white(pictures.images)
    return split(
        title, images, pictures.labels, seed=seed, shares=shares._asdict() if shares else usual, tests=pictures.tests
    )


def _pictures(
    name: str, seed: int, size: tuple[int, int] | None, channels: int | None
) -> tuple[str, Pictures, Mapping[str, float]]:
    """Return what a data set is called, its images, and how they are shared out."""
    family, _, detail = name.partition("-")
    if family == "clutter":
        return name, Pictures(*clutter(CLUTTERED, difficulty=_difficulty(name, detail), seed=seed)), CLUTTER_SHARES
    if name in DATASETS:
        return name, Pictures(*DATASETS[name]()), SHARES
    if (known := name.casefold().replace("-", "")) in KERAS_DATASETS:
        return known, from_keras(known), SHARES
    path = Path(name)
    if path.is_dir():
        if size is None:
            raise QuestionError(f"'{name}' is a folder of images, whose size has to be named, such as 64x64")
        return path.resolve().name, from_folder(path, size, channels or 3), SHARES
    if path.suffix == ".npz":
        return path.stem, from_archive(path), SHARES
    message = unknown_name("data set", name, [*DATASETS, "clutter", *KERAS_DATASETS])
    raise QuestionError(f"{message}; a data set may also be a .npz file, or a folder with a folder for each class")


def _white(images: NDArray[Any]) -> float:
    """Return what is divided by, so that numbers come into 0..1: the greatest value of a type of whole numbers.

    Types of more than 16 bits hold what was read from 8 or 16: there it is that of the narrowest type that has room.
    """
    if images.dtype.kind not in "ui":
        return 1.0
    greatest = np.iinfo(images.dtype).max
    if images.dtype.itemsize > _DEEPEST and images.size:
        narrow = (np.iinfo(kind).max for kind in (np.uint8, np.uint16))
        greatest = next((each for each in narrow if images.max() <= each), greatest)
    return float(greatest)


def _difficulty(name: str, detail: str) -> float:
    try:
        return float(detail or DIFFICULTY)
    except ValueError:
        raise QuestionError(
            f"the data set '{name}' names no difficulty; write clutter, or clutter-0.8 for another than {DIFFICULTY}"
        ) from None


def split(
    name: str,
    images: NDArray[Any],
    labels: NDArray[np.int64],
    *,
    seed: int,
    shares: Mapping[str, float] = SHARES,
    tests: int = 0,
) -> Dataset:
    """Divide samples into training, profile and test splits that have no picture in common.

    Every class is divided by the same shares, in an order that only the seed decides. Of images that are exact copies
    one is used.

    Parameters
    ----------
    name
        What to call the data set.
    images
        [n, height, width, channels]: whole numbers, which are divided by the greatest value of their type, or floats,
        which stay.
    labels
        int64[n], from 0.
    seed
        Of the order.
    shares
        Of training, profile and test split.
    tests
        How many of the last samples are the test split already; a tenth of the others is for profiling then.

    Raises
    ------
    QuestionError
        If there are no samples, the labels are not 0, 1, 2, ..., or a split comes out empty or of one class.
    """
    if not len(labels):
        raise QuestionError(f"the data set '{name}' holds no samples")
    if np.issubdtype(images.dtype, np.floating) and not np.all(np.isfinite(images)):
        raise QuestionError(f"the data set '{name}' has values that are no finite numbers")
    rng = np.random.default_rng(seed)
    usable = np.flatnonzero(_distinct(name, images))
    tests_only = usable[usable >= len(labels) - tests]
    rest = usable[usable < len(labels) - tests]
    places = _shared(labels, rest, {"train": 0.9, "profile": 0.1} if tests else shares, rng)
    if tests:
        places["test"] = tests_only
    classes = _count_classes(name, labels)
    white, splits = np.float32(_white(images)), {}
    for part, chosen in places.items():
        if not len(chosen) and len(usable) < len(labels):
            raise QuestionError(
                f"the {part} split of '{name}' is empty: of its {len(labels)} images only {len(usable)} differ"
            )
        check_labels(labels[chosen], classes, f"the {part} split of '{name}'")
        splits[part] = Split(chosen, (images[chosen] / white).astype(np.float32), labels[chosen])
    return Dataset(name, classes, **splits)


def _shared(
    labels: NDArray[np.int64], usable: NDArray[np.int64], shares: Mapping[str, float], rng: np.random.Generator
) -> dict[str, NDArray[np.int64]]:
    """Return the places of the samples of each split, of every class the same share."""
    parts: dict[str, list[NDArray[np.int64]]] = {part: [] for part in shares}
    for label in np.unique(labels):
        members = rng.permutation(usable[labels[usable] == label])
        ends = np.rint(np.cumsum(list(shares.values())) * len(members)).astype(int)
        for part, chosen in zip(shares, np.split(members, ends[:-1]), strict=True):
            parts[part].append(chosen)
    return {part: np.sort(np.concatenate(chosen)) for part, chosen in parts.items()}


def _distinct(name: str, images: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which images to use: of exact copies the last, so that a given test split stays as it is."""
    seen: set[bytes] = set()
    usable = np.ones(len(images), dtype=np.bool_)
    for place in range(len(images) - 1, -1, -1):
        mark = blake2b(np.ascontiguousarray(images[place]).data, digest_size=16).digest()
        usable[place] = mark not in seen
        seen.add(mark)
    if copies := int(len(images) - usable.sum()):
        message = f"{copies} images of the data set '{name}' are exact copies of others"
        warnings.warn(
            TiercutWarning(message, "each is used once, so that no split holds a picture of another"), stacklevel=4
        )
    return usable


def _count_classes(name: str, labels: NDArray[np.int64]) -> int:
    found = np.unique(labels)
    if not np.array_equal(found, np.arange(len(found))):
        shown = ", ".join(map(str, found[:5])) + (", ..." if len(found) > 5 else "")
        raise QuestionError(f"the labels of '{name}' are {shown}; number the classes 0, 1, 2, ... without a gap")
    return len(found)


def hold_out(split: Split, share: float, *, seed: int) -> tuple[Split, Split]:
    """Divide a split into what is kept and what is held out, which is a share of every class.

    Raises
    ------
    QuestionError
        If a share is wanted, but too small to give a sample.
    """
    rng = np.random.default_rng((seed, 1))
    held = [np.empty(0, dtype=np.int64)]
    for label in np.unique(split.labels):
        members = rng.permutation(np.flatnonzero(split.labels == label))
        held.append(members[: round(share * len(members))])
    chosen = np.sort(np.concatenate(held))
    if share and not len(chosen):
        raise QuestionError(f"a share of {share} of {len(split)} samples holds none out; hold out more, or nothing")
    rest = np.setdiff1d(np.arange(len(split)), chosen)
    return split.part(rest), split.part(chosen)


def check_labels(labels: NDArray[np.int64], classes: int, what: str) -> None:
    """Refuse samples that a classifier of so many classes cannot be trained on or measured with.

    Parameters
    ----------
    labels
        int64[n].
    classes
        How many classes the model tells apart.
    what
        What to call the samples in an error.

    Raises
    ------
    QuestionError
        If there are none, they are of one class only, or a label is not in 0..classes-1.
    """
    if not len(labels):
        raise QuestionError(f"{what} is empty")
    if labels.min() < 0 or labels.max() >= classes:
        wrong = labels.min() if labels.min() < 0 else labels.max()
        raise QuestionError(
            f"{what} has the label {wrong}, but the model tells {classes} classes apart: labels are 0 to {classes - 1}"
        )
    if labels.min() == labels.max():
        raise QuestionError(f"{what} has one class only, {labels[0]}: there is nothing to tell apart")


DATASETS: Mapping[str, Callable[[], tuple[NDArray[np.float32], NDArray[np.int64]]]] = DIGITS
"""Data sets by name: functions that return images and labels."""
