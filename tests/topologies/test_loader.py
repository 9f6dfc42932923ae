from __future__ import annotations

import json
from pathlib import Path

import pytest

from tiercut.errors import InputError
from tiercut.topologies import Topology, load_topology, ready_made, topology_from_text

TEXT = """\
format: tiercut.topology/1
name: small
nodes:
  - {name: a, tier: device, slowdown: 500}
  - {name: b, tier: edge, device: m4.large}
  - {name: c, tier: edge, memory: 16 GiB, power: 250 W, price: 0.54 $/h}
links:
  - {between: [a, b], bandwidth: 500 kb/s, latency: 6 ms}
  - {from: b, to: c, bandwidth: 57 Mb/s, latency: 28 ms, price: 0.09 $/GB}
  - {from: c, to: b, bandwidth: 600 Mb/s, latency: 28 ms}
source: a
destination: c
forwarding: cut-through
mtu: 9 kB
one_partition_per: tier
"""


def test_quantities_become_seconds_bytes_and_dollars() -> None:
    topology = topology_from_text(TEXT)
    c = topology.node("c")
    assert (c.memory, c.power, c.price) == (16 * 2**30, 250.0, pytest.approx(0.54 / 3600))
    assert topology.mtu == 9000
    up, down = topology.hops["b", "c"], topology.hops["c", "b"]
    assert (up.bandwidth, up.latency, up.price) == (57e6 / 8, 0.028, pytest.approx(0.09e-9))
    assert (down.bandwidth, down.latency, down.price) == (75e6, 0.028, 0.0)


def test_both_directions_of_a_two_way_link_are_alike() -> None:
    topology = topology_from_text(TEXT)
    there, back = topology.hops["a", "b"], topology.hops["b", "a"]
    assert (there.bandwidth, there.latency) == (back.bandwidth, back.latency) == (62_500, 0.006)


def test_names_indices_and_tiers_keep_the_order_of_the_file() -> None:
    topology = topology_from_text(TEXT)
    assert topology.node_names == ("a", "b", "c")
    assert topology.tiers == ("device", "edge")
    assert [topology.tier_of(name) for name in topology.node_names] == ["device", "edge", "edge"]
    assert (topology.source_index, topology.destination_index) == (0, 2)


def test_what_a_file_leaves_out_has_a_default() -> None:
    topology = topology_from_text("format: tiercut.topology/1\nname: one\nnodes: [{name: a}]\nsource: a\n")
    assert topology.destination == "a"
    assert (topology.forwarding, topology.mtu, topology.one_partition_per) == ("store", 1500, "node")
    assert (topology.nodes[0].slowdown, topology.nodes[0].device, topology.tiers) == (1, None, ("a",))
    assert topology.links == ()


def test_a_destination_may_be_anywhere() -> None:
    topology = topology_from_text(TEXT.replace("destination: c", "destination: anywhere"))
    assert (topology.destination, topology.destination_index) == ("anywhere", None)


def test_a_node_without_a_way_back_is_sound_where_results_may_stay() -> None:
    text = TEXT.replace("  - {from: c, to: b, bandwidth: 600 Mb/s, latency: 28 ms}\n", "")
    assert topology_from_text(text.replace("destination: c", "destination: anywhere")).hops.keys() == {
        ("a", "b"), ("b", "a"), ("b", "c"),
    }  # fmt: skip


def test_a_file_is_read_as_yaml_or_json_by_its_ending(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(TEXT)
    from_yaml = load_topology(tmp_path / "small.yaml")
    data = {
        "format": "tiercut.topology/1",
        "name": "small",
        "nodes": [{"name": "a", "tier": "device", "slowdown": 500}],
        "source": "a",
    }
    (tmp_path / "small.json").write_text(json.dumps(data))
    from_json = load_topology(str(tmp_path / "small.json"))
    assert from_yaml.nodes[0] == from_json.nodes[0]
    assert from_json == Topology.from_data(data)


def test_a_ready_made_topology_is_known_by_its_name() -> None:
    assert load_topology("mobile").node_names == ("watch", "phone", "base", "cloud")


def test_a_file_comes_before_a_ready_made_topology_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mobile").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    assert load_topology("mobile").name == "small"


def test_an_unknown_name_is_told_the_nearest_and_all_known_ones() -> None:
    with pytest.raises(InputError) as caught:
        load_topology("mobil")
    assert "there is no such file, and there is no ready-made topology 'mobil'; did you mean 'mobile'?" in str(
        caught.value
    )
    assert ", ".join(ready_made()) in str(caught.value)


@pytest.mark.parametrize("path", ["mobil.yaml", "folder/mobile"])
def test_what_looks_like_a_path_is_only_a_path(path: str) -> None:
    with pytest.raises(InputError) as caught:
        load_topology(path)
    assert str(caught.value) == f"{path}: there is no such file"


def test_a_topology_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValueError, match="frozen"):
        topology_from_text(TEXT).source = "b"  # type: ignore[misc]


def test_the_json_schema_tells_editors_of_units_defaults_and_required_keys() -> None:
    schema = Topology.model_json_schema()
    assert schema["required"] == ["format", "name", "nodes"]  # and source or sources
    link = schema["$defs"]["Link"]
    assert link["required"] == ["bandwidth", "latency"]
    assert {"from", "to", "between"} <= set(link["properties"])
    assert "Mb/s" in link["properties"]["bandwidth"]["pattern"]
    assert schema["properties"]["mtu"]["default"] == "1500 B"
    assert "default" not in schema["properties"]["destination"]
    assert all("description" in each for part in (schema, link) for each in part["properties"].values())
