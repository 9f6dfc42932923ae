"""The tables of the study, as lines of Markdown."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence

from study import (
    INPUT_BYTES,
    LARGER_BYTES,
    NETWORKS,
    PIPELINES,
    Setting,
    best,
    kind,
    many_machines,
    pipeline,
    turning_input,
)

import tiercut
from tiercut import InfeasibleError, Profile, QuestionError, ready_queries

SHOWN = ("vgg19", "resnet50", "mobilenetv2", "inceptionv3", "densenet169")
"""The models that the paper shows."""


IN_THE_PAPER = {
    "xception": 13,
    "vgg16": 21,
    "vgg19": 24,
    "resnet50": 23,
    "resnet101": 40,
    "resnet152": 57,
    "resnet50v2": 15,
    "resnet101v2": 15,
    "resnet152v2": 15,
    "inceptionv3": 18,
    "inceptionresnetv2": 60,
    "mobilenet": 91,
    "mobilenetv2": 65,
    "densenet121": 21,
    "densenet169": 21,
    "densenet201": 21,
    "nasnetmobile": 4,
    "nasnetlarge": 4,
}
"""Partition points that the paper's rule finds (table I)."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "| --- |" + " ---: |" * (len(head) - 1)
    yield from ("| " + " | ".join(row) + " |" for row in rows)


def seconds(value: float) -> str:
    """Return a time in milliseconds, to four digits at most."""
    return f"{value * 1e3:.0f} ms" if value >= 0.1 else f"{value * 1e3:.1f} ms"


def models(setting: Setting) -> Iterator[str]:
    """Return table I: size, layers, blocks, and whether any path runs beside another."""
    rows = []
    for name, profile in setting.profiles.items():
        size = sum(block.parameter_bytes or 0.0 for block in profile.blocks)
        layers = (profile.blocks[-1].last_layer or 0) + 1
        linear = all((block.first_layer or 0) == block.last_layer for block in profile.blocks[1:])
        mega = f"{size / 2**20:.0f} MiB" if size else "-"
        points = [str(profile.block_count - 1), str(IN_THE_PAPER[name])]
        rows.append([name, mega, str(layers), *points, "linear" if linear else "branching"])
    return table(["model", "parameters", "layers", "partition points", "in the paper", "type"], rows)


def times(setting: Setting) -> Iterator[str]:
    """Return what a model takes on each device, whole where that was measured, and as the sum of its blocks."""
    devices = list(dict.fromkeys(name for profile in setting.profiles.values() for name in profile.devices))
    whole = any(device.whole_model_s for profile in setting.profiles.values() for device in profile.devices.values())
    head = ["model"]
    for device in devices:
        head += [f"{device}, whole", "its blocks"] if whole else [device]
    return table(head, [[name, *_device_times(profile, devices, whole)] for name, profile in setting.profiles.items()])


def questions(setting: Setting) -> Iterator[str]:
    """Return what the five best plans take to find, on the networks and among 21 machines: medians."""
    rows, many = [], many_machines(setting, "wired")
    for name, profile in setting.profiles.items():
        asked = [best(setting, name, network).outcome.seconds for network in NETWORKS for _ in range(3)]
        crowd = [tiercut.rank(many, profile, order="forward").outcome.seconds for _ in range(3)]
        rows.append([name, *(f"{statistics.median(each) * 1e3:.1f} ms" for each in (asked, crowd))])
    return table(["model", "a question", f"among {len(many.nodes)} machines"], rows)


def _device_times(profile: Profile, devices: Sequence[str], whole: bool) -> Iterator[str]:
    for name in devices:
        device = profile.devices.get(name)
        if whole:
            yield "-" if device is None or device.whole_model_s is None else seconds(device.whole_model_s)
        yield "-" if device is None or device.block_s is None else seconds(math.fsum(device.block_s))


def networks(setting: Setting) -> Iterator[str]:
    """Return figures 6 to 8 for every model: the best plan on each network."""
    rows = []
    for name in setting.profiles:
        plans = [best(setting, name, network).best for network in NETWORKS]
        rows.append([name, *(f"{plan}, {seconds(plan.latency_s)}" for plan in plans)])
    return table(["model", *NETWORKS], rows)


def inputs(setting: Setting) -> Iterator[str]:
    """Return figure 9 for every model: the input size above which the best plan begins on the device."""
    rows = []
    for name in setting.profiles:
        row = [name]
        for network in NETWORKS:
            size = turning_input(setting, name, network)
            row.append("always" if size is None else f"{size / 1e3:,.0f} KB")
        flips = [
            network
            for network in NETWORKS
            if kind(setting, best(setting, name, network).best)
            != kind(setting, best(setting, name, network, LARGER_BYTES).best)
        ]
        rows.append([*row, ", ".join(flips) or "-"])
    change = f"changes from {INPUT_BYTES / 1e3:.0f} to {LARGER_BYTES / 1e3:.0f} KB"
    return table(["model", *(f"{network}: on the device above" for network in NETWORKS), change], rows)


def constraints(setting: Setting, network: str = "4g") -> Iterator[str]:
    """Return, of section II-C, step 6, the best plan of the paper's models under each ready-made query."""
    rows = []
    for name in SHOWN:
        if name in setting.profiles:
            rows.append([name, "(none)", *_plan(setting, name, network)])
            rows += [[name, query, *_plan(setting, name, network, query)] for query in ready_queries()]
    return table([f"on {network}", "question", "best plan", "latency"], rows)


def _plan(setting: Setting, model: str, network: str, query: str | None = None) -> tuple[str, str]:
    try:
        plan = best(setting, model, network, query=query).best
    except InfeasibleError:
        return "none", "-"
    except QuestionError:
        return "cannot be asked", "-"
    return str(plan), seconds(plan.latency_s)


def pipelines(setting: Setting, model: str, network: str = "wired") -> Iterator[str]:
    """Return table IV: the three best plans of a model on each pipeline, all of whose machines work."""
    rows = []
    for name in PIPELINES:
        answer = best(setting, model, network, top=3, **pipeline(setting, name))
        rows.append([name, *(f"{plan}, {seconds(plan.latency_s)}, {plan.bytes_sent / 1e6:.3f} MB" for plan in answer)])
    return table([f"{model} on {network}", "first", "second", "third"], rows)
