"""Plans measured in turn by the same agents: they answer, and bandwidths that change are felt at once."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tiercut
from tiercut.errors import QuestionError
from tiercut.offloader import open_bench
from tiercut.offloader.adaptive.bench import Bench
from tiercut.profiling import CutNetwork, Profile
from tiercut.topologies import Topology

pytest.importorskip("grpc", reason="needs the extra 'offload'")
pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")


@pytest.fixture
def topology() -> Topology:
    nodes = [{"name": "edge", "slowdown": 4}, {"name": "cloud", "slowdown": 1}]
    link = {"between": ["edge", "cloud"], "bandwidth": "80 Mb/s", "latency": "2 ms"}
    data = {"format": "tiercut.topology/1", "name": "two", "nodes": nodes, "links": [link], "source": "edge"}
    return Topology.from_data(data)


@pytest.mark.parametrize(("duplex", "set_to"), [("half", {0: 0.5}), ("full", {0: 0.5, 1: 0.5})])
def test_a_bandwidth_is_set_where_the_link_is_in_the_clock(
    duplex: str, set_to: dict[int, float], topology: Topology
) -> None:
    links = tuple(each.model_copy(update={"duplex": duplex}) for each in topology.links)
    paces: dict[int, float] = {}
    clock: Any = SimpleNamespace(set_pace=paces.__setitem__)
    made: Any = None
    Bench(made, made, clock, topology.model_copy(update={"links": links}).network, made, {}).set_bandwidth(
        "edge-cloud", 0.5 * topology.links[0].bandwidth
    )
    assert paces == set_to


@pytest.mark.slow
def test_plans_take_their_turns_and_feel_the_bandwidth_of_now(
    topology: Topology, profile: Profile, cut: CutNetwork, data: Path
) -> None:
    blocks = len(profile.blocks)
    edge, cloud = (tiercut.plan(topology, profile, partition=[blocks], placement=[name]) for name in ("edge", "cloud"))
    both = tiercut.plan(topology, profile, partition=[4, blocks], placement=["edge", "cloud"], exits=[blocks])
    with open_bench(both, topology, profile, cut, data) as bench:
        bench.prepare([both, edge, cloud])
        slow = 8 * profile.input_bytes  # an eighth of a second for the input
        for rate, least in ((1e7, 0.0), (slow, 0.125), (1e7, 0.0)):
            bench.set_bandwidth("edge-cloud", rate)
            taken = [float(np.median(bench.latencies_s(each, 3))) for each in (edge, both, cloud)]
            assert taken[2] > least
            assert (taken[2] > 0.12) == (rate == slow)
            assert taken[0] < 0.12
        with bench.loaded("edge", {"cpu": 0.0}):  # nothing is kept busy, and stress-ng not needed
            assert bench.latencies_s(edge, 1)[0] > 0
        bench.prepare([edge])
        with pytest.raises(QuestionError, match="is not ready"):
            bench.latencies_s(both, 1)
