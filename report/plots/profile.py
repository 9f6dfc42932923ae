"""The picture of a profile: time and output size of each block, accuracy and exit rate of each branch."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.report.plots.style import COLOURS, MARKERS, new_figure
from tiercut.report.save import save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tiercut.profiling.profile.schema import Device, Exits, Profile

__all__ = ["draw_profile", "save_profile_plot"]

_BESIDE: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.02), "fontsize": 7, "frameon": False}


def draw_profile(profile: Profile, figure: Figure) -> None:
    """Draw a profile on an empty figure: times and sizes above, accuracy and exit rates below where there are exits."""
    rows = 2 if profile.exits is None else 3
    axes = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    _draw_times(profile, axes[0])
    _draw_sizes(profile, axes[1])
    if profile.exits is not None:
        _draw_exits(profile.exits, axes[2])
    axes[-1].set_xlabel("block")
    axes[0].set_title(profile.name, fontsize=10)


def _draw_times(profile: Profile, ax: Axes) -> None:
    blocks = np.arange(1, profile.block_count + 1)
    for index, (name, device) in enumerate(profile.devices.items()):
        style = {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)], "markersize": 3}
        ax.plot(blocks, np.array(_times(device)) * 1e3, linewidth=1, label=name, **style)  # type: ignore[arg-type]
        if device.branch_s is not None:
            branches = np.array([np.nan if each is None else each * 1e3 for each in device.branch_s])
            ax.plot(blocks, branches, linewidth=1, linestyle=":", label=f"{name}, branch", **style)  # type: ignore[arg-type]
    ax.set_ylabel("time (ms)")
    if len(profile.devices) > 1:
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter("{x:g}")
        ax.tick_params(axis="y", which="both", labelsize=7)
    else:
        ax.set_ylim(bottom=0)
    ax.legend(**_BESIDE)
    ax.grid(alpha=0.25, linewidth=0.5)


def _times(device: Device) -> list[float]:
    return device.block_s or [spans[0] for spans in device.span_s or ()]


def _draw_sizes(profile: Profile, ax: Axes) -> None:
    sizes = np.array(profile.payload_bytes) / 1e3
    ax.bar(np.arange(len(sizes)), sizes, color=COLOURS[5], edgecolor="black", linewidth=0.4)
    ax.set_ylabel("output (kB)")
    ax.annotate("input", (0, sizes[0]), xytext=(0, 2), textcoords="offset points", ha="center", fontsize=7)
    ax.grid(alpha=0.25, linewidth=0.5, axis="y")


def _draw_exits(exits: Exits, ax: Axes) -> None:
    blocks = np.arange(1, len(exits.accuracy) + 1)
    accuracy = np.array([np.nan if each is None else 100 * each for each in exits.accuracy])
    ax.plot(blocks, accuracy, color="black", marker="o", markersize=4, linewidth=1.2, label="accuracy")
    gone = _gone(exits) * 100
    for index, lane in enumerate(np.unique(np.linspace(0, len(exits.thresholds) - 1, 4).astype(int))):
        label = f"left so far,\nthreshold {exits.thresholds[lane]:g}"
        ax.plot(
            blocks, gone[lane], color=COLOURS[index], marker=MARKERS[index + 1], markersize=3, linewidth=1, label=label
        )
    ax.set_ylabel("samples (%)")
    ax.set_ylim(-2, 102)
    ax.legend(**_BESIDE)
    ax.grid(alpha=0.25, linewidth=0.5)


def _gone(exits: Exits) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return T x N shares of samples that have left by each branch, every branch present."""
    if exits.exit_rate is not None:
        return np.cumsum(np.array(exits.exit_rate), axis=1)
    gone = np.maximum.accumulate(np.array(exits.exit_rate_alone), axis=1)
    gone[:, -1] = 1.0
    return gone


def save_profile_plot(profile: Profile, path: str | os.PathLike[str]) -> None:
    """Draw a profile into a file; the ending names the format."""
    figure = new_figure((6.2, 4.2 if profile.exits is None else 6.0))
    draw_profile(profile, figure)
    save_figure(figure, path, title=profile.name)
