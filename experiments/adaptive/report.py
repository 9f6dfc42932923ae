"""Tables and the figure of what ``run.py`` measured: ``python experiments/adaptive/report.py``.

Writes ``figure.png`` and all that ``README.md`` says of results, between its two marks, from ``results.jsonl`` (or the
file that is named; with ``--print`` nothing is written).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from networks import NETWORKS
from study import CPU, EDGE, MBPS, MEMORY, rounds

HERE = Path(__file__).parent
MARKS = "<!-- results -->", "<!-- end of results -->"
CONDITIONS = [(*loads, mbps) for each in rounds() for loads in each for mbps in MBPS]
NEAR = 0.05


@dataclass(frozen=True)
class Case:
    """A network under a condition.

    Parameters
    ----------
    network, condition
        Its name; per cent of CPU and memory, and Mb/s.
    cuts
        What people call the P plans that ran, the best prediction first.
    predicted_s, measured_s
        P: what each was predicted to take, and the median of its frames.
    spread
        P: half of the width that holds the middle half of its frames, over their median.
    """

    network: str
    condition: tuple[int, int, int]
    cuts: tuple[str, ...]
    predicted_s: np.ndarray
    measured_s: np.ndarray
    spread: np.ndarray

    @property
    def best(self) -> int:
        """Which plan took the least."""
        return int(np.argmin(self.measured_s))

    @property
    def first(self) -> int:
        """Which plan was predicted to."""
        return int(np.argmin(self.predicted_s))

    @property
    def regret(self) -> float:
        """How much longer the predicted plan took than the best one that ran, as a share of that."""
        return float(self.measured_s[self.first] / self.measured_s[self.best] - 1)

    def seconds(self, cut: str) -> float | None:
        """Return what a plan took; None if it did not run."""
        return float(self.measured_s[self.cuts.index(cut)]) if cut in self.cuts else None


def case_of(line: dict[str, Any]) -> Case:
    """Return what stands in a line."""
    plans = line["plans"]
    frames = [np.array(each["latency_s"]) for each in plans]
    middle = np.array([np.median(each) for each in frames])
    widths = np.array([np.subtract(*np.quantile(each, [0.75, 0.25])) / 2 for each in frames])
    predicted = np.array([each["predicted_s"] for each in plans])
    condition = line["cpu"], line["memory"], line["mbps"]
    return Case(line["network"], condition, tuple(map(cut_of, plans)), predicted, middle, widths / middle)


def cut_of(plan: dict[str, Any]) -> str:
    """Return what people call a plan: the block that it is cut after, or the one machine that it runs on."""
    return plan["placement"][0] if len(plan["placement"]) == 1 else str(plan["partition"][0])


def main() -> None:
    """Read, compute, write."""
    words = [each for each in sys.argv[1:] if each != "--print"]
    source = Path(words[0]) if words else HERE / "results.jsonl"
    lines = [json.loads(each) for each in source.read_text(encoding="utf-8").splitlines()] if source.exists() else []
    if not lines:
        print("nothing has run")
        return
    text = "\n".join(report(lines))
    print(text)
    if "--print" in sys.argv:
        return
    readme = HERE / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    readme.write_text(f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{after}", encoding="utf-8")
    draw([case_of(each) for each in lines], HERE / "figure.png")


def report(lines: Sequence[dict[str, Any]]) -> list[str]:
    """Return the results as lines of Markdown."""
    cases = [case_of(each) for each in lines]
    loads = [each["load_before"] for each in lines]
    ran, frames = sum(len(each.cuts) for each in cases), sum(len(p["latency_s"]) for x in lines for p in x["plans"])
    return [
        f"{len(cases)} of {len(NETWORKS) * len(CONDITIONS)} combinations of a network and a condition have run: {ran} "
        f"plans, {frames} frames. The load of the machine before each was {np.median(loads):.1f} (median; its own load "
        f"from `stress-ng` and earlier runs is part of that), {max(loads):.1f} at most.",
        "",
        "![Predicted beside measured, and regret by network and condition](figure.png)",
        "",
        *network_table(cases),
        *condition_table(cases),
        *cut_table(cases),
        *curve_table(lines),
    ]


def network_table(cases: Sequence[Case]) -> list[str]:
    """Return how often prediction and measurement name the same plan, and what it costs where they do not."""
    out = [
        "| network | conditions | same best | regret at most 5 % | regret where not the same: median | most | "
        "predicted off by (median) | cuts that are the best somewhere: predicted | measured | "
        "moving gains (mean) | of what is possible |",
        "|" + " --- |" * 11,
    ]
    names = [each.name for each in NETWORKS if any(case.network == each.name for case in cases)]
    for name in [*names, "all"]:
        own = [each for each in cases if name in ("all", each.network)]
        off = np.concatenate([np.abs(each.measured_s / each.predicted_s - 1) for each in own])
        named = [listed(each.cuts[place(each)] for each in own) for place in (lambda x: x.first, lambda x: x.best)]
        moved, possible = gains(cases, own)
        out.append(
            f"| {name} | {len(own)} | {regrets(own)} | {np.median(off):.0%} | "
            f"{' | '.join(named) if name != 'all' else ' | '} | {share(moved)} | {share(possible)} |"
        )
    return [
        *out,
        "",
        "*Same best*: of the plans that ran, the one with the least predicted latency had the least measured median. "
        "*Regret*: by how much longer it took than the best, over that. *Off*: all plans that ran, measured over "
        "predicted, less one. *Moving*: what the plan that is predicted for a condition takes less than the one "
        "predicted for the baseline, both as measured there, over the latter; what is possible takes the best that ran "
        f"in place of the predicted one. A number is the block after which is cut; {EDGE} and cloud have the whole "
        "network.",
        "",
    ]


def regrets(cases: Sequence[Case]) -> str:
    """Return four cells: how often the same, how often nearly, and the regret where not."""
    missed = [each.regret for each in cases if each.first != each.best]
    near = sum(each.regret <= NEAR for each in cases)
    told = f"{np.median(missed):.1%} | {max(missed):.1%}" if missed else "- | -"
    return f"{len(cases) - len(missed)} | {near} | {told}"


def gains(every: Sequence[Case], own: Iterable[Case]) -> tuple[list[float], list[float]]:
    """Return what moving away from the baseline's plan gains under each other condition: as predicted, and at best."""
    baseline = {each.network: each.cuts[each.first] for each in every if each.condition == (0, 0, max(MBPS))}
    moved, possible = [], []
    for each in own:
        static_s = each.seconds(baseline.get(each.network, ""))
        if static_s is not None and each.condition != (0, 0, max(MBPS)):
            moved.append(1 - float(each.measured_s[each.first]) / static_s)
            possible.append(1 - float(each.measured_s[each.best]) / static_s)
    return moved, possible


