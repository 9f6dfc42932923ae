from __future__ import annotations

import time

import pytest
from hypothesis import given, strategies as st
from rich.console import Console
from support.seeded.topologies import topologies

from tiercut.errors import QuestionError
from tiercut.report.topology.listing import text
from tiercut.report.topology.part import near_source
from tiercut.topologies import Topology, load_topology, ready_made, topology_from_text


def shown(topology: Topology, size: float = 150_000.0) -> str:
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(text(topology, size))
    return capture.get()


def row(of: str, listing: str) -> list[str]:
    (found,) = [line for line in listing.splitlines() if line.strip().startswith(of)]
    return found.split()


def test_mobile_is_listed_with_nodes_links_routes_and_times() -> None:
    listing = shown(load_topology("mobile"))
    assert listing.startswith("mobile: samples begin at watch, results go to watch, store and forward\n")
    assert row("phone   phone", listing) == ["phone", "phone", "reference", "device", "x", "10"]
    assert row("phone ↔ base", listing) == ["phone", "↔", "base", "10", "Mb/s", "40", "ms"]
    assert "watch → phone → base → cloud     96 ms       500 kb/s    2.618 s" in listing
    assert row("base    2.566 s", listing) == ["base", "2.566", "s", "160", "ms", "-", "52.4", "ms"]


def test_memory_power_and_prices_are_columns_where_they_are_known() -> None:
    plain = shown(load_topology("mobile"))
    assert not any(word in plain for word in ("memory", "power", "price"))
    listing = shown(
        topology_from_text(
            "format: tiercut.topology/1\nname: rich\nsource: a\n"
            "nodes: [{name: a, memory: 512 MiB, power: 5 W}, {name: b, price: 0.53 $/h, device: gpu, slowdown: 2}]\n"
            "links: [{between: [a, b], bandwidth: 1 Mb/s, latency: 1 ms, price: 0.09 $/GB}]\n"
        )
    )
    for words in ("512 MiB", "5 W", "0.53 $/h", "gpu x 2", "0.09 $/GB"):
        assert words in listing


def test_a_way_that_differs_by_direction_has_a_row_for_each() -> None:
    listing = shown(
        topology_from_text(
            "format: tiercut.topology/1\nname: ring\nsource: a\nnodes: [{name: a}, {name: b}, {name: c}]\nlinks:\n"
            + "".join(f"  - {{from: {a}, to: {b}, bandwidth: 1 Mb/s, latency: 1 ms}}\n" for a, b in ("ab", "bc", "ca"))
        )
    )
    assert "b → a" in listing
    assert "b → c → a" in listing


def test_where_no_way_leads_the_table_says_so() -> None:
    listing = shown(
        topology_from_text(
            "format: tiercut.topology/1\nname: one-way\nsource: a\ndestination: anywhere\n"
            "nodes: [{name: a}, {name: b}]\n"
            "links: [{from: a, to: b, bandwidth: 1 Mb/s, latency: 1 ms}]\n"
        )
    )
    assert "results stay where they are made" in listing
    assert "no way" in listing


@pytest.mark.parametrize("name", ready_made())
def test_no_line_is_cut_off_at_the_width_of_a_pipe(name: str) -> None:
    listing = shown(load_topology(name))
    assert "…" not in listing
    assert max(map(len, listing.splitlines())) <= 120


def test_many_nodes_share_the_times_among_several_tables() -> None:
    nodes = [{"name": f"node{place}"} for place in range(20)]
    links = [{"between": ["node0", f"node{place}"], "bandwidth": "1 Mb/s", "latency": "1 ms"} for place in range(1, 20)]
    data = {"format": "tiercut.topology/1", "name": "star", "source": "node0", "nodes": nodes, "links": links}
    listing = shown(Topology.from_data(data))
    assert sum(line.lstrip().startswith("from ") for line in listing.splitlines()) == 3
    assert max(map(len, listing.splitlines())) <= 120


