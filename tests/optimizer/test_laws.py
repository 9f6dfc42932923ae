"""What must hold for every problem, whatever its numbers: tried on problems that hypothesis picks."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from math import isclose
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st
from support.reference import FACTORS
from support.seeded.problems import Case, random_case

import tiercut
from tiercut.analysis.answers.answer import Answer
from tiercut.analysis.answers.answer_file import load_answer
from tiercut.optimizer.own_plan import decide_again
from tiercut.optimizer.plan import Plan
from tiercut.optimizer.pricing import price
from tiercut.optimizer.query import SLACK, Query

pytestmark = pytest.mark.filterwarnings("ignore::tiercut.TiercutWarning")  # of spans whose branch is not known

laws = settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    database=None,
    suppress_health_check=[HealthCheck.filter_too_much],  # which problems are drawn changes with any source of ours
)
seeds = st.integers(0, 2**32 - 1)
shares = st.floats(0, 1)


def small(seed: int, *, plain: bool = False) -> Case:
    return random_case(seed, plain=plain, blocks=5, nodes=3)


def ask(case: Case, **query: Any) -> Answer:
    topology = tiercut.Topology.from_data(case.topology)
    profile = tiercut.Profile.from_data(case.profile)
    return tiercut.ask(topology, profile, Query(exits=case.exits, order=case.order, **query))  # type: ignore[arg-type]


def every_plan(case: Case) -> list[Plan]:
    return [price(case.problem, decision) for decision in ask(case, kind="rank", top=1000).outcome.decisions]


def knows_accuracy(case: Case) -> Case:
    assume(case.space.knows_accuracy)
    return case


@laws
@given(seeds, shares, shares)
def test_a_bound_never_makes_the_objective_better(seed: int, floor: float, cap: float) -> None:
    case = knows_accuracy(small(seed))
    longest = max(plan.latency_s for plan in every_plan(case))
    bounds: list[dict[str, float]] = [{"min_accuracy": floor}, {"max_latency_s": cap * longest}]
    for objective in ("latency", "accuracy", "bytes"):
        free = ask(case, objective=objective).best
        for bound in [*bounds, bounds[0] | bounds[1]]:
            for plan in ask(case, objective=objective, **bound):
                assert plan.latency_s >= free.latency_s or objective != "latency"
                assert plan.bytes_sent >= free.bytes_sent or objective != "bytes"
                assert (plan.accuracy or 0) <= (free.accuracy or 0) or objective != "accuracy"


@laws
@given(seeds)
def test_along_a_frontier_latency_and_accuracy_both_rise(seed: int) -> None:
    plans = ask(knows_accuracy(small(seed)), kind="frontier").plans
    for before, after in pairwise(plans):
        assert before.latency_s < after.latency_s
        assert (before.accuracy or 0.0) + 1e-12 < (after.accuracy or 0.0)


@laws
@given(seeds)
def test_the_frontier_holds_the_answer_to_every_bound(seed: int) -> None:
    case = knows_accuracy(small(seed))
    points = ask(case, kind="frontier").plans
    for point in points:
        floor = point.accuracy or 0.0
        enough = next(each for each in points if (each.accuracy or 0.0) >= floor - SLACK)
        assert ask(case, min_accuracy=min(floor, 1.0)).best.latency_s == enough.latency_s
        within = [each for each in points if each.latency_s <= point.latency_s + SLACK]
        best = ask(case, objective="accuracy", max_latency_s=point.latency_s).best
        assert isclose(best.accuracy or 0.0, within[-1].accuracy or 0.0, abs_tol=2e-12)


@laws
@given(seeds, shares)
def test_no_plan_lies_before_the_frontier(seed: int, floor: float) -> None:
    case = knows_accuracy(small(seed))
    points = ask(case, kind="frontier", min_accuracy=floor).plans
    for plan in every_plan(case):
        if (plan.accuracy or 0.0) >= floor - SLACK:
            beaten = [each for each in points if each.latency_s <= plan.latency_s]
            assert max((each.accuracy or 0.0 for each in beaten), default=-1.0) >= (plan.accuracy or 0.0) - 2e-12


@laws
@given(seeds)
def test_the_best_plan_is_the_first_of_the_ranking(seed: int) -> None:
    case = small(seed)
    for objective in ("latency", "bytes", "accuracy") if case.space.knows_accuracy else ("latency", "bytes"):
        ranking = ask(case, kind="rank", top=7, objective=objective)
        assert ask(case, objective=objective).best == ranking.best
        assert [plan.decision for plan in ranking] == list(ranking.outcome.decisions)


@laws
@given(seeds)
def test_a_fixed_order_of_tiers_is_never_better_than_any_order(seed: int) -> None:
    case = small(seed)
    forward, free = (ask(replace(case, order=order)) for order in ("forward", "any"))
    assert all(plan.latency_s >= free.best.latency_s for plan in forward)
    assert forward.space.decisions <= free.space.decisions


@laws
@given(seeds)
def test_latency_is_the_input_and_the_sum_of_the_stages(seed: int) -> None:
    for plan in every_plan(small(seed)):
        total = plan.input_s + sum(stage.latency_s for stage in plan.stages)
        assert isclose(plan.latency_s, total, rel_tol=1e-12)
        for stage in plan.to_data(1)["stages"]:
            stay = stage["reach"] - stage["exit_rate"]
            total -= stage["reach"] * stage["compute_s"] + stage["exit_rate"] * stage["result_s"]
            total -= stay * stage["send_s"]
        assert isclose(plan.input_s, total, rel_tol=1e-9, abs_tol=1e-12 * plan.latency_s)


@laws
@given(seeds)
def test_reach_falls_from_all_to_none(seed: int) -> None:
    for plan in every_plan(small(seed)):
        reach = [stage.reach for stage in plan.stages]
        assert reach[0] == 1.0
        assert reach == sorted(reach, reverse=True)
        assert isclose(sum(stage.exit_rate for stage in plan.stages), 1.0, rel_tol=1e-12)
        assert all(0 <= stage.exit_rate <= stage.reach for stage in plan.stages)
        assert (plan.threshold is None) == (len(plan.exits) == 1)


@laws
@given(seeds)
def test_the_steps_of_an_explanation_add_up_to_the_latency(seed: int) -> None:
    case = small(seed)
    topology, profile = tiercut.Topology.from_data(case.topology), tiercut.Profile.from_data(case.profile)
    for plan in ask(case, kind="rank", top=3):
        steps = tiercut.explain(topology, profile, plan).steps
        assert isclose(sum(step.adds_s for step in steps), plan.latency_s, rel_tol=1e-12, abs_tol=1e-15)
        assert all(isclose(a.total_s, b.begins_s, rel_tol=1e-12) for a, b in pairwise(steps))


@laws
@given(seeds, st.sampled_from([0.25, 0.5, 2.0, 8.0]))
def test_when_every_time_is_scaled_so_is_every_latency(seed: int, factor: float) -> None:
    case = small(seed)
    scaled = replace(case, topology=_links_scaled(case.topology, factor), profile=_times_scaled(case.profile, factor))
    for before, after in zip(every_plan(case), every_plan(scaled), strict=True):
        assert after.decision == before.decision
        assert isclose(after.latency_s, before.latency_s * factor, rel_tol=1e-12)
        assert after.accuracy == before.accuracy
        assert after.bytes_sent == before.bytes_sent


def _times_scaled(profile: dict[str, Any], factor: float) -> dict[str, Any]:
    def scaled(value: Any) -> Any:
        if isinstance(value, list):
            return [scaled(each) for each in value]
        return None if value is None else value * factor

    changed = deepcopy(profile)
    changed["devices"] = {
        name: {key: scaled(value) for key, value in times.items()} for name, times in changed["devices"].items()
    }
    return changed


def _links_scaled(topology: dict[str, Any], factor: float) -> dict[str, Any]:
    changed = deepcopy(topology)
    for link in changed["links"]:
        link["latency"] = _times(link["latency"], factor)
        link["bandwidth"] = _times(link["bandwidth"], 1 / factor)
    return changed


def _times(quantity: str, factor: float) -> str:
    number, unit = quantity.split()
    assert unit in FACTORS
    return f"{float(number) * factor!r} {unit}"


@laws
@given(seeds, st.data())
def test_a_slower_node_never_makes_a_plan_quicker(seed: int, data: st.DataObject) -> None:
    case = small(seed)
    slower = deepcopy(case.topology)
    node = data.draw(st.sampled_from(slower["nodes"]))
    node["slowdown"] = node.get("slowdown", 1.0) * data.draw(st.floats(1, 100))
    _assert_none_quicker(case, replace(case, topology=slower))


@laws
@given(seeds, st.data())
def test_a_worse_link_never_makes_a_plan_quicker(seed: int, data: st.DataObject) -> None:
    """A link that is gone, or a new one, may do both: the direct link is taken also where a detour is quicker."""
    case = small(seed)
    assume(case.topology["links"])
    worse = deepcopy(case.topology)
    link = data.draw(st.sampled_from(worse["links"]))
    link["latency"] = _times(link["latency"], data.draw(st.floats(1, 10)))
    link["bandwidth"] = _times(link["bandwidth"], 1 / data.draw(st.floats(1, 10)))
    _assert_none_quicker(case, replace(case, topology=worse))


def _assert_none_quicker(before: Case, after: Case) -> None:
    for plan in every_plan(before):
        now = price(after.problem, plan.decision)
        assert now.latency_s >= plan.latency_s * (1 - 1e-12)
        assert now.accuracy == plan.accuracy
    assert ask(after).best.latency_s >= ask(before).best.latency_s * (1 - 1e-12)


@laws
@given(seeds, st.randoms(use_true_random=False))
def test_the_order_of_nodes_in_the_file_changes_no_price(seed: int, random: Any) -> None:
    case = replace(small(seed), order="any")
    shuffled = deepcopy(case.topology)
    random.shuffle(shuffled["nodes"])
    random.shuffle(shuffled["links"])
    prices = [{_by_name(plan): plan for plan in every_plan(each)} for each in (case, replace(case, topology=shuffled))]
    assert prices[0].keys() == prices[1].keys()
    for key, plan in prices[0].items():
        assert isclose(plan.latency_s, prices[1][key].latency_s, rel_tol=1e-12)
        assert plan.bytes_sent == prices[1][key].bytes_sent


def _by_name(plan: Plan) -> tuple[Any, ...]:
    return plan.partition, plan.placement, plan.exits, plan.threshold


@laws
@given(seeds)
def test_spans_that_are_sums_change_nothing(seed: int) -> None:
    case = small(seed, plain=True)
    spanned = deepcopy(case.profile)
    for device in spanned["devices"].values():
        blocks, count = device.setdefault("block_s", [1.0] * len(spanned["blocks"])), len(spanned["blocks"])
        branches = [each or 0.0 for each in device.get("branch_s", [0.0] * count)]
        device["span_s"] = [[sum(blocks[i : j + 1]) + branches[j] for j in range(i, count)] for i in range(count)]
    summed = deepcopy(spanned)
    for device in summed["devices"].values():
        del device["span_s"]
    with_spans, without = (every_plan(replace(case, profile=each)) for each in (spanned, summed))
    assert with_spans == without


@laws
@given(seeds)
def test_a_plan_comes_back_from_an_answer_file_as_it_was(seed: int) -> None:
    case = small(seed)
    answer = ask(case, kind="rank", top=4)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "answer.json"
        path.write_text(answer.to_json())
        assert json.loads(path.read_text()) == answer.to_data()
        for rank, plan in enumerate(answer, 1):
            decision = decide_again(case.problem, load_answer(path).plan(rank))
            assert decision == plan.decision
            assert price(case.problem, decision) == plan


@laws
@given(seeds)
def test_a_profile_comes_back_from_its_file_as_it_was(seed: int) -> None:
    profile = tiercut.Profile.from_data(small(seed).profile)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "profile.json"
        tiercut.save_profile(profile, path)
        again = tiercut.Profile.from_data(json.loads(path.read_text()))
        assert again == profile
        assert list(Path(folder).iterdir()) == [path]