def share(values: Sequence[float]) -> str:
    """Return the mean of some shares; ``-`` of none."""
    return f"{np.mean(values):.1%}" if values else "-"


def listed(cuts: Iterable[str]) -> str:
    """Return cuts in the order of blocks, each once."""
    return ", ".join(sorted(set(cuts), key=lambda cut: (int(cut) if cut.isdecimal() else cut == EDGE and 1e9, cut)))


def condition_table(cases: Sequence[Case]) -> list[str]:
    """Return the same by conditions."""
    out = [
        "| CPU | memory | Mb/s | networks | same best | regret at most 5 % | regret where not the same: median | most "
        "| measured over predicted (median) | where nothing or all runs on the edge |",
        "|" + " --- |" * 10,
    ]
    for condition in CONDITIONS:
        own = [each for each in cases if each.condition == condition]
        if own:
            over = {
                cut: [each.seconds(cut) / each.predicted_s[each.cuts.index(cut)] for each in own if cut in each.cuts]
                for cut in ("cloud", EDGE)
            }
            every = np.concatenate([each.measured_s / each.predicted_s for each in own])
            cells = " | ".join(f"{each}" for each in condition)
            named = " and ".join(f"{np.median(values):.2f}" if values else "-" for values in over.values())
            out.append(f"| {cells} | {len(own)} | {regrets(own)} | {np.median(every):.2f} | {named} |")
    return [*out, ""]


