"""Tables and the figure of what ``run.py`` measured: ``python experiments/fidelity/report.py``.

Writes ``figure.png`` and all that ``README.md`` says of results, between its two marks, from ``results.jsonl`` (or the
file that is named; with ``--print`` nothing is written). What ran once more, of ``again.jsonl``, is said of the largest
errors alone.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from networks import NETWORKS
from study import COUNT

HERE = Path(__file__).parent
AGAIN = HERE / "again.jsonl"
MARKS = "<!-- results -->", "<!-- end of results -->"
HELD_OUT = {each.name for each in NETWORKS if each.held_out}
Line = dict[str, Any]


def main() -> None:
    """Read, compute, write."""
    words = [each for each in sys.argv[1:] if each != "--print"]
    source = Path(words[0]) if words else HERE / "results.jsonl"
    lines = [json.loads(each) for each in source.read_text(encoding="utf-8").splitlines()] if source.exists() else []
    ran = [each for each in lines if "run" in each]
    if not ran:
        print("nothing has run")
        return
    text = "\n".join(report(lines, ran))
    print(text)
    if "--print" in sys.argv:
        return
    readme = HERE / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    readme.write_text(f"{before}{MARKS[0]}\n\n{text}\n{MARKS[1]}{after}", encoding="utf-8")
    draw(ran, HERE / "figure.png")


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
    skipped = Counter(each["skipped"] for each in lines if "run" not in each)
    runs = [each["run"] for each in ran]
    frames, same, answered, failed = (
        sum(each[name] for each in runs) for name in ("frames", "same_as_uncut", "answered", "failed")
    )
    coded = [each for each in ran if any(each["codecs"])]
    loads = [each["load_before"] for each in ran]
    queued = [max(stage["queue_s"] or 0.0 for stage in each["stages"]) for each in runs]
    out = [
        f"{len(ran)} of {COUNT} configurations have run, {len(coded)} of them with codecs: {frames} frames, {answered} "
        f"answered, {failed} failed, {same} as the uncut network answers (with codecs: as the pieces do with the "
        f"codecs between them). Load of the machine before each: median {np.median(loads):.1f}, {max(loads):.1f} at "
        f"most. Frames waited for a worker {1e3 * np.median(queued):.2f} ms at the busiest machine of a configuration "
        f"(median), in {sum(each > _QUEUE_S for each in queued)} configurations more than {1e3 * _QUEUE_S:.0f} ms.",
        "",
        *(f"{count} did not run: {why}.\n" for why, count in skipped.items()),
        "![Predicted and measured mean latency](figure.png)",
        "",
    ]
    tables = (aim_table, latency_table, group_table, term_table, reach_table, answer_table, what_remains, worst)
    return [*out, *(line for table in tables for line in table(ran))]


_QUEUE_S = 0.001


def aim_table(ran: Sequence[Line]) -> list[str]:
    """Return what is aimed at, and what came of it."""
    of = pairs(ran, "mean")
    off = np.abs(errors(of))
    slope, fit = line_through(of)
    late = np.abs(errors(pairs(ran, "p99")))
    same = sum(each["run"]["same_as_uncut"] for each in ran)
    frames = sum(each["run"]["frames"] for each in ran)
    rows = [
        ("mean latency: median error", "2 %", f"{np.median(off):.1%}", np.median(off) <= 0.02),
        ("mean latency: within 5 %", "95 %", f"{np.mean(off <= 0.05):.0%}", np.mean(off <= 0.05) >= 0.95),
        ("slope", "0.98 to 1.02", f"{slope:.3f}", 0.98 <= slope <= 1.02),
        ("R²", "above 0.995", f"{fit:.4f}", fit > 0.995),
        ("answers as those of the uncut network", "all", f"{same} of {frames}", same == frames),
    ]
    if len(late):
        said = f"median {np.median(late):.1%}, {np.sum(late <= 0.1)} of {len(late)} within"
        rows.append(("p99 of 700 frames", "within 10 %", said, bool(np.all(late <= 0.1))))
    out = ["| | aim | reached | |", "|" + " --- |" * 4]
    return [*out, *(f"| {a} | {b} | {c} | {'yes' if met else 'no'} |" for a, b, c, met in rows), ""]


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
    ("codecs", lambda each: "some" if any(each["codecs"]) else "none"),
    ("slowed at most", lambda each: slowdown_band(max(each["configuration"]["slowdowns"]))),
)


def titled(name: str) -> str:
    """Return the name of a network, and whether it was held out."""
    return f"{name} (held out)" if name in HELD_OUT else name


def rate_band(rate: float) -> str:
    """Return the band that a bandwidth in bytes per second lies in."""
    mbps = 8 * rate / 1e6
    return "5 to 20 Mb/s" if mbps < 20 else "20 to 100 Mb/s" if mbps < 100 else "100 to 500 Mb/s"


def slowdown_band(factor: float) -> str:
    """Return the band that a slowdown lies in."""
    return "1 to 5 times" if factor <= 5 else "5 to 15 times" if factor <= 15 else "15 to 30 times"


def group_table(ran: Sequence[Line]) -> list[str]:
    """Return the errors of the mean by kinds of configurations."""
    out = ["| mean latency, by | | configurations | bias | scatter | within 5 % |", "|" + " --- |" * 6]
    for title, group in GROUPS:
        for name in sorted({group(each) for each in ran}):
            off = errors(pairs([each for each in ran if group(each) == name], "mean"))
            cells = f"{len(off)} | {np.median(off):+.1%} | {spread(off):.1%} | {np.mean(np.abs(off) <= 0.05):.0%}"
            out.append(f"| {title} | {name} | {cells} |")
    return [*out, ""]


def term_table(ran: Sequence[Line]) -> list[str]:
    """Return what each term adds to the error."""
    off = [(each["terms_s"] | coding(each), each["run"]["predicted"]["latency_s"]["mean"]) for each in ran]
    out = ["| term | bias | scatter | of the mean latency | scatter of that |", "|" + " --- |" * 5]
    for name in dict.fromkeys(name for each, _ in off for name in each):
        seconds = np.array([each[name] for each, _ in off if name in each])
        share = np.array([each[name] / whole for each, whole in off if name in each])
        out.append(
            f"| {name} | {1e6 * np.median(seconds):+.0f} us | {1e6 * spread(seconds):.0f} us | "
            f"{np.median(share):+.1%} | {spread(share):.1%} |"
        )
    return [
        *out,
        "",
        "Terms are means over all frames of a configuration, of which some do not come to every machine. They hold "
        "serialisation and waking up with the hop to which they belong, and the first one that the source sends late.",
        "",
    ]


def coding(line: Line) -> dict[str, float]:
    """Return by how many seconds encoding and decoding are longer than predicted, on average over all frames."""
    stages = line["run"]["stages"]
    off = [
        each["frames"] * (each["coding_s"] - each["predicted"]["coding_s"])
        for each in stages
        if each.get("coding_s") is not None and each["predicted"].get("coding_s") is not None
    ]
    return {"of these, codecs (where there are some)": sum(off) / line["run"]["answered"]} if off else {}


def what_remains(ran: Sequence[Line]) -> list[str]:
    """Return what is left of the error, and how much of it the machine itself is."""
    off = errors(pairs(ran, "mean"))
    drift = [each["halves"][1] - each["halves"][0] for each in ran if each["halves"] is not None] or [np.nan]
    shares = {
        name: np.array([each["terms_s"][name] / each["run"]["predicted"]["latency_s"]["mean"] for each in ran])
        for name in ran[0]["terms_s"]
    }
    most = max(shares, key=lambda name: float(np.median(np.abs(shares[name]))))
    return [
        f"What remains: the median error of the mean is {np.median(np.abs(off)):.1%}, of which bias is "
        f"{np.median(off):+.1%} and scatter {spread(off):.1%}. The medians of both halves of the frames of one "
        f"configuration, between which nothing changes but the machine, differ by {np.median(np.abs(drift)):.1%} "
        f"(median; {np.quantile(np.abs(drift), 0.95):.1%} in 95 % of the configurations), which no prediction that is "
        f"made before can foresee. The term that is off the most is {most} (median of its size "
        f"{np.median(np.abs(shares[most])):.1%} of the latency).",
        "",
    ]


_WORST = 3


def worst(ran: Sequence[Line]) -> list[str]:
    """Return what is known of the largest errors."""
    off = errors(pairs(ran, "mean"))
    found = sorted(zip(np.abs(off), off, ran, strict=True), key=lambda each: -each[0])[:_WORST]
    again = [json.loads(each) for each in AGAIN.read_text(encoding="utf-8").splitlines()] if AGAIN.exists() else []
    out = ["The largest errors:", ""]
    for _, error, line in found:
        own = line["configuration"]
        parts = [
            f"- {error:+.1%} in number {own['number']} ({own['network']}, {own['nodes']} machines, slowed up to "
            f"{max(own['slowdowns']):.0f} times), most by "
            f"{max(line['terms_s'], key=lambda name: abs(line['terms_s'][name]))}.",
            *over_profile(line, ran),
        ]
        if along := line.get("computing"):
            parts.append(
                f"From tenth to tenth of its frames computing took {min(along):.2f} to {max(along):.2f} of what it had "
                "taken in the rehearsal."
            )
        if else_ := line.get("elsewhere"):
            parts.append(
                f"Meanwhile {else_['others']:.2f} processors were busy with what is no part of the run, and "
                f"{else_['stolen']:.2f} were taken away."
            )
        once_more = [each for each in again if "run" in each and each["configuration"]["number"] == own["number"]]
        if once_more:
            said = ", ".join(f"{each:+.1%}" for each in errors(pairs(once_more, "mean")))
            parts.append(f"Run again, with nothing changed: {said}.")
        out.append(" ".join(parts))
    return [*out, ""]


def over_profile(line: Line, ran: Sequence[Line]) -> list[str]:
    """Return how long pieces took, before the frames and for them, as multiples of what the profile has for them."""
    name = line["configuration"]["network"]
    others = [each for each in ran if each is not line and each["configuration"]["network"] == name]
    told = [slowness(each) for each in others if "profiled_s" in each]
    if "profiled_s" not in line or not told:
        return []
    before, during = slowness(line)
    usual = np.median(np.array(told), axis=0)
    return [
        f"Its pieces took {before:.1f} times the seconds of the profile in the rehearsal and {during:.1f} times in the "
        f"frames; those of the other configurations of {name} {usual[0]:.1f} and {usual[1]:.1f} times (medians)."
    ]


def slowness(line: Line) -> tuple[float, float]:
    """Return computing in the rehearsal and in the run over that of the profile, over all frames."""
    stages = [each for each in zip(line["run"]["stages"], line["profiled_s"], strict=True) if each[0]["frames"]]
    profiled = sum(stage["frames"] * seconds for stage, seconds in stages)
    before = sum(stage["frames"] * stage["predicted"]["compute_s"] for stage, _ in stages)
    return before / profiled, sum(stage["frames"] * stage["compute_s"] for stage, _ in stages) / profiled


REACHES = (
    ("all frames come, first", 1.0),
    ("all frames come, later", 1.0),
    ("1 of 5 or more come", 0.2),
    ("fewer", 0.0),
)


def reach_table(ran: Sequence[Line]) -> list[str]:
    """Return how much longer computing took than in the rehearsal, by how many frames come to a machine."""
    by_kind: dict[str, list[float]] = {name: [] for name, _ in REACHES}
    for each in ran:
        for place, stage in enumerate(each["run"]["stages"]):
            if stage["frames"]:
                share = stage["frames"] / each["run"]["answered"]
                kinds = [name for name, least in REACHES[0 if place == 0 else 1 :] if share >= least]
                by_kind[kinds[0]].append(stage["compute_s"] / stage["predicted"]["compute_s"] - 1)
    out = ["| computing on a machine to which | machines | bias | scatter |", "|" + " --- |" * 4]
    for name, off in by_kind.items():
        if off:
            out.append(f"| {name} | {len(off)} | {np.median(off):+.1%} | {spread(np.array(off)):.1%} |")
    return [
        *out,
        "",
        "Four messages of a rehearsal at least leave at every exit, so machines to which few frames come rest longer "
        "in the run than in it, and the pace counts; they have little weight in a mean.",
        "",
    ]


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
