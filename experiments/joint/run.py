"""Evaluate the study of the Joint model: how good its estimates are, and how common its four cases.

``python experiments/joint/run.py`` prints the tables of README.md, with ``accuracy`` or ``cases`` those of one part.
``--plots FOLDER`` draws its pictures, and ``--data FOLDER`` compares with published measurements too (by default those
under ``TIERCUT_DATA``).
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from drawing import clouds, draw_cases, draw_validation, heats
from four_cases import CASES, conditions, destinations, examples, questions, shares
from published import cascades, compare
from trainings import RECORDED, SETTINGS, Trainings, archive_of, partitionings
from validation import Table, against_recording, against_trainings, summary

import tiercut

PROFILES = {"digits": "resnet20-digits32", "clutter": "resnet20-clutter"}
"""The recorded networks, and what to call them."""

SWEEPS = [(name, estimator) for name in PROFILES for estimator in ("marginal", "conditional")]
"""What is asked of which network, and how its accuracy is estimated."""

INCEPTION = Path(__file__).parent.parent / "scission" / "profiles" / "inceptionv3.json"
"""InceptionV3 without exits, as the study of Scission recorded it."""

THRESHOLDS = [place / 20 for place in range(1, 21)]

DRAWN = 28
"""Partitionings drawn for what needs no training: as many as in the paper."""


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=["accuracy", "cases"], help="by default both")
    parser.add_argument("--data", type=Path, default=_data_folder(), help="published measurements")
    parser.add_argument("--trained", type=Path, default=RECORDED, help="folder of train.py --to, finished or not")
    parser.add_argument("--plots", type=Path, help="folder for the pictures")
    given = parser.parse_args()
    if given.plots:
        given.plots.mkdir(parents=True, exist_ok=True)
    if given.part != "cases":
        accuracy(given.data and given.data / "joint", given.plots, read_trainings(given.trained))
    if given.part != "accuracy":
        cases(given.data and given.data / "scission", given.plots)


def accuracy(data: Path | None, plots: Path | None, trained: dict[str, Trainings]) -> None:
    """Print how good estimates are, and draw it."""
    rows_of = specialised(trained)
    show("What was trained", progress(trained))
    show("Accuracy of every branch", depth(trained))
    show("The same network, its branches used in part", table(recordings()))
    show("Networks trained with their exits alone", table(rows_of))
    if data:
        show("Published networks", table(published(data)))
    if plots:
        panels = {name: clouds(rows, name) for name, rows in rows_of.items()}
        draw_validation(panels).savefig(plots / "validation.png", dpi=110)


def cases(data: Path | None, plots: Path | None) -> None:
    """Print how common the four cases are, and draw where."""
    asked = sweep()
    show("How often", common(asked))
    show("Where each saves most", "\n".join(line for name, rows in asked.items() for line in found(name, rows)))
    timed = [
        ("timed here", tiercut.load_profile(INCEPTION)),
        *([("published", published_inception(data))] if data else []),
    ]
    show("InceptionV3", "\n".join(line for name, profile in timed for line in inception(name, profile)))
    if plots:
        drawn = [row for name, rows in asked.items() if name.startswith("clutter") for row in heats(rows, name)]
        draw_cases(drawn).savefig(plots / "cases.png", dpi=90)


def _data_folder() -> Path | None:
    named = os.environ.get("TIERCUT_DATA")
    return Path(named) if named else None


def show(title: str, text: str) -> None:
    """Print one section."""
    print(f"\n### {title}\n\n{text}")


def read_trainings(folder: Path) -> dict[str, Trainings]:
    """Return what was trained, finished or not, by setting; files of the folder count before those recorded."""
    found = {}
    for setting in SETTINGS:
        archives = [archive_of(setting, each) for each in (folder, RECORDED) if archive_of(setting, each).exists()]
        trainings = Trainings.read(archives[0]) if archives else Trainings({})
        if trainings.has("all"):
            found[setting] = trainings
    return found


def progress(trained: dict[str, Trainings]) -> str:
    """Return a line for each setting: how much of it is done, and after how many epochs trainings ended."""
    lines = []
    for setting, trainings in trained.items():
        several = sum(1 for _ in trainings.partitionings())
        alone = sum(trainings.has(str(block)) for block in range(1, 11))
        how = SETTINGS[setting]
        epochs = trainings.epochs() or [how.epochs]
        lasted = f"{epochs[0]}" if min(epochs) == max(epochs) else f"{min(epochs)} to {max(epochs)}"
        done = f"{several} of {how.partitionings} partitionings and {alone} of 10 branches alone"
        lines.append(f"- {setting}: all exits, {done}; {lasted} epochs, at most {how.epochs}")
    return "\n".join(lines)


def depth(trained: dict[str, Trainings]) -> str:
    """Return a table of the accuracy of every branch of what was trained, and of the recorded networks."""
    lines = ["| network | trained with | measured on | " + " | ".join(map(str, range(1, 11))) + " |"]
    lines.append("| --- | --- | --- " + "| ---: " * 10 + "|")
    for name, file in PROFILES.items():
        exits = tiercut.load_profile(file).exits
        lines.append(_percent(f"| {name} | all exits | profile split ", exits.accuracy))
    for setting, trainings in trained.items():
        rows = [("all exits", "all", tuple(range(1, 11)))]
        rows += [(f"exits {', '.join(map(str, blocks))}", key, blocks) for key, blocks in trainings.partitionings()]
        rows += [(f"exit {block}", str(block), (block,)) for block in range(1, 11) if trainings.has(str(block))]
        for how, key, blocks in rows:
            shares = dict(zip(blocks, trainings.correct(key, "test").mean(axis=0), strict=True))
            cells = [shares.get(block, np.nan) for block in range(1, 11)]
            lines.append(_percent(f"| {setting} | {how} | test split ", cells))
    return "\n".join(lines)


def _percent(head: str, shares: Iterable[float]) -> str:
    return head + "".join(f"| {share:.1%} " if np.isfinite(share) else "| " for share in shares) + "|"


def recordings() -> dict[str, pd.DataFrame]:
    """Return, by network, how estimates compare with the recorded network whose branches are used in part."""
    return {
        name: against_recording(*recorded_tables(file), THRESHOLDS, partitionings(DRAWN))
        for name, file in PROFILES.items()
    }


def recorded_tables(file: str) -> tuple[Table, Table]:
    """Return what the branches of a recorded network say of two sets of samples.

    These are its profile and its test split; or, where no test split was recorded, the even and the odd samples of the
    profile split.
    """
    profile = tiercut.load_profile(file)
    samples = tiercut.samples_of(profile)
    entropy, correct = samples.entropy.astype(float), samples.correct
    if profile.test_samples_file is None:
        return Table(entropy[::2], correct[::2]), Table(entropy[1::2], correct[1::2])
    other = tiercut.samples_of(profile, "test")
    return Table(entropy, correct), Table(other.entropy.astype(float), other.correct)


def specialised(trained: dict[str, Trainings]) -> dict[str, pd.DataFrame]:
    """Return, by setting, how estimates compare with networks that were trained with their exits alone."""
    found = {}
    for setting, trainings in trained.items():
        networks = {
            blocks: Table(trainings.entropy(name, "test"), trainings.correct(name, "test"))
            for name, blocks in trainings.partitionings()
        }
        if networks:
            whole = Table(trainings.entropy("all", "profile"), trainings.correct("all", "profile"))
            found[setting] = against_trainings(whole, trainings.separate("profile"), networks, THRESHOLDS)
    return found


def published(folder: Path) -> dict[str, pd.DataFrame]:
    """Return, by network, how estimates compare with what its authors' test samples did."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tiercut.TiercutWarning)  # of the published rates, one of which falls with depth
        return {profile.name: compare(profile, rows) for profile, rows in cascades(folder)}


