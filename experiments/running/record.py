"""Trains, exports and records the network with exits that comes with its weights and samples, ``digits-onnx``.

``python experiments/running/record.py FOLDER`` writes ``digits-onnx.onnx``, its profile, its samples and the frames to
send into a folder, from which they were copied to ``profiling/recorded``. Needs the extras ``profiling`` and
``keras-onnx``, and takes some ten minutes on two cores. The seed is 0; threads may round otherwise elsewhere.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

import tiercut

NAME, DATASET, EXITS = "digits-onnx", "digits32", 10
HELD_OUT = 0.25
"""What `tiercut profile FILE.onnx --data` takes for the test split, of every class."""


def main() -> None:
    """Do everything, in the folder that was named."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    trained, network, samples = folder / "resnet20.keras", folder / f"{NAME}.onnx", folder / "samples.npz"
    call("train", "resnet20", "--dataset", DATASET, "--output", str(trained))
    call("export", str(trained), str(network))
    images, labels = unseen()
    np.savez_compressed(samples, images=images, labels=labels)
    exits = ",".join(f"exit{place}" for place in range(1, EXITS + 1))
    timing = ("--clock", "cpu", "--threads", "1", "--device", "one-core")
    output = ("--output", str(folder / f"{NAME}.json"))
    call("profile", str(network), "--exits", exits, "--data", str(samples), *timing, *output)
    test = test_split(labels)
    np.savez_compressed(folder / f"{NAME}.data.npz", images=images[test], labels=labels[test])


def call(*words: str) -> None:
    """Run a command of tiercut."""
    subprocess.run([sys.executable, "-m", "tiercut", *words], check=True)


def unseen() -> tuple[np.ndarray, np.ndarray]:
    """Return the images and labels that the network did not learn from."""
    data = tiercut.load_dataset(DATASET, seed=0)
    parts = (data.profile, data.test)
    images = np.concatenate([each.images for each in parts]).astype(np.float32)
    return images, np.concatenate([each.labels for each in parts])


def test_split(labels: np.ndarray) -> np.ndarray:
    """Return the places of the samples that recording held out: a quarter of every class, drawn by the seed."""
    rng = np.random.default_rng((0, 1))
    held = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        held.append(members[: round(HELD_OUT * len(members))])
    return np.sort(np.concatenate(held))


if __name__ == "__main__":
    main()
