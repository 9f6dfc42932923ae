"""A run for real that is disturbed: frames take as long as conditions say, and fail while their node is gone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tiercut
from tiercut.offloader import RunOptions, load_disturbances, moments_of, run_local
from tiercut.profiling import CutNetwork, Profile
from tiercut.report import run_tables
from tiercut.topologies import Topology

pytest.importorskip("grpc", reason="needs the extra 'offload'")
pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")

pytestmark = pytest.mark.slow

APART_S = 0.05
FILE = """\
format: tiercut.disturbances/1
disturbances:
  - {at: 2 s, conditions: {latency(camera-gateway): 101 ms}}
  - {at: 3 s, conditions: {latency(camera-gateway): 1 ms}}
  - {at: 4 s, conditions: {slowdown(gateway): 80}}
  - {at: 5 s, conditions: {slowdown(gateway): 8}}
  - {at: 6 s, conditions: {down: [gateway]}}
  - {at: 7 s, conditions: {down: []}}
"""


@pytest.fixture(scope="module")
def topology() -> Topology:
    return tiercut.load_topology("three-tiers").with_changes(
        latency={"camera-gateway": 0.001}, bandwidth={"camera-gateway": 1e6}, slowdown={"gateway": 8}
    )


def test_frames_take_what_conditions_say_and_are_answered_again_once_their_node_is_back(
    topology: Topology, profile: Profile, cut: CutNetwork, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "disturb.yaml").write_text(FILE, encoding="utf-8")
    found = moments_of(load_disturbances(tmp_path / "disturb.yaml"), topology, profile)
    plan = tiercut.plan(topology, profile, partition=[12], placement=["gateway"], exits=[12])
    options = RunOptions(frames=240, interval_s=APART_S, deadline_s=0.9, moments=found)
    run = run_local(plan, topology, profile, cut, data, options)
    took = np.array([np.nan if each is None else each for each in run.latencies_s])

    def of(first_s: float, last_s: float) -> float:
        return float(np.nanmedian(took[round(first_s / APART_S) + 2 : round(last_s / APART_S) - 2]))

    calm = of(0, 2)
    assert of(2, 3) == pytest.approx(calm + 0.2, abs=0.05)  # there and back
    assert of(4, 5) > calm + 0.02
    assert np.isnan(took[round(6 / APART_S) + 1 : round(7 / APART_S)]).all()
    assert of(10, 12) < calm + 0.05
    assert run.answered > 170
    (last,) = [each for each in run.disturbances if each.what == "down(gateway)" and each.value == "up"]
    assert last.done_s is not None
    assert 7 < last.done_s < 10
    assert run.deaths == {}
    assert "disturbances" in [str(each.title) for each in run_tables(run) if hasattr(each, "title")]
    assert len(run.to_data()["disturbances"]) == 6
