"""The samples that are sent as frames."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.documents.archives import open_arrays
from tiercut.errors import InputError
from tiercut.offloader.bundles.manifest import TensorSpec

__all__ = ["Frames", "load_frames"]

_LARGEST = 16 << 30
_IMAGES, _LABELS = ("images", "x"), ("labels", "y")


@dataclass(frozen=True, slots=True)
class Frames:
    """Samples as a network takes them.

    Parameters
    ----------
    tensors
        By the name of the input, [samples, ...].
    labels
        The right classes, int64[samples]; None where they are not known.
    """

    tensors: Mapping[str, NDArray[Any]]
    labels: NDArray[np.int64] | None

    @property
    def count(self) -> int:
        """How many samples there are."""
        return len(next(iter(self.tensors.values())))

    def frame(self, number: int) -> dict[str, NDArray[Any]]:
        """Return a frame: sample `number` modulo how many there are, with an axis for the batch."""
        place = number % self.count
        return {name: values[place : place + 1] for name, values in self.tensors.items()}

    def label(self, number: int) -> int | None:
        """Return the right class of a frame."""
        return None if self.labels is None else int(self.labels[number % self.count])


def load_frames(path: str | os.PathLike[str], inputs: Sequence[TensorSpec]) -> Frames:
    """Read samples from a ``.npz``: ``images`` or ``x``, or an array for each input by its name; labels if there are.

    Nothing is scaled: samples are as the network takes them.

    Raises
    ------
    InputError
        If the file does not hold what the network takes.
    """
    source = os.fspath(path)
    if not Path(path).is_file():
        raise InputError(source, "there is no such file; samples are a .npz with images and labels")
    with open_arrays(Path(path), source, what="samples", limit=_LARGEST) as archive:
        held = archive.names
        tensors = {each.name: _taken(archive, held, each, source, alone=len(inputs) == 1) for each in inputs}
        named = next((name for name in _LABELS if name in held), None)
        labels = None if named is None else archive[named]
    counts = {len(values) for values in tensors.values()} | ({len(labels)} if labels is not None else set())
    if len(counts) > 1 or 0 in counts:
        raise InputError(source, f"its arrays hold different numbers of samples, or none: {sorted(counts)}")
    if labels is not None and (labels.ndim != 1 or labels.dtype.kind not in "ui"):
        raise InputError(source, f"expected labels as whole numbers from 0, got {labels.dtype} of {labels.shape}")
    return Frames(tensors, None if labels is None else labels.astype(np.int64))


def _taken(archive: Any, held: Sequence[str], spec: TensorSpec, source: str, *, alone: bool) -> NDArray[Any]:
    names = [spec.name, *(_IMAGES if alone else ())]
    found = next((name for name in names if name in held), None)
    if found is None:
        raise InputError(source, f"expected an array '{'images' if alone else spec.name}', got {', '.join(held)}")
    values: NDArray[Any] = archive[found]
    if values.shape[1:] != tuple(spec.shape[1:]) or values.dtype.kind not in "iufb" or spec.shape[:1] != [1]:
        raise InputError(
            source, f"'{found}': expected samples of the shape {tuple(spec.shape[1:])}, got {values.dtype} of "
            f"{values.shape[1:]}; samples are as the network takes them"
        )  # fmt: skip
    return np.ascontiguousarray(values.astype(spec.dtype))
