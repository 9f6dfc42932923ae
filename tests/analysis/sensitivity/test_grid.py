"""Sensitivity over a grid: every combination against asking for it alone, exact regions, and what is refused."""

from __future__ import annotations

import json
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.made import both, exits_data, profile_data, topology_data

import tiercut
from tiercut import units
from tiercut.errors import InfeasibleError, InputError, QuestionError

GRID = {
    "bandwidth(watch-phone)": ["500 kb/s", "30 kb/s", "100 kb/s"],
    "slowdown(phone)": [40, 10, 800],
    "latency(phone>base)": ["40 ms", "1 s"],
    "down": ["cloud", "phone"],
}
MOBILE = ("mobile", "resnet20-digits32")
CURVES = {
    "cpu": {"levels": [0.0, 0.45, 0.9], "factor": [1.0, 1.5, 4.5]},
    "memory": {"levels": [0.0, 0.9], "factor": [1.0, 2.0]},
}


@cache
def over_the_grid() -> tiercut.Sensitivity[tiercut.Plan]:
    return tiercut.sensitivity(*MOBILE, GRID, min_accuracy=0.97)


def under(levels: tuple[Any, ...]) -> dict[str, Any]:
    *others, down = levels
    named: dict[str, Any] = dict(zip(GRID, others, strict=False))
    return named | ({} if down is None else {"down": [down]})


def test_every_combination_has_the_plans_and_the_price_of_staying_that_a_question_of_its_own_has() -> None:
    found = over_the_grid()
    assert len(found.to_frame()) == 54
    rows = {
        tuple(each.levels[level] for each, level in zip(found.conditions, levels, strict=True)): row
        for row, levels in enumerate(found.combinations.tolist())
    }
    static = tiercut.solve(*MOBILE, min_accuracy=0.97).best
    assert found.static.decision == static.decision
    for levels in list(product(*list(GRID.values())[:3], [None, "cloud", "phone"]))[::5]:
        conditions = {"condition": under(levels)}
        best = tiercut.rank(*MOBILE, min_accuracy=0.97, top=5, **conditions)
        key = tuple(
            units.parse(each, "bandwidth" if place == 0 else "time") if place in (0, 2) else each
            for place, each in enumerate(levels)
        )
        row = rows[key]
        assert found.best_s[row] == pytest.approx([plan.latency_s for plan in best], rel=1e-12)
        plans = [found.choices[k] for k in found.best[row]]
        assert [plan.placement for plan in plans] == [plan.placement for plan in best]
        assert [plan.partition for plan in plans] == [plan.partition for plan in best]
        if set(static.placement) <= set(best.space.problem.nodes):
            stays = tiercut.explain(*MOBILE, static, **conditions).plan.latency_s
            assert found.static_s[row] == pytest.approx(stays, rel=1e-12)
        else:
            assert np.isnan(found.static_s[row])


def test_regions_are_what_solving_at_many_places_finds() -> None:
    levels = [500e3 / 8, 20e3 / 8]
    found = tiercut.sensitivity(*MOBILE, {"bandwidth(watch-phone)": ["500 kb/s", "20 kb/s"]}, min_accuracy=0.97)
    (region,) = found.regions
    spans = region.sweep.spans
    assert len(spans) > 1
    assert (spans[0].low, spans[-1].high) == (levels[1], levels[0])
    places = np.geomspace(levels[1], levels[0], 20)
    fine = tiercut.sensitivity(
        *MOBILE, {"bandwidth(watch-phone)": [f"{8 * each:.12f} b/s" for each in places]}, min_accuracy=0.97
    )
    for level, k, seconds in zip(fine.combinations[:, 0], fine.best[:, 0], fine.best_s[:, 0], strict=True):
        value = fine.conditions[0].levels[level]
        span = next(each for each in spans if value <= each.high * (1 + 1e-12))
        assert span.plan is not None
        conditions = {"condition": {"bandwidth(watch-phone)": value}}
        assert tiercut.explain(*MOBILE, span.plan, **conditions).plan.latency_s == pytest.approx(seconds, rel=1e-9)
        edge = min(abs(value / each.low - 1) for each in spans)
        if edge > 1e-9:
            assert fine.choices[k].partition == span.plan.partition


def test_the_baseline_has_the_greatest_bandwidth_the_least_of_all_else_and_nothing_down() -> None:
    data = over_the_grid().to_data()
    assert data["baseline"] == {
        "bandwidth(watch-phone)": 62_500, "slowdown(phone)": 10, "latency(phone>base)": 0.04, "down": None
    }  # fmt: skip
    assert data["combinations"] == 54
    assert sum(each["share"] for each in data["top"]) == pytest.approx(1.0)
    gone = data["gains"][-1]
    assert (gone["condition"], gone["value"], gone["static_s"], gone["gain"]) == ("down", "phone", None, None)
    assert gone["best_placement"] == ["watch"]


