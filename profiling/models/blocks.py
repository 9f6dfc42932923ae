"""Blocks of a functional Keras model: the pieces that may not be cut, and three rules to find them.

``all``
    Every tensor through which all paths from the input to the output run, is a partition point. These are the
    dominators of the output in the graph of layers.
``scission``
    The rule of Scission (section III-A): walk the layers with a counter of open branches; a layer where it stands
    at 0 is a partition point. It loses the tensor that fans out, and so gives fewer points.
``explicit``
    The points are named, by the layers that make them.

The input tensor and the final output are no partition points, and the input layer belongs to block 1: there is
one block more than there are points.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from tiercut.errors import QuestionError, unknown_name
from tiercut.profiling.models.flops import step_flops
from tiercut.profiling.models.graph import Step, dtype_bytes, layer_graph, tensor_bytes

__all__ = ["RULES", "Block", "Rule", "find_blocks", "partition_points"]

Rule = Literal["all", "scission", "explicit"]
RULES: tuple[Rule, ...] = ("all", "scission", "explicit")


@dataclass(frozen=True, slots=True)
class Block:
    """The layers between two consecutive partition points.

    Parameters
    ----------
    name
        Name of the layer whose output ends the block.
    layers
        Names of its layers, in the model's order.
    first_layer, last_layer
        Places of the first and the last of them in the model's order of layers, 0-based.
    output_bytes
        Bytes of the tensor that leaves the block, for one sample.
    activation_bytes
        Bytes of the largest tensor that is made inside the block, for one sample.
    parameter_bytes
        Bytes of the weights; those of a shared layer count where it is first called.
    flops
        Floating-point operations for one sample; see `tiercut.profiling.models.flops`.
    input, output
        The symbolic Keras tensors at its two ends.
    """

    name: str
    layers: tuple[str, ...]
    first_layer: int
    last_layer: int
    output_bytes: int
    activation_bytes: int
    parameter_bytes: int
    flops: int
    input: Any = field(repr=False, compare=False)
    output: Any = field(repr=False, compare=False)


def find_blocks(
    model: Any, rule: Rule = "all", *, cuts: Sequence[str] = (), end: str | None = None
) -> tuple[Block, ...]:
    """Return the blocks of a functional Keras model, in the order in which data runs through them.

    Parameters
    ----------
    model
        A functional model with one input and one output.
    rule
        ``all``, ``scission`` or ``explicit``.
    cuts
        Names of the layers that end a block, for ``explicit``.
    end
        Name of the layer that ends the last block, where what follows is a classifier that counts as a branch;
        the model's output by default.

    Raises
    ------
    QuestionError
        If the model is not of that kind, a name is unknown, or not every path runs through a named layer.
    """
    steps = layer_graph(model)
    everywhere = [*_dominators(steps), len(steps) - 1]
    last = len(steps) - 1 if end is None else _named(steps, end, everywhere)
    points = _points(steps, rule, cuts, everywhere)
    ends = [point for point in points if point < last] + [last]
    seen: set[int] = set()
    return tuple(_block(steps, first, point, seen) for first, point in pairwise([-1, *ends]))


def partition_points(model: Any, rule: Rule = "all", *, cuts: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names of the layers whose outputs are partition points by the given rule (see `find_blocks`)."""
    steps = layer_graph(model)
    return tuple(steps[point].name for point in _points(steps, rule, cuts, _dominators(steps)))


def _points(steps: Sequence[Step], rule: str, cuts: Iterable[str], everywhere: Sequence[int]) -> list[int]:
    if rule == "explicit":
        return sorted({_named(steps, name, everywhere) for name in cuts})
    if cuts:
        raise QuestionError(f"cuts are named for the rule 'explicit' only, not for '{rule}'")
    if rule == "scission":
        return _counted(steps)
    if rule == "all":
        return _dominators(steps)
    raise QuestionError(unknown_name("rule for blocks", rule, RULES))


def _dominators(steps: Sequence[Step]) -> list[int]:
    """Return the steps between input and output through which every path runs."""
    import networkx as nx

    graph = nx.DiGraph((parent, child) for child, step in enumerate(steps) for parent in step.parents)
    above = nx.immediate_dominators(graph, 0)
    points, point = [], above[len(steps) - 1]
    while point != 0:
        points.append(point)
        point = above[point]
    return [point for point in points[::-1] if steps[point].makes_one_tensor]


def _counted(steps: Sequence[Step]) -> list[int]:
    """Return Scission's points: a counter of open branches stands at 0 after the layer (its section III-A)."""
    readers = [0] * len(steps)
    for step in steps:
        for parent in step.parents:
            readers[parent] += 1
    points, still_open = [], 0
    for place, step in enumerate(steps[:-1]):
        still_open += max(readers[place], 1) - max(len(step.parents), 1)
        if still_open == 0 and place > 0 and step.makes_one_tensor:
            points.append(place)
    return points


def _named(steps: Sequence[Step], name: str, allowed: Sequence[int]) -> int:
    places = [place for place, step in enumerate(steps) if step.name == name]
    if not places:
        raise QuestionError(unknown_name("layer", name, [step.name for step in steps]))
    for place in places:
        if place in allowed:
            return place
    raise QuestionError(f"the model cannot be cut after layer '{name}': a path from input to output runs past it")


def _block(steps: Sequence[Step], before: int, last: int, seen: set[int]) -> Block:
    """Make the block of the steps after `before` up to `last`; `seen` are the layers already counted."""
    inside = steps[before + 1 : last + 1]
    fresh = {id(step.layer): step.layer for step in inside if id(step.layer) not in seen}
    seen.update(fresh)
    return Block(
        name=steps[last].name,
        layers=tuple(dict.fromkeys(step.name for step in inside)),
        first_layer=min(step.index for step in inside),
        last_layer=max(step.index for step in inside),
        output_bytes=tensor_bytes(steps[last].output),
        activation_bytes=max(tensor_bytes(step.output) for step in inside),
        parameter_bytes=sum(_weight_bytes(layer) for layer in fresh.values()),
        flops=sum(step_flops(step) for step in inside),
        input=steps[max(before, 0)].output,
        output=steps[last].output,
    )


def _weight_bytes(layer: Any) -> int:
    return sum(math.prod(weight.shape) * dtype_bytes(weight.dtype) for weight in getattr(layer, "weights", ()))
