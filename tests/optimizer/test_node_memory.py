"""The memory of nodes bounds every question: said where it binds, and left out where that is asked for."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
from support.made import both, exits_data, profile_data, topology_data

import tiercut
from tiercut.errors import TiercutWarning
from tiercut.profiling.profile.schema import Profile
from tiercut.topologies.schema import Topology

SIZES = {"parameter_bytes": 100, "activation_bytes": 500}


def network(**more: Any) -> Profile:
    """Return two blocks of 1 s, 100 B of parameters and 500 B of activation each; all bytes sent are 1."""
    data = profile_data([1.0, 1.0], [1, 1, 1], **more)
    return Profile.from_data(data | {"blocks": [block | SIZES for block in data["blocks"]]})


def pair(memory: str | None) -> Topology:
    """Return a node with that much memory, and a slower one 1 s away."""
    near: dict[str, Any] = {"name": "near"} if memory is None else {"name": "near", "memory": memory}
    return Topology.from_data(topology_data([near, {"name": "far", "slowdown": 2}], [both("near", "far", 1, 1)]))


def of_memory(answer: tiercut.Answer) -> list[str]:
    """Return what an answer says of memory."""
    return [note for note in answer.notes if "memory" in note]


@pytest.mark.parametrize(
    ("memory", "plan", "seconds"),
    [(None, "near 1-2", 2.0), ("700 B", "near 1-2", 2.0), ("699 B", "near 1 → far 2", 6.0), ("599 B", "far 1-2", 7.0)],
)
def test_a_node_runs_no_more_than_its_memory_holds(memory: str | None, plan: str, seconds: float) -> None:
    """700 B for both blocks, 600 B for one. Over the link 2 s with a byte; far takes 2 s a block, the result 1 s."""
    best = tiercut.solve(pair(memory), network()).best
    assert (str(best), best.latency_s) == (plan, seconds)


def test_the_memory_of_nodes_can_be_ignored() -> None:
    answer = tiercut.solve(pair("599 B"), network(), ignore_memory=True)
    assert (str(answer.best), of_memory(answer)) == ("near 1-2", [])


def test_an_answer_says_that_memory_binds_where_it_does() -> None:
    (said,) = of_memory(tiercut.solve(pair("699 B"), network()))
    assert "memory of nodes binds" in said
    assert "near 1-2, where near needs 700 B of 699 B" in said
    assert of_memory(tiercut.solve(pair("700 B"), network())) == []
    assert of_memory(tiercut.solve(pair("699 B"), network(), exclude=["near"])) == []


def test_rankings_and_frontiers_keep_memory_too() -> None:
    plans = tiercut.rank(pair("699 B"), network(), top=10)
    assert [str(plan) for plan in plans] == ["near 1 → far 2", "far 1-2", "far 1 → near 2"]
    assert plans.to_data()["notes"] == list(plans.notes)
    profile = network(exits=exits_data([0.5, 0.9], [0.6, 0.4]))
    front = tiercut.frontier(pair("699 B"), profile, exits="free")
    assert front.notes
    assert all(plan.placement != ("near",) or plan.partition == (1,) for plan in front)


def test_where_memory_leaves_no_plan_the_message_says_so() -> None:
    alone = Topology.from_data(topology_data([{"name": "near", "memory": "600 B"}], []))
    answer = tiercut.solve(alone, network())
    assert answer.outcome.status == "infeasible"
    assert "there are plans without the memory of nodes" in answer.message
    assert "near needs 700 B of 600 B" in answer.message


def test_a_bound_that_only_memory_keeps_from_being_met_says_so() -> None:
    answer = tiercut.solve(pair("699 B"), network(), max_latency="2 s")
    assert "no plan takes at most 2 s" in answer.message
    assert "were it not for the memory of nodes" in answer.message
    assert "near needs 700 B of 699 B" in answer.message
    assert "memory" not in tiercut.solve(pair("699 B"), network(), max_latency="1 s").message


def test_why_names_the_memory_of_nodes_as_a_rule() -> None:
    effects = {each.name: each for each in tiercut.why(pair("699 B"), network(), kinds=()).effects}
    assert effects["memory of nodes"].binds
    assert "memory of nodes" not in {each.name for each in tiercut.why(pair(None), network(), kinds=()).effects}


def test_without_the_bytes_of_parameters_memory_is_not_checked_with_a_warning() -> None:
    profile = Profile.from_data(profile_data([1.0, 1.0], [1, 1, 1]))
    with pytest.warns(TiercutWarning, match=r"not checked: .* 'parameter_bytes'") as seen:
        answer = tiercut.solve(pair("1 B"), profile)
    assert (str(answer.best), len(seen)) == ("near 1-2", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiercut.solve(pair(None), profile)
        tiercut.solve(pair("1 B"), profile, ignore_memory=True)


@pytest.mark.parametrize("solver", ["labels", "exhaustive", "cp-sat"])
def test_exits_inside_a_partition_need_no_more_memory(solver: str) -> None:
    profile = network(exits=exits_data([0.5, 0.9], [0.6, 0.4]))
    best = tiercut.solve(pair("700 B"), profile, exits="free", min_accuracy=0.6, solver=solver).best
    assert (best.exits, best.placement, best.latency_s) == ((1, 2), ("near",), 1.4)
    other = tiercut.solve(pair("699 B"), profile, exits="free", min_accuracy=0.6, solver=solver).best
    assert other.placement == ("near", "far")


def test_flags_and_query_files_ignore_memory(tmp_path: Any) -> None:
    from tiercut.optimizer.questions.query_file import load_query

    file = tmp_path / "query.yaml"
    file.write_text("format: tiercut.query/1\nignore_memory: true\n")
    assert load_query(file).question.ignore_memory is True
    answer = tiercut.solve(pair("599 B"), network(), query=load_query(file))
    assert json.loads(answer.to_json())["plans"][0]["placement"] == ["near"]
