"""Questions and plans that cannot be: what the message says."""

from __future__ import annotations

import re
from math import inf, nan
from typing import Any

import pytest
from support.made import both, exits_data, one, profile_data, topology_data
from support.seeded.problems import random_case

import tiercut
from tiercut.errors import InfeasibleError, QuestionError
from tiercut.optimizer.measures.registry import KINDS
from tiercut.optimizer.own_plan import decide
from tiercut.optimizer.pricing import evaluate
from tiercut.optimizer.query import Query

TOPOLOGY = tiercut.Topology.from_data(topology_data("near far", [both("near", "far", 1, 4)]))
EXITS = exits_data([0.5, 0.75, 0.9], [0.5, 0.25, 0.25], [0.25, 0.25, 0.5])
PROFILE = tiercut.Profile.from_data(profile_data([1.0, 2.0, 4.0], [12.0, 8.0, 4.0, 0.0], exits=EXITS))
BARE = tiercut.Profile.from_data(profile_data([1.0, 2.0, 4.0], [12.0, 8.0, 4.0, 0.0]))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"objective": "latencies"}, ["did you mean 'latency'?", *(set(KINDS) - {"share"}), "accuracy"]),
        ({"exits": "cut"}, ["did you mean 'cuts'?", "final"]),
        ({"order": "forwards"}, ["did you mean 'forward'?", "any"]),
        ({"min_accuracy": 92}, ["share between 0 and 1", "0.92", "not 92"]),
        ({"min_accuracy": -0.1}, ["share between 0 and 1", "-0.1"]),
        ({"min_accuracy": nan}, ["share between 0 and 1", "nan"]),
        ({"max_latency_s": -1.0}, ["0 or more", "-1 s"]),
        ({"max_latency_s": inf}, ["finite", "inf"]),
        ({"max_latency_s": nan}, ["finite", "nan"]),
        ({"top": 0}, ["at least 1", "not 0"]),
    ],
)
def test_a_question_out_of_range_says_what_was_expected(query: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(QuestionError) as raised:
        Query(**query)
    assert all(word in str(raised.value) for word in words), str(raised.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("80", ["max_latency", "no unit", "40 ms"]),
        ("80 MB", ["max_latency", "'MB'", "ms"]),
        ("soon", ["max_latency", "soon"]),
        ("-1 s", ["max_latency", "0 or more", "-1 s"]),
    ],
)
def test_a_greatest_latency_needs_a_unit_of_time(given: str, words: list[str]) -> None:
    with pytest.raises(QuestionError) as raised:
        tiercut.solve(TOPOLOGY, PROFILE, max_latency=given)
    assert all(word in str(raised.value) for word in words), str(raised.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("92", ["min_accuracy: a share is between 0 and 1", "did you mean '92 %'?"]),
        ("high", ["min_accuracy: expected a number such as 0.3 or '30 %', got 'high'"]),
        ("120 %", ["min_accuracy: a share is at most 100 %, got '120 %'"]),
    ],
)
def test_a_least_accuracy_in_words_says_how_to_write_it(given: str, words: list[str]) -> None:
    with pytest.raises(QuestionError) as raised:
        tiercut.solve(TOPOLOGY, PROFILE, min_accuracy=given)
    assert all(word in str(raised.value) for word in words), str(raised.value)


