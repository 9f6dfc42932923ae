"""Measures cuts of eight networks under load: ``python experiments/adaptive/run.py FOLDER --minutes 14``.

FOLDER holds what ``networks.py`` wrote. Each network is profiled here first, on one processor, alone and under load.
Then the plans that are predicted to be the best under each condition are run by agents as processes of their own: that
of the edge on the first processor, where stress-ng runs too, that of the cloud on the second, and the link shaped.
What came of it are lines of ``results.jsonl`` beside this file, so that a study that was stopped goes on where it was.
``report.py`` makes tables and the figure. Needs the extra ``offload``, two processors, and stress-ng.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from networks import NETWORKS, Network
from study import CPU, EDGE, LINK, MBPS, MEMORY, Condition, planned, rounds, topology

import tiercut

HERE = Path(__file__).parent
RESULTS = HERE / "results.jsonl"
LIMIT_S = 3
"""For timing a network, and as much under each load."""

_SPENT_S, _LEAST, _MOST = 0.6, 3, 9
"""A plan is run for so many seconds under each condition as predicted, but so many frames at least and at most."""


def main() -> None:
    """Run what has not run yet, for so many minutes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="what networks.py wrote")
    parser.add_argument("--minutes", type=float, default=14.0, help="nothing is begun after so long")
    parser.add_argument("--networks", nargs="*", help="by their names; default: all")
    parser.add_argument("--rounds", type=int, nargs="*", help="1 to 3; default: all")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2:
        raise SystemExit("the study takes two processors: one for the edge and its load, one for the cloud")
    if asked.one:
        network = next(each for each in NETWORKS if each.name == asked.one[0])
        for line in measured(network, asked.folder, rounds()[int(asked.one[1])], processors[:2]):
            print(json.dumps(line, allow_nan=False), flush=True)
        return
    begun = time.monotonic()
    todo = [(number, network) for number in range(len(rounds())) for network in NETWORKS]
    for number, network in todo:
        if (asked.networks and network.name not in asked.networks) or (asked.rounds and number + 1 not in asked.rounds):
            continue
        if (network.name, number) in done_in(asked.output):
            continue
        if time.monotonic() - begun > 60 * asked.minutes:
            print("the time is over; call again to go on")
            return
        profile(network, asked.folder, processors[0])
        for line in one(network, number, asked.folder):
            with asked.output.open("a", encoding="utf-8") as out:
                out.write(line + "\n")
        print(f"{(time.monotonic() - begun) / 60:5.1f} min  {network.name}, round {number + 1}", flush=True)
    print("everything has run")


def done_in(path: Path) -> set[tuple[str, int]]:
    """Return which networks had which of their rounds."""
    if not path.exists():
        return set()
    lines = [json.loads(each) for each in path.read_text(encoding="utf-8").splitlines()]
    had = {(each["network"], each["cpu"], each["memory"], each["mbps"]) for each in lines}
    return {
        (network.name, number)
        for network in NETWORKS
        for number, loads in enumerate(rounds())
        if all((network.name, *each, mbps) in had for each in loads for mbps in MBPS)
    }


def profile(network: Network, folder: Path, processor: int) -> None:
    """Profile a network on a processor, alone and under loads, unless that was done."""
    if network.profile(folder).exists():
        return
    levels = ",".join(str(each) for each in sorted({*CPU, *MEMORY}))
    words = ("--threads", "1", "--device", "here", "--stress-levels", levels, "--limit", f"{LIMIT_S} s")
    command = [sys.executable, "-m", "tiercut", "profile", str(network.file(folder)), *words]
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {processor})  # which the command inherits
    try:
        done = subprocess.run(
            [*command, "--output", str(network.profile(folder))], capture_output=True, text=True, check=False
        )
    finally:
        os.sched_setaffinity(0, before)
    if done.returncode:
        raise SystemExit(done.stderr)


def one(network: Network, number: int, folder: Path) -> list[str]:
    """Run a round of a network in a process of its own, which gives its memory back, and return its lines."""
    command = [sys.executable, __file__, str(folder), "--one", network.name, str(number)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()


def measured(
    network: Network, folder: Path, loads: Sequence[tuple[int, int]], processors: Sequence[int]
) -> list[dict[str, Any]]:
    """Run the plans of each condition, and return what they took."""
    os.sched_setaffinity(0, {processors[1]})  # the source has little to do: it shares the cloud's
    found = tiercut.load_profile(network.profile(folder))
    wanted = {each: plans for each, plans in planned(found).items() if (each.cpu, each.memory) in loads}
    first = next(iter(wanted.values()))[0].plan
    lines = []
    pins = dict(zip((EDGE, "cloud"), processors, strict=True))
    files = network.file(folder), network.data(folder)
    with tiercut.open_bench(first, topology(), found, *files, processors=pins) as bench:
        for cpu, memory in loads:
            bench.prepare([each.plan for mbps in MBPS for each in wanted[Condition(cpu, memory, mbps)]])
            with bench.loaded(EDGE, {"cpu": cpu / 100, "memory": memory / 100}):
                for mbps in MBPS:
                    condition, before = Condition(cpu, memory, mbps), os.getloadavg()[0]
                    bench.set_bandwidth(LINK, mbps * 1e6 / 8)
                    latencies = in_turn(bench, wanted[condition])
                    lines.append(line_of(network, found, condition, before, wanted[condition], latencies))
    return lines


def in_turn(bench: Any, plans: Sequence[Any]) -> list[list[float]]:
    """Return the latencies of each plan: a frame of each, then the next of each, so that all meet the same machine."""
    counts = [min(max(round(_SPENT_S / each.predicted_s), _LEAST), _MOST) for each in plans]
    latencies: list[list[float]] = [[] for _ in plans]
    for turn in range(max(counts)):
        for each, count, known in zip(plans, counts, latencies, strict=True):
            if turn < count:
                known.extend(bench.latencies_s(each.plan, 1))
    return latencies


def line_of(
    network: Network,
    found: tiercut.Profile,
    condition: Condition,
    load: float,
    plans: Sequence[Any],
    latencies: Sequence[Sequence[float]],
) -> dict[str, Any]:
    """Return what is kept of a condition."""
    device = found.devices["here"]
    return {
        "network": network.name,
        **condition._asdict(),
        "load_before": load,
        "blocks": len(found.blocks),
        "whole_s": found.devices["here"].span_s[0][-1] if device.span_s is not None else sum(device.block_s),
        "curve": {kind: dict(zip(each.levels, each.factor, strict=True)) for kind, each in device.stress_curve.items()},
        "plans": [
            {
                "partition": list(each.plan.partition),
                "placement": list(each.plan.placement),
                "predicted_s": each.predicted_s,
                "latency_s": [round(value, 6) for value in values],
            }
            for each, values in zip(plans, latencies, strict=True)
        ],
    }


if __name__ == "__main__":
    main()
