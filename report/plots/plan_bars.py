"""The picture of a ranking: each plan a bar of what machines compute and what is sent (Scission, figures 6 to 15)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tiercut import units
from tiercut.optimizer import stage_steps
from tiercut.report.plots.style import COLOURS, channels, figure_of, is_dark, own_axes
from tiercut.report.rows import plan_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tiercut.analysis import Answer
    from tiercut.optimizer import Plan, Step

__all__ = [
    "BARS_WIDTH",
    "PlanBars",
    "Segment",
    "add_bars_legend",
    "bars_height",
    "bars_legend",
    "draw_plan_bars",
    "plan_bars",
    "plot_plan_bars",
    "tiers_of",
]

BARS_WIDTH = 6.2
"""Inches."""

_SENT = "#D9D9D9"
_ROW = 0.44
"""Inches of a bar and the line above it."""
_MARGINS = 1.1


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a bar.

    Parameters
    ----------
    begins_s, seconds
        Where it begins, and how long it is: what it adds to the expected latency.
    node
        The machine that computes; None where something is sent.
    text
        What to write into it where there is room.
    """

    begins_s: float
    seconds: float
    node: str | None
    text: str


@dataclass(frozen=True, slots=True)
class PlanBars:
    """What the picture of a ranking shows.

    Parameters
    ----------
    captions
        One line for each plan.
    bars
        The segments of each plan, which add up to its latency.
    colours
        Of every machine of the topology, in its order: those of one tier share a hue.
    """

    captions: tuple[str, ...]
    bars: tuple[tuple[Segment, ...], ...]
    colours: Mapping[str, str]


def plan_bars(plans: Sequence[Plan], tiers: Mapping[str, str], captions: Sequence[str] | None = None) -> PlanBars:
    """Return what to draw.

    Parameters
    ----------
    plans
        Best first.
    tiers
        Tier of each node, in the order of the topology.
    captions
        One for each plan; by default rank, latency, and all that tells the plan from others.
    """
    if captions is None:
        captions = [
            f"{rank}.  {units.format_seconds(each.latency_s)}   {plan_text(each)}" for rank, each in enumerate(plans, 1)
        ]
    return PlanBars(tuple(captions), tuple(_segments(plan) for plan in plans), _colours(tiers))


def tiers_of(answer: Answer) -> dict[str, str]:
    """Return the tier of each node of an answer's topology, in its order."""
    return dict(zip(answer.space.problem.nodes, answer.space.problem.tiers, strict=True))


def _segments(plan: Plan) -> tuple[Segment, ...]:
    segments, begins = [], 0.0
    for step in stage_steps(plan):
        if step.adds_s > 0:
            node = step.node if step.sort == "compute" else None
            segments.append(Segment(begins, step.adds_s, node, _text(step)))
            begins += step.adds_s
    return tuple(segments)


def _text(step: Step) -> str:
    if step.sort == "compute":
        return f"{step.first}" if step.first == step.last else f"{step.first}-{step.last}"
    codec = "" if step.codec is None else f" as {step.codec}"
    return (units.format_bytes(step.size) if step.sort == "send" else step.sort) + codec


def _colours(tiers: Mapping[str, str]) -> dict[str, str]:
    """Return a hue for each tier, and in it a lightness for each machine."""
    hues = {tier: COLOURS[place % len(COLOURS)] for place, tier in enumerate(dict.fromkeys(tiers.values()))}
    colours = {}
    for name, tier in tiers.items():
        family = [other for other, its in tiers.items() if its == tier]
        colours[name] = _lighter(hues[tier], 0.7 * family.index(name) / max(len(family) - 1, 2))
    return colours


def _lighter(colour: str, share: float) -> str:
    """Return a colour mixed with a share of white."""
    return "#" + "".join(f"{round(each + (255 - each) * share):02x}" for each in channels(colour))


def bars_height(count: int) -> float:
    """Return how high a figure of so many plans wants to be, in inches."""
    return _MARGINS + _ROW * count


