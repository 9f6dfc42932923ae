"""What Scission and ScissionLite found, from the measurements that their authors published, as a user would ask."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.published import scission_pipeline

import tiercut
from tiercut.cli import main
from tiercut.topologies.schema import Topology

Rank = Callable[..., list[dict[str, Any]]]
pytestmark = pytest.mark.filterwarnings("ignore::tiercut.TiercutWarning")  # of times that are exactly 0


@pytest.fixture
def rank(data_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Rank:
    """Run ``tiercut rank`` on a ready-made topology and a model that Scission's authors measured."""

    def run(topology: object, model: str, *arguments: str, folder: str = "scission") -> list[dict[str, Any]]:
        profile = data_folder / folder / f"{model}.json"
        monkeypatch.setattr(sys, "argv", ["tiercut", "rank", str(topology), str(profile), *arguments, "--json"])
        with pytest.raises(SystemExit) as stop:
            main()
        assert not stop.value.code
        found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["plans"]
        return found

    return run


def tiers(plan: dict[str, Any]) -> list[str]:
    known = tiercut.load_topology("scission-3g")
    return [known.tier_of(name) for name in plan["placement"]]


@pytest.mark.parametrize("network", ["scission-3g", "scission-4g"])
@pytest.mark.parametrize("model", ["vgg19", "resnet50"])
def test_large_models_are_best_in_the_cloud(rank: Rank, model: str, network: str) -> None:
    """Figures 6 and 7."""
    assert tiers(rank(network, model, "--order", "forward")[0]) == ["cloud"]


def test_mobilenetv2_stays_on_the_device_on_3g_and_goes_to_the_cloud_on_4g(rank: Rank) -> None:
    """Figure 8."""
    assert tiers(rank("scission-3g", "mobilenetv2", "--order", "forward")[0]) == ["device"]
    assert tiers(rank("scission-4g", "mobilenetv2", "--order", "forward")[0]) == ["cloud"]


def test_20_kb_more_keep_resnet50_on_the_device(rank: Rank) -> None:
    """Figure 9: over the edge's link to the cloud, as the ready-made topology has it."""
    assert tiers(rank("scission-3g", "resnet50", "--order", "forward", "--input", "150 KB")[0]) == ["cloud"]
    assert tiers(rank("scission-3g", "resnet50", "--order", "forward", "--input", "170 KB")[0]) == ["device"]


@pytest.mark.parametrize(("network", "seconds"), [("3g", 2.865), ("4g", 1.997), ("wired", 1.568)])
def test_the_ready_made_topologies_say_that_pipelines_run_from_near_to_far(
    rank: Rank, network: str, seconds: float
) -> None:
    """Over all tiers VGG19 takes 2.865 s on 3G; backwards, its last layers on the device, it would take 1.04 s."""
    plan = rank(f"scission-{network}", "vgg19", "--use-all-tiers")[0]
    assert tiers(plan) == ["device", "edge", "cloud"]
    assert plan["latency_s"] == pytest.approx(seconds, abs=0.0005)
    assert plan == rank(f"scission-{network}", "vgg19", "--use-all-tiers", "--order", "forward")[0]
    assert rank(f"scission-{network}", "vgg19", "--use-all-tiers", "--order", "any")[0]["latency_s"] < seconds - 0.1


@pytest.mark.parametrize(("network", "layers"), [("3g", (23, 24, 25)), ("4g", (6, 22, 25))])
def test_the_cuts_of_vgg19_over_the_whole_pipeline_are_those_published(
    rank: Rank, data_folder: Path, network: str, layers: tuple[int, ...]
) -> None:
    """Figure 10: layers 0 to 23, 24 and 25 on 3G; 0 to 6, 7 to 22 and 23 to 25 on 4G."""
    plan = rank(f"scission-{network}", "vgg19", "--query", "use-all-three")[0]
    assert tiers(plan) == ["device", "edge", "cloud"]
    blocks = tiercut.load_profile(data_folder / "scission/vgg19.json").blocks
    assert tuple(blocks[last - 1].last_layer for last in plan["partition"]) == layers


def test_the_two_best_plans_of_resnet50_with_the_first_edge_are_those_published(rank: Rank) -> None:
    """Figure 15: 0.785 MB in all and most layers in the cloud, then the edge alone with 150 KB and 0.248 s."""
    first, second = rank("scission-wired", "resnet50", "--order", "forward", "--include", "edge-vm2core", "--top", "2")
    assert (tiers(first), round(first["bytes_sent"] / 1e6, 3)) == (["edge", "cloud"], 0.785)
    assert (tiers(second), second["bytes_sent"]) == (["edge"], 150_000)
    assert second["latency_s"] == pytest.approx(0.248, abs=0.001)


@pytest.mark.parametrize(
    ("model", "places", "same"),
    [
        ("inception_v3", ["edge"], False),
        ("inception_v3", ["device", "edge", "cloud"], True),
        ("densenet169", ["device", "edge", "cloud"], False),
    ],
)
def test_the_edge_machine_decides_where_to_cut_or_not_as_published(
    rank: Rank, model: str, places: list[str], same: bool
) -> None:
    """Figures 12 to 14: one edge machine or the other, where the tiers must be used."""
    cuts = []
    for used, other in (("edge-vm2core", "edge-2500"), ("edge-2500", "edge-vm2core")):
        named = [flag for place in places for flag in ("--include", place)]
        plan = rank("scission-wired", model, "--order", "forward", *named, "--exclude", other)[0]
        assert used in plan["placement"]
        cuts.append(plan["partition"])
    assert (cuts[0] == cuts[1]) == same


