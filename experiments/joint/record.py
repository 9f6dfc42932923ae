"""Make the profile of a network of this study that comes with the package.

``python experiments/joint/record.py clutter profiling/recorded`` makes that of the network that ``train.py`` trained.
What its branches do with samples comes from the trainings; the times are those of the same network in the profile
``resnet20-digits32``, as a network takes the same time whatever it was trained on.

``python experiments/joint/record.py FILE.json profiling/recorded`` takes a profile of ``tiercut profile`` and keeps its
entropies in half precision, which makes its samples a quarter as large.
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
    parser.add_argument("what", help=f"{', '.join(SETTINGS)}, or a profile")
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    if given.what in SETTINGS:
        print(record(given.what, Trainings.read(archive_of(given.what)), given.folder).name)
    else:
        print(shrink(Path(given.what), given.folder).name)


def record(dataset: str, trainings: Trainings, folder: Path) -> Profile:
    """Write a profile with its samples into a folder, and return it."""
    timed = tiercut.load_profile(TIMED)
    profiled, tested = (_samples(trainings, split) for split in ("profile", "test"))
    stem = f"resnet20-{dataset}"
    files = _saved(stem, profiled, tested, folder)
    exits = tiercut.exits_record(profiled, timed.exits.thresholds)
    separate = trainings.separate("profile")
    if separate is not None and np.all(np.isfinite(separate)):  # of some branches alone they would be of no use
        exits["accuracy_separate"] = separate.tolist()
    data = timed.model_dump(exclude_none=True) | files
    data |= {"dataset": dataset, "samples": len(profiled.correct), "exits": exits, "origin": _origin(dataset)}
    profile = Profile.from_data(data, source=stem)
    tiercut.save_profile(profile, folder / f"{stem}.json")
    return profile


def shrink(source: Path, folder: Path) -> Profile:
    """Write a profile with its samples, their entropies in half precision, into a folder, and return it."""
    profile = tiercut.load_profile(source)
    profiled, tested = (_halved(tiercut.samples_of(profile, split)) for split in ("profile", "test"))
    data = profile.model_dump(exclude_none=True) | _saved(source.stem, profiled, tested, folder)
    data["exits"] |= tiercut.exits_record(profiled, profile.exits.thresholds)
    made = Profile.from_data(data, source=source.stem)
    tiercut.save_profile(made, folder / source.name)
    return made


def _saved(stem: str, profiled: Samples, tested: Samples, folder: Path) -> dict[str, str]:
    """Write the samples of both splits, and return what a profile says of them."""
    files = {}
    for key, part, samples in (("", "", profiled), ("test_", ".test", tested)):
        name = f"{stem}{part}.samples.npz"
        files[f"{key}samples_file"], files[f"{key}samples_sha256"] = name, tiercut.save_samples(samples, folder / name)
    return files


def _halved(samples: Samples) -> Samples:
    return Samples(samples.entropy.astype(np.float16).astype(np.float32), samples.correct)


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
