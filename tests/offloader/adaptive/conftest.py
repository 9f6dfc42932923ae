"""What tests of adapting share."""

from __future__ import annotations

import pytest

import tiercut
from tiercut.topologies import Topology


@pytest.fixture(scope="session")
def topology() -> Topology:
    """Return nodes and links where a gateway pays as long as its link is good."""
    return tiercut.load_topology("three-tiers").with_changes(
        latency={"camera-gateway": 0.001, "gateway-cloud": 0.002},
        bandwidth={"camera-gateway": 1e6, "gateway-cloud": 1e6},
        slowdown={"camera": 60, "gateway": 8, "cloud": 2},
    )
