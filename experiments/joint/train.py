"""Train what the validation compares: a network with every branch, each branch by itself, and random partitionings.

Run ``python experiments/joint/train.py SETTING``; it does one training after another, keeps what every finished one
made of the samples, and goes on after the last epoch where it was interrupted. Several processes share the work where
the same call runs several times. ``python experiments/joint/run.py`` evaluates it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from settling import best_of, settle
from trainings import RECORDED, SETTINGS, Setting, Trainings, archive_of, held, merge, partitionings

import tiercut

NETWORK = "resnet20"


def main() -> None:
    """Do what is left to do for one setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("setting", choices=SETTINGS)
    parser.add_argument("--most", type=int, default=sys.maxsize, help="trainings to do in this call")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="these trainings: all, blocks such as 3-9-10, a block"
    )
    parser.add_argument("--from", type=Path, dest="other", metavar="FOLDER", help="take up archives, and train nothing")
    parser.add_argument("--work", type=Path, default=Path("out/joint"), help="folder for checkpoints")
    parser.add_argument("--to", type=Path, default=RECORDED, help="folder for what the trained networks say")
    parser.add_argument("--threads", type=int, help="threads of the backend (TensorFlow alone); by default as it likes")
    given = parser.parse_args()
    setting, archive = SETTINGS[given.setting], archive_of(given.setting, given.to)
    if unknown := [name for name in given.only or () if name not in names(setting)]:
        parser.error(f"{given.setting} has no training {', '.join(unknown)}; it has {', '.join(names(setting))}")
    if given.other:
        take_up(given.other, archive, names(setting))
        return
    if given.threads:
        _limit(given.threads)
    train = trainer(given.setting, setting, given.work)
    wanted = given.only or names(setting)
    for name, seconds in islice(share(wanted, archive, given.work / given.setting, train), given.most):
        print(f"{given.setting} {name}: {seconds:.0f} s", flush=True)
    missing = left(wanted, archive)
    print(f"left to do: {', '.join(missing)}" if missing else f"nothing is left to do: {archive} has all of them")


def left(wanted: Sequence[str], archive: Path) -> list[str]:
    """Return those trainings that an archive does not have yet."""
    there = Trainings.read(archive) if archive.exists() else Trainings({})
    return [name for name in wanted if not there.has(name)]


def share(
    wanted: Sequence[str], archive: Path, work: Path, train: Callable[[str], Mapping[str, NDArray[Any]]]
) -> Iterator[tuple[str, float]]:
    """Do those trainings that an archive does not have and no other process is at, and add each to the archive.

    Who trains holds the folder of its checkpoint; what a process that died was at, the next one goes on with.

    Yields
    ------
    name, seconds
        Each training that was done here, and how long it took.
    """
    for name in wanted:
        with held(work / name) as ours:
            if ours and left([name], archive):  # asked by who holds it: the one before may just have added it
                begun = time.monotonic()
                merge(archive, Trainings({}).with_training(name, train(name)))
                yield name, time.monotonic() - begun


def take_up(folder: Path, archive: Path, wanted: Sequence[str]) -> None:
    """Add the trainings of other archives to an archive, and say which."""
    for path in sorted(folder.glob("*.npz")):
        more = Trainings.read(path)
        new = [name for name in left(wanted, archive) if more.has(name)]
        merge(archive, more.of(new))
        print(f"{path}: {', '.join(new) or 'nothing new'}")


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
        kept = work / name / training / "checkpoint.npz"
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
