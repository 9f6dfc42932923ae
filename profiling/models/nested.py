"""Models inside models, written out as one graph of layers."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from tiercut.errors import QuestionError, TiercutWarning
from tiercut.profiling.models.graph import sizes_of_axes
from tiercut.profiling.models.keras_calls import call_arguments, compute, functional, graph_calls, mask_of, with_masks

__all__ = ["flatten"]


def flatten(model: Any, *, size: Sequence[int] | None = None) -> Any:
    """Return a functional model with the same layers and weights, in which no layer is a functional model itself.

    A model inside another, such as a backbone below a new classifier, hides all places where it could be cut. Masks
    that only travel on tensors become arguments, so that the graph shows what depends on them.

    Parameters
    ----------
    model
        A functional model, or a ``Sequential`` whose input is known; returned as it is where nothing is to be done.
    size
        Sizes of the axes beside batch and channels (of an image: height and width) in place of the model's own; one
        number is both sides of an image.

    Raises
    ------
    QuestionError
        If the model is not functional, or does not take inputs of that size.

    Warns
    -----
    TiercutWarning
        Where a model inside must stay one layer: two have layers of one name, or one is called with arguments that
        its layers would lose.
    """
    import keras

    graph = functional(model)
    if graph is None:
        raise QuestionError(
            f"expected a functional Keras model, got {type(model).__name__}, whose layers are not known; "
            "build it with keras.Input and keras.Model(inputs, outputs)"
        )
    opened = _opened(graph)
    if graph is model and size is None and not opened and not _hides_masks(graph):
        return model
    entries = [
        keras.Input(
            batch_shape=_resized(tensor.shape, size, _channels_first(graph)),
            dtype=tensor.dtype,
            name=tensor._keras_history.operation.name,
        )
        for tensor in graph.inputs
    ]
    try:
        ends = _inlined(graph, entries, opened)
    except ValueError as error:
        what = "cannot be written out as one graph" if size is None else f"does not take an input of {tuple(size)}"
        raise QuestionError(f"model '{model.name}' {what}: {_first_line(error)}") from None
    return keras.Model(entries if len(entries) > 1 else entries[0], ends if len(ends) > 1 else ends[0], name=model.name)


def _channels_first(graph: Any) -> bool:
    """Return whether the layers of a model take channels before height and width."""
    return any(getattr(layer, "data_format", None) == "channels_first" for layer in _leaves(graph))


def _resized(shape: Sequence[int | None], size: Sequence[int] | None, channels_first: bool) -> tuple[int | None, ...]:
    if size is None:
        return tuple(shape)
    sizes = sizes_of_axes(size, max(len(shape) - 2, 0))
    return (shape[0], shape[1], *sizes) if channels_first else (shape[0], *sizes, shape[-1])


def _inlined(graph: Any, inputs: Sequence[Any], opened: Collection[int]) -> list[Any]:
    """Call the layers of a graph, and those of the models inside that are `opened`, on other inputs."""

    def call(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        inner = functional(layer)
        if inner is None or id(inner) not in opened:
            return layer(*args, **with_masks(layer, args, kwargs))
        return _inlined(inner, _converted(inner, _entering(layer, inner, args, kwargs)), opened)

    return compute(graph.inputs, inputs, graph.outputs, call=call)


def _entering(layer: Any, inner: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
    """Return what a call of a model puts in the place of each of its inputs."""
    import keras

    tensors = call_arguments(layer, args, kwargs).get("inputs")
    if isinstance(tensors, dict) and not isinstance(inner.input, dict):
        tensors = [tensors.get(each.name) for each in inner.inputs]
    return list(keras.tree.flatten(tensors))


def _converted(inner: Any, tensors: Sequence[Any]) -> list[Any]:
    """Return tensors in the types that a model gives its inputs before its layers read them."""
    import keras

    found = []
    for tensor, entry in zip(tensors, inner.inputs, strict=True):
        converted = tensor
        if not _alike(tensor.dtype, entry.dtype) and not _only_looked_up(inner, entry):
            converted = keras.ops.cast(tensor, entry.dtype)
            converted._keras_mask = mask_of(tensor)
        found.append(converted)
    return found


def _alike(dtype: str, other: str) -> bool:
    """Return whether a layer takes either type: it makes its own of any floating-point one."""
    return dtype == other or ("float" in dtype and "float" in other)


def _only_looked_up(inner: Any, entry: Any) -> bool:
    """Return whether only embeddings read an input, which take numbers of every type."""
    import keras

    readers = [node.operation for node in graph_calls(inner) if any(entry is each for each in node.input_tensors)]
    return all(isinstance(each, keras.layers.Embedding) for each in readers)


def _lost(layer: Any, inner: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> str | None:
    """Return what a call of a model hands over that its layers would not see if it were written out; or None."""
    import keras

    entering, arguments = _entering(layer, inner, args, kwargs), call_arguments(layer, args, kwargs)
    ranks = [None if each is None else len(each.shape) for each in entering]
    if ranks != [len(each.shape) for each in inner.inputs]:
        return "inputs of other numbers of axes than it has"
    mask = arguments.get("mask")
    if mask is not None and [*map(id, keras.tree.flatten(mask))] != [id(mask_of(each)) for each in entering]:
        return "a mask of its own"
    # NOTE whether it is trained is said for all layers at once when the whole model is called
    known = ("inputs", "mask", "training")
    return next(
        (f"'{name}'" for name, value in arguments.items() if name not in known and value not in (None, {}, ())), None
    )


def _opened(graph: Any) -> frozenset[int]:
    """Return the models inside a graph that can be written out, by their identity; warn of the others."""
    inside = {id(inner): layer for layer, inner, *_ in _inner_calls(graph)}
    names = Counter(layer.name for layer in {id(layer): layer for layer in _leaves(graph)}.values())
    twice = next((name for name, count in names.items() if count > 1), None)
    if twice is not None:
        inner = ", ".join(f"'{layer.name}'" for layer in graph.operations if functional(layer) is not None)
        _warn(
            f"model '{graph.name}': the models inside it ({inner}) stay one layer each, because two layers in them are "
            f"called '{twice}'",
            "give their layers different names to cut inside them",
        )
        return frozenset()
    closed: dict[int, str] = {}
    for layer, inner, args, kwargs in _inner_calls(graph):
        lost = _lost(layer, inner, args, kwargs)
        if lost is not None:
            why = f"model '{graph.name}': the model '{layer.name}' inside it stays one layer, because it is called with"
            closed.setdefault(id(inner), f"{why} {lost}")
    for reason in closed.values():
        _warn(reason, "build it with its layers in the outer model to cut inside it")
    return frozenset(inside) - closed.keys()


def _warn(message: str, remedy: str) -> None:
    warnings.warn(TiercutWarning(message, remedy), stacklevel=4)


def _inner_calls(graph: Any) -> Iterator[tuple[Any, Any, Sequence[Any], dict[str, Any]]]:
    """Yield the calls of models inside a graph, at every depth: layer, model, positional and named arguments."""
    for call in graph_calls(graph):
        inner = functional(call.operation)
        if inner is not None:
            yield call.operation, inner, call.arguments.args, call.arguments.kwargs
            yield from _inner_calls(inner)


def _hides_masks(graph: Any) -> bool:
    """Return whether a layer reads a mask that is not among the arguments of its call."""
    return any(
        with_masks(node.operation, node.arguments.args, node.arguments.kwargs) != node.arguments.kwargs
        for node in graph_calls(graph)
    )


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
