"""Images to train on and to measure with, in splits that never overlap."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import QuestionError, unknown_name

__all__ = ["DATASETS", "Dataset", "Split", "digits", "load_dataset", "split"]

SHARES: Mapping[str, float] = {"train": 0.45, "profile": 0.40, "test": 0.15}
"""Shares of the splits. The profile split is large because a 99th percentile wants at least 662 samples."""


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

    Raises
    ------
    QuestionError
        If there is no such data set, or scikit-learn, which brings it, is not installed.
    """
    if name not in DATASETS:
        raise QuestionError(unknown_name("data set", name, DATASETS))
    images, labels = DATASETS[name]()
    return split(name, images, labels, seed=seed)


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


def split(name: str, images: NDArray[np.float32], labels: NDArray[np.int64], *, seed: int) -> Dataset:
    """Divide samples into training, profile and test splits.

    Every class is divided by the same shares (`SHARES`), in an order that only the seed decides.
    """
    rng = np.random.default_rng(seed)
    parts: dict[str, list[NDArray[np.int64]]] = {part: [] for part in SHARES}
    classes = np.unique(labels)
    for label in classes:
        members = rng.permutation(np.flatnonzero(labels == label))
        ends = np.rint(np.cumsum(list(SHARES.values())) * len(members)).astype(int)
        for part, chosen in zip(SHARES, np.split(members, ends[:-1]), strict=True):
            parts[part].append(chosen)
    made = {}
    for part, chosen_of_class in parts.items():
        indices = np.sort(np.concatenate(chosen_of_class))
        made[part] = Split(indices, images[indices], labels[indices])
    return Dataset(name, len(classes), **made)


DATASETS: Mapping[str, Callable[[], tuple[NDArray[np.float32], NDArray[np.int64]]]] = {"digits32": digits}
"""Data sets by name: functions that return images and labels."""
