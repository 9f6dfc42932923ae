"""A network that is cut into blocks, as recording sees it: what its blocks are, and pieces of it that can be called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import QuestionError
from tiercut.profiling.models.blocks import Block, compile_span
from tiercut.profiling.models.graph import Framework, Model, Piece, Tensor, joined_values, tensors_of

__all__ = ["CutNetwork", "Values"]

Values: TypeAlias = Any
"""A tensor of the framework behind the model, which alone looks inside; or a tuple of those that cross a cut."""


@dataclass(frozen=True, slots=True)
class CutNetwork:
    """A network cut into N blocks, with a branch after some of them or none.

    Parameters
    ----------
    title
        What a profile calls it.
    rule
        How its blocks were found: ``all``, ``scission`` or ``explicit``.
    model
        The model.
    blocks
        Its N blocks.
    ends
        The step that ends the branch after each block, N of them, None where there is none; empty without any branch.
    compiled
        The pieces that were compiled so far, by first and last step, batch and whether they were compiled further.
    """

    title: str
    rule: str
    model: Model = field(repr=False, compare=False)
    blocks: tuple[Block, ...]
    ends: tuple[int | None, ...] = ()
    compiled: dict[tuple[int, int, int, bool], Piece] = field(default_factory=dict, repr=False, compare=False)

    @property
    def present(self) -> tuple[int, ...]:
        """The blocks that have a branch, 0-based."""
        return tuple(place for place, end in enumerate(self.ends) if end is not None)

    @property
    def architecture(self) -> str:
        """SHA-256 of layers, settings and connections; branches do not count."""
        return self.model.fingerprint

    @property
    def input_bytes(self) -> int:
        """Bytes of the inputs, for one sample."""
        graph = self.model.graph
        return sum(graph.steps[place].output.nbytes for place in graph.crossing(graph.last_input))

    @property
    def result_bytes(self) -> int:
        """Bytes of the results, for one sample."""
        return sum(tensor.nbytes for tensor in self.model.graph.results)

    @property
    def framework(self) -> Framework:
        """What runs it."""
        return self.model.framework

    def compile(self, first: int, last: int, *, branch: bool = False, batch: int = 1, jit: bool = False) -> Piece:
        """Return blocks `first` to `last` as one compiled piece.

        Parameters
        ----------
        first, last
            The first and the last block, 0-based and both included.
        branch
            Whether the piece ends in the branch after the last of them, in place of that block's own output.
        batch
            Samples in one call.
        jit
            Whether the framework compiles it with XLA, or what stands for it.
        """
        end = self.ends[last] if branch else None
        key = (self.blocks[first].start, self.blocks[last].end if end is None else end, batch, jit)
        if key not in self.compiled:
            self.compiled[key] = compile_span(self.model, self.blocks, first, last, end=end, batch=batch, jit=jit)
        return self.compiled[key]

    def example(self, batch: int = 1) -> Values:
        """Return an input: numbers in 0..1, or ones where numbers are whole; what they are changes no time."""
        graph = self.model.graph
        entries = (graph.steps[place].output for place in graph.crossing(graph.last_input))
        return joined_values([self.model.to_tensor(_numbers(each, batch)) for each in entries])

    def numbers(self, values: Values) -> tuple[NDArray[Any], ...]:
        """Return the numbers in each of the tensors."""
        return tuple(self.model.to_numbers(each) for each in tensors_of(values))

    def values(self, numbers: Sequence[NDArray[Any]]) -> Values:
        """Return what `numbers` was made of."""
        return joined_values([self.model.to_tensor(each) for each in numbers])

    def encode(self, values: Values) -> bytes:
        """Return the bytes of tensors as they are sent, one after the other."""
        return b"".join(self.model.to_numbers(each).tobytes() for each in tensors_of(values))

    def decoder(self, like: Values) -> Callable[[bytes], Values]:
        """Return the function that makes tensors of the kind of `like` from bytes."""
        kinds = [(each.shape, each.dtype, each.nbytes) for each in self.numbers(like)]

        def decode(raw: bytes) -> Values:
            found, begin = [], 0
            for shape, dtype, size in kinds:
                found.append(np.frombuffer(raw[begin : begin + size], dtype=dtype).reshape(shape))
                begin += size
            return self.values(found)

        return decode


def _numbers(entry: Tensor, batch: int) -> NDArray[Any]:
    if entry.dtype == "string":
        raise QuestionError(
            f"input '{entry.name}' is text, whose bytes and times depend on the text: let the model begin with the "
            "numbers that stand for it"
        )
    shape = entry.sizes(batch)
    if entry.dtype.startswith(("int", "uint", "bool")):
        return np.ones(shape, dtype=entry.dtype)
    return np.random.default_rng(0).random(shape, dtype=np.float32).astype(_type(entry.dtype))


def _type(dtype: str) -> np.dtype[Any]:
    try:
        return np.dtype(dtype)
    except TypeError:  # frameworks have types that numpy does not know before they are loaded
        return np.dtype(np.float32)
