"""How the best choice follows conditions: shares of the best five, and staying against the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.analysis import Why
from tiercut.optimizer import Query
from tiercut.report.plots.style import COLOURS, stacked
from tiercut.report.plots.why import plot_why

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tiercut.analysis import Sensitivity

__all__ = ["Bars", "bars_of", "draw_gains", "draw_shares", "plot_regions", "plot_sensitivity"]

_MOST_SHARES = 16
_MOST_LETTERS = 34


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
