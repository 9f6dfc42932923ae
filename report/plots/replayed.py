"""The frontier by recorded samples beside the one that the model promises, and where each plan really lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.errors import QuestionError
from tiercut.report.plots.style import COLOURS, COLUMN, stacked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tiercut.analysis import Answer, Replay, ReplayChoice

__all__ = ["ReplayedPlans", "draw_replayed", "plot_replayed", "replayed_plans"]


@dataclass(frozen=True, slots=True, eq=False)
class ReplayedPlans:
    """What the picture shows: latency in milliseconds and accuracy in percent, one row for each plan.

    Parameters
    ----------
    chosen, expected
        The plans that replay chose, as the samples make them and as the model prices them, K x 2.
    low, high
        Ends of the intervals of their accuracies, K.
    promised, kept
        The model's own plans as it prices them, and as the samples make them, M x 2.
    """

    chosen: NDArray[np.float64]
    expected: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    promised: NDArray[np.float64]
    kept: NDArray[np.float64]


def replayed_plans(chosen: ReplayChoice) -> ReplayedPlans:
    """Return what to draw."""
    ends = np.array([each.accuracy_interval() for each in chosen.plans]) * 100
    return ReplayedPlans(
        chosen=_points(chosen.plans, "replayed"),
        expected=_points(chosen.plans, "model"),
        low=ends[:, 0],
        high=ends[:, 1],
        promised=_points(chosen.modelled, "model"),
        kept=_points(chosen.modelled, "replayed"),
    )


def _points(replays: Sequence[Replay], which: str) -> NDArray[np.float64]:
    plans = [getattr(each, which) for each in replays]
    return np.array([(1e3 * plan.latency_s, 100 * (plan.accuracy or 0.0)) for plan in plans]).reshape(-1, 2)


def draw_replayed(data: ReplayedPlans, above: Axes, below: Axes) -> None:
    """Draw the plans by latency and accuracy, and below by how much more accurate they are than the model says."""
    style: dict[str, Any] = {"edgecolors": "black", "linewidths": 0.4}
    chosen, low, high = data.chosen, data.chosen[:, 1] - data.low, data.high - data.chosen[:, 1]
    for points, colour, label in (
        (data.promised, "white", "promised by the model"),
        (data.kept, COLOURS[1], "the same plans, replayed"),
    ):
        above.scatter(points[:, 0], points[:, 1], s=14, color=colour, zorder=3, label=label, **style)
    ends = np.clip([low, high], 0.0, None)
    above.errorbar(chosen[:, 0], chosen[:, 1], yerr=ends, fmt="none", ecolor=COLOURS[0], elinewidth=0.7, zorder=2)
    above.step(chosen[:, 0], chosen[:, 1], where="post", color=COLOURS[0], linewidth=1, zorder=3)
    above.scatter(chosen[:, 0], chosen[:, 1], s=22, color=COLOURS[0], zorder=4, label="chosen by replay", **style)
    below.axhline(0.0, color="black", linewidth=0.7)
    below.scatter(data.kept[:, 0], data.kept[:, 1] - data.promised[:, 1], s=14, color=COLOURS[1], zorder=3, **style)
    below.scatter(chosen[:, 0], chosen[:, 1] - data.expected[:, 1], s=22, color=COLOURS[0], zorder=4, **style)
    above.set_ylabel("accuracy (%)")
    above.legend(loc="best", fontsize=8, framealpha=0.9)
    below.set_ylabel("replay less\nmodel (points)", fontsize=7)
    below.set_xlabel("latency (ms)")
    below.xaxis.set_major_formatter("{x:g}")
    for ax in (above, below):
        ax.grid(alpha=0.25, linewidth=0.5)


def plot_replayed(answer: Answer, ax: Axes | None = None) -> tuple[Axes, Axes]:
    """Draw an answer that replay chose: its plans above, and below how far the model was from what samples do.

    Parameters
    ----------
    answer
        Asked with ``evaluate="replay"``.
    ax
        What the two panels take the place of; by default they have a figure of their own.

    Raises
    ------
    QuestionError
        If replay did not choose the plans.
    """
    if answer.replayed is None:
        raise QuestionError("this answer was not chosen by replay")
    problem, chosen = answer.space.problem, answer.replayed
    above, below = stacked(ax, (COLUMN[0], 1.3 * COLUMN[1]), (3, 1))
    below.sharex(above)
    draw_replayed(replayed_plans(chosen), above, below)
    above.tick_params(labelbottom=False)
    title = f"{problem.profile} on {problem.topology}, {chosen.plans[0].samples:,} samples"
    above.set_title(title, fontsize=10, parse_math=False)
    return above, below
