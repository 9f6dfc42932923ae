"""What the study of Scission's questions says of a small setting that can be worked out by hand."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.checkout import ROOT

import tiercut

NETWORK = """
format: tiercut.topology/1
name: {name}
nodes:
  - {{name: device, tier: device, device: slow}}
  - {{name: edge-1, tier: edge, device: fast, slowdown: 2}}
  - {{name: edge-2, tier: edge, device: fast, slowdown: 3}}
  - {{name: cloud, tier: cloud, device: fast}}
links:
  - {{between: [device, edge-1], bandwidth: {rate}, latency: 10 ms}}
  - {{between: [device, edge-2], bandwidth: {rate}, latency: 10 ms}}
  - {{between: [device, cloud], bandwidth: {rate}, latency: 20 ms}}
  - {{between: [edge-1, cloud], bandwidth: 50 Mb/s, latency: 10 ms}}
  - {{between: [edge-2, cloud], bandwidth: 50 Mb/s, latency: 10 ms}}
source: device
destination: anywhere
one_partition_per: tier
"""
RATES = {"3g": "1.6 Mb/s", "4g": "12.4 Mb/s", "wired": "20 Mb/s"}


@pytest.fixture(scope="module")
def modules() -> dict[str, ModuleType]:
    """The modules of the study, as its script sees them; other studies may have some of the same names."""
    names = ("study", "tables", "figures")
    sys.path.insert(0, str(ROOT / "experiments" / "scission"))
    try:
        return {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.pop(0)
        for name in names:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def setting(modules: dict[str, ModuleType], tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("networks")
    for name, rate in RATES.items():
        (folder / f"{name}.yaml").write_text(NETWORK.format(name=name, rate=rate))
    profile = tiercut.Profile.from_data(
        {
            "format": "tiercut.profile/1",
            "model": "ResNet50",
            "input_bytes": 600_000,
            "blocks": [
                {"name": "a", "output_bytes": 400_000, "first_layer": 0, "last_layer": 1, "parameter_bytes": 1 << 20},
                {"name": "b", "output_bytes": 20_000, "first_layer": 2, "last_layer": 5},
                {"name": "c", "output_bytes": None, "first_layer": 6, "last_layer": 6},
            ],
            "devices": {
                "slow": {"block_s": [0.5, 0.4, 0.1], "whole_model_s": 0.9},
                "fast": {"block_s": [0.05, 0.04, 0.01]},
            },
        }
    )
    networks = {name: tiercut.load_topology(folder / f"{name}.yaml") for name in RATES}
    return modules["study"].Setting({"resnet50": profile}, networks)


def test_profiles_are_found_by_name_and_given_the_papers_input(
    modules: dict[str, ModuleType], setting: Any, tmp_path: Path
) -> None:
    for name in ("ResNet50_V2", "inception-v3", "something"):
        tiercut.save_profile(setting.profiles["resnet50"], tmp_path / f"{name}.json")
    found = modules["study"].profiles_in(tmp_path)
    assert list(found) == ["resnet50v2", "inceptionv3"]
    assert {profile.input_bytes for profile in found.values()} == {150_000}


@pytest.mark.parametrize("name", RATES)
def test_the_links_of_the_study_are_those_of_the_ready_made_networks(name: str) -> None:
    ours = tiercut.load_topology(ROOT / "experiments" / "scission" / "networks" / f"{name}.yaml")
    theirs = tiercut.load_topology(f"scission-{name}")
    names = dict(zip(theirs.node_names, ours.node_names, strict=True))
    assert {(names[hop.sender], names[hop.receiver]): (hop.bandwidth, hop.latency) for hop in theirs.hops.values()} == {
        (hop.sender, hop.receiver): (hop.bandwidth, hop.latency) for hop in ours.hops.values()
    }


def test_the_input_at_which_the_best_plan_comes_to_the_device_is_exact(
    modules: dict[str, ModuleType], setting: Any
) -> None:
    """3G carries 200 kB/s: with the device alone 1 s, with the cloud 0.02 s + size / 200 kB/s + 0.1 s."""
    study = modules["study"]
    size = study.turning_input(setting, "resnet50", "3g")
    assert size == pytest.approx(0.88 * 200_000, rel=1e-9)
    kinds = [study.kind(setting, study.best(setting, "resnet50", "3g", each).best) for each in (size - 1, size + 1)]
    assert kinds == ["cloud-native", "device-native"]


def test_a_pipeline_lets_all_of_its_tiers_work_and_no_others(modules: dict[str, ModuleType], setting: Any) -> None:
    study = modules["study"]
    wanted = {
        "device-edge (1)": ("device", "edge-1"),
        "device-edge (2)": ("device", "edge-2"),
        "device-cloud": ("device", "cloud"),
        "device-edge (1)-cloud": ("device", "edge-1", "cloud"),
        "device-edge (2)-cloud": ("device", "edge-2", "cloud"),
    }
    assert set(study.PIPELINES) == set(wanted)
    for name, machines in wanted.items():
        answer = study.best(setting, "resnet50", "wired", **study.pipeline(setting, name))
        assert {plan.placement for plan in answer} == {machines}


def test_many_machines_are_copies_of_three(modules: dict[str, ModuleType], setting: Any) -> None:
    many = modules["study"].many_machines(setting, "wired", copies=10)
    assert len(many.nodes) == 21
    assert len(many.links) == 120
    assert many.node("edge-1-5").slowdown == 3.0
    assert many.hops["device", "cloud-5"].latency == pytest.approx(0.03)


def test_tables_have_a_row_for_each_model_or_question(modules: dict[str, ModuleType], setting: Any) -> None:
    tables = modules["tables"]
    assert list(tables.models(setting))[2:] == ["| resnet50 | 1 MiB | 7 | 2 | 23 | branching |"]
    assert list(tables.times(setting))[2:] == ["| resnet50 | 900 ms | 1000 ms | - | 100 ms |"]
    assert list(tables.questions(setting))[2].count(" ms |") == 2
    (row,) = list(tables.inputs(setting))[2:]
    assert row.startswith("| resnet50 | 176 KB | ")
    assert len(list(tables.constraints(setting))) == 3 + len(tiercut.ready_queries())
    assert len(list(tables.pipelines(setting, "resnet50"))) == 2 + 5


def test_figures_show_what_the_profile_and_the_plans_say(
    modules: dict[str, ModuleType], setting: Any, tmp_path: Path
) -> None:
    figures = modules["figures"]
    data = figures.layers("resnet50", setting.profiles["resnet50"], "slow")
    assert data.milliseconds == pytest.approx((500, 400, 100))
    assert data.megabytes == pytest.approx((0.4, 0.02, 0.0))
    rows = figures.two_edges(setting, "resnet50")
    assert list(rows) == [
        "edge (1) used",
        "device, edge (1), cloud",
        "edge (2) used",
        "device, edge (2), cloud",
    ]
    assert all("edge-2" not in plan.placement for name, plan in rows.items() if "(1)" in name)
    first, second = figures.first_two(setting, "resnet50").values()
    assert first.latency_s <= second.latency_s
    drawn = figures.draw_all(setting, tmp_path, "fast")
    assert all(path.stat().st_size > 5000 for path in drawn)


def test_the_readme_says_what_the_study_prints() -> None:
    """Every row of its tables; models that are recorded later may add rows."""
    folder = ROOT / "experiments" / "scission"
    written = (folder / "README.md").read_text(encoding="utf-8").partition("<!-- begin")[2].partition("<!-- end")[0]
    call = [sys.executable, "-W", "error", str(folder / "run.py")]
    done = subprocess.run(call, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line for line in written.splitlines() if line.startswith("|")]
    assert len(rows) > 20
    assert [row for row in rows if row not in done.stdout] == []
