"""The latencies of a replay: which share of the samples has its answer after how long, and which the right one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tiercut import units
from tiercut.report.plots.style import COLOURS, new_figure
from tiercut.report.save import save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tiercut.analysis.replay import Replay

__all__ = ["Latencies", "draw_latencies", "latencies_of", "save_replay_plot"]


@dataclass(frozen=True, slots=True, eq=False)
class Latencies:
    """What the picture of a replay shows, in the units of its axes.

    Parameters
    ----------
    unit
        Of the horizontal axis.
    x
        The latencies that occur, rising.
    answered, right
        Percent of the samples that have an answer by then, and the right one.
    mean
        Of the latencies.
    marks
        Quantiles: name and place.
    """

    unit: str
    x: NDArray[np.float64]
    answered: NDArray[np.float64]
    right: NDArray[np.float64]
    mean: float
    marks: tuple[tuple[str, float], ...]


def latencies_of(replay: Replay) -> Latencies:
    """Return what to draw."""
    seconds, left, right = (np.array(column, float) for column in zip(*replay.distribution, strict=True))
    scale, unit = (1e3, "ms") if seconds[-1] < 1 else (1.0, "s")
    return Latencies(
        unit=unit,
        x=seconds * scale,
        answered=100 * np.cumsum(left) / replay.samples,
        right=100 * np.cumsum(right) / replay.samples,
        mean=replay.mean_s * scale,
        marks=tuple((name, value * scale) for name, value in replay.quantiles.items() if value is not None),
    )


def draw_latencies(data: Latencies, ax: Axes) -> None:
    """Draw both shares as steps, the mean as a dashed line, and quantiles as dotted ones with their names above."""
    room = 0.06 * (data.x[-1] - data.x[0] or data.x[-1] or 1.0)
    ends = data.x[0] - room, data.x[-1] + room
    x = np.concatenate([[ends[0]], data.x, [ends[1]]])
    for heights, colour, label in (
        (data.answered, COLOURS[5], "answered"),
        (data.right, COLOURS[0], "answered rightly"),
    ):
        y = np.concatenate([[0.0], heights, heights[-1:]])
        ax.fill_between(x, y, step="post", color=colour, alpha=0.35, linewidth=0)
        ax.step(x, y, where="post", color=colour, label=label)
    ax.axvline(data.mean, color="black", linestyle="--", linewidth=0.9, label=f"mean, {data.mean:.4g} {data.unit}")
    for place, names in _grouped(data.marks, 0.08 * (ends[1] - ends[0])):
        ax.axvline(place, color="black", linestyle=":", linewidth=0.9)
        ax.annotate(names, (place, 1.01), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=8)
    ax.set_xlim(*ends)
    ax.set_ylim(0, 104)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel(f"latency ({data.unit})")
    ax.set_ylabel("samples (%)")
    ax.grid(alpha=0.25, linewidth=0.5)
    ax.legend(loc="best", fontsize=8, framealpha=0.9)


def _grouped(marks: tuple[tuple[str, float], ...], close: float) -> list[tuple[float, str]]:
    """Return marks by place, those that stand at one together."""
    made: list[tuple[float, str]] = []
    for name, place in sorted(marks, key=lambda mark: mark[1]):
        if made and place - made[-1][0] <= close:
            made[-1] = (made[-1][0], f"{made[-1][1]}, {name}")
        else:
            made.append((place, name))
    return made


def save_replay_plot(replay: Replay, path: str | os.PathLike[str]) -> None:
    """Draw the latencies of a replay into a file; the ending names the format."""
    figure = new_figure()
    ax = figure.add_subplot()
    draw_latencies(latencies_of(replay), ax)
    title = f"{replay.lived}: {replay.samples:,} samples"
    ax.set_title(title, fontsize=9, pad=16)
    rows = [["exit", "leave", "right of these", "after", "on"]]
    for each in replay.exits:
        good = f"{each.right / each.left:.2%}" if each.left else "-"
        rows.append([str(each.block), f"{each.exit_rate:.2%}", good, units.format_seconds(each.latency_s), each.node])
    save_figure(figure, path, title=title, rows=rows)
