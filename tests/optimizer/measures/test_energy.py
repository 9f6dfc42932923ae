"""Energy by hand: what nodes draw while they compute and while they wait, and what radios draw."""

from __future__ import annotations

from typing import Any

import pytest
from support.made import both, one, plan_of, problem_of, profile_data, topology_data

import tiercut
from tiercut.errors import InputError, QuestionError
from tiercut.optimizer.pricing import evaluate
from tiercut.optimizer.problem import Problem

NODES = [
    {"name": "watch", "power": "2 W", "idle_power": "500 mW"},
    {"name": "cloud", "power": "10 W", "idle_power": "1 W"},
]
LINK = both("watch", "cloud", 1, 4, energy="100 mJ/B")
NETWORK = profile_data([1.0, 2.0], [4.0, 8.0, 0.0], result_bytes=2.0, accuracy=0.9)


def drawn(problem: Problem, partition: list[int], placement: str, *names: str) -> list[float]:
    decision = plan_of(problem, partition, placement).decision
    return [evaluate(problem, decision, name) for name in names]


def test_a_node_draws_power_while_it_computes_and_idle_power_for_the_rest_of_a_sample() -> None:
    """7.5 s in all: 1 s on watch, 3 s for 8 B, 2 s on cloud, 1.5 s for the result of 2 B."""
    problem = problem_of(topology_data(NODES, [LINK]), NETWORK)
    watch, cloud = 2 * 1 + 0.5 * 6.5 + 0.1 * 8, 10 * 2 + 1 * 5.5 + 0.1 * 2
    assert drawn(problem, [1, 2], "watch cloud", "energy:watch", "energy:cloud", "energy") == pytest.approx(
        [watch, cloud, watch + cloud], rel=1e-12
    )


def test_a_node_that_runs_no_part_still_waits_and_sends() -> None:
    """The input of 4 B takes 2 s, cloud 3 s, the result 1.5 s."""
    problem = problem_of(topology_data(NODES, [LINK]), NETWORK)
    assert drawn(problem, [2], "cloud", "energy:watch") == pytest.approx([0.5 * 6.5 + 0.1 * 4], rel=1e-12)


def test_each_direction_costs_the_node_that_sends_and_a_node_between_what_it_passes_on() -> None:
    nodes = [{"name": name, "power": "0 W"} for name in ("a", "b", "c")]
    links = [
        one("a", "b", 0, 1, energy="1 J/B"), one("b", "c", 0, 1, energy="10 J/B"),
        one("c", "b", 0, 1, energy="100 J/B"), one("b", "a", 0, 1),
    ]  # fmt: skip
    problem = problem_of(topology_data(nodes, links), NETWORK)
    assert drawn(problem, [2], "c", "energy:a", "energy:b", "energy:c", "energy") == [4.0, 40.0, 200.0, 244.0]


def test_a_tier_draws_what_its_nodes_do_together() -> None:
    nodes = [node | {"tier": "all"} for node in NODES]
    problem = problem_of(topology_data(nodes, [LINK]), NETWORK)
    whole, tier = drawn(problem, [1, 2], "watch cloud", "energy", "energy:all")
    assert tier == pytest.approx(whole, rel=1e-12)


def test_the_energy_of_a_node_can_be_bounded_and_minimised() -> None:
    """Watch alone: 6 J; watch 1 → cloud 2: 6.05 J; cloud alone: 3.65 J."""
    topology, profile = tiercut.Topology.from_data(topology_data(NODES, [LINK])), tiercut.Profile.from_data(NETWORK)
    ranked = tiercut.rank(topology, profile, objective="energy:watch")
    assert [str(plan) for plan in ranked][:3] == ["cloud 1-2", "watch 1-2", "watch 1 → cloud 2"]
    assert ranked.values(["energy:watch"])[:3, 0] == pytest.approx([3.65, 6.0, 6.05], rel=1e-12)
    assert str(tiercut.solve(topology, profile, bounds=["energy:watch<=5 J"]).best) == "cloud 1-2"
    assert "the least energy:watch is 3.65 J" in tiercut.solve(topology, profile, bounds=["energy:watch<=3 J"]).message


@pytest.mark.parametrize(
    ("objective", "note"),
    [
        ("energy:watch", {"bandwidth": True, "latency": True, "slowdown": False}),  # it waits as long as a sample takes
        ("energy:cloud", {"bandwidth": False, "latency": False, "slowdown": False}),
    ],
)
def test_why_follows_energy_over_links_where_nobody_waits(objective: str, note: dict[str, bool]) -> None:
    nodes: list[dict[str, Any]] = [NODES[0], {"name": "cloud", "power": "10 W"}]
    topology = tiercut.Topology.from_data(topology_data(nodes, [both("watch", "cloud", 1, 4)]))
    why = tiercut.why(topology, tiercut.Profile.from_data(NETWORK), objective=objective)
    assert {each.parameter.kind: bool(each.note) for each in why.sweeps} == note


def test_what_a_plan_draws_under_another_slowdown_is_where_why_says_it_changes() -> None:
    """Every change of the least energy is one: on either side the plan named there is a best one."""
    topology, profile = tiercut.Topology.from_data(topology_data(NODES, [LINK])), tiercut.Profile.from_data(NETWORK)
    why = tiercut.why(topology, profile, objective="energy", kinds=["slowdown"])
    changes = [(sweep.parameter.name, change) for sweep in why.sweeps for change in sweep.changes]
    assert changes
    for name, change in changes:
        for factor, plan in ((0.999, change.below), (1.001, change.above)):
            there = tiercut.solve(topology, profile, objective="energy", slowdown={name: change.at * factor})
            assert str(there.best) == str(plan)


@pytest.mark.parametrize(
    ("node", "link", "words"),
    [
        ({"idle_power": "1 J"}, {}, ["idle_power", "'J'", "W mW"]),
        ({"idle_power": "-1 W"}, {}, ["idle_power", "0 or more"]),
        ({"workers": 0}, {}, ["workers", "at least 1"]),
        ({"workers": 1.5}, {}, ["workers", "whole number"]),
        ({}, {"energy": "40 nJ"}, ["energy", "nJ/B"]),
        ({}, {"duplex": "both"}, ["duplex", "'full' or 'half'"]),
    ],
)
def test_keys_that_cannot_be_read_are_refused(node: dict[str, Any], link: dict[str, Any], words: list[str]) -> None:
    data = topology_data([NODES[0] | node, NODES[1]], [LINK | link])
    with pytest.raises(InputError) as raised:
        tiercut.Topology.from_data(data)
    assert all(word in str(raised.value) for word in words), str(raised.value)


def test_a_place_that_there_is_not_is_refused() -> None:
    problem = problem_of(topology_data(NODES, [LINK]), NETWORK)
    with pytest.raises(QuestionError, match="no node or tier 'clod'; did you mean 'cloud'"):
        drawn(problem, [2], "cloud", "energy:clod")


def test_other_conditions_keep_what_nodes_and_links_draw() -> None:
    topology = tiercut.Topology.from_data(topology_data(NODES, [LINK | {"duplex": "half"}]))
    changed = topology.with_changes(slowdown={"cloud": 2.0}, bandwidth={"watch>cloud": 8.0})
    assert [node.idle_power for node in changed.nodes] == [0.5, 1.0]
    assert [hop.energy for hop in changed.hops.values()] == [0.1, 0.1]
    assert all(hop.half for hop in changed.hops.values())
