"""The decisions of one threshold as paths through a graph without circles, of which models and bounds are made.

A vertex is a state (blocks done, level) on a node, twice: *arrived*, when its next blocks are still to be chosen, and
*leaving*, when the next node is; where an exit may stand inside a partition, also *evaluated*. So there is an arc for
each piece (state, node, last block, option) and one for each crossing (state, node, next node, codec), not one for each
pair of them: N²/2·M + N·M² for N blocks and M nodes with exits at cuts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tiercut.optimizer import PLAIN, Decision
from tiercut.solvers.states import states_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from tiercut.optimizer import Constraint, Costs, Space
    from tiercut.solvers.states import States

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = [
    "COST",
    "CROSS",
    "END",
    "ENTER",
    "GO_ON",
    "LEAVE",
    "LOSS",
    "PIECE",
    "Network",
    "arc_name",
    "decision_along",
    "network_of",
]

ENTER, PIECE, END, CROSS, LEAVE, GO_ON = range(6)
"""What an arc is: the transfer to the first node, a piece and its option, the last piece, the transfer across a
cut; and after an exit the turn to another node, or on with the next piece on the same."""

COST, LOSS = 0, 1
"""The first two rows of `Network.values`: what is minimised or capped, and accuracy with its sign turned."""

_EVALUATED, _LEAVING, _ARRIVED = range(3)


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """The graph of one threshold: A arcs, sorted by tail, between vertices whose numbers rise along every path.

    Parameters
    ----------
    index
        Place of the threshold index in the space.
    tail, head
        A: vertices; 0 is where every path begins, the last one where it ends.
    kind, node, end, option, codec
        A: one of the kinds above; node that runs the piece or is gone to; last block of the piece, or of that before
        the crossing (0-based); option of the piece; index of the codec choice of a crossing or of the input.
    values
        R x A: what an arc adds to the cost, takes from the accuracy, and adds to each bounded measure.
    vertices
        Their number.
    steps
        Most arcs of a path whose values are not 0.
    """

    index: int
    tail: Ints
    head: Ints
    kind: Ints
    node: Ints
    end: Ints
    option: Ints
    codec: Ints
    values: Floats
    vertices: int
    steps: int


def network_of(
    space: Space, index: int, costs: Costs, constraints: Sequence[Constraint], *, every_option: bool
) -> Network:
    """Return the graph of a threshold; arcs that cannot be (infinite in any measure) are left out.

    Parameters
    ----------
    space, index
        The decisions, and which of the thresholds.
    costs
        Tables of the measure that is minimised.
    constraints
        Other measures.
    every_option
        Whether options that lead to the same level are all there (for a ranking), or only the first of them, which is
        the first in the order among equals.
    """
    maker = _Maker(space, index, costs, constraints, every_option)
    columns, values = maker.arcs()
    values = np.ascontiguousarray(values)
    keep = np.isfinite(values).all(axis=0)
    order = np.flatnonzero(keep)[np.argsort(columns[0][keep], kind="stable")]
    steps = 2 * space.most + (space.problem.block_count if space.inside else 0)
    tail, head, kind, node, end, option, codec = (column[order] for column in columns)
    return Network(index, tail, head, kind, node, end, option, codec, values[:, order], maker.vertices, steps)


class _Maker:
    """Arcs by state, as rows of arrays."""

    def __init__(
        self, space: Space, index: int, costs: Costs, constraints: Sequence[Constraint], every_option: bool
    ) -> None:
        self.space, self.costs, self.constraints = space, costs, constraints
        self.states: States = states_of(space)
        self.stay = space.stay[:, index]
        self.right = space.accuracies(index)
        self.nodes = len(space.group)
        self.vertices = 2 + 3 * len(self.states.begins) * self.nodes
        self.every_option = every_option
        self.columns: list[Ints] = []
        self.values: list[Floats] = []

    @property
    def _tables(self) -> tuple[Costs, ...]:
        return self.costs, *(each.costs for each in self.constraints)

    def arcs(self) -> tuple[Ints, Floats]:
        """Return the columns (tail, head, kind, node, end, option, codec) and the values of all arcs."""
        self._enter()
        for state in range(len(self.states.begins)):
            self._pieces(state)
            self._ends(state)
            if state:
                self._crossings(state)
        return np.concatenate(self.columns, axis=1), np.concatenate(self.values, axis=1)

    def _vertex(self, state: Ints | int, place: Ints | int, node: Ints | int) -> Ints:
        return np.asarray(1 + (np.asarray(state) * 3 + place) * self.nodes + node)

    def _add(self, tail: Ints, head: Ints, kind: int, rows: Sequence[Floats], **more: Ints) -> None:
        names = ("node", "end", "option", "codec")
        each = (tail, head, kind, *(more.get(name, -1) for name in names))
        columns = np.stack([np.broadcast_to(column, head.shape).ravel() for column in each]).astype(np.int64)
        self.columns.append(columns)
        self.values.append(np.stack([np.broadcast_to(row, head.shape).ravel() for row in rows]).astype(float))

    def _right(self, level: int) -> Floats:
        """Return N x P: the accuracy of who leaves, having come at a level."""
        return np.asarray(self.right[level if len(self.right) > 1 else 0])

    def _nothing(self) -> list[Floats]:
        return [np.zeros(1)] * (2 + len(self.constraints))

    def _enter(self) -> None:
        space = self.space
        v, codec = np.flatnonzero(space.linked[space.problem.source]), np.arange(len(space.codec_choices))[:, None]
        entering = [each.first[codec, v] for each in self._tables]
        rows = [entering[0], space.input_drops[codec, v], *entering[1:]]
        head = np.broadcast_to(self._vertex(0, _ARRIVED, v), (len(codec), len(v)))
        self._add(np.zeros(1, np.int64), head, ENTER, rows, node=v, codec=codec)

    def _pieces(self, state: int) -> None:
        space, begin, level = self.space, self.states.begins[state], self.states.levels[state]
        end, option = self._choices(begin, level)
        if not len(end):
            return
        v = np.arange(self.nodes)[:, None]
        after = space.jump[level, end, option]
        exits = space.option_exit[option]
        leave = self.stay[level] - self.stay[after]

        def row(costs: Costs) -> Floats:
            weigh = costs.weigh(self.stay)
            weight = 1.0 if costs.whole else weigh[level]
            piece = np.where(exits, costs.span[v, begin, end], costs.bare[v, begin, end])
            with np.errstate(invalid="ignore"):  # a share of 0 at an infinite price is no number, and left out
                return np.asarray(weight * piece + (weigh[level] - weigh[after]) * costs.result[end, v])

        pieces = [row(costs) for costs in self._tables]
        column = np.clip(space.option_threshold[option], 0, self.right.shape[2] - 1)
        rows = [pieces[0], -leave * self._right(level)[end, column], *pieces[1:]]
        place = np.where(exits & space.inside, _EVALUATED, _LEAVING)
        head = self._vertex(self.states.number[end + 1, after], place, v)
        self._add(self._vertex(state, _ARRIVED, v), head, PIECE, rows, node=v, end=end, option=option)

    def _choices(self, begin: int, level: int) -> tuple[Ints, Ints]:
        """Return last blocks and options of the pieces that begin at a state."""
        jump = self.space.jump[level, begin:]
        usable = jump >= 0
        if not self.every_option:
            exits = self.space.option_exit
            for later in range(1, jump.shape[1]):
                same = (jump[:, :later] == jump[:, later : later + 1]) & (exits[:later] == exits[later])
                usable[:, later] &= ~same.any(axis=1)
        place, option = np.nonzero(usable)
        return np.asarray(place + begin), np.asarray(option)

    def _ends(self, state: int) -> None:
        space, begin, level = self.space, self.states.begins[state], self.states.levels[state]
        end = begin + np.flatnonzero(space.can_end[begin:])
        v, share = np.arange(self.nodes)[:, None], self.stay[level]
        with np.errstate(invalid="ignore"):
            weights = [1.0 if each.whole else each.weigh(self.stay)[level] for each in self._tables]
            ends = [
                weight * (each.span[v, begin, end] + each.result[end, v])
                for weight, each in zip(weights, self._tables, strict=True)
            ]
            rows = [ends[0], -share * self._right(level)[end, -1], *ends[1:]]
        head = np.full((self.nodes, len(end)), self.vertices - 1)
        self._add(self._vertex(state, _ARRIVED, v), head, END, rows, node=v, end=end)

    def _crossings(self, state: int) -> None:
        space, end, level = self.space, self.states.begins[state] - 1, self.states.levels[state]
        apart = (space.group[:, None] != space.group) & (space.rank[:, None] <= space.rank) & space.linked
        u, v = np.nonzero(apart)
        share, codec = self.stay[level], np.arange(len(space.codec_choices))[:, None]
        with np.errstate(invalid="ignore"):
            crossing = [each.weigh(self.stay)[level] * each.send[codec, end, u, v] for each in self._tables]
            rows = [crossing[0], share * space.drops[codec, end], *crossing[1:]]
        head = np.broadcast_to(self._vertex(state, _ARRIVED, v), (len(codec), len(v)))
        self._add(self._vertex(state, _LEAVING, u), head, CROSS, rows, node=v, end=np.asarray(end), codec=codec)
        if space.inside:
            nodes = np.arange(self.nodes)
            evaluated = self._vertex(state, _EVALUATED, nodes)
            for kind, place in ((LEAVE, _LEAVING), (GO_ON, _ARRIVED)):
                self._add(evaluated, self._vertex(state, place, nodes), kind, self._nothing(), node=nodes)


def decision_along(space: Space, network: Network, path: Iterable[int]) -> Decision:
    """Return the decision that a path makes.

    Parameters
    ----------
    space, network
        The decisions and the graph of the threshold.
    path
        Its arcs, in any order.
    """
    partition, placement, exits, thresholds, codecs, entry = [], [], [], [], [], None
    for arc in sorted(path, key=lambda arc: int(network.tail[arc])):
        kind, last = int(network.kind[arc]), int(network.end[arc]) + 1
        if kind in (ENTER, CROSS):
            placement.append(int(network.node[arc]))
        if kind == ENTER:
            entry = space.input_codec(int(network.codec[arc]), int(network.node[arc]))
        if kind in (CROSS, END):
            partition.append(last)
        if kind == CROSS:
            codecs.append(int(space.codec_choices[network.codec[arc]]))
        if kind == END or (kind == PIECE and space.option_exit[network.option[arc]]):
            exits.append(last)
        if kind == PIECE and space.option_exit[network.option[arc]]:
            thresholds.append(int(space.option_threshold[network.option[arc]]))
    single = space.per_exit or len(exits) == 1
    plain = len(space.codec_choices) == 1 and int(space.codec_choices[0]) == PLAIN
    return Decision(
        tuple(partition),
        tuple(placement),
        tuple(exits),
        None if single else int(space.threshold_indices[network.index]),
        tuple(thresholds) if space.per_exit and len(exits) > 1 else None,
        () if plain else tuple(None if codec == PLAIN else codec for codec in codecs),
        entry,
    )


_NAMES = ("enter", "piece", "end", "cross", "leave", "go on")


def arc_name(space: Space, network: Network, arc: int) -> str:
    """Return in words what an arc stands for: kind, node, state it begins at, last block (1-based), option or codec."""
    state = (int(network.tail[arc]) - 1) // (3 * len(space.group))
    parts = [_NAMES[network.kind[arc]], space.problem.nodes[network.node[arc]], f"state {max(state, 0)}"]
    more = {"block": int(network.end[arc]) + 1, "option": int(network.option[arc]), "codec": int(network.codec[arc])}
    return ", ".join([*parts, *(f"{name} {value}" for name, value in more.items() if value >= (name == "block"))])
