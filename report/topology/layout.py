"""Where everything stands in the drawing of a topology: a pure function to boxes, lines and labels.

All lengths are inches at 9 pt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tiercut import units
from tiercut.report.topology.columns import place_nodes
from tiercut.report.topology.labels import place_labels
from tiercut.report.topology.lines import Line, draw_lines
from tiercut.report.topology.part import near_source
from tiercut.report.topology.shapes import Box, Label, text_size
from tiercut.topologies import destination_of

if TYPE_CHECKING:
    from tiercut.topologies import Node, Topology

__all__ = ["Drawing", "NodeBox", "lay_out"]

_LONGEST = 26
_MARGIN = 0.25


@dataclass(frozen=True, slots=True)
class NodeBox:
    """A node's place, the lines of text in it, and whether samples begin or end there."""

    name: str
    box: Box
    lines: tuple[str, ...]
    is_source: bool
    is_destination: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """All that is to be drawn, in inches.

    ``unlabelled`` counts the lines for whose label there was no room; ``frame`` holds everything else.
    """

    title: str
    caption: str
    nodes: tuple[NodeBox, ...]
    lines: tuple[Line, ...]
    labels: tuple[Label, ...]
    headers: tuple[Label, ...]
    frame: Box
    unlabelled: int


def lay_out(topology: Topology) -> Drawing:
    """Return where the parts of a topology's drawing stand.

    Parameters
    ----------
    topology
        What to draw; of many nodes, those next to the source (see `tiercut.report.topology.part`).
    """
    left_out = len(topology.nodes)
    topology = near_source(topology)
    left_out -= len(topology.nodes)
    texts = {node.name: _lines(topology, node) for node in topology.nodes}
    sizes = {name: _box_size(lines) for name, lines in texts.items()}
    boxes, gaps = place_nodes(topology, sizes)
    lines = draw_lines(topology, boxes, gaps)
    labels, unlabelled = place_labels(lines, list(boxes.values()))
    nodes = tuple(
        NodeBox(name, boxes[name], lines_, *(name in ends for ends in _ends(topology).values()))
        for name, lines_ in texts.items()
    )
    title, caption = _title(topology), _caption(topology, unlabelled, left_out)
    headers = _headers(topology, boxes, [gap for passed in gaps.values() for gap in passed])
    frame = _frame([*boxes.values(), *(each.box for each in (*labels, *headers))], lines, (title, caption))
    return Drawing(title, caption, nodes, lines, labels, headers, frame, unlabelled)


def _lines(topology: Topology, node: Node) -> tuple[str, ...]:
    runs = node.device if node.device != node.name else None
    slow = f"slowdown {node.slowdown:g}" if node.slowdown != 1 or node.device is None else None
    roles = [role for role, ends in _ends(topology).items() if node.name in ends]
    lines = [node.name, *(each for each in (runs, slow) if each), ", ".join(roles)]
    return tuple(line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…" for line in lines if line)


def _ends(topology: Topology) -> dict[str, set[str]]:
    """Return where frames are born, and where results are wanted."""
    if topology.sources is None:
        return {"source": {topology.source}, "destination": {topology.destination}}
    born = {each.node for each in topology.sources}
    return {"source": born, "destination": {destination_of(topology, each) for each in topology.sources}}


def _box_size(lines: Sequence[str]) -> tuple[float, float]:
    width, height = text_size(lines)
    return width + 0.24, height + 0.16


def _headers(topology: Topology, boxes: dict[str, Box], gaps: Sequence[Box]) -> tuple[Label, ...]:
    """Return the names of the tiers above the columns, where they say more than the nodes' own names."""
    if all(node.tier is None for node in topology.nodes):
        return ()
    top = max(box.top for box in (*boxes.values(), *gaps)) + 0.2
    labels = []
    for tier in topology.tiers:
        x = next(boxes[name].x for name in topology.node_names if topology.tier_of(name) == tier)
        text = tier if len(tier) <= _LONGEST else f"{tier[: _LONGEST - 1]}…"
        labels.append(Label(text, Box(x, top, *text_size([text]))))
    return tuple(labels)


def _title(topology: Topology) -> str:
    packets = f", packets of {units.format_bytes(topology.mtu)}" if topology.forwarding == "cut-through" else ""
    forwarding = "store and forward" if topology.forwarding == "store" else topology.forwarding
    return f"{topology.name} ({forwarding}{packets})"


def _caption(topology: Topology, unlabelled: int, left_out: int) -> str:
    said = [f"{left_out:,} nodes further from the source are left out"] if left_out else []
    if topology.destination == "anywhere":
        said.append("results stay where they are made")
    if topology.one_partition_per == "tier":
        said.append("one node of each tier at most")
    if topology.order == "forward":
        said.append("parts in the order of the tiers")
    if unlabelled:
        said.append(f"no room for the labels of {unlabelled} link{'s' if unlabelled > 1 else ''}")
    return "; ".join(said)


def _frame(boxes: Sequence[Box], lines: Sequence[Line], texts: Sequence[str]) -> Box:
    xs = [edge for box in boxes for edge in (box.left, box.right)] + [x for line in lines for x, _ in line.path]
    ys = [edge for box in boxes for edge in (box.bottom, box.top)] + [y for line in lines for _, y in line.path]
    left, bottom, top = min(xs) - _MARGIN, min(ys) - _MARGIN, max(ys) + _MARGIN
    right = max(*xs, min(xs) + 1.15 * text_size(texts)[0]) + _MARGIN
    return Box((left + right) / 2, (bottom + top) / 2, right - left, top - bottom)
