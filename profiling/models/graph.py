"""The graph of a model as plain data, and what stands behind it: no framework is touched here.

A `Graph` is what cutting rules read: steps with names, parents, bytes, parameters and operations. A `Model` is a graph
that can be run in pieces; `tiercut.profiling.models.graph_keras` makes one of a Keras model,
`tiercut.profiling.models.onnx` of an ONNX file. Another framework needs something like these, and nothing else changes.

A cut stands after a step. What crosses it is every tensor that was made before and is read after it, each once; an
input counts as made before all steps, and an output is read by whoever gets the result (see `Graph.crossing`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tiercut.errors import QuestionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Framework",
    "Graph",
    "Model",
    "Piece",
    "Step",
    "Tensor",
    "check_ends",
    "dtype_bytes",
    "joined_values",
    "tensors_of",
]

Piece = Callable[[Any], Any]
"""A compiled part of a model: takes what the part before it makes, and returns when its own is there.

That is a tensor, or a tuple of them where several cross the cut, in the order of `Graph.crossing`.
"""


def tensors_of(values: Any) -> tuple[Any, ...]:
    """Return the tensors that a piece takes or makes, of which there may be one."""
    return values if isinstance(values, tuple) else (values,)


def joined_values(tensors: Sequence[Any]) -> Any:
    """Return tensors as a piece takes and makes them: one alone, several as a tuple."""
    return tensors[0] if len(tensors) == 1 else tuple(tensors)


@dataclass(frozen=True, slots=True)
class Tensor:
    """What a step makes.

    Parameters
    ----------
    name
        What messages call it.
    shape
        Sizes of its axes, the batch's first; None where one is not fixed.
    dtype
        Its type of numbers, as numpy or Keras spells it (``float32``, ``bfloat16``).
    rows
        Rows of the first axis that one sample makes: more than one where windows, frames or heads are folded into
        the batch.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str = "float32"
    rows: int = 1

    @property
    def nbytes(self) -> int:
        """Bytes for one sample.

        Raises
        ------
        QuestionError
            If an axis other than the batch's has no fixed size.
        """
        sizes = [size for size in self.shape[1:] if size is not None]
        if len(sizes) < len(self.shape) - 1:
            raise QuestionError(
                f"tensor '{self.name}' has no fixed size {self.shape[1:]}; give its input a size (--input-size)"
            )
        return self.rows * math.prod(sizes) * dtype_bytes(self.dtype)

    def sizes(self, batch: int = 1) -> tuple[int, ...]:
        """Return the sizes of all axes for so many samples; an axis that is not fixed counts 0."""
        return (self.rows * batch, *(size or 0 for size in self.shape[1:])) if self.shape else ()


