"""Pieces of a Keras model as models of their own, which share its layers and weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tiercut.errors import QuestionError
from tiercut.profiling.models.blocks import Block
from tiercut.profiling.models.graph import replay

__all__ = ["build_piece", "span"]


def build_piece(start: Any, end: Any, *, name: str | None = None) -> Any:
    """Return the Keras model between two symbolic tensors.

    Parameters
    ----------
    start
        The symbolic tensor that becomes the input.
    end
        The symbolic tensor that becomes the output, or a list of them.
    name
        Name of the model that is made.

    Raises
    ------
    QuestionError
        If `end` depends on something that does not come through `start`.
    """
    import keras

    several = isinstance(end, list | tuple)
    entry, ends = replay(start, end if several else [end])
    return keras.Model(entry, ends if several else ends[0], name=name)


def span(blocks: Sequence[Block], first: int, last: int, *, branch: Any = None) -> Any:
    """Return blocks `first` to `last` as one Keras model.

    Parameters
    ----------
    blocks
        The blocks of one model.
    first, last
        The first and the last block of the piece, 0-based and both included.
    branch
        Output tensor of the branch after block `last` that the piece shall end in; by default it ends with the
        block's own output.

    Raises
    ------
    QuestionError
        If there are no such blocks.
    """
    if not 0 <= first <= last < len(blocks):
        raise QuestionError(f"there are no blocks {first + 1} to {last + 1} in a model of {len(blocks)} blocks")
    end = blocks[last].output if branch is None else branch
    return build_piece(blocks[first].input, end, name=f"blocks_{first + 1}_to_{last + 1}")
