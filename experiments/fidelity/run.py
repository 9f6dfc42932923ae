"""Runs plans and holds them against their prediction: ``python experiments/fidelity/run.py FOLDER --minutes 18``.

FOLDER holds what ``networks.py`` wrote. One configuration runs after the other, each in a process of its own with
agents as processes of their own over shaped links, timed just before. What came of each is a line of ``results.jsonl``
beside this file, so that a run that was stopped goes on where it was. ``report.py`` makes tables and the figure.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from networks import NETWORKS, Recorded, recorded
from study import COUNT, Configuration, configurations, plan_of, topology_of

import tiercut
from tiercut.offloader import Run, RunOptions, run_local
from tiercut.profiling import OnnxOptions, open_cut, start_for

HERE = Path(__file__).parent
RESULTS = HERE / "results.jsonl"
_PATIENCE_S = 600.0


def main() -> None:
    """Run what has not run yet, for so many minutes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="what networks.py wrote")
    parser.add_argument("--minutes", type=float, default=60.0, help="nothing is begun after so long")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of configurations")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--one", type=int, help="run this one here, and print what came of it")
    asked = parser.parse_args()
    files = {each.name: recorded(each, asked.folder) for each in NETWORKS}
    whole_s = {name: whole(tiercut.load_profile(each.profile)) for name, each in files.items()}
    if asked.one is not None:
        each = next(each for each in configurations(whole_s) if each.number == asked.one)
        print(json.dumps(came_of(each, files[each.network]), allow_nan=False))
        return
    done = numbers_in(asked.output)
    left = [
        each
        for each in configurations(whole_s)
        if each.number not in done and (asked.only is None or each.number in asked.only)
    ]
    begun = time.monotonic()
    for place, each in enumerate(left):
        if time.monotonic() - begun > 60 * asked.minutes:
            print(f"the time is over, {len(left) - place} of {COUNT} have not run; call again to go on")
            return
        line = {"configuration": each.to_data(), "load_before": os.getloadavg()[0], **apart(each, asked.folder)}
        with asked.output.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line, allow_nan=False) + "\n")
        print(f"{(time.monotonic() - begun) / 60:5.1f} min {told(line)}", flush=True)
    print("all configurations have run")


def whole(profile: tiercut.Profile) -> float:
    """Return the seconds of the whole network on the reference device."""
    device = profile.devices[profile.reference or next(iter(profile.devices))]
    return device.span_s[0][-1] if device.span_s is not None else sum(device.block_s)


def numbers_in(path: Path) -> set[int]:
    """Return the configurations that ran already."""
    if not path.exists():
        return set()
    return {json.loads(line)["configuration"]["number"] for line in path.read_text(encoding="utf-8").splitlines()}


def apart(configuration: Configuration, folder: Path) -> dict[str, Any]:
    """Run a configuration in a process of its own, and return what came of it."""
    words = [sys.executable, __file__, str(folder), "--one", str(configuration.number)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return {"skipped": f"it was not over within {_PATIENCE_S:g} s"}
    if done.returncode:
        return {"skipped": (done.stderr.strip().splitlines() or ["it said nothing"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def came_of(configuration: Configuration, files: Recorded) -> dict[str, Any]:
    """Run a configuration here and return what came of it."""
    topology = tiercut.Topology.from_data(topology_of(configuration))
    profile = tiercut.load_profile(files.profile)
    plan = plan_of(configuration, topology, profile)
    if plan is None:
        return {"skipped": "no plan is quick enough"}
    start_for(files.network, threads=1)
    cut = open_cut(files.network, onnx=OnnxOptions(exits=files.exits), blocks=[block.name for block in profile.blocks])
    gc.collect()
    gc.freeze()  # what planning left is not looked through again while frames are timed
    gc.set_threshold(1_000_000, 20, 20)
    ran = run_local(plan, topology, profile, cut, Path(files.data), RunOptions(configuration.frames, retime=True))
    data = ran.to_data()
    for name in ("frame_latency_s", "format"):
        del data[name]
    return {"plan": str(plan), "codecs": list(plan.codecs or ()), "run": data, **by_frame(ran)}


def by_frame(ran: Run) -> dict[str, Any]:
    """Return by how many seconds each term is longer than predicted, on average, and both halves of the run.

    ``halves``: measured over predicted latency of the frames in the first and in the second half, less one. Nothing
    but the machine itself changes between them.
    """
    times = ran.by_frame
    answered = ~np.isnan(times.latency_s)
    measured, predicted = times.measured_s[answered], times.predicted_s[answered]
    off = measured[:, :-1] - predicted
    parts = {
        "to the first machine": off[:, 0] + measured[:, -1],
        "computing": off[:, 1:-1:2].sum(axis=1),
        "between machines": off[:, 2:-1:2].sum(axis=1),
        "return": off[:, -1],
    }
    share = np.array_split(np.stack([times.latency_s[answered], predicted.sum(axis=1)]), 2, axis=1)
    return {
        "terms_s": {name: float(seconds.mean()) for name, seconds in parts.items()},
        "halves": [float(each[0].sum() / each[1].sum() - 1) for each in share],
    }


def told(line: dict[str, Any]) -> str:
    """Return a line for people."""
    where = line["configuration"]
    start = f"{where['number']:4} {where['network']:12} {where['nodes']} nodes {where['kind']:9}"
    if "skipped" in line:
        return f"{start} skipped: {line['skipped']}"
    measured, predicted = (line["run"][name]["latency_s"]["mean"] for name in ("measured", "predicted"))
    return (
        f"{start} {1e3 * predicted:8.2f} ms predicted {1e3 * measured:8.2f} ms measured {measured / predicted - 1:+.1%}"
    )


if __name__ == "__main__":
    main()