def cut_table(cases: Sequence[Case]) -> list[str]:
    """Return the best cut as predicted and as measured, of every network under every condition."""
    heads = [f"{cpu}/{memory}, {mbps}" for cpu, memory, mbps in CONDITIONS]
    out = ["| CPU/memory, Mb/s | " + " | ".join(heads) + " |", "|" + " --- |" * (len(heads) + 1)]
    for network in NETWORKS:
        cells = []
        for condition in CONDITIONS:
            found = [each for each in cases if (each.network, each.condition) == (network.name, condition)]
            cells.append(told(found[-1]) if found else "")
        if any(cells):
            out.append(f"| {network.name} | " + " | ".join(cells) + " |")
    return [*out, "", "Predicted best cut; where another one was measured to be the best: > that one (regret).", ""]


def told(case: Case) -> str:
    """Return the best cuts of a case for people."""
    first = case.cuts[case.first]
    return first if case.first == case.best else f"{first} > {case.cuts[case.best]} ({case.regret:.0%})"


def curve_table(lines: Sequence[dict[str, Any]]) -> list[str]:
    """Return what was profiled: blocks, seconds, and how much slower loads make each network."""
    levels = [*(("cpu", each) for each in CPU if each), *(("memory", each) for each in MEMORY if each)]
    heads = " | ".join(f"{'CPU' if kind == 'cpu' else kind} at {level} %" for kind, level in levels)
    out = [f"| network | blocks | whole | {heads} |", "|" + " --- |" * (3 + len(levels))]
    known = {each["network"]: each for each in lines}
    for network in NETWORKS:
        if network.name in known:
            line = known[network.name]
            factors = [line["curve"][kind][str(level / 100)] for kind, level in levels]
            cells = " | ".join(f"{each:.2f}" for each in factors)
            out.append(f"| {network.name} | {line['blocks']} | {1e3 * line['whole_s']:.1f} ms | {cells} |")
    return [*out, "", "As profiled on the edge's processor: how many times as long the network takes under each load."]


def draw(cases: Sequence[Case], path: Path) -> None:
    """Draw measured over predicted, and the regret of every case."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    names = [each.name for each in NETWORKS if any(case.network == each.name for case in cases)]
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.8), layout="constrained", width_ratios=(1, 1.35))
    for place, name in enumerate(names):
        own = [each for each in cases if each.network == name]
        predicted, measured = (
            1e3 * np.concatenate([getattr(each, of) for each in own]) for of in ("predicted_s", "measured_s")
        )
        left.loglog(predicted, measured, ".", color=f"C{place}", label=name)
    ends = np.array(left.get_xlim())
    left.plot(ends, ends, color="0.6", lw=0.8, zorder=0)
    left.set(xlabel="predicted (ms)", ylabel="measured (ms)", title="every plan that ran, medians")
    left.legend(fontsize=8)
    table = np.full((len(names), len(CONDITIONS)), np.nan)
    for each in cases:
        at = names.index(each.network), CONDITIONS.index(each.condition)
        table[at] = 100 * each.regret
        text = "same" if each.first == each.best else f"{each.cuts[each.first]}>\n{each.cuts[each.best]}"
        shade = "white" if table[at] > 15 else "black"
        right.text(at[1], at[0], text, ha="center", va="center", fontsize=7, color=shade)
    image = right.imshow(np.minimum(table, 30), cmap="YlOrRd", vmin=0, vmax=30, aspect="auto", alpha=0.8)
    right.set_yticks(range(len(names)), names)
    heads = [f"{cpu}/{memory}\n{mbps}" for cpu, memory, mbps in CONDITIONS]
    right.set_xticks(range(len(CONDITIONS)), heads, fontsize=8)
    right.set(xlabel="CPU/memory of the edge (%), Mb/s", title="best cut: predicted > measured, and its regret")
    figure.colorbar(image, ax=right, label="regret (%), 30 and more alike")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
