"""Keras models cut and run in pieces, as tests need them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.profiling.models.blocks import Block, compile_span, find_blocks
from tiercut.profiling.models.graph import Model
from tiercut.profiling.models.graph_keras import KerasModel
from tiercut.profiling.models.nested import flatten


def blocks_of(model: Any, *given: Any, **named: Any) -> tuple[Block, ...]:
    """Return the blocks of a functional Keras model."""
    return find_blocks(KerasModel(model).graph, *given, **named)


def answer(
    model: Model, blocks: tuple[Block, ...], first: int, last: int, data: Any, *, end: int | None = None
) -> NDArray[Any]:
    """Return what blocks `first` to `last` make of numbers, the batch first."""
    tensor = model.to_tensor(data)
    return model.to_numbers(compile_span(model, blocks, first, last, end=end, batch=len(tensor))(tensor))


def furthest(model: Any, data: Any) -> float:
    """Return how far the pieces of a Keras model are off its own answer, as a share of the largest number in that.

    The model is written out, and cut at every place that is offered, first one at a time and then at all of them.
    """
    runtime = KerasModel(flatten(model))
    blocks = find_blocks(runtime.graph)
    whole = np.asarray(model.predict(data, verbose=0))
    pairs = [(0, cut, len(blocks) - 1) for cut in range(len(blocks) - 1)]
    found = [answer(runtime, blocks, 0, len(blocks) - 1, data)]
    for first, cut, last in pairs:
        found.append(answer(runtime, blocks, cut + 1, last, answer(runtime, blocks, first, cut, data)))
    chained = data
    for place in range(len(blocks)):
        chained = answer(runtime, blocks, place, place, chained)
    return float(max(np.abs(each - whole).max() for each in [*found, chained]) / np.abs(whole).max())
