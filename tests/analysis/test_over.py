"""Frontiers over two or three measures: against trying everything in plain Python, their laws, and what is said."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import moocore
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from support.questions import is_small
from support.reference import within
from support.reference_measures import over, value
from support.seeded.problems import Case, random_case
from support.seeded.questions import random_measures, random_question
from typer.testing import CliRunner

import tiercut
from tiercut.analysis.answers.hypervolume import hypervolume
from tiercut.cli.app import app
from tiercut.errors import InputError, QuestionError
from tiercut.optimizer.frontier import frontier_plans, values_of
from tiercut.optimizer.pricing import evaluate
from tiercut.optimizer.query import Query
from tiercut.optimizer.questions.query_file import load_query
from tiercut.optimizer.space import Space
from tiercut.report.pictures import answer_picture
from tiercut.report.plots.several_measures import several_measures
from tiercut.report.saving import save
from tiercut.solvers.interface import Options
from tiercut.solvers.registry import SOLVERS, find, needs
from tiercut.solvers.task import make_task

EXACT = ("exhaustive", "labels")
RECORDED = ("mobile", "resnet20-digits32")


def drawn(case: Case, rng: np.random.Generator) -> tuple[str, ...]:
    """Return two or three measures that both scorers know, accuracy last; not one alone against it."""
    nodes = [str(rng.choice(case.problem.nodes)) for _ in range(3)]
    names = ["latency", "bytes", f"compute:{nodes[0]}", f"blocks:{nodes[1]}", f"out:{nodes[2]}"]
    names += [f"link:{a}>{b}" for a, b in case.reference.hops][:2]
    if case.reference.watts and len(case.reference.watts) == len(nodes):
        names += ["energy", "cost"]
    chosen = tuple(str(name) for name in rng.permutation(names))
    if case.space.knows_accuracy and rng.random() < 0.6:
        return *chosen[:2], "accuracy"
    return chosen[: int(rng.integers(2, 4))]


def solved(space: Space, query: Query, solver: str) -> tuple[list[tiercut.Plan], np.ndarray[Any, Any]]:
    """Return the plans of a frontier, and their values."""
    outcome = find(solver).solve(make_task(space, query), Options(workers=1))
    assert outcome.status == ("optimal" if outcome.decisions else "infeasible")
    plans = frontier_plans(space.problem, query, outcome.decisions)
    return plans, values_of(space.problem, plans, query.compared, query.rate_fps)


@pytest.mark.parametrize("solver", EXACT)
@pytest.mark.parametrize("chunk", range(3))
def test_every_point_is_found_and_among_equals_the_plan_that_comes_first(solver: str, chunk: int) -> None:
    """In plain problems all sums are exact, so that points and plans must be the very same."""
    asked = 0
    for seed in range(chunk * 100, (chunk + 1) * 100):
        case, rng = random_case([True, seed], plain=True), np.random.default_rng(seed)
        if not is_small(case):
            continue
        scores = case.reference.scores(case.exits, case.order)
        query = Query(kind="frontier", over=drawn(case, rng), exits=case.exits, order=case.order)
        if scores and rng.random() < 0.3:
            query = replace(query, max_latency_s=scores[int(rng.integers(len(scores)))].latency)
        if scores and case.space.knows_accuracy and rng.random() < 0.3:
            query = replace(query, min_accuracy=scores[int(rng.integers(len(scores)))].accuracy)
        plans, _ = solved(case.space, query, solver)
        wanted = over(case.reference, within(scores, query.min_accuracy, query.max_latency_s), query.compared)
        assert [case.choice(plan.decision) for plan in plans] == [score.choice for score in wanted], (seed, query.over)
        asked += 1
    assert asked > 40


@pytest.mark.parametrize("solver", EXACT)
def test_points_are_those_of_trying_everything_but_for_rounding(solver: str) -> None:
    for seed in range(120):
        case, rng = random_case([False, seed]), np.random.default_rng(seed)
        if not is_small(case):
            continue
        query = Query(kind="frontier", over=drawn(case, rng), exits=case.exits, order=case.order)
        _, values = solved(case.space, query, solver)
        scores = over(case.reference, case.reference.scores(case.exits, case.order), query.compared)
        wanted = np.array([[value(case.reference, score, name) for name in query.compared] for score in scores])
        wanted, least = wanted.reshape(-1, len(query.compared)), made_least(values, query)
        assert covers(least, wanted), (seed, query)
        assert covers(wanted, least), (seed, query)


def made_least(values: np.ndarray[Any, Any], query: Query) -> np.ndarray[Any, Any]:
    return values * [-1.0 if name == "accuracy" else 1.0 for name in query.compared]


def covers(frontier: np.ndarray[Any, Any], points: np.ndarray[Any, Any]) -> bool:
    """Return whether for every point there is one no worse but for rounding; everything is minimised."""
    reach = points + 1e-9 + 1e-9 * np.abs(points)
    return all(bool((frontier <= far).all(axis=1).any()) for far in reach)


def test_labels_find_what_trying_everything_finds_under_every_rule_and_bound() -> None:
    asked = 0
    for seed in range(150):
        if (made := asked_over(seed)) is None:
            continue
        space, query = made
        plans, values = solved(space, query, "labels")
        others, wanted = solved(space, query, "exhaustive")
        assert values.shape == wanted.shape, (seed, query)
        assert np.allclose(values, wanted, rtol=1e-12, atol=1e-12), (seed, query)
        assert [plan.decision for plan in plans] == [plan.decision for plan in others], (seed, query)
        asked += 1
    assert asked > 80


def asked_over(seed: int) -> tuple[Space, Query] | None:
    """Return a random space, with a frontier over random measures under random bounds."""
    if (made := random_question(seed)) is None:
        return None
    space, query = made
    rng = np.random.default_rng([9, seed])
    names = ["latency", "bytes", "energy", "cost", *random_measures(space.problem, rng)]
    names += ["accuracy"] * 4 if space.knows_accuracy else []
    over = tuple(dict.fromkeys(str(name) for name in rng.permutation(names)))[: int(rng.integers(2, 4))]
    query = replace(query, kind="frontier", objective="latency", over=over)
    return (space, query) if query.many and "once" not in needs(make_task(space, query)) else None


@cache
def recorded() -> Space:
    return tiercut.ask(*RECORDED, Query()).space


NAMES = ["latency", "bytes", "compute:watch", "compute:phone", "out:phone", "link:watch-phone", "accuracy"]


@settings(max_examples=40, deadline=None)
@given(names=st.permutations(NAMES).map(lambda names: tuple(names[:3])), floor=st.sampled_from([None, 0.6, 0.9]))
def test_another_measure_loses_no_point_of_the_smaller_frontier(names: tuple[str, ...], floor: float | None) -> None:
    """Seen in the measures of the smaller frontier, each of the two covers the other."""
    larger = Query(kind="frontier", over=names, min_accuracy=floor)
    _, values = solved(recorded(), larger, "labels")
    for gone in range(3):
        rest = tuple(name for place, name in enumerate(larger.compared) if place != gone)
        smaller = Query(kind="frontier", over=rest, min_accuracy=floor)
        _, wanted = solved(recorded(), smaller, "labels")
        seen = values[:, [larger.compared.index(name) for name in smaller.compared]]
        seen, wanted = made_least(seen, smaller), made_least(wanted, smaller)
        assert covers(seen, wanted)
        assert covers(wanted, seen)


def test_no_point_beats_another_and_they_are_sorted() -> None:
    answer = tiercut.frontier(*RECORDED, over=["accuracy", "out:phone", "latency"])
    values = answer.values(("out:phone", "latency", "accuracy"))
    assert moocore.is_nondominated(values, maximise=[False, False, True]).all()
    rows = [(out, latency, -right) for out, latency, right in values.tolist()]
    assert rows == sorted(rows)
    assert len(set(rows)) == len(rows)


@pytest.mark.parametrize("names", [("latency", "accuracy"), ("accuracy", "latency")])
def test_one_measure_and_accuracy_are_the_frontier_there_always_was(names: tuple[str, ...]) -> None:
    plain, named = tiercut.frontier(*RECORDED), tiercut.frontier(*RECORDED, over=names)
    assert named.plans == plain.plans
    assert not named.query.many
    assert (
        tiercut.frontier(*RECORDED, over=["bytes", "accuracy"]).plans
        == tiercut.frontier(*RECORDED, objective="bytes").plans
    )


def test_accuracy_need_not_be_known_for_a_frontier_without_it(tmp_path: Path) -> None:
    path = tmp_path / "bare.json"
    blocks = [{"name": name, "output_bytes": 1000} for name in "ab"]
    devices = {"here": {"block_s": [0.1, 0.1]}}
    data = {"format": "tiercut.profile/1", "model": "m", "input_bytes": 10, "blocks": blocks, "devices": devices}
    path.write_text(json.dumps(data))
    answer = tiercut.frontier("mobile", path, over=["latency", "bytes"])
    assert len(answer) > 1
    with pytest.raises(QuestionError, match="needs the key 'accuracy'"):
        tiercut.frontier("mobile", path, over=["latency", "accuracy"])


@pytest.mark.parametrize("solver", EXACT)
def test_out_of_time_what_is_found_is_given_and_said_not_to_be_proved(solver: str) -> None:
    query = Query(kind="frontier", over=("latency", "bytes", "accuracy"))
    outcome = find(solver).solve(make_task(recorded(), query), Options(time_limit_s=0.0))
    assert outcome.status in ("feasible", "optimal")
    assert outcome.status == "optimal" or outcome.reason


def test_solvers_that_do_not_compare_many_measures_name_those_that_do() -> None:
    query = Query(kind="frontier", over=("latency", "bytes"))
    for solver in SOLVERS.values():
        if not needs(make_task(recorded(), query)) <= solver.features:
            with pytest.raises(QuestionError, match=r"does not answer a frontier over other than .*labels, exhaustive"):
                solver.solve(make_task(recorded(), query), Options())


# Hypervolume


def test_the_hypervolume_of_two_points_by_hand() -> None:
    """(1, 0.5) and (2, 0.75) up to 3 and 0: 2·0.5 + 1·0.25, of a box of 2·0.75."""
    values = np.array([[1.0, 0.5], [2.0, 0.75]])
    found = hypervolume(values, ["latency", "accuracy"], {"latency": 3.0, "accuracy": 0.0})
    assert found is not None
    assert found.value == pytest.approx(1.25)
    assert found.share == pytest.approx(1.25 / 1.5)
    assert found.reference == {"latency": 3.0, "accuracy": 0.0}
    default = hypervolume(values, ["latency", "accuracy"])
    assert default is not None
    assert default.reference == pytest.approx({"latency": 2.2, "accuracy": 0.0})
    with pytest.raises(QuestionError, match="lacks a value of accuracy"):
        hypervolume(values, ["latency", "accuracy"], {"latency": 3.0})


def test_the_hypervolume_of_a_frontier_is_its_area_added_up() -> None:
    answer = tiercut.frontier(*RECORDED, over=["latency", "accuracy"])
    covered = answer.hypervolume({"latency": 10.0, "accuracy": 0.0})
    area, right = 0.0, 0.0
    for plan in answer:
        assert plan.accuracy is not None
        area += (10.0 - plan.latency_s) * (plan.accuracy - right)
        right = plan.accuracy
    assert covered is not None
    assert covered.value == pytest.approx(area, rel=1e-12)


# What is said


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"over": ["latency"]}, ["two or three different measures"]),
        ({"over": ["latency", "latency"]}, ["two or three different measures"]),
        ({"over": ["latency", "bytes", "cost", "energy"]}, ["two or three different measures"]),
        ({"over": ["latency", "share:watch"]}, ["a ratio of two sums", "compute:watch"]),
        ({"over": ["latency", "byts"]}, ["did you mean 'bytes'?"]),
        ({"over": ["latency", "compute:wtach"]}, ["did you mean 'watch'?"]),
        ({"over": ["latency", "energy"]}, ["energy needs the power of every node"]),
        ({"over": ["latency", "utilisation:watch"]}, ["the rate at which frames arrive"]),
        ({"over": ["latency", "bytes"], "objective": "bytes"}, ["objective or over, not both"]),
        ({"over": "latency,bytes"}, ["over is a list"]),
    ],
)
def test_what_a_frontier_cannot_be_over_says_why(asked: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(QuestionError) as raised:
        tiercut.frontier(*RECORDED, **asked)
    assert all(word in str(raised.value) for word in words), str(raised.value)


def test_a_best_plan_is_not_over_several_measures() -> None:
    with pytest.raises(QuestionError, match="a best plan has one objective"):
        tiercut.solve(*RECORDED, over=["latency", "bytes"])


def test_a_query_file_may_say_it_and_a_flag_beats_its_objective(tmp_path: Path) -> None:
    path = tmp_path / "q.yaml"
    path.write_text("format: tiercut.query/1\nover: [latency, bytes]\n")
    answer = tiercut.frontier(*RECORDED, query=path)
    assert answer.query.over == ("latency", "bytes")
    assert tiercut.frontier(*RECORDED, query=path, objective="bytes").query.over == ()
    path.write_text("format: tiercut.query/1\nover: [latency, bites]\nobjective: bytes\n")
    with pytest.raises(InputError, match=r"over\[1\].*did you mean 'bytes'") as raised:
        load_query(path)
    assert "not both" in str(raised.value)


def test_the_command_tells_the_measures_and_the_hypervolume(tmp_path: Path) -> None:
    call = ["frontier", *RECORDED, "--over", "latency, compute:watch,accuracy", "--min-accuracy", "0.9"]
    said = CliRunner().invoke(app, [*call, "--json"])
    data = json.loads(said.stdout)
    assert data["frontier"]["over"] == ["latency", "compute:watch", "accuracy"]
    assert set(data["frontier"]["hypervolume"]) == {"value", "share", "reference"}
    assert all(set(plan["measures"]) == {"compute:watch"} for plan in data["plans"])
    path = tmp_path / "answer.json"
    path.write_text(said.stdout)
    again = CliRunner().invoke(app, ["explain", *RECORDED, str(path), "--rank", "2"])
    assert again.exit_code == 0, again.output
    table = CliRunner().invoke(app, call)
    assert "latency against compute:watch against accuracy" in table.stdout
    assert "hypervolume: " in table.stdout
    assert "reference point (latency " in " ".join(table.stdout.split())


def test_the_picture_has_accuracy_upward_and_the_third_measure_as_colour(tmp_path: Path) -> None:
    answer = tiercut.frontier(*RECORDED, over=["accuracy", "latency", "out:phone"])
    data = several_measures(answer)
    assert data.labels == ("latency (ms)", "expected accuracy (%)", "out:phone (kB)")
    assert data.x == pytest.approx([plan.latency_s * 1e3 for plan in answer])
    assert data.y == pytest.approx([100 * (plan.accuracy or 0.0) for plan in answer])
    assert data.colour is not None
    assert data.colour * 1e3 == pytest.approx(answer.values()[:, 0])
    save(answer_picture(answer), tmp_path / "over.html")
    page = (tmp_path / "over.html").read_text()
    assert "<th>out:phone</th>" in page
    rows = page.partition("<th>out:phone</th>")[2].partition("</table>")[0]
    assert rows.count("<tr>") == len(answer)


def test_two_measures_without_accuracy_are_the_two_axes() -> None:
    data = several_measures(tiercut.frontier(*RECORDED, over=["compute:watch", "latency"]))
    assert data.labels == ("compute:watch (ms)", "latency (ms)")
    assert data.colour is None
    assert data.x.tolist() == sorted(data.x.tolist())
    assert data.y.tolist() == sorted(data.y.tolist(), reverse=True)


def test_replayed_frontiers_compare_what_the_samples_make_of_plans() -> None:
    answer = tiercut.frontier(*RECORDED, over=["latency", "out:phone", "accuracy"], evaluate="replay")
    values = answer.values(answer.query.compared)
    assert values[:, 0].tolist() == [plan.latency_s for plan in answer]
    assert values[:, 2].tolist() == [plan.accuracy for plan in answer]
    assert moocore.is_nondominated(values, maximise=[False, False, True]).all()
    seen = tiercut.problem(*RECORDED, estimator="replay")
    assert values[:, 1].tolist() == [evaluate(seen, plan.decision, "out:phone") for plan in answer]
    model = tiercut.frontier(*RECORDED, over=["latency", "out:phone", "accuracy"])
    assert set(answer.plans) != set(model.plans)


def test_where_no_plan_keeps_the_bounds_the_nearest_value_is_named() -> None:
    answer = tiercut.frontier(*RECORDED, over=["latency", "out:phone"], min_accuracy=1.0)
    assert not answer.plans
    assert answer.message.startswith("no plan reaches an accuracy of 1; the best that can be had is ")