def test_long_names_share_the_times_among_more_tables_and_are_not_broken() -> None:
    nodes = [{"name": f"machine-in-the-cellar-{place:02}"} for place in range(10)]
    start = nodes[0]["name"]
    links = [{"between": [start, node["name"]], "bandwidth": "1 Mb/s", "latency": "1 ms"} for node in nodes[1:]]
    data = {"format": "tiercut.topology/1", "name": "star", "source": start, "nodes": nodes, "links": links}
    listing = shown(Topology.from_data(data))
    heads = [line.split()[1:] for line in listing.splitlines() if line.strip().startswith("from ")]
    assert [name for head in heads for name in head] == [node["name"] for node in nodes]
    assert len(heads) > 2
    assert max(map(len, listing.splitlines())) <= 120


def test_names_in_brackets_are_no_markup() -> None:
    data = {"format": "tiercut.topology/1", "name": "[red]x[/red]", "source": "[b]a", "nodes": [{"name": "[b]a"}]}
    listing = shown(Topology.from_data(data))
    assert "[red]x[/red]" in listing
    assert "[b]a" in listing


def test_a_size_that_is_none_is_refused() -> None:
    with pytest.raises(QuestionError, match="0 bytes or more"):
        text(load_topology("mobile"), -1.0)


def crowd(count: int) -> Topology:
    """Return a tree of nodes: the k-th hangs on the one of half its number, and the source is the first."""
    nodes = [{"name": f"n{place}", "tier": f"t{place % 4}"} for place in range(count)]
    links = [
        {"between": [f"n{place // 2}", f"n{place}"], "bandwidth": "1 Mb/s", "latency": "1 ms"}
        for place in range(1, count)
    ]
    data = {"format": "tiercut.topology/1", "name": "crowd", "source": "n0", "nodes": nodes, "links": links}
    return Topology.from_data(data | {"destination": f"n{count - 1}"})


def test_of_many_nodes_those_next_to_the_source_are_shown_and_the_rest_is_counted_in_seconds() -> None:
    topology = crowd(1000)
    began = time.process_time()
    listing = shown(topology)
    assert time.process_time() - began < 40  # a second or two; all pairs take over a minute
    said = " ".join(listing.split())
    assert "Shown are the 40 nodes next to n0; left out are 960 nodes" in said
    assert "--all" in said
    assert row("n0 → n5 ", listing)[3:9] == ["n0", "→", "n1", "→", "n2", "→"]
    assert row("n0 → n999 ", listing)[-2:] == ["12.01", "s"]  # ten links of 1.2 s and 1 ms
    assert "n998" not in said
    assert len(listing.splitlines()) < 150


def test_all_nodes_are_listed_on_request() -> None:
    topology = crowd(41)
    assert "left out" in shown(topology)
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(text(topology, 1000.0, every=True))
    assert "left out" not in capture.get()
    assert "left out" not in shown(crowd(40))
    assert all(f" n{place} " in capture.get() for place in range(41))


@given(topologies(), st.integers(1, 4))
def test_a_part_holds_source_and_destination_and_is_nearest_to_the_source(topology: Topology, most: int) -> None:
    part = near_source(topology, most)
    names = set(part.node_names)
    ends = {topology.source, topology.destination} & set(topology.node_names)
    assert ends <= names
    assert len(names) == min(max(most, len(ends)), len(topology.nodes)) or not linked(topology) >= set(
        topology.node_names
    )
    assert all(end in names for link in part.links for ends in link.directions for end in ends)
    assert list(part.node_names) == [name for name in topology.node_names if name in names]


def linked(topology: Topology) -> set[str]:
    """Return the nodes that links join to the source, whichever way they go."""
    found = {topology.source}
    while more := {b for pair in topology.hops for a, b in (pair, pair[::-1]) if a in found} - found:
        found |= more
    return found
