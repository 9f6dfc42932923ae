"""What crosses a link, leaves a node, or keeps a link busy: by hand, as bounds and objectives, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.made import both, one, plan_of, problem_of, profile_data, topology_data
from support.seeded.questions import priced, random_question

import tiercut
from tiercut.errors import QuestionError
from tiercut.optimizer.pricing import evaluate
from tiercut.optimizer.query import Query
from tiercut.solvers.interface import Options
from tiercut.solvers.registry import choose, find, needs
from tiercut.solvers.task import make_task

LINKS = [both("a", "b", 1, 10), one("b", "c", 1, 5), one("c", "b", 1, 20)]
PROFILE = profile_data([1.0, 1.0], [8.0, 4.0, 0.0], result_bytes=2)
CHAIN = topology_data("a b c", LINKS)


@pytest.mark.parametrize(
    ("partition", "placement", "wanted"),
    [
        # The input goes from a through b to c, the result back the same way.
        ([2], "c", {"link:a>b": 8, "link:b>c": 8, "link:c>b": 2, "link:b>a": 2, "link:a-b": 10, "link:b-c": 10}),
        ([2], "c", {"out:a": 8, "out:b": 10, "out:c": 2, "bytes": 10, "bytes:a>c": 8, "bytes:a>b": 0}),
        # 4 bytes leave b; a only receives.
        ([1, 2], "a b", {"link:a>b": 4, "link:b>a": 2, "link:b>c": 0, "out:a": 4, "out:b": 2, "out:c": 0}),
        # Everything crosses b, of which only half is by parts on it.
        ([1, 2], "c a", {"link:a>b": 8, "link:b>c": 8, "link:c>b": 4, "link:b>a": 4, "out:b": 12, "bytes:c>a": 4}),
        # Frames a second times bytes over bytes a second; a-b adds both directions up, b-c at their own paces.
        ([2], "c", {"utilisation:a>b": 0.8, "utilisation:a-b": 1.0, "utilisation:b-c": 1.7, "utilisation:c": 2.0}),
        ([2], "a", {"link:a-b": 0, "out:a": 0, "utilisation:a-b": 0, "utilisation:a": 2.0, "blocks:a": 2}),
    ],
)
def test_by_hand(partition: list[int], placement: str, wanted: dict[str, float]) -> None:
    problem = problem_of(CHAIN, PROFILE)
    decision = plan_of(problem, partition, placement).decision
    assert {name: evaluate(problem, decision, name, 1.0) for name in wanted} == pytest.approx(wanted)


def test_what_leaves_a_tier_is_what_leaves_it_and_not_what_stays_within() -> None:
    nodes = [{"name": "a", "tier": "near"}, {"name": "b", "tier": "near"}, {"name": "c"}]
    problem = problem_of(topology_data(nodes, LINKS), PROFILE)
    decision = plan_of(problem, [2], "c").decision
    assert evaluate(problem, decision, "out:near") == 8
    assert evaluate(problem, decision, "out:a") == 8
    assert evaluate(problem, decision, "out:b") == 10


def ask(**asked: Any) -> tiercut.Answer:
    asked.setdefault("top", 20)
    topology, profile = tiercut.Topology.from_data(CHAIN), tiercut.Profile.from_data(PROFILE)
    return tiercut.rank(topology, profile, **asked)


@pytest.mark.parametrize("solver", ["exhaustive", "cp-sat"])
def test_a_bound_on_a_link_holds_whatever_route_payloads_take(solver: str) -> None:
    everything = ask()
    bounded = ask(bounds=["link:b>c<=0 B"], solver=solver)
    assert {plan.placement for plan in bounded} == {plan.placement for plan in everything if "c" not in plan.placement}


@pytest.mark.parametrize("solver", ["labels", "exhaustive", "cp-sat"])
def test_the_least_bytes_out_of_a_node_come_first_and_the_quickest_of_equals(solver: str) -> None:
    plans = ask(objective="out:b", solver=solver)
    problem = tiercut.problem(tiercut.Topology.from_data(CHAIN), tiercut.Profile.from_data(PROFILE))
    values = [(evaluate(problem, plan.decision, "out:b"), plan.latency_s) for plan in plans]
    assert values == sorted(values)
    assert len(plans) == len(ask())


def test_a_bound_that_no_plan_keeps_is_refused_with_the_nearest_value() -> None:
    answer = ask(bounds=["link:a-b<=1 B"], exclude=["a"])
    assert answer.message.startswith("no plan keeps link:a-b <= 1 B; the least link:a-b is 10 B")
    answer = ask(bounds=["utilisation:b>c<=0.1"], rate="2 fps", include=["c"])
    assert answer.message.startswith("no plan keeps utilisation:b>c <= 0.1; the least utilisation:b>c is 1.6")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"bounds": ["link:a-c<=1 B"]}, ["no link 'a-c'", "a-b", "b>c"]),
        ({"bounds": ["link<=1 B"]}, ["link needs a link"]),
        ({"bounds": ["out<=1 B"]}, ["out needs a node or a tier"]),
        ({"bounds": ["out:d<=1 B"]}, ["no node or tier 'd'", "a, b, c"]),
        ({"bounds": ["utilisation:a-b<=1"]}, ["the rate at which frames arrive"]),
        ({"objective": "utilisation:a"}, ["the rate at which frames arrive"]),
        ({"objective": "share:a"}, ["a ratio of two sums", "compute:a"]),
        ({"objective": "compute"}, ["compute needs a node or a tier"]),
        ({"objective": "latency:a"}, ["of the whole plan"]),
        ({"objective": "lnk:a-b"}, ["did you mean 'link'?"]),
    ],
)
def test_what_cannot_be_asked_says_why(asked: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(QuestionError) as raised:
        ask(**asked)
    assert all(word in str(raised.value) for word in words), str(raised.value)


def test_exact_solvers_agree_on_objectives_with_a_place() -> None:
    asked = 0
    for seed in range(120):
        drawn = random_question(seed)
        if drawn is None or ":" not in drawn[1].objective:
            continue
        space, query = drawn
        wanted = find("exhaustive").solve(make_task(space, query), Options())
        for solver in ("labels", "cp-sat"):
            if needs(make_task(space, query)) <= find(solver).features:
                got = find(solver).solve(make_task(space, query), Options())
                assert np.allclose(priced(space, got, query), priced(space, wanted, query), rtol=1e-12, atol=1e-9), seed
                asked += 1
    assert asked > 30


def test_labels_are_not_asked_for_what_counts_pieces_whole() -> None:
    problem = problem_of(CHAIN, PROFILE)
    space = tiercut.ask(tiercut.Topology.from_data(CHAIN), tiercut.Profile.from_data(PROFILE), Query()).space
    assert problem.block_count == 2
    with pytest.raises(QuestionError, match="does not answer an objective that counts pieces whole"):
        find("labels").solve(make_task(space, Query(objective="blocks:a")), Options())
    assert choose(make_task(space, Query(objective="blocks:a")))[0].name == "exhaustive"


def notes(why: tiercut.Why) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for sweep in why.sweeps:
        found.setdefault(sweep.parameter.kind, set()).add(sweep.note)
    return found


def test_why_says_where_what_crosses_links_follows_the_routes() -> None:
    """On a chain there is one route between any two nodes; where links make a circle there are more."""
    profile = tiercut.Profile.from_data(PROFILE)
    chain = tiercut.Topology.from_data(CHAIN)
    circle = tiercut.Topology.from_data(topology_data("a b c", [*LINKS, both("a", "c", 1, 10)]))
    assert notes(tiercut.why(chain, profile, objective="link:a-b")) == {
        "bandwidth": {""},
        "latency": {""},
        "slowdown": {""},
    }
    said = {"link:a-b follows the routes, which may change with it"}
    assert notes(tiercut.why(circle, profile, objective="link:a-b")) == {
        "bandwidth": said,
        "latency": said,
        "slowdown": {""},
    }


def test_why_says_that_a_bound_on_the_use_of_a_link_moves_with_its_bandwidth() -> None:
    chain, profile = tiercut.Topology.from_data(CHAIN), tiercut.Profile.from_data(PROFILE)
    bounded = tiercut.why(chain, profile, bounds=["utilisation:a>b<=1"], rate="1 fps", max_utilisation="none")
    assert notes(bounded)["bandwidth"] == {"the bound on utilisation:a>b moves with it"}
    assert notes(bounded)["latency"] == notes(bounded)["slowdown"] == {""}