def test_a_least_accuracy_may_be_given_in_per_cent() -> None:
    every = tiercut.frontier(TOPOLOGY, PROFILE)
    kept = tiercut.frontier(TOPOLOGY, PROFILE, min_accuracy="70%")
    assert [plan.accuracy for plan in kept] == [plan.accuracy for plan in every if (plan.accuracy or 0) >= 0.7]
    assert 0 < len(kept) < len(every)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"partition": [], "placement": []}, ["''", "1..3"]),
        ({"partition": [3, 3], "placement": ["near", "far"]}, ["'3,3'", "rising", "1..3"]),
        ({"partition": [3, 2], "placement": ["near", "far"]}, ["'3,2'", "rising"]),
        ({"partition": [0, 3], "placement": ["near", "far"]}, ["'0,3'", "1..3"]),
        ({"partition": [4], "placement": ["near"]}, ["'4'", "1..3"]),
        ({"partition": [2, 3], "placement": ["near"]}, ["2 parts", "1 node", "one node for each"]),
        ({"partition": [3], "placement": ["nera"]}, ["'nera'", "did you mean 'near'?", "far"]),
        ({"partition": [2, 3], "placement": ["near", "near"]}, ["'near' is used twice"]),
        ({"partition": [2, 3], "placement": ["near", "far"]}, ["threshold", "0.1, 0.2"]),
        ({"partition": [2, 3], "placement": ["near", "far"], "threshold": 0.16}, ["0.16", "nearest is 0.2"]),
        ({"partition": [2, 3], "placement": ["near", "far"], "threshold": nan}, ["nan", "0.1, 0.2"]),
        ({"partition": [2, 3], "placement": ["near", "far"], "exits": [2]}, ["3", "must be an exit"]),
        ({"partition": [3], "placement": ["near"], "exits": []}, ["3", "must be an exit"]),
        ({"partition": [2, 3], "placement": ["near", "far"], "exits": [0, 3]}, ["block 0", "no branch"]),
        ({"partition": [2, 3], "placement": ["near", "far"], "exits": [3, 4]}, ["block 4", "no branch"]),
    ],
)
def test_a_plan_that_cannot_be_says_what_to_change(given: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(QuestionError) as raised:
        tiercut.plan(TOPOLOGY, PROFILE, **given)
    assert all(word in str(raised.value) for word in words), str(raised.value)


def test_exits_may_be_named_in_any_order_and_twice() -> None:
    both_ways = [
        tiercut.plan(TOPOLOGY, PROFILE, partition=[2, 3], placement=["near", "far"], threshold=0.1, exits=exits)
        for exits in ([2, 3], [2, 2, 3])
    ]
    assert both_ways[0] == both_ways[1]
    assert tiercut.plan(TOPOLOGY, PROFILE, partition=[3], placement=["near"], exits=[3, 3]).threshold is None


def test_a_plan_with_one_exit_takes_no_threshold() -> None:
    plan = tiercut.plan(TOPOLOGY, PROFILE, partition=[2, 3], placement=["near", "far"], threshold=0.2, exits=[3])
    assert (plan.threshold, plan.decision.threshold) == (None, None)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"threshold": 0.1, "codecs": ["half", None]}, ["1 cut", "2 codecs"]),
        ({"threshold": 0.1, "codecs": ["hlaf"]}, ["no codec 'hlaf'", "did you mean 'half'?"]),
        ({"threshold": 0.1, "codecs": ["half"]}, ["'half'", "the cut after block 2 from 'near' to 'far'"]),
        (
            {"threshold": 0.1, "input_codec": "half"},
            ["runs on 'near', where the input is", "'half'", "leave it out"],
        ),
        ({"thresholds": [0.1, 0.2]}, ["1 exit before its last", "2 thresholds"]),
        ({"thresholds": [0.3]}, ["no threshold 0.3", "nearest is 0.2"]),
        ({"threshold": 0.1, "thresholds": [0.1]}, ["not both"]),
    ],
)
def test_codecs_and_thresholds_that_do_not_fit_the_plan_are_refused(given: dict[str, Any], words: list[str]) -> None:
    exits = EXITS | {"exit_rate_alone": [[0.5, 0.75, 1.0], [0.25, 0.5, 1.0]]}
    codec = {"bytes": [None, 4.0, None]}
    profile = tiercut.Profile.from_data(profile_data([1.0] * 3, [1.0] * 4, exits=exits, codecs={"half": codec}))
    with pytest.raises(QuestionError) as raised:
        decide(tiercut.problem(TOPOLOGY, profile), [2, 3], ["near", "far"], **given)
    assert all(word in str(raised.value) for word in words), str(raised.value)


def test_a_threshold_for_each_exit_needs_rates_alone() -> None:
    with pytest.raises(QuestionError, match=r"needs the key 'exits\.exit_rate_alone'"):
        decide(tiercut.problem(TOPOLOGY, PROFILE), [2, 3], ["near", "far"], thresholds=[0.1])


def test_an_exit_without_a_branch_is_refused_with_the_name_of_the_profile() -> None:
    exits = exits_data([None, 0.75, 0.9], [0.0, 0.5, 0.5])
    profile = tiercut.Profile.from_data(profile_data([1.0] * 3, [1.0] * 4, exits=exits))
    with pytest.raises(QuestionError, match=r"block 1 has no branch in profile 'made'"):
        tiercut.plan(TOPOLOGY, profile, partition=[1, 3], placement=["near", "far"], threshold=0.1)


def test_two_nodes_of_one_tier_are_refused_where_a_tier_is_used_once() -> None:
    nodes = [{"name": "near"}, {"name": "far", "tier": "cloud"}, {"name": "off", "tier": "cloud"}]
    links = [both("near", "far", 1, 1), both("far", "off", 1, 1)]
    topology = tiercut.Topology.from_data(topology_data(nodes, links, one_partition_per="tier"))
    with pytest.raises(QuestionError, match="the tier 'cloud' is used twice"):
        tiercut.plan(topology, PROFILE, partition=[2, 3], placement=["far", "off"], threshold=0.1)


