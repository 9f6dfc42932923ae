"""Labels beside the lines of a drawing, where they cover no node, no other label and as few other lines as can be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import dist

from tiercut.report.topology.lines import Line
from tiercut.report.topology.shapes import Box, Label, Point, text_size

__all__ = ["place_labels", "sampled"]

_GAP = 0.05
_SHARES = (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18, 0.82)
_SAMPLE = 0.06


def place_labels(lines: Sequence[Line], boxes: Sequence[Box]) -> tuple[tuple[Label, ...], int]:
    """Return the labels that found room, and how many did not.

    Parameters
    ----------
    lines
        What is to be labelled; those of a bundle get one label together.
    boxes
        What may not be covered.
    """
    points = [sampled(line.path) for line in lines]
    bundles: dict[tuple[str, ...], list[int]] = {}
    for place, line in enumerate(lines):
        bundles.setdefault(line.bundle, []).append(place)
    labels: list[Label] = []
    for members in bundles.values():
        text = lines[members[0]].text
        if len(members) > 1:
            text = (f"each {text[0]}", *text[1:])
        width, height = text_size(text)
        others = [point for place, each in enumerate(points) if place not in members for point in each]
        taken = [*boxes, *(label.box for label in labels)]
        free = [
            (cost, spot)
            for cost, spot in _spots([points[place] for place in members], width + 0.06, height + 0.02)
            if not any(spot.overlaps(box, _GAP) for box in taken)
        ]
        if free:
            _, best = min(free, key=lambda each: each[0] + sum(each[1].holds(point) for point in others))
            labels.append(Label("\n".join(text), best))
    return tuple(labels), len(bundles) - len(labels)


def _spots(paths: Sequence[Sequence[Point]], width: float, height: float) -> Iterator[tuple[float, Box]]:
    """Yield boxes on the lines, cheapest in the middle of the middle line."""
    order = sorted(range(len(paths)), key=lambda place: abs(place - (len(paths) - 1) / 2))
    for rank, place in enumerate(order):
        path = paths[place]
        for share in _SHARES:
            x, y = path[round(share * (len(path) - 1))]
            yield 4 * abs(share - 0.5) + 0.2 * rank, Box(x, y, width, height)


def sampled(path: Sequence[Point]) -> list[Point]:
    """Return points along a path, at most 0.06 inches apart."""
    points = [path[0]]
    for start, end in pairwise(path):
        steps = max(1, round(dist(start, end) / _SAMPLE))
        points += [
            (start[0] + (end[0] - start[0]) * step / steps, start[1] + (end[1] - start[1]) * step / steps)
            for step in range(1, steps + 1)
        ]
    return points
