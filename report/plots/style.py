"""How every plot looks: Okabe and Ito's colours, which colour-blind readers tell apart, at a column's width."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiercut.errors import QuestionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "COLUMN",
    "MARKERS",
    "channels",
    "figure_of",
    "is_dark",
    "mark_style",
    "new_figure",
    "own_axes",
    "stacked",
]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
COLUMN = (5.0, 3.4)
"""Inches; text stays readable when it is set at a column's 3.4."""


_MANY = 200


def mark_style(count: int) -> dict[str, Any]:
    """Return size and outline of the marks of so many plans: those of many would hide their colours."""
    return {"s": 22, "edgecolors": "black", "linewidths": 0.5} if count <= _MANY else {"s": 9, "linewidths": 0}


def new_figure(size: tuple[float, float] = COLUMN) -> Figure:
    """Return an empty figure that shares nothing (no pyplot state)."""
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained")


def own_axes(ax: Axes | None, size: tuple[float, float] = COLUMN) -> Axes:
    """Return the axes to draw on: those that are given, or those of a new figure of a size in inches."""
    return new_figure(size).add_subplot() if ax is None else ax


def stacked(ax: Axes | None, size: tuple[float, float], heights: Sequence[float]) -> tuple[Axes, ...]:
    """Return axes one below the other, which share nothing yet: on a new figure, or in the place of given axes.

    Parameters
    ----------
    ax
        What they take the place of; it stays on its figure, invisible. None: a new figure.
    size
        Of the new figure, in inches.
    heights
        Of the rows, in any unit.

    Raises
    ------
    QuestionError
        If the given axes lie in no grid.
    """
    place = own_axes(ax, size)
    spec = place.get_subplotspec()
    if spec is None:
        raise QuestionError("this picture has several panels: give axes of a grid, as figure.add_subplot() makes them")
    place.set_axis_off()
    grid = spec.subgridspec(len(heights), 1, height_ratios=list(heights))
    return tuple(place.figure.add_subplot(grid[row]) for row in range(len(heights)))


def figure_of(axes: Axes | Sequence[Axes]) -> Figure:
    """Return the figure that axes, or the panels of one picture, belong to."""
    from matplotlib.axes import Axes as One

    first = axes if isinstance(axes, One) else axes[0]
    figure = first.get_figure(root=True)
    if figure is None:
        raise QuestionError("these axes belong to no figure")
    return figure


def channels(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of a colour such as ``#0072B2``, each in 0..255."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return red, green, blue


def is_dark(colour: str) -> bool:
    """Return whether text on such a colour is white rather than black."""
    red, green, blue = channels(colour)
    return 0.299 * red + 0.587 * green + 0.114 * blue < 140
