"""The columns of a drawing: one for each tier in file order, its nodes the rows.

A link that passes over a column gets a row of its own there, so that it crosses no node (the dummy nodes of layered
drawings: Sugiyama, Tagawa, Toda 1981).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tiercut.report.topology.lines import Pair, label_lines, pairs
from tiercut.report.topology.shapes import Box, text_size

if TYPE_CHECKING:
    from tiercut.topologies import Topology

__all__ = ["place_nodes"]

_ROW_GAP = 0.4
_LANE = 0.5


@dataclass(frozen=True, slots=True)
class _Column:
    """Boxes from top to bottom: names of nodes, or pairs of nodes whose link passes through."""

    rows: tuple[str | Pair, ...]
    width: float


def place_nodes(
    topology: Topology, sizes: Mapping[str, tuple[float, float]]
) -> tuple[dict[str, Box], dict[Pair, list[Box]]]:
    """Return the boxes of the nodes, and those of the links where they pass over a column.

    Parameters
    ----------
    topology
        What is drawn.
    sizes
        Width and height of each node's box.
    """
    columns = _columns(topology, sizes)
    boxes: dict[str, Box] = {}
    gaps: dict[Pair, list[Box]] = {}
    left = 0.0
    for place, column in enumerate(columns):
        gap = _row_gap(topology, column)
        heights = [sizes[row][1] if isinstance(row, str) else _LANE for row in column.rows]
        top = (sum(heights) + gap * (len(heights) - 1)) / 2
        for row, height in zip(column.rows, heights, strict=True):
            x, y = left + column.width / 2, top - height / 2
            top -= height + gap
            if isinstance(row, str):
                boxes[row] = Box(x, y, sizes[row][0], height)
            else:
                gaps.setdefault(row, []).append(Box(x, y, column.width, height))
        left += column.width + _gap_after(topology, place)
    return boxes, {pair: _in_order(pair, passed, boxes) for pair, passed in gaps.items()}


def _in_order(pair: Pair, gaps: list[Box], boxes: Mapping[str, Box]) -> list[Box]:
    return gaps if boxes[pair[0]].x < boxes[pair[1]].x else gaps[::-1]


def _columns(topology: Topology, sizes: Mapping[str, tuple[float, float]]) -> list[_Column]:
    place = {tier: index for index, tier in enumerate(topology.tiers)}
    members = [[name for name in topology.node_names if topology.tier_of(name) == tier] for tier in topology.tiers]
    above: list[list[Pair]] = [[] for _ in members]
    below: list[list[Pair]] = [[] for _ in members]
    for pair in pairs(topology):
        first, last = sorted(place[topology.tier_of(name)] for name in pair)
        if last - first > 1:
            height = sum(_height(name, members[place[topology.tier_of(name)]]) for name in pair)
            up = height > 0 or (height == 0 and len(above[first + 1]) <= len(below[first + 1]))
            for passed in range(first + 1, last):
                (above if up else below)[passed].append(pair)
    return [
        _Column((*above[each], *names, *reversed(below[each])), max(sizes[name][0] for name in names))
        for each, names in enumerate(members)
    ]


def _height(name: str, column: Sequence[str]) -> float:
    """Return how far above the middle of its column a node stands, in rows."""
    return (len(column) - 1) / 2 - column.index(name)


def _row_gap(topology: Topology, column: _Column) -> float:
    inside = [pair for pair in pairs(topology) if set(pair) <= set(column.rows)]
    labels = [label_lines(topology.hops.get((a, b)), topology.hops.get((b, a)), ((0, 0), (0, -1))) for a, b in inside]
    return max((text_size(lines)[1] + 0.35 for lines in labels), default=_ROW_GAP)


def _gap_after(topology: Topology, place: int) -> float:
    """Return the room between two columns: what the widest label of a link that crosses it needs."""
    column = {tier: index for index, tier in enumerate(topology.tiers)}
    texts: list[tuple[str, ...]] = []
    for a, b in pairs(topology):
        first, last = sorted((column[topology.tier_of(a)], column[topology.tier_of(b)]))
        if first <= place < last:
            texts.append(label_lines(topology.hops.get((a, b)), topology.hops.get((b, a)), ((0, 0), (1, 0))))
    # Links that say the same are labelled together, as "each ...".
    said = [(f"each {each[0]}", *each[1:]) if texts.count(each) > 1 else each for each in texts]
    widest = max([0.5, *(text_size(each)[0] for each in said)])
    return widest * (1.0 if len(texts) < 3 else 2.6) + 0.5
