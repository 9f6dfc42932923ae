"""Evaluate the study of the Joint model: how good its estimates are, and how common its four cases.

``python experiments/joint/run.py`` prints the tables of README.md; ``--plots FOLDER`` draws its pictures, and ``--data
FOLDER`` compares with published measurements too (by default those under ``TIERCUT_DATA``).
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd
from drawing import clouds, draw_cases, draw_validation, heats
from four_cases import CASES, conditions, examples, questions, shares
from published import cascades, compare
from trainings import SETTINGS, Trainings, archive_of, partitionings
from validation import Table, against_recording, against_trainings, summary

import tiercut

PROFILES = {"digits": "resnet20-digits32", "clutter": "resnet20-clutter"}
"""The recorded networks, and what to call them."""

THRESHOLDS = [place / 20 for place in range(1, 21)]

DRAWN = 28
"""Partitionings drawn for what needs no training: as many as in the paper."""


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("TIERCUT_DATA"), help="published measurements")
    parser.add_argument("--plots", type=Path, help="folder for the pictures")
    parser.add_argument("--bounds", type=int, default=40, help="bounds of each kind in the sweep")
    given = parser.parse_args()
    print("\n### Accuracy of every branch\n")
    print(depth())
    recorded, trained = validation()
    print("\n### The same network, its branches used in part\n")
    print(table(recorded))
    print("\n### Networks trained with their exits alone\n")
    print(table(trained))
    if given.data:
        print("\n### Published networks\n")
        print(table(published(Path(given.data) / "joint")))
    asked = sweep(given.bounds)
    print("\n### How often\n")
    print(common(asked))
    print("\n### Where each saves most\n")
    print("\n".join(line for name, rows in asked.items() for line in found(name, rows)))
    if given.plots:
        given.plots.mkdir(parents=True, exist_ok=True)
        panels = {name: clouds(rows, name) for name, rows in trained.items()}
        draw_validation(panels).savefig(given.plots / "validation.png", dpi=110)
        draw_cases([row for name, rows in asked.items() for row in heats(rows, name)]).savefig(
            given.plots / "cases.png", dpi=90
        )


def depth() -> str:
    """Return a table of the accuracy of every branch of what was trained, and of the recorded networks."""
    lines = ["| network | trained | measured on | " + " | ".join(map(str, range(1, 11))) + " |"]
    lines.append("| --- | --- | --- " + "| ---: " * 10 + "|")
    for name, file in PROFILES.items():
        exits = tiercut.load_profile(file).exits
        lines.append(_percent(f"| {name} | jointly | profile split ", exits.accuracy))
        archive = archive_of(file.removeprefix("resnet20-"))
        trainings = Trainings.read(archive) if archive.exists() else None
        if trainings is None or (separate := trainings.separate("test")) is None:
            continue
        lines.append(_percent(f"| {name} | jointly | test split ", trainings.correct("all", "test").mean(axis=0)))
        lines.append(_percent(f"| {name} | each by itself | test split ", separate))
    return "\n".join(lines)


def _percent(head: str, shares: Iterable[float]) -> str:
    return head + "".join(f"| {share:.1%} " for share in shares) + "|"


def validation() -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Return, by data set, how estimates compare with the recorded network and with trained ones."""
    recorded, trained = {}, {}
    for dataset in SETTINGS:
        if not archive_of(dataset).exists():
            continue
        trainings = Trainings.read(archive_of(dataset))
        profile, test = (
            Table(trainings.entropy("all", split), trainings.correct("all", split)) for split in ("profile", "test")
        )
        recorded[dataset] = against_recording(profile, test, THRESHOLDS, partitionings(DRAWN))
        networks = {
            blocks: Table(trainings.entropy(name, "test"), trainings.correct(name, "test"))
            for name, blocks in trainings.partitionings()
        }
        if networks:
            trained[dataset] = against_trainings(profile, trainings.separate("profile"), networks, THRESHOLDS)
    return recorded, trained


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


def sweep(bounds: int) -> dict[str, pd.DataFrame]:
    """Return the questions of the sweep with their answers, by network."""
    return {name: questions(tiercut.load_profile(file), conditions(), bounds) for name, file in PROFILES.items()}


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
