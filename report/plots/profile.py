"""The picture of a profile: time and output size of each block, accuracy and exit rate of each branch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.report.plots.style import COLOURS, MARKERS, stacked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tiercut.profiling import Device, Exits, Profile

    Floats = NDArray[np.float64]

__all__ = ["ProfileCurves", "draw_exits", "draw_sizes", "draw_times", "plot_profile", "profile_curves"]

_BESIDE: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.02), "fontsize": 7, "frameon": False}
_POWERS = 1000.0
"""Times the least beyond which powers of ten are labels enough."""
_THRESHOLDS = 4
"""How many thresholds are drawn, evenly spread."""


@dataclass(frozen=True, slots=True, eq=False)
class ProfileCurves:
    """What the picture of a profile shows, in the units of its axes; N blocks.

    Parameters
    ----------
    title
        The profile's name.
    blocks_ms, branches_ms
        By device: N milliseconds for the blocks, and for the branches where the device has them; nan where there is
        none.
    sizes_kb
        N+1 kilobytes: the input and each block's output.
    accuracy
        N percent; nan where a block has no branch; None where there are no exits.
    left
        By threshold: N percent of the samples that have left by each branch, every branch present.
    """

    title: str
    blocks_ms: dict[str, Floats]
    branches_ms: dict[str, Floats]
    sizes_kb: Floats
    accuracy: Floats | None
    left: dict[float, Floats]


def profile_curves(profile: Profile) -> ProfileCurves:
    """Return what to draw."""
    devices, exits = profile.devices.items(), profile.exits
    return ProfileCurves(
        title=profile.name,
        blocks_ms={name: 1e3 * np.array(_times(device)) for name, device in devices},
        branches_ms={name: 1e3 * _or_nan(device.branch_s) for name, device in devices if device.branch_s is not None},
        sizes_kb=np.array(profile.payload_bytes) / 1e3,
        accuracy=None if exits is None else 100 * _or_nan(exits.accuracy),
        left={} if exits is None else _left(exits),
    )


def _times(device: Device) -> list[float]:
    return device.block_s or [spans[0] for spans in device.span_s or ()]


def _or_nan(values: list[float | None]) -> Floats:
    return np.array([np.nan if each is None else each for each in values])


def _left(exits: Exits) -> dict[float, Floats]:
    """Return the percent of samples that have left by each branch, for a few thresholds."""
    if exits.exit_rate is not None:
        left = np.cumsum(np.array(exits.exit_rate), axis=1)
    else:
        left = np.maximum.accumulate(np.array(exits.exit_rate_alone), axis=1)
        left[:, -1] = 1.0
    indices = np.unique(np.linspace(0, len(exits.thresholds) - 1, _THRESHOLDS).astype(int)).tolist()
    return {exits.thresholds[index]: 100 * left[index] for index in indices}


def draw_times(data: ProfileCurves, ax: Axes) -> None:
    """Draw the times of blocks as lines and those of branches as dotted ones, on a log scale for several devices.

    A time of 0, which such a scale does not have, is marked at the lower edge.
    """
    logarithmic = len(data.blocks_ms) > 1
    for index, (name, times) in enumerate(data.blocks_ms.items()):
        blocks = np.arange(1, len(times) + 1)
        style = {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)], "markersize": 3}
        shown = np.where(times > 0, times, np.nan) if logarithmic else times
        ax.plot(blocks, shown, linewidth=1, label=name, **style)  # type: ignore[arg-type]
        if name in data.branches_ms:
            label = f"{name}, branch"
            branches = data.branches_ms[name]
            branches = np.where(branches > 0, branches, np.nan) if logarithmic else branches
            ax.plot(blocks, branches, linewidth=1, linestyle=":", label=label, **style)  # type: ignore[arg-type]
    ax.set_ylabel("time (ms)")
    if logarithmic:
        ax.set_yscale("log")
        _label_logarithms(ax)
    else:
        ax.set_ylim(bottom=0)
    _mark_zeros(data, ax)
    ax.legend(**_BESIDE)
    ax.grid(alpha=0.25, linewidth=0.5)


def _label_logarithms(ax: Axes) -> None:
    """Label 1, 2 and 5 of each power of ten where the axis has few of these, else the powers alone."""
    from matplotlib.ticker import LogLocator, NullFormatter

    low, high = ax.get_ylim()
    few = high < _POWERS * low
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,), numticks=12))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.tick_params(axis="y", which="both", labelsize=7)


def _mark_zeros(data: ProfileCurves, ax: Axes) -> None:
    """Mark times of exactly 0 at the lower edge, in the colour of their device."""
    label = "a time of 0"
    for index, times in enumerate(data.blocks_ms.values()):
        zeros = np.flatnonzero(times == 0) + 1
        if len(zeros):
            style = {"color": COLOURS[index % len(COLOURS)], "marker": "v", "markersize": 7, "linestyle": "none"}
            edge = np.zeros(len(zeros))
            place = ax.get_xaxis_transform()
            ax.plot(zeros, edge, transform=place, clip_on=False, zorder=5, label=label, **style)  # type: ignore[arg-type]
            label = "_"  # once in the legend


def draw_sizes(data: ProfileCurves, ax: Axes) -> None:
    """Draw the sizes of the input and of each block's output as bars."""
    sizes = data.sizes_kb
    ax.bar(np.arange(len(sizes)), sizes, color=COLOURS[5], edgecolor="black", linewidth=0.4)
    ax.set_ylabel("output (kB)")
    ax.margins(y=0.15)
    ax.annotate("input", (0, sizes[0]), xytext=(0, 2), textcoords="offset points", ha="center", fontsize=7)
    ax.grid(alpha=0.25, linewidth=0.5, axis="y")


def draw_exits(data: ProfileCurves, ax: Axes) -> None:
    """Draw the accuracy of each branch, and which share has left by then for a few thresholds."""
    if data.accuracy is not None:
        blocks = np.arange(1, len(data.accuracy) + 1)
        ax.plot(blocks, data.accuracy, color="black", marker="o", markersize=4, linewidth=1.2, label="accuracy")
    for index, (threshold, left) in enumerate(data.left.items()):
        style = {"color": COLOURS[index], "marker": MARKERS[index + 1], "markersize": 3, "linewidth": 1}
        blocks, label = np.arange(1, len(left) + 1), f"left so far,\nthreshold {threshold:g}"
        ax.plot(blocks, left, label=label, **style)  # type: ignore[arg-type]
    ax.set_ylabel("samples (%)")
    ax.set_ylim(-2, 102)
    ax.legend(**_BESIDE)
    ax.grid(alpha=0.25, linewidth=0.5)


def plot_profile(profile: Profile, ax: Axes | None = None) -> tuple[Axes, ...]:
    """Draw a profile: times and sizes above, accuracy and exit rates below where there are exits.

    Parameters
    ----------
    profile
        What was measured of a network.
    ax
        What the panels take the place of; by default they have a figure of their own.

    Returns
    -------
    tuple of matplotlib.axes.Axes
        The panels, from top to bottom.
    """
    data = profile_curves(profile)
    draws = (draw_times, draw_sizes, draw_exits)[: 2 if data.accuracy is None else 3]
    axes = stacked(ax, (6.2, 2.0 * len(draws) + 0.2 * (len(draws) == 2)), (1,) * len(draws))
    for draw, each in zip(draws, axes, strict=True):
        draw(data, each)
    for each in axes[:-1]:
        each.sharex(axes[-1])
        each.tick_params(labelbottom=False)
    axes[-1].set_xlabel("block")
    axes[0].set_title(data.title, fontsize=10, parse_math=False)
    return axes
