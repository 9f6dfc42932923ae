from __future__ import annotations

import json
from pathlib import Path

import pytest

import tiercut.topologies
from tiercut.topologies import load_topology, quickest_route, ready_made, transfer_seconds

FOLDER = Path(tiercut.topologies.__file__).parent / "ready"


def test_all_settings_are_there() -> None:
    assert set(ready_made()) == {
        "mobile", "iot", "aws-chain", "scission-3g", "scission-4g", "scission-wired", "scissionlite-5g", "adaptive",
        "simulator-1", "simulator-2", "simulator-3", "three-tiers", "factory",
    }  # fmt: skip


@pytest.mark.parametrize("name", ready_made())
def test_a_ready_made_topology_is_sound_bears_its_name_and_says_where_it_comes_from(name: str) -> None:
    assert load_topology(name).name == name
    comment = (FOLDER / f"{name}.yaml").read_text().split("format:")[0]
    assert comment.startswith("# ")
    assert "# Source: " in comment


def test_mobile_has_the_figures_of_the_joint_model() -> None:
    mobile = load_topology("mobile")
    assert [node.slowdown for node in mobile.nodes] == [500, 10, 2.5, 1]
    assert [(link.bandwidth * 8, link.latency) for link in mobile.links] == [(5e5, 0.006), (1e7, 0.04), (5e8, 0.05)]
    assert (mobile.source, mobile.destination) == ("watch", "watch")


def test_iot_has_the_figures_of_the_joint_model() -> None:
    iot = load_topology("iot")
    assert [node.slowdown for node in iot.nodes] == [100, 5, 2.5, 1]
    assert [(link.bandwidth * 8, link.latency) for link in iot.links] == [(1e7, 0.01), (4e7, 0.01), (5e8, 0.05)]


def test_sending_an_image_over_aws_costs_both_latencies_and_the_slower_link() -> None:
    chain = load_topology("aws-chain")
    seconds = transfer_seconds(chain, [150_000.0])[0]
    first = 9000 * 8 / 10e6 + 9000 * 8 / 400e6
    assert seconds[0, 2] == pytest.approx(0.06 + first + (150_000 - 9000) * 8 / 10e6, rel=1e-14)


@pytest.mark.parametrize(("network", "to_edge", "to_cloud"), [("3g", 0.817, 0.842), ("wired", 0.08, 0.105)])
def test_scission_sends_its_image_straight_to_edge_or_cloud(network: str, to_edge: float, to_cloud: float) -> None:
    pipeline = load_topology(f"scission-{network}")
    seconds = transfer_seconds(pipeline, [150_000.0])[0]
    assert seconds[0] == pytest.approx([0, to_edge, to_edge, to_cloud, to_cloud])
    assert pipeline.tiers == ("device", "edge", "cloud")
    assert (pipeline.destination, pipeline.one_partition_per, pipeline.order) == ("anywhere", "tier", "forward")


def test_resnet50_leaves_the_cloud_on_3g_when_the_image_grows_to_170_kb(data_folder: Path) -> None:
    devices = json.loads((data_folder / "scission" / "resnet50.json").read_text())["devices"]
    pipeline = load_topology("scission-3g")
    compute = [sum(devices[node.device]["block_s"]) for node in pipeline.nodes]

    def best(payload: float) -> str:
        totals = transfer_seconds(pipeline, [payload])[0][pipeline.source_index] + compute
        return pipeline.node_names[int(totals.argmin())]

    assert (best(150_000), best(170_000)) == ("cloud-gpu", "raspi4")


def test_5g_is_much_slower_up_than_down() -> None:
    pair = load_topology("scissionlite-5g")
    assert pair.hops["tx2", "server"].bandwidth * 8 == 57e6
    assert pair.hops["server", "tx2"].bandwidth * 8 == 600e6


def test_the_simulator_starves_in_its_second_configuration_and_waits_in_its_third() -> None:
    routes = [quickest_route(load_topology(f"simulator-{number}"), "device", "cloud", 1000.0) for number in (1, 2, 3)]
    assert [(route.latency_s, route.bottleneck) for route in routes if route] == [
        (0.2525, 500_000), (0.2525, 50_000), (1.0025, 500_000),
    ]  # fmt: skip
