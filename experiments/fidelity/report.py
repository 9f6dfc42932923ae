"""Tables and the figure of what ``run.py`` measured: ``python experiments/fidelity/report.py``.

Writes ``figure.png`` and the tables of ``README.md``, between its two marks, from ``results.jsonl``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from networks import NETWORKS
from study import COUNT

HERE = Path(__file__).parent
MARKS = "<!-- results -->", "<!-- end of results -->"
HELD_OUT = {each.name for each in NETWORKS if each.held_out}
Line = dict[str, Any]


def main() -> None:
    """Read, compute, write."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "results.jsonl"
    lines = [json.loads(each) for each in source.read_text(encoding="utf-8").splitlines()]
    ran = [each for each in lines if "run" in each]
    text = "\n".join(report(lines, ran))
    readme = HERE / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    readme.write_text(f"{before}{MARKS[0]}\n\n{text}\n{MARKS[1]}{after}", encoding="utf-8")
    draw(ran, HERE / "figure.png")
    print(text)


def pairs(lines: Sequence[Line], name: str) -> np.ndarray:
    """Return predicted and measured seconds of a figure of the latency, [configurations, 2]; those that are known."""
    found = [
        (each["run"]["predicted"]["latency_s"][name], each["run"]["measured"]["latency_s"][name]) for each in lines
    ]
    return np.array([each for each in found if None not in each], dtype=float).reshape(-1, 2)


def errors(of: np.ndarray) -> np.ndarray:
    """Return measured over predicted, less one."""
    return of[:, 1] / of[:, 0] - 1


def report(lines: Sequence[Line], ran: Sequence[Line]) -> list[str]:
    """Return the results as lines of Markdown."""
    skipped = len(lines) - len(ran)
    frames = sum(each["run"]["frames"] for each in ran)
    same = sum(each["run"]["same_as_uncut"] for each in ran)
    answered = sum(each["run"]["answered"] for each in ran)
    failed = sum(each["run"]["failed"] for each in ran)
    loads = [each["load_before"] for each in ran]
    out = [
        f"{len(ran)} of {COUNT} configurations have run ({skipped} have no plan that is quick enough): {frames} "
        f"frames, {answered} answered, {failed} failed, {same} as the uncut network answers. Load of the machine "
        f"before each: median {np.median(loads):.1f}, {max(loads):.1f} at most.",
        "",
    ]
    return [*out, *latency_table(ran), *group_table(ran), *term_table(ran), *answer_table(ran)]


def latency_table(ran: Sequence[Line]) -> list[str]:
    """Return how far the latencies are from their prediction."""
    out = [
        "| latency | configurations | median error | 95 % within | within 5 % | slope | R² | bias | scatter |",
        "|" + " --- |" * 9,
    ]
    for name in ("mean", "p50", "p95", "p99"):
        of = pairs(ran, name)
        if not len(of):
            continue
        off = errors(of)
        slope, fit = line_through(of)
        out.append(
            f"| {name} | {len(of)} | {np.median(np.abs(off)):.1%} | {np.quantile(np.abs(off), 0.95):.1%} | "
            f"{np.mean(np.abs(off) <= 0.05):.0%} | {slope:.3f} | {fit:.4f} | {np.median(off):+.1%} | "
            f"{spread(off):.1%} |"
        )
    return [
        *out,
        "",
        "An error is measured over predicted, less one. Bias is its median, scatter half of the width that holds the "
        "middle 68 %. Slope and R² are those of measured on predicted, least squares with an intercept.",
        "",
    ]


def line_through(of: np.ndarray) -> tuple[float, float]:
    """Return slope and R² of measured on predicted."""
    if len(of) < 3:
        return float("nan"), float("nan")
    slope, start = np.polyfit(of[:, 0], of[:, 1], 1)
    left = of[:, 1] - (slope * of[:, 0] + start)
    return float(slope), float(1 - np.sum(left**2) / np.sum((of[:, 1] - of[:, 1].mean()) ** 2))


def spread(off: np.ndarray) -> float:
    """Return half of the width that holds the middle 68 % of some errors."""
    return float(np.subtract(*np.quantile(off, [0.84, 0.16])) / 2)


GROUPS: tuple[tuple[str, Callable[[Line], str]], ...] = (
    ("network", lambda each: titled(each["configuration"]["network"])),
    ("machines", lambda each: str(each["configuration"]["nodes"])),
    ("plan", lambda each: each["configuration"]["kind"]),
    ("slowest link", lambda each: rate_band(min(each["configuration"]["bandwidths"]))),
)


def titled(name: str) -> str:
    """Return the name of a network, and whether it was held out."""
    return f"{name} (held out)" if name in HELD_OUT else name


