"""The sustainable rate as a measure: what it is, how it is written, and every exact solver against plain Python."""

from __future__ import annotations

import json
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.made import both, plan_of, problem_of, profile_data, topology_data
from support.questions import is_small
from support.reference import Score
from support.reference_measures import over, value
from support.seeded.choices import drawn_choices
from support.seeded.problems import Case, random_case
from typer.testing import CliRunner

import tiercut
from tiercut.cli.app import app
from tiercut.errors import InputError, QuestionError
from tiercut.optimizer.frontier import frontier_plans, values_of
from tiercut.optimizer.measures.busy import busy_by_place
from tiercut.optimizer.memory import within_memory
from tiercut.optimizer.pricing import evaluate
from tiercut.optimizer.query import Bound, Query
from tiercut.optimizer.space import make_space
from tiercut.solvers.interface import Options
from tiercut.solvers.registry import SOLVERS, find, needs
from tiercut.solvers.task import make_task

RECORDED = ("mobile", "resnet20-digits32")


def test_it_is_one_over_what_the_busiest_takes_for_a_frame() -> None:
    """Near computes 1 s; the link takes 8 B at 4 B/s; far, four frames at once, 4 s over 4."""
    profile = profile_data([1.0, 2.0], [4.0, 8.0, 0.0], result_bytes=2.0, accuracy=0.9)
    nodes: list[dict[str, Any]] = [{"name": "near"}, {"name": "far", "slowdown": 2.0, "workers": 4}]
    problem = problem_of(topology_data(nodes, [both("near", "far", 1, 4)]), profile)
    assert evaluate(problem, plan_of(problem, [1, 2], "near far").decision, "rate") == 2.0
    assert evaluate(problem, plan_of(problem, [2], "near").decision, "rate") == 3.0


@pytest.mark.parametrize("seed", range(60))
def test_it_is_what_the_busiest_place_of_the_itinerary_allows(seed: int) -> None:
    case = random_case([61, seed], blocks=6, nodes=4)
    for choice in drawn_choices(case, np.random.default_rng(seed)):
        decision = case.decision(choice)
        most = max(busy_by_place(case.problem, decision).values())
        assert isclose(evaluate(case.problem, decision, "rate"), most, rel_tol=1e-9, abs_tol=1e-12)


def test_links_share_the_tables_of_pieces_which_they_have_none_of() -> None:
    """One table of zeros for all: of many machines, each link's own would take a gigabyte."""
    nodes = [{"name": "a", "memory": "250 B"}, {"name": "b"}, {"name": "c"}]
    profile = profile_data([1.0, 2.0], [4.0, 8.0, 1.0], accuracy=0.9)
    profile["blocks"] = [{**block, "parameter_bytes": 150, "activation_bytes": 10} for block in profile["blocks"]]
    problem = problem_of(topology_data(nodes, [both("a", "b", 1, 4), both("b", "c", 1, 4)]), profile)
    task = make_task(within_memory(make_space(problem)), Query(objective="rate"))
    links = task.costs.others[2:]
    assert len(links) == 4
    assert np.isinf(links[0].span[0, 0, 1])  # it does not fit
    for table in ("span", "bare"):
        assert len({id(getattr(each, table)) for each in links}) == 1
    measured = task.measure.others[2:]
    assert all(np.shares_memory(mine.send, each.send) for mine, each in zip(links, measured, strict=True))


def test_a_simulated_stream_turns_at_the_rate_that_the_answer_has() -> None:
    answer = tiercut.solve(*RECORDED, objective="rate", min_accuracy=0.97)
    told = answer.to_data()["plans"][0]["measures"]["rate"]
    stream = tiercut.simulate(
        *RECORDED, answer.best, rate=1, frames=2, draw_exits=True, estimator=answer.space.estimator
    )
    assert stream.sustainable_rate == pytest.approx(told, rel=1e-9)
    assert told == pytest.approx(1 / answer.values(["rate"])[0, 0])


# Every exact solver against trying everything in plain Python


def small_case(seed: int) -> tuple[Case, list[Score], np.random.Generator] | None:
    case, rng = random_case([62, seed], plain=seed % 3 == 0, blocks=5, nodes=4), np.random.default_rng([63, seed])
    if not is_small(case):
        return None
    scores = case.reference.scores(case.exits, case.order)
    return (case, scores, rng) if scores else None


def able(case: Case, query: Query) -> list[str]:
    """Return the exact solvers that answer a question."""
    wanted = needs(make_task(case.space, query))
    return [name for name, solver in SOLVERS.items() if solver.exact and wanted <= solver.features]


CHUNKS = [pytest.param(range(12), id="few"), pytest.param(range(12, 112), id="many", marks=pytest.mark.slow)]


def solved(case: Case, query: Query, name: str) -> list[tiercut.Plan]:
    outcome = find(name).solve(make_task(case.space, query), Options(workers=1))
    assert outcome.status == ("optimal" if outcome.decisions else "infeasible")
    if query.kind == "frontier":
        return frontier_plans(case.space.problem, query, outcome.decisions)
    return [tiercut.optimizer.price(case.problem, decision) for decision in outcome.decisions]


