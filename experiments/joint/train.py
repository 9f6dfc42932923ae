"""Train what the validation compares: a network with every branch, each branch by itself, and random partitionings.

Run ``python experiments/joint/train.py DATASET``; it does one training after another, keeps what every finished one
made of the samples, and goes on where it was interrupted. ``python experiments/joint/run.py`` evaluates it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from trainings import SETTINGS, Setting, Trainings, archive_of, partitionings

import tiercut

NETWORK = "resnet20"


def main() -> None:
    """Do what is left to do for one data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", choices=SETTINGS)
    parser.add_argument("--most", type=int, default=sys.maxsize, help="trainings to do in this call")
    parser.add_argument("--work", type=Path, default=Path("out/joint"), help="folder for checkpoints")
    given = parser.parse_args()
    setting, archive = SETTINGS[given.dataset], archive_of(given.dataset)
    done = Trainings.read(archive) if archive.exists() else Trainings({})
    left = [name for name in names(setting) if not done.has(name)]
    if not left:
        sys.exit(f"nothing is left to do: {archive} has all {len(names(setting))} trainings")
    train = trainer(given.dataset, setting, given.work)
    for name in left[: given.most]:
        begun = time.monotonic()
        done = done.with_training(name, train(name))
        done.write(archive)
        print(f"{given.dataset} {name}: {time.monotonic() - begun:.0f} s", flush=True)


def names(setting: Setting) -> list[str]:
    """Return the trainings of a setting in their order: ``all``, then blocks such as ``3-9-10``."""
    alone = [(block,) for block in range(1, 11)] if setting.separate else []
    return ["all", *("-".join(map(str, blocks)) for blocks in (*partitionings(setting.partitionings), *alone))]


def trainer(dataset: str, setting: Setting, work: Path) -> Callable[[str], Mapping[str, NDArray[Any]]]:
    """Return what does a training by its name, and returns entropies and hits on the profile and the test split."""
    import keras

    data = tiercut.load_dataset(dataset, seed=0)
    schedule = tiercut.Schedule(setting.epochs, setting.batch, setting.learning_rate, setting.shift)
    keras.utils.set_random_seed(0)
    made = tiercut.backbone(NETWORK, classes=data.classes)
    exits = tiercut.attach_exits(made.model, cuts=made.cuts)

    def train(name: str) -> Mapping[str, NDArray[Any]]:
        blocks = range(1, 11) if name == "all" else [int(part) for part in name.split("-")]
        kept = work / dataset / f"{name}.npz"
        kept.parent.mkdir(parents=True, exist_ok=True)
        model = tiercut.fine_tune(exits, list(blocks), data.train, schedule, fresh=True, checkpoint=kept)
        arrays: dict[str, NDArray[Any]] = {}
        for split in ("test",) if "-" in name else ("profile", "test"):
            samples = tiercut.record_samples(model, getattr(data, split), batch=250)
            arrays[f"{split}_entropy"] = samples.entropy[:, model.present].astype(np.float16)
            arrays[f"{split}_correct"] = samples.correct[:, model.present]
        kept.unlink(missing_ok=True)
        return arrays

    return train


if __name__ == "__main__":
    main()
