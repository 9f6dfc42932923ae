"""Plans that a search begins with, of a few cuts and thresholds: they make it quicker, and prove nothing."""

from __future__ import annotations

import time
from math import inf
from typing import Any

import numpy as np
import pytest
from support.made import both, exits_data, profile_data

import tiercut
from tiercut.analysis import JointAnswer
from tiercut.analysis.sources import asking
from tiercut.analysis.sources.checked import check_joint
from tiercut.optimizer import make_space
from tiercut.solvers.joint import columns, search
from tiercut.solvers.joint.branches import around, thinned
from tiercut.solvers.joint.master import Choice

BLOCKS = 14


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have small networks count as long ones."""
    monkeypatch.setattr(columns, "_CUTS", 4)
    monkeypatch.setattr(columns, "_THRESHOLDS", 3)


def ask(*rates: float, memory: str | None = None, **question: Any) -> JointAnswer:
    """Ask of cameras at one slow node that share a quicker one and a link."""
    rng = np.random.default_rng(4)
    nodes: list[dict[str, Any]] = [{"name": "cam", "slowdown": 8.0}, {"name": "box", "slowdown": 2.0}]
    if memory is not None:
        nodes[1]["memory"] = memory
    topology = {
        "format": "tiercut.topology/1",
        "name": "made",
        "nodes": nodes,
        "links": [both("cam", "box", 0.002, 4e6)],
        "sources": [
            {"name": f"s{place}", "node": "cam", "rate": f"{rate} fps", "min_accuracy": 0.6 + 0.1 * (place % 2)}
            for place, rate in enumerate(rates)
        ],
    }
    sizes = [150_000, *np.linspace(40_000, 2000, BLOCKS).astype(int).tolist()]
    alone = np.sort(rng.beta(0.8, 1.5, (9, BLOCKS)), axis=1)
    exits = exits_data(np.sort(rng.uniform(0.3, 0.95, BLOCKS)).tolist(), *np.sort(alone, axis=0).tolist(), alone=True)
    profile = profile_data(rng.uniform(4e-4, 8e-3, BLOCKS).tolist(), sizes, exits=exits)
    for block in profile["blocks"]:
        block["parameter_bytes"] = int(rng.integers(1, 100)) * 1000
    loaded = tiercut.Topology.from_data(topology), tiercut.Profile.from_data(profile)
    return tiercut.solve_sources(*loaded, estimator="marginal", workers=1, **question)


@pytest.mark.parametrize(("memory", "rates"), [(None, (4.0, 5.0, 4.0, 5.0)), ("1200 kB", (3.0, 4.0, 3.0, 4.0))])
def test_the_answer_is_the_same_without_rough_plans(
    memory: str | None, rates: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = ask(*rates, memory=memory)
    check_joint(answer.sources, answer.loads, answer.memory)
    monkeypatch.setattr(columns.Pricers, "rough", None)
    plain = ask(*rates, memory=memory)
    assert answer.status == plain.status == "optimal"
    assert answer.outcome.value == pytest.approx(plain.outcome.value, rel=1e-8)


def test_what_is_found_is_priced_again_though_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    solve = asking.solve_jointly

    def late(*given: Any) -> Any:
        found = solve(*given)
        time.sleep(1.2)
        return found

    monkeypatch.setattr(asking, "solve_jointly", late)
    answer = ask(1.0, 1.0, time_limit=1.0)  # routes are not looked for once the time is up
    assert answer.plans
    assert all(load.utilisation < 1.0 + 1e-9 for load in answer.loads)


def test_a_thinned_space_has_about_so_many_cuts_and_thresholds_of_the_whole() -> None:
    space = ask(1.0).sources[0].space
    few = thinned(space, 5, 4)
    assert np.flatnonzero(few.can_cut).tolist() == [2, 5, 8, 11]
    assert len(few.threshold_indices) == 4
    assert set(few.threshold_indices) <= set(space.threshold_indices)
    assert few.stay.shape[1] == 4
    final = make_space(space.problem, exits="final")
    assert np.flatnonzero(thinned(final, 5, 4).can_end).tolist() == [BLOCKS - 1]


def test_plans_close_to_some_are_cut_and_left_next_to_where_these_are() -> None:
    answer = ask(1.0)
    space, plan = answer.sources[0].space, answer.sources[0].plan
    assert plan is not None
    assert plan.decision.threshold is not None
    near = around(space, [plan.decision], 1, 1)
    places = {end + away for end in (*plan.decision.partition, *plan.decision.exits) for away in (-1, 0, 1)}
    assert {int(block) + 1 for block in np.flatnonzero(near.can_cut | near.can_end)} <= places
    assert all(abs(each - plan.decision.threshold) <= 1 for each in near.threshold_indices)
    assert near.stay.shape[1] == len(near.threshold_indices)


def test_exchanges_find_a_plan_for_each_where_no_choice_among_all_is_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(search_: search._Search, *_: Any) -> None:
        search_.reason = "the time was up"

    monkeypatch.setattr(search, "choose_whole", lambda *_: Choice((), inf, proved=False))
    monkeypatch.setattr(search._Search, "_branch", ended)
    answer = ask(*(2.0, 2.5) * 4)
    assert len(answer.plans) == 8
    assert any(load.utilisation > 0.9 for load in answer.loads)
    check_joint(answer.sources, answer.loads, answer.memory)


def test_the_best_plan_by_itself_is_looked_for_once_for_sources_that_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, alone = [], columns.Pricer.alone

    def asking_alone(pricer: columns.Pricer) -> Any:
        asked.append(pricer.stream.name)
        return alone(pricer)

    monkeypatch.setattr(columns.Pricer, "alone", asking_alone)
    answer = ask(0.5, 0.5, 0.4, 0.4)  # of two least accuracies
    assert asked == ["s0", "s1"]
    plans = [own.plan for own in answer.sources]
    assert plans[:2] == plans[2:]


def test_where_no_plan_is_found_in_time_it_is_said_what_comes_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(search_: search._Search, *_: Any) -> None:
        search_.reason = "the time was up"

    monkeypatch.setattr(search._Search, "_branch", ended)
    monkeypatch.setattr(search._Search, "_begin", lambda *_: None)
    answer = ask(60.0, 2.0, 2.0)
    assert answer.status == "stopped"
    assert "it is not proved that there is none: the time was up; with " in answer.message
    assert "times these limits, or rates of 1/" in answer.message
    assert answer.message.endswith("plans of 2 of the 3 sources go together, and joint 'served' asks for the most")


def test_a_choice_that_exceeds_limits_least_counts_where_it_exceeds_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(search_: search._Search, *_: Any) -> None:
        search_.reason = "the time was up"
        for pricer, other in zip(search_.pricers.each, asked.sources, strict=True):
            assert other.plan is not None
            pricer.column(other.plan.decision)

    asked = ask(4.0, 5.0, 4.0, 5.0)
    monkeypatch.setattr(search._Search, "_branch", ended)
    monkeypatch.setattr(search._Search, "_begin", lambda *_: None)
    answer = ask(4.0, 5.0, 4.0, 5.0)
    assert answer.status == "feasible"
    check_joint(answer.sources, answer.loads, answer.memory)
