"""The graph of a functional Keras model as plain data: one step for each call of a layer.

Keras keeps its graph behind private names; this file is the only one that touches them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tiercut.errors import QuestionError

__all__ = ["Step", "compute", "dtype_bytes", "functional", "layer_graph", "replay", "tensor_bytes"]

Call = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]
"""What calls a layer: given the layer, its positional and its named arguments."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call of one layer; a shared layer has several.

    Parameters
    ----------
    index
        Place in the model's order of layers, 0-based; what block and layer numbers count.
    layer
        The Keras layer (or operation).
    parents
        The steps whose outputs this one reads, by their place in the list of steps; empty for the input.
    output
        The symbolic tensor that the step makes, or the first of them.
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

    @property
    def makes_one_tensor(self) -> bool:
        """Whether all that leaves this step is `output`; a layer with several outputs is no place for a cut."""
        return len(self.node.outputs) == 1


def layer_graph(model: Any) -> tuple[Step, ...]:
    """Return the steps of a functional model between its input and its output, in the order of its layers.

    Every step stands after those whose outputs it reads. Calls of the same layers outside this model, such as
    those that its pieces make, are left out.

    Raises
    ------
    QuestionError
        If the model is not functional, or has several inputs or outputs.
    """
    _check(model)
    place = {id(operation): index for index, operation in enumerate(model.operations)}
    nodes = sorted(_ancestors(model), key=lambda node: place[id(node.operation)])
    nodes = list(_parents_first(nodes))
    number = {id(node): index for index, node in enumerate(nodes)}
    return tuple(
        Step(
            index=place[id(node.operation)],
            layer=node.operation,
            parents=tuple(number[id(parent)] for parent in node.parent_nodes),
            output=node.outputs[0],
            node=node,
        )
        for node in nodes
    )


def _check(model: Any) -> None:
    import keras

    if not isinstance(model, keras.Model) or not hasattr(model, "operations"):
        kind = type(model).__name__
        raise QuestionError(f"expected a functional Keras model, got {kind}, whose layers cannot be told apart")
    for what, tensors in (("input", model.inputs), ("output", model.outputs)):
        if len(tensors) != 1:
            names = ", ".join(str(_maker(tensor).operation.name) for tensor in tensors)
            raise QuestionError(
                f"model '{model.name}' has {len(tensors)} {what}s ({names}), so no single tensor runs from block to "
                f"block; only models with one input and one output can be handled"
            )


def _maker(tensor: Any) -> Any:
    """Return the record of the call that made a symbolic tensor."""
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def _ancestors(model: Any) -> list[Any]:
    found, waiting = {}, [_maker(model.outputs[0])]
    while waiting:
        node = waiting.pop()
        if id(node) not in found:
            found[id(node)] = node
            waiting.extend(node.parent_nodes)
    return list(found.values())


def _parents_first(nodes: list[Any]) -> Iterator[Any]:
    """Yield nodes after their parents, otherwise in the order given: a shared layer has one place but several calls."""
    done: set[int] = set()
    waiting = list(nodes)
    while waiting:
        ready = next(node for node in waiting if all(id(parent) in done for parent in node.parent_nodes))
        waiting.remove(ready)
        done.add(id(ready))
        yield ready


def tensor_bytes(tensor: Any) -> int:
    """Return the bytes of a symbolic tensor for one sample: its first axis, the batch, counts 1.

    Raises
    ------
    QuestionError
        If another axis has no fixed size.
    """
    shape: tuple[int | None, ...] = tuple(tensor.shape[1:])
    sizes = [size for size in shape if size is not None]
    if len(sizes) < len(shape):
        raise QuestionError(f"tensor '{tensor.name}' has no fixed size {shape}; give its input a size (--input-size)")
    return math.prod(sizes) * dtype_bytes(tensor.dtype)


def dtype_bytes(dtype: Any) -> int:
    """Return the bytes of one number of a Keras data type (numpy knows no ``bfloat16``)."""
    digits = re.findall(r"\d+", str(dtype))
    return int(digits[0]) // 8 if digits else 1


def replay(start: Any, ends: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Call the layers between symbolic tensors once more, on a new input in the place of `start`.

    The layers, and so the weights, are the same ones. (``keras.Model(start, end)`` would do as much, but mistakes
    a shared layer that makes `start` for the new input.)

    Parameters
    ----------
    start
        The symbolic tensor that becomes the input.
    ends
        Symbolic tensors that depend on nothing but `start`.

    Returns
    -------
    tuple
        The new input and the new tensor for each of `ends`.

    Raises
    ------
    QuestionError
        If one of `ends` depends on something that does not come through `start`.
    """
    import keras

    entry = keras.Input(batch_shape=start.shape, dtype=start.dtype)
    return entry, compute([start], [entry], ends)


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

    made = dict(zip(map(id, starts), values, strict=True))
    for node in _nodes_between(starts, ends):
        args, kwargs = node.arguments.fill_in(made)
        result = node.operation(*args, **kwargs) if call is None else call(node.operation, args, kwargs)
        made.update(zip(map(id, node.outputs), keras.tree.flatten(result), strict=True))
    return [made[id(end)] for end in ends]


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
    given = set(map(id, starts))
    seen: set[int] = set()
    waiting = [(end, False) for end in ends]
    while waiting:
        tensor, expanded = waiting.pop()
        node = _maker(tensor)
        if expanded:
            order.append(node)
        elif id(tensor) not in given and id(node) not in seen:
            if node.is_input:
                raise QuestionError(f"'{ends[-1].name}' also depends on '{tensor.name}', which is not in the piece")
            seen.add(id(node))
            waiting.append((tensor, True))
            waiting.extend((each, False) for each in node.input_tensors)
    return order
