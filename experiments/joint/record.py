"""Make the profile of the network that ``train.py`` trained on a data set.

Run ``python experiments/joint/record.py clutter profiling/recorded``. What its branches do with samples comes from the
trainings; the times are those of the same network in the profile ``resnet20-digits32``, as a network takes
the same time whatever it was trained on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from trainings import SETTINGS, Trainings, archive_of

import tiercut
from tiercut import Profile, Samples

TIMED = "resnet20-digits32"


def main() -> None:
    """Write the profile and its two files of samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", choices=SETTINGS)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    print(record(given.dataset, Trainings.read(archive_of(given.dataset)), given.folder).name)


def record(dataset: str, trainings: Trainings, folder: Path) -> Profile:
    """Write a profile with its samples into a folder, and return it."""
    timed = tiercut.load_profile(TIMED)
    profiled, tested = (_samples(trainings, split) for split in ("profile", "test"))
    stem, files = f"resnet20-{dataset}", {}
    for key, part, samples in (("", "", profiled), ("test_", ".test", tested)):
        name = f"{stem}{part}.samples.npz"
        files[f"{key}samples_file"], files[f"{key}samples_sha256"] = name, tiercut.save_samples(samples, folder / name)
    exits = tiercut.exits_record(profiled, timed.exits.thresholds)
    separate = trainings.separate("profile")
    if separate is not None and np.all(np.isfinite(separate)):  # of some branches alone they would be of no use
        exits["accuracy_separate"] = separate.tolist()
    data = timed.model_dump(exclude_none=True) | files
    data |= {"dataset": dataset, "samples": len(profiled.correct), "exits": exits, "origin": _origin(dataset)}
    profile = Profile.from_data(data, source=stem)
    tiercut.save_profile(profile, folder / f"{stem}.json")
    return profile


def _samples(trainings: Trainings, split: str) -> Samples:
    return Samples(trainings.entropy("all", split).astype(np.float32), trainings.correct("all", split))


def _origin(dataset: str) -> str:
    how = SETTINGS[dataset]
    return (
        f"recorded by tiercut {tiercut.__version__}: ResNet20 with {how.epochs} epochs of joint training on {dataset}, "
        f"seed 0 (experiments/joint/train.py); exits recorded on other samples; times are those of {TIMED}"
    )


if __name__ == "__main__":
    main()
