"""A policy says what solving says, wherever its conditions are, and in no time."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiercut
from tiercut.analysis.sensitivity.policy_planes import _is_forest
from tiercut.errors import InputError, QuestionError

MOBILE = ("mobile", "resnet20-digits32")
TWO: dict[str, Any] = {"bandwidth(watch-phone)": ["2 Mb/s", "20 kb/s"], "slowdown(phone)": [2, 800]}
MORE: dict[str, Any] = {
    "bandwidth(watch-phone)": ["500 kb/s", "30 kb/s"],
    "slowdown(phone)": [10, 800],
    "latency(phone>base)": ["40 ms", "1 s"],
    "down": ["cloud", "phone"],
}


@cache
def policy() -> tiercut.Policy:
    return tiercut.sensitivity(*MOBILE, TWO, min_accuracy=0.97).policy()


@cache
def larger() -> tiercut.Policy:
    return tiercut.sensitivity(*MOBILE, MORE, min_accuracy=0.97).policy()


def solved_s(values: dict[str, Any], **more: Any) -> float:
    return tiercut.solve(*MOBILE, min_accuracy=0.97, condition=values | more).best.latency_s


def test_over_two_conditions_it_is_the_exact_map() -> None:
    found = policy()
    assert found.tables[0].exact
    rng = np.random.default_rng(0)
    names = set()
    for share in rng.random((8, 2)):
        places = 1 / np.array(found.high[:1]) + share[0] * (1 / found.low[0] - 1 / found.high[0])
        values = {
            "bandwidth(watch-phone)": float(1 / places[0]),
            "slowdown(phone)": float(found.low[1] + share[1] * (found.high[1] - found.low[1])),
        }
        chosen = found.choose(values)
        assert chosen.latency_s == pytest.approx(solved_s(values), rel=1e-9)
        assert chosen.plan is not None
        assert tiercut.explain(*MOBILE, chosen.plan, condition=values).plan.latency_s == pytest.approx(chosen.latency_s)
        names.add(str(chosen.plan))
    assert len(names) >= 2


def test_over_more_conditions_it_is_right_at_every_combination_and_with_what_is_down() -> None:
    found = larger()
    assert [table.down for table in found.tables] == [None, "cloud", "phone"]
    assert not any(table.exact for table in found.tables)
    for table in found.tables:
        for place in range(2):
            values = {
                name: (low, high)[place]
                for name, low, high in zip(found.conditions, found.low, found.high, strict=True)
                if not (table.down == "phone" and "phone" in name)
            }
            down = {} if table.down is None else {"down": [table.down]}
            chosen = found.choose(values, table.down)
            assert chosen.latency_s == pytest.approx(solved_s(values, **down), rel=1e-9)
            assert chosen.plan is not None
            assert table.down not in chosen.plan.placement


def test_a_link_may_be_named_from_either_end() -> None:
    found = tiercut.sensitivity(*MOBILE, {"bandwidth(phone-watch)": ["2 Mb/s", "20 kb/s"]}, min_accuracy=0.97).policy()
    values = {"bandwidth(phone-watch)": found.low[0]}
    assert found.choose(values).latency_s == pytest.approx(solved_s(values), rel=1e-9)
    assert found.choose(values).latency_s > found.choose({}).latency_s


def test_without_any_bandwidth_plans_that_do_not_use_the_link_take_as_long_as_before() -> None:
    found = policy()
    link = found.conditions.index("bandwidth(watch-phone)")
    seconds, uses = found.seconds({"bandwidth(watch-phone)": 0.0}), found.tables[0].slopes[:, link] != 0
    assert uses.any()
    assert np.isinf(seconds[uses]).all()
    assert seconds[~uses] == pytest.approx(found.seconds({})[~uses])
    alone = replace(found.tables[0], slopes=np.zeros_like(found.tables[0].slopes))
    held = replace(found, tables=(alone, *found.tables[1:])).seconds({"bandwidth(watch-phone)": 0.0})
    assert held.tolist() == alone.latency_s.tolist()


def test_routes_are_the_same_whatever_the_numbers_only_where_links_form_no_ring() -> None:
    assert _is_forest([("a", "b"), ("b", "a"), ("c", "b"), ("d", "e")])
    assert not _is_forest([("a", "b"), ("b", "c"), ("a", "c"), ("d", "e")])


def test_with_a_node_down_nothing_goes_by_it_either() -> None:
    found = larger()
    for node in MORE["down"]:
        chosen = found.choose({}, node)
        assert found.best({}, {node}) == (chosen.plan, chosen.latency_s)


def test_a_policy_is_read_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text(policy().to_json(), encoding="utf-8")
    found = tiercut.load_policy(path)
    assert found.to_data() == policy().to_data()
    values = {"slowdown(phone)": 321.0}
    assert found.choose(values).latency_s == policy().choose(values).latency_s
    assert found.choose(values).plan == policy().choose(values).plan


def test_looking_up_takes_less_than_a_millisecond() -> None:
    found, took = policy(), []
    for number in range(200):
        begun = time.process_time()
        found.choose({"slowdown(phone)": 2.0 + number, "bandwidth(watch-phone)": 1e5})
        took.append(time.process_time() - begun)
    assert np.median(took) < 1e-3


def test_beyond_its_levels_it_says_so() -> None:
    assert policy().choose({"slowdown(phone)": 801.0}).outside == ("slowdown(phone)",)
    assert policy().choose({"slowdown(phone)": 800.0}).outside == ()


def test_a_bound_on_latency_leaves_no_plan_where_none_holds_it() -> None:
    found = tiercut.sensitivity(*MOBILE, {"slowdown(watch)": [500, 50000]}, max_latency="1 s").policy()
    assert found.choose({"slowdown(watch)": 500.0}).plan is not None
    assert found.choose({"slowdown(watch)": 5e8}).latency_s >= found.choose({}).latency_s
    bound = replace(found, cap_s=found.choose({}).latency_s / 2)
    assert bound.choose({}).plan is None


def test_what_no_policy_follows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match=r"there is no condition of the policy 'slowdown\(watch\)'"):
        policy().choose({"slowdown(watch)": 1.0})
    with pytest.raises(QuestionError, match="there is no 'down' of the policy 'cloud'"):
        policy().choose({}, "cloud")
    data = policy().to_data()
    for change, said in (
        ({"format": "tiercut.answer/1"}, "expected a policy"),
        ({"conditions": [data["conditions"][0]]}, "expected 1 numbers"),
        ({"tables": data["tables"] * 2}, "None stands here twice"),
        ({"conditions": [{**each, "low": each["high"]} for each in data["conditions"]]}, "low <= now <= high"),
    ):
        path = tmp_path / "policy.json"
        path.write_text(json.dumps(data | change), encoding="utf-8")
        with pytest.raises(InputError, match=said):
            tiercut.load_policy(path)


def test_the_command_writes_it(shell_call: Any, tmp_path: Path) -> None:
    grid, path = tmp_path / "grid.yaml", tmp_path / "policy.json"
    grid.write_text("format: tiercut.grid/1\nconditions:\n  slowdown(phone): [10, 40]\n", encoding="utf-8")
    status, _, err = shell_call("sensitivity", *MOBILE, "--grid", grid, "--min-accuracy", "0.97", "--policy", path)
    assert (status, f"wrote {path}" in err) == (0, True)
    assert tiercut.load_policy(path).tables[0].exact
