"""The time line of a stream: what each node and link serves when, and which frame waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tiercut.analysis import drops_of, slices_of
from tiercut.report.plots.style import COLOURS, is_dark, own_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tiercut.analysis import Stream

__all__ = ["TimeLine", "draw_time_line", "plot_time_line", "time_line_of"]

_VISIBLE = 0.004
"""Share of the picture's width from which on a bar has a white outline; the outline would hide a narrower one."""

_ROW = 0.42
_INCHES = (7.2, 1.2)


@dataclass(frozen=True, slots=True, eq=False)
class TimeLine:
    """What the picture shows, in the units of its axes: R rows from the top, B services, X frames that were dropped.

    Parameters
    ----------
    unit
        Of the horizontal axis.
    rows
        Names of the rows: a node or a link, with the worker where it has several.
    row, joined, began, ended
        B: where and when.
    label, colour
        B: the number of the frame, and the index of its colour.
    dropped
        X x 2: time and row.
    """

    unit: str
    rows: tuple[str, ...]
    row: NDArray[np.int64]
    joined: NDArray[np.float64]
    began: NDArray[np.float64]
    ended: NDArray[np.float64]
    label: tuple[str, ...]
    colour: NDArray[np.int64]
    dropped: NDArray[np.float64]


def time_line_of(stream: Stream) -> TimeLine:
    """Return what to draw of the services that a stream has kept."""
    slices = slices_of(stream)
    first, rows = [], list[str]()
    for server in stream.layout.servers:
        first.append(len(rows))
        rows += [
            server.name if server.workers == 1 else f"{server.name} ({worker + 1})" for worker in range(server.workers)
        ]
    last = max(each.ended_s for each in slices)
    scale, unit = (1e3, "ms") if last < 1 else (1.0, "s")
    several = len(stream.sources) > 1
    drops = [(each.at_s * scale, first[each.server]) for each in drops_of(stream)]
    return TimeLine(
        unit=unit,
        rows=tuple(rows),
        row=np.array([first[each.server] + each.worker for each in slices]),
        joined=np.array([each.joined_s for each in slices]) * scale,
        began=np.array([each.began_s for each in slices]) * scale,
        ended=np.array([each.ended_s for each in slices]) * scale,
        label=tuple(f"{chr(97 + each.source % 26)}{each.frame}" if several else str(each.frame) for each in slices),
        colour=np.array([(each.frame + 3 * each.source) % (len(COLOURS) - 1) for each in slices]),
        dropped=np.array(drops, float).reshape(-1, 2),
    )


def draw_time_line(data: TimeLine, ax: Axes) -> None:
    """Draw services as bars with the number of their frame, waiting as lines below them, and drops as crosses."""
    span = float(data.ended.max() - data.joined.min()) or 1.0
    colours = [COLOURS[each] for each in data.colour]
    ax.hlines(data.row + 0.38, data.joined, data.began, colors=colours, linewidth=1.0, alpha=0.7)
    lasted = data.ended - data.began
    edges = ["white" if each > _VISIBLE * span else own for each, own in zip(lasted, colours, strict=True)]
    ax.barh(data.row, lasted, left=data.began, height=0.62, color=colours, edgecolor=edges, linewidth=0.3)
    for row, began, ended, label, own in zip(data.row, data.began, data.ended, data.label, colours, strict=True):
        if (ended - began) / span > 0.012 * len(label) + 0.006:
            ink = "white" if is_dark(own) else "black"
            ax.text((began + ended) / 2, row, label, ha="center", va="center", fontsize=6, color=ink, clip_on=True)
    if len(data.dropped):
        ax.scatter(
            data.dropped[:, 0], data.dropped[:, 1] - 0.42, marker="x", s=16, color="black", label="dropped", zorder=4
        )
        ax.legend(loc="best", fontsize=7, framealpha=0.9)
    ax.set_yticks(range(len(data.rows)))
    ax.set_yticklabels(data.rows, fontsize=8)
    ax.set_ylim(len(data.rows) - 0.5, -0.7)
    ax.set_xlabel(f"time ({data.unit})")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.grid(axis="x", alpha=0.25, linewidth=0.5)


def plot_time_line(stream: Stream, ax: Axes | None = None) -> Axes:
    """Draw what each node and link serves when.

    Parameters
    ----------
    stream
        Simulated with ``time_line``, which says of how many frames the services are kept.
    ax
        Where to draw; by default on a figure of its own, as high as there are nodes and links.

    Raises
    ------
    QuestionError
        If the stream has kept no services.
    """
    data = time_line_of(stream)
    ax = own_axes(ax, (_INCHES[0], _INCHES[1] + _ROW * len(data.rows)))
    draw_time_line(data, ax)
    title = "; ".join(str(source.plan) for source in stream.sources[:2])
    ax.set_title(title, fontsize=9, parse_math=False)
    return ax
