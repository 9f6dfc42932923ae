"""Routes worked out by hand."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tiercut.errors import QuestionError
from tiercut.topologies import (
    Hop,
    Route,
    Topology,
    quickest_route,
    topology_from_text,
    transfer_prices,
    transfer_routes,
    transfer_seconds,
)
from tiercut.topologies.network import network_of
from tiercut.topologies.routes import transfer_sums

HEAD = "format: tiercut.topology/1\nname: made\nsource: a\n"
CHAIN = (
    HEAD
    + """\
nodes: [{name: a}, {name: b}, {name: c}]
links:
  - {between: [a, b], bandwidth: 1000 B/s, latency: 10 ms, price: 1 $/GB}
  - {from: b, to: c, bandwidth: 4000 B/s, latency: 20 ms, price: 2 $/GB}
  - {from: c, to: b, bandwidth: 2000 B/s, latency: 30 ms}
mtu: 100 B
"""
)
# From a to d: quick to begin with but thin over b, late but wide over c.
DIAMOND = (
    HEAD
    + """\
nodes: [{name: a}, {name: b}, {name: c}, {name: d}]
links:
  - {between: [a, b], bandwidth: 1000 B/s, latency: 1 ms}
  - {between: [b, d], bandwidth: 1000 B/s, latency: 1 ms}
  - {between: [a, c], bandwidth: 10000 B/s, latency: 100 ms}
  - {between: [c, d], bandwidth: 10000 B/s, latency: 100 ms}
"""
)


def chain(forwarding: str = "store") -> Topology:
    return topology_from_text(f"{CHAIN}forwarding: {forwarding}\n")


def test_a_payload_that_is_stored_pays_every_link_in_full() -> None:
    seconds = transfer_seconds(chain(), [1000.0])[0]
    assert seconds == pytest.approx(
        np.array([[0, 1.01, 1.01 + 0.27], [1.01, 0, 0.27], [0.53 + 1.01, 0.53, 0]]), rel=1e-14
    )


def test_a_payload_that_is_cut_through_pays_the_slowest_link_and_one_packet_on_the_others() -> None:
    seconds = transfer_seconds(chain("cut-through"), [1000.0])[0]
    assert seconds[0, 2] == pytest.approx(0.03 + 100 / 1000 + 100 / 4000 + 900 / 1000, rel=1e-14)
    assert seconds[2, 0] == pytest.approx(0.04 + 100 / 2000 + 100 / 1000 + 900 / 1000, rel=1e-14)
    assert seconds[0, 1] == pytest.approx(1.01, rel=1e-14)


def test_up_to_one_packet_both_kinds_of_forwarding_take_the_same() -> None:
    sizes = [0.0, 1.0, 99.0, 100.0]
    assert transfer_seconds(chain(), sizes) == pytest.approx(transfer_seconds(chain("cut-through"), sizes), rel=1e-14)


def test_nothing_still_takes_the_latencies() -> None:
    assert transfer_seconds(chain(), [0.0])[0, 0] == pytest.approx([0, 0.01, 0.03])


def test_a_route_knows_its_nodes_latency_slowest_link_and_price() -> None:
    route = quickest_route(chain(), "a", "c", 5.0)
    assert route is not None
    assert route.nodes == ("a", "b", "c")
    assert route.latency_s == pytest.approx(0.03)
    assert route.bottleneck == 1000
    assert route.price == pytest.approx(3e-9)
    assert route.seconds(np.array([0.0, 1000.0]), "store", 1.0) == pytest.approx([0.03, 1.28])


def test_a_route_to_itself_has_no_hops_and_takes_no_time() -> None:
    route = quickest_route(chain(), "b", "b", 1e9)
    assert route == Route(())
    assert (route.nodes, route.latency_s, route.bottleneck, route.price) == ((), 0, float("inf"), 0)
    assert route.seconds(1e9, "store", 1.0) == route.seconds(1e9, "cut-through", 1.0) == 0


def test_the_direct_link_is_taken_even_where_a_detour_is_quicker() -> None:
    text = DIAMOND + "  - {from: a, to: d, bandwidth: 1 B/s, latency: 9 s}\n"
    topology = topology_from_text(text)
    route = quickest_route(topology, "a", "d", 1000.0)
    assert route is not None
    assert route.nodes == ("a", "d")
    assert transfer_seconds(topology, [1000.0])[0, 0, 3] == 1009
    back = quickest_route(topology, "d", "a", 1000.0)
    assert back is not None
    assert back.nodes == ("d", "c", "a")


def test_which_path_is_quickest_depends_on_the_size() -> None:
    routes = transfer_routes(topology_from_text(DIAMOND), [10.0, 100.0, 120.0, 10_000.0])[:, 0, 3]
    assert [route.nodes[1] for route in routes] == ["b", "b", "c", "c"]


def test_equal_paths_are_told_apart_by_hops_then_by_the_order_of_the_file() -> None:
    text = (
        HEAD
        + "nodes: [{name: a}, {name: e}, {name: b}, {name: c}, {name: d}]\nlinks:\n"
        + "".join(
            f"  - {{between: [{ends}], bandwidth: 8 Gb/s, latency: {latency} ms}}\n"
            for ends, latency in (("a, c", 2), ("c, d", 2), ("a, b", 2), ("b, d", 2), ("a, e", 1), ("e, b", 1))
        )
    )
    route = quickest_route(topology_from_text(text), "a", "d", 0.0)
    assert route is not None
    assert route.nodes == ("a", "b", "d")


def test_the_best_beginning_is_not_part_of_the_best_whole_when_cutting_through() -> None:
    """To b the thin link is quicker by one packet's time, but beyond b its width would set the pace."""
    text = (
        HEAD
        + """\
nodes: [{name: a}, {name: b}, {name: m}, {name: c}]
links:
  - {between: [a, b], bandwidth: 100 B/s, latency: 0 ms}
  - {between: [a, m], bandwidth: 1000 B/s, latency: 500 ms}
  - {between: [m, b], bandwidth: 1000 B/s, latency: 500 ms}
  - {between: [b, c], bandwidth: 1000 B/s, latency: 0 ms}
forwarding: cut-through
mtu: 10 B
"""
    )
    short, long = (quickest_route(topology_from_text(text), "a", "c", size) for size in (50.0, 500.0))
    assert short is not None
    assert long is not None
    assert short.nodes == ("a", "b", "c")
    assert long.nodes == ("a", "m", "b", "c")


