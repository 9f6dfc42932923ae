"""Two cameras that share a box, a cloud and the link between them, each with a plan of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import tiercut
from tiercut.offloader import RunOptions, Sender
from tiercut.offloader.local.run import Prepared, prepared
from tiercut.profiling import CutNetwork, Profile
from tiercut.topologies import Topology

PLANS = {
    "left": {"partition": [4, 12], "placement": ["box", "cloud"], "exits": [4, 12], "threshold": 0.5},
    "right": {"partition": [5, 12], "placement": ["box", "cloud"], "exits": [5, 12], "threshold": 0.3},
}
RATES = {"left": 8.0, "right": 6.0}


@pytest.fixture(scope="session")
def site() -> Topology:
    return Topology.from_data(
        {
            "format": "tiercut.topology/1",
            "name": "two-cameras",
            "nodes": [
                {"name": "left", "tier": "camera", "slowdown": 60},
                {"name": "right", "tier": "camera", "slowdown": 60},
                {"name": "box", "tier": "box", "slowdown": 20},
                {"name": "cloud", "tier": "cloud", "slowdown": 1},
            ],
            "links": [
                {"between": ["left", "box"], "bandwidth": "50 Mb/s", "latency": "2 ms"},
                {"between": ["right", "box"], "bandwidth": "50 Mb/s", "latency": "2 ms"},
                {"between": ["box", "cloud"], "bandwidth": "20 Mb/s", "latency": "5 ms", "duplex": "half"},
            ],
            "sources": [{"node": name, "rate": f"{rate:g} fps"} for name, rate in RATES.items()],
        }
    )


@pytest.fixture(scope="session")
def senders(site: Topology, profile: Profile, cut: CutNetwork, data: Path) -> list[Sender]:
    found = []
    for name, words in PLANS.items():
        own = site.with_changes(source=name)
        plan = tiercut.plan(own, profile, **words)  # type: ignore[arg-type]
        found.append(Sender(name, RATES[name], plan, own, profile, cut, data))
    return found


@pytest.fixture(scope="session")
def plans(senders: Sequence[Sender], tmp_path_factory: pytest.TempPathFactory) -> list[Prepared]:
    """Return what both plans stand on, this machine in place of the device of the profile."""
    found = []
    for each in senders:
        options, folder = RunOptions(frames=20, interval_s=1 / each.rate, retime=True), tmp_path_factory.mktemp("own")
        found.append(prepared(each.plan, each.topology, each.profile, each.cut, each.data, options, folder))
    return found