def rate_band(rate: float) -> str:
    """Return the band that a bandwidth in bytes per second lies in."""
    mbps = 8 * rate / 1e6
    return "5 to 20 Mb/s" if mbps < 20 else "20 to 100 Mb/s" if mbps < 100 else "100 to 500 Mb/s"


def group_table(ran: Sequence[Line]) -> list[str]:
    """Return the errors of the mean by kinds of configurations."""
    out = ["| mean latency, by | | configurations | bias | scatter | within 5 % |", "|" + " --- |" * 6]
    for title, group in GROUPS:
        for name in sorted({group(each) for each in ran}):
            off = errors(pairs([each for each in ran if group(each) == name], "mean"))
            cells = f"{len(off)} | {np.median(off):+.1%} | {spread(off):.1%} | {np.mean(np.abs(off) <= 0.05):.0%}"
            out.append(f"| {title} | {name} | {cells} |")
    return [*out, ""]


def terms(line: Line) -> dict[str, float]:
    """Return by how much each term is longer than predicted, in seconds a frame, over all frames."""
    found = dict.fromkeys(("to the first machine", "computing", "between machines", "return"), 0.0)
    run = line["run"]
    stages = run["stages"]
    for place, stage in enumerate(stages):
        reach = stage["frames"] / run["answered"]
        add(found, "computing", reach, stage["compute_s"], stage["predicted"]["compute_s"])
        hop = [stage["queue_s"], stage["decode_s"]]
        before = stages[place - 1] if place else None
        way = stage["input_s"] if before is None else before["send_s"]
        wanted = stage["predicted"]["input_s"] if before is None else before["predicted"]["send_s"]
        encode = None if before is None else before["encode_s"]
        whole = None if way is None else way + sum(each or 0.0 for each in (*hop, encode))
        add(found, "to the first machine" if before is None else "between machines", reach, whole, wanted)
        after = stages[place + 1]["frames"] / run["answered"] if place + 1 < len(stages) else 0.0
        add(found, "return", reach - after, stage["result_s"], stage["predicted"]["result_s"])
    return found


def add(found: dict[str, float], name: str, share: float, measured: float | None, predicted: float | None) -> None:
    """Add what a step took more than predicted."""
    if measured is not None and predicted is not None:
        found[name] += share * (measured - predicted)


def term_table(ran: Sequence[Line]) -> list[str]:
    """Return what each term adds to the error."""
    off = [(terms(each), each["run"]["predicted"]["latency_s"]["mean"]) for each in ran]
    out = ["| term | bias | scatter | of the mean latency |", "|" + " --- |" * 4]
    for name in off[0][0] if off else ():
        seconds = np.array([each[name] for each, _ in off])
        share = np.array([each[name] / whole for each, whole in off])
        out.append(
            f"| {name} | {1e6 * np.median(seconds):+.0f} us | {1e6 * spread(seconds):.0f} us | "
            f"{np.median(share):+.1%} |"
        )
    return [*out, ""]


def answer_table(ran: Sequence[Line]) -> list[str]:
    """Return how far accuracies and exit rates are from their prediction."""
    rates, accuracies = [], []
    for each in ran:
        measured, predicted = each["run"]["measured"], each["run"]["predicted"]
        rates += [abs(rate - predicted["exit_rate"].get(block, 0.0)) for block, rate in measured["exit_rate"].items()]
        if measured["accuracy"] is not None and predicted["accuracy"] is not None:
            accuracies.append(abs(measured["accuracy"] - predicted["accuracy"]))
    out = ["| of the same samples | largest difference | mean |", "|" + " --- |" * 3]
    for name, values in (("exit rate", rates), ("accuracy", accuracies)):
        if values:
            out.append(f"| {name} | {100 * max(values):.2f} points | {100 * np.mean(values):.3f} points |")
    return [*out, ""]


def draw(ran: Sequence[Line], path: Path) -> None:
    """Draw measured over predicted, and the errors."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
    for name in sorted({each["configuration"]["network"] for each in ran}):
        of = 1e3 * pairs([each for each in ran if each["configuration"]["network"] == name], "mean")
        label = titled(name)
        left.loglog(of[:, 0], of[:, 1], ".", label=label)
        right.semilogx(of[:, 0], 100 * (of[:, 1] / of[:, 0] - 1), ".", label=label)
    ends = np.array([left.get_xlim()[0], left.get_xlim()[1]])
    left.plot(ends, ends, color="0.6", lw=0.8, zorder=0)
    left.set(xlabel="predicted (ms)", ylabel="measured (ms)", title="mean latency")
    right.axhline(0, color="0.6", lw=0.8, zorder=0)
    right.axhspan(-5, 5, color="0.93", zorder=0)
    right.set(xlabel="predicted (ms)", ylabel="error (%)", title="measured over predicted, less one; grey: within 5 %")
    left.legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
