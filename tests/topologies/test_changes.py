from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from tiercut.errors import QuestionError
from tiercut.topologies import Topology, load_topology, ready_made, topology_from_text

DASHES = """\
format: tiercut.topology/1
name: dashes
nodes: [{name: a}, {name: a-b}, {name: b}, {name: b-c}, {name: c}]
links:
  - {between: [a, a-b], bandwidth: 1 Mb/s, latency: 1 ms}
  - {between: [a-b, b], bandwidth: 2 Mb/s, latency: 1 ms}
  - {between: [a, b-c], bandwidth: 3 Mb/s, latency: 1 ms}
  - {between: [a-b, c], bandwidth: 4 Mb/s, latency: 1 ms}
  - {from: b, to: c, bandwidth: 5 Mb/s, latency: 1 ms}
source: a
"""


@pytest.fixture
def mobile() -> Topology:
    return load_topology("mobile")


@pytest.fixture
def dashes() -> Topology:
    return topology_from_text(DASHES)


@pytest.mark.parametrize("name", ready_made())
def test_without_changes_a_topology_stays_as_it_is(name: str) -> None:
    topology = load_topology(name)
    assert topology.with_changes() == topology


def test_a_destination_that_the_file_leaves_out_follows_the_source(mobile: Topology) -> None:
    changed = mobile.with_changes(source="phone")
    assert (changed.source, changed.destination) == ("phone", "phone")
    assert changed.with_changes(source="base").destination == "base"


def test_a_destination_that_the_file_names_stays() -> None:
    assert load_topology("iot").with_changes(source="micro").destination == "raspberry"


def test_source_destination_forwarding_and_partitions_are_replaced(mobile: Topology) -> None:
    changed = mobile.with_changes(
        source="phone", destination="anywhere", forwarding="cut-through", one_partition_per="tier"
    )
    assert (changed.source, changed.destination, changed.destination_index) == ("phone", "anywhere", None)
    assert (changed.forwarding, changed.one_partition_per) == ("cut-through", "tier")
    assert mobile.source == "watch"


def test_a_dash_means_both_directions_an_arrow_one(mobile: Topology) -> None:
    both = mobile.with_changes(bandwidth={"phone-base": 10.0})
    assert [both.hops[way].bandwidth for way in (("phone", "base"), ("base", "phone"))] == [10.0, 10.0]
    one = mobile.with_changes(bandwidth={"phone>base": 10.0}, latency={"base>phone": 3.0})
    assert (one.hops["phone", "base"].bandwidth, one.hops["base", "phone"].bandwidth) == (10.0, 1.25e6)
    assert (one.hops["phone", "base"].latency, one.hops["base", "phone"].latency) == (0.04, 3.0)
    assert list(one.hops) == list(mobile.hops)


def test_a_dash_names_a_link_from_either_end(mobile: Topology) -> None:
    assert mobile.with_changes(latency={"base-phone": 1.0}).hops["phone", "base"].latency == 1.0


def test_a_later_change_of_one_direction_counts(mobile: Topology) -> None:
    changed = mobile.with_changes(bandwidth={"phone-base": 10.0, "base>phone": 20.0})
    assert [changed.hops[way].bandwidth for way in (("phone", "base"), ("base", "phone"))] == [10.0, 20.0]


def test_names_with_dashes_are_read_in_every_way_that_fits(dashes: Topology) -> None:
    assert dashes.with_changes(bandwidth={"a-a-b": 7.0}).hops["a", "a-b"].bandwidth == 7.0
    assert dashes.with_changes(bandwidth={"a-b-b": 7.0}).hops["a-b", "b"].bandwidth == 7.0
    assert dashes.with_changes(bandwidth={"b-c": 7.0}).hops["b", "c"].bandwidth == 7.0


def test_a_link_that_can_be_read_in_two_ways_is_refused_with_both(dashes: Topology) -> None:
    with pytest.raises(
        QuestionError, match=r"'a-b-c' can be read as 'a>b-c' or 'a-b>c'; name each direction like that"
    ):
        dashes.with_changes(bandwidth={"a-b-c": 7.0})
    assert dashes.with_changes(bandwidth={"a-b>c": 7.0}).hops["a-b", "c"].bandwidth == 7.0


def test_a_slowdown_is_replaced_and_everything_else_of_the_node_stays() -> None:
    chain = load_topology("scission-3g").with_changes(slowdown={"raspi4": 2.0})
    node = chain.node("raspi4")
    assert (node.slowdown, node.device, node.memory) == (2.0, "raspi4", 4 * 2**30)


def test_a_node_that_is_gone_takes_its_links_along() -> None:
    rest = load_topology("scission-4g").with_changes(exclude=["edge-2500", "cloud-gpu"])
    assert rest.node_names == ("raspi4", "edge-vm2core", "cloud-cpu")
    assert len(rest.hops) == 6


def test_a_node_that_loses_its_way_is_named(mobile: Topology) -> None:
    with pytest.raises(QuestionError, match="'cloud' cannot be reached from the source 'watch'"):
        mobile.with_changes(exclude=["base"])
    assert mobile.with_changes(exclude=["base", "cloud"]).node_names == ("watch", "phone")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "wach"}, "source: there is no node 'wach'; did you mean 'watch'"),
        ({"destination": "clod"}, "destination: there is no node 'clod'; did you mean 'cloud'"),
        ({"forwarding": "fast"}, "forwarding: expected 'store' or 'cut-through', got 'fast'"),
        ({"bandwidth": {"watch-base": 1.0}}, "there is no link 'watch-base'.*known: watch-phone, phone-base"),
        ({"latency": {"watch>base": 1.0}}, "there is no link 'watch>base'"),
        ({"latency": {"watch": 1.0}}, "there is no link 'watch'"),
        ({"latency": {"": 1.0}}, "there is no link ''"),
        ({"latency": {">": 1.0}}, "there is no link '>'"),
        ({"bandwidth": {"watch-phone": 0.0}}, "a bandwidth must be finite and greater than 0, got 0.0"),
        ({"latency": {"watch-phone": -1.0}}, "a time must be finite and 0 or more, got -1.0"),
        ({"latency": {"watch-phone": float("nan")}}, "must be finite"),
        ({"slowdown": {"wach": 1.0}}, "there is no node 'wach'; did you mean 'watch'"),
        ({"slowdown": {"watch": 0.0}}, "slowdown: expected a number greater than 0, got 0.0"),
        ({"exclude": ["clod"]}, "there is no node 'clod'; did you mean 'cloud'"),
        ({"exclude": ["watch"]}, "source: there is no node 'watch'"),
    ],
)
def test_what_cannot_be_changed_is_a_wrong_question(mobile: Topology, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        mobile.with_changes(**changes)


@given(st.floats(1e-3, 1e12), st.floats(0, 1e3), st.floats(1e-6, 1e6))
def test_a_change_and_its_undoing_leave_no_trace(bandwidth: float, latency: float, slowdown: float) -> None:
    mobile = load_topology("mobile")
    changed = mobile.with_changes(
        bandwidth={"watch-phone": bandwidth}, latency={"watch>phone": latency}, slowdown={"base": slowdown}
    )
    assert changed.hops["watch", "phone"].bandwidth == bandwidth
    assert changed.node("base").slowdown == slowdown
    back = changed.with_changes(
        bandwidth={"watch-phone": 62_500.0}, latency={"watch>phone": 0.006}, slowdown={"base": 2.5}
    )
    assert back.hops == mobile.hops
    assert back.nodes == mobile.nodes
