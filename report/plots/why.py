"""The best latency over each number that may change, and which plan is the best where."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.analysis import format_value, label
from tiercut.report.plots.several_measures import axis_of
from tiercut.report.plots.style import COLOURS, stacked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tiercut.analysis import Sweep, Why
    from tiercut.optimizer import Plan

__all__ = ["Panel", "Region", "draw_panel", "key_of", "panels", "plot_why"]

NOTHING = "none"
"""In place of a letter where no plan meets the bounds."""

_MOST_PANELS = 12
_COLUMNS = 3
_SAMPLES = 200
_NARROW = 0.035
_LINE = 0.155
_SCALES = {
    "bandwidth": (8e-6, "Mb/s"),
    "latency": (1e3, "ms"),
    "slowdown": (1.0, ""),
}
_ACCURACY = (100.0, "accuracy (%)")


@dataclass(frozen=True, slots=True)
class Region:
    """Where one plan is the best: ends on the axis, and its letter, or `NOTHING`; empty where it is too narrow."""

    low: float
    high: float
    letter: str


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """What the picture of one parameter shows, in the units of its axes.

    Parameters
    ----------
    title, label, value_label
        Of the panel and its axes.
    x, y
        The best value; exact at its corners and in between.
    regions
        Of the plans, from left to right.
    now
        The present place and value.
    logarithmic
        Whether the horizontal axis is.
    """

    title: str
    label: str
    value_label: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    regions: tuple[Region, ...]
    now: tuple[float, float]
    logarithmic: bool


def panels(why: Why) -> tuple[tuple[Panel, ...], dict[str, Plan]]:
    """Return a panel for each parameter over which the best plan changes, and the plans by letter.

    Links that go both ways stand for their directions. At most 12 are drawn: those that change the nearest.
    """
    shown = [sweep for sweep in why.sweeps if sweep.changes and not _is_part(sweep, why.sweeps)]
    nearest = sorted(shown, key=_distance)[:_MOST_PANELS]
    letters: dict[Plan, str] = {why.plan: "A"}
    panels = tuple(_panel(sweep, why, letters) for sweep in shown if sweep in nearest)
    return panels, {letter: plan for plan, letter in letters.items()}


def _is_part(sweep: Sweep, sweeps: tuple[Sweep, ...]) -> bool:
    mine = sweep.parameter
    others = (each.parameter for each in sweeps if each.parameter.kind == mine.kind)
    return any(set(mine.directions) < set(each.directions) for each in others)


def _distance(sweep: Sweep) -> float:
    places = [change.at for change in sweep.nearest if change is not None]
    now = sweep.parameter.now
    return min((abs(np.log(at / now)) if now and at else abs(at - now) for at in places), default=np.inf)


def _panel(sweep: Sweep, why: Why, letters: dict[Plan, str]) -> Panel:
    scale, unit = _SCALES[sweep.parameter.kind]
    objective = why.query.objective
    height, value_label = _ACCURACY if objective == "accuracy" else axis_of(objective)
    places, values = _curve(sweep)
    regions = []
    for span in sweep.spans:
        letter = NOTHING
        if _share(sweep, span.low, span.high) < _NARROW:
            letter = ""
        elif span.plan is not None:
            letter = letters.setdefault(span.plan, _letter(len(letters)))
        regions.append(Region(span.low * scale, span.high * scale, letter))
    kind, name = sweep.parameter.kind, sweep.parameter.name
    return Panel(
        title=name,
        label=f"{kind} ({unit})" if unit else kind,
        value_label=value_label,
        x=places * scale,
        y=values * height,
        regions=tuple(regions),
        now=(sweep.parameter.now * scale, why.value * height),
        logarithmic=sweep.low > 0,
    )


def _share(sweep: Sweep, low: float, high: float) -> float:
    """Return which share of the axis a region takes."""
    if sweep.low > 0:
        return float(np.log(high / low) / np.log(sweep.high / sweep.low))
    return (high - low) / (sweep.high - sweep.low)


def _letter(number: int) -> str:
    first, second = divmod(number, 26)
    return (chr(64 + first) if first else "") + chr(65 + second)


def _curve(sweep: Sweep) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return places and best values: lines over the parameter's place between the corners."""
    points = reversed(sweep.points) if sweep.parameter.kind == "bandwidth" else sweep.points
    x, y = (np.array(each) for each in zip(*((sweep.parameter.place(at), best) for at, best in points), strict=True))
    between = np.geomspace(x[0], x[-1], _SAMPLES) if x[0] > 0 else np.linspace(x[0], x[-1], _SAMPLES)
    between = np.setdiff1d(between[(between > x[0]) & (between < x[-1])], x)
    # Corners as they are, so that a step of the greatest accuracy keeps both its heights.
    where = np.concatenate([x, between])
    height = np.concatenate([y, np.interp(between, x, y)])
    order = np.argsort(where, kind="stable")
    value = np.array([sweep.parameter.value(float(each)) for each in where[order]])
    return value, height[order]