def table(rows: dict[str, pd.DataFrame]) -> str:
    """Return a table of errors in points of a percent."""
    lines = ["| network | against | estimator | points | slope | R² | bias | mean | worst | rates: mean | worst |"]
    lines.append("| --- | --- | --- " + "| ---: " * 8 + "|")
    for name, each in rows.items():
        for row in summary(each).itertuples():
            errors = (row.mean, row.worst, row.rate_mean, row.rate_worst)
            figures = " | ".join([f"{row.bias * 100:+.2f}", *(f"{error * 100:.2f}" for error in errors)])
            cells = f"{row.estimator} | {row.points} | {row.slope:.3f} | {row.r2:.3f} | {figures}"
            lines.append(f"| {name} | {row.truth} | {cells} |")
    return "\n".join(lines)


def published_inception(folder: Path) -> tiercut.Profile:
    """Return InceptionV3 as Scission's authors timed it, their cloud with a GPU as the reference."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tiercut.TiercutWarning)  # of published times of 0
        profile = tiercut.load_profile(folder / "inception_v3.json")
    return profile.model_copy(update={"reference": "cloud-gpu"})


def inception(name: str, profile: tiercut.Profile) -> Iterator[str]:
    """Yield a line for each topology: how often the destination moves the quickest plan of InceptionV3."""
    for topology, group in destinations(profile, conditions()).groupby("topology", sort=False):
        first = group[group["IV"]].iloc[0]
        moved, alike, count = group["IV"].sum(), group["same cuts"].sum(), len(group)
        yield (
            f"- {name}, {topology}: the plan differs in {moved} of {count} conditions, in its placement alone "
            f"in {alike}; {first['condition']}: {first['plan']} becomes {first['other']}"
        )


def sweep() -> dict[str, pd.DataFrame]:
    """Return the questions of the sweep with their answers, by network and estimator."""
    return {
        f"{name}, {estimator}": questions(tiercut.load_profile(PROFILES[name]), conditions(), estimator=estimator)
        for name, estimator in SWEEPS
    }


def common(asked: dict[str, pd.DataFrame]) -> str:
    """Return a table of how common each case is."""
    lines = [
        "| network | topology | " + " | ".join(f"{case}: {name}" for case, name in CASES.items()) + " | questions |"
    ]
    lines.append("| --- | --- " + "| ---: " * (len(CASES) + 1) + "|")
    for name, rows in asked.items():
        for topology, row in shares(rows).iterrows():
            cells = " | ".join(f"{row[case]:.1%}" for case in CASES)
            lines.append(f"| {name} | {topology} | {cells} | {row['questions']:.0f} |")
    return "\n".join(lines)


def found(name: str, rows: pd.DataFrame) -> Iterator[str]:
    """Yield a line for each case: the question on accuracy in which it saves most."""
    for case, row in examples(rows).items():
        plan = row["plan"]
        threshold = "" if plan.threshold is None else f", threshold {plan.threshold:g}"
        takes = f"{plan}{threshold}: {plan.latency_s * 1e3:.2f} ms"
        where = f"{row['condition']}, accuracy ≥ {row['bound']:.4f}"
        gain = f"without it {row[f'{case} gain']:+.1%}"
        if case == "IV":
            gain = f"for the last machine {row['other']}, and the first plan takes {row['IV gain']:+.1%}"
        yield f"- {case}, {name}: {where}: {takes}; {gain}"


if __name__ == "__main__":
    main()
