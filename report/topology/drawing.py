"""Pictures of a topology: `lay_out` says where everything stands, this module only draws it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiercut.report.plots.style import figure_of
from tiercut.report.topology.labels import sampled
from tiercut.report.topology.layout import Drawing, NodeBox, lay_out
from tiercut.report.topology.lines import Line
from tiercut.report.topology.shapes import FONT_PT, LINE_HEIGHT, Box

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tiercut.topologies import Topology

__all__ = ["draw"]

# Okabe and Ito's colours, which colour-blind readers tell apart; roles are written out beside them.
_SOURCE, _DESTINATION, _PLAIN, _LINE = "#56B4E9", "#D55E00", "#FFFFFF", "#4D4D4D"
_HEAD = 3 * LINE_HEIGHT


def draw(topology: Topology, ax: Axes | None = None) -> Axes:
    """Draw the nodes in a column for each tier, and the links with their bandwidth and latency.

    Parameters
    ----------
    topology
        What to draw.
    ax
        Where to draw it; by default on a figure of its own, as large as the drawing needs.

    Returns
    -------
    matplotlib.axes.Axes
        Where it was drawn; ``ax.figure.savefig`` writes it.
    """
    plan = lay_out(topology)
    ax = _own_axes(plan) if ax is None else ax
    frame = plan.frame
    ax.set(xlim=(frame.left, frame.right), ylim=(frame.bottom - LINE_HEIGHT, frame.top + _HEAD), aspect="equal")
    ax.set_axis_off()
    left = min(node.box.left for node in plan.nodes)
    scale = _scale(ax)
    for line in plan.lines:
        _draw_line(ax, line, scale)
    for node in plan.nodes:
        _draw_node(ax, node, scale)
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 1.0 * scale}
    for label in plan.labels:
        _write(ax, label.box, label.text, 0.92 * scale, bbox=behind, zorder=2, linespacing=1.2)
    for label in plan.headers:
        _write(ax, label.box, label.text, scale, color=_LINE, style="italic")
    head, foot = Box(left, frame.top + _HEAD / 2, 0, 0), Box(left, frame.bottom, 0, 0)
    _write(ax, head, plan.title, 1.15 * scale, ha="left", weight="bold")
    _write(ax, foot, plan.caption, 0.9 * scale, ha="left", color=_LINE)
    return ax


def _own_axes(plan: Drawing) -> Axes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(plan.frame.width, plan.frame.height + LINE_HEIGHT + _HEAD))
    return figure.add_axes((0.0, 0.0, 1.0, 1.0))


def _scale(ax: Axes) -> float:
    """Return the size of the drawing on these axes as a share of its own, for texts to shrink alike."""
    place = ax.get_position()
    width, height = figure_of(ax).get_size_inches()
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    return float(min(place.width * width / (right - left), place.height * height / (top - bottom)))


def _write(ax: Axes, box: Box, words: str, scale: float, **style: Any) -> None:
    """Write text as it stands, a dollar included, in the middle of a box unless the style says otherwise."""
    ax.text(
        box.x, box.y, words, **({"ha": "center", "va": "center"} | style), fontsize=FONT_PT * scale, parse_math=False
    )


def _draw_node(ax: Axes, node: NodeBox, scale: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    box, pad = node.box, 0.04
    ax.add_patch(
        FancyBboxPatch(
            (box.left + pad, box.bottom + pad),
            box.width - 2 * pad,
            box.height - 2 * pad,
            boxstyle=f"round,pad={pad},rounding_size=0.08",
            facecolor=_SOURCE if node.is_source else _PLAIN,
            edgecolor=_DESTINATION if node.is_destination else "black",
            linewidth=(2.2 if node.is_destination else 1.0) * scale,
            zorder=3,
        )
    )
    for row, line in enumerate(node.lines):
        y = box.y + ((len(node.lines) - 1) / 2 - row) * LINE_HEIGHT
        _write(ax, Box(box.x, y, 0, 0), line, scale, weight="bold" if row == 0 else "normal", zorder=4)


def _draw_line(ax: Axes, line: Line, scale: float) -> None:
    xs, ys = zip(*line.path, strict=True)
    ax.plot(xs, ys, color=_LINE, linewidth=1.2 * scale, solid_capstyle="round", zorder=1)
    points = sampled(line.path)
    ends = ((points[1], points[0]), (points[-2], points[-1]))
    for (before, tip), pointed in zip(ends, line.arrows, strict=True):
        if pointed:
            arrow = {"arrowstyle": "-|>", "color": _LINE, "linewidth": 1.2 * scale, "shrinkA": 0, "shrinkB": 0}
            ax.annotate("", tip, before, arrowprops=arrow | {"mutation_scale": 12 * scale}, zorder=3)
