"""A plan that was run: the latency of every frame as a stack by node and link, and its mean beside the prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tiercut.report.plots.style import COLOURS, own_axes, stacked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tiercut.offloader import Run

__all__ = ["LivedFrames", "draw_frames", "draw_means", "lived_frames", "plot_run"]

_SIZE = (7.2, 4.9)
_GREY = "#8C8C8C"
_REST = "#D9D9D9"
_LIGHTER = 0.55


@dataclass(frozen=True, slots=True, eq=False)
class LivedFrames:
    """What the picture shows, in the units of its axes: F frames, P parts of a latency.

    Parameters
    ----------
    unit
        Of latencies.
    due
        F: when each was due, in seconds.
    parts
        F x P: the measured parts of each latency, nan where a frame failed.
    predicted
        F: the predicted latency.
    failed
        When frames were due that failed.
    names, colours
        P: of the parts.
    disturbed
        When something was done to links or nodes, in seconds.
    means, predicted_means
        P: over the frames that were answered; 0 where nothing is predicted.
    """

    unit: str
    due: NDArray[np.float64]
    parts: NDArray[np.float64]
    predicted: NDArray[np.float64]
    failed: NDArray[np.float64]
    names: tuple[str, ...]
    colours: tuple[str, ...]
    means: NDArray[np.float64]
    predicted_means: NDArray[np.float64]
    disturbed: tuple[float, ...] = ()


def lived_frames(run: Run) -> LivedFrames:
    """Return what to draw of a run."""
    times = run.by_frame
    answered = ~np.isnan(times.latency_s)
    parts, predicted = times.measured_s, times.predicted_latency_s
    longest = max(float(np.nan_to_num(times.latency_s).max()), float(predicted.max()))
    scale, unit = (1e3, "ms") if longest < 1 else (1.0, "s")
    expected = np.append(times.predicted_s, np.zeros((len(predicted), 1)), axis=1)
    means, expected_means = (
        each[answered].mean(axis=0) if answered.any() else np.zeros(parts.shape[1]) for each in (parts, expected)
    )
    # NOTE a part that neither side has, such as the way to a first node that is the source, would only fill the legend.
    kept = np.flatnonzero(np.maximum(np.abs(means), expected_means) > 1e-6 * longest)
    terms = times.terms
    return LivedFrames(
        unit,
        times.due_s,
        parts[:, kept] * scale,
        predicted * scale,
        times.due_s[~answered],
        tuple(terms[place].name for place in kept),
        tuple(_colour(terms[place].sort, terms[place].stage) for place in kept),
        means[kept] * scale,
        expected_means[kept] * scale,
        tuple(sorted({each.at_s if each.done_s is None else each.done_s for each in run.disturbances})),
    )


def _colour(sort: str, stage: int | None) -> str:
    """Return the colour of a part: a node's own, and a lighter one of the same for the way there."""
    from matplotlib.colors import to_hex, to_rgb

    if stage is None:
        return _GREY if sort == "result" else _REST
    colour = COLOURS[stage % (len(COLOURS) - 1)]
    if sort == "compute":
        return colour
    red, green, blue = (_LIGHTER + (1 - _LIGHTER) * part for part in to_rgb(colour))
    return str(to_hex((red, green, blue)))


def draw_frames(data: LivedFrames, ax: Axes) -> None:
    """Draw the stack of every frame by when it was due, the predicted latency as a line, and failures as crosses."""
    heights = np.cumsum(np.clip(np.nan_to_num(data.parts), 0.0, None), axis=1)
    edges = _edges(data.due)
    below = np.zeros(len(data.due))
    for place, (name, colour) in enumerate(zip(data.names, data.colours, strict=True)):
        above = heights[:, place]
        lower, upper = (np.append(each, each[-1:]) for each in (below, above))
        ax.fill_between(edges, lower, upper, step="post", color=colour, linewidth=0, label=name)
        below = above
    ax.stairs(data.predicted, edges, baseline=None, color="black", linewidth=0.9, label="predicted")
    if len(data.failed):
        where = np.zeros(len(data.failed))
        ax.plot(data.failed, where, "x", color=COLOURS[1], markersize=5, clip_on=False, label="failed", zorder=5)
    for place, at_s in enumerate(data.disturbed):
        ax.axvline(at_s, color="0.25", linewidth=0.9, linestyle=":", label=None if place else "disturbed")
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(bottom=0)
    ax.set_xlabel("when the frame was due (s)")
    ax.set_ylabel(f"latency ({data.unit})")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.grid(axis="y", alpha=0.25, linewidth=0.5)


def _edges(due: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where each frame's place begins, and the last one's ends."""
    apart = float(np.median(np.diff(due))) if len(due) > 1 else 1.0
    return np.append(due, due[-1] + (apart or 1.0))


def draw_means(data: LivedFrames, ax: Axes) -> None:
    """Draw the mean latency twice, as predicted and as measured, each as a bar of its parts."""
    for row, means in enumerate((data.predicted_means, data.means)):
        left = 0.0
        for width, colour in zip(np.clip(means, 0.0, None), data.colours, strict=True):
            ax.barh(row, width, left=left, color=colour, edgecolor="white", linewidth=0.4, height=0.62)
            left += float(width)
        ax.annotate(
            f"{means.sum():.4g} {data.unit}", (left, row), xytext=(3, 0), textcoords="offset points",
            va="center", fontsize=8,
        )  # fmt: skip
    ax.set_yticks([0, 1], ["predicted", "measured"], fontsize=8)
    ax.invert_yaxis()
    ax.margins(x=0.16)
    ax.set_xlim(left=0)
    ax.set_xlabel(f"mean latency ({data.unit})")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.grid(axis="x", alpha=0.25, linewidth=0.5)


def plot_run(run: Run, ax: Axes | None = None) -> tuple[Axes, Axes]:
    """Draw the latency of every frame by its parts above, and their means beside the prediction below.

    Parameters
    ----------
    run
        A plan that was run.
    ax
        What the two panels take the place of; by default they have a figure of their own.
    """
    data = lived_frames(run)
    above, below = stacked(own_axes(ax, _SIZE), _SIZE, (3, 1))
    draw_frames(data, above)
    draw_means(data, below)
    above.set_title(run.title, fontsize=9, parse_math=False)
    above.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=7, framealpha=0.9, reverse=True)
    return above, below
