"""What a sample passes through on a plan: the one list that prices, paths, bars and explanations are sums of."""

from __future__ import annotations

from dataclasses import replace
from math import isclose, nan

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from support.made import both, exits_data, plan_of, problem_of, profile_data, topology_data
from support.seeded.choices import drawn_choices
from support.seeded.problems import Case, random_case

from tiercut.analysis.explain import explain_plan
from tiercut.errors import QuestionError
from tiercut.optimizer.itinerary import itinerary, stage_steps
from tiercut.optimizer.plan import Decision
from tiercut.optimizer.pricing import evaluate, path_seconds, price
from tiercut.report.plots.plan_bars import plan_bars

pytestmark = pytest.mark.filterwarnings("ignore::tiercut.TiercutWarning")  # of spans whose branch is not known
laws = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 10**6)

EXITS = exits_data([0.5, 0.75, 1.0], [0.5, 0.25, 0.25])
TOPOLOGY = topology_data("near middle far", [both("near", "middle", 1, 4), both("middle", "far", 1, 4)])
PROFILE = profile_data([1.0, 2.0, 4.0], [12.0, 8.0, 4.0, 0.0], branch_s=[0.5] * 3, exits=EXITS, result_bytes=2)


def decisions(seed: int) -> tuple[Case, list[Decision]]:
    case = random_case(seed)
    found = [case.decision(choice) for choice in drawn_choices(case, np.random.default_rng(seed))]
    assume(found)
    return case, found


@laws
@given(seeds)
def test_steps_add_up_to_the_price_to_the_last_bit(seed: int) -> None:
    case, found = decisions(seed)
    for decision in found:
        path, plan = itinerary(case.problem, decision), price(case.problem, decision)
        total = sent = 0.0
        for step in path.steps:
            total += step.reach * step.seconds
            sent += step.reach * step.size
        assert (total, sent) == (plan.latency_s, plan.bytes_sent)
        assert total == evaluate(case.problem, decision, "latency")


@laws
@given(seeds)
def test_the_mean_over_the_paths_is_the_latency(seed: int) -> None:
    case, found = decisions(seed)
    for decision in found:
        path = itinerary(case.problem, decision)
        assert path.path_seconds == path_seconds(case.problem, decision)
        assert isclose(sum(path.exit_rates), 1.0, abs_tol=1e-9)
        mean = sum(share * seconds for share, seconds in zip(path.exit_rates, path.path_seconds, strict=True))
        assert isclose(mean, path.latency_s, rel_tol=1e-9, abs_tol=1e-12)


@laws
@given(seeds)
def test_bars_and_explanations_add_up_to_the_price(seed: int) -> None:
    case, found = decisions(seed)
    for decision in found:
        plan = price(case.problem, decision)
        ((*segments,),) = plan_bars([plan], dict.fromkeys(case.problem.nodes, "")).bars
        steps = explain_plan(plan, case.problem.nodes[case.problem.source]).steps
        assert [each.seconds for each in segments] == [step.adds_s for step in steps]
        for total in (sum(each.seconds for each in segments), sum(step.adds_s for step in steps)):
            assert isclose(total, plan.latency_s, rel_tol=1e-9, abs_tol=1e-12)


@laws
@given(seeds)
def test_steps_of_stages_are_those_of_pieces_added_up(seed: int) -> None:
    case, found = decisions(seed)
    for decision in found:
        fine, coarse = itinerary(case.problem, decision).steps, stage_steps(price(case.problem, decision))
        for place in range(len(decision.partition)):
            for sort in ("input", "compute", "result", "send"):
                one, other = (
                    sum(step.adds_s for step in steps if (step.stage, step.sort) == (place, sort))
                    for steps in (fine, coarse)
                )
                assert isclose(one, other, rel_tol=1e-9, abs_tol=1e-12), (place, sort)


