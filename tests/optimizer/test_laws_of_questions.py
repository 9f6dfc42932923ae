"""Laws of best plans and frontiers under a change of the problem: tried on problems that hypothesis picks."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from math import isclose
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st
from support.reference import FACTORS
from support.seeded.problems import Case, random_case

import tiercut
from tiercut.analysis.answers.answer import Answer
from tiercut.optimizer.plan import Plan
from tiercut.optimizer.query import Query

pytestmark = pytest.mark.filterwarnings("ignore::tiercut.TiercutWarning")  # of spans whose branch is not known

laws = settings(
    derandomize=True,
    deadline=None,
    max_examples=50,
    database=None,
    suppress_health_check=[HealthCheck.filter_too_much],  # which problems are drawn changes with any source of ours
)
seeds = st.integers(0, 2**32 - 1)


def small(seed: int, *, plain: bool = False) -> Case:
    case = random_case(seed, plain=plain, blocks=6, nodes=4)
    assume(case.space.knows_accuracy)
    return case


def ask(case: Case, **query: Any) -> Answer:
    topology = tiercut.Topology.from_data(case.topology)
    profile = tiercut.Profile.from_data(case.profile)
    return tiercut.ask(topology, profile, Query(exits=case.exits, order=case.order, **query))  # type: ignore[arg-type]


def points(case: Case, **query: Any) -> list[tuple[float, float]]:
    """Return latency and accuracy along the frontier."""
    return [(plan.latency_s, plan.accuracy or 0.0) for plan in ask(case, kind="frontier", **query)]


def near(one: float, other: float) -> bool:
    return isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)


def same(one: list[tuple[float, float]], other: list[tuple[float, float]]) -> bool:
    """Return whether each point of a frontier is met by the other, but for rounding."""
    return all(
        any((near(a[0], b[0]) or b[0] < a[0]) and b[1] >= a[1] - 3e-12 for b in right)
        for left, right in ((one, other), (other, one))
        for a in left
    )


def times(quantity: str, factor: float) -> str:
    number, unit = quantity.split()
    assert unit in FACTORS
    return f"{float(number) * factor!r} {unit}"


@laws
@given(seeds, st.floats(1, 100), st.data())
def test_more_bandwidth_never_raises_the_best_latency(seed: int, factor: float, data: st.DataObject) -> None:
    case = small(seed)
    assume(case.topology["links"])
    faster = deepcopy(case.topology)
    link = data.draw(st.sampled_from(faster["links"]))
    link["bandwidth"] = times(link["bandwidth"], factor)
    slow, fast = points(case), points(replace(case, topology=faster))
    for latency, accuracy in slow:
        assert any(each[0] <= latency * (1 + 1e-12) and each[1] >= accuracy - 1e-12 for each in fast)


@laws
@given(seeds, st.floats(1, 10), st.data())
def test_a_node_that_another_dominates_never_changes_the_frontier(seed: int, worse: float, data: st.DataObject) -> None:
    """The newcomer stands beside a node of one tier whose every link it shares at no better price, and is as slow."""
    case = small(seed)
    assume(case.topology.get("one_partition_per") == "tier")
    grown = deepcopy(case.topology)
    twin = data.draw(st.sampled_from([node for node in grown["nodes"] if node["name"] != grown["source"]] or [None]))
    assume(twin is not None and twin["name"] != grown.get("destination", grown["source"]))
    name = twin["name"]
    tier = twin.get("tier", name)
    twin["tier"] = tier
    grown["nodes"].append({**twin, "name": "worse", "slowdown": twin.get("slowdown", 1.0) * worse})
    for link in [
        each for each in grown["links"] if name in (each.get("from"), each.get("to"), *each.get("between", ()))
    ]:
        moved = {key: "worse" if value == name else value for key, value in link.items() if key != "between"}
        if "between" in link:
            moved["between"] = ["worse" if each == name else each for each in link["between"]]
        grown["links"].append({**moved, "latency": times(link["latency"], worse)})
    assert same(points(case), points(replace(case, topology=grown)))


@laws
@given(seeds)
def test_other_names_change_nothing(seed: int) -> None:
    case = small(seed)
    names = {node["name"]: f"machine{place}" for place, node in enumerate(case.topology["nodes"])}
    tiers = sorted({node["tier"] for node in case.topology["nodes"] if "tier" in node} | set(names))
    named = {**names, **{tier: f"tier{place}" for place, tier in enumerate(tiers) if tier not in names}}

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: renamed(each) if key != "device" else each for key, each in value.items()}
        return [renamed(each) for each in value] if isinstance(value, list) else named.get(value, value)

    other = replace(case, topology=renamed(case.topology))
    for query in (
        {"kind": "frontier"},
        {"kind": "rank", "top": 9},
        {"kind": "rank", "top": 9, "objective": "accuracy"},
    ):
        before, after = ask(case, **query), ask(other, **query)
        assert [_figures(plan) for plan in before] == [_figures(plan) for plan in after]
        assert [[named[name] for name in plan.placement] for plan in before] == [list(p.placement) for p in after]


def _figures(plan: Plan) -> tuple[Any, ...]:
    return plan.latency_s, plan.accuracy, plan.bytes_sent, plan.partition, plan.exits, plan.threshold


@laws
@given(seeds, st.sampled_from([0.25, 0.5, 2.0, 8.0]))
def test_scaling_every_time_scales_the_frontier_and_changes_no_plan(seed: int, factor: float) -> None:
    case = small(seed)

    def scaled(value: Any) -> Any:
        return (
            [scaled(each) for each in value] if isinstance(value, list) else None if value is None else value * factor
        )

    topology, profile = deepcopy(case.topology), deepcopy(case.profile)
    for link in topology["links"]:
        link["latency"], link["bandwidth"] = times(link["latency"], factor), times(link["bandwidth"], 1 / factor)
    for device in profile["devices"].values():
        device.update({key: scaled(value) for key, value in device.items()})
    before, after = (ask(each, kind="frontier") for each in (case, replace(case, topology=topology, profile=profile)))
    assert [plan.decision for plan in before] == [plan.decision for plan in after]
    assert all(near(a.latency_s * factor, b.latency_s) for a, b in zip(before, after, strict=True))


@laws
@given(seeds, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_tighter_bound_never_improves(seed: int, one: float, other: float, share: float) -> None:
    case = small(seed)
    tight, loose = max(one, other), min(one, other)
    for objective in ("latency", "bytes"):
        eased, held = (ask(case, objective=objective, min_accuracy=floor).plans for floor in (loose, tight))
        assert not held or eased
        for better, worse in zip(eased, held, strict=False):
            value = "latency_s" if objective == "latency" else "bytes_sent"
            assert getattr(better, value) <= getattr(worse, value)
    longest = max(latency for latency, _ in points(case))
    eased, held = (
        ask(case, objective="accuracy", max_latency_s=longest * part).plans for part in (max(share, one), share)
    )
    assert not held or (eased[0].accuracy or 0.0) >= (held[0].accuracy or 0.0)


@laws
@given(seeds, st.booleans())
def test_a_frontier_is_sorted_whole_and_beats_itself_nowhere(seed: int, plain: bool) -> None:
    case = small(seed, plain=plain)
    answer = ask(case, kind="frontier")
    assert answer.outcome.status == "optimal"
    assert answer.outcome.exact
    front = [(plan.latency_s, plan.accuracy or 0.0) for plan in answer]
    for before, after in pairwise(front):
        assert before[0] < after[0]
        assert before[1] + 1e-12 < after[1]
    for plan in ask(case, kind="rank", top=1000):
        assert any(c <= plan.latency_s and a >= (plan.accuracy or 0.0) - 2e-12 for c, a in front)
