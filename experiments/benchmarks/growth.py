"""How the frontier's work grows: ``python experiments/benchmarks/growth.py [--plot | --smoke] [--output FOLDER]``.

Labels find the exact frontier of made networks while one thing changes: the blocks, the nodes, or how *loose* the space
is. At looseness 0 all nodes are equally fast and links cost as usual; at 1 each block is fast on one node alone, drawn
at random, and links are nearly free (the `loose` instances of the benchmarks); between them, powers of the two factors.
Points are medians of three seeds. `growth.json` keeps what was measured, and `growth.png` shows it; --plot draws what
is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import instances  # noqa: E402

import tiercut  # noqa: E402
from tiercut import Options, Query  # noqa: E402

THRESHOLDS, SEEDS, LIMIT_S, QUICK_S = 20, 3, 15.0, 0.3
SERIES: dict[str, dict[str, tuple[tuple[int, int, float | None], ...]]] = {
    "blocks": {
        "4 nodes in a row": tuple((n, 4, None) for n in (50, 100, 200, 400, 700, 1000)),
        "8 nodes in a row": tuple((n, 8, None) for n in (50, 100, 200, 400, 700, 1000)),
        "5 nodes, loose": tuple((n, 5, 1.0) for n in (25, 50, 100, 150)),
    },
    "nodes": {
        "100 blocks, in a row": tuple((100, m, None) for m in range(2, 11)),
        "50 blocks, loose": tuple((50, m, 1.0) for m in range(2, 9)),
    },
    "looseness": {
        "50 blocks, 5 nodes": tuple((50, 5, each) for each in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        "100 blocks, 6 nodes": tuple((100, 6, each) for each in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
    },
}
"""By what changes and by line: blocks, nodes and looseness; None: the chain from a slow device to a fast cloud."""
LOOKS = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"))
SHOWN = {"seconds": "seconds", "labels": "labels grown", "memory_mb": "MB of tables and labels"}


def measured(
    blocks: int, nodes: int, looseness: float | None, thresholds: int = THRESHOLDS, seeds: int = SEEDS
) -> dict[str, Any]:
    """Find a frontier for each seed, three times where that is quick; return the point of their medians."""
    found = [_found(blocks, nodes, looseness, thresholds, seed) for seed in range(seeds)]
    proved = all(each["status"] == "optimal" for each in found)
    medians = {name: median(each[name] for each in found) for name in (*SHOWN, "plans")}
    return {"blocks": blocks, "nodes": nodes, "looseness": looseness, **medians, "proved": proved, "each": found}


def _found(blocks: int, nodes: int, looseness: float | None, thresholds: int, seed: int) -> dict[str, Any]:
    if looseness is None:
        instance = instances.chain(blocks, nodes, thresholds, seed=seed)
    else:
        instance = instances.loose(blocks, nodes, thresholds, seed=seed, looseness=looseness)
    topology, profile = instances.load(instance)
    query, seconds = Query(kind="frontier", estimator="marginal"), []
    while not seconds or (len(seconds) < 3 and seconds[0] < QUICK_S):
        answer = tiercut.ask(topology, profile, query, solver="labels", options=Options(time_limit_s=LIMIT_S))
        seconds.append(answer.outcome.seconds)
    outcome = answer.outcome
    size = {"labels": outcome.scored, "memory_mb": outcome.memory_bytes / 1e6, "plans": len(answer)}
    return {"seed": seed, "seconds": median(seconds), **size, "status": outcome.status}


def study(*, smoke: bool = False) -> dict[str, Any]:
    """Measure all points, each once however many lines have it."""
    measured(6, 3, None, 2, 1)  # kernels are loaded
    points: dict[tuple[int, int, float | None], dict[str, Any]] = {}
    for lines in SERIES.values():
        for sizes in lines.values():
            for each in sizes[:1] if smoke else sizes:
                if each not in points:
                    points[each] = measured(*each, 2, 1) if smoke else measured(*each)
                    print(_line(points[each]), flush=True)
    when = {"date": time.strftime("%Y-%m-%d"), "load": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}
    return {"thresholds": THRESHOLDS, "seeds": SEEDS, "limit_s": LIMIT_S, **when, "points": list(points.values())}


def _line(point: dict[str, Any]) -> str:
    looseness = "chain" if point["looseness"] is None else f"loose {point['looseness']:.1f}"
    return (
        f"{point['blocks']:5} blocks {point['nodes']:3} nodes  {looseness:9} {point['seconds']:8.3f} s "
        f"{point['labels']:10,} labels {point['memory_mb']:7.1f} MB {point['plans']:6,} plans"
        + ("" if point["proved"] else "  not all proved")
    )


def plot(results: dict[str, Any], path: Path) -> None:
    """Draw a panel for each thing that changes and each measure; what is not proved in time has an open mark."""
    from matplotlib.figure import Figure

    points = {(each["blocks"], each["nodes"], each["looseness"]): each for each in results["points"]}
    figure = Figure(figsize=(9.0, 7.0), layout="constrained")
    grid = figure.subplots(len(SHOWN), len(SERIES), sharey="row", sharex="col")
    for column, (changes, lines) in enumerate(SERIES.items()):
        for row, (measure, words) in enumerate(SHOWN.items()):
            ax = grid[row][column]
            for place, (name, sizes) in enumerate(lines.items()):
                there = [points[each] for each in sizes if each in points]
                colour, marker = LOOKS[place]
                look: dict[str, Any] = {"color": colour, "marker": marker, "ms": 4.5}
                at = [each[changes] for each in there]
                ax.plot(at, [each[measure] for each in there], lw=1.2, label=name, **look)
                cut = [each for each in there if not each["proved"]]
                look |= {"ls": "none", "mfc": "white"}
                ax.plot([each[changes] for each in cut], [each[measure] for each in cut], zorder=3, **look)
            ax.set(yscale="log", xscale="log" if changes == "blocks" else "linear")
            ax.grid(alpha=0.25, lw=0.5)
            if column == 0:
                ax.set_ylabel(words)
            if row == len(SHOWN) - 1:
                ax.set_xlabel(changes)
            if row == 0:
                ax.legend(fontsize=7.5, frameon=False, loc="upper left")
        if changes == "blocks":
            ticks = (25, 50, 100, 200, 400, 1000)
            grid[-1][column].set_xticks(ticks, [str(each) for each in ticks])
            grid[-1][column].minorticks_off()
    low, high = grid[0][0].get_ylim()
    grid[0][0].set_ylim(low, high * 10)  # room for the legends
    figure.savefig(path, dpi=150)


def main() -> None:
    """Read the call; measure, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plot", action="store_true", help="draw what growth.json holds, and measure nothing")
    parser.add_argument("--smoke", action="store_true", help="the smallest sizes, and write nothing")
    parser.add_argument("--output", type=Path, default=HERE, help="folder of growth.json and growth.png")
    given = parser.parse_args()
    store = given.output / "growth.json"
    results = json.loads(store.read_text(encoding="utf-8")) if given.plot else study(smoke=given.smoke)
    if given.smoke:
        return
    store.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    plot(results, given.output / "growth.png")


if __name__ == "__main__":
    main()
