"""Trains, exports and records the networks of this study: ``python experiments/fidelity/networks.py FOLDER``.

Each is a ready-made backbone with a branch after every block, trained on ``digits32`` (seed 0) for a few epochs: what
counts here is that exits are taken, not how good they are. What codecs do at every cut is measured too. Needs the
extras ``profiling`` and ``keras-onnx``. What is there already stays. ``digits-onnx`` comes with the package, without
codecs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

import tiercut

__all__ = ["NETWORKS", "Network", "Recorded", "recorded"]

DATASET, HELD_OUT = "digits32", 0.25


class Network(NamedTuple):
    """A network of the study.

    Parameters
    ----------
    name, backbone
        What it is called, and what ``tiercut train`` calls it; None: it comes with the package.
    epochs
        How long it is trained.
    held_out
        Whether nobody looked at it while the model was made.
    without
        Exits that are taken off the exported network: where it cannot be cut between two, as a Flatten or a norm has
        become part of what follows.
    """

    name: str
    backbone: str | None
    epochs: int = 0
    held_out: bool = False
    without: tuple[str, ...] = ()


NETWORKS = (
    Network("digits-onnx", None),
    Network("lenet", "lenet", 8, without=("exit5", "exit6")),
    Network("alexnet", "alexnet", 8, without=("exit9", "exit10", "exit11")),
    Network("resnet32", "resnet32", 4),
    Network("simulator", "simulator", 6, held_out=True, without=("exit4", "exit8", "exit11", "exit12")),
)
CODECS, _CODEC_SAMPLES = "float16,int8,int8+zlib", "40"


class Recorded(NamedTuple):
    """The files of a network, or the name by which they come with the package: what runs, its profile, and frames."""

    network: str
    profile: str
    data: str
    exits: tuple[str, ...] = ()


def recorded(network: Network, folder: Path) -> Recorded:
    """Return the files of a network, which `main` wrote or which come with the package."""
    if network.backbone is None:
        return Recorded(network.name, network.name, network.name)
    names = [str(folder / f"{network.name}{ending}") for ending in (".onnx", ".json", ".data.npz")]
    found = Recorded(*names)
    return found._replace(exits=outputs(Path(found.network))) if Path(found.network).exists() else found


def main() -> None:
    """Make what is not there."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = unseen()
    np.savez_compressed(folder / "samples.npz", images=images, labels=labels)
    test = test_split(labels)
    for network in NETWORKS:
        files = recorded(network, folder)
        if network.backbone is None or Path(files.profile).exists():
            continue
        trained = folder / f"{network.name}.keras"
        if not trained.exists():
            how = ("--dataset", DATASET, "--epochs", str(network.epochs), "--output", str(trained))
            call("train", network.backbone, *how)
        call("export", str(trained), files.network)
        take_off(network.without, Path(files.network))
        np.savez_compressed(files.data, images=images[test], labels=labels[test])
        timing = ("--clock", "cpu", "--threads", "1", "--device", "one-core")
        exits = ("--exits", ",".join(outputs(Path(files.network))), "--data", str(folder / "samples.npz"))
        codecs = ("--codecs", CODECS, "--codec-samples", _CODEC_SAMPLES)
        call("profile", files.network, *exits, *codecs, *timing, "--output", files.profile)


def call(*words: str) -> None:
    """Run a command of tiercut."""
    print("tiercut", *words, flush=True)
    subprocess.run([sys.executable, "-m", "tiercut", *words], check=True)


def outputs(path: Path) -> tuple[str, ...]:
    """Return the names of the exits of a network, in order."""
    import onnx

    return tuple(each.name for each in onnx.load(path, load_external_data=False).graph.output)


def take_off(exits: tuple[str, ...], path: Path) -> None:
    """Take exits off a network, and what only they need."""
    import onnx
    import onnx.utils

    kept = [each for each in outputs(path) if each not in exits]
    whole = path.with_suffix(".whole.onnx")
    path.rename(whole)
    inputs = [each.name for each in onnx.load(whole, load_external_data=False).graph.input]
    onnx.utils.extract_model(str(whole), str(path), inputs, kept)
    whole.unlink()


def unseen() -> tuple[np.ndarray, np.ndarray]:
    """Return the images and labels that no network learned from."""
    data = tiercut.load_dataset(DATASET, seed=0)
    parts = (data.profile, data.test)
    images = np.concatenate([each.images for each in parts]).astype(np.float32)
    return images, np.concatenate([each.labels for each in parts])


def test_split(labels: np.ndarray) -> np.ndarray:
    """Return the places of the samples that recording holds out: a quarter of every class, drawn by the seed."""
    rng = np.random.default_rng((0, 1))
    held = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        held.append(members[: round(HELD_OUT * len(members))])
    return np.sort(np.concatenate(held))


if __name__ == "__main__":
    main()
