"""Answers as a whole: what ``tiercut.ask`` makes of what a solver finds, as objects, frames and files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.made import both, exits_data, profile_data, topology_data
from support.questions import is_small, questions
from support.seeded.problems import random_case

import tiercut
from tiercut.analysis.answers.answer_file import load_answer
from tiercut.cli import main
from tiercut.documents.parquet import write_parquet
from tiercut.errors import InputError, QuestionError
from tiercut.optimizer.own_plan import decide_again
from tiercut.optimizer.plan import Plan
from tiercut.optimizer.pricing import price
from tiercut.optimizer.query import Query
from tiercut.report.tables import idle_line

EXITS = exits_data([0.5, 0.75, 1.0], [0.5, 0.25, 0.25])
SIZES = [12.0, 8.0, 4.0, 0.0]
TOPOLOGY = tiercut.Topology.from_data(topology_data("near far", [both("near", "far", 1, 4)]))
PROFILE = tiercut.Profile.from_data(
    profile_data([1.0, 2.0, 4.0], SIZES, branch_s=[0.5] * 3, exits=EXITS, result_bytes=2, dataset="digits")
)


@pytest.mark.filterwarnings("ignore::tiercut.TiercutWarning")  # of spans whose branch is not known
@pytest.mark.parametrize("chunk", range(5))
def test_an_answer_holds_the_plans_that_trying_everything_finds(chunk: int) -> None:
    for seed in range(chunk * 60, chunk * 60 + 60):
        case = random_case([9, seed], plain=True)
        if not is_small(case):
            continue
        topology, profile = tiercut.Topology.from_data(case.topology), tiercut.Profile.from_data(case.profile)
        for question in questions(case, np.random.default_rng(seed), ("latency", "accuracy")):
            answer = tiercut.ask(topology, profile, question.query)
            assert [case.choice(plan.decision) for plan in answer] == [score.choice for score in question.wanted]
            assert [plan.latency_s for plan in answer] == [score.latency for score in question.wanted]
            assert [plan.accuracy for plan in answer] == [score.accuracy for score in question.wanted]
            assert (answer.message == "") == bool(question.wanted)


def test_an_answer_as_data_is_what_the_format_says() -> None:
    """[2, 3]: near 3.5; 3/4 leave; onward 1/4 · 2; far 1/4 · 4.5; result 1/4 · 1.5: 5.5 s and 1/4 · (4 + 2) bytes."""
    data = tiercut.rank(TOPOLOGY, PROFILE, top=100, min_accuracy=0.8, max_latency=6.0).to_data()
    assert data["format"] == "tiercut.answer/1"
    assert data["problem"] == {
        "topology": "made",
        "profile": "made/digits",
        "blocks": 3,
        "nodes": 2,
        "thresholds": 1,
        "decisions": 3 * 2 + 3 * 2,
    }
    assert data["solver"]["status"] == "optimal"
    assert data["solver"]["exact"] is True
    (plan,) = data["plans"]
    assert plan == {
        "rank": 1,
        "latency_s": 5.5,
        "accuracy": 0.8125,
        "threshold": 0.1,
        "partition": [2, 3],
        "placement": ["near", "far"],
        "exits": [2, 3],
        "codecs": [None],
        "input_codec": None,
        "bytes_sent": 1.5,
        "input_s": 0.0,
        "stages": [
            {
                "node": "near",
                "blocks": [1, 2],
                "reach": 1.0,
                "exit_rate": 0.75,
                "compute_s": 3.5,
                "result_s": 0.0,
                "send_to": "far",
                "send_bytes": 4.0,
                "send_s": 2.0,
                "exits": [2],
                "thresholds": [0.1],
                "codec": None,
            },
            {
                "node": "far",
                "blocks": [3, 3],
                "reach": 0.25,
                "exit_rate": 0.25,
                "compute_s": 4.5,
                "result_s": 1.5,
                "send_to": None,
                "send_bytes": 0.0,
                "send_s": 0.0,
                "exits": [3],
                "thresholds": [None],
                "codec": None,
            },
        ],
    }


def test_a_profile_without_exits_has_no_thresholds_and_one_decision_for_each_way() -> None:
    """Three blocks on two nodes: [3] on either; cut after 1 or 2, both ways: 2 + 4."""
    profile = tiercut.Profile.from_data(profile_data([1.0, 2.0, 4.0], SIZES))
    answer = tiercut.solve(TOPOLOGY, profile)
    assert answer.to_data()["problem"]["decisions"] == 6
    assert answer.to_data()["problem"]["thresholds"] == 0
    assert answer.to_data()["plans"][0]["accuracy"] is None
    assert answer.best.threshold is None


def test_a_frame_has_one_row_for_each_plan() -> None:
    frame = tiercut.frontier(TOPOLOGY, PROFILE).to_frame()
    assert list(frame["rank"]) == list(range(1, len(frame) + 1))
    assert list(frame["latency_s"]) == sorted(frame["latency_s"])
    assert list(frame.columns) == [
        "rank", "plan", "latency_s", "accuracy", "bytes_sent", "threshold", "partition", "placement", "exits",
    ]  # fmt: skip


def test_a_frame_is_flat_and_has_a_column_for_each_measure() -> None:
    answer = tiercut.frontier(TOPOLOGY, PROFILE, over=["latency", "accuracy", "compute:far"])
    frame = answer.to_frame()
    assert list(frame["compute:far"]) == answer.values(["compute:far"])[:, 0].tolist()
    assert not any(isinstance(cell, list | dict) for cell in frame.to_numpy().ravel())
    for row, plan in zip(frame.itertuples(), answer, strict=True):
        assert (row.plan, row.partition) == (str(plan), ",".join(map(str, plan.partition)))
        assert (row.placement, row.exits) == (",".join(plan.placement), ",".join(map(str, plan.exits)))


def test_a_csv_file_holds_the_frame_unrounded() -> None:
    answer = tiercut.frontier(TOPOLOGY, PROFILE)
    rows = list(csv.DictReader(io.StringIO(answer.to_csv())))
    assert [float(row["latency_s"]) for row in rows] == [plan.latency_s for plan in answer]
    assert [row["placement"] for row in rows] == [",".join(plan.placement) for plan in answer]


def test_a_plan_reads_as_nodes_and_their_blocks() -> None:
    plan = tiercut.plan(TOPOLOGY, PROFILE, partition=[1, 3], placement=["far", "near"], threshold=0.1)
    assert str(plan) == "far 1 → near 2-3"


def test_json_text_holds_unrounded_numbers_and_nothing_that_is_no_number() -> None:
    answer = tiercut.rank(TOPOLOGY, PROFILE, top=20)
    text = answer.to_json()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert [plan["latency_s"] for plan in json.loads(text)["plans"]] == [plan.latency_s for plan in answer]


def test_an_explanation_follows_a_sample_through_its_stages() -> None:
    plan = tiercut.plan(TOPOLOGY, PROFILE, partition=[1, 3], placement=["far", "near"], threshold=0.1)
    explanation = tiercut.explain(TOPOLOGY, PROFILE, plan)
    steps = [(step.sort, step.share, step.seconds) for step in explanation.steps]
    assert steps == [
        ("send", 1.0, 4.0),
        ("compute", 1.0, 1.5),
        ("result", 0.5, 1.5),
        ("send", 0.5, 3.0),
        ("compute", 0.5, 6.5),
    ]
    assert explanation.steps[-1].total_s == plan.latency_s == 11.0
    assert list(explanation.to_frame()["total_s"]) == [4.0, 5.5, 6.25, 7.75, 11.0]


def test_a_plan_is_priced_anew_when_it_is_explained_elsewhere() -> None:
    plan = tiercut.plan(TOPOLOGY, PROFILE, partition=[3], placement=["far"])
    slower = tiercut.Topology.from_data(topology_data("near far", [both("near", "far", 2, 4)]))
    assert plan.latency_s == 13.0
    assert tiercut.explain(slower, PROFILE, plan).plan.latency_s == 15.0


# Files of answers


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "answer.json"
    path.write_text(tiercut.rank(TOPOLOGY, PROFILE, top=3).to_json())
    return path


def load(path: Path, rank: int = 1) -> Plan:
    problem = tiercut.problem(TOPOLOGY, PROFILE)
    return price(problem, decide_again(problem, load_answer(path).plan(rank)))


def test_any_rank_of_an_answer_file_can_be_read_back(saved: Path) -> None:
    answer = tiercut.rank(TOPOLOGY, PROFILE, top=3)
    assert [load(saved, rank) for rank in (1, 2, 3)] == list(answer)


def test_a_plan_with_a_codec_comes_back_with_it(tmp_path: Path) -> None:
    times = {"d": [0.5, 0.5, 0.5]}
    codec = {"bytes": [1.0, 1.0, 1.0], "encode_s": times, "decode_s": times}
    profile = tiercut.Profile.from_data(profile_data([1.0, 2.0, 4.0], SIZES, codecs={"small": codec}))
    nodes = [{"name": "near", "slowdown": 100.0}, {"name": "far"}]
    topology = tiercut.Topology.from_data(topology_data(nodes, [both("near", "far", 1, 4)]))
    answer = tiercut.ask(topology, profile, Query(kind="rank", codec="small"))
    path = tmp_path / "answer.json"
    path.write_text(answer.to_json())
    assert tiercut.load_plans(path) == answer.plans
    problem = tiercut.problem(topology, profile)
    for rank, plan in enumerate(answer, 1):
        assert price(problem, decide_again(problem, load_answer(path).plan(rank))).to_data(rank) == plan.to_data(rank)
    assert any("small" in plan.codecs for plan in answer)
    assert {plan.input_codec for plan in answer} == {"small", None}
    assert {plan.placement[0] for plan in answer if plan.input_codec is None} == {"near"}
    shown = answer.to_frame()
    assert shown["input_codec"].fillna("none").tolist() == [plan.input_codec or "none" for plan in answer]
    for plan in answer:
        assert tiercut.explain(topology, profile, plan).plan.latency_s == plan.latency_s


def test_a_plan_with_a_threshold_for_each_exit_comes_back_with_them(tmp_path: Path) -> None:
    exits = exits_data([0.5, 0.75, 1.0], [0.25, 0.5, 1.0], [0.5, 0.75, 1.0], alone=True)
    profile = tiercut.Profile.from_data(profile_data([1.0, 2.0, 4.0], SIZES, branch_s=[0.5] * 3, exits=exits))
    answer = tiercut.ask(TOPOLOGY, profile, Query(kind="rank", per_exit=True, min_accuracy=0.8))
    path = tmp_path / "answer.json"
    path.write_text(answer.to_json())
    assert tiercut.load_plans(path) == answer.plans
    problem = tiercut.problem(TOPOLOGY, profile)
    for rank, plan in enumerate(answer, 1):
        assert price(problem, decide_again(problem, load_answer(path).plan(rank))).to_data(rank) == plan.to_data(rank)
    for plan in answer:
        assert tiercut.explain(TOPOLOGY, profile, plan).plan.latency_s == plan.latency_s


def test_plans_are_read_without_a_problem_as_they_were(saved: Path) -> None:
    answer = tiercut.rank(TOPOLOGY, PROFILE, top=3)
    plans = tiercut.load_plans(saved)
    assert plans == answer.plans
    assert [plan.to_data(1) for plan in plans] == [plan.to_data(1) for plan in answer]
    for read, plan in zip(plans, answer, strict=True):
        assert tiercut.explain(TOPOLOGY, PROFILE, read) == tiercut.explain(TOPOLOGY, PROFILE, plan)
    with pytest.raises(QuestionError, match="was read from a file and belongs to no problem yet"):
        _ = plans[0].decision


def test_answers_of_earlier_versions_can_be_read(saved: Path) -> None:
    data, new = json.loads(saved.read_text()), tiercut.load_plans(saved)
    for plan in data["plans"]:
        for stage in plan["stages"]:
            del stage["exits"], stage["thresholds"], stage["codec"]
        del plan["input_codec"]
    saved.write_text(json.dumps(data))
    assert tiercut.load_plans(saved) == new
    for plan in data["plans"]:
        del plan["codecs"], plan["stages"]
    saved.write_text(json.dumps(data))
    assert [str(plan) for plan in tiercut.load_plans(saved)] == [str(plan) for plan in new]
    assert [load(saved, rank) for rank in (1, 2, 3)] == list(new)


def test_an_answer_file_names_its_estimator(tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    path.write_text(tiercut.solve("iot", "resnet20-digits32", estimator="conditional").to_json())
    assert load_answer(path).estimator == "conditional"
    data = json.loads(path.read_text())
    data["problem"]["estimator"] = "conditinal"
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match="did you mean 'conditional'"):
        tiercut.load_plans(path)


def test_a_rank_that_an_answer_file_does_not_have_is_refused_with_those_it_has(saved: Path) -> None:
    with pytest.raises(QuestionError, match="has ranks 1 to 3, but rank 4 was asked for"):
        load(saved, 4)


@pytest.mark.parametrize("flags", [(), ("--why",), ("--estimator", "conditional")])
def test_what_explain_prints_is_a_plan_that_commands_take(
    flags: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    case, path = ("iot", "resnet20-digits32"), tmp_path / "plan.json"

    def call(*arguments: str) -> Any:
        monkeypatch.setattr("sys.argv", ["tiercut", *arguments, "--json"])
        with pytest.raises(SystemExit) as stop:
            main()
        assert not stop.value.code
        return json.loads(capsys.readouterr().out)

    first = call("explain", *case, "--min-accuracy", "0.9", *flags)
    path.write_text(json.dumps(first))
    explanation = first.get("explanation", first)
    assert call("explain", *case, str(path)) == explanation
    assert call("replay", *case, str(path))["plan"]["placement"] == explanation["plan"]["placement"]
    assert [plan.to_data(1) for plan in tiercut.load_plans(path)] == [explanation["plan"]]


def test_an_explanation_that_is_damaged_is_refused_by_its_key(tmp_path: Path) -> None:
    data = tiercut.explain(TOPOLOGY, PROFILE, tiercut.solve(TOPOLOGY, PROFILE).best).to_data()
    del data["plan"]["placement"]
    (tmp_path / "plan.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"plan\.placement"):
        tiercut.load_plans(tmp_path / "plan.json")


def test_an_answer_without_plans_says_so(saved: Path) -> None:
    saved.write_text(tiercut.solve(TOPOLOGY, PROFILE, max_latency=0.0).to_json())
    with pytest.raises(QuestionError, match="has no plans, but rank 1 was asked for"):
        load(saved)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "tiercut.answer/2"}, ["format", "expected", "tiercut.answer/1", "tiercut.answer/2"]),
        ({"plan": []}, ["unknown key 'plan'", "did you mean 'plans'?"]),
        ({"plans": [{"rank": 1}]}, ["plans[0].partition", "missing"]),
    ],
)
def test_a_file_that_is_no_answer_is_refused(saved: Path, change: dict[str, Any], words: list[str]) -> None:
    saved.write_text(json.dumps(json.loads(saved.read_text()) | change))
    with pytest.raises(InputError) as raised:
        load(saved)
    assert all(word in str(raised.value) for word in [str(saved), *words]), str(raised.value)


def test_a_plan_of_another_problem_is_refused_by_what_does_not_fit(saved: Path) -> None:
    data = json.loads(saved.read_text())
    data["plans"][0]["placement"] = ["moon"] * len(data["plans"][0]["placement"])
    saved.write_text(json.dumps(data))
    with pytest.raises(QuestionError, match="there is no node 'moon'"):
        load(saved)


@pytest.mark.filterwarnings("always::tiercut.TiercutWarning")
@pytest.mark.parametrize("asked", ["explain", "replay", "simulate --rate 1fps --frames 9 --plan"])
def test_a_plan_of_another_network_is_taken_with_a_warning(
    asked: str, tmp_path: Path, shell_call: Callable[..., tuple[int, str, str]]
) -> None:
    path = tmp_path / "plan.json"
    path.write_text(tiercut.solve("mobile", "resnet20-digits32", min_accuracy=0.9).to_json())
    command, *flags = asked.split()
    (status, _, said), (_, _, own) = (
        shell_call(command, "mobile", profile, *flags, path) for profile in ("digits-onnx", "resnet20-digits32")
    )
    assert status == 0
    assert f"warning: '{path}' is an answer about ResNet20/digits32, and its plan is taken here as one of" in said
    assert "is an answer about" not in own


def test_a_part_that_no_sample_gets_to_is_told_of_and_stands_in_brackets() -> None:
    """Everybody leaves at block 1, so that whatever follows it is idle; the plans count as they always did."""
    exits = exits_data([0.5, 0.75, 0.9], [1.0, 0.0, 0.0])
    topology = tiercut.Topology.from_data(topology_data("near far", [both("near", "far", 1, 4)]))
    profile = tiercut.Profile.from_data(profile_data([1.0, 2.0, 4.0], [12.0, 8.0, 4.0, 0.0], exits=exits))
    answer = tiercut.rank(topology, profile, top=3, all_decisions=True)
    assert [str(plan) for plan in answer] == ["near 1", "near 1 → far 2", "near 1 → far 2-3"]
    assert [plan.shown for plan in answer] == ["near 1", "near 1 [→ far 2]", "near 1 [→ far 2-3]"]
    assert [plan.idle_stages for plan in answer] == [(), (2,), (2,)]
    assert [plan.get("idle_stages") for plan in answer.to_data()["plans"]] == [None, [2], [2]]
    line = idle_line(answer)
    assert line is not None
    assert "2 of 3 plans have a part that no sample gets to" in line.plain
    fewer = idle_line(tiercut.rank(topology, profile, top=2, all_decisions=True))
    assert fewer is not None
    assert "1 of 2 plans has a part" in fewer.plain
    assert idle_line(tiercut.solve(topology, profile)) is None


def test_numbers_of_a_frame_are_numbers_even_where_no_plan_has_one(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra 'tables'")
    bare = tiercut.solve(TOPOLOGY, tiercut.Profile.from_data(profile_data([1.0, 2.0, 4.0], SIZES)))
    frames = {"bare": bare.to_frame(), "all": tiercut.frontier(TOPOLOGY, PROFILE).to_frame()}
    for name, frame in frames.items():
        assert {str(frame[each].dtype) for each in ("latency_s", "accuracy", "threshold", "bytes_sent")} == {"float64"}
        write_parquet(frame, tmp_path / f"{name}.parquet")
        assert frame.equals(parquet.read_table(tmp_path / f"{name}.parquet").to_pandas())
    one, other = (parquet.read_schema(tmp_path / f"{name}.parquet") for name in frames)
    assert one.remove_metadata().equals(other.remove_metadata())
