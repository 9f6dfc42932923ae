"""Runs streams beside their simulation: ``python experiments/streams/run.py``, about nine minutes on an idle machine.

Needs the extras ``offload`` and ``tables``. What came of each run is kept in results.json, so that a call that was
stopped goes on where it was, and the tables of README.md are made of that.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from stream_errors import figures, growth_s, refusal, tables, turning_rate
from stream_plans import NETWORK, PLANS, Planned, Simulated, services_of, simulated

import tiercut

HERE = Path(__file__).parent
SAMPLES = 246
LOADS = {0.5: 3 * SAMPLES, 0.8: 3 * SAMPLES, 0.9: 3 * SAMPLES, 0.95: 2 * SAMPLES, 1.05: 2 * SAMPLES, 1.2: SAMPLES}
"""Of the sustainable rate, and how many frames are sent: all samples once to three times."""

_FIRST, _FIRST_RATE = SAMPLES, 30.0
_PATIENCE_S = 300.0
_BEGIN, _END = "<!-- results -->\n", "<!-- end of results -->"


def main() -> None:
    """Run what has not run yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=HERE / "results.json")
    parser.add_argument("--readme", type=Path, default=HERE / "README.md", help="where the tables go")
    parser.add_argument("--minutes", type=float, default=60.0, help="nothing is begun after so long")
    parser.add_argument("--plans", nargs="*", default=[each.name for each in PLANS])
    parser.add_argument("--loads", type=float, nargs="*", default=list(LOADS))
    parser.add_argument("--frames", type=int, help="of each run, to try it; a 99th percentile needs 700")
    asked = parser.parse_args()
    until = time.monotonic() + 60 * asked.minutes
    kept: dict[str, Any] = {"first": {}, "runs": []}
    if asked.output.exists():
        kept = json.loads(asked.output.read_text(encoding="utf-8"))
        if any("refused" not in each and "with_means" not in each for each in kept["runs"]):
            sys.exit(f"{asked.output} is of an earlier rehearsal: remove it to run all again, or name another --output")
    for planned in (each for each in PLANS if each.name in asked.plans):
        for load in asked.loads:
            wanted = planned.name, load, asked.frames or LOADS[load]
            if any((each["plan"], each["load"], each["frames"]) == wanted for each in kept["runs"]):
                continue
            if time.monotonic() > until:
                print("the time is over; call again to go on")
                return
            if planned.name not in kept["first"]:
                kept["first"][planned.name] = first(planned)
                print(f"{planned.name}: {kept['first'][planned.name]}", flush=True)
            kept["runs"].append(came_of(planned, *wanted[1:], kept["first"][planned.name]))
            asked.output.write_text(json.dumps(kept, indent=1, allow_nan=False) + "\n", encoding="utf-8")
            write_tables(asked.readme, kept["runs"])
            print(told(kept["runs"][-1]), flush=True)


def first(planned: Planned) -> dict[str, Any]:
    """Run a plan at some rate; return the sustainable rate, and what a frame takes of this machine."""
    document, frames = ran(planned, _FIRST_RATE, _FIRST)
    stream = beside(planned, frames, between(document), "predicted_compute_s")
    cores_s = {
        each["node"]: each["frames"] / document["answered"] * each["compute_s"] / each["factor"]
        for each in document["stages"]
        if each["frames"]
    }
    return {
        "sustainable_rate": stream.sustainable_rate,
        "busiest": stream.busiest,
        "cores_s": {**cores_s, "messages": stream.hops_s},
    }


def came_of(planned: Planned, load: float, count: int, known: dict[str, Any]) -> dict[str, Any]:
    """Run a plan at a load, simulate the same frames, and return both."""
    rate = load * known["sustainable_rate"]
    line: dict[str, Any] = {"plan": planned.name, "load": load, "rate": rate, "frames": count}
    if (why := refusal(rate, known["cores_s"])) is not None:
        return {**line, "refused": why}
    line["load_before"] = os.getloadavg()[0]
    document, frames = ran(planned, rate, count)
    variation = [each["predicted"]["compute_variation"] or 0.0 for each in document["stages"]]
    stream = beside(planned, frames, between(document), "predicted_compute_s", variation)
    means = beside(planned, frames, between(document), "predicted_compute_s")
    again = beside(planned, frames, between(document), "compute_s", variation_of(planned, frames))
    there = frames["latency_s"].notna().to_numpy()
    passes = there & (stream.exit > before(planned, stream.busiest))
    interval_s, latency_s = document["interval_s"], frames["latency_s"].to_numpy(float)

    def of(latencies: Any) -> dict[str, float | None]:
        growth = growth_s(latencies.mean(axis=0), stream.alone_s, passes)
        return figures(latencies[:, there]) | {"growth_s": growth, "turning_rate": turning_rate(interval_s, growth)}

    return {
        **line,
        "answered": document["answered"],
        "same_exits": int((frames["exit"].fillna(0).to_numpy(int) == stream.exit).sum()),
        "sustainable_rate": stream.sustainable_rate,
        "load_as_timed": rate / stream.sustainable_rate,
        "busiest": stream.busiest,
        "cores": rate * sum(known["cores_s"].values()),
        "measured": of(latency_s[None]),
        "simulated": of(stream.latency_s),
        "with_means": figures(means.latency_s[:, there]),
        "with_its_services": figures(again.latency_s[:, there]),
        "nodes": [node_of(planned, place, each, frames, stream) for place, each in enumerate(document["stages"])],
    }