def loaded_profile(curves: dict[str, Any] | None = None) -> tiercut.Profile:
    exits = exits_data([0.5, 0.75, 0.9], [0.25, 0.5, 1.0], [0.5, 0.75, 1.0], alone=True)
    data = profile_data([1.0, 2.0, 4.0], [12.0, 8.0, 4.0, 0.0], exits=exits)
    for device in data["devices"].values():
        device["stress_curve"] = CURVES if curves is None else curves
    return tiercut.Profile.from_data(data)


def small() -> tiercut.Topology:
    nodes = [{"name": "pi", "slowdown": 4.0}, {"name": "box", "slowdown": 2.0}, {"name": "big"}]
    return tiercut.Topology.from_data(topology_data(nodes, [both("pi", "box", 1, 4), both("box", "big", 2, 4)]))


@pytest.mark.parametrize(
    ("cpu", "memory", "factor"),
    [(None, "0 %", 1.0), ("45 %", None, 1.5), ("22.5%", None, 1.25), (0.675, None, 3.0), ("90 %", "45 %", 4.5 * 1.5)],
)
def test_a_load_makes_a_node_as_much_slower_as_its_curve_says(cpu: Any, memory: Any, factor: float) -> None:
    condition = {f"{kind}(box)": each for kind, each in (("cpu", cpu), ("memory", memory)) if each is not None}
    topology, _ = tiercut.Conditions(condition=condition).apply(small(), loaded_profile())
    assert [node.slowdown for node in topology.nodes] == pytest.approx([4.0, 2.0 * factor, 1.0])
    both_said = tiercut.Conditions(condition=condition, slowdown={"box": 10.0}).apply(small(), loaded_profile())
    assert both_said[0].nodes[1].slowdown == pytest.approx(10 * factor)


REFUSED = [
    ({"cpu(box)": "95 %"}, r"cpu\(box\): a load of 95 % is outside what was measured: measured from 0 % to 90 %"),
    ({"cpu(far)": "45 %"}, "there is no node 'far'"),
    ({"bandwidth(pi-big)": "1 Mb/s"}, "there is no link 'pi-big'"),
    ({"speed(pi)": "1"}, "there is no condition 'speed'"),
    ({"down": ["far"]}, "there is no node 'far'"),
    ({"down": ["pi"]}, "'pi' is the source, where the input is born, and cannot be down"),
    ({"slowdown(pi)": 0}, "a slowdown is a factor greater than 0"),
    ({"cpu(pi)": "120 %"}, "a load is a share from 0 % to 100 %"),
    ({"latency": "1 s"}, "a condition is written"),
]


