"""The two pictures of the study: estimates against measurements, and how common the four cases are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from four_cases import CASES
from numpy.typing import NDArray
from validation import ESTIMATORS, summary

__all__ = ["Cloud", "Heat", "clouds", "draw_cases", "draw_validation", "heats", "rate_clouds"]

_COLUMNS = 4
"""Panels beside each other."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """What one panel of the validation shows.

    Parameters
    ----------
    title
        Data set and estimator, or ``exit rates``.
    said, measured
        What was estimated and what was measured, shares.
    threshold
        By which the points are coloured.
    note
        Mean and worst error, in points.
    """

    title: str
    said: NDArray[np.float64]
    measured: NDArray[np.float64]
    threshold: NDArray[np.float64]
    note: str


def clouds(rows: pd.DataFrame, title: str) -> list[Cloud]:
    """Return a panel for each estimator of the accuracy, and one for the exit rates that the model adds up.

    Parameters
    ----------
    rows
        Of ``validation.against_trainings``, of one truth.
    title
        The data set.
    """
    figures = summary(rows).set_index("estimator")
    found = []
    for estimator in ESTIMATORS:
        group = rows[rows["estimator"] == estimator]
        if group.empty:
            continue
        each = figures.loc[estimator]
        note = f"slope {each['slope']:.2f}, R² {each['r2']:.2f}\n" + _errors(each["mean"], each["worst"])
        columns = (group[name].to_numpy(dtype=float) for name in ("predicted", "measured", "threshold"))
        found.append(Cloud(f"{title}: {estimator}", *columns, note))
    return [*found, _rates(rows[rows["estimator"] == "marginal, joint"], f"{title}: exit rates")]


def rate_clouds(rows: pd.DataFrame, title: str) -> list[Cloud]:
    """Return a panel of the exit rates for each estimator but those that have the rates of another one.

    Parameters
    ----------
    rows
        Of ``assumptions.parts`` and ``assumptions.corrections``.
    title
        The data set.
    """
    shown = rows[rows["estimator"] != "own entropies and hits"]
    return [_rates(group, f"{title}, rates: {name}") for name, group in shown.groupby("estimator", sort=False)]


def _rates(group: pd.DataFrame, title: str) -> Cloud:
    said, measured = (np.concatenate(group[name].to_list()) for name in ("predicted_rates", "measured_rates"))
    threshold = np.repeat(group["threshold"].to_numpy(dtype=float), [len(each) for each in group["predicted_rates"]])
    off = np.abs(said - measured)
    return Cloud(title, said, measured, threshold, _errors(off.mean(), off.max()))


def _errors(mean: float, worst: float) -> str:
    return f"mean {mean * 100:.1f}, worst {worst * 100:.1f}"


def draw_validation(panels: Mapping[str, list[Cloud]]) -> Any:
    """Return a figure with rows of panels for each data set: measured over predicted, and where they agree."""
    from matplotlib.figure import Figure

    rows = [some[at : at + _COLUMNS] for some in panels.values() for at in range(0, len(some), _COLUMNS)]
    figure = Figure(figsize=(2.9 * _COLUMNS, 2.75 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), _COLUMNS, squeeze=False)
    for row, row_panels in zip(axes, rows, strict=True):
        for ax in row[len(row_panels) :]:
            ax.remove()
        for ax, cloud in zip(row, row_panels, strict=False):
            points = _draw_cloud(ax, cloud)
        row[0].set_ylabel("measured on test samples, %", fontsize=8)
    figure.colorbar(points, ax=figure.axes, label="threshold", shrink=0.4, aspect=30)
    return figure


def _draw_cloud(ax: Any, cloud: Cloud) -> Any:
    said, measured = cloud.said * 100, cloud.measured * 100
    points = ax.scatter(said, measured, c=cloud.threshold, s=9, cmap="viridis", vmin=0, vmax=1, linewidths=0)
    low, high = min(said.min(), measured.min()), max(said.max(), measured.max())
    margin = (high - low) * 0.04
    ax.plot([low, high], [low, high], color="black", linewidth=0.8)
    ax.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin), aspect="equal")
    ax.set_title(cloud.title, fontsize=9)
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1}
    ax.text(0.97, 0.03, cloud.note, transform=ax.transAxes, ha="right", fontsize=8, bbox=box)
    ax.set_xlabel("predicted, %", fontsize=8)
    ax.tick_params(labelsize=8)
    return points


@dataclass(frozen=True, slots=True)
class Heat:
    """How common a case is by speed of the device and bandwidth of its link.

    Parameters
    ----------
    title
        The network, its topology and the case.
    speeds, bandwidths
        What the figures of the topology are multiplied by.
    share
        float[speeds, bandwidths], of all questions.
    """

    title: str
    speeds: list[float]
    bandwidths: list[float]
    share: NDArray[np.float64]


def heats(rows: pd.DataFrame, title: str) -> list[list[Heat]]:
    """Return what the picture of the cases shows of one network: a row for each topology, a panel for each case."""
    found = []
    for topology, group in rows.groupby("topology", sort=False):
        tables = {case: group.pivot_table(case, "speed", "bandwidth", aggfunc="mean") for case in CASES}
        found.append(
            [
                Heat(
                    f"{title} on {topology}\n{case}: {CASES[case]}",
                    [*each.index],
                    [*each.columns],
                    each.to_numpy(float),
                )
                for case, each in tables.items()
            ]
        )
    return found


def draw_cases(rows: list[list[Heat]]) -> Any:
    """Return a figure with the rows and panels of `heats`, darker where a case is more common."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.7 * len(rows[0]), 2.5 * len(rows)), layout="constrained")
    for axes, panels in zip(figure.subplots(len(rows), len(rows[0]), squeeze=False), rows, strict=True):
        for ax, each in zip(axes, panels, strict=True):
            ax.imshow(each.share, cmap="Blues", vmin=0, vmax=1, aspect="auto", origin="lower")
            for (row, column), share in np.ndenumerate(each.share):
                colour = "white" if share > 0.6 else "black"
                ax.text(column, row, f"{share:.0%}", ha="center", va="center", fontsize=7, color=colour)
            ax.set_title(each.title, fontsize=8)
            ax.set_xticks(range(len(each.bandwidths)), [f"{value:g}" for value in each.bandwidths], fontsize=7)
            ax.set_yticks(range(len(each.speeds)), [f"{value:g}" for value in each.speeds], fontsize=7)
            ax.tick_params(length=0)
        axes[0].set_ylabel("device, times as fast", fontsize=8)
    for ax in figure.axes[-len(rows[0]) :]:
        ax.set_xlabel("its link, times as wide", fontsize=8)
    return figure
