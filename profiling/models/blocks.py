"""Blocks of a model: the pieces that may not be cut, and three rules to find them in its graph.

``all``
    Every place that few enough tensors cross is a partition point. Where it is to be one, as by default, these are the
    tensors through which all paths from the inputs to the outputs run: the dominators of the outputs in the graph of
    steps. Where several may cross, the order of the steps counts. Of cuts between which numbers only get other values
    or tensors another form (identity, reshape, activation), one is taken: the last that the fewest bytes cross.
``scission``
    The rule of Scission (section III-A): go through the layers with a counter of open branches; a layer where it stands
    at 0 is a partition point. It loses the tensor that fans out, and so gives fewer points.
``explicit``
    The points are named, by the layers that make them.

The inputs and the final outputs are no partition points, and the input layers belong to block 1: there is one block
more than there are points. What crosses is swept over the steps in their order, with the tensors that are still to be
read (live ranges; Aho et al., "Compilers", section 9.2.5).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from tiercut.errors import QuestionError, unknown_name
from tiercut.profiling.models.graph import Graph, Model, Piece, Tensor

__all__ = [
    "MOST_TENSORS",
    "RULES",
    "Block",
    "Rule",
    "compile_span",
    "cut_places",
    "find_blocks",
    "joined_blocks",
    "partition_points",
]

Rule = Literal["all", "scission", "explicit"]
RULES: tuple[Rule, ...] = ("all", "scission", "explicit")

MOST_TENSORS = 4
"""So many tensors may cross a cut at most."""


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
        Bytes of the tensors that leave the block, for one sample: all that was made by then and is read later.
    activation_bytes
        Bytes of the largest tensor that is made inside the block, for one sample.
    parameter_bytes
        Bytes of the weights; those of a shared layer count where it is first called.
    flops
        Floating-point operations for one sample.
    start, end
        The steps after which the block begins and ends, by their place in the graph.
    outputs
        The tensors that leave the block.
    state_bytes
        Bytes of the recurrent state that stays with it, for one sample.
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
    outputs: tuple[Tensor, ...] = ()
    state_bytes: int = 0


def find_blocks(
    graph: Graph, rule: Rule = "all", *, cuts: Sequence[str] = (), end: str | None = None, tensors: int = 1
) -> tuple[Block, ...]:
    """Return the blocks of a model, in the order in which data runs through them.

    Parameters
    ----------
    graph
        The graph of a model; early exits are left aside, but nothing that they read is lost at a cut.
    rule
        ``all``, ``scission`` or ``explicit``.
    cuts
        Names of the layers that end a block, for ``explicit``.
    end
        Name of the layer that ends the last block, where what follows is a classifier that counts as a branch;
        the model's output by default.
    tensors
        How many tensors may cross a cut, 1 to `MOST_TENSORS`.

    Raises
    ------
    QuestionError
        If nothing is between inputs and outputs, a name is unknown, or more tensors cross after a named layer.
    """
    path = _path(graph)
    everywhere = [*cut_places(graph, tensors=tensors), path[-1]]
    last = path[-1] if end is None else _named(graph, path, end, everywhere, tensors)
    points = _points(graph, path, rule, cuts, everywhere, tensors)
    ends = [point for point in points if point < last] + [last]
    return _blocks(graph, [graph.last_input, *ends])


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
    return _blocks(graph, [blocks[0].start, *kept])


def partition_points(
    graph: Graph, rule: Rule = "all", *, cuts: Sequence[str] = (), tensors: int = 1
) -> tuple[str, ...]:
    """Return the names of the layers after which there are partition points by the given rule (see `find_blocks`)."""
    path = _path(graph)
    found = _points(graph, path, rule, cuts, cut_places(graph, tensors=tensors), tensors)
    return tuple(graph.steps[point].name for point in found)


def cut_places(graph: Graph, *, tensors: int = 1) -> list[int]:
    """Return the steps after which no more than so many tensors cross and all of them can be sent, in order."""
    places = [place for place in graph.path()[:-1] if place > graph.last_input]
    crossings = graph.crossings(places)
    lost = _lost_to_exits(graph, places, crossings)
    return [
        place
        for place, crossing in zip(places, crossings, strict=True)
        if graph.steps[place].last
        and len(crossing) <= tensors
        and all(graph.steps[each].cuttable for each in crossing)
        and place not in lost
    ]


def _lost_to_exits(graph: Graph, places: Sequence[int], crossings: Sequence[Sequence[int]]) -> set[int]:
    """Return the places at which an early exit would lose something: that it reads beside what is made after them."""
    path, lost = set(graph.path()), set[int]()
    for end in graph.exits:
        reads = {
            parent for step in graph.leading_to((end,)) if step not in path for parent in graph.steps[step].parents
        } & path
        for place, crossing in zip(places, crossings, strict=True):
            if max(reads, default=-1) > place and any(each <= place for each in reads - set(crossing)):
                lost.add(place)
    return lost


def _path(graph: Graph) -> tuple[int, ...]:
    """Return the steps between the inputs and the outputs, both included."""
    path = graph.path()
    if path[-1] <= graph.last_input:
        raise QuestionError(f"model '{graph.name}' has no layers between its input and its output: nothing to cut")
    return path


def _points(
    graph: Graph, path: Sequence[int], rule: str, cuts: Collection[str], everywhere: Sequence[int], tensors: int
) -> list[int]:
    if not 1 <= tensors <= MOST_TENSORS:
        raise QuestionError(f"1 to {MOST_TENSORS} tensors may cross a cut, not {tensors}")
    if rule == "explicit":
        return sorted({_named(graph, path, name, everywhere, tensors) for name in cuts})
    if cuts:
        raise QuestionError(f"cuts are named for the rule 'explicit' only, not for '{rule}'")
    if rule == "scission":
        allowed = set(cut_places(graph))
        return [place for place in _counted(graph, path) if place in allowed]
    if rule == "all":
        return _best_of_runs(graph, [place for place in everywhere if place != path[-1]])
    raise QuestionError(unknown_name("rule for blocks", rule, RULES))


def _best_of_runs(graph: Graph, places: Sequence[int]) -> list[int]:
    """Return one place of each run of places that are alike, the last that the fewest bytes cross.

    Two places are alike where every step between them is light: what it reads comes from one tensor, which it changes
    number by number or in its form. A run that begins at the inputs or ends with the outputs is none, unless fewer
    bytes cross in it.
    """
    first, last = graph.last_input, graph.path()[-1]
    runs: list[list[int]] = [[first]]
    heavy = _heavy_before(graph)
    for place in [*places, last]:
        if heavy[place + 1] == heavy[runs[-1][-1] + 1]:
            runs[-1].append(place)
        else:
            runs.append([place])
    sizes = _sizes(graph, [first, *places, last])
    found = []
    for run in runs:
        ends = {first, last} & set(run)
        if ends:
            whole = min(sizes[each] for each in ends)
            candidates = [place for place in run if place not in ends and sizes[place] < whole]
        else:
            candidates = run
        if candidates:
            found.append(min(reversed(candidates), key=lambda place: sizes[place]))
    return found


def _sizes(graph: Graph, places: Sequence[int]) -> dict[int, int]:
    """Return the bytes that cross after some steps; 0 for all where there are no light steps, and so no runs."""

    def size(crossing: Sequence[int]) -> int:
        return sum(graph.steps[each].output.nbytes for each in crossing)

    if not any(step.light for step in graph.steps):
        return dict.fromkeys(places, 0)
    return {place: size(crossing) for place, crossing in zip(places, graph.crossings(places), strict=True)}


def _heavy_before(graph: Graph) -> list[int]:
    """Return how many steps on the path that are not light stand before each place; one more than there are steps."""
    path, roots, counts = set(graph.path()), dict[int, int](), [0]
    for place, step in enumerate(graph.steps):
        origins = {roots.get(parent, parent) for parent in step.parents}
        light = step.light and len(origins) == 1
        if light:
            roots[place] = origins.pop()
        counts.append(counts[-1] + (place in path and place > graph.last_input and not light))
    return counts


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
        if still_open == 0 and place > graph.last_input:
            points.append(place)
    return points


def _named(graph: Graph, path: Sequence[int], name: str, allowed: Collection[int], tensors: int) -> int:
    places = [place for place in path if graph.steps[place].name == name]
    if not places:
        raise QuestionError(unknown_name("layer", name, [graph.steps[place].name for place in path]))
    for place in places:
        if place in allowed:
            return place
    crossing = min((graph.crossing(place) for place in places), key=len)
    if len(crossing) > tensors:
        raise QuestionError(
            f"the model cannot be cut after layer '{name}': a path from input to output runs past it "
            f"({len(crossing)} tensors cross there, {tensors} may)"
        )
    raise QuestionError(f"the model cannot be cut after layer '{name}': what crosses there cannot be sent by itself")


def _blocks(graph: Graph, ends: Sequence[int]) -> tuple[Block, ...]:
    """Return the blocks between steps, of which the first is the last input."""
    path = graph.path()
    crossings = graph.crossings(ends)
    return tuple(
        _block(graph, path, before, last, crossing)
        for (before, last), crossing in zip(pairwise(ends), crossings[1:], strict=True)
    )


def _block(graph: Graph, path: Sequence[int], before: int, last: int, crossing: Sequence[int]) -> Block:
    """Make the block of the steps after `before` up to `last`; the inputs belong to the first."""
    inside = [graph.steps[place] for place in path if before < place <= last or place <= before == graph.last_input]
    outputs = tuple(graph.steps[place].output for place in crossing)
    return Block(
        name=graph.steps[last].name,
        layers=tuple(dict.fromkeys(step.name for step in inside)),
        first_layer=min(step.index for step in inside),
        last_layer=max(step.index for step in inside),
        output_bytes=sum(tensor.nbytes for tensor in outputs),
        activation_bytes=max(step.output.nbytes for step in inside),
        parameter_bytes=sum(step.parameter_bytes for step in inside),
        flops=sum(step.flops for step in inside),
        start=before,
        end=last,
        outputs=outputs,
        state_bytes=sum(step.state_bytes for step in inside),
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
