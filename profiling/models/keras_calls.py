"""The calls of layers that make up a functional Keras model, and how they are made once more.

Keras keeps its graph behind private names; this file is the only one that touches them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tiercut.errors import QuestionError

__all__ = [
    "LayerCall",
    "build_piece",
    "call_arguments",
    "compute",
    "functional",
    "graph_calls",
    "layer_calls",
    "mask_of",
    "replay",
    "with_masks",
]

Call = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]
"""What calls a layer: given the layer, its positional and its named arguments."""


@dataclass(frozen=True, slots=True)
class LayerCall:
    """One call of one layer; a shared layer has several.

    Parameters
    ----------
    index
        Place in the model's order of layers, 0-based.
    layer
        The Keras layer (or operation).
    parents
        The calls whose outputs this one reads, by their place among all calls; empty for the input.
    output
        The symbolic tensor that it makes, or the first of them; of the last call the one that the model answers with.
    node
        Keras' record of the call, with its arguments.
    """

    index: int
    layer: Any
    parents: tuple[int, ...]
    output: Any
    node: Any

    @property
    def name(self) -> str:
        """The layer's name."""
        return str(self.layer.name)


def layer_calls(model: Any, ends: Sequence[Any] = ()) -> tuple[LayerCall, ...]:
    """Return the calls of a functional model between its inputs and outputs, in the order of its layers, inputs first.

    Every call stands after those whose outputs it reads. Calls of the same layers outside this model, such as those
    that its pieces make, are left out.

    Parameters
    ----------
    model
        The model.
    ends
        Symbolic tensors that other layers make of what is in the model; their calls follow those of the model.

    Raises
    ------
    QuestionError
        If the model is not functional, or two of its outputs are made by one call.
    """
    _check(model)
    place = {id(operation): index for index, operation in enumerate(model.operations)}
    nodes = _ordered(_ancestors(model.outputs), place)
    nodes += _ordered(_ancestors(ends, nodes), place, nodes)
    number = {id(node): index for index, node in enumerate(nodes)}
    results = {id(_maker(tensor)): tensor for tensor in model.outputs}
    return tuple(
        LayerCall(
            index=place[id(node.operation)],
            layer=node.operation,
            parents=tuple(number[id(parent)] for parent in node.parent_nodes),
            output=results.get(id(node), node.outputs[0]),
            node=node,
        )
        for node in nodes
    )


def graph_calls(graph: Any) -> list[Any]:
    """Return Keras' records of the calls between the inputs and the outputs of a functional model, without inputs."""
    return [node for node in _nodes_between(graph.inputs, graph.outputs) if not node.is_input]


def _check(model: Any) -> None:
    import keras

    if not isinstance(model, keras.Model) or not hasattr(model, "operations"):
        kind = type(model).__name__
        raise QuestionError(f"expected a functional Keras model, got {kind}, whose layers are not known")
    makers = [_maker(each) for each in model.outputs]
    if twice := next((each for place, each in enumerate(makers) if each in makers[:place]), None):
        raise QuestionError(
            f"two outputs of model '{model.name}' are made by layer '{twice.operation.name}', and a layer is taken to "
            "make one tensor; let each output go through a layer of its own, such as keras.layers.Identity()"
        )


def _maker(tensor: Any) -> Any:
    """Return the record of the call that made a symbolic tensor."""
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def _ancestors(ends: Sequence[Any], known: Sequence[Any] = ()) -> list[Any]:
    """Return the records of the calls that symbolic tensors depend on, without those that are known."""
    found: dict[int, Any] = {}
    seen = set(map(id, known))
    waiting = [_maker(end) for end in ends]
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            found[id(node)] = node
            waiting.extend(node.parent_nodes)
    return list(found.values())


def _ordered(nodes: Sequence[Any], place: dict[int, int], known: Sequence[Any] = ()) -> list[Any]:
    """Return calls in the order of their layers, parents first; layers without a place are given the next ones."""
    done = set(map(id, known))
    by_layer = sorted(nodes, key=lambda node: (not node.is_input, place.get(id(node.operation), len(place))))
    found = list(_parents_first(by_layer, done))
    for node in found:
        place.setdefault(id(node.operation), len(place))
    return found


def _parents_first(nodes: list[Any], done: set[int]) -> Iterator[Any]:
    """Yield calls after their parents, otherwise in the order given: a shared layer has one place but several calls."""
    waiting = list(nodes)
    while waiting:
        ready = next(node for node in waiting if all(id(parent) in done for parent in node.parent_nodes))
        waiting.remove(ready)
        done.add(id(ready))
        yield ready


