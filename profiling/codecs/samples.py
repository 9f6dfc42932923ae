"""The samples that codecs are measured on, as a network takes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.documents.archives import open_arrays
from tiercut.errors import InputError
from tiercut.profiling.models.cut import CutNetwork
from tiercut.profiling.models.graph import Tensor

__all__ = ["CodecSamples", "entry_names", "load_codec_samples"]

_LARGEST = 16 << 30
_IMAGES, _LABELS = ("images", "x"), ("labels", "y")


@dataclass(frozen=True, slots=True)
class CodecSamples:
    """Samples.

    Parameters
    ----------
    inputs
        An array for each input of the network, [samples, ...].
    labels
        The right classes, int64[samples]; None where they are not known.
    origin
        Where they come from, for people.
    """

    inputs: tuple[NDArray[Any], ...]
    labels: NDArray[np.int64] | None
    origin: str

    def part(self, most: int, batch: int) -> CodecSamples:
        """Return at most so many samples, evenly over all, in whole batches.

        Raises
        ------
        InputError
            If there is no whole batch.
        """
        count = len(self.inputs[0])
        wanted = min(most, count) // batch * batch or batch
        if wanted > count:
            raise InputError(self.origin, f"holds {count} samples, and one call takes {batch}")
        places = np.linspace(0, count - 1, wanted).astype(np.int64)
        labels = None if self.labels is None else self.labels[places]
        return CodecSamples(tuple(each[places] for each in self.inputs), labels, self.origin)

    def batches(self, batch: int) -> Iterator[tuple[tuple[NDArray[Any], ...], NDArray[np.int64] | None]]:
        """Yield inputs and labels, so many samples at a time."""
        for begin in range(0, len(self.inputs[0]), batch):
            part = slice(begin, begin + batch)
            yield (
                tuple(np.ascontiguousarray(each[part]) for each in self.inputs),
                None if self.labels is None else self.labels[part],
            )

    def __len__(self) -> int:
        return len(self.inputs[0])


def entry_names(cut: CutNetwork) -> dict[str, Tensor]:
    """Return the inputs of a network by their names, in the order in which its pieces take them."""
    graph = cut.model.graph
    return {graph.steps[place].name: graph.steps[place].output for place in graph.crossing(graph.last_input)}


def load_codec_samples(path: Path, cut: CutNetwork) -> CodecSamples:
    """Read samples from a ``.npz``: ``images`` or ``x``, or an array for each input by its name; labels if there are.

    Nothing is scaled: samples are as the network takes them.

    Raises
    ------
    InputError
        If the file does not hold what the network takes.
    """
    source, entries = str(path), entry_names(cut)
    with open_arrays(path, source, what="samples", limit=_LARGEST) as archive:
        held = archive.names
        inputs = tuple(
            _taken(archive, held, name, entry, source, alone=len(entries) == 1) for name, entry in entries.items()
        )
        named = next((name for name in _LABELS if name in held), None)
        labels = None if named is None else archive[named]
    if labels is not None and (labels.ndim != 1 or labels.dtype.kind not in "ui"):
        raise InputError(source, f"expected labels as whole numbers from 0, got {labels.dtype} of {labels.shape}")
    counts = {len(each) for each in inputs} | ({len(labels)} if labels is not None else set())
    if len(counts) > 1 or 0 in counts:
        raise InputError(source, f"its arrays hold different numbers of samples, or none: {sorted(counts)}")
    return CodecSamples(inputs, None if labels is None else labels.astype(np.int64), source)


def _taken(archive: Any, held: Sequence[str], name: str, entry: Tensor, source: str, *, alone: bool) -> NDArray[Any]:
    found = next((each for each in (name, *(_IMAGES if alone else ())) if each in held), None)
    if found is None:
        raise InputError(source, f"expected an array '{'images' if alone else name}', got {', '.join(held)}")
    values: NDArray[Any] = archive[found]
    wanted = entry.sizes()[1:]
    if values.shape[1:] != wanted or values.dtype.kind not in "iufb":
        raise InputError(
            source,
            f"'{found}': expected samples of the shape {wanted}, got {values.dtype} of {values.shape[1:]}; samples are "
            "as the network takes them",
        )
    return values.astype(entry.dtype)
