"""The pictures of the study: functions that say what to draw, and thin ones that draw it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from study import LARGER_BYTES, NETWORKS, Setting, best, pipeline

import tiercut
from tiercut import Plan, Profile

Rows: TypeAlias = Mapping[str, Plan]
"""Plans by what to call them."""

WIDTH = 7.6


@dataclass(frozen=True, slots=True)
class Layers:
    """Times in ms and output sizes in MB of every block on one device (figures 3 and 4)."""

    title: str
    milliseconds: tuple[float, ...]
    megabytes: tuple[float, ...]


def layers(model: str, profile: Profile, device: str) -> Layers:
    times = profile.devices[device].block_s or ()
    sizes = [(block.output_bytes or 0.0) / 1e6 for block in profile.blocks]
    return Layers(f"{model} on {device}", tuple(1e3 * each for each in times), tuple(sizes))


def draw_layers(data: Layers, ax: Axes) -> None:
    places = np.arange(1, len(data.milliseconds) + 1)
    bars = ax.bar(places, data.milliseconds, color="#0072B2", label="time")
    ax.set_ylabel("time (ms)", fontsize=8)
    ax.set_title(data.title, fontsize=9)
    ax.set_xlim(0.3, len(places) + 0.7)
    ax.set_ylim(0, 1.25 * max(data.milliseconds))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12))
    other = ax.twinx()
    (line,) = other.plot(places, data.megabytes, color="#D55E00", marker="o", markersize=2.5, linewidth=1, label="size")
    other.set_ylabel("output (MB)", fontsize=8)
    other.set_ylim(0, 1.25 * max(data.megabytes))
    for each in (ax, other):
        each.tick_params(labelsize=7)
    ax.legend(
        handles=[bars, line], labels=["time", "output size"], fontsize=7, loc="upper right", ncols=2, framealpha=0.9
    )


def networks(setting: Setting, model: str) -> Rows:
    """Figures 6 to 9: the best plan on each network, and on 3G with a larger input."""
    rows = {network: best(setting, model, network).best for network in NETWORKS}
    return rows | {f"3g, {LARGER_BYTES / 1e3:.0f} KB": best(setting, model, "3g", LARGER_BYTES).best}


def whole_pipeline(setting: Setting, model: str) -> Rows:
    """Figures 10 and 11: the best plan on each network that uses device, edge and cloud."""
    return {network: best(setting, model, network, query="use-all-three").best for network in NETWORKS}


def two_edges(setting: Setting, model: str) -> Rows:
    """Figures 12 to 14: with one edge machine or the other, alone and in the whole pipeline."""
    rows: dict[str, Plan] = {}
    for number, edge in enumerate(setting.of_tier("edge"), 1):
        others = [each for each in setting.of_tier("edge") if each != edge]
        rows[f"edge ({number}) used"] = best(setting, model, "wired", include=[edge], exclude=others).best
        whole = pipeline(setting, f"device-edge ({number})-cloud")
        rows[f"device, edge ({number}), cloud"] = best(setting, model, "wired", **whole).best
    return rows


def first_two(setting: Setting, model: str) -> Rows:
    """Figure 15: the two best plans that use Edge (1)."""
    edge, *others = setting.of_tier("edge")
    answer = best(setting, model, "wired", include=[edge], exclude=others, top=2)
    return {f"rank {rank}": plan for rank, plan in enumerate(answer, 1)}


def draw_panels(setting: Setting, panels: Mapping[str, Rows], path: Path) -> None:
    """Draw a panel of bars for each entry, one below the other, with one legend."""
    heights = [tiercut.plots.bars_height(len(rows)) for rows in panels.values()]
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.3), layout="constrained")
    axes: Any = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
    for ax, (title, rows) in zip(axes, panels.items(), strict=True):
        captions = [f"{name}:  {plan.latency_s * 1e3:.0f} ms   {plan}" for name, plan in rows.items()]
        tiercut.plots.plan_bars(list(rows.values()), setting.tiers, captions, legend=False, ax=ax)
        ax.set_title(title, fontsize=9)
    plans = [plan for rows in panels.values() for plan in rows.values()]
    tiercut.plots.bars_legend(figure, plans, setting.tiers)
    figure.savefig(path, dpi=130)


def draw_all(setting: Setting, folder: Path, device: str) -> list[Path]:
    """Draw every picture whose models the setting has; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    have = lambda *names: [name for name in names if name in setting.profiles]  # noqa: E731
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    shown = have("vgg16", "resnet50")
    for ax, model in zip(figure.subplots(len(shown), 1, squeeze=False)[:, 0], shown, strict=True):
        draw_layers(layers(model, setting.profiles[model], device), ax)
    figure.axes[len(shown) - 1].set_xlabel("block", fontsize=8)
    figure.savefig(folder / "layers.png", dpi=130)
    panels = {
        "networks": {name: networks(setting, name) for name in have("vgg19", "resnet50", "mobilenetv2")},
        "whole-pipeline": {name: whole_pipeline(setting, name) for name in have("vgg19", "resnet50")},
        "two-edges": {name: two_edges(setting, name) for name in have("inceptionv3", "densenet169")},
        "first-two": {name: first_two(setting, name) for name in have("resnet50")},
    }
    filled = {name: rows for name, rows in panels.items() if rows}
    for name, rows in filled.items():
        draw_panels(setting, rows, folder / f"{name}.png")
    return [folder / f"{name}.png" for name in ("layers", *filled)]
