"""Runs plans and holds them against their prediction: ``python experiments/fidelity/run.py FOLDER --minutes 18``.

FOLDER holds what ``networks.py`` wrote. One configuration runs after the other, each with agents as processes of their
own over shaped links, pieces timed just before; what came of each is a line of ``results.jsonl`` beside this file, so
that a run that was stopped goes on where it was. ``report.py`` makes tables and the figure of them.
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

from networks import NETWORKS, Recorded, recorded
from study import Configuration, configurations, plan_of, topology_of

import tiercut

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
    asked = parser.parse_args()
    until = time.monotonic() + 60 * asked.minutes
    files = {each.name: recorded(each, asked.folder) for each in NETWORKS}
    profiles = {name: tiercut.load_profile(each.profile) for name, each in files.items()}
    whole_s = {name: whole(each) for name, each in profiles.items()}
    done = numbers_in(asked.output)
    for each in configurations(whole_s):
        if each.number in done or (asked.only is not None and each.number not in asked.only):
            continue
        if time.monotonic() > until:
            print("the time is over; call again to go on")
            return
        line = came_of(each, files[each.network])
        with asked.output.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line, allow_nan=False) + "\n")
        print(told(line), flush=True)
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


def came_of(configuration: Configuration, files: Recorded) -> dict[str, Any]:
    """Run a configuration and return what came of it."""
    document = topology_of(configuration)
    topology = tiercut.Topology.from_data(document)
    line: dict[str, Any] = {"configuration": configuration.to_data(), "load_before": os.getloadavg()[0]}
    plan = plan_of(configuration, topology, tiercut.load_profile(files.profile))
    if plan is None:
        return {**line, "skipped": "no plan is quick enough"}
    line["plan"] = str(plan)
    with tempfile.TemporaryDirectory() as folder:
        answer, where = Path(folder) / "plan.json", Path(folder) / "topology.yaml"
        answer.write_text(json.dumps(tiercut.explain(topology, files.profile, plan).to_data()), encoding="utf-8")
        where.write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML
        words = ["run", str(answer), files.network, "--topology", str(where), "--profile", files.profile]
        words += ["--data", files.data, "--local", "--retime", "--json"]
        words += ["--frames", str(configuration.frames)]
        words += ["--exits", ",".join(files.exits)] if files.exits else []
        done = subprocess.run(
            [sys.executable, "-m", "tiercut", *words], capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    if done.returncode:
        return {**line, "skipped": done.stderr.strip().splitlines()[-1]}
    ran = json.loads(done.stdout)
    for name in ("frame_latency_s", "format"):
        del ran[name]
    return {**line, "run": ran}


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
