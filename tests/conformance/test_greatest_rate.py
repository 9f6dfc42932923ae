"""The greatest rate on many machines lies between the plan that is found and the bound that is proved."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from support.made import both, one, problem_of, profile_data, topology_data
from support.seeded.problems import random_case

import tiercut
from tiercut.optimizer import Query, Space, evaluate, make_space
from tiercut.optimizer.measures.busy import busy_by_place
from tiercut.optimizer.memory import fitting
from tiercut.optimizer.placement import narrow
from tiercut.report.answers.asked import proof_text
from tiercut.report.tables import remarks
from tiercut.solvers.interface import Options
from tiercut.solvers.pipelines import greatest_rate
from tiercut.solvers.registry import find
from tiercut.solvers.task import make_task

Data = dict[str, Any]


def machines_of(rng: np.random.Generator, nodes: int) -> list[Data]:
    """Return machines of many speeds, some of which work on several frames at once."""
    return [
        {"name": f"n{v}", "slowdown": float(rng.uniform(1, 6)), "workers": int(rng.integers(1, 3))}
        for v in range(nodes)
    ]


def links_of(rng: np.random.Generator, shape: str, nodes: int) -> list[Data]:
    """Return links between all pairs, from each to the next, or over one in the middle; some half duplex or one-way."""
    pairs = {
        "mesh": list(itertools.combinations(range(nodes), 2)),
        "chain": [(v, v + 1) for v in range(nodes - 1)],
        "star": [(0, v) for v in range(1, nodes)],
    }[shape]
    links = []
    for a, b in pairs:
        bandwidth, sort = float(10 ** rng.uniform(0, 2)), rng.random()
        if sort < 0.15 and shape == "mesh":
            links.append(one(f"n{a}", f"n{b}", 0.01, bandwidth))
        else:
            links.append(both(f"n{a}", f"n{b}", 0.01, bandwidth, **({"duplex": "half"} if sort > 0.7 else {})))
    return links


def made(seed: int, shape: str, blocks: int, nodes: int) -> tuple[Data, Data]:
    """Return a topology and a network without early exits, pieces of which may take less than their blocks."""
    rng = np.random.default_rng([64, seed])
    seconds = rng.uniform(0.0, 2, blocks) * (rng.random(blocks) < 0.9)
    more: Data = {"accuracy": 0.9, "result_bytes": float(rng.uniform(0, 4))}
    if seed % 2:
        spans = [
            [float(seconds[i : j + 1].sum() * (1.0 if i == j else rng.uniform(0.6, 1.1))) for j in range(i, blocks)]
            for i in range(blocks)
        ]
        more["span_s"] = spans
    profile = profile_data(seconds.tolist(), [*rng.uniform(0.1, 4, blocks), 0.0], **more)
    topology = topology_data(machines_of(rng, nodes), links_of(rng, shape, nodes))
    if seed % 3 == 0:
        topology["destination"] = "n1"
    return topology, profile


def check(space: Space, query: Query) -> float:
    """Hold the plan and the bound against trying everything; return the gap."""
    task = make_task(space, query)
    found = find("exhaustive").solve(task, Options(workers=1)).decisions
    rows = greatest_rate._Rows(task)
    rows.run(np.zeros(1, np.int64))
    if not found:
        assert rows.best is None
        return 0.0
    least = evaluate(space.problem, found[0], "rate")
    assert rows.bound <= least * (1 + 1e-9)
    if rows.best is None:
        return 1.0
    assert rows.seconds >= least * (1 - 1e-9)
    assert max(busy_by_place(space.problem, rows.best).values()) == pytest.approx(rows.seconds, rel=1e-9)
    return 1.0 - rows.bound / rows.seconds if rows.seconds else 0.0


SHAPES = ("mesh", "chain", "star")


@pytest.mark.parametrize(
    "seeds", [range(12), pytest.param(range(12, 160), marks=pytest.mark.slow)], ids=["few", "many"]
)
@pytest.mark.parametrize("shape", SHAPES)
def test_no_plan_beats_the_bound_and_the_plan_found_is_one(shape: str, seeds: range) -> None:
    for seed in seeds:
        space = make_space(problem_of(*made(seed, shape, 6, 4)), exits="final")
        check(space, Query(objective="rate", exits="final"))


@pytest.mark.parametrize(
    "seeds", [range(20), pytest.param(range(20, 400), marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_so_it_is_with_every_option_of_problems(seeds: range) -> None:
    """Tiers, orders, measured spans, seconds of coding, and rules that forbid pieces."""
    for seed in seeds:
        case, rng = random_case([65, seed], plain=seed % 3 == 0, blocks=6, nodes=4), np.random.default_rng([66, seed])
        space = make_space(case.problem, exits="final", order=case.order)
        if seed % 2:
            space = fitting(space, rng.random(space.allowed.shape) < 0.9)
        check(space, Query(objective="rate", exits="final", order=case.order))


def test_rows_are_found_where_no_machine_holds_the_whole_network() -> None:
    for seed in range(6):
        space = make_space(problem_of(*made(seed, "mesh", 6, 4)), exits="final")
        parts = np.ones(space.allowed.shape, bool)
        parts[:, 0, -1] = False
        assert check(fitting(space, parts), Query(objective="rate", exits="final")) < 1.0


def test_an_answer_says_how_near_it_is_proved_to_be() -> None:
    topology, profile = made(0, "mesh", 20, 9)
    answer = tiercut.solve(
        tiercut.Topology.from_data(topology), tiercut.Profile.from_data(profile), objective="rate", exits="final"
    )
    told = json.loads(json.dumps(answer.to_data()))["solver"]
    assert (told["name"], told["status"]) == ("labels", "feasible")
    assert 0.0 < told["gap"] < 0.01
    assert not any("of all plans" in note for note in answer.notes)
    (line,) = (each for each in remarks(answer) if "proved" in each)
    assert (
        line == f"this is the best found, and it is proved that no plan is better by more than {better(told['gap'])} %"
    )
    assert proof_text(answer).startswith("feasible: it is proved that no plan is better by more than")


def better(gap: float) -> str:
    return f"{100 * gap / (1 - gap):.2g}"


@pytest.mark.parametrize(
    "rule", [{"max_latency_s": 100.0}, {"min_accuracy": 0.5}, {"kind": "rank"}, {"most_partitions": 2}], ids=str
)
def test_other_questions_are_for_labels(rule: Data) -> None:
    topology, profile = made(0, "mesh", 20, 9)
    query = Query(**{"objective": "rate", "exits": "final"} | rule)
    space = narrow(make_space(problem_of(topology, profile), exits="final"), query)
    assert not greatest_rate.finds_row(make_task(space, query))


def test_where_too_little_is_proved_labels_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """One link carries what goes both ways, which the relaxation does not count."""
    monkeypatch.setattr(greatest_rate, "_LEAST_GROUPS", 2)
    monkeypatch.setattr(greatest_rate, "_LEAST_BLOCKS", 2)
    for seed in range(6):
        space = make_space(problem_of(*made(seed, "star", 6, 4)), exits="final")
        task = make_task(space, Query(objective="rate", exits="final"))
        assert greatest_rate.finds_row(task)
        (best,) = find("exhaustive").solve(task, Options(workers=1)).decisions
        outcome = find("labels").solve(task, Options(workers=1))
        least, got = (evaluate(space.problem, each, "rate") for each in (best, outcome.decisions[0]))
        if outcome.status == "optimal":
            assert outcome.gap is None
            assert got == pytest.approx(least, rel=1e-9)
        else:
            assert outcome.status == "feasible"
            assert outcome.gap is not None
            assert outcome.gap <= greatest_rate.NEAR
            assert got * (1 - outcome.gap) <= least * (1 + 1e-9)


def test_the_best_on_one_machine_is_that_of_trying_them_all() -> None:
    for seed in range(40):
        case = random_case([67, seed], plain=seed % 2 == 0, blocks=4, nodes=4)
        query = Query(objective="rate", exits="final", order=case.order, most_partitions=1)
        task = make_task(narrow(make_space(case.problem, exits="final", order=case.order), query), query)
        tried, found = (find(name).solve(task, Options(workers=1)) for name in ("exhaustive", "labels"))
        assert found.status == tried.status
        values = [
            [evaluate(case.problem, each, name) for name in ("rate", "latency")]
            for outcome in (tried, found)
            for each in outcome.decisions
        ]
        assert not values or values[0] == pytest.approx(values[1], rel=1e-9)
