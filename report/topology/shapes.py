"""Boxes and texts of a drawing, in inches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["FONT_PT", "LINE_HEIGHT", "Box", "Label", "Point", "text_size"]

FONT_PT = 9.0
LINE_HEIGHT = FONT_PT * 1.35 / 72
_CHARACTER = FONT_PT * 0.64 / 72  # broad enough for the bold letters of DejaVu Sans on average

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its middle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        """Smallest x."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """Greatest x."""
        return self.x + self.width / 2

    @property
    def bottom(self) -> float:
        """Smallest y."""
        return self.y - self.height / 2

    @property
    def top(self) -> float:
        """Greatest y."""
        return self.y + self.height / 2

    def overlaps(self, other: Box, gap: float = 0.0) -> bool:
        """Whether less than `gap` lies between the two."""
        across = abs(self.x - other.x) < (self.width + other.width) / 2 + gap
        return across and abs(self.y - other.y) < (self.height + other.height) / 2 + gap

    def holds(self, point: Point) -> bool:
        """Whether a point lies inside."""
        return self.left <= point[0] <= self.right and self.bottom <= point[1] <= self.top


@dataclass(frozen=True, slots=True)
class Label:
    """Text in the middle of a box."""

    text: str
    box: Box


def text_size(lines: Sequence[str]) -> tuple[float, float]:
    """Return the width and height that lines of text take."""
    return max((len(line) for line in lines), default=0) * _CHARACTER, len(lines) * LINE_HEIGHT