def test_the_order_of_a_topology_holds_where_a_question_says_nothing() -> None:
    """Near is quicker in the first and last block, far in the second: 1.3 s forward, 1.4 s back."""
    nodes = [{"name": "near", "device": "d"}, {"name": "far", "device": "e"}]
    data = topology_data(nodes, [both("near", "far", 0, 1e9)])
    profile = profile_data([0.1, 1.0, 0.2], [1.0, 1.0, 1.0, 1.0])
    profile["devices"]["e"] = {"block_s": [1.0, 0.2, 1.0]}
    back = tiercut.Topology.from_data({**data, "nodes": [nodes[1], nodes[0]], "source": "near", "order": "forward"})
    forward = tiercut.Topology.from_data({**data, "order": "forward"})
    loaded = tiercut.Profile.from_data(profile)
    for topology, order, wanted in [
        (forward, None, ("near", "far")),
        (forward, "forward", ("near", "far")),
        (forward, "any", ("near", "far")),
        (back, None, ("far", "near")),
        (back, "any", ("near", "far")),
    ]:
        keywords: dict[str, Any] = {} if order is None else {"order": order}
        answer = tiercut.solve(topology, loaded, use_all_tiers=True, **keywords)
        assert answer.best.placement == wanted
        assert answer.space.order == (order or "forward")
    assert tiercut.why(back, loaded, use_all_tiers=True).plan.placement == ("far", "near")


def test_the_order_of_a_topology_is_no_rule_of_the_question() -> None:
    """Only a question that says it can be asked without it."""
    topology = topology_data("near far", [both("near", "far", 1, 4)]) | {"order": "forward"}
    names = [
        [each.name for each in tiercut.why(tiercut.Topology.from_data(topology), BARE, **asked).effects]  # type: ignore[arg-type]
        for asked in ({}, {"order": "any"}, {"order": "forward"})
    ]
    assert names == [[], [], ["order forward"]]


def test_a_node_that_cannot_be_reached_from_the_one_before_is_refused_by_name() -> None:
    links = [one("near", "far", 1, 1), one("near", "off", 1, 1)]
    topology = tiercut.Topology.from_data(topology_data("near far off", links, destination="anywhere"))
    with pytest.raises(QuestionError, match="no path from 'far' to 'off'"):
        tiercut.plan(topology, PROFILE, partition=[2, 3], placement=["far", "off"], threshold=0.1)


@pytest.mark.parametrize("query", [{"objective": "accuracy"}, {"min_accuracy": 0.5}])
def test_a_question_about_accuracy_needs_a_profile_that_knows_it(query: dict[str, Any]) -> None:
    with pytest.raises(QuestionError, match="needs the key 'accuracy', which profile 'made' does not have"):
        tiercut.solve(TOPOLOGY, BARE, **query)


def test_a_frontier_needs_a_profile_that_knows_accuracy() -> None:
    with pytest.raises(QuestionError, match="a frontier needs the key 'accuracy'"):
        tiercut.frontier(TOPOLOGY, BARE)


def test_exits_at_cuts_need_a_profile_with_exits() -> None:
    with pytest.raises(QuestionError, match="need the key 'exits', which profile 'made' does not have"):
        tiercut.solve(TOPOLOGY, BARE, exits="cuts")


@pytest.mark.parametrize(("objective", "key"), [("energy", "power"), ("cost", "price")])
def test_energy_and_cost_name_the_nodes_that_do_not_say_what_they_need(objective: str, key: str) -> None:
    nodes = [{"name": "near", "power": "1 W", "price": "1 $/h"}, {"name": "far"}]
    topology = tiercut.Topology.from_data(topology_data(nodes, [both("near", "far", 1, 4)]))
    with pytest.raises(QuestionError, match=f"{objective} needs the {key} of every node that may run a part, but far"):
        tiercut.solve(topology, PROFILE, objective=objective)


@pytest.mark.parametrize(("objective", "key"), [("energy", "power"), ("cost", "price")])
def test_energy_and_cost_need_values_only_of_nodes_that_a_plan_may_use(objective: str, key: str) -> None:
    nodes = [{"name": "near", "power": "1 W", "price": "1 $/h"}, {"name": "far"}]
    topology = tiercut.Topology.from_data(topology_data(nodes, [both("near", "far", 1, 4)]))
    best = tiercut.solve(topology, PROFILE, objective=objective, exclude=["far"], exits="free", min_accuracy=0.9).best
    assert best.placement == ("near",)
    pinned = tiercut.solve(
        topology, PROFILE, objective=objective, pin={1: "near", 2: "near", 3: "near"}, min_accuracy=0.9
    )
    assert pinned.best.placement == ("near",)
    problem = tiercut.problem(topology, PROFILE)
    here, there = (tiercut.plan(topology, PROFILE, partition=[3], placement=[name]) for name in ("near", "far"))
    assert evaluate(problem, here.decision, objective) > 0
    with pytest.raises(QuestionError, match=f"but far in topology 'made' have none; add '{key}'"):
        evaluate(problem, there.decision, objective)


