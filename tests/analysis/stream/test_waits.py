"""How long frames of several sources wait for each other, where workers keep to what was timed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.made import both, profile_data, topology_data

import tiercut
from tiercut.analysis import Timed, waits_of
from tiercut.topologies import Topology

PROFILE = tiercut.Profile.from_data(
    profile_data(
        [0.01, 0.02],
        [100.0, 70.0, 10.0],
        codecs={
            "half": {"bytes": [50, 30], "encode_s": {"d": [0.03, 0.01]}, "decode_s": {"d": [0.05, 0.02]}},
        },
    )
)
LINKS = [both("a", "b", 0.1, 1e5), both("b", "c", 0.2, 1e5)]
PIECES_S = {("b", 1, 1): 0.1, ("c", 2, 2): 0.04}


def timed(topology: Topology, **codecs: Any) -> Timed:
    plan = tiercut.plan(topology, PROFILE, partition=[1, 2], placement=["b", "c"], exits=[2], **codecs)
    return Timed(topology, PROFILE, plan, 1.0, (2,) * 5, PIECES_S, with_coding=True)


def test_what_codecs_take_is_not_counted_beside_times_that_hold_it() -> None:
    topology = Topology.from_data(topology_data("a b c", LINKS))
    bare, coded = timed(topology), timed(topology, codecs=["half"], input_codec="half")
    for source in (bare, coded):
        found = waits_of(topology, [source, source])
        assert found.waited_s[1] == pytest.approx(np.full(5, 0.1), abs=1e-9)
        assert found.busy["c"] / found.busy["b"] == pytest.approx(0.4)
    assert waits_of(topology, [coded]).busy["a"] > 0  # the source encodes its own input, which no worker is timed with


def test_agents_wait_for_no_batches() -> None:
    nodes = [{"name": "a"}, {"name": "b", "batch": 8, "batch_wait": "70 ms"}, {"name": "c"}]
    topology = Topology.from_data(topology_data(nodes, LINKS))
    found = waits_of(topology, [timed(topology)] * 2)
    assert found.waited_s[0] == pytest.approx(np.zeros(5), abs=1e-9)
    assert found.waited_s[1] == pytest.approx(np.full(5, 0.1), abs=1e-9)