def test_where_no_way_leads_the_seconds_are_infinite_and_the_route_is_none() -> None:
    text = (
        HEAD
        + """\
destination: anywhere
nodes: [{name: a}, {name: b}]
links: [{from: a, to: b, bandwidth: 1 B/s, latency: 1 s, price: 1 $/GB}]
"""
    )
    topology = topology_from_text(text)
    assert transfer_seconds(topology, [1.0])[0].tolist() == [[0, 2], [float("inf"), 0]]
    assert transfer_routes(topology, [1.0])[0, 1, 0] is None
    assert quickest_route(topology, "b", "a", 1.0) is None
    assert transfer_prices(topology, [1.0, 0.0])[:, 1, 0].tolist() == [float("inf"), 0]


def test_prices_are_those_of_the_route_that_a_size_takes() -> None:
    prices = transfer_prices(chain(), [10.0])[0]
    assert prices == pytest.approx(np.array([[0, 1e-9, 3e-9], [1e-9, 0, 2e-9], [1e-9, 0, 0]]))


def test_payloads_come_back_in_their_own_order() -> None:
    sizes = [5.0, 1.0, 5.0, 3.0]
    seconds = transfer_seconds(chain(), sizes)
    for place, size in enumerate(sizes):
        assert np.array_equal(seconds[place], transfer_seconds(chain(), [size])[0])


def test_no_payloads_make_an_empty_table() -> None:
    assert transfer_seconds(chain(), []).shape == (0, 3, 3)


