"""Models inside models, written out as one graph of layers."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tiercut.errors import QuestionError, TiercutWarning
from tiercut.profiling.models.keras_calls import compute, functional

__all__ = ["flatten"]


def flatten(model: Any, *, size: Sequence[int] | None = None) -> Any:
    """Return a functional model with the same layers and weights, in which no layer is a functional model itself.

    A model inside another, such as a backbone below a new classifier, hides all places where it could be cut.

    Parameters
    ----------
    model
        A functional model, or a ``Sequential`` whose input is known; returned as it is where nothing is to be done.
    size
        Sizes of the axes between batch and channels (of an image: height and width) in place of the model's own.

    Raises
    ------
    QuestionError
        If the model is not functional, or does not take inputs of that size.

    Warns
    -----
    TiercutWarning
        Where two models inside have layers of one name, so that they must stay one layer each.
    """
    import keras

    graph = functional(model)
    if graph is None:
        raise QuestionError(
            f"expected a functional Keras model, got {type(model).__name__}, whose layers cannot be told apart; "
            "build it with keras.Input and keras.Model(inputs, outputs)"
        )
    opened = _opened(graph)
    if graph is model and size is None and not any(_inner(layer, opened) for layer in graph.operations):
        return model
    entries = [keras.Input(batch_shape=_resized(tensor.shape, size), dtype=tensor.dtype) for tensor in graph.inputs]
    if len(entries) == 1:
        name = graph.inputs[0]._keras_history.operation.name
        entries = [keras.Input(batch_shape=entries[0].shape, dtype=entries[0].dtype, name=name)]
    try:
        ends = _inlined(graph, entries, opened)
    except ValueError as error:
        raise QuestionError(f"model '{model.name}' does not take an input of {size}: {_first_line(error)}") from None
    return keras.Model(entries if len(entries) > 1 else entries[0], ends if len(ends) > 1 else ends[0], name=model.name)


def _resized(shape: Sequence[int | None], size: Sequence[int] | None) -> tuple[int | None, ...]:
    if size is None:
        return tuple(shape)
    if len(shape) != len(size) + 2:
        raise QuestionError(f"the model's input has the shape {tuple(shape[1:])}, so a size of {tuple(size)} cannot be")
    return (shape[0], *size, shape[-1])


def _inlined(graph: Any, inputs: Sequence[Any], opened: bool) -> list[Any]:
    import keras

    def call(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        inner = _inner(layer, opened)
        return layer(*args, **kwargs) if inner is None else _inlined(inner, keras.tree.flatten(args), opened)

    return compute(graph.inputs, inputs, graph.outputs, call=call)


def _inner(layer: Any, opened: bool) -> Any:
    return functional(layer) if opened else None


def _opened(graph: Any) -> bool:
    """Tell whether models inside can be written out: not where two different layers would have one name."""
    names = Counter(layer.name for layer in {id(layer): layer for layer in _leaves(graph)}.values())
    twice = next((name for name, count in names.items() if count > 1), None)
    if twice is not None:
        inner = ", ".join(f"'{layer.name}'" for layer in graph.operations if functional(layer) is not None)
        warnings.warn(
            TiercutWarning(
                f"model '{graph.name}': the models inside it ({inner}) stay one layer each, because two layers in "
                f"them are called '{twice}'",
                "give their layers different names to cut inside them",
            ),
            stacklevel=3,
        )
    return twice is None


def _leaves(graph: Any) -> Iterator[Any]:
    import keras

    for layer in graph.operations:
        inner = functional(layer)
        if inner is not None:
            yield from (each for each in _leaves(inner) if not isinstance(each, keras.layers.InputLayer))
        else:
            yield layer


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