def draw_plan_bars(data: PlanBars, ax: Axes) -> None:
    """Draw a bar for each plan, the first on top, with a line of text above it."""
    for row, (caption, segments) in enumerate(zip(data.captions, data.bars, strict=True)):
        for each in segments:
            colour = _SENT if each.node is None else data.colours[each.node]
            style = {"hatch": "////", "edgecolor": "white"} if each.node is None else {"edgecolor": "white"}
            ax.barh(row, each.seconds, left=each.begins_s, height=0.42, color=colour, linewidth=0.4, **style)  # type: ignore[arg-type]
        ax.text(0, row - 0.27, caption, fontsize=7, va="bottom", ha="left", parse_math=False)
    longest = max((bar[-1].begins_s + bar[-1].seconds for bar in data.bars if bar), default=1.0)
    ax.set_xlim(0, longest * 1.02)
    ax.set_ylim(len(data.bars) - 0.5, -0.75)
    _write_texts(data, longest, ax)
    ax.set_yticks([])
    ax.set_xlabel("latency (s)" if longest >= 1 else "latency (ms)", fontsize=8)
    ax.tick_params(axis="x", labelsize=7)
    if longest < 1:
        ax.xaxis.set_major_formatter(lambda value, _: f"{value * 1e3:g}")
    ax.spines[["left", "right", "top"]].set_visible(False)


def _write_texts(data: PlanBars, longest: float, ax: Axes) -> None:
    """Write into each segment what it is, where it is wide enough for the text."""
    figure = ax.get_figure(root=True)
    width = ax.get_position().width * (figure.get_size_inches()[0] if figure is not None else 5.0)
    for row, segments in enumerate(data.bars):
        for each in segments:
            if len(each.text) * 0.062 < each.seconds / longest * width * 0.9:
                dark = each.node is not None and is_dark(data.colours[each.node])
                style: dict[str, Any] = {"color": "white" if dark else "black", "fontsize": 6, "parse_math": False}
                if each.node is None:
                    style["bbox"] = {"facecolor": _SENT, "edgecolor": "none", "pad": 0.6}
                ax.text(each.begins_s + each.seconds / 2, row, each.text, ha="center", va="center", **style)


def add_bars_legend(figure: Figure, *drawn: PlanBars) -> None:
    """Name the machines that compute in one or more pictures and the hatching, below everything else on the figure."""
    from matplotlib.patches import Patch

    nodes = {each.node for data in drawn for bar in data.bars for each in bar}
    colours = {name: colour for data in drawn for name, colour in data.colours.items() if name in nodes}
    handles = [Patch(facecolor=colour, label=name) for name, colour in colours.items()]
    if None in nodes:
        handles.append(Patch(facecolor=_SENT, edgecolor="white", hatch="////", label="sending"))
    wide = 0.6 + 0.065 * max(map(len, colours), default=0)
    columns = max(1, min(len(handles), int(figure.get_size_inches()[0] / wide)))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=7, frameon=False)


def plot_plan_bars(
    plans: Answer | Sequence[Plan],
    tiers: Mapping[str, str] | None = None,
    captions: Sequence[str] | None = None,
    *,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw each plan as a bar of what machines compute and what is sent.

    Parameters
    ----------
    plans
        An answer, or plans from anywhere, such as `tiercut.load_plans`; best first.
    tiers
        Tier of each node, for the colours; by default those of the answer's topology, else every node is its own.
    captions
        One for each plan; by default rank, latency and the plan.
    legend
        Whether to name the machines: below the figure where it has none yet, beside nothing else. Leave it out where
        several pictures share one (see `bars_legend`).
    ax
        Where to draw; by default on a figure of its own, as high as the bars need (see `bars_height`).
    """
    from tiercut.analysis import Answer

    if isinstance(plans, Answer):
        problem = plans.space.problem
        data = plan_bars(plans.plans, tiers or tiers_of(plans), captions)
        title = f"{problem.profile} on {problem.topology}"
    else:
        data, title = plan_bars(plans, tiers or _own_tiers(plans), captions), ""
    ax = own_axes(ax, (BARS_WIDTH, bars_height(len(data.bars))))
    draw_plan_bars(data, ax)
    ax.set_title(title, fontsize=10, parse_math=False)
    if legend:
        add_bars_legend(figure_of(ax), data)
    return ax


def bars_legend(figure: Figure, plans: Sequence[Plan], tiers: Mapping[str, str]) -> None:
    """Name the machines of plans that are drawn in several pictures of one figure, once, below them all."""
    add_bars_legend(figure, plan_bars(plans, tiers))


def _own_tiers(plans: Sequence[Plan]) -> dict[str, str]:
    return {node: node for plan in plans for node in plan.placement}
