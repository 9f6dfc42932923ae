"""Runs splits of the slicing paper for real on this machine, one frame at a time, and keeps what was measured.

``python experiments/slicing/for_real.py FOLDER`` needs the extras ``keras-onnx`` and ``offload``; it writes
``for_real.json`` beside this file.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from network import cnn
from slicing_published import SPLITS
from slicing_study import LAYERS, PROFILE

FRAMES = 20
HERE = Path(__file__).parent


def main() -> None:
    """Run every split under the first configuration, and four under each of the others."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    network, data = folder / "cnn.keras", folder / "frames.npz"
    cnn().save(network)
    rng = np.random.default_rng(0)
    np.savez(data, x=rng.random((FRAMES, 28, 28, 1), np.float32), y=rng.integers(10, size=FRAMES))
    found = []
    for configuration, splits in ((1, SPLITS), (2, SPLITS[::2]), (3, SPLITS[::2])):
        for split in splits:
            found.append({"configuration": configuration, "split": split, **one(configuration, split, network, data)})
            (HERE / "for_real.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def one(configuration: int, split: tuple[int, int], network: Path, data: Path) -> dict[str, object]:
    """Run one split; return what was measured and predicted."""
    first, second = split
    pins = {1: "device", first: "device", first + 1: "edge", second: "edge", second + 1: "cloud", LAYERS: "cloud"}
    flags = [word for block, node in pins.items() for word in ("--pin", f"{block}={node}")]
    plan = network.parent / f"{configuration}-{first}-{second}.json"
    plan.write_text(call("solve", f"simulator-{configuration}", PROFILE, *flags, "--json"), encoding="utf-8")
    words = ("--data", data, "--local", "--retime", "--runtime", "onnx", "--frames", FRAMES, "--json")
    told = json.loads(call("run", plan, network, *words))
    return {key: told[key] for key in ("frames", "answered", "same_as_uncut", "measured", "predicted")}


def call(*words: object) -> str:
    """Run a command of tiercut and return what it prints."""
    command = [sys.executable, "-m", "tiercut", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