def test_a_device_that_the_profile_lacks_is_named_with_those_it_has() -> None:
    nodes = [{"name": "near"}, {"name": "far", "device": "gpu"}]
    topology = tiercut.Topology.from_data(topology_data(nodes, [both("near", "far", 1, 4)]))
    with pytest.raises(QuestionError, match=r"node 'far' names a device .* no device 'gpu' \(known: d\)"):
        tiercut.solve(topology, PROFILE)


# Bounds that nothing meets


def test_an_accuracy_that_nobody_reaches_is_answered_with_the_best_there_is() -> None:
    answer = tiercut.solve(TOPOLOGY, PROFILE, min_accuracy=0.95)
    assert answer.outcome.status == "infeasible"
    assert len(answer) == 0
    assert "0.95" in answer.message
    assert "the best that can be had is 0.9 (near 1-3)" in answer.message
    with pytest.raises(InfeasibleError, match=re.escape(answer.message)):
        _ = answer.best


def test_a_latency_that_nobody_keeps_is_answered_with_the_least_there_is() -> None:
    answer = tiercut.solve(TOPOLOGY, PROFILE, max_latency="500 ms")
    assert answer.message == "no plan takes at most 500 ms; the least latency is 1 s (near 1)"


def test_two_bounds_that_exclude_each_other_are_answered_from_both_sides() -> None:
    answer = tiercut.solve(TOPOLOGY, PROFILE, max_latency="4 s", min_accuracy=0.8)
    assert "no plan reaches an accuracy of 0.8 within 4 s" in answer.message
    assert "the best that can be had within 4 s is 0.75 (near 1-2)" in answer.message
    assert answer.message.endswith("and that accuracy takes 6.5 s")  # [2, 3] at 0.2: 3 + 1 + 2 + 0.5


@pytest.mark.parametrize("kind", ["solve", "rank", "frontier"])
def test_every_kind_of_question_can_have_no_answer(kind: Any) -> None:
    answer = tiercut.ask(TOPOLOGY, PROFILE, Query(kind=kind, min_accuracy=1.0))
    assert (len(answer), answer.outcome.status) == (0, "infeasible")
    assert answer.to_data()["plans"] == []
    assert answer.to_frame().empty
    assert "the best that can be had is 0.9" in answer.message


@pytest.mark.filterwarnings("ignore::tiercut.TiercutWarning")
def test_the_nearest_value_that_a_message_names_can_be_asked_for() -> None:
    """Rounded for people, but to the side on which there is a plan."""
    for seed in range(60):
        case = random_case(seed, blocks=5, nodes=3)
        topology, profile = tiercut.Topology.from_data(case.topology), tiercut.Profile.from_data(case.profile)
        rule: dict[str, Any] = {"exits": case.exits, "order": case.order}
        message = tiercut.solve(topology, profile, max_latency=0.0, **rule).message
        if found := re.search(r"least latency is (\S+ \S+)", message):
            assert len(tiercut.solve(topology, profile, max_latency=found[1], **rule)) == 1, found[0]
        if case.space.knows_accuracy:
            message = tiercut.solve(topology, profile, min_accuracy=1.0, **rule).message
            if found := re.search(r"best that can be had is (\S+)", message):
                assert len(tiercut.solve(topology, profile, min_accuracy=float(found[1]), **rule)) == 1, found[0]


SAME_NAME = tiercut.Topology.from_data(
    topology_data(
        [{"name": "pi", "tier": "device"}, {"name": "cloud", "tier": "cloud"}, {"name": "gpu", "tier": "cloud"}],
        [both("pi", "cloud", 1, 4), both("pi", "gpu", 1, 4)],
    )
)


def test_all_tiers_are_used_where_a_node_has_the_name_of_its_tier() -> None:
    plans = tiercut.rank(SAME_NAME, BARE, use_all_tiers=True, top=100)
    assert any("cloud" not in plan.placement and "gpu" in plan.placement for plan in plans)


def test_a_name_of_a_node_and_of_a_tier_with_others_is_doubtful() -> None:
    with pytest.warns(tiercut.TiercutWarning, match="'cloud' is the name of a node and of a tier with other nodes"):
        plans = tiercut.rank(SAME_NAME, BARE, exclude=["cloud"], top=100)
    assert any("gpu" in plan.placement for plan in plans)
