"""Runs the trace four times: ``python experiments/adaptive/live/run.py``, six minutes in which nothing else may run.

Needs the extras ``offload`` and ``onnx``. It writes results.json and latency.png beside itself, and the table into
README.md. What has run is kept, so that a call that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from live_report import draw, kept, table
from live_trace import DEADLINE_S, NETWORK, RATE, SECONDS, write_inputs

HERE = Path(__file__).parent
KINDS = {
    "stays": (),
    "asks": ("--adapt",),
    "looks up": ("--adapt", "--policy", "policy.json"),
    "foresees": ("--foresee",),
}
_PATIENCE_S = 300.0
_BEGIN, _END = "<!-- results -->\n", "<!-- end of results -->"


def main() -> None:
    """Run what has not run yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=HERE, help="the folder to write into")
    parser.add_argument("--scale", type=float, default=1.0, help="of all times of the trace, to try it")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS))
    asked = parser.parse_args()
    asked.output.mkdir(parents=True, exist_ok=True)
    results = asked.output / "results.json"
    found: dict[str, Any] = {"scale": asked.scale, "load_before": {}, "runs": {}}
    if results.exists():
        found = json.loads(results.read_text(encoding="utf-8"))
        if found["scale"] != asked.scale:
            parser.error(f"{results} is of --scale {found['scale']:g}: name another folder by --output")
    with tempfile.TemporaryDirectory() as folder:
        write_inputs(Path(folder), asked.scale)
        prepare(Path(folder))
        for kind in (each for each in KINDS if each in asked.kinds and each not in found["runs"]):
            found["load_before"][kind] = os.getloadavg()[0]
            found["runs"][kind] = kept(ran(Path(folder), kind, asked.scale))
            results.write_text(json.dumps(found, allow_nan=False) + "\n", encoding="utf-8")
    runs = {kind: found["runs"][kind] for kind in KINDS if kind in found["runs"]}
    draw(runs, asked.output / "latency.png")
    lines = [*table(runs), "", f"Load average of the machine before a run: {told(found['load_before'])}."]
    lines += ["", "![Latency of every frame over time](latency.png)"]
    print("\n".join(lines))
    if asked.output == HERE:
        write_table(HERE / "README.md", lines)


def prepare(folder: Path) -> None:
    """Find the plan to begin with, and the policy."""
    asked = ("topology.json", NETWORK, "--min-accuracy", "0.95")
    (folder / "plan.json").write_text(called(folder, "solve", *asked, "--json"), encoding="utf-8")
    called(folder, "sensitivity", *asked, "--grid", "grid.yaml", "--policy", "policy.json")


def ran(folder: Path, kind: str, scale: float) -> dict[str, Any]:
    """Run the trace once."""
    words = ["run", "plan.json", NETWORK, "--data", NETWORK, "--topology", "topology.json", "--local"]
    words += ["--rate", f"{RATE:g} fps", "--frames", f"{round(scale * SECONDS * RATE)}"]
    words += ["--deadline", f"{DEADLINE_S:g} s", "--disturb", "disturb.yaml", *KINDS[kind], "--json"]
    document: dict[str, Any] = json.loads(called(folder, *words))
    return document


def called(folder: Path, *words: str) -> str:
    """Return what a command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "tiercut", *words],
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
        cwd=folder,
    )
    if done.returncode:
        sys.exit(f"tiercut {words[0]} failed: {done.stderr.strip()}")
    return done.stdout


def told(loads: dict[str, float]) -> str:
    """Return from which load to which."""
    return f"{min(loads.values()):.1f} to {max(loads.values()):.1f}"


def write_table(path: Path, lines: list[str]) -> None:
    """Put the table into the page, between its two marks."""
    start, rest = path.read_text(encoding="utf-8").split(_BEGIN)
    body = "\n".join(lines)
    path.write_text(f"{start}{_BEGIN}\n{body}\n\n{_END}{rest.split(_END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