def draw_panel(panel: Panel, ax: Axes) -> None:
    """Draw the best value as a line, the plans' regions behind it with their letters, and the present place."""
    ax.plot(panel.x, panel.y, color="black", linewidth=1.3, zorder=3)
    ax.plot(*panel.now, marker="o", color="black", markerfacecolor="white", markersize=6, zorder=4)
    ax.set_xscale("log" if panel.logarithmic else "linear")
    ax.set_xlim(panel.regions[0].low, panel.regions[-1].high)
    ax.margins(y=0.18)
    for region in panel.regions:
        ax.axvspan(region.low, region.high, color=_colour(region.letter), alpha=0.22, linewidth=0)
        if region is not panel.regions[0]:
            ax.axvline(region.low, color="black", linewidth=0.5, linestyle=":")
        where = (_middle(panel, region), 0.97)
        ax.text(*where, region.letter, transform=ax.get_xaxis_transform(), ha="center", va="top", fontsize=8)
    ax.set_title(panel.title, fontsize=9)
    ax.set_xlabel(panel.label, fontsize=8)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.tick_params(labelsize=7)
    if panel.value_label == _ACCURACY[1]:
        ax.set_yticks([tick for tick in ax.get_yticks() if ax.get_ylim()[0] <= tick <= min(100.0, ax.get_ylim()[1])])


def _colour(letter: str) -> str:
    if letter in ("", NOTHING):
        return "0.6"
    number = 0
    for each in letter:
        number = 26 * number + ord(each) - 64
    return COLOURS[(number - 1) % (len(COLOURS) - 1)]


def _middle(panel: Panel, region: Region) -> float:
    return float(np.sqrt(region.low * region.high)) if panel.logarithmic else (region.low + region.high) / 2


def plot_why(why: Why, ax: Axes | None = None) -> tuple[Axes, ...]:
    """Draw a panel for each parameter over which the best plan changes, and name the plans below.

    Parameters
    ----------
    why
        From `tiercut.why`.
    ax
        What the panels take the place of; by default they have a figure of their own.

    Returns
    -------
    tuple of matplotlib.axes.Axes
        The panels, row by row.
    """
    shown, plans = panels(why)
    columns = min(_COLUMNS, max(len(shown), 2))
    rows = max(1, ceil(len(shown) / columns))
    names = key_of(plans)
    key = _LINE * (len(names) + 1) + 0.15
    above, below = stacked(ax, (2.6 * columns, 2.15 * rows + key), (2.15 * rows, key))
    axes = _draw_all(above, shown, (rows, columns))
    _write_key(below, names, key, narrow=any(not region.letter for panel in shown for region in panel.regions))
    return axes


def key_of(plans: dict[str, Plan]) -> dict[str, str]:
    """Return what each letter of the regions stands for: a plan, with its figures as things are now."""
    return {letter: f"{label(plan)}: {_measures(plan)}" for letter, plan in plans.items()}


def _write_key(ax: Axes, names: dict[str, str], height: float, *, narrow: bool) -> None:
    ax.set_axis_off()
    style: dict[str, Any] = {"fontsize": 7.5, "va": "top", "transform": ax.transAxes, "in_layout": False}
    more = "; regions too narrow for a letter are left out" if narrow else ""
    ax.text(0.0, 1.0, f"○ now; the best plan of each region, with its figures as things are now{more}:", **style)
    for place, (letter, name) in enumerate(names.items(), 1):
        ax.text(0.0, 1.0 - place * _LINE / height, letter, **style)
        ax.text(0.03, 1.0 - place * _LINE / height, name, **style, parse_math=False)


def _measures(plan: Plan) -> str:
    right = "" if plan.accuracy is None else f", {plan.accuracy:.2%}"
    return f"{format_value(plan.latency_s, 'latency')}{right}"


def _draw_all(place: Axes, shown: tuple[Panel, ...], shape: tuple[int, int]) -> tuple[Axes, ...]:
    """Draw the panels in a grid that takes the place of axes."""
    place.set_axis_off()
    spec = place.get_subplotspec()
    if spec is None or not shown:
        place.text(0.0, 0.5, "The best plan stays the same over all that was looked at.", fontsize=8)
        return (place,)
    grid, axes = spec.subgridspec(*shape), []
    for number, panel in enumerate(shown):
        ax = place.figure.add_subplot(grid[divmod(number, shape[1])])
        draw_panel(panel, ax)
        if number % shape[1] == 0:
            ax.set_ylabel(f"best {panel.value_label}", fontsize=8)
        axes.append(ax)
    return tuple(axes)
