"""Fits what the slicing paper leaves unsaid, and writes its tables and figures beside ours into ``results.md``.

``python experiments/slicing/run.py`` takes about two minutes; ``for_real.py`` measures what it reads of real runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from slicing_published import FRAMES, PUBLISHED
from slicing_study import CONFIGURATIONS, PROFILE, Constants, Goal, Row, fitted, goals, rows, topology_of

import tiercut
from tiercut import Plan, Profile, Topology

HERE = Path(__file__).parent
RESIDUAL = HERE.parent / "scission" / "profiles" / "resnet50.json"
BOUND = "400 ms"


def main() -> None:
    """Write ``results.md`` and its figures."""
    tried = fitted()
    found = list(rows(tried[0][1]))
    draw(found)
    parts = [*constants(tried), *tables(found), *agreement(found), *for_real(), *recommendations(), *needed()]
    (HERE / "results.md").write_text("\n".join(["# Results of run.py", "", *parts]) + "\n", encoding="utf-8")


def constants(tried: list[tuple[float, Constants]]) -> Iterator[str]:
    """Yield what was fitted, and the best of each sort that it was chosen from."""
    yield f"## Constants: {len(tried)} tried, the best of each sort of arrivals and queue"
    yield ""
    yield "| arrivals | queue | characters a byte | misfit of the shares dropped |"
    yield "| --- | --- | --- | --- |"
    seen = set[tuple[str, int]]()
    for misfit, each in tried:
        if (each.arrivals, each.queue) not in seen:
            seen.add((each.arrivals, each.queue))
            yield f"| {each.arrivals} | {each.queue} | {each.characters:g} | {misfit:.3f} |"
    yield ""
    yield f"Rate: {tried[0][1].rate:.4f} frames/s, at which {FRAMES} frames come in the published mean time."
    yield ""


def tables(found: list[Row]) -> Iterator[str]:
    """Yield tables 3 to 5."""
    for configuration in CONFIGURATIONS:
        yield f"## Configuration {configuration} (table {configuration + 2})"
        yield ""
        yield "| split after layers | time | ours | frame drop | ours, 50 frames | ours, 5,000 frames |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for row in found:
            if row.configuration == configuration:
                cells = f"{row.published_s:.2f} s | {row.total_s:.2f} s | {row.published_drop:.2f}"
                yield f"| {row.split[0]}, {row.split[1]} | {cells} | {row.drop:.2f} | {row.long_drop:.2f} |"
        yield ""
    yield "![Published and simulated shares of dropped frames](images/drops.png)"
    yield ""


def agreement(found: list[Row]) -> Iterator[str]:
    """Yield how far the two are apart, beside what 50 frames can tell."""
    yield "## How near"
    yield ""
    yield "| configuration | drop published, mean | ours | misfit | standard error of a share of 50 frames |"
    yield "| --- | --- | --- | --- | --- |"
    for configuration in CONFIGURATIONS:
        mine = [row for row in found if row.configuration == configuration]
        published = np.array([row.published_drop for row in mine])
        ours = np.array([row.long_drop for row in mine])
        error = float(np.sqrt(np.mean(ours * (1 - ours)) / FRAMES))
        misfit = float(np.sqrt(np.mean((published - ours) ** 2)))
        yield f"| {configuration} | {published.mean():.3f} | {ours.mean():.3f} | {misfit:.3f} | {error:.3f} |"
    yield ""


def for_real() -> Iterator[str]:
    """Yield what real runs took, one frame at a time, where they were measured."""
    file = HERE / "for_real.json"
    if not file.is_file():
        return
    measured = json.loads(file.read_text(encoding="utf-8"))
    yield "## For real, one frame at a time"
    yield ""
    yield "| configuration | split after layers | frames answered | same as uncut | latency | predicted | off by |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for row in measured:
        took, said = row["measured"]["latency_s"]["mean"], row["predicted"]["latency_s"]["mean"]
        cells = f"{row['answered']} of {row['frames']} | {row['same_as_uncut']}"
        split = ", ".join(map(str, row["split"]))
        seconds = f"{format_seconds(took)} | {format_seconds(said)} | {took / said - 1:+.1%}"
        yield f"| {row['configuration']} | {split} | {cells} | {seconds} |"
    yield ""


def recommendations() -> Iterator[str]:
    """Yield the best plan for each goal, exactly, also of what the paper leaves to future work."""
    cnn, resnet = tiercut.load_profile(PROFILE), tiercut.load_profile(RESIDUAL)
    cases: list[tuple[str, Topology, Profile]] = [
        *((f"configuration {each}", topology_of(each), cnn) for each in CONFIGURATIONS),
        ("configuration 1, two edges in a row", two_edges(), cnn),
        *((f"configuration {each}, ResNet50", topology_of(each), resnet) for each in CONFIGURATIONS),
    ]
    yield "## What to do for which goal: all splits, not eight"
    yield ""
    yield "| case | goal | best of all | value | best of the eight | value |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for case, topology, profile in cases:
        for goal in goals(topology, profile):
            yield f"| {case} | {goal.goal} | {described(goal.best)} | {' | '.join(values(goal))} |"
    yield ""


def values(goal: Goal) -> tuple[str, str, str]:
    """Return the value of the best, the best of the eight, and its value."""

    def shown(value: float) -> str:
        return format_seconds(value) if goal.goal == "least latency" else f"{value:.4g} fps"

    if goal.of_eight is None:
        return shown(goal.value), "-", "-"
    return shown(goal.value), ", ".join(map(str, goal.of_eight)), shown(goal.value_of_eight)


def described(plan: Plan) -> str:
    """Return the layers of each node of a plan."""
    return ", ".join(f"{stage.node} {stage.blocks[0]}-{stage.blocks[1]}" for stage in plan.stages)


def two_edges() -> Topology:
    """Return configuration 1 with a second edge between the first and the cloud."""
    data = {
        "format": "tiercut.topology/1",
        "name": "two-edges",
        "nodes": [
            {"name": "device", "slowdown": 10.0},
            {"name": "edge", "slowdown": 5.0},
            {"name": "edge2", "slowdown": 2.0},
            {"name": "cloud", "slowdown": 1.0},
        ],
        "links": [
            {"between": ["device", "edge"], "bandwidth": "500 kB/s", "latency": "2.5 ms"},
            {"between": ["edge", "edge2"], "bandwidth": "500 kB/s", "latency": "2.5 ms"},
            {"between": ["edge2", "cloud"], "bandwidth": "500 kB/s", "latency": "250 ms"},
        ],
        "source": "device",
        "destination": "anywhere",
    }
    return Topology.from_data(data)


def needed() -> Iterator[str]:
    """Yield how much worse each number may become before no plan that uses all three meets a bound."""
    yield f"## What is needed for {BOUND} through all three, configuration 1"
    yield ""
    yield "| of | now | least or greatest |"
    yield "| --- | --- | --- |"
    for need in tiercut.needed("simulator-1", PROFILE, max_latency=BOUND, use_all_tiers=True):
        show = {"bandwidth": format_bandwidth, "latency": format_seconds}.get(need.parameter.kind, "{:.3g}".format)
        limit = "any" if need.limit is None else show(need.limit)
        yield f"| {need.parameter.kind} {need.parameter.name} | {show(need.parameter.now)} | {limit} |"
    yield ""


def format_seconds(seconds: float) -> str:
    """Return seconds as people read them, to four digits."""
    return f"{seconds:.4g} s" if seconds >= 1 else f"{1e3 * seconds:.4g} ms"


def format_bandwidth(bytes_per_second: float) -> str:
    """Return a bandwidth as people read it, to four digits."""
    bits = 8 * bytes_per_second
    return f"{bits / 1e6:.4g} Mb/s" if bits >= 1e6 else f"{bits / 1e3:.4g} kb/s"


def draw(found: list[Row]) -> None:
    """Draw shares of dropped frames by split, one panel for each configuration (figures 4 to 6)."""
    figure = Figure(figsize=(8, 3), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    for ax, configuration in zip(panels, CONFIGURATIONS, strict=True):
        mine = [row for row in found if row.configuration == configuration]
        places = np.arange(len(mine))
        ax.bar(places - 0.2, [row[1] for row in PUBLISHED[configuration]], 0.4, label="published", color="#0072B2")
        ax.bar(places + 0.2, [row.long_drop for row in mine], 0.4, label="simulated", color="#E69F00")
        error = [np.sqrt(row.long_drop * (1 - row.long_drop) / FRAMES) for row in mine]
        middle = [row.long_drop for row in mine]
        ax.errorbar(places + 0.2, middle, yerr=error, fmt="none", ecolor="black", elinewidth=0.8)
        ax.set_xticks(places, [f"{first}, {second}" for first, second in (row.split for row in mine)], rotation=90)
        ax.set_title(f"configuration {configuration}", fontsize=9)
        ax.set_ylim(0, 1)
        ax.tick_params(labelsize=8)
    panels[0].set_ylabel("share of frames dropped", fontsize=8)
    panels[0].legend(fontsize=8, loc="upper left")
    figure.supxlabel("split after layers (device, edge)", fontsize=8)
    (HERE / "images").mkdir(exist_ok=True)
    figure.savefig(HERE / "images" / "drops.png", dpi=110)


if __name__ == "__main__":
    main()