@pytest.mark.parametrize("seeds", CHUNKS)
def test_frontiers_with_rates_are_those_of_trying_everything(seeds: range) -> None:
    asked = 0
    for seed in seeds:
        drawn = small_case(seed)
        if drawn is None:
            continue
        case, scores, rng = drawn
        knows = case.space.knows_accuracy
        trades = [("latency", "rate"), ("rate", "bytes"), ("latency", "bytes", "rate")]
        trades += (
            [("latency", "accuracy", "rate"), ("rate", "accuracy"), ("latency", "accuracy", "rate")] if knows else []
        )
        names = trades[int(rng.integers(len(trades)))]
        query = Query(kind="frontier", over=names, exits=case.exits, order=case.order)  # type: ignore[arg-type]
        best = over(case.reference, scores, query.compared)
        wanted = np.array([[value(case.reference, score, name) for name in query.compared] for score in best])
        for name in able(case, query):
            plans = solved(case, query, name)
            signs = [-1.0 if each == "accuracy" else 1.0 for each in query.compared]
            values = values_of(case.problem, plans, query.compared) * signs
            assert covers(values, wanted), (seed, name, query)
            assert covers(wanted, values), (seed, name, query)
            asked += 1
    assert asked > len(seeds) / 4


def covers(frontier: np.ndarray[Any, Any], points: np.ndarray[Any, Any]) -> bool:
    """Return whether for every point there is one no worse but for rounding; everything is minimised."""
    reach = points + 1e-9 + 1e-9 * np.abs(points)
    return all(bool((frontier <= far).all(axis=1).any()) for far in reach)


@pytest.mark.parametrize("seeds", CHUNKS)
def test_the_greatest_rate_and_plans_above_a_rate_are_those_of_trying_everything(seeds: range) -> None:
    asked = 0
    for seed in seeds:
        drawn = small_case(seed)
        if drawn is None:
            continue
        case, scores, rng = drawn
        rule: dict[str, Any] = {"exits": case.exits, "order": case.order}
        one = scores[int(rng.integers(len(scores)))]
        if case.space.knows_accuracy and rng.random() < 0.5:
            rule["min_accuracy"] = min(max(one.accuracy or 0.0, 0.0), 1.0)
        if rng.random() < 0.5:
            rule["max_latency_s"] = one.latency
        kept = [
            each
            for each in scores
            if each.latency <= rule.get("max_latency_s", np.inf) + 1e-9
            and (each.accuracy or 0.0) >= rule.get("min_accuracy", 0.0) - 1e-9
        ]
        greatest = min(value(case.reference, score, "rate") for score in kept)
        for name in able(case, query := Query(objective="rate", **rule)):
            (plan,) = solved(case, query, name)
            assert isclose(evaluate(case.problem, plan.decision, "rate"), greatest, rel_tol=1e-9, abs_tol=1e-9), seed
            asked += 1
        most = value(case.reference, one, "rate")
        query = Query(bounds=(Bound("rate", at_most=most),), **rule)
        quick = [score.latency for score in kept if value(case.reference, score, "rate") <= most * (1 + 1e-9)]
        for name in able(case, query) if seed % 10 == 0 else ("exhaustive", "labels"):
            (plan,) = solved(case, query, name)
            assert isclose(plan.latency_s, min(quick), rel_tol=1e-9, abs_tol=1e-9), (seed, name)
    assert asked > len(seeds) / 4


# How it is written


def test_it_is_asked_for_and_told_in_frames_a_second(tmp_path: Path) -> None:
    asked = ["solve", *RECORDED, "--bound", "rate>=4.5 fps", "--min-accuracy", "0.97"]
    said = CliRunner().invoke(app, [*asked, "--objective", "rate"])
    assert said.exit_code == 0
    assert "rate ≥ 4.5 fps" in said.output
    assert "5.086 fps" in said.output
    told = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)
    path = tmp_path / "asked.yaml"
    path.write_text("format: tiercut.query/1\nmin_accuracy: 0.97\nbounds: [{measure: rate, at_least: 4.5 fps}]\n")
    assert tiercut.solve(*RECORDED, query=path).to_data()["plans"] == told["plans"]


def test_where_nothing_is_as_fast_the_message_names_the_greatest_rate() -> None:
    answer = tiercut.solve(*RECORDED, bounds=["rate>=100 fps"])
    assert "no plan keeps rate >= 100 fps; the least rate is" not in answer.message
    assert "5.408 fps" in answer.message


@pytest.mark.parametrize("text", ["rate<=5 fps", "rate>=0 fps", "rate>=5", "rate:watch>=5 fps"])
def test_what_cannot_be_asked_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(QuestionError, match="rate"):
        tiercut.solve(*RECORDED, bounds=[text])
    with pytest.raises(QuestionError, match="rate does not add up"):
        tiercut.solve(*RECORDED, objective="latency + 2 * rate")


def test_a_file_that_bounds_it_from_above_is_refused_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "asked.yaml"
    path.write_text("format: tiercut.query/1\nbounds: [{measure: rate, at_most: 4.5 fps}]\n")
    with pytest.raises(InputError, match="at_least"):
        tiercut.solve(*RECORDED, query=path)
