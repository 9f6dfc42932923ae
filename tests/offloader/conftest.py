"""What the tests of plans at work share: a recorded network with exits, cut in three, and its samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import tiercut
from tiercut.optimizer import Plan
from tiercut.profiling import CutNetwork, OnnxOptions, Profile, open_cut, recorded_file, start_for
from tiercut.topologies import Topology

NAME = "digits-onnx"
EXITS = tuple(f"exit{place}" for place in range(1, 11))


@pytest.fixture(scope="session")
def profile() -> Profile:
    return tiercut.load_profile(NAME)


@pytest.fixture(scope="session")
def topology() -> Topology:
    """Return three nodes in a chain over quick links."""
    return tiercut.load_topology("three-tiers").with_changes(
        latency={"camera-gateway": 0.001, "gateway-cloud": 0.002}, slowdown={"camera": 4, "gateway": 2, "cloud": 1}
    )


@pytest.fixture(scope="session")
def cut(profile: Profile) -> CutNetwork:
    path = recorded_file(NAME, ".onnx")
    assert path is not None
    start_for(path, threads=1)
    return open_cut(path, onnx=OnnxOptions(exits=EXITS), blocks=[block.name for block in profile.blocks])


@pytest.fixture(scope="session")
def data() -> Path:
    path = recorded_file(NAME, ".data.npz")
    assert path is not None
    return Path(path)


@pytest.fixture(scope="session")
def planned(topology: Topology, profile: Profile) -> Callable[..., Plan]:
    """Return what makes a plan: by default one of three stages that all are left at, and one exit inside a stage."""

    def make(**changed: object) -> Plan:
        usual: dict[str, object] = {
            "partition": [4, 6, 12],
            "placement": ["camera", "gateway", "cloud"],
            "exits": [3, 4, 6, 12],
            "threshold": 0.6,
        }
        return tiercut.plan(topology, profile, **(usual | changed))  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def plan(planned: Callable[..., Plan]) -> Plan:
    return planned()
