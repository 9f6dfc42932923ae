"""Runs plans and holds them against their prediction: ``python experiments/fidelity/run.py FOLDER --minutes 18``.

FOLDER holds what ``networks.py`` wrote. One configuration runs after the other, each with agents as processes of
their own over shaped links, timed just before. What came of each is a line of ``results.jsonl``
beside this file, so that a run that was stopped goes on where it was. ``report.py`` makes tables and the figure.
With ``--again NUMBER...`` configurations that ran already run once more, for ``again.jsonl``: what differs then is the
machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from networks import NETWORKS, Recorded, recorded
from study import COUNT, Configuration, configurations, plan_of, topology_of

import tiercut

HERE = Path(__file__).parent
RESULTS, AGAIN = HERE / "results.jsonl", HERE / "again.jsonl"
_PATIENCE_S, _MOST = 600.0, 0.7


def main() -> None:
    """Run what has not run yet, for so many minutes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="what networks.py wrote")
    parser.add_argument("--minutes", type=float, default=60.0, help="nothing is begun after so long")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of configurations")
    parser.add_argument("--again", type=int, nargs="*", help="these once more, whatever has run")
    parser.add_argument("--output", type=Path, help=f"by default {RESULTS.name}, and {AGAIN.name} for what runs again")
    asked = parser.parse_args()
    output = asked.output or (RESULTS if asked.again is None else AGAIN)
    files = {each.name: recorded(each, asked.folder) for each in NETWORKS}
    whole_s = {name: whole(tiercut.load_profile(each.profile)) for name, each in files.items()}
    wanted = asked.only if asked.again is None else asked.again
    done = numbers_in(output) if asked.again is None else set[int]()
    left = [
        each
        for each in configurations(whole_s)
        if each.number not in done and (wanted is None or each.number in wanted)
    ]
    begun = time.monotonic()
    for place, each in enumerate(left):
        if time.monotonic() - begun > 60 * asked.minutes:
            print(f"the time is over, {len(left) - place} of {COUNT} have not run; call again to go on")
            return
        line = {
            "configuration": each.to_data(),
            "load_before": os.getloadavg()[0],
            **came_of(each, files[each.network]),
        }
        with output.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line, allow_nan=False) + "\n")
        print(f"{(time.monotonic() - begun) / 60:5.1f} min {told(line)}", flush=True)
    print("all configurations have run" if wanted is None else "these have run")


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
    plan = plan_of(configuration, topology, tiercut.load_profile(files.profile))
    if plan is None:
        return {"skipped": "no plan is quick enough"}
    with tempfile.TemporaryDirectory() as folder:
        answer, where = Path(folder) / "plan.json", Path(folder) / "topology.yaml"
        answer.write_text(json.dumps(tiercut.explain(topology, files.profile, plan).to_data()), encoding="utf-8")
        where.write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML
        words = ["run", str(answer), files.network, "--topology", str(where), "--profile", files.profile]
        words += ["--data", files.data, "--local", "--retime", "--json", "--frames", str(configuration.frames)]
        words += ["--exits", ",".join(files.exits)] if files.exits else []
        rows = Path(folder) / "frames.parquet"
        words += ["--parquet", str(rows)] if importlib.util.find_spec("pyarrow") else []
        words = [sys.executable, "-m", "tiercut", *words]
        began = busy()
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
        except subprocess.TimeoutExpired:
            return {"skipped": f"it was not over within {_PATIENCE_S:g} s"}
        if done.returncode:
            return {"skipped": (done.stderr.strip().splitlines() or ["it said nothing"])[-1]}
        ended, along = busy(), computing(rows) if rows.exists() else None
    run = json.loads(done.stdout)
    latencies = run.pop("frame_latency_s")
    del run["format"]
    return {
        "plan": str(plan),
        "codecs": list(plan.codecs or ()),
        "run": run,
        "terms_s": terms(run),
        "halves": halves(run, latencies),
        "profiled_s": [each.compute_s for each in plan.stages],
        "computing": along,
        "elsewhere": elsewhere(began, ended),
    }


def terms(run: dict[str, Any]) -> dict[str, float]:
    """Return by how many seconds each term is longer than predicted, on average over all frames.

    What no step accounts for is mostly that the source sends late, and belongs to the first term.
    """
    found = dict.fromkeys(("computing", "between machines", "return"), 0.0)
    stages = run["stages"]
    for place, stage in enumerate(stages):
        reach, wanted = stage["frames"] / run["answered"], stage["predicted"]
        after = stages[place + 1] if place + 1 < len(stages) else None
        if stage["frames"]:
            found["computing"] += reach * (stage["compute_s"] - wanted["compute_s"])
        if after is not None and after["frames"]:
            parts = stage["encode_s"] + stage["send_s"] + after["queue_s"] + after["decode_s"]
            found["between machines"] += after["frames"] / run["answered"] * (parts - wanted["send_s"])
        if stage["result_s"] is not None:
            left = reach - (0.0 if after is None else after["frames"] / run["answered"])
            found["return"] += left * (stage["encode_s"] + stage["result_s"] - wanted["result_s"])
    off = run["measured"]["latency_s"]["mean"] - run["predicted"]["latency_s"]["mean"]
    return {"to the first machine": off - sum(found.values()), **found}


def halves(run: dict[str, Any], latencies: list[float | None]) -> list[float] | None:
    """Return the median latency of the first and the second half of the frames over that of all, less one.

    Nothing but the machine changes between them, where most frames leave at one exit; None where they do not.
    """
    if max(run["measured"]["exit_rate"].values()) < _MOST:
        return None
    answered = np.array([each for each in latencies if each is not None])
    return [float(np.median(each) / np.median(answered) - 1) for each in np.array_split(answered, 2)]


def computing(rows: Path) -> list[float]:
    """Return what computing took of what it took in the rehearsal, by tenths of the frames in the order of their times.

    A machine that becomes slower or quicker shows in some of them, a rehearsal that is wrong in all.
    """
    import pandas as pd

    frames = pd.read_parquet(rows)
    took, wanted = (
        frames.filter(regex=rf"^\d+-.*\.{name}$").where(frames.filter(regex=r"^\d+-.*\.compute_s$").notna().to_numpy())
        for name in ("compute_s", "predicted_compute_s")
    )
    shares = (took.sum(axis=1) / wanted.sum(axis=1))[frames["latency_s"].notna()]
    return [float(each.mean()) for each in np.array_split(shares, 10)]


def busy() -> tuple[float, float, float, float] | None:
    """Return the time, and seconds for which processors were busy, were taken away, and worked for what runs here.

    Those of what runs here are of processes that have ended. None where the system does not tell.
    """
    try:
        words = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()
    except OSError:
        return None
    user, nice, system, _, _, irq, soft, stolen, *_ = (int(each) / os.sysconf("SC_CLK_TCK") for each in words[1:])
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    ours = sum(each.ru_utime + each.ru_stime for each in own)
    return time.monotonic(), user + nice + system + irq + soft, stolen, ours


def elsewhere(
    began: tuple[float, float, float, float] | None, ended: tuple[float, float, float, float] | None
) -> dict[str, float] | None:
    """Return how many processors were busy with what does not belong to a run, and taken away, on average."""
    if began is None or ended is None:
        return None
    seconds, all_s, stolen_s, ours_s = (after - before for before, after in zip(began, ended, strict=True))
    return {"others": max(all_s - ours_s, 0.0) / seconds, "stolen": stolen_s / seconds}


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
