"""A network that is cut into blocks, as recording sees it: what its blocks are, and pieces of it that can be called.

Nothing that times or records touches a framework but through this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from tiercut.profiling.models.blocks import Block
from tiercut.profiling.models.graph import tensor_bytes
from tiercut.profiling.models.loader import fingerprint
from tiercut.profiling.models.runtime import compile_piece, describe_framework, versions

__all__ = ["CutNetwork", "Framework", "Piece", "Tensor"]

Tensor: TypeAlias = Any
"""What the framework computes with; only this file looks inside."""

Piece: TypeAlias = Callable[[Tensor], Tensor]
"""A compiled piece, which returns when its result is there."""


@dataclass(frozen=True, slots=True)
class Framework:
    """What runs a network.

    Parameters
    ----------
    description
        Its versions as text.
    backend
        What Keras runs on.
    versions
        The versions by name.
    """

    description: str
    backend: str
    versions: Mapping[str, str]


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
        The model without its early exits.
    blocks
        Its N blocks.
    ends
        Where the branch after each block ends, N of them, None where there is none; empty without any branch.
    """

    title: str
    rule: str
    model: Any = field(repr=False, compare=False)
    blocks: tuple[Block, ...]
    ends: tuple[Any, ...] = field(default=(), repr=False, compare=False)

    @property
    def present(self) -> tuple[int, ...]:
        """The blocks that have a branch, 0-based."""
        return tuple(place for place, end in enumerate(self.ends) if end is not None)

    @property
    def architecture(self) -> str:
        """SHA-256 of layers, settings and connections; branches do not count."""
        return fingerprint(self.model)

    @property
    def input_bytes(self) -> int:
        """Bytes of the input, for one sample."""
        return tensor_bytes(self.model.inputs[0])

    @property
    def result_bytes(self) -> int:
        """Bytes of the result, for one sample."""
        return tensor_bytes(self.model.outputs[0])

    @property
    def framework(self) -> Framework:
        """What runs it."""
        import keras

        return Framework(describe_framework(), str(keras.backend.backend()), versions())

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
        end = self.ends[last] if branch else self.blocks[last].output
        return compile_piece(self.blocks[first].input, end, batch=batch, jit=jit)

    def example(self, batch: int = 1) -> Tensor:
        """Return an input: numbers in 0..1, or ones where numbers are whole; what they are changes no time."""
        import keras

        entry = self.model.inputs[0]
        shape, dtype = (batch, *entry.shape[1:]), keras.backend.standardize_dtype(entry.dtype)
        if dtype.startswith(("int", "uint", "bool")):
            return keras.ops.convert_to_tensor(np.ones(shape, dtype=dtype))
        return keras.ops.convert_to_tensor(np.random.default_rng(0).random(shape, dtype=np.float32))

    def encode(self, tensor: Tensor) -> bytes:
        """Return the bytes of a tensor as they are sent."""
        import keras

        return bytes(keras.ops.convert_to_numpy(tensor).tobytes())

    def decoder(self, like: Tensor) -> Callable[[bytes], Tensor]:
        """Return the function that makes a tensor of the kind of `like` from bytes."""
        import keras

        shape, dtype = tuple(like.shape), keras.backend.standardize_dtype(like.dtype)
        return lambda raw: keras.ops.convert_to_tensor(np.frombuffer(raw, dtype=dtype).reshape(shape))
