"""The ready-made queries, on the measurements that Scission's authors published, against trying every plan."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest
from support.published import read_json, scission_pipeline
from support.reference import SLACK, Choice, Reference, Score

import tiercut
from tiercut.errors import QuestionError, TiercutWarning
from tiercut.optimizer.questions.query_file import ready_queries

MODELS = (
    "densenet169",
    "inception_v3",
    "mobilenet",
    "mobilenetv2",
    "nasnetmobile",
    "resnet50",
    "vgg16",
    "vgg19",
    "xception",
)
TIER = {"raspi4": "device", "edge-2500": "edge", "edge-vm2core": "edge", "cloud-cpu": "cloud", "cloud-gpu": "cloud"}


def tiers(score: Score) -> list[str]:
    return [TIER[node] for node in score.choice.placement]


def seconds(score: Score, tier: str) -> float:
    return sum(part.compute_s for part in score.parts if TIER[part.node] == tier)


def blocks(score: Score, tier: str) -> int:
    return sum(part.blocks[1] - part.blocks[0] + 1 for part in score.parts if TIER[part.node] == tier)


def sent(score: Score, sender: str, receiver: str) -> float:
    return sum(
        part.send_bytes
        for part in score.parts
        if TIER[part.node] == sender and part.send_to is not None and TIER[part.send_to] == receiver
    )


def runs(score: Score, block: int) -> str:
    return next(TIER[part.node] for part in score.parts if part.blocks[0] <= block <= part.blocks[1])


KEEPS: dict[str, Callable[[Score], bool]] = {
    "at-most-1-mb-edge-to-cloud": lambda each: sent(each, "edge", "cloud") <= 1e6,
    "at-most-1-s-on-device": lambda each: seconds(each, "device") <= 1 + SLACK,
    "at-least-30-percent-on-edge": lambda each: seconds(each, "edge") >= 0.3 * each.latency - SLACK,
    "without-cloud": lambda each: "cloud" not in tiers(each),
    "edge-only": lambda each: tiers(each) == ["edge"],
    "layer-7-on-edge": lambda each: each.choice.partition[-1] < 7 or runs(each, 7) == "edge",
    "least-transfer-with-5-layers-on-edge": lambda each: blocks(each, "edge") == 5,
    "half-on-device": lambda each: (
        "cloud" not in tiers(each) and 2 * blocks(each, "device") >= each.choice.partition[-1]
    ),
    "use-all-three": lambda each: tiers(each) == ["device", "edge", "cloud"],
}


@cache
def every_plan(folder: Path, model: str, network: str) -> tuple[tiercut.Topology, tiercut.Profile, list[Score]]:
    path = folder / "scission" / f"{model}.json"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TiercutWarning)  # of times that are exactly 0
        profile = tiercut.load_profile(path)
    topology = scission_pipeline(network, list(profile.devices))
    reference = Reference(topology.model_dump(by_alias=True, exclude_none=True) | _written(topology), read_json(path))
    choices = (
        Choice((*cuts, reference.blocks), placement, (reference.blocks,), None)
        for count in range(1, 4)
        for cuts in combinations(range(1, reference.blocks), count - 1)
        for placement in reference.placements(count, "forward")
    )
    return topology, profile, [reference.score(choice) for choice in choices]


def _written(topology: tiercut.Topology) -> dict[str, object]:
    """Return the links as their file has them: text with units."""
    links = [
        {"between": list(link.between or ()), "latency": f"{link.latency!r} s", "bandwidth": f"{link.bandwidth!r} B/s"}
        for link in topology.links
    ]
    return {"links": links}


def test_there_is_a_check_for_every_ready_made_query() -> None:
    assert set(KEEPS) == set(ready_queries())


@pytest.mark.parametrize("name", KEEPS)
@pytest.mark.parametrize("network", ["3g", "wired"])
@pytest.mark.parametrize("model", MODELS)
def test_a_ready_made_query_finds_what_trying_everything_finds(
    data_folder: Path, model: str, network: str, name: str
) -> None:
    topology, profile, scores = every_plan(data_folder, model, network)
    if name == "layer-7-on-edge" and len(profile.blocks) < 7:
        with pytest.raises(QuestionError, match="block 7 cannot be pinned"):
            tiercut.rank(topology, profile, query=name)
        return
    answer = tiercut.rank(topology, profile, query=name)
    kept = [score for score in scores if KEEPS[name](score)]
    by_bytes = name.startswith("least-transfer")
    wanted = sorted((score.bytes_sent if by_bytes else 0.0, score.latency) for score in kept)[:5]
    got = [(plan.bytes_sent if by_bytes else 0.0, plan.latency_s) for plan in answer]
    assert got == [pytest.approx(each, rel=1e-12) for each in wanted]
    known = {(score.choice.partition, score.choice.placement) for score in kept}
    assert all((plan.partition, plan.placement) in known for plan in answer)
    assert answer.outcome.exact
    assert bool(answer.message) == (not kept)
    if not kept and name == "at-least-30-percent-on-edge":
        most = max(scores, key=lambda each: seconds(each, "edge") / each.latency)
        assert f"({most.choice.placement[0]} " in answer.message, "the plan that comes nearest is named"
