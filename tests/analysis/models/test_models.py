"""Several networks in one question: the same as each by itself, put together by brute force, and who is whose."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import tiercut
from tiercut import InfeasibleError, ModelsAnswer, Plan, Profile, QuestionError, clock
from tiercut.analysis import load_answer
from tiercut.analysis.models.asking import ask_of_each
from tiercut.cli.app import app
from tiercut.optimizer import Query, evaluate
from tiercut.profiling import Samples, save_profile, save_samples
from tiercut.solvers import Options

TOPOLOGY = "iot"
EXITS = "resnet20-clutter"


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a smaller network without exits, on the same data: eight blocks, with the branch that ends them."""
    folder = tmp_path_factory.mktemp("static")
    whole = tiercut.load_profile(EXITS)
    samples, kept = tiercut.samples_of(whole), 8
    entropy, correct = np.ones((6000, kept), np.float32), np.zeros((6000, kept), bool)
    entropy[:, -1], correct[:, -1] = samples.entropy[:, kept - 1], samples.correct[:, kept - 1]
    said = save_samples(Samples(entropy, correct), folder / "small.npz")
    device = whole.devices["xeon-2-cores"].model_dump(exclude_defaults=True)
    times = {key: device[key][:kept] for key in ("block_s", "branch_s")}
    data: dict[str, Any] = {
        "format": "tiercut.profile/1",
        "model": "small",
        "dataset": "clutter",
        "samples": 6000,
        "input_bytes": whole.input_bytes,
        "result_bytes": whole.result_bytes,
        "blocks": [block.model_dump(exclude_defaults=True) for block in whole.blocks[:kept]],
        "accuracy": float(correct[:, -1].mean()),
        "samples_file": "small.npz",
        "samples_sha256": said,
        "devices": {"xeon-2-cores": times},
    }
    save_profile(Profile.from_data(data), folder / "small.json")
    return folder / "small.json"


@pytest.fixture(scope="module")
def networks(static: Path) -> list[str]:
    return [EXITS, str(static), "resnet20-digits32"]


@pytest.fixture(scope="module")
def front(networks: list[str]) -> ModelsAnswer:
    return tiercut.frontier(TOPOLOGY, networks)


def beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))


@pytest.mark.parametrize(
    "question",
    [{}, {"over": ["latency", "bytes", "accuracy"]}, {"over": ["compute:micro", "latency"], "order": "forward"}],
)
def test_the_frontier_is_what_no_plan_of_any_network_beats(networks: list[str], question: dict[str, Any]) -> None:
    answer = tiercut.frontier(TOPOLOGY, networks, **question)
    names = question.get("over", ["latency", "accuracy"])
    signs = np.array([-1.0 if name == "accuracy" else 1.0 for name in names])
    every = []
    for name, network in zip(answer.answers, networks, strict=True):
        own = tiercut.frontier(TOPOLOGY, network, **question)
        every += [(tuple(row), name, plan.decision) for row, plan in zip(own.values(names) * signs, own, strict=True)]
    wanted = [each for each in every if not any(beats(other, each[0]) for other, _, _ in every)]
    rows = [tuple(row) for row in answer.values() * signs]
    assert sorted(rows) == sorted({row for row, _, _ in wanted})  # of equal points one stands for all
    found = zip(rows, answer.models, (plan.decision for plan in answer), strict=True)
    assert all(each in wanted for each in found)
    first = answer.values()[:, 0]
    assert np.all(np.diff(first) >= 0)


