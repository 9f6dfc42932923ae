"""Numbers that others published, from the measurements that they published with them."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.published import aws_chain, read_json, scission_pipeline
from support.reference import Choice, Reference

import tiercut
from tiercut.optimizer.own_plan import decide
from tiercut.optimizer.pricing import price
from tiercut.optimizer.query import Query
from tiercut.solvers.registry import SOLVERS

EXACT = [name for name, solver in SOLVERS.items() if solver.exact]
VECTORS = [f"{number:02}" for number in range(12)]
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


def near(got: float | None, wanted: float) -> bool:
    return got is not None and abs(got - wanted) < 1e-9


def load_profile(path: Path) -> tiercut.Profile:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tiercut.TiercutWarning)  # of exit rates that fall with depth
        return tiercut.load_profile(path)


@pytest.mark.parametrize("number", VECTORS)
def test_every_listed_plan_has_the_listed_price(data_folder: Path, number: str) -> None:
    folder = data_folder / "vectors"
    answers = read_json(folder / f"{number}.answers.json")
    problem = tiercut.problem(folder / f"{number}.topology.yaml", load_profile(folder / f"{number}.profile.json"))
    assert answers["some_plans"]
    for wanted in answers["some_plans"]:
        plan = price(problem, decide(problem, wanted["partition"], wanted["placement"], wanted["threshold"]))
        assert near(plan.latency_s, wanted["latency_s"]), wanted
        assert near(plan.accuracy, wanted["accuracy"]), wanted


@pytest.mark.parametrize("number", VECTORS)
def test_the_second_scorer_agrees_with_the_listed_plans(data_folder: Path, number: str) -> None:
    folder = data_folder / "vectors"
    topology = YAML(typ="safe").load((folder / f"{number}.topology.yaml").read_text())
    profile = read_json(folder / f"{number}.profile.json")
    reference, answers = Reference(topology, profile), read_json(folder / f"{number}.answers.json")
    for wanted in answers["some_plans"]:
        lane = profile["exits"]["thresholds"].index(wanted["threshold"]) if len(wanted["partition"]) > 1 else None
        partition = tuple(wanted["partition"])
        score = reference.score(Choice(partition, tuple(wanted["placement"]), partition, lane))
        assert near(score.latency, wanted["latency_s"]), wanted
        assert near(score.accuracy, wanted["accuracy"]), wanted
    assert reference.decisions("cuts", "any") == answers["decisions"]


@pytest.mark.parametrize("solver", EXACT)
@pytest.mark.parametrize("number", VECTORS)
def test_every_listed_frontier_is_found_whole(data_folder: Path, number: str, solver: str) -> None:
    folder = data_folder / "vectors"
    wanted = read_json(folder / f"{number}.answers.json")
    profile = load_profile(folder / f"{number}.profile.json")
    answer = tiercut.frontier(folder / f"{number}.topology.yaml", profile, solver=solver, estimator="marginal")
    assert answer.space.decisions == wanted["decisions"]
    assert len(answer) == len(wanted["frontier"])
    for plan, point in zip(answer, wanted["frontier"], strict=True):
        assert near(plan.latency_s, point["latency_s"])
        assert near(plan.accuracy, point["accuracy"])
        assert list(plan.partition) == point["partition"]
        assert list(plan.placement) == point["placement"]
        assert plan.threshold == (point["threshold"] if len(plan.partition) > 1 else None)


@pytest.mark.parametrize("solver", EXACT)
def test_the_published_plan_of_efficientnet_comes_out(data_folder: Path, solver: str) -> None:
    """Blocks 1-4 on the device and 5-8 on the edge at threshold 0.3 (the Joint model, section 4)."""
    profile = load_profile(data_folder / "joint" / "efficientnetb0-imagenet.json")
    plan = tiercut.solve(aws_chain(), profile, min_accuracy=0.70, solver=solver, estimator="marginal").best
    assert (plan.partition, plan.placement, plan.threshold) == ((4, 8), ("a1.medium", "m4.large"), 0.3)
    assert plan.latency_s == pytest.approx(0.424456, abs=5e-7)
    assert plan.accuracy == pytest.approx(0.70989, abs=5e-6)
    assert plan.stages[0].exit_rate == pytest.approx(0.063, abs=5e-4)


def test_the_shipped_chain_is_the_one_of_the_published_plan(data_folder: Path) -> None:
    profile = load_profile(data_folder / "joint" / "efficientnetb0-imagenet.json")
    shipped, built = tiercut.load_topology("aws-chain"), aws_chain()
    best = [tiercut.solve(each, profile, min_accuracy=0.70, estimator="marginal").best for each in (shipped, built)]
    assert best[0].partition == best[1].partition
    assert best[0].latency_s == pytest.approx(best[1].latency_s, rel=1e-12)


def test_resnet20_on_three_nodes_has_10200_decisions(data_folder: Path) -> None:
    profile = load_profile(data_folder / "joint" / "resnet20-cifar10.json")
    answer = tiercut.ask(aws_chain(), profile, Query(estimator="marginal"))
    assert answer.to_data()["problem"] == {
        "topology": "aws-chain",
        "profile": "ResNet20/CIFAR10",
        "blocks": 10,
        "nodes": 3,
        "thresholds": 10,
        "decisions": 10_200,
    }
    assert answer.outcome.scored is not None
    assert answer.outcome.scored <= 10_200


@pytest.mark.parametrize("solver", EXACT)
@pytest.mark.parametrize("network", ["3g", "wired"])
@pytest.mark.parametrize("model", MODELS)
def test_scissions_five_best_come_out_in_order(data_folder: Path, model: str, network: str, solver: str) -> None:
    wanted = read_json(data_folder / "scission-ranking.json")[model]
    profile = load_profile(data_folder / "scission" / f"{model}.json")
    topology = scission_pipeline(network, list(profile.devices))
    answer = tiercut.rank(topology, profile, top=5, order="forward", solver=solver)
    assert answer.space.decisions == wanted["plans"]
    assert [plan.partition for plan in answer] == [tuple(each["partition"]) for each in wanted[network]]
    assert [plan.placement for plan in answer] == [tuple(each["placement"]) for each in wanted[network]]
    assert all(near(plan.latency_s, each["latency_s"]) for plan, each in zip(answer, wanted[network], strict=True))
    assert all(near(plan.bytes_sent, each["bytes_sent"]) for plan, each in zip(answer, wanted[network], strict=True))
