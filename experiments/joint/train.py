"""Train what the validation compares: a network with every branch, each branch by itself, and random partitionings.

Run ``python experiments/joint/train.py SETTING``; it does one training after another, keeps what every finished one
made of the samples, and goes on after the last epoch where it was interrupted. ``python experiments/joint/run.py``
evaluates it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from settling import best_of, settle
from trainings import RECORDED, SETTINGS, Setting, Trainings, archive_of, partitionings

import tiercut

NETWORK = "resnet20"


def main() -> None:
    """Do what is left to do for one setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("setting", choices=SETTINGS)
    parser.add_argument("--most", type=int, default=sys.maxsize, help="trainings to do in this call")
    parser.add_argument("--work", type=Path, default=Path("out/joint"), help="folder for checkpoints")
    parser.add_argument("--to", type=Path, default=RECORDED, help="folder for what the trained networks say")
    parser.add_argument("--threads", type=int, help="threads of the backend (TensorFlow alone); by default as it likes")
    given = parser.parse_args()
    setting, archive = SETTINGS[given.setting], archive_of(given.setting, given.to)
    done = Trainings.read(archive) if archive.exists() else Trainings({})
    left = [name for name in names(setting) if not done.has(name)]
    if not left:
        sys.exit(f"nothing is left to do: {archive} has all {len(names(setting))} trainings")
    if given.threads:
        _limit(given.threads)
    train = trainer(given.setting, setting, given.work)
    for name in left[: given.most]:
        begun = time.monotonic()
        done = done.with_training(name, train(name))
        done.write(archive)
        print(f"{given.setting} {name}: {time.monotonic() - begun:.0f} s", flush=True)


def _limit(threads: int) -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def names(setting: Setting) -> list[str]:
    """Return the trainings of a setting in their order: ``all``, then blocks such as ``3-9-10``, and each block alone.

    Where they take turns, each partitioning is followed by the branch that most of the first partitionings wait for.
    """
    drawn = partitionings(setting.partitionings)
    first, rest = drawn[: setting.interleaved], drawn[setting.interleaved :]
    uses = [block for blocks in first for block in blocks]
    alone = sorted(range(1, 11), key=lambda block: -uses.count(block))
    turns = [each for pair in zip_longest(first, ((block,) for block in alone)) for each in pair if each]
    order = [*turns, *rest] if setting.interleaved else [*rest, *turns]
    return ["all", *("-".join(map(str, blocks)) for blocks in order)]


def trainer(name: str, setting: Setting, work: Path) -> Callable[[str], Mapping[str, NDArray[Any]]]:
    """Return what does a training by its name, and returns entropies and hits on the profile and the test split."""
    import keras

    data = tiercut.load_dataset(setting.dataset or name, seed=0)
    schedule = tiercut.Schedule(
        setting.epochs, setting.batch, setting.learning_rate, setting.shift, held_out=setting.held_out
    )
    keras.utils.set_random_seed(0)
    made = tiercut.backbone(NETWORK, classes=data.classes)
    exits = tiercut.attach_exits(made.model, cuts=made.cuts)

    def train(training: str) -> Mapping[str, NDArray[Any]]:
        blocks = range(1, 11) if training == "all" else [int(part) for part in training.split("-")]
        kept = work / name / f"{training}.npz"
        kept.parent.mkdir(parents=True, exist_ok=True)
        keras.utils.set_random_seed(schedule.seed)
        model = tiercut.configuration(exits, list(blocks), fresh=True)
        arrays: dict[str, NDArray[Any]] = {}
        if setting.patience:
            held = schedule.divide(data.train)[1]
            arrays["held_accuracy"] = settle(model, data.train, schedule, held, setting.patience, kept)
        else:
            tiercut.train_jointly(model, data.train, schedule, checkpoint=kept)
        for split in ("test",) if "-" in training else ("profile", "test"):
            samples = tiercut.record_samples(model, getattr(data, split), batch=250)
            arrays[f"{split}_entropy"] = samples.entropy[:, model.present].astype(np.float16)
            arrays[f"{split}_correct"] = samples.correct[:, model.present]
        kept.unlink(missing_ok=True)
        best_of(kept).unlink(missing_ok=True)
        return arrays

    return train


if __name__ == "__main__":
    main()