@pytest.mark.parametrize(("condition", "message"), REFUSED)
def test_conditions_of_what_is_not_there_are_refused(condition: dict[str, Any], message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        tiercut.Conditions(condition=condition).apply(small(), loaded_profile())


def test_a_device_without_a_curve_has_no_loads() -> None:
    with pytest.raises(QuestionError, match=r"memory\(box\): the profile has no times of device 'd' under load"):
        tiercut.Conditions(condition={"memory(box)": "45 %"}).apply(small(), loaded_profile({}))


def ring(*links: dict[str, Any]) -> tiercut.Topology:
    nodes = [{"name": "pi", "slowdown": 400.0}, {"name": "box", "slowdown": 2.0}, {"name": "big"}]
    return tiercut.Topology.from_data(topology_data(nodes, list(links)))


def test_a_link_that_is_down_is_as_if_it_were_not_there() -> None:
    near, far, direct = both("pi", "box", 1, 4), both("box", "big", 2, 4), both("pi", "big", 0.5, 4)
    whole, profile = ring(near, far, direct), loaded_profile()
    for down, left in (("pi-big", (near, far)), ("box-big", (near, direct)), ("pi-box", (far, direct))):
        got = tiercut.solve(whole, profile, condition={"down": [down]}).best
        assert got == tiercut.solve(ring(*left), profile).best, down
    topology, _ = tiercut.Conditions(condition={"down": ["box>big"]}).apply(whole, profile)
    assert ("box", "big") not in topology.hops
    assert ("big", "box") in topology.hops
    topology, _ = tiercut.Conditions(condition={"down(box-big)": None}).apply(ring(near, far), profile)
    assert topology.node_names == ("pi", "box")  # the other is reached over it alone
    with pytest.raises(QuestionError, match="there is no link 'pi-far'"):
        tiercut.Conditions(condition={"down": ["pi-far"]}).apply(whole, profile)


def test_a_grid_may_take_links_down_and_staying_is_not_possible_over_them() -> None:
    whole, profile = ring(both("pi", "box", 1, 4), both("pi", "big", 0.5, 4)), loaded_profile()
    found = tiercut.sensitivity(whole, profile, {"down": ["pi-big", "pi-box"]}, exits="final")
    assert found.static.placement[-1] == "big"
    assert np.isnan(found.static_s[1])
    assert found.static_s[2] == pytest.approx(found.best_s[0, 0])
    best = tiercut.solve(whole, profile, exits="final", condition={"down": ["pi-big"]}).best
    assert found.best_s[1, 0] == pytest.approx(best.latency_s)


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        ({"levels": [0.0, 0.5], "factor": [1.0]}, "expected 2 factors, one for each level, got 1"),
        ({"levels": [0.5, 0.5], "factor": [1.0, 2.0]}, "each level must be greater than the one before"),
    ],
)
def test_a_curve_that_is_none_is_refused(curve: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        loaded_profile({"cpu": curve})


def test_conditions_of_a_call_and_of_a_file_add_up() -> None:
    below = tiercut.Conditions(condition={"slowdown(phone)": 3, "down": ["cloud"], "bandwidth(watch-phone)": "1 kb/s"})
    above = tiercut.Conditions(slowdown={"phone": 5}, condition={"down": ["base"]})
    topology, _ = above.on_top_of(below).apply(tiercut.load_topology("mobile"), tiercut.load_profile(MOBILE[1]))
    assert topology.node_names == ("watch", "phone")
    assert topology.nodes[1].slowdown == 5
    assert topology.hops["watch", "phone"].bandwidth == 125
    with pytest.raises(QuestionError, match=r"condition slowdown\(phone\) is given by slowdown too"):
        tiercut.solve(*MOBILE, slowdown={"phone": 2}, condition={"slowdown(phone)": 3})


WRONG = [
    ("conditions: {}", "conditions"),
    ("conditions: {slowdown(a): []}", "expected at least one level"),
    ("conditions: {slowdown(phone): [2, 2.0]}", "the level 2.0 stands here twice"),
    ("conditions: {bandwidth(watch-phone): [10]}", "expected text with its unit, got the bare value 10"),
    ("conditions: {bandwidth(watch-phone): [0 Mb/s]}", "greater than 0"),
    ("conditions: {down(cloud): [1]}", "write down: [NODE, a-b, ...]"),
    ("conditions: {speed(phone): [1]}", "there is no condition 'speed'"),
    ("conditions: {slowdown(far): [1, 2]}", "there is no node 'far'"),
    ("conditions: {'slowdown(a)': [1], 'slowdown( a )': [1]}", "slowdown(a) stands here twice"),
    (
        "conditions: {" + ", ".join(f"slowdown(n{k}): {list(range(1, 1001))}" for k in range(4)) + "}",
        "the grid has 1,000,000,000,000 combinations; at most 1,000,000 can be looked at",
    ),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_grid_that_is_wrong_is_refused_in_a_line(shell_call: Any, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(f"format: tiercut.grid/1\n{text}\n")
    status, out, err = shell_call("sensitivity", *MOBILE, "--grid", path)
    assert (status, out) == (2, "")
    assert message in " ".join(err.split())


def test_what_no_plan_meets_in_the_baseline_is_said_with_status_3(shell_call: Any, tmp_path: Path) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text("format: tiercut.grid/1\nconditions: {slowdown(phone): [10, 20]}\n")
    status, _, err = shell_call("sensitivity", *MOBILE, "--grid", path, "--max-latency", "1 ms")
    assert status == 3
    assert "1 ms" in err
    with pytest.raises(InfeasibleError):
        tiercut.sensitivity(*MOBILE, path, max_latency="1 ms")


def test_the_command_prints_what_the_function_gives_and_draws_regions(shell_call: Any, tmp_path: Path) -> None:
    path, page = tmp_path / "grid.yaml", tmp_path / "it.html"
    path.write_text("format: tiercut.grid/1\nconditions: {bandwidth(watch-phone): [500 kb/s, 100 kb/s, 30 kb/s]}\n")
    call = ("sensitivity", *MOBILE, "--grid", path, "--min-accuracy", "0.97")
    status, out, err = shell_call(*call, "--json", "--plot", page)
    assert status == 0, err
    assert json.loads(out) == json.loads(tiercut.sensitivity(*MOBILE, path, min_accuracy=0.97).to_json())
    assert "where the best changes, the others as in the baseline" in page.read_text()
    assert shell_call("sensitivity", *MOBILE)[0] == 2
    assert shell_call(*call, "--measured", path)[0] == 2
