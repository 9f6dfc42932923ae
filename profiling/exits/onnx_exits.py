"""An ONNX network whose outputs are classifiers at several depths, as a network with exits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.documents.archives import open_arrays
from tiercut.errors import InputError, QuestionError
from tiercut.profiling.data.datasets import Dataset, Split, check_labels, hold_out
from tiercut.profiling.models.blocks import Block
from tiercut.profiling.models.graph import Graph
from tiercut.profiling.models.onnx.graph_onnx import OnnxModel

__all__ = ["OnnxExits", "OnnxNetwork", "class_count", "exit_ends", "open_exits", "probabilities"]

_TEST_SHARE = 0.25
"""The share of the samples, of every class, that nothing is chosen by."""

_LARGEST = 16 << 30
_PAIRS = (("images", "labels"), ("x", "y"))
_SUM = 5e-3


@dataclass(frozen=True, slots=True)
class OnnxExits:
    """A network with exits, as far as recording what they do needs it.

    Parameters
    ----------
    model
        The network.
    names
        The outputs that end its exits, in order.
    blocks
        Its N blocks.
    ends
        The step that ends the branch after each block, N of them, None where there is none.
    classes
        Number of classes that it tells apart.
    """

    model: OnnxModel = field(repr=False)
    names: tuple[str, ...]
    blocks: tuple[Block, ...]
    ends: tuple[int | None, ...]
    classes: int

    @property
    def present(self) -> tuple[int, ...]:
        """The blocks that have a branch, 0-based."""
        return tuple(place for place, end in enumerate(self.ends) if end is not None)

    def scores(self, images: NDArray[Any], batch: int) -> list[NDArray[Any]]:
        """Return the probabilities of the classes at every exit, float64[samples, classes] each."""
        found = self.model.predict(self.names, images, batch)
        return [probabilities(name, each) for name, each in zip(self.names, found, strict=True)]


@dataclass(frozen=True, slots=True)
class OnnxNetwork:
    """A network with exits and what they are measured on; see `tiercut.profiling.exits.trainer.Network`."""

    title: str
    exits: OnnxExits
    data: Dataset
    record: None = None


def exit_ends(graph: Graph, blocks: Sequence[Block]) -> tuple[int | None, ...]:
    """Return the step that ends the branch after each block, None where there is none.

    A branch belongs to the block that makes the last of what it reads. The last exit is the end of the network.

    Raises
    ------
    QuestionError
        If two exits belong to one block.
    """
    found: list[int | None] = [None] * len(blocks)
    path = set(graph.path())
    for end in graph.exits[:-1]:
        inside = [step for step in graph.leading_to((end,)) if step not in path]
        reads = {parent for step in inside for parent in graph.steps[step].parents} & path
        last = max(reads or {end})
        place = next((number for number, block in enumerate(blocks[:-1]) if last <= block.end), len(blocks) - 1)
        _take(graph, found, place, end)
    _take(graph, found, len(blocks) - 1, graph.path()[-1])
    return tuple(found)


def _take(graph: Graph, found: list[int | None], place: int, end: int) -> None:
    other = found[place]
    if other is not None:
        names = " and ".join(f"'{graph.steps[each].name}'" for each in (other, end))
        raise QuestionError(
            f"the exits {names} hang after the same block, between whose ends nothing can be cut; name one of them, or "
            "let more tensors cross (--tensors)"
        )
    found[place] = end


def open_exits(title: str, model: OnnxModel, names: Sequence[str], blocks: Sequence[Block], data: Path) -> OnnxNetwork:
    """Return a network with the samples of a file that its exits are measured on.

    Parameters
    ----------
    title
        What the profile calls it.
    model
        The network, loaded with these exits.
    names
        The outputs that end its exits, in order.
    blocks
        Its blocks.
    data
        A ``.npz`` with ``images`` and ``labels``, or ``x`` and ``y``, as the network takes them: nothing is scaled.
        The network learnt from other samples. A quarter of every class is the test split, the rest the profile split.

    Raises
    ------
    InputError
        If the file does not hold what the network takes.
    QuestionError
        If an output is no classifier, or a label none of its classes.
    """
    (entry, *others) = model.source.inputs
    if others:
        raise QuestionError(f"{title}: exits are recorded of networks with one input, not {1 + len(others)}")
    classes = class_count(model, names)
    images, labels = _samples(data, entry.name)
    wanted = entry.sizes[1:]
    if images.shape[1:] != wanted or images.dtype.kind not in "iufb":
        raise InputError(
            str(data), f"expected samples of the shape {wanted}, got {images.dtype} of {images.shape[1:]}; name the "
            "sizes with --input, or scale them"
        )  # fmt: skip
    every = Split(np.arange(len(labels)), images.astype(entry.dtype), labels)
    check_labels(labels, classes, f"'{data}'")
    profile, test = hold_out(every, _TEST_SHARE, seed=0)
    if not len(profile) or not len(test):
        raise InputError(str(data), f"has {len(labels)} samples, too few for two splits")
    found = OnnxExits(model, tuple(names), tuple(blocks), exit_ends(model.graph, blocks), classes)
    return OnnxNetwork(title, found, Dataset(data.stem, classes, every.part(np.arange(0)), profile, test))


def class_count(model: OnnxModel, names: Sequence[str]) -> int:
    """Return how many classes exits tell apart.

    Raises
    ------
    QuestionError
        If an output is no classifier, or they tell different numbers apart.
    """
    counts = {name: model.seen[name].sizes for name in names}
    for name, sizes in counts.items():
        if len(sizes) != 2 or sizes[1] < 2 or not model.seen[name].dtype.startswith("float"):
            raise QuestionError(
                f"--exits: output '{name}' is no classifier: it has the shape {sizes}, where (batch, classes) with two "
                "classes or more is needed"
            )
    if len({sizes[1] for sizes in counts.values()}) > 1:
        shown = ", ".join(f"'{name}' {sizes[1]}" for name, sizes in counts.items())
        raise QuestionError(f"--exits: the exits tell different numbers of classes apart: {shown}")
    return next(iter(counts.values()))[1]


def _samples(data: Path, name: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    with open_arrays(data, str(data), what="samples", limit=_LARGEST) as archive:
        held = set(archive.names)
        pairs = (*_PAIRS, (name, "labels"), (name, "y"))
        found = next((pair for pair in pairs if set(pair) <= held), None)
        if found is None:
            raise InputError(
                str(data), f"expected the arrays images and labels, x and y, or {name} and labels, got "
                f"{', '.join(sorted(held))}"
            )  # fmt: skip
        images, labels = archive[found[0]], archive[found[1]]
    if labels.shape != (len(images),) or labels.dtype.kind not in "ui":
        raise InputError(
            str(data), f"expected {len(images)} labels as whole numbers from 0, got {labels.dtype} of {labels.shape}"
        )
    return images, labels.astype(np.int64)


def probabilities(name: str, scores: NDArray[Any]) -> NDArray[np.float64]:
    """Return the probabilities that the scores of a classifier mean: themselves, or their softmax.

    Parameters
    ----------
    name
        The output.
    scores
        float[samples, classes], of any precision; probabilities of half precision are made to sum to 1.

    Raises
    ------
    QuestionError
        If they are neither probabilities nor logits: in 0..1, but they do not sum to 1, or are no numbers.
    """
    exact = np.asarray(scores, dtype=np.float64)
    if not np.isfinite(exact).all():
        raise QuestionError(f"--exits: output '{name}' gives what is no number (NaN or infinite)")
    sums = exact.sum(axis=-1, keepdims=True)
    if exact.min() >= 0 and np.abs(sums - 1).max() <= _SUM:
        return np.asarray(exact / sums)
    if exact.min() >= 0 and exact.max() <= 1:
        raise QuestionError(
            f"--exits: output '{name}' is no probability of classes: its numbers lie in 0..1 but do not sum to 1; let "
            "the network give logits, or end in a softmax"
        )
    raised = np.exp(exact - exact.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))
