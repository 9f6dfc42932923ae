"""How the best choice follows conditions: shares of the best five, and staying against the best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter

from tiercut.analysis import Why
from tiercut.errors import QuestionError
from tiercut.optimizer import Query
from tiercut.report.plots.style import COLOURS, own_axes, stacked
from tiercut.report.plots.why import plot_why

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tiercut.analysis import RegionMap, Sensitivity

__all__ = [
    "Bars",
    "bars_of",
    "draw_gains",
    "draw_map",
    "draw_shares",
    "plot_region_map",
    "plot_regions",
    "plot_sensitivity",
]

_MOST_SHARES = 16
_MOST_LETTERS = 34
_STEPS = 40


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """What the picture shows, in the units of its axes: S shares, G changes of one condition.

    Parameters
    ----------
    choices, share
        S: names, and percent of all places among the best five.
    changes, static, best, gain
        G: condition and value; latencies of staying and of the best, nan where there is none; the gain in words.
    unit
        Of the latencies.
    """

    choices: tuple[str, ...]
    share: NDArray[np.float64]
    changes: tuple[str, ...]
    static: NDArray[np.float64]
    best: NDArray[np.float64]
    gain: tuple[str, ...]
    unit: str


def bars_of(found: Sensitivity[Any]) -> Bars:
    """Return what to draw."""
    top = found.top[:_MOST_SHARES]
    static, best = (
        np.array([np.nan if value is None else value for value in values])
        for values in ([each.static_s for each in found.gains], [each.best_s for each in found.gains])
    )
    scale, unit = (1e3, "ms") if np.nanmax([*static, *best], initial=0.0) < 1 else (1.0, "s")
    return Bars(
        choices=tuple(_short(found.label(choice)) for choice, _ in top),
        share=np.array([100 * share for _, share in top]),
        changes=tuple(f"{_short(each.condition.name)} {each.condition.shown[each.level]}" for each in found.gains),
        static=static * scale,
        best=best * scale,
        gain=tuple("" if not each.gain or each.gain < 5e-4 else f"{each.gain:.1%}" for each in found.gains),
        unit=unit,
    )


def _short(name: str) -> str:
    return name if len(name) <= _MOST_LETTERS else f"{name[: _MOST_LETTERS - 1]}…"


def draw_shares(bars: Bars, ax: Axes) -> None:
    """Draw a bar for each choice that is often among the best five."""
    rows = np.arange(len(bars.choices))
    ax.barh(rows, bars.share, color=COLOURS[0])
    ax.set_yticks(rows, bars.choices, fontsize=7, parse_math=False)
    ax.invert_yaxis()
    ax.set_xlabel("share of the places among the best five (%)", fontsize=8)
    ax.tick_params(axis="x", labelsize=7)


def draw_gains(bars: Bars, ax: Axes) -> None:
    """Draw for each change of a condition what staying takes, and what the best takes, with the gain beside it."""
    rows = np.arange(len(bars.changes))
    ax.barh(rows - 0.2, bars.static, height=0.38, color=COLOURS[1], label="staying")
    ax.barh(rows + 0.2, bars.best, height=0.38, color=COLOURS[2], label="best")
    longest = np.nanmax([*bars.static, *bars.best], initial=0.0)
    for row, (value, gain) in enumerate(zip(bars.static, bars.gain, strict=True)):
        if gain:
            ax.text(value + 0.01 * longest, row - 0.2, gain, va="center", fontsize=7)
        if np.isnan(value):
            ax.text(0.0, row - 0.2, " not possible", va="center", fontsize=7)
    ax.set_xlim(0, 1.12 * longest or 1.0)
    ax.set_yticks(rows, bars.changes, fontsize=7, parse_math=False)
    ax.invert_yaxis()
    ax.set_xlabel(f"latency ({bars.unit}), one condition changed", fontsize=8)
    ax.tick_params(axis="x", labelsize=7)
    ax.legend(fontsize=7, loc="best")


def plot_sensitivity(found: Sensitivity[Any], ax: Axes | None = None) -> tuple[Axes, Axes]:
    """Draw shares of the best five, and below them what staying with the baseline's best costs.

    Parameters
    ----------
    found
        From `tiercut.sensitivity` or `tiercut.measured_sensitivity`.
    ax
        What the panels take the place of; by default they have a figure of their own.
    """
    bars = bars_of(found)
    heights = 0.7 + 0.17 * len(bars.choices), 0.7 + 0.3 * max(len(bars.changes), 1)
    above, below = stacked(ax, (5.6, sum(heights)), heights)
    draw_shares(bars, above)
    draw_gains(bars, below)
    above.set_title(found.title, fontsize=9, parse_math=False)
    return above, below


def plot_regions(found: Sensitivity[Any], ax: Axes | None = None) -> tuple[Axes, ...]:
    """Draw where each plan is the best over one condition by itself, the others as in the baseline: exact regions.

    Parameters
    ----------
    found
        From `tiercut.sensitivity`.
    ax
        What the panels take the place of; by default they have a figure of their own.
    """
    value = float(found.best_s[found.baseline, 0])
    sweeps = tuple(region.sweep for region in found.regions)
    return plot_why(Why(Query(), found.static, value, None, None, (), sweeps, factor=1.0, solves=0), ax)


def draw_map(region_map: RegionMap, names: Sequence[str], ax: Axes) -> None:
    """Draw a polygon for each plan over two conditions; borders are straight over 1/bandwidth, latency and slowdown.

    Parameters
    ----------
    region_map
        The map.
    names
        What to call the plan of each of its faces.
    ax
        Where.
    """
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(dict.fromkeys(names))}
    for place, (face, name) in enumerate(zip(region_map.faces, names, strict=True)):
        first = name not in names[:place]
        border = [region_map.values(point) for point in _densely(face.corners)]
        shape = ax.fill(*zip(*border, strict=True), facecolor=colours[name], edgecolor="white", linewidth=0.6)
        shape[0].set_label(name if first else "_")
        if face.decision is None:
            shape[0].set(facecolor="0.9", hatch="//", edgecolor="0.6")
        shape[0].set_gid(name)
    for name, parameter, axis, set_scale, lie in (
        (region_map.conditions[0], region_map.parameters[0], ax.xaxis, ax.set_xscale, 0),
        (region_map.conditions[1], region_map.parameters[1], ax.yaxis, ax.set_yscale, 1),
    ):
        least, greatest = sorted((region_map.values((0.0, 0.0))[lie], region_map.values((1.0, 1.0))[lie]))
        if least > 0 and greatest > 5 * least:
            set_scale("log")
        (ax.set_xlim if lie == 0 else ax.set_ylim)(least, greatest)
        axis.set_major_formatter(FuncFormatter(lambda value, _, parameter=parameter: parameter.show(value)))
        axis.set_minor_formatter(NullFormatter())
        axis.set_label_text(name, fontsize=8, parse_math=False)
    ax.tick_params(labelsize=7)


def _densely(corners: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Yield points along the border of a polygon, as straight lines are bent where an axis shows bandwidths."""
    for (x, y), (u, v) in zip(corners, (*corners[1:], *corners[:1]), strict=True):
        for step in range(_STEPS):
            share = step / _STEPS
            yield x + share * (u - x), y + share * (v - y)


def plot_region_map(found: Sensitivity[Any], ax: Axes | None = None) -> Axes:
    """Draw where each plan is the best over two conditions at once: the exact map of `tiercut.sensitivity`.

    Parameters
    ----------
    found
        Of a grid with two bandwidths, latencies or slowdowns.
    ax
        Where to draw; by default in a figure of its own.

    Raises
    ------
    QuestionError
        If there is no map; the message says why.
    """
    region_map = found.region_map
    if region_map is None or region_map.note:
        why = "the grid has not just two bandwidths, latencies or slowdowns" if region_map is None else region_map.note
        raise QuestionError(f"there is no map: {why}")
    ax = own_axes(ax, (5.6, 4.2))
    names = [
        "none is quick enough" if each.decision is None else found.label(each.decision) for each in region_map.faces
    ]
    draw_map(region_map, names, ax)
    ax.set_title(found.title, fontsize=9, parse_math=False)
    ax.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=1, frameon=False)
    return ax