@pytest.mark.parametrize("sizes", [[-1.0], [float("nan")], [float("inf")], [1.0, -2.0]])
def test_a_size_that_is_none_is_refused(sizes: list[float]) -> None:
    with pytest.raises(QuestionError, match="finite and 0 bytes or more, got"):
        transfer_seconds(chain(), sizes)


def test_a_table_of_sizes_is_refused() -> None:
    with pytest.raises(QuestionError, match=r"a list of payload sizes, got an array of shape \(1, 1\)"):
        transfer_seconds(chain(), [[1.0]])


def test_an_unknown_node_is_refused() -> None:
    with pytest.raises(QuestionError, match="there is no node 'x'"):
        quickest_route(chain(), "a", "x", 1.0)


def test_hops_compare_by_value() -> None:
    assert Hop("a", "b", 1.0, 2.0) == Hop("a", "b", 1.0, 2.0)


@pytest.mark.parametrize("forwarding", ["store", "cut-through"])
def test_a_thousand_payloads_on_eight_nodes_take_milliseconds(forwarding: str) -> None:
    text = HEAD.replace("source: a", "source: n0") + f"forwarding: {forwarding}\nnodes:\n"
    text += "".join(f"  - {{name: n{node}}}\n" for node in range(8)) + "links:\n"
    text += "".join(
        f"  - {{between: [n{node}, n{node + 1}], bandwidth: {node + 1} Mb/s, latency: 3 ms}}\n" for node in range(7)
    )
    topology, sizes = topology_from_text(text), np.random.default_rng(1).uniform(0, 1e6, 1000)
    took = []
    for _ in range(5):
        began = time.perf_counter()
        transfer_seconds(topology, sizes)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.02


def test_where_no_link_weighs_anything_sums_say_what_can_be_reached() -> None:
    links = "\n".join(f"  - {{from: n{i // 2}, to: n{i}, bandwidth: 1 Mb/s, latency: 1 ms}}" for i in range(1, 10))
    nodes = "\n".join(f"  - {{name: n{i}}}" for i in range(10))
    head = "format: tiercut.topology/1\nname: t\nsource: n0\ndestination: anywhere\n"
    topology = topology_from_text(f"{head}nodes:\n{nodes}\nlinks:\n{links}\n")
    sizes, light = [0.0, 100.0], {("n0", "n1"): 1e-300}
    sums, weighed = transfer_sums(topology, sizes, {}), transfer_sums(topology, sizes, light)
    assert np.array_equal(np.isinf(sums), np.isinf(weighed))
    assert np.isinf(sums[1]).any()
    assert sums[np.isfinite(sums)].max() == 0


@pytest.mark.parametrize("forwarding", ["store", "cut-through"])
def test_few_weights_add_up_along_the_routes_that_cross_their_links(forwarding: str) -> None:
    """A narrow link on the short way and a wide one on the long: large payloads take another route than small ones."""
    nodes = "nodes:\n" + "".join(f"  - {{name: {name}}}\n" for name in "abcd")
    links = "links:\n" + "".join(
        f"  - {{between: [{a}, {b}], bandwidth: {bandwidth} Mb/s, latency: {latency} ms}}\n"
        for a, b, bandwidth, latency in (("a", "b", 1, 1), ("b", "c", 1, 1), ("a", "d", 50, 9), ("d", "c", 50, 9))
    )
    head = "format: tiercut.topology/1\nname: t\nsource: a\n"
    topology = topology_from_text(f"{head}forwarding: {forwarding}\n{nodes}{links}")
    sizes, network = [0.0, 100.0, 1500.0, 5e3, 1e6], network_of(topology)
    for _ in range(2):  # what is known the second time is the same
        for weights in ({("a", "b"): 2.0}, {("a", "d"): 3.0, ("b", "c"): 0.5}):
            routes = transfer_routes(network, sizes)
            wanted = [
                [
                    [sum(weights.get((hop.sender, hop.receiver), 0.0) for hop in route.hops) for route in row]
                    for row in each
                ]
                for each in routes
            ]
            assert np.array_equal(transfer_sums(network, sizes, weights), wanted)
    assert len({wanted[place][0][2] for place in range(1, 5)}) == 2
