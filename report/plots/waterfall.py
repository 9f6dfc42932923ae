"""A plan's latency as a waterfall: each step begins where the one before it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiercut import units
from tiercut.report.plots.style import COLOURS, own_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tiercut.analysis import Explanation

__all__ = ["draw_waterfall", "plot_waterfall"]

_SORTS = {"send": (COLOURS[5], "send"), "compute": (COLOURS[0], "compute"), "result": (COLOURS[3], "send the result")}


def draw_waterfall(explanation: Explanation, ax: Axes) -> None:
    """Draw one bar for each step, top to bottom, in the unit that fits; `Explanation.steps` is the data."""
    plan = explanation.plan
    scale, unit = (1e3, "ms") if plan.latency_s < 1 else (1.0, "s")
    for row, step in enumerate(explanation.steps):
        colour = _SORTS[step.sort][0]
        ax.barh(row, step.adds_s * scale, left=step.begins_s * scale, color=colour, edgecolor="black", linewidth=0.4)
        share = "" if step.share > 1 - 1e-9 else f"  ({step.share:.1%} of samples)"
        text = f"{units.format_seconds(step.adds_s)}{share}"
        _label(ax, text, row, step.begins_s * scale, step.total_s * scale, plan.latency_s * scale)
        if row:
            ax.plot([step.begins_s * scale] * 2, [row - 1, row], color="black", linewidth=0.5, linestyle=":")
    ax.set_yticks(range(len(explanation.steps)), [step.what for step in explanation.steps], fontsize=7)
    ax.invert_yaxis()
    ax.set_xlim(0, plan.latency_s * scale * 1.02)
    ax.set_xlabel(f"expected latency ({unit})")
    right = "" if plan.accuracy is None else f", accuracy {plan.accuracy:.2%}"
    ax.set_title(f"{units.format_seconds(plan.latency_s)}{right}", fontsize=9)
    ax.spines[["top", "right"]].set_visible(False)


def _label(ax: Axes, text: str, row: int, begins: float, ends: float, whole: float) -> None:
    """Write beside the bar where there is room for it, else on the bar."""
    style: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": 7}
    if ends < 0.6 * whole:
        ax.annotate(text, (ends, row), xytext=(4, 0), ha="left", **style)
    elif begins > 0.4 * whole:
        ax.annotate(text, (begins, row), xytext=(-4, 0), ha="right", **style)
    else:
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85}
        ax.annotate(text, ((begins + ends) / 2, row), xytext=(0, 0), ha="center", bbox=box, **style)


def plot_waterfall(explanation: Explanation, ax: Axes | None = None) -> Axes:
    """Draw the latency of a plan as the sum that it is.

    Parameters
    ----------
    explanation
        From `tiercut.explain`.
    ax
        Where to draw; by default on a figure of its own, as high as the steps need.
    """
    ax = own_axes(ax, (6.0, 0.7 + 0.34 * max(len(explanation.steps), 3)))
    draw_waterfall(explanation, ax)
    return ax
