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
    model: Model,
    blocks: tuple[Block, ...],
    first: int,
    last: int,
    data: Any,
    *,
    end: int | None = None,
    batch: int | None = None,
) -> NDArray[Any]:
    """Return what blocks `first` to `last` make of numbers, the batch first: as many samples as rows by default."""
    tensor = model.to_tensor(data)
    return model.to_numbers(compile_span(model, blocks, first, last, end=end, batch=batch or len(tensor))(tensor))


def furthest(model: Any, data: Any) -> float:
    """Return how far the pieces of a Keras model are off its own answer, as a share of the largest number in that.

    The model is written out, and cut at every place that is offered, first one at a time and then at all of them.
    """
    runtime = KerasModel(flatten(model))
    blocks = find_blocks(runtime.graph)
    whole = np.asarray(model.predict(data, verbose=0))
    last, count = len(blocks) - 1, len(data)
    found = [answer(runtime, blocks, 0, last, data)]
    for cut in range(last):
        between = answer(runtime, blocks, 0, cut, data)
        found.append(answer(runtime, blocks, cut + 1, last, between, batch=count))
    chained = data
    for place in range(len(blocks)):
        chained = answer(runtime, blocks, place, place, chained, batch=count)
    return float(max(np.abs(each - whole).max() for each in [*found, chained]) / np.abs(whole).max())