def build_piece(start: Any, end: Any, *, name: str | None = None) -> Any:
    """Return the Keras model between symbolic tensors, which shares layers and weights.

    Parameters
    ----------
    start
        The symbolic tensor that becomes the input, or a list of them.
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

    starts, ends = (each if isinstance(each, list | tuple) else [each] for each in (start, end))
    entries, results = replay(starts, ends)
    return keras.Model(
        entries if isinstance(start, list | tuple) else entries[0],
        results if isinstance(end, list | tuple) else results[0],
        name=name,
    )


def replay(starts: Sequence[Any], ends: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Call the layers between symbolic tensors once more, on new inputs in the place of `starts`.

    The layers, and so the weights, are the same ones. (``keras.Model(start, end)`` would do as much, but mistakes
    a shared layer that makes `start` for the new input.)

    Parameters
    ----------
    starts
        The symbolic tensors that become the inputs.
    ends
        Symbolic tensors that depend on nothing but `starts`.

    Returns
    -------
    tuple
        The new inputs and the new tensor for each of `ends`.

    Raises
    ------
    QuestionError
        If one of `ends` depends on something that does not come through `starts`.
    """
    import keras

    entries = [keras.Input(batch_shape=start.shape, dtype=start.dtype) for start in starts]
    return entries, compute(starts, entries, ends)


def compute(
    starts: Sequence[Any], values: Sequence[Any], ends: Sequence[Any], *, call: Call | None = None
) -> list[Any]:
    """Call the layers between symbolic tensors once more, with `values` in the place of `starts`.

    Parameters
    ----------
    starts
        Symbolic tensors.
    values
        What stands for each of them: numbers, or other symbolic tensors.
    ends
        Symbolic tensors that depend on nothing but `starts`.
    call
        Called with the layer and its positional and named arguments; by default it calls the layer.

    Returns
    -------
    list
        What takes the place of each of `ends`.

    Raises
    ------
    QuestionError
        If one of `ends` depends on something that does not come through `starts`.
    """
    import keras

    values_of = dict(zip(map(id, starts), values, strict=True))
    for node in _nodes_between(starts, ends):
        args, kwargs = node.arguments.fill_in(values_of)
        result = node.operation(*args, **kwargs) if call is None else call(node.operation, args, kwargs)
        values_of.update(zip(map(id, node.outputs), keras.tree.flatten(result), strict=True))
    return [values_of[id(end)] for end in ends]


def with_masks(layer: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the named arguments of a call of a layer with the masks that travel on its tensors.

    Keras reads them there when a layer is called, but does not record them as arguments where others are named, so
    that the graph would not show what the layer depends on.
    """
    import keras

    if not isinstance(layer, keras.Layer):
        return kwargs
    arguments = call_arguments(layer, args, kwargs)
    tensors = {name: value for name, value in arguments.items() if _are_tensors(value)}
    alone = len(tensors) == 1
    sources = {"mask" if alone else f"{name}_mask": name for name in tensors}
    found = {
        target: keras.tree.map_structure(mask_of, tensors[source])
        for target, source in sources.items()
        if target in arguments and arguments[target] is None
    }
    return kwargs | {name: mask for name, mask in found.items() if _any_there(mask)}


def mask_of(tensor: Any) -> Any:
    """Return the mask that travels on a tensor, or None."""
    return getattr(tensor, "_keras_mask", None)


def _any_there(mask: Any) -> bool:
    import keras

    return any(each is not None for each in keras.tree.flatten(mask))


def call_arguments(layer: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return all arguments of a call by name, those of the call that were not given too."""
    try:
        bound = inspect.signature(layer.call).bind(*args, **kwargs)
    except TypeError:  # a layer may take arguments that its call has no name for
        return {}
    bound.apply_defaults()
    return dict(bound.arguments)


def _are_tensors(value: Any) -> bool:
    import keras

    flat = keras.tree.flatten(value)
    return bool(flat) and all(isinstance(each, keras.KerasTensor) for each in flat)


def functional(layer: Any) -> Any:
    """Return a layer that is a graph of layers itself, as a functional model; None for any other layer.

    A ``Sequential`` whose input is known is one; a model with a ``call`` of its own is not.
    """
    import keras

    if isinstance(layer, keras.Sequential):
        layer = layer._functional
    caller = next((each.__name__ for each in type(layer).__mro__ if "call" in each.__dict__), None)
    return layer if isinstance(layer, keras.Model) and caller == "Functional" else None


def _nodes_between(starts: Sequence[Any], ends: Sequence[Any]) -> list[Any]:
    """Return the calls between `starts` and `ends`, every one after those that it depends on."""
    order: list[Any] = []
    known = set(map(id, starts))
    seen: set[int] = set()
    waiting = [(end, False) for end in ends]
    while waiting:
        tensor, expanded = waiting.pop()
        node = _maker(tensor)
        if expanded:
            order.append(node)
        elif id(tensor) not in known and id(node) not in seen:
            if node.is_input:
                raise QuestionError(f"'{ends[-1].name}' also depends on '{tensor.name}', which is not in the piece")
            seen.add(id(node))
            waiting.append((tensor, True))
            waiting.extend((each, False) for each in node.input_tensors)
    return order