def ways(plans: list[dict[str, Any]]) -> list[tuple[float, str, str]]:
    return [(plan["latency_s"], str(plan["partition"]), str(plan["placement"])) for plan in plans]


@pytest.mark.parametrize("model", ["nasnetmobile", "xception", "resnet50"])
def test_native_and_distributed_plans_make_up_the_whole_ranking(rank: Rank, model: str) -> None:
    every = rank("scission-wired", model, "--order", "forward", "--top", "5000")
    parts = {
        kind: rank("scission-wired", model, "--order", "forward", "--top", "5000", "--only", kind)
        for kind in ("native", "distributed")
    }
    assert len(parts["native"]) == 5
    assert all((len(plan["partition"]) == 1) == (kind == "native") for kind, plans in parts.items() for plan in plans)
    assert sorted(ways(every)) == sorted(ways(parts["native"]) + ways(parts["distributed"]))
    times = [plan["latency_s"] for plan in every]
    assert times == sorted(times)


def test_several_machines_of_each_tier_compete(data_folder: Path) -> None:
    """One device, three edges and three clouds: the best is the one that trying every pipeline by itself finds."""
    profile = tiercut.load_profile(data_folder / "scission/densenet169.json")
    base = scission_pipeline("wired", list(profile.devices))
    data = several(base, copies=3)
    whole = tiercut.rank(data, profile, order="forward", use_all_tiers=True, top=3)
    assert whole.space.decisions == decisions(blocks=len(profile.blocks), edges=6, clouds=6)
    alone = [
        tiercut.solve(
            data, profile, order="forward", use_all_tiers=True, exclude=[n for n in data.node_names if n not in kept]
        ).best
        for edge in data.node_names
        if data.tier_of(edge) == "edge"
        for cloud in data.node_names
        if data.tier_of(cloud) == "cloud"
        for kept in [("raspi4", edge, cloud)]
    ]
    assert whole.best.latency_s == min(plan.latency_s for plan in alone)


def several(base: Topology, copies: int) -> Topology:
    """Return a pipeline with copies of every edge and cloud, each slower than the one before."""
    nodes, names = [], {}
    for node in base.nodes:
        names[node.name] = [node.name] if node.tier == "device" else [f"{node.name}-{i}" for i in range(copies)]
        nodes += [
            {"name": name, "tier": node.tier, "device": node.device, "slowdown": 2.0 - 0.5 * place}
            for place, name in enumerate(names[node.name])
        ]
    links = [
        {"between": [a, b], "bandwidth": f"{link.bandwidth!r} B/s", "latency": f"{link.latency!r} s"}
        for link in base.links
        for a in names[(link.between or ("", ""))[0]]
        for b in names[(link.between or ("", ""))[1]]
    ]
    made = {"format": "tiercut.topology/1", "name": "several", "nodes": nodes, "links": links, "source": "raspi4"}
    return Topology.from_data({**made, "destination": "anywhere", "one_partition_per": "tier"})


def decisions(blocks: int, edges: int, clouds: int) -> int:
    """Return how many ways there are to spread blocks over a device, one of the edges and one of the clouds."""
    one, two = 1 + edges + clouds, edges + clouds + edges * clouds
    return one + (blocks - 1) * two + (blocks - 1) * (blocks - 2) // 2 * edges * clouds


LITE = """
format: tiercut.topology/1
name: lite
nodes:
  - {name: tx2, tier: device, device: tx2-gpu}
  - {name: server, tier: edge, device: edge-ampere}
links:
  - {from: tx2, to: server, bandwidth: 58.8 Mb/s, latency: 27.4 ms}
source: tx2
destination: anywhere
"""


def test_the_five_best_cuts_of_scissionlite_come_out(rank: Rank, data_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "lite.yaml").write_text(LITE)
    asked = ("--codec", "transfer-layer", "--partitions", "2", "--order", "forward")
    plans = rank(tmp_path / "lite.yaml", "densenet169", *asked, folder="scissionlite")
    blocks = tiercut.load_profile(data_folder / "scissionlite/densenet169.json").blocks
    assert [blocks[plan["partition"][0] - 1].last_layer for plan in plans] == [1, 51, 139, 2, 3]
    assert [round(plan["latency_s"], 4) for plan in plans] == [0.1261, 0.1870, 0.2068, 0.2152, 0.2161]
    assert all(plan["codecs"] == ["transfer-layer"] for plan in plans)


def test_sending_the_input_itself_is_what_scissionlite_did_not_consider(rank: Rank, tmp_path: Path) -> None:
    (tmp_path / "lite.yaml").write_text(LITE)
    best = rank(tmp_path / "lite.yaml", "densenet169", "--codec", "auto", folder="scissionlite")[0]
    assert (round(best["latency_s"], 4), best["placement"]) == (0.1216, ["server"])
