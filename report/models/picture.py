"""The picture of an answer about several networks: what each has by itself, and what is best of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tiercut.errors import QuestionError
from tiercut.report.models.tables import model_rows, models_remarks, network_rows
from tiercut.report.plots.several_measures import axis_of
from tiercut.report.plots.style import COLOURS, MARKERS, figure_of, own_axes
from tiercut.report.plots.zoom import zoomed
from tiercut.report.saving import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tiercut.analysis import ModelsAnswer
    from tiercut.report.plots.zoom import Zoom

__all__ = ["ModelPoints", "draw_models", "model_points", "models_picture", "plot_models"]


@dataclass(frozen=True, slots=True, eq=False)
class ModelPoints:
    """What the picture shows, in the units of its axes.

    Parameters
    ----------
    label
        Of the horizontal axis.
    own
        By network, K x 2: cost and accuracy of the plans that it has by itself.
    chosen
        The same of the plans of the answer, of all networks.
    line
        Whether each network's plans are a frontier, and so a line.
    """

    label: str
    own: dict[str, NDArray[np.float64]]
    chosen: NDArray[np.float64]
    line: bool


def model_points(answer: ModelsAnswer) -> ModelPoints:
    """Return what to draw.

    Raises
    ------
    QuestionError
        If the accuracy of a network is not known, or three measures are compared.
    """
    query = answer.query
    for name, own in answer.answers.items():
        if not own.space.knows_accuracy:
            raise QuestionError(f"the picture has an axis of accuracies, which network '{name}' does not have")
    if query.many:
        raise QuestionError("the picture of several networks is of one measure against accuracy; --csv has all")
    scale, label = axis_of(query.additive)
    factors = np.array([scale, 100.0])
    points = {
        name: each.values((query.additive, "accuracy")) * factors for name, each in answer.answers.items() if each.plans
    }
    chosen = [points[each.model][each.index] for each in answer.whole or answer.found]
    return ModelPoints(label, points, np.array(chosen).reshape(-1, 2), query.kind == "frontier")


def draw_models(data: ModelPoints, ax: Axes) -> None:
    """Draw a line and points for each network, and what is best of all behind them."""
    if data.line and len(data.chosen):
        ax.step(*data.chosen.T, where="post", color="0.8", linewidth=5, label="best of all", zorder=1)
    elif len(data.chosen):
        x, y = data.chosen.T
        ax.scatter(x, y, s=110, facecolors="none", edgecolors="black", label="best of all", zorder=4)
    for place, (name, points) in enumerate(data.own.items()):
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        x, y = points.T
        if data.line:
            ax.step(x, y, where="post", color=colour, linewidth=1, zorder=2)
        ax.scatter(x, y, s=22, color=colour, marker=marker, edgecolors="black", linewidths=0.5, label=name, zorder=3)
    ax.set_xlabel(data.label)
    ax.set_ylabel("expected accuracy (%)")
    ax.grid(alpha=0.25, linewidth=0.5)
    ax.legend(loc="best", fontsize=8, framealpha=0.9)


def plot_models(answer: ModelsAnswer, *, zoom: Zoom | None = None, ax: Axes | None = None) -> Axes:
    """Draw cost against accuracy, network by network, and the plans that are best of all.

    Parameters
    ----------
    answer
        With at least one plan; accuracies must be known.
    zoom
        Ends of the axes by measure, in inner units: ``{"accuracy": (0.92, None)}``.
    ax
        Where to draw; by default on a figure of its own.

    Raises
    ------
    QuestionError
        If an accuracy is not known, or the picture has no axis for a measure.
    """
    data, ax = model_points(answer), own_axes(ax)
    draw_models(data, ax)
    measures, scales = (answer.query.additive, "accuracy"), (axis_of(answer.query.additive)[0], 100.0)
    every = np.concatenate(list(data.own.values()))
    zoomed(ax, zoom, measures, scales, (every[:, 0], every[:, 1]))
    first = next(iter(answer.answers.values())).space.problem
    ax.set_title(f"{len(answer.answers)} networks on {first.topology}", fontsize=10, parse_math=False)
    return ax


def models_picture(answer: ModelsAnswer, *, zoom: Zoom | None = None) -> Picture:
    """Return the picture, with every plan and what each network has by itself."""
    first = next(iter(answer.answers.values())).space.problem
    title = f"{', '.join(answer.answers)} on {first.topology}"
    tables = (model_rows(answer), network_rows(answer))
    return Picture(figure_of(plot_models(answer, zoom=zoom)), title, None, tables, tuple(models_remarks(answer)))
