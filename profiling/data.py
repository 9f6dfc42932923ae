"""Images to train on and to measure with, in splits that never overlap."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import QuestionError, unknown_name
from tiercut.profiling.clutter import clutter

__all__ = ["DATASETS", "Dataset", "Split", "check_labels", "digits", "hold_out", "load_dataset", "split"]

SHARES: Mapping[str, float] = {"train": 0.45, "profile": 0.40, "test": 0.15}
"""Shares of the splits. The profile split is large because a 99th percentile wants at least 662 samples."""

CLUTTERED, DIFFICULTY = 24_000, 0.5
"""How many images `load_dataset` draws of clutter, and how hard they get."""

CLUTTER_SHARES: Mapping[str, float] = {"train": 0.5, "profile": 0.25, "test": 0.25}
"""Shares of the splits of clutter, of which there can be as much as is wanted."""


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


def load_dataset(name: str, *, seed: int = 0) -> Dataset:
    """Return a data set by its name, split with the given seed.

    ``digits32`` are scikit-learn's handwritten digits, ``clutter`` are shapes on cluttered ground that tiercut draws
    (see `tiercut.profiling.clutter`); how hard they get at most may follow, as in ``clutter-0.8``.

    Raises
    ------
    QuestionError
        If there is no such data set, or scikit-learn, which brings it, is not installed.
    """
    family, _, detail = name.partition("-")
    if family == "clutter":
        images, labels = clutter(CLUTTERED, difficulty=_difficulty(name, detail), seed=seed)
        return split(name, images, labels, seed=seed, shares=CLUTTER_SHARES)
    if name not in DATASETS:
        raise QuestionError(unknown_name("data set", name, [*DATASETS, "clutter"]))
    images, labels = DATASETS[name]()
    return split(name, images, labels, seed=seed)


def _difficulty(name: str, detail: str) -> float:
    try:
        return float(detail or DIFFICULTY)
    except ValueError:
        raise QuestionError(
            f"the data set '{name}' names no difficulty; write clutter, or clutter-0.8 for another than {DIFFICULTY}"
        ) from None


def digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return scikit-learn's 1797 handwritten digits (8x8 grey values), scaled to 32x32x3 in 0..1.

    Enlarged by bilinear interpolation; the three channels are alike.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise QuestionError(
            "the digits come with scikit-learn; install it with: pip install 'tiercut[profiling]'"
        ) from None
    bunch: Any = load_digits()
    small = bunch.images.astype(np.float64) / 16
    scale = _bilinear(8, 32)
    large = np.einsum("ri,nij,cj->nrc", scale, small, scale)
    images = np.repeat(large[..., None], 3, axis=-1).astype(np.float32)
    return np.clip(images, 0.0, 1.0), bunch.target.astype(np.int64)


def _bilinear(small: int, large: int) -> NDArray[np.float64]:
    """Return the matrix [large, small] that interpolates between the centres of pixels."""
    centre = np.clip((np.arange(large) + 0.5) * small / large - 0.5, 0, small - 1)
    return np.maximum(0.0, 1.0 - np.abs(centre[:, None] - np.arange(small)))


def split(
    name: str,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    seed: int,
    shares: Mapping[str, float] = SHARES,
) -> Dataset:
    """Divide samples into training, profile and test splits.

    Every class is divided by the same shares, in an order that only the seed decides.
    """
    rng = np.random.default_rng(seed)
    parts: dict[str, list[NDArray[np.int64]]] = {part: [] for part in shares}
    classes = np.unique(labels)
    for label in classes:
        members = rng.permutation(np.flatnonzero(labels == label))
        ends = np.rint(np.cumsum(list(shares.values())) * len(members)).astype(int)
        for part, chosen in zip(shares, np.split(members, ends[:-1]), strict=True):
            parts[part].append(chosen)
    made = {}
    for part, chosen_of_class in parts.items():
        indices = np.sort(np.concatenate(chosen_of_class))
        made[part] = Split(indices, images[indices], labels[indices])
    return Dataset(name, len(classes), **made)


def hold_out(split: Split, share: float, *, seed: int) -> tuple[Split, Split]:
    """Divide a split into what is kept and what is held out, which is a share of every class.

    Raises
    ------
    QuestionError
        If a share is asked for, but too small to give a sample.
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


DATASETS: Mapping[str, Callable[[], tuple[NDArray[np.float32], NDArray[np.int64]]]] = {"digits32": digits}
"""Data sets by name: functions that return images and labels."""
