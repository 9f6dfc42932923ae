"""Weighted sums as objectives: how they are written, and that solvers find the least of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.made import both, exits_data, profile_data, topology_data
from support.questions import is_small
from support.seeded.problems import random_case

import tiercut
from tiercut.errors import InputError, QuestionError
from tiercut.optimizer.measures.names import format_amount, goal_fault
from tiercut.optimizer.measures.weighted import Term, is_sum, terms_of
from tiercut.optimizer.pricing import evaluate
from tiercut.optimizer.query import Query
from tiercut.optimizer.questions.query_file import load_query
from tiercut.solvers.interface import Options
from tiercut.solvers.registry import SOLVERS, find, needs
from tiercut.solvers.task import make_task

NODES = [
    {"name": "a", "slowdown": 4.0, "power": "3 W", "price": "1 $/h"},
    {"name": "b", "power": "10 W", "price": "1 $/h"},
]
TOPOLOGY = tiercut.Topology.from_data(topology_data(NODES, [both("a", "b", 0.1, 100.0)]))
EXITS = exits_data([0.6, 0.8, 0.9], [0.5, 0.3, 0.2])
PROFILE = tiercut.Profile.from_data(profile_data([1.0, 1.0, 2.0], [20.0, 10.0, 5.0, 1.0], exits=EXITS))


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("latency + 0.5 s/J * energy", [(1.0, "latency"), (0.5, "energy")]),
        ("latency+500ms/J*energy", [(1.0, "latency"), (0.5, "energy")]),
        ("2 * latency + energy * 0.5 s/mJ", [(2.0, "latency"), (500.0, "energy")]),
        ("latency + 1 s/MB * bytes + 3600 s/$ * cost", [(1.0, "latency"), (1e-6, "bytes"), (3600.0, "cost")]),
        ("energy:a + 2 * energy:b", [(1.0, "energy:a"), (2.0, "energy:b")]),
        ("cost + 1e-3 $/s * latency", [(1.0, "cost"), (1e-3, "latency")]),
        ("latency + 3 s * utilisation:a", [(1.0, "latency"), (3.0, "utilisation:a")]),
        ("utilisation:a + 0.1 1/s * latency", [(1.0, "utilisation:a"), (0.1, "latency")]),
    ],
)
def test_a_sum_is_read_as_weights_in_inner_units(text: str, terms: list[tuple[float, str]]) -> None:
    assert is_sum(text)
    got = terms_of(text)
    assert [term.name for term in got] == [name for _, name in terms]
    assert [term.weight for term in got] == pytest.approx([weight for weight, _ in terms], rel=1e-12)
    assert goal_fault(text) == ""


@pytest.mark.parametrize("text", ["latency", "compute:a+b", "link:a>b", "compute:a*b"])
def test_a_measure_is_no_sum_whatever_its_place_is_called(text: str) -> None:
    assert not is_sum(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("latency + energy", ["energy", "unit s/J", "'0.5 s/J * energy'"]),
        ("energy + 2 * latency", ["unit J/s"]),
        ("latency + 2 s/B * energy", ["unit s/J"]),
        ("latency + 1 s/J * energi", ["did you mean 'energy'?"]),
        ("latency + 2 s * accuracy", ["accuracy is no cost", "min_accuracy"]),
        ("latency + 0 s/J * energy", ["weight greater than 0"]),
        ("latency + -1 s/J * energy", ["weight greater than 0", "'-1 s/J'"]),
        ("latency + 1e999 s/J * energy", ["weight greater than 0"]),
        ("latency + 2 * p99", ["p99 does not add up"]),
        ("latency + 2 s/B * memory:a", ["memory does not add up"]),
        ("latency + 2 s * share:a", ["share does not add up"]),
        ("latency + 2 s/s * compute", ["compute needs a node or a tier"]),
        ("latency + ", ["no measure ''"]),
    ],
)
def test_a_sum_that_cannot_be_says_what_was_expected(text: str, words: list[str]) -> None:
    with pytest.raises(QuestionError) as raised:
        tiercut.solve(TOPOLOGY, PROFILE, objective=text, rate="1 fps", max_utilisation="none")
    assert all(word in str(raised.value) for word in words), str(raised.value)


SUM = "latency + 0.1 s/J * energy"


def test_the_least_sum_is_found_and_shown_with_its_parts() -> None:
    answer = tiercut.solve(TOPOLOGY, PROFILE, objective=SUM, min_accuracy=0.7)
    every = tiercut.rank(TOPOLOGY, PROFILE, top=1000, min_accuracy=0.7)
    latency, energy = every.values(["latency", "energy"]).T
    least = float((latency + 0.1 * energy).min())
    assert answer.measures == (SUM, "energy")
    assert answer.values()[0, 0] == pytest.approx(least, rel=1e-12)
    assert answer.to_data()["plans"][0]["measures"][SUM] == pytest.approx(least, rel=1e-12)
    assert f"least {SUM}" in " ".join(str(answer).split())
    assert format_amount(2.0, SUM) == "2 s"


@pytest.mark.parametrize("seed", range(80))
def test_every_exact_solver_finds_the_least_sum(seed: int) -> None:
    case = random_case([51, seed], plain=seed % 2 == 1, blocks=5, nodes=4)
    if not is_small(case):
        return
    parts = ("latency", "bytes", "compute:" + case.problem.nodes[0])
    query = Query(objective=f"{parts[0]} + 3 ms/kB * {parts[1]} + 2 * {parts[2]}", exits=case.exits, order=case.order)
    values = []
    for choice in case.reference.choices(case.exits, case.order):
        if case.reference.possible(choice):
            score = case.reference.score(choice)
            here = sum(part.reach * part.compute_s for part in score.parts if part.node == case.problem.nodes[0])
            values.append(score.latency + 3e-6 * score.bytes_sent + 2 * here)
    task = make_task(case.space, query)
    for name, solver in SOLVERS.items():
        if solver.exact and needs(task) <= solver.features and (name != "cp-sat" or seed % 8 == 0):
            found = find(name).solve(task, Options(workers=1)).decisions
            got = [evaluate(case.problem, decision, query.objective) for decision in found]
            assert got == pytest.approx([min(values)] if values else [], rel=1e-9, abs=1e-9), name


def test_a_frontier_may_be_over_a_sum_and_a_query_file_name_it(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"over": [SUM, "accuracy"]}
    over, against = tiercut.frontier(TOPOLOGY, PROFILE, **asked), tiercut.frontier(TOPOLOGY, PROFILE, objective=SUM)
    assert [plan.decision for plan in over] == [plan.decision for plan in against]
    path = tmp_path / "query.yaml"
    path.write_text(f"format: tiercut.query/1\nobjective: {SUM}\n")
    assert tiercut.solve(TOPOLOGY, PROFILE, query=path).query.objective == SUM
    path.write_text("format: tiercut.query/1\nobjective: latency + energy\n")
    with pytest.raises(InputError, match=r"query\.yaml:2:12: objective: .*unit s/J"):
        load_query(path)


def test_why_follows_a_sum_where_each_of_its_parts_can_be_followed() -> None:
    why = tiercut.why(TOPOLOGY, PROFILE, objective=SUM, min_accuracy=0.7)
    assert not any(sweep.note for sweep in why.sweeps)
    priced = tiercut.why(TOPOLOGY, PROFILE, objective="latency + 2 * latency", min_accuracy=0.7)
    assert {sweep.parameter.kind for sweep in priced.sweeps if sweep.note} == {"bandwidth", "latency"}


def test_a_picture_calls_the_axis_by_the_sum(tmp_path: Path) -> None:
    from tiercut.report.plots.several_measures import axis_of

    assert axis_of(SUM) == (1e3, f"{SUM} (ms)")
    assert Term(1.0, "latency") == terms_of(SUM)[0]