def dtype_bytes(dtype: str) -> int:
    """Return the bytes of one number of a type, at least 1, such as for ``bool``."""
    digits = re.findall(r"\d+", dtype)
    return max(int(digits[0]) // 8, 1) if digits else 1


@dataclass(frozen=True, slots=True)
class Step:
    """One call of one layer; a shared layer has several.

    Parameters
    ----------
    name
        The layer's name.
    kind
        The kind of operation, as the framework calls it (``Conv2D``).
    parents
        The steps whose outputs this one reads, by their place in the graph; empty for an input.
    output
        What it makes.
    index
        Place of the layer in the model's order of layers, 0-based; what block and layer numbers count.
    parameter_bytes
        Bytes of its weights; 0 where an earlier step has the same ones.
    flops
        Floating-point operations for one sample.
    cuttable
        Whether `output` can be sent and is all that the steps behind it need of it, with the batch as its first axis;
        else it crosses no cut.
    last
        False where the same operation makes another tensor in the step that follows: no cut stands between the two.
    light
        Whether it gives each number another value, or the tensor another form, and no more: cuts before it and after
        it are alike but for their bytes.
    state_bytes
        Bytes of the recurrent state that it reads, which stays where the step runs.
    """

    name: str
    kind: str
    parents: tuple[int, ...]
    output: Tensor
    index: int = 0
    parameter_bytes: int = 0
    flops: int = 0
    cuttable: bool = True
    last: bool = True
    light: bool = False
    state_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Graph:
    """The steps of a model.

    Parameters
    ----------
    name
        The model's name.
    steps
        Every step stands after those whose outputs it reads.
    inputs
        The steps that are its inputs, by their place; all other steps that lead to the result follow them.
    outputs
        The steps that make its outputs, by their place.
    exits
        The steps that end its early exits, by their place; they are no outputs of the network that is cut.
    batch
        Samples in one call where the model takes so many alone; None where it takes any number.
    """

    name: str
    steps: tuple[Step, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    exits: tuple[int, ...] = ()
    batch: int | None = None

    def __post_init__(self) -> None:
        for place, step in enumerate(self.steps):
            if any(not 0 <= parent < place for parent in step.parents):
                raise QuestionError(f"step '{step.name}' of model '{self.name}' reads a step that is not before it")

    @property
    def entries(self) -> tuple[Tensor, ...]:
        """What goes into the model."""
        return tuple(self.steps[place].output for place in self.inputs)

    @property
    def results(self) -> tuple[Tensor, ...]:
        """What comes out of it."""
        return tuple(self.steps[place].output for place in self.outputs)

    @property
    def last_input(self) -> int:
        """The place behind which everything is computed."""
        return max(self.inputs)

    def path(self) -> tuple[int, ...]:
        """Return the places of the steps that the results depend on, in order: all but those of early exits."""
        return self.leading_to(self.outputs)

    def leading_to(self, ends: Sequence[int]) -> tuple[int, ...]:
        """Return the places of the steps that some steps depend on, in order, themselves included."""
        found = set(ends)
        for place in range(max(ends), -1, -1):
            if place in found:
                found.update(self.steps[place].parents)
        return tuple(sorted(found))

    def crossing(self, place: int) -> tuple[int, ...]:
        """Return the steps whose outputs cross a cut after one of them, by their place, in order; see `crossings`."""
        return self.crossings((place,))[0]

    def crossings(self, places: Sequence[int]) -> list[tuple[int, ...]]:
        """Return, for a cut after each of some steps, the steps whose outputs cross it.

        Parameters
        ----------
        places
            Steps that lead to the result, or are inputs, in order.

        Returns
        -------
        list
            For each of them the steps that were done by then, or are inputs, and are read later, or are results.
        """
        last_read = dict.fromkeys(self.outputs, len(self.steps))
        for place in reversed(self.path()):
            for parent in self.steps[place].parents:
                last_read.setdefault(parent, place)
        ready = sorted(last_read, key=lambda step: (-1 if step in self.inputs else step, step))
        found, alive, come = [], set[int](), 0
        for place in places:
            while come < len(ready) and (ready[come] <= place or ready[come] in self.inputs):
                alive.add(ready[come])
                come += 1
            alive = {step for step in alive if last_read[step] > place}
            found.append(tuple(sorted(alive)))
        return found


def sizes_of_axes(size: Sequence[int], axes: int) -> tuple[int, ...]:
    """Return a size for each axis of an input beside batch and channels; one number is both sides of an image.

    Parameters
    ----------
    size
        What was named, such as height and width, or frames, height and width.
    axes
        How many axes there are: 1 of a sequence, 2 of an image, 3 of a video or volume.

    Raises
    ------
    QuestionError
        If there are more or fewer sizes than axes.
    """
    named = tuple(size) * 2 if len(size) == 1 and axes == 2 else tuple(size)
    if len(named) != axes:
        text = "x".join(map(str, size))
        what = f"takes {axes} size{'s' * (axes != 1)}, such as {'x'.join(['32'] * axes)}" if axes else "has no size"
        raise QuestionError(f"the input {what}, not {text}: its axes but batch and channels")
    return named


def check_ends(name: str, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Refuse several inputs or outputs, which are given by the names of their layers, where exits are to be attached.

    Raises
    ------
    QuestionError
        Says which they are.
    """
    for what, names in (("input", inputs), ("output", outputs)):
        if len(names) != 1:
            raise QuestionError(
                f"model '{name}' has {len(names)} {what}s ({', '.join(names)}), so it is no classifier that can be "
                f"given exits; that takes a model with one input and one output"
            )


@dataclass(frozen=True, slots=True)
class Framework:
    """What runs a model.

    Parameters
    ----------
    description
        Its parts and their versions as text.
    backend
        ``tensorflow``, ``jax``, ``torch``, ...
    versions
        The version of each part, by name.
    """

    description: str
    backend: str
    versions: Mapping[str, str] = field(default_factory=dict)


class Model(Protocol):
    """A graph that can be run in pieces; its tensors are those of the framework behind it."""

    @property
    def graph(self) -> Graph:
        """Its steps."""
        ...

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its architecture in hexadecimal digits; the values of its weights do not count."""
        ...

    @property
    def framework(self) -> Framework:
        """What runs it."""
        ...

    def compile_piece(self, start: int, end: int, *, batch: int = 1, jit: bool = False) -> Piece:
        """Return the steps after one up to another as a compiled function.

        Parameters
        ----------
        start
            The step after which the piece begins, by its place in the graph; `Graph.last_input` for the beginning. It
            takes what crosses there.
        end
            The step after which it ends, and hands on what crosses there; one of `Graph.exits` for a piece that ends
            in an early exit.
        batch
            Samples in one call.
        jit
            Whether the framework compiles it with the compiler that it has beside its usual one.

        Raises
        ------
        QuestionError
            If `end` depends on something that does not come through `start`, or it cannot be compiled.
        """
        ...

    def run(self, values: Any) -> Any:
        """Return what the uncut model makes of its inputs, as its framework runs it; both as pieces have them."""
        ...

    def to_tensor(self, numbers: NDArray[Any]) -> Any:
        """Return numbers as a tensor where the model runs."""
        ...

    def to_numbers(self, tensor: Any) -> NDArray[Any]:
        """Return the numbers in a tensor."""
        ...
