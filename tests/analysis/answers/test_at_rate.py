"""What a rate makes of plans: shares of the time by hand, and where they are shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.made import both, profile_data, topology_data

import tiercut
from tiercut.report.rows import plan_rows
from tiercut.units import MONTH_S

NODES = [{"name": "a", "slowdown": 10, "price": "1 $/h"}, {"name": "b", "price": "2 $/h"}]
TOPOLOGY = tiercut.Topology.from_data(topology_data(NODES, [both("a", "b", 0.001, 1000.0)], destination="anywhere"))
PROFILE = tiercut.Profile.from_data(profile_data([0.01, 0.02], [100.0, 10.0, 0.0]))


def answer(kind: str = "solve", **asked: Any) -> tiercut.Answer:
    return getattr(tiercut, kind)(TOPOLOGY, PROFILE, rate="2 fps", **asked)  # type: ignore[no-any-return]


def test_json_has_the_utilisation_by_node_and_link_and_the_cost_by_the_month(tmp_path: Path) -> None:
    found = answer(partitions=2)  # block 1 on a for 0.1 s, 10 bytes, block 2 on b for 0.02 s
    (plan,) = json.loads(found.to_json())["plans"]
    load = plan["at_rate"]
    assert load["utilisation"] == pytest.approx({"a": 0.2, "b": 0.04, "a>b": 0.02})
    assert (load["rate_fps"], load["busiest"]) == (2.0, "a")
    assert load["keeps_up_with_fps"] == pytest.approx(10)
    assert load["dollars_per_month"] == pytest.approx((0.1 * 1 + 0.02 * 2) / 3600 * 2 * MONTH_S)
    (tmp_path / "it.json").write_text(found.to_json())
    assert tiercut.load_plans(tmp_path / "it.json")[0].partition == (1, 2)


def test_without_a_rate_nothing_is_said_of_it() -> None:
    found = tiercut.solve(TOPOLOGY, PROFILE)
    assert found.at_rate == ()
    assert "at_rate" not in json.loads(found.to_json())["plans"][0]


def test_rankings_show_what_each_plan_costs_by_the_month_where_all_prices_are_known() -> None:
    rows = plan_rows(answer("rank", top=3))
    place = rows.headings.index("a month")
    dollars = [float(row[place].removesuffix(" $")) for row in rows.cells]
    assert dollars == pytest.approx([each.dollars_per_month for each in answer("rank", top=3).at_rate], rel=1e-3)
    unpriced = topology_data(
        [*NODES, {"name": "c", "slowdown": 0.5}], [both("a", "b", 0.001, 1000.0), both("a", "c", 0, 1e9)]
    )
    some = tiercut.rank(tiercut.Topology.from_data(unpriced), PROFILE, rate="2 fps", top=4)
    assert "a month" not in plan_rows(some).headings