@pytest.mark.parametrize("objective", ["latency", "accuracy", "bytes"])
def test_the_best_plans_are_the_best_of_all(networks: list[str], objective: str) -> None:
    question: dict[str, Any] = {"objective": objective, "min_accuracy": 0.8, "max_latency": "60 ms"}
    answer = tiercut.rank(TOPOLOGY, networks, top=7, **question)
    every: list[tuple[float, float, float, int, Plan]] = []
    for place, network in enumerate(networks):
        own = tiercut.rank(TOPOLOGY, network, top=7, **question)
        for plan in own:
            goal = -(plan.accuracy or 0.0)
            if objective != "accuracy":
                goal = evaluate(own.space.problem, plan.decision, objective)
            every.append((goal, plan.latency_s, -(plan.accuracy or 0.0), place, plan))
    every.sort(key=lambda each: each[:4])
    assert [(each.model, each.plan) for each in answer.found] == [
        (list(answer.answers)[place], plan) for *_, place, plan in every[:7]
    ]
    assert tiercut.solve(TOPOLOGY, networks, **question).best == answer.best


def test_what_is_compiled_for_one_network_takes_no_time_from_the_next(
    networks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, limits, profiles = [100.0], list[float | None](), [tiercut.load_profile(name) for name in networks[::2]]
    answers = {each.name: tiercut.solve(TOPOLOGY, each) for each in profiles}
    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def ask(profile: Profile, _: Any, options: Options, __: Any) -> tiercut.Answer:
        limits.append(options.time_limit_s)
        now[0] += 1.0
        with clock.paused():
            now[0] += 3.0
        return answers[profile.name]

    ask_of_each(profiles, Query(), Options(time_limit_s=10.0), None, ask)
    assert limits == [5.0, 9.0]


def test_equals_stand_in_the_order_in_which_networks_are_named(tmp_path: Path) -> None:
    twin = tiercut.load_profile(EXITS).model_copy(update={"model": "Twin"})
    for pair in ([EXITS, twin], [twin, EXITS]):
        answer = tiercut.frontier(TOPOLOGY, pair, estimator="marginal")  # type: ignore[arg-type]
        assert set(answer.models) == {next(iter(answer.answers))}


def test_every_plan_says_of_which_network_it_is(front: ModelsAnswer, networks: list[str], tmp_path: Path) -> None:
    data = json.loads(front.to_json())
    assert [plan["profile"] for plan in data["plans"]] == list(front.models)
    assert [plan["rank"] for plan in data["plans"]] == list(range(1, len(front) + 1))
    assert [each["profile"] for each in data["profiles"]] == ["ResNet20/clutter", "small/clutter", "ResNet20/digits32"]
    assert sum(len(each["ranks"]) for each in data["profiles"]) == len(front)
    assert data["problem"]["decisions"] == sum(each["problem"]["decisions"] for each in data["profiles"])
    assert data["frontier"]["knee"] == (front.knee or 0) + 1
    path = tmp_path / "answer.json"
    path.write_text(front.to_json())
    assert [plan.partition for plan in tiercut.load_plans(path)] == [plan.partition for plan in front]
    saved = load_answer(path)
    for rank, name in enumerate(front.models, 1):
        topology, profile = saved.inputs(rank=rank)
        assert (topology.name, profile.name) == (TOPOLOGY, name)
        assert saved.estimator_of(rank) == front.answers[name].space.estimator


def test_a_saved_plan_of_any_network_is_explained_by_its_own_estimator(front: ModelsAnswer, tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    path.write_text(front.to_json())
    rank = front.models.index("small/clutter") + 1 if "small/clutter" in front.models else 1
    network = str(load_answer(path).inputs(rank=rank)[1].file[0])  # type: ignore[index]
    said = CliRunner().invoke(app, ["explain", TOPOLOGY, network, str(path), "--rank", str(rank), "--json"])
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout)["plan"]["latency_s"] == front[rank - 1].latency_s


def test_a_frontier_of_several_networks_is_thinned_as_one(front: ModelsAnswer) -> None:
    few = front.thinned(points=6)
    assert len(few) <= 6
    assert few.whole == front.found
    assert few[0] == front[0]
    assert few[-1] == front[-1]
    assert few.knee is not None
    assert few.found[few.knee] == front.found[front.knee or 0]
    assert json.loads(few.to_json())["frontier"]["plans_in_all"] == len(front)


def test_certificates_of_all_networks_hold_together(networks: list[str]) -> None:
    answer = tiercut.solve(TOPOLOGY, networks[:2], min_accuracy=0.85, certify=0.95)
    assert answer.confidence == 0.95
    for own in answer.answers.values():
        assert own.certified is not None
        assert own.certified.confidence == pytest.approx(0.975)
        assert own.certified.of(own.best).p_value <= 0.025  # type: ignore[operator]
    data = json.loads(answer.to_json())
    assert data["certified"]["confidence"] == 0.95
    assert [each["certified"]["confidence"] for each in data["profiles"]] == pytest.approx([0.975, 0.975])
    text = str(answer)
    assert "with 95 % confidence what is certified holds for all 2 networks together" in text
    assert "≥ 85.00%" in text


def test_a_network_that_cannot_do_it_leaves_the_others(networks: list[str]) -> None:
    answer = tiercut.solve(TOPOLOGY, networks[:2], min_accuracy=0.885)
    assert answer.models == ("ResNet20/clutter",)
    assert answer.status == "optimal"
    assert "small/clutter: no plan reaches an accuracy of 0.885" in str(answer)
    nobody = tiercut.solve(TOPOLOGY, networks[:2], min_accuracy=0.999)
    assert nobody.status == "infeasible"
    with pytest.raises(InfeasibleError, match=r"(?s)ResNet20/clutter: no plan.*small/clutter: no plan"):
        _ = nobody.best
    none = tiercut.frontier(TOPOLOGY, networks[:2], min_accuracy=0.999).thinned(within="1 %")
    assert (none.status, len(none)) == ("infeasible", 0)


def test_rules_for_exits_are_about_the_networks_that_have_them(networks: list[str]) -> None:
    rules: dict[str, Any] = {"exits": "free", "thresholds": "per-exit", "estimator": "conditional"}
    answer = tiercut.frontier(TOPOLOGY, networks[:2], min_accuracy=0.84, **rules)
    exits, without = answer.answers.values()
    assert exits.plans == tiercut.frontier(TOPOLOGY, networks[0], min_accuracy=0.84, **rules).plans
    assert without.plans == tiercut.frontier(TOPOLOGY, networks[1], min_accuracy=0.84).plans


def test_what_says_nothing_of_several_networks_is_refused(networks: list[str]) -> None:
    with pytest.raises(QuestionError, match="with several networks a least accuracy is a share"):
        tiercut.solve(TOPOLOGY, networks, max_loss="2 points")
    with pytest.raises(QuestionError, match=r"network 'ResNet20/clutter \(resnet20-clutter\)' is named twice"):
        tiercut.solve(TOPOLOGY, [EXITS, EXITS], min_accuracy=0.8)
    with pytest.raises(QuestionError, match=r"^small/clutter: exits 'free' need the key 'exits'"):
        tiercut.solve(TOPOLOGY, networks[1:2], exits="free")


def test_the_command_takes_several_profiles(networks: list[str], tmp_path: Path) -> None:
    csv, plot = tmp_path / "plans.csv", tmp_path / "plans.html"
    words = ["frontier", TOPOLOGY, *networks, "--csv", str(csv), "--plot", str(plot)]
    said = CliRunner().invoke(app, words, env={"COLUMNS": "100"})
    assert said.exit_code == 0, said.output
    assert "3 networks on iot" in said.stdout
    assert "warning: accuracies are of different data sets (clutter, digits32)" in said.output
    assert csv.read_text().startswith("rank,profile,plan,latency_s,accuracy")
    assert "small/clutter" in plot.read_text()
    nothing = CliRunner().invoke(app, ["solve", TOPOLOGY, *networks[:2], "--min-accuracy", "0.999"])
    assert isinstance(nothing.exception, InfeasibleError)
