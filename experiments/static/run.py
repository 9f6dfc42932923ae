"""A network with exits beside smaller networks without: which does the job sooner, certified on samples held out.

``python experiments/static/run.py`` prints the tables of README.md and draws its figure, in seconds. The smaller
networks are the first blocks of the recorded ResNet-20 with the classifier that ends them, each trained by itself on
the same data (``experiments/joint``), so that their blocks take what those of the whole take.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import tiercut
from tiercut import ModelsAnswer, Plan, Profile, Samples

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "joint"))

from trainings import Trainings, archive_of  # noqa: E402 - beside the study that trained them

RECORDED = "resnet20-clutter"
TOPOLOGIES = ("three-tiers", "iot", "mobile")
KEPT = (6, 7, 8, 9, 10)
"""How many blocks the networks without exits have; 10 are the whole ResNet-20."""
FLOORS = (0.75, 0.80, 0.86, 0.94)
CONFIDENCE = 0.95
FREE: dict[str, Any] = {"exits": "free"}


def static(whole: Profile, trainings: Trainings, kept: int, folder: Path) -> Profile:
    """Return the profile of the first blocks of a network, with one classifier, trained by itself."""
    said: dict[str, Any] = {}
    for split, key in (("profile", "samples"), ("test", "test_samples")):
        entropy, correct = (trainings.arrays[f"{kept}/{split}_{name}"] for name in ("entropy", "correct"))
        tables = np.ones((len(entropy), kept), np.float32), np.zeros((len(entropy), kept), bool)
        tables[0][:, -1], tables[1][:, -1] = entropy[:, 0], correct[:, 0]
        name = f"{kept}.{split}.npz"
        said |= {f"{key}_file": name, f"{key}_sha256": tiercut.save_samples(Samples(*tables), folder / name)}
        if split == "profile":
            said["accuracy"] = float(correct.mean())
    (name, device), *_ = whole.devices.items()
    times = device.model_copy(
        update={
            "span_s": None
            if device.span_s is None
            else [row[: kept - at] for at, row in enumerate(device.span_s[:kept])],
            **{key: cut(getattr(device, key), kept) for key in ("block_s", "branch_s")},
            **{key: cut(getattr(device, key), kept + 1) for key in ("encode_s", "decode_s")},
            "span_check": [],
        }
    )
    return whole.model_copy(
        update={
            "model": f"{kept} blocks",
            "blocks": whole.blocks[:kept],
            "exits": None,
            "devices": {name: times},
            **said,
        }
    ).found_in(folder)


def cut(values: list[Any] | None, count: int) -> list[Any] | None:
    return None if values is None else values[:count]


def networks(folder: Path) -> list[Profile]:
    """Return the network with exits, and those without."""
    whole = tiercut.load_profile(RECORDED)
    trainings = Trainings.read(archive_of("clutter"))
    return [whole, *(static(whole, trainings, kept, folder) for kept in KEPT)]


def table(profiles: list[Profile]) -> Iterator[str]:
    """Yield a line for each topology and accuracy: the best plan with exits, and the best network without."""
    yield "| topology | certified at least | with exits | without | the network without | sooner with exits by |"
    yield "| --- | ---: | ---: | ---: | --- | ---: |"
    for topology in TOPOLOGIES:
        for floor in FLOORS:
            question: dict[str, Any] = {"min_accuracy": floor, "certify": CONFIDENCE, "split": "test"}
            answer = tiercut.solve(topology, profiles, **question | FREE)
            yield f"| {topology} | {floor:.0%} | {compared(answer)} |"


def compared(answer: ModelsAnswer) -> str:
    """Return what the network with exits takes, what the best one without takes and which it is, and the gain."""
    early, *others = answer.answers.values()
    plans = [own.best for own in others if own.plans]
    best = min(plans, key=lambda plan: plan.latency_s) if plans else None
    mine, theirs = (early.best if early.plans else None), best
    which = "-" if theirs is None else f"{theirs.partition[-1]} blocks: {theirs}"
    gained = f"{1 - mine.latency_s / theirs.latency_s:+.1%}" if mine and theirs else "-"
    return f"{seconds(mine)} | {seconds(theirs)} | {which} | {gained}"


def seconds(plan: Plan | None) -> str:
    return "not certified" if plan is None else f"{1e3 * plan.latency_s:.2f} ms"


def accuracies(profiles: list[Profile]) -> Iterator[str]:
    """Yield a line for each network: what it reaches on samples that nothing was fitted to."""
    yield "| network | blocks | exits | accuracy on the test split |"
    yield "| --- | ---: | ---: | ---: |"
    for profile in profiles:
        right = tiercut.samples_of(profile, "test").correct
        branches = 0 if profile.exits is None else len(profile.blocks)
        yield f"| {profile.name} | {len(profile.blocks)} | {branches} | {right[:, -1].mean():.2%} |"


def picture(profiles: list[Profile]) -> None:
    """Draw the frontier of each network and of all, on the first topology."""
    answer = tiercut.frontier(TOPOLOGIES[0], profiles, min_accuracy=0.6, **FREE)
    tiercut.plots.save(tiercut.plots.models(answer).figure, HERE / "frontiers.png")


def main() -> None:
    """Print and draw."""
    with tempfile.TemporaryDirectory() as folder:
        profiles = networks(Path(folder))
        print("\n".join(accuracies(profiles)) + "\n")
        print("\n".join(table(profiles)))
        picture(profiles)


if __name__ == "__main__":
    main()
