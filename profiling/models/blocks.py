"""Blocks of a model: the pieces that may not be cut, and three rules to find them in its graph.

``all``
    Every tensor through which all paths from the input to the output run, is a partition point. These are the
    dominators of the output in the graph of steps.
``scission``
    The rule of Scission (section III-A): go through the layers with a counter of open branches; a layer where it stands
    at 0 is a partition point. It loses the tensor that fans out, and so gives fewer points.
``explicit``
    The points are named, by the layers that make them.

The input tensor and the final output are no partition points, and the input layer belongs to block 1: there is
one block more than there are points.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from tiercut.errors import QuestionError, unknown_name
from tiercut.profiling.models.graph import Graph, Model, Piece, check_ends

__all__ = ["RULES", "Block", "Rule", "compile_span", "find_blocks", "joined_blocks", "partition_points"]

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
        Floating-point operations for one sample.
    start, end
        The step whose output the block reads and the one whose output leaves it, by their place in the graph.
    """

    name: str
    layers: tuple[str, ...]
    first_layer: int
    last_layer: int
    output_bytes: int
    activation_bytes: int
    parameter_bytes: int
    flops: int
    start: int
    end: int


def find_blocks(
    graph: Graph, rule: Rule = "all", *, cuts: Sequence[str] = (), end: str | None = None
) -> tuple[Block, ...]:
    """Return the blocks of a model, in the order in which data runs through them.

    Parameters
    ----------
    graph
        The graph of a model with one input and one output; early exits are left aside.
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
    path = _path(graph)
    everywhere = [*_dominators(graph, path), path[-1]]
    last = path[-1] if end is None else _named(graph, path, end, everywhere)
    points = _points(graph, path, rule, cuts, everywhere)
    ends = [point for point in points if point < last] + [last]
    return tuple(_block(graph, path, before, point) for before, point in pairwise([path[0], *ends]))


def joined_blocks(graph: Graph, blocks: Sequence[Block], ends: Collection[int]) -> tuple[Block, ...]:
    """Return blocks with those joined that do not end in one of some steps; the last keeps its end.

    Parameters
    ----------
    graph
        The graph that the blocks are of.
    blocks
        All of them.
    ends
        Steps after which there is still a cut, by their place in the graph.
    """
    kept = [block.end for block in blocks[:-1] if block.end in ends] + [blocks[-1].end]
    return tuple(_block(graph, graph.path(), before, point) for before, point in pairwise([blocks[0].start, *kept]))


def partition_points(graph: Graph, rule: Rule = "all", *, cuts: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names of the layers whose outputs are partition points by the given rule (see `find_blocks`)."""
    path = _path(graph)
    found = _points(graph, path, rule, cuts, _dominators(graph, path))
    return tuple(graph.steps[point].name for point in found)


def _path(graph: Graph) -> tuple[int, ...]:
    """Return the steps between the only input and the only output, both included."""
    check_ends(graph.name, *([graph.steps[place].name for place in ends] for ends in (graph.inputs, graph.outputs)))
    path = graph.path()
    if len(path) == 1:
        raise QuestionError(f"model '{graph.name}' has no layers between its input and its output: nothing to cut")
    return path


def _points(graph: Graph, path: Sequence[int], rule: str, cuts: Iterable[str], everywhere: Sequence[int]) -> list[int]:
    if rule == "explicit":
        return sorted({_named(graph, path, name, everywhere) for name in cuts})
    if cuts:
        raise QuestionError(f"cuts are named for the rule 'explicit' only, not for '{rule}'")
    if rule == "scission":
        return _counted(graph, path)
    if rule == "all":
        return _dominators(graph, path)
    raise QuestionError(unknown_name("rule for blocks", rule, RULES))


def _dominators(graph: Graph, path: Sequence[int]) -> list[int]:
    """Return the steps between input and output through which every path runs."""
    import networkx as nx

    edges = nx.DiGraph((parent, child) for child in path for parent in graph.steps[child].parents)
    above = nx.immediate_dominators(edges, path[0])
    points, point = [], above[path[-1]]
    while point != path[0]:
        points.append(point)
        point = above[point]
    return [point for point in points[::-1] if graph.steps[point].cuttable]


def _counted(graph: Graph, path: Sequence[int]) -> list[int]:
    """Return Scission's points: a counter of open branches stands at 0 after the layer (its section III-A)."""
    readers = dict.fromkeys(path, 0)
    for place in path:
        for parent in graph.steps[place].parents:
            readers[parent] += 1
    points, still_open = [], 0
    for place in path[:-1]:
        step = graph.steps[place]
        still_open += max(readers[place], 1) - max(len(step.parents), 1)
        if still_open == 0 and place != path[0] and step.cuttable:
            points.append(place)
    return points


def _named(graph: Graph, path: Sequence[int], name: str, allowed: Sequence[int]) -> int:
    places = [place for place in path if graph.steps[place].name == name]
    if not places:
        raise QuestionError(unknown_name("layer", name, [graph.steps[place].name for place in path]))
    for place in places:
        if place in allowed:
            return place
    raise QuestionError(f"the model cannot be cut after layer '{name}': a path from input to output runs past it")


def _block(graph: Graph, path: Sequence[int], before: int, last: int) -> Block:
    """Make the block of the steps after `before` up to `last`; the input belongs to the first."""
    inside = [graph.steps[place] for place in path if before < place <= last or place == before == path[0]]
    return Block(
        name=graph.steps[last].name,
        layers=tuple(dict.fromkeys(step.name for step in inside)),
        first_layer=min(step.index for step in inside),
        last_layer=max(step.index for step in inside),
        output_bytes=graph.steps[last].output.nbytes,
        activation_bytes=max(step.output.nbytes for step in inside),
        parameter_bytes=sum(step.parameter_bytes for step in inside),
        flops=sum(step.flops for step in inside),
        start=before,
        end=last,
    )


def compile_span(
    model: Model,
    blocks: Sequence[Block],
    first: int,
    last: int,
    *,
    end: int | None = None,
    batch: int = 1,
    jit: bool = False,
) -> Piece:
    """Return blocks `first` to `last` as one compiled piece.

    Parameters
    ----------
    model
        The model that the blocks are of.
    blocks
        All of them.
    first, last
        The first and the last block of the piece, 0-based and both included.
    end
        The step that the piece ends in, such as the exit after block `last`; by default it ends with that block.
    batch, jit
        See `tiercut.profiling.models.graph.Model.compile_piece`.

    Raises
    ------
    QuestionError
        If there are no such blocks, or the piece cannot be compiled.
    """
    if not 0 <= first <= last < len(blocks):
        raise QuestionError(f"there are no blocks {first + 1} to {last + 1} in a model of {len(blocks)} blocks")
    return model.compile_piece(blocks[first].start, blocks[last].end if end is None else end, batch=batch, jit=jit)
