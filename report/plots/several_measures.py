"""The picture of a frontier over measures of choice: two as axes, the third as colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.optimizer import kind_of, split_name
from tiercut.report.plots.style import COLOURS, MARKERS, mark_style, own_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tiercut.analysis import Answer
    from tiercut.report.plots.zoom import Zoom

__all__ = ["SeveralMeasures", "axis_of", "draw_several_measures", "plot_several_measures", "several_measures"]

_WIDE = 30  # times the least beyond which an axis is logarithmic


def axis_of(name: str, most: float = 0.0) -> tuple[float, str]:
    """Return by what to multiply values of a measure, of which `most` is the largest, and what to call their axis."""
    if name == "accuracy":
        return 100.0, "expected accuracy (%)"
    return kind_of(name).axis_of(split_name(name)[1], most)


@dataclass(frozen=True, slots=True, eq=False)
class SeveralMeasures:
    """What the picture shows, in the units of its axes.

    Parameters
    ----------
    labels
        Of the horizontal axis, the vertical one, and of the colours where there are three measures.
    x, y, colour
        The plans; without a third measure the colour is None.
    parts
        Number of partitions of each.
    """

    labels: tuple[str, ...]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    colour: NDArray[np.float64] | None
    parts: NDArray[np.int64]


def several_measures(answer: Answer) -> SeveralMeasures:
    """Return what to draw: the first measure across, accuracy (or else the second) upward, the third as colour."""
    names = _in_order(answer)
    values = answer.values(names)
    scaled, labels = [], []
    for name, column in zip(names, values.T, strict=True):
        factor, label = axis_of(name, float(column.max()))
        scaled.append(column * factor)
        labels.append(label)
    parts = np.array([len(plan.partition) for plan in answer])
    third = scaled[2] if len(scaled) > 2 else None
    return SeveralMeasures(tuple(labels), scaled[0], scaled[1], third, parts)


def _in_order(answer: Answer) -> list[str]:
    """Return the measures across, upward and, where there are three, as colour."""
    names = list(answer.query.compared)
    names.insert(1, names.pop())
    return names


def draw_several_measures(data: SeveralMeasures, ax: Axes) -> None:
    """Draw the plans, by number of partitions; two measures with the line that nothing beats, three with a scale."""
    if data.colour is None:
        ax.step(data.x, data.y, where="post", color="black", linewidth=1, zorder=2)
    drawn: Any = None
    for parts in sorted(set(data.parts.tolist())):
        mask = data.parts == parts
        style: dict[str, Any] = {"marker": MARKERS[(parts - 1) % len(MARKERS)], "zorder": 3}
        style |= mark_style(len(data.x))
        style["label"] = f"{parts} partition{'s' if parts > 1 else ''}"
        if data.colour is None:
            style["color"] = COLOURS[(parts - 1) % len(COLOURS)]
        else:
            low, high = float(data.colour.min()), float(data.colour.max())
            style |= {"c": data.colour[mask], "cmap": "viridis", "vmin": low, "vmax": high if high > low else low + 1}
        drawn = ax.scatter(data.x[mask], data.y[mask], **style)
    if data.colour is not None and ax.figure is not None:
        ax.figure.colorbar(drawn, ax=ax, label=data.labels[2], pad=0.02)
    for values, scale in ((data.x, ax.set_xscale), (data.y, ax.set_yscale)):
        if values.min() > 0 and values.max() > _WIDE * values.min():
            scale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.set_xlabel(data.labels[0])
    ax.set_ylabel(data.labels[1])
    ax.grid(alpha=0.25, linewidth=0.5)
    ax.margins(0.08)
    legend = ax.legend(loc="best", fontsize=8, framealpha=0.9)
    for handle in legend.legend_handles if data.colour is not None else ():
        handle.set_array(None)  # type: ignore[union-attr]  # no colour of the scale, which would mean a value
        handle.set_facecolor("white")  # type: ignore[union-attr]


def plot_several_measures(answer: Answer, ax: Axes | None = None, *, zoom: Zoom | None = None) -> Axes:
    """Draw a frontier over two or three measures of choice.

    Parameters
    ----------
    answer
        A frontier that was asked for with `over`, with at least one plan.
    ax
        Where to draw; by default on a figure of its own.
    zoom
        Ends of the axes by measure, in inner units.

    Raises
    ------
    QuestionError
        If the picture has no axis for a measure that is zoomed.
    """
    from tiercut.report.plots.zoom import zoomed

    ax = own_axes(ax)
    data = several_measures(answer)
    draw_several_measures(data, ax)
    names = _in_order(answer)[:2]
    factors = [axis_of(name, float(answer.values([name]).max()))[0] for name in names]
    zoomed(ax, zoom, names, factors, (data.x, data.y))
    problem = answer.space.problem
    ax.set_title(f"{problem.profile} on {problem.topology}", fontsize=10, parse_math=False)
    return ax
