"""Every measure says what moves it, how it is written and documented, and says it right."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import isclose

import numpy as np
import pytest
from support.checkout import ROOT
from support.seeded.problems import random_case

import tiercut
from tiercut.analysis.why.parameters import Parameter, parameters_of
from tiercut.errors import QuestionError
from tiercut.optimizer.build import build_problem
from tiercut.optimizer.measures.kind import Moved
from tiercut.optimizer.measures.moves import moved_by
from tiercut.optimizer.measures.names import format_amount, goal_fault, objectives
from tiercut.optimizer.measures.registry import KINDS, documented, kind_of, register
from tiercut.optimizer.measures.tables import measure
from tiercut.optimizer.plan import Decision
from tiercut.optimizer.pricing import evaluate_tables
from tiercut.optimizer.problem import Problem
from tiercut.optimizer.query import Query
from tiercut.optimizer.questions.bound_text import bound_of
from tiercut.profiling.profile.schema import Profile
from tiercut.topologies.schema import Topology

# What moves a measure, against pricing the same plans again


def case_of(seed: int) -> tuple[Topology, Profile, list[Decision]]:
    """Return a random problem of which every measure can be asked, and some of its decisions."""
    case, rng = random_case([23, seed], blocks=4, nodes=4), np.random.default_rng(seed)
    for node in case.topology["nodes"]:
        node.update(power=f"{rng.integers(1, 50)} W", price=f"{rng.integers(1, 50)} $/h")
    for link in case.topology["links"]:
        link.update(price=f"{rng.integers(1, 50)} $/GB")
    for block in case.profile["blocks"]:
        block.update(parameter_bytes=float(rng.integers(1, 100)))
    topology, profile = Topology.from_data(case.topology), Profile.from_data(case.profile)
    everything = Query(kind="rank", top=2000, exits=case.exits, order=case.order)  # type: ignore[arg-type]
    plans = tiercut.ask(topology, profile, everything).plans
    chosen = rng.permutation(len(plans))[:12]
    return topology, profile, [plans[place].decision for place in chosen]


def names_of(topology: Topology) -> list[str]:
    """Return every measure with every place that it may have."""
    nodes, ways = topology.node_names, [">".join(way) for way in topology.hops]
    places = {"": [""], ":PLACE": [f":{name}" for name in nodes], ":a>b": [f":{way}" for way in ways]}
    pairs = [f":{a}>{b}" for a, b in product(nodes, nodes)]
    return [
        kind.name + place
        for kind in KINDS.values()
        for form in kind.places.forms
        for place in (pairs if kind.name == "bytes" and form else places[form])
    ]


def values_of(problem: Problem, name: str, decisions: list[Decision]) -> list[float]:
    tables = measure(problem, name, 10.0)
    values = [evaluate_tables(problem, decision, tables) for decision in decisions]
    if kind_of(name).ratio_of:
        latencies = values_of(problem, "latency", decisions)
        return [value / latency if latency else 0.0 for value, latency in zip(values, latencies, strict=True)]
    return values


def same(one: list[float], other: list[float]) -> bool:
    return all(isclose(a, b, rel_tol=1e-9, abs_tol=1e-15) for a, b in zip(one, other, strict=True))


def changed_problem(topology: Topology, profile: Profile, parameter: Parameter, factor: float) -> Problem:
    return build_problem(parameter.applied(topology, (parameter.now or 0.1) * factor), profile)


@pytest.fixture(scope="module")
def seen() -> dict[tuple[str, str], int]:
    """How often each sort of number has changed the value of a plan in each measure, and that the measure said so."""
    seen = {(kind, number): 0 for kind in KINDS for number in ("bandwidth", "latency", "slowdown")}
    for seed in range(45):
        topology, profile, decisions = case_of(seed)
        if seed > 6 and len(topology.hops) < 4:  # most random networks are too small to have a second route
            continue
        before, rng = build_problem(topology, profile), np.random.default_rng(seed)
        names, parameters = names_of(topology), list(parameters_of(topology))
        values: dict[str, list[float]] = {}
        for name in names:
            try:
                values[name] = values_of(before, name, decisions)
            except QuestionError:
                assert kind_of(name).tail is not None
        for place, factor in product(rng.permutation(len(parameters))[:5], (0.003, 7.0)):
            parameter = parameters[int(place)]
            after = changed_problem(topology, profile, parameter, factor)
            for name, had in values.items():
                moved = moved_by(before, name, parameter.kind, parameter.name)
                try:
                    has = values_of(after, name, decisions)
                except QuestionError:
                    assert kind_of(name).tail is not None
                    continue
                if not same(had, has):
                    assert moved is not Moved.NEVER, (seed, name, parameter)
                    seen[kind_of(name).name, parameter.kind] += 1
    return seen


@pytest.mark.filterwarnings("ignore::tiercut.TiercutWarning")  # of spans, of exit rates, of names of nodes and tiers
def test_a_measure_changes_only_with_what_it_says_moves_it(seen: dict[tuple[str, str], int]) -> None:
    for (name, number), count in seen.items():
        kind = KINDS[name]
        if kind.peak and number == "latency":
            continue  # another route makes another link the busiest too seldom to be seen here
        says = {getattr(kind.moved_by, number), getattr(kind.moved_by_of_link or kind.moved_by, number)}
        assert (count > 0) == (says != {Moved.NEVER}), (name, number, count)


@pytest.mark.filterwarnings("ignore::tiercut.TiercutWarning")
@pytest.mark.parametrize("seed", range(4))
def test_over_a_slowdown_every_measure_that_can_be_minimised_is_a_line(seed: int) -> None:
    topology, profile, decisions = case_of(seed)
    for parameter in parameters_of(topology):
        if parameter.kind != "slowdown":
            continue
        at = [changed_problem(topology, profile, parameter, factor) for factor in (1.0, 2.0, 3.0)]
        for name in names_of(topology):
            if kind_of(name).ratio_of or kind_of(name).tail is not None or kind_of(name).peak:
                continue
            one, two, three = (values_of(problem, name, decisions) for problem in at)
            assert same([a + c for a, c in zip(one, three, strict=True)], [2 * b for b in two]), name


@pytest.mark.filterwarnings("ignore::tiercut.TiercutWarning")
@pytest.mark.parametrize("seed", range(4))
def test_what_moves_as_the_latency_does_differs_by_the_same(seed: int) -> None:
    topology, profile, decisions = case_of(seed)
    before = build_problem(topology, profile)
    for parameter in parameters_of(topology):
        after = changed_problem(topology, profile, parameter, 3.0)
        for name in names_of(topology):
            if moved_by(before, name, parameter.kind, parameter.name) is Moved.AS_LATENCY:
                mine, latency = (
                    np.subtract(values_of(after, each, decisions), values_of(before, each, decisions))
                    for each in (name, "latency")
                )
                np.testing.assert_allclose(mine, latency, rtol=1e-9, atol=1e-15)


# The description of each


@pytest.mark.parametrize("name", KINDS)
def test_the_example_of_a_measure_is_a_bound_on_it(name: str) -> None:
    bound = bound_of(KINDS[name].example)
    assert (bound.measure, bound.kind) == (name, KINDS[name])
    assert KINDS[name].places.fault(name, bound.place) == ""


@pytest.mark.parametrize("name", KINDS)
def test_values_of_a_measure_are_read_as_they_are_written(name: str) -> None:
    for value in (0.0, 0.25, 1.0) if kind_of(name).quantity.most == 1.0 else (0.0, 3.0, 25_000.0):
        assert kind_of(name).quantity.read(format_amount(value, name)).value == pytest.approx(value, rel=1e-3)


def test_what_can_be_minimised_is_all_but_ratios() -> None:
    assert {name.partition(":")[0] for name in objectives()} == set(KINDS) - {"share"}
    assert all(goal_fault(name) == "" for name in objectives())
    assert "compute:PLACE is the time itself" in goal_fault("share")


def test_a_name_that_is_taken_or_is_none_cannot_be_registered() -> None:
    with pytest.raises(ValueError, match="'energy' already"):
        register(KINDS["energy"])
    for name in ("", "energy:a", "two words", "accuracy"):
        with pytest.raises(ValueError, match="is named by"):
            replace(KINDS["energy"], name=name)


def test_the_table_of_the_documentation_is_that_of_the_registry() -> None:
    text = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
    head, rule = "| measure | of | what it is | example |", "| --- | --- | --- | --- |"
    table = "\n".join([head, rule, *(f"| {' | '.join(row)} |" for row in documented())])
    assert f"\n\n{table}\n\n" in text, f"docs/questions.md is to have this table:\n{table}"


def test_an_axis_has_a_larger_unit_where_numbers_would_be_long() -> None:
    wanted = {
        ("latency", None, 9.0): (1e3, "latency (ms)"),
        ("latency", None, 11.0): (1.0, "latency (s)"),
        ("bytes", None, 1e6): (1e-3, "sent (kB)"),
        ("bytes", "a>b", 1e11): (1e-9, "bytes:a>b (GB)"),
        ("blocks", "a", 1e6): (1.0, "blocks:a"),
    }
    assert {asked: KINDS[asked[0]].axis_of(*asked[1:]) for asked in wanted} == wanted
