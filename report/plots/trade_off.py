"""The picture of an answer: latency against accuracy, as the Joint model's figure 4 shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.analysis import best_beside, sample_cloud
from tiercut.optimizer import evaluate, format_amount, values_of
from tiercut.report.plots.several_measures import axis_of
from tiercut.report.plots.style import COLOURS, MARKERS, mark_style, own_axes
from tiercut.report.plots.zoom import zoomed
from tiercut.report.rows import plan_text
from tiercut.solvers import Options

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tiercut.analysis import Answer, Cloud
    from tiercut.optimizer import Plan
    from tiercut.report.plots.zoom import Zoom

__all__ = ["TradeOff", "draw_trade_off", "plot_trade_off", "trade_off"]

CLOUD_SIZE = 4000
_CLOSER = 4  # times as many, where a part is shown
_PATIENCE_S = 2.0  # for what is marked beside the plans
_NOTHING: Mapping[str, Plan] = MappingProxyType({})
_FAINT: dict[str, Any] = {"alpha": 0.25, "linewidths": 0, "zorder": 1, "rasterized": True}


@dataclass(frozen=True, slots=True, eq=False)
class TradeOff:
    """What the picture of a trade-off shows (the Joint model, figure 4), in the units of its axes.

    Parameters
    ----------
    label
        Of the horizontal axis.
    cloud_x, cloud_y, cloud_parts
        Sampled decisions: cost, accuracy in percent, number of partitions.
    line_x, line_y
        The whole frontier.
    x, y, parts
        The plans along the frontier that are shown, and last the chosen one.
    bound_x, bound_y
        Bounds of the question, or None.
    chosen
        Index of the plan to name, and what to call it.
    marks
        Other plans that have a name: x, y and the name.
    """

    label: str
    cloud_x: NDArray[np.float64]
    cloud_y: NDArray[np.float64]
    cloud_parts: NDArray[np.int64]
    line_x: NDArray[np.float64]
    line_y: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    parts: NDArray[np.int64]
    bound_x: float | None
    bound_y: float | None
    chosen: tuple[int, str] | None
    marks: tuple[tuple[float, float, str], ...] = ()


def trade_off(answer: Answer, frontier: Answer | None, cloud: Cloud, beside: Mapping[str, Plan] = _NOTHING) -> TradeOff:
    """Return what to draw.

    Parameters
    ----------
    answer
        What was asked for; its first plan is named, unless it is a frontier without bounds.
    frontier
        The frontier to draw the line from; None where the answer is one.
    cloud
        Sampled decisions of the same space.
    beside
        Plans to mark, by name.
    """
    problem, query = answer.space.problem, answer.query
    line = frontier or answer
    along, plans = list(line.whole or line.plans), list(line.plans)
    if query.kind != "frontier" and frontier is None:
        along = []
    chosen = None
    if query.kind != "frontier":
        plans = [*(frontier.plans if frontier else ()), *answer.plans]
        index = len(plans) - len(answer)
        chosen = (
            index,
            _caption(
                answer.best, evaluate(problem, answer.best.decision, query.additive, query.rate_fps), query.additive
            ),
        )
    costs = values_of(problem, plans, (query.additive,), query.rate_fps)[:, 0]
    scale, label = axis_of(query.additive)
    reached = values_of(problem, along, (query.additive,), query.rate_fps)[:, 0]
    named = {**beside, **({"knee": line.plans[line.knee]} if line.knee is not None else {})}
    across = values_of(problem, list(named.values()), (query.additive,), query.rate_fps)[:, 0] * scale
    marks = zip(across.tolist(), (100 * (plan.accuracy or 0.0) for plan in named.values()), named, strict=True)
    return TradeOff(
        label=label,
        cloud_x=cloud.costs * scale,
        cloud_y=cloud.accuracies * 100,
        cloud_parts=cloud.partitions,
        line_x=reached * scale,
        line_y=np.array([100 * (plan.accuracy or 0.0) for plan in along]),
        x=costs * scale,
        y=np.array([100 * (plan.accuracy or 0.0) for plan in plans]),
        parts=np.array([len(plan.partition) for plan in plans]),
        bound_x=query.max_latency_s * scale
        if query.max_latency_s is not None and query.additive == "latency"
        else None,
        bound_y=None if query.min_accuracy is None else query.min_accuracy * 100,
        chosen=chosen,
        marks=tuple(marks),
    )


def _caption(plan: Plan, cost: float, measure: str) -> str:
    right = "" if plan.accuracy is None else f", {plan.accuracy:.2%}"
    return f"{plan_text(plan)}\n{format_amount(cost, measure)}{right}"


def draw_trade_off(data: TradeOff, ax: Axes, *, whole: bool = True) -> None:
    """Draw the cloud, the frontier as a line, the plans by number of partitions, the bound and the chosen plan.

    Of the whole picture it is said how many of the sampled plans lie further right.
    """
    for parts in sorted(set(data.cloud_parts.tolist())):
        mask = data.cloud_parts == parts
        ax.scatter(data.cloud_x[mask], data.cloud_y[mask], s=3, color=_colour(parts), **_FAINT)
    left, right = view(data)
    if len(data.line_x):
        along = np.append(data.line_x, right), np.append(data.line_y, data.line_y[-1:])
        ax.step(*along, where="post", color="black", linewidth=1, zorder=2)
    for parts in sorted(set(data.parts.tolist())):
        mask = data.parts == parts
        label = f"{parts} partition{'s' if parts > 1 else ''}"
        style = {"marker": _marker(parts), "color": _colour(parts)} | mark_style(len(data.x))
        ax.scatter(data.x[mask], data.y[mask], label=label, zorder=3, **style)
    if data.bound_x is not None:
        ax.axvline(data.bound_x, color="black", linestyle="--", linewidth=0.9)
    if data.bound_y is not None:
        ax.axhline(data.bound_y, color="black", linestyle="--", linewidth=0.9)
    ax.set_xscale("log" if _is_wide(data, right) else "linear")
    ax.set_xlim(left, right)
    ax.xaxis.set_major_formatter("{x:g}")
    if whole:
        _count_beyond(data, right, ax)
    _name_chosen(data, ax)
    _name_marks(data, ax)
    ax.set_xlabel(data.label)
    ax.set_ylabel("expected accuracy (%)")
    ax.grid(alpha=0.25, linewidth=0.5)
    ax.legend(loc="lower right", fontsize=8, framealpha=0.9)


def view(data: TradeOff) -> tuple[float, float]:
    """Return the ends of the horizontal axis: the plans with room to their right, not all of a far-flung cloud."""
    least, most = float(data.x.min()), float(max(data.x.max(), data.bound_x or 0.0))
    cloud = float(data.cloud_x.max()) if len(data.cloud_x) else most
    room = max(2.0 * (most - least), 0.15 * most)
    right = max(min(cloud, most + room), 1.05 * most) or 1.0  # all may cost nothing, as bytes do on one node
    return 0.8 * least if _is_wide(data, right) else least - 0.05 * (right - least), right


def _is_wide(data: TradeOff, right: float) -> bool:
    """Return whether the horizontal axis is logarithmic: only where every plan costs something."""
    return 0.0 < 30 * float(data.x.min()) < right


def _count_beyond(data: TradeOff, right: float, ax: Axes) -> None:
    beyond = float(np.mean(data.cloud_x > right)) if len(data.cloud_x) else 0.0
    if beyond > 0.005:
        text = f"{beyond:.0%} of the sampled plans are further right →"
        style: dict[str, Any] = {"ha": "right", "va": "top", "fontsize": 7, "color": "0.35"}
        # Below the axis and its label, where it covers neither points nor lines.
        ax.annotate(text, (1.0, 0.0), xycoords="axes fraction", xytext=(0, -33), textcoords="offset points", **style)


def _name_chosen(data: TradeOff, ax: Axes) -> None:
    if data.chosen is None:
        return
    index, name = data.chosen
    point = (float(data.x[index]), float(data.y[index]))
    ax.scatter(*point, s=110, facecolors="none", edgecolors="black", linewidths=1.5, zorder=4)
    ax.annotate(
        name,
        point,
        xytext=(0.5, 1.02),
        textcoords="axes fraction",
        ha="center",
        va="bottom",
        fontsize=8,
        arrowprops={"arrowstyle": "-", "linewidth": 0.7, "shrinkB": 6},
    )


_MARK_STYLES: Mapping[str, dict[str, Any]] = {
    "knee": {"marker": "o", "s": 70},
    "one exit": {"marker": "s", "s": 60},
    "native": {"marker": "D", "s": 60},
}


def _name_marks(data: TradeOff, ax: Axes) -> None:
    """Ring the knee, and what stands beside the frontier; the legend names them."""
    for x, y, name in data.marks:
        ring: dict[str, Any] = {"facecolors": "none", "edgecolors": "black", "linewidths": 1.2, "zorder": 5}
        ax.scatter(x, y, label=name, **(ring | _MARK_STYLES[name]))


def _colour(parts: int) -> str:
    return COLOURS[(parts - 1) % len(COLOURS)]


def _marker(parts: int) -> str:
    return MARKERS[(parts - 1) % len(MARKERS)]


def plot_trade_off(
    answer: Answer,
    *,
    frontier: Answer | None = None,
    seed: int = 0,
    zoom: Zoom | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw cost against accuracy: sampled decisions, the frontier as a line, and the plan that was asked for.

    Parameters
    ----------
    answer
        With at least one plan; accuracies must be known.
    frontier
        The frontier of the same space without bounds, to draw behind the best plan (see
        `tiercut.plots.frontier_behind`); not needed where the answer is one.
    seed
        Of the sampled decisions.
    zoom
        Ends of the axes by measure, in inner units: ``{"accuracy": (0.92, None)}``.
    ax
        Where to draw; by default on a figure of its own.

    Raises
    ------
    QuestionError
        If the picture has no axis for a measure that is zoomed.
    """
    ax, query, problem = own_axes(ax), answer.query, answer.space.problem
    size = CLOUD_SIZE * (_CLOSER if zoom else 1)
    cloud = sample_cloud(answer.space, size, name=query.additive, rate_fps=query.rate_fps, seed=seed)
    beside = answer.beside or best_beside(answer.space, query, Options(time_limit_s=_PATIENCE_S))
    data = trade_off(answer, frontier, cloud, beside)
    draw_trade_off(data, ax, whole=not zoom)
    zoomed(ax, zoom, (query.additive, "accuracy"), (axis_of(query.additive)[0], 100.0), (data.x, data.y))
    if query.kind == "frontier":
        ax.set_title(f"{problem.profile} on {problem.topology}", fontsize=10, parse_math=False)
    return ax
