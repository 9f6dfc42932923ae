"""How much worse things may become: just before a limit a plan meets the bounds, just after it none does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.made import both, profile_data, topology_data
from support.seeded.problems import random_case

import tiercut
from tiercut.errors import QuestionError

MOBILE = ("mobile", "resnet20-digits32")


def meets(topology: Any, profile: Any, need: Any, value: float, asked: dict[str, Any]) -> bool:
    parameter = need.parameter
    names = [parameter.name] if parameter.kind == "slowdown" else [">".join(each) for each in parameter.directions]
    conditions: dict[str, Any] = {parameter.kind: dict.fromkeys(names, value)}
    return bool(tiercut.solve(topology, profile, **asked, **conditions).plans)


def check(topology: Any, profile: Any, asked: dict[str, Any]) -> int:
    limits = 0
    for need in tiercut.needed(topology, profile, **asked):
        assert not need.note
        worse = (1 - 1e-6, 1 + 1e-6) if need.parameter.kind == "bandwidth" else (1 + 1e-6, 1 - 1e-6)
        if need.limit is None:
            furthest = need.parameter.place(need.parameter.now) * 1e5
            if furthest:
                assert meets(topology, profile, need, need.parameter.value(furthest), asked)
            continue
        limits += 1
        assert meets(topology, profile, need, need.limit * worse[1], asked)
        assert not meets(topology, profile, need, need.limit * worse[0], asked)
        assert need.plan is not None
    return limits


def test_on_both_sides_of_every_limit_a_question_of_its_own_says_the_same() -> None:
    assert check(*MOBILE, {"max_latency": 0.3, "min_accuracy": 0.95}) > 5


@pytest.mark.slow
def test_limits_of_random_problems_are_where_plans_end() -> None:
    limits = 0
    for seed in range(15):
        case = random_case(seed, plain=True, blocks=4, nodes=3)
        topology, profile = tiercut.Topology.from_data(case.topology), tiercut.Profile.from_data(case.profile)
        best = tiercut.solve(topology, profile).best
        if best.latency_s > 0:
            limits += check(topology, profile, {"max_latency": 1.3 * best.latency_s})
    assert limits > 10


def test_a_limit_worked_out_by_hand() -> None:
    nodes = [{"name": "pi", "slowdown": 2.0}, {"name": "big"}]
    topology = tiercut.Topology.from_data(topology_data(nodes, [both("pi", "big", 1, 4)]))
    profile = tiercut.Profile.from_data(profile_data([1.0, 2.0], [400.0, 8.0, 0.0]))
    needs = {
        (each.parameter.kind, each.parameter.name): each for each in tiercut.needed(topology, profile, max_latency=9)
    }
    # Everything stays on the device: 3 s times its slowdown, at most 9 s; or its first block does, and 8 bytes go.
    best = tiercut.solve(topology, profile).best
    assert best.latency_s == pytest.approx(6.0)
    slow = needs["slowdown", "pi"]
    assert slow.limit is not None
    assert slow.limit == pytest.approx(max(3.0, 9 - 2 - 1 - 2 - 1))
    assert slow.factor == pytest.approx(slow.limit / 2)
    assert needs["slowdown", "big"].limit is None


def test_the_command_lists_the_limits_and_refuses_what_has_none(shell_call: Any) -> None:
    asked = ("--max-latency", "300 ms", "--min-accuracy", "0.95")
    status, out, err = shell_call("explain", *MOBILE, *asked, "--needed", "--json")
    assert status == 0, err
    wanted = tiercut.needed(*MOBILE, max_latency=0.3, min_accuracy=0.95)
    assert json.loads(out)["needed"] == [each.to_data() for each in wanted]
    status, out, _ = shell_call("explain", *MOBILE, *asked, "--needed")
    said = " ".join(out.split())
    assert "slowdown of phone" in said
    assert "Up to 1,000,000 times as bad some plan meets the bounds" in said
    status, _, err = shell_call("explain", *MOBILE, "--needed")
    assert status == 2
    assert "--max-latency" in err
    status, _, err = shell_call("explain", *MOBILE, "--needed", "--partition", "5", "--placement", "watch")
    assert status == 2
    with pytest.raises(QuestionError, match="a bound on the latency"):
        tiercut.needed(*MOBILE)