def test_each_step_names_its_resource_its_blocks_and_its_exit() -> None:
    """Half leave at block 1, within the first stage, a quarter at 2, and the rest crosses two links to block 3."""
    problem = problem_of(TOPOLOGY, PROFILE)
    decision = plan_of(problem, [2, 3], "near far", threshold=0.1, exits=[1, 2, 3]).decision
    steps = [
        (step.sort, step.stage, step.node, step.to, step.first, step.last, step.seconds, step.size, step.reach)
        for step in itinerary(problem, decision).steps
    ]
    assert steps == [
        ("input", 0, "near", "near", 0, 0, 0.0, 0.0, 1.0),
        ("compute", 0, "near", None, 1, 1, 1.5, 0.0, 1.0),
        ("result", 0, "near", "near", 1, 1, 0.0, 0.0, 0.5),
        ("compute", 0, "near", None, 2, 2, 2.5, 0.0, 0.5),
        ("result", 0, "near", "near", 2, 2, 0.0, 0.0, 0.25),
        ("send", 0, "near", "far", 2, 2, 4.0, 4.0, 0.25),
        ("compute", 1, "far", None, 3, 3, 4.5, 0.0, 0.25),
        ("result", 1, "far", "near", 3, 3, 3.0, 2.0, 0.25),
    ]
    assert [step.exits for step in itinerary(problem, decision).steps if step.sort == "compute"] == [(1,), (2,), (3,)]


def test_a_stage_knows_its_exits_its_thresholds_and_its_codec() -> None:
    problem = problem_of(TOPOLOGY, PROFILE)
    near, far = plan_of(problem, [2, 3], "near far", threshold=0.1, exits=[1, 2, 3]).stages
    assert (near.exits, near.thresholds, near.codec) == ((1, 2), (0.1, 0.1), None)
    assert (far.exits, far.thresholds, far.codec) == ((3,), (None,), None)
    times = {"d": [None, 0.5, 0.5]}
    codec = {"bytes": [None, 1.0, 1.0], "encode_s": times, "decode_s": times}
    other = problem_of(TOPOLOGY, {**PROFILE, "codecs": {"small": codec}})
    plan = plan_of(other, [1, 2, 3], "near far middle", threshold=0.1, codecs=[None, "small"])
    assert [stage.codec for stage in plan.stages] == [None, "small", None]
    assert [stage.exits for stage in plan.stages] == [(1,), (2,), (3,)]


def test_the_first_step_knows_what_encodes_the_input() -> None:
    times = {"d": [0.5, None, None]}
    codec = {"bytes": [1.0, None, None], "encode_s": times, "decode_s": times}
    other = problem_of(TOPOLOGY, {**PROFILE, "codecs": {"small": codec}})
    plan = plan_of(other, [3], "middle", input_codec="small")
    first = itinerary(other, plan.decision).steps[0]
    assert (first.sort, first.codec, first.size, first.seconds) == ("input", "small", 1.0, plan.input_s)
    assert stage_steps(plan)[0].codec == "small"


def test_the_links_of_a_transfer_are_looked_up_only_when_they_are_asked_for() -> None:
    problem = problem_of(TOPOLOGY, PROFILE)
    decision = plan_of(problem, [2, 3], "near far", threshold=0.1).decision
    path = itinerary(problem, decision)
    hops = [[(hop.sender, hop.receiver) for hop in path.hops(step)] for step in path.steps]
    there, back = [("near", "middle"), ("middle", "far")], [("far", "middle"), ("middle", "near")]
    assert hops == [[], [], [], there, [], back]
    alone = itinerary(replace(problem, network=None), decision)
    assert alone.latency_s == path.latency_s
    with pytest.raises(QuestionError, match="made of a topology"):
        alone.hops(alone.steps[3])


def test_a_result_that_stays_goes_nowhere() -> None:
    problem = problem_of({**TOPOLOGY, "destination": "anywhere"}, PROFILE)
    path = itinerary(problem, plan_of(problem, [2, 3], "near far", threshold=0.1).decision)
    results = [step for step in path.steps if step.sort == "result"]
    assert [(step.to, step.seconds, step.size) for step in results] == [(None, 0.0, 0.0)] * 2
    assert all(path.hops(step) == () for step in results)


def test_sizes_that_a_plan_alone_does_not_tell_are_no_numbers() -> None:
    problem = problem_of(TOPOLOGY, PROFILE)
    plan = plan_of(problem, [2, 3], "near far", threshold=0.1)
    sizes = [step.size for step in stage_steps(plan, "near", "near")]
    assert sizes == pytest.approx([nan, 0.0, nan, 4.0, 0.0, nan], nan_ok=True)
    ends = [(step.node, step.to) for step in stage_steps(plan, "near", "near")]
    assert ends == [
        ("near", "near"),
        ("near", None),
        ("near", "near"),
        ("near", "far"),
        ("far", None),
        ("far", "near"),
    ]
