"""The best ten cuts of ScissionLite's study, run: ``python experiments/scissionlite/for_real.py RESULTS.jsonl``.

Of one recorded network between two machines the ten cuts that are the quickest with the transfer layer run for real,
with the layer and without: agents as processes of this machine, which stands for the edge's GPU, over a link shaped to
the study's, timed just before at the pace of the frames (``tiercut run --local --retime``). Each run is a line of
RESULTS.jsonl, so that what was stopped goes on where it was; ``--readme`` writes the table of what is there into
README.md. Needs the extras ``offload`` and ``keras``. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from run import CODEC, HERE, PAIRS, SHOWN, cuts, pair as described, topology

import tiercut

CUTS, FRAMES = 10, 40
BEGIN, END = "<!-- begin: for_real.py --readme writes this -->\n", "<!-- end: for_real.py -->\n"
_PATIENCE_S = 900.0


def main() -> None:
    """Run what has not run yet, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--network", default="resnet50", help="a profile of this study")
    parser.add_argument("--pair", default=len(PAIRS) - 1, type=int, choices=range(len(PAIRS)), help=f"of {PAIRS}")
    parser.add_argument("--rate", default=SHOWN, type=int, help="of the link, in Mb/s")
    parser.add_argument("--cuts", default=CUTS, type=int, help="how many of the best")
    parser.add_argument("--frames", default=FRAMES, type=int, help="of each run")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md instead")
    asked = parser.parse_args()
    lines = [json.loads(each) for each in asked.results.read_text().splitlines()] if asked.results.exists() else []
    if asked.readme:
        readme = HERE / "README.md"
        before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
        readme.write_text(f"{before}{BEGIN}{table(lines)}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
        return
    done = [each["asked"] for each in lines]
    for coded, block in best_blocks(asked.network, PAIRS[asked.pair], asked.rate, asked.cuts):
        what = {"network": asked.network, "pair": list(PAIRS[asked.pair]), "rate": asked.rate, "block": block,
                "coded": coded, "frames": asked.frames}  # fmt: skip
        if what in done:
            continue
        line = {"asked": what, "load_before": os.getloadavg()[0], **came_of(**what)}
        with asked.results.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line, allow_nan=False) + "\n")
        print(row(line), flush=True)


def best_blocks(network: str, pair: tuple[str, str], rate: int, count: int) -> list[tuple[bool, int]]:
    """Return the blocks of the best cuts, each with the transfer layer and without."""
    profile = tiercut.load_profile(HERE / "profiles" / f"{network}.json")
    found = [
        (cut.coded.latency_s, block)
        for block, cut in enumerate(cuts(profile, topology(*pair, rate, profile)), 1)
        if cut.coded is not None
    ]
    return [(coded, block) for _, block in sorted(found)[:count] for coded in (True, False)]


def came_of(network: str, pair: list[str], rate: int, block: int, *, coded: bool, frames: int) -> dict[str, Any]:
    """Run a cut and return what came of it."""
    profile = tiercut.load_profile(HERE / "profiles" / f"{network}.json")
    where = topology(pair[0], pair[1], rate, profile)
    split = {"partition": [block, profile.block_count], "placement": [node.name for node in where.nodes]}
    plan = tiercut.plan(where, profile, **split, codecs=[CODEC] if coded else None)  # type: ignore[arg-type]
    last = profile.blocks[block - 1].last_layer
    side = math.isqrt(round(profile.input_bytes) // 12)  # three colours in single precision
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images.npz"
        np.savez(images, images=np.random.default_rng(0).random((4, side, side, 3), np.float32))
        answer, place = Path(folder) / "plan.json", Path(folder) / "pair.yaml"
        answer.write_text(
            json.dumps(tiercut.explain(where, HERE / "profiles" / f"{network}.json", plan).to_data()), encoding="utf-8"
        )
        place.write_text(json.dumps(described(*pair, rate, profile)), encoding="utf-8")  # JSON is YAML
        words = ["run", str(answer), profile.model, "--topology", str(place), "--data", str(images), "--local"]
        words += ["--profile", str(HERE / "profiles" / f"{network}.json"), "--retime", "--runtime", "keras", "--json"]
        words = [sys.executable, "-m", "tiercut", *words, "--frames", str(frames)]
        ran = subprocess.run(words, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    if ran.returncode:
        sys.exit(f"{network} after block {block}: {ran.stderr.strip()}")
    data = json.loads(ran.stdout)
    for name in ("frame_latency_s", "format"):
        del data[name]
    return {"layer": block if last is None else last, "run": data}


def row(line: dict[str, Any]) -> str:
    """Return a run as a row of the table."""
    asked, run = line["asked"], line["run"]
    measured, predicted = (1e3 * run[name]["latency_s"]["mean"] for name in ("measured", "predicted"))
    device, edge = run["stages"]
    parts = (
        (device["compute_s"], device["predicted"]["compute_s"]),
        (device["send_s"] + device["encode_s"] + edge["decode_s"] + edge["queue_s"], device["predicted"]["send_s"]),
        (edge["compute_s"], edge["predicted"]["compute_s"]),
    )
    cells = [f"{line['layer']}", "with" if asked["coded"] else "without", f"{predicted:.0f}", f"{measured:.0f}"]
    cells += [f"{measured / predicted - 1:+.1%}", *(f"{1e3 * a:.0f} / {1e3 * b:.0f}" for a, b in parts)]
    cells.append(f"{run['same_as_uncut']} of {run['frames']}")
    return f"| {' | '.join(cells)} |"


def table(lines: list[dict[str, Any]]) -> str:
    """Return all runs as a table, and how far they are from what was predicted."""
    head = ("cut after layer", "transfer layer", "predicted", "measured", "error", "device", "sending", "edge", "alike")
    off = np.array([each["run"]["measured"]["latency_s"]["mean"] / each["run"]["predicted"]["latency_s"]["mean"] - 1
                    for each in lines])  # fmt: skip
    first = lines[0]["asked"]
    loads = [each["load_before"] for each in lines]
    gains: dict[int, dict[bool, float]] = {}
    for each in lines:
        gains.setdefault(each["layer"], {})[each["asked"]["coded"]] = each["run"]["measured"]["latency_s"]["mean"]
    ratios = [both[False] / both[True] for both in gains.values() if len(both) == 2]
    return "\n".join(
        [
            f"{first['network']}, {first['pair'][0]} and {first['pair'][1]}, {first['rate']} Mb/s; mean milliseconds "
            f"of {first['frames']} frames a run; parts as measured / predicted. Load of the machine before each run: "
            f"{max(loads):.1f} at most.",
            "",
            f"| {' | '.join(head)} |",
            f"| {' | '.join(['---:', '---', *['---:'] * (len(head) - 2)])} |",
            *map(row, lines),
            "",
            f"Errors: {np.median(np.abs(off)):.1%} in the median, {np.max(np.abs(off)):.1%} at most; bias "
            f"{np.median(off):+.1%}."
            + (f" The layer makes cuts quicker by {min(ratios):.2f} to {max(ratios):.2f} times." if ratios else ""),
        ]
    )


if __name__ == "__main__":
    main()
