"""The latencies of a replay: which share of the samples has its answer after how long, and which the right one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tiercut.report.plots.style import COLOURS, own_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tiercut.analysis import Distribution, Replay

__all__ = ["Latencies", "draw_latencies", "latencies_of", "plot_latencies"]


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


def latencies_of(distribution: Distribution, mean_s: float | None = None) -> Latencies:
    """Return what to draw.

    Parameters
    ----------
    distribution
        Of at least one sample.
    mean_s
        The mean in seconds where it is known more exactly than by adding up.
    """
    seconds = np.array(distribution.seconds)
    scale, unit = (1e3, "ms") if seconds[-1] < 1 else (1.0, "s")
    return Latencies(
        unit=unit,
        x=seconds * scale,
        answered=100 * np.cumsum(distribution.counts) / distribution.samples,
        right=100 * np.cumsum(distribution.right) / distribution.samples,
        mean=(distribution.mean_s if mean_s is None else mean_s) * scale,
        marks=tuple((name, value * scale) for name, value in distribution.quantiles.items() if value is not None),
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
    bunched: list[tuple[float, str]] = []
    for name, place in sorted(marks, key=lambda mark: mark[1]):
        if bunched and place - bunched[-1][0] <= close:
            bunched[-1] = (bunched[-1][0], f"{bunched[-1][1]}, {name}")
        else:
            bunched.append((place, name))
    return bunched


def plot_latencies(replay: Replay | Distribution, ax: Axes | None = None) -> Axes:
    """Draw which share of the samples has an answer after how long, and the right one.

    Parameters
    ----------
    replay
        What recorded samples make of a plan, or any latencies.
    ax
        Where to draw; by default on a figure of its own.
    """
    from tiercut.analysis import Distribution

    ax = own_axes(ax)
    if isinstance(replay, Distribution):
        draw_latencies(latencies_of(replay), ax)
    else:
        draw_latencies(latencies_of(replay.latencies, replay.mean_s), ax)
        ax.set_title(f"{replay.replayed}: {replay.samples:,} samples", fontsize=9, pad=16, parse_math=False)
    return ax