def between(document: dict[str, Any]) -> list[float]:
    """Return by stage how soon a worker turns from one frame to the next, as timed before the frames.

    Where too few messages waited for that, it is what the run's frames took to become bytes, which is most of it.
    """
    return [each["predicted"]["turnaround_s"] or each["encode_s"] or 0.0 for each in document["stages"]]


def variation_of(planned: Planned, frames: pd.DataFrame) -> list[float]:
    """Return by stage how much computing varied in the run from frame to frame that left at one exit."""
    found = []
    for stage, (node, last) in enumerate(zip(planned.slowdown, planned.partition, strict=True)):
        took = frames[f"{stage + 1}-{node}.compute_s"]
        there = took.notna() & frames["exit"].notna()
        exits = frames.loc[there, "exit"].astype(int).clip(upper=last)
        found.append(float((took[there] / took[there].groupby(exits).transform("mean")).std(ddof=0)))
    return found


def before(planned: Planned, node: str) -> int:
    """Return the last block of the partition before that of a node; frames that leave there do not come to it."""
    places = list(planned.slowdown)
    return (0, *planned.partition)[places.index(node)] if node in places else 0


def node_of(
    planned: Planned, place: int, stage: dict[str, Any], frames: pd.DataFrame, stream: Simulated
) -> dict[str, Any]:
    """Return how busy a node was, and what its pieces took of what they had taken when they were timed before."""
    name = f"{place + 1}-{stage['node']}"
    there = frames[frames[f"{name}.compute_s"].notna()]
    between_s = stage["predicted"]["turnaround_s"] or stage["encode_s"] or 0.0
    busy_s = there[f"{name}.compute_s"].sum() + len(there) * between_s
    return {
        "node": stage["node"],
        "factor": planned.slowdown[stage["node"]],
        "measured": float(busy_s / frames["ended_s"].max()),
        "simulated": stream.used[stage["node"]],
        "computing": float(there[f"{name}.compute_s"].sum() / there[f"{name}.predicted_compute_s"].sum()),
    }


def ran(planned: Planned, rate: float, count: int) -> tuple[dict[str, Any], pd.DataFrame]:
    """Run a plan for real at a rate; return what the run says, and a row for each frame."""
    document = planned.document()
    topology = tiercut.Topology.from_data(document)
    plan = planned.plan(tiercut.load_profile(NETWORK))
    with tempfile.TemporaryDirectory() as folder:
        answer, where, rows = (Path(folder) / name for name in ("plan.json", "topology.yaml", "frames.parquet"))
        answer.write_text(json.dumps(tiercut.explain(topology, NETWORK, plan).to_data()), encoding="utf-8")
        where.write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML
        words = ["run", str(answer), NETWORK, "--topology", str(where), "--profile", NETWORK, "--data", NETWORK]
        words += ["--local", "--retime", "--rate", f"{rate:.9g} fps", "--frames", str(count)]
        words += ["--parquet", str(rows), "--json"]
        done = subprocess.run(
            [sys.executable, "-m", "tiercut", *words], capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
        if done.returncode:
            sys.exit(f"tiercut run failed: {done.stderr.strip()}")
        return json.loads(done.stdout), pd.read_parquet(rows)


def beside(
    planned: Planned, frames: pd.DataFrame, between_s: list[float], column: str, variation: list[float] | None = None
) -> Simulated:
    """Simulate the frames of a run: due when they were, and served for as long as a column says."""
    hops_s = frames[frames["exit"].notna()].groupby("exit")["predicted_s"].mean()
    with tempfile.TemporaryDirectory() as folder:
        due = Path(folder) / "due.txt"
        due.write_text("\n".join(f"{each:.9f}" for each in np.asarray(frames["due_s"])), encoding="utf-8")
        return simulated(
            planned,
            tiercut.load_profile(NETWORK),
            services_of(frames, planned, column, between_s),
            due,
            {int(block): float(seconds) for block, seconds in hops_s.items()},
            variation,
            frames=len(frames),
        )


def write_tables(path: Path, lines: list[dict[str, Any]]) -> None:
    """Put the tables into the page, between its two marks."""
    text = path.read_text(encoding="utf-8")
    start, rest = text.split(_BEGIN)
    path.write_text(f"{start}{_BEGIN}\n{tables(lines)}\n{_END}{rest.split(_END)[1]}", encoding="utf-8")


def told(line: dict[str, Any]) -> str:
    """Return a line for people."""
    start = f"{line['plan']:15} load {line['load']:.2f} {line['rate']:6.1f} fps"
    if "refused" in line:
        return f"{start} {line['refused']}"
    measured, guess = line["measured"], line["simulated"]
    return f"{start} {1e3 * measured['mean']:8.2f} ms measured {guess['mean'] / measured['mean'] - 1:+.1%} simulated"


if __name__ == "__main__":
    main()
