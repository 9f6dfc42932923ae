"""The lines of a drawing: one for each pair of nodes that a link joins, with the text that says what it can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from tiercut import units
from tiercut.report.topology.shapes import Box, Point

if TYPE_CHECKING:
    from tiercut.topologies import Hop, Topology

__all__ = ["Gaps", "Line", "Pair", "draw_lines", "label_lines", "pairs"]

Pair: TypeAlias = tuple[str, str]
Gaps: TypeAlias = Mapping[Pair, Sequence[Box]]
"""For each link that passes over columns, the boxes that it has there, in the order of the pair."""

_STEPS = 32


@dataclass(frozen=True, slots=True)
class Line:
    """A line between two nodes.

    ``path`` runs from `first` to `second`; ``arrows`` says at which of its ends (first, second) an arrow points: none
    for a link that is alike in both directions. Lines of one ``bundle`` share a label.
    """

    first: str
    second: str
    path: tuple[Point, ...]
    arrows: tuple[bool, bool]
    text: tuple[str, ...]
    bundle: tuple[str, ...]


def pairs(topology: Topology) -> tuple[Pair, ...]:
    """Return the pairs of nodes that at least one direction joins, the earlier node of the file first."""
    place = {name: index for index, name in enumerate(topology.node_names)}
    found = ((a, b) if place[a] < place[b] else (b, a) for a, b in topology.hops)
    return tuple(dict.fromkeys(found))


def draw_lines(topology: Topology, boxes: Mapping[str, Box], gaps: Gaps) -> tuple[Line, ...]:
    """Return the line of every pair of joined nodes.

    Parameters
    ----------
    topology
        What is drawn.
    boxes
        Where the nodes stand.
    gaps
        Where links may pass over columns.
    """
    lines = []
    for first, second in pairs(topology):
        there, back = topology.hops.get((first, second)), topology.hops.get((second, first))
        path = tuple(_path(boxes[first], boxes[second], list(boxes.values()), gaps.get((first, second), ())))
        alike = there is not None and back is not None and _says(there) == _says(back)
        arrows = (False, False) if alike else (back is not None, there is not None)
        text = label_lines(there, back, path)
        tiers = (topology.tier_of(first), topology.tier_of(second))
        bundle = (*tiers, *text) if (first, second) not in gaps else (first, second)
        lines.append(Line(first, second, path, arrows, text, bundle))
    return tuple(_unbundled(lines))


def _unbundled(lines: Sequence[Line]) -> Iterator[Line]:
    """Give each line a label of its own where not all of those between two tiers say the same."""
    says: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for line in lines:
        says.setdefault(line.bundle[:2], set()).add(line.bundle)
    for line in lines:
        single = len(says[line.bundle[:2]]) > 1
        bundle = (line.first, line.second) if single else line.bundle
        yield Line(line.first, line.second, line.path, line.arrows, line.text, bundle)


def label_lines(there: Hop | None, back: Hop | None, path: Sequence[Point]) -> tuple[str, ...]:
    """Return what a line says: once where both directions are alike or there is only one, else once for each."""
    if there is None or back is None or _says(there) == _says(back):
        hop = there or back
        return _says(hop) if hop is not None else ()
    (x, y), (to_x, to_y) = path[0], path[-1]
    level = abs(to_x - x) >= abs(to_y - y)
    ahead, behind = ("→", "←") if level else ("↓", "↑")
    if (to_x < x) if level else (to_y > y):
        ahead, behind = behind, ahead
    return f"{ahead} {', '.join(_says(there))}", f"{behind} {', '.join(_says(back))}"


def _says(hop: Hop) -> tuple[str, ...]:
    price = (f"{hop.price * 1e9:.4g} $/GB",) if hop.price else ()
    return units.format_bandwidth(hop.bandwidth), units.format_seconds(hop.latency), *price


def _path(start: Box, end: Box, boxes: Sequence[Box], gaps: Sequence[Box]) -> Iterator[Point]:
    if abs(start.x - end.x) < 1e-9:
        yield from _upright(start, end, boxes)
        return
    ahead = end.x > start.x
    here = (start.right if ahead else start.left, start.y)
    yield here
    for gap in gaps:
        enter, leave = (gap.left, gap.right) if ahead else (gap.right, gap.left)
        yield from _bend(here, (enter, gap.y))
        here = (leave, gap.y)
        yield here
    goal = (end.left if ahead else end.right, end.y)
    if gaps:
        yield from _bend(here, goal)
    else:
        yield goal


def _upright(start: Box, end: Box, boxes: Sequence[Box]) -> Iterator[Point]:
    """Join two boxes of a column: straight where nothing stands between them, else around on the right."""
    low, high = sorted((start.y, end.y))
    between = [box for box in boxes if abs(box.x - start.x) < 1e-9 and low < box.y < high]
    if not between:
        yield (start.x, start.bottom if start.y > end.y else start.top)
        yield (end.x, end.top if start.y > end.y else end.bottom)
        return
    aside = max(box.right for box in (start, end, *between)) + 0.25 + 0.1 * len(between)
    yield (start.right, start.y)
    yield from _curve((start.right, start.y), (aside, start.y), (aside, start.y), (aside, (start.y + end.y) / 2))
    yield from _curve((aside, (start.y + end.y) / 2), (aside, end.y), (aside, end.y), (end.right, end.y))


def _bend(start: Point, end: Point) -> Iterator[Point]:
    """Curve from level to level."""
    middle = (start[0] + end[0]) / 2
    return _curve(start, (middle, start[1]), (middle, end[1]), end)


def _curve(a: Point, b: Point, c: Point, d: Point) -> Iterator[Point]:
    """Return the points of a cubic Bézier curve after the first."""
    for step in range(1, _STEPS + 1):
        t = step / _STEPS
        w = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
        yield (
            w[0] * a[0] + w[1] * b[0] + w[2] * c[0] + w[3] * d[0],
            w[0] * a[1] + w[1] * b[1] + w[2] * c[1] + w[3] * d[1],
        )
