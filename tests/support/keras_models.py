"""Keras models cut and run in pieces, as tests need them."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from tiercut.profiling.models.blocks import Block, compile_span, find_blocks
from tiercut.profiling.models.graph import Model
from tiercut.profiling.models.graph_keras import KerasModel


def blocks_of(model: Any, *given: Any, **named: Any) -> tuple[Block, ...]:
    """Return the blocks of a functional Keras model."""
    return find_blocks(KerasModel(model).graph, *given, **named)


def answer(
    model: Model, blocks: tuple[Block, ...], first: int, last: int, data: Any, *, end: int | None = None
) -> NDArray[Any]:
    """Return what blocks `first` to `last` make of numbers, the batch first."""
    tensor = model.to_tensor(data)
    return model.to_numbers(compile_span(model, blocks, first, last, end=end, batch=len(tensor))(tensor))
