"""Several sources in a topology: what a file may say of them, and the topology as one of them sees it."""

from __future__ import annotations

from typing import Any

import pytest
from support.made import both, topology_data

from tiercut.errors import InputError, QuestionError
from tiercut.topologies import load_topology, seen_from, topology_data as written
from tiercut.topologies.schema import Topology


def site(*sources: dict[str, Any], **more: Any) -> Topology:
    data = topology_data("cam1 cam2 box", [both("cam1", "box", 0.01, 1e6), both("cam2", "box", 0.01, 1e6)], **more)
    del data["source"]
    return Topology.from_data({**data, "sources": list(sources)})


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"node": "cam3", "rate": "5 fps"}, "there is no node 'cam3'"),
        ({"node": "cam1", "rate": "0 fps"}, "greater than 0"),
        ({"node": "cam1", "rate": ".nan fps"}, "rate"),
        ({"node": "cam1", "rate": 5}, "sources[0].rate"),
        ({"node": "cam1", "rate": "5 fps", "destination": "roof"}, "there is no node 'roof'"),
        ({"node": "cam1", "rate": "5 fps", "min_accuracy": 1.5}, "min_accuracy"),
        ({"node": "cam1", "rate": "5 fps", "weight": 0}, "weight"),
    ],
)
def test_what_a_source_may_not_say_is_refused_at_its_place(source: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        site(source)
    assert said in str(caught.value)


def test_two_sources_at_one_node_need_names() -> None:
    twice = {"node": "cam1", "rate": "5 fps"}
    with pytest.raises(InputError, match="give one of them a name of its own"):
        site(twice, twice)
    assert [each.called for each in site(twice, {**twice, "name": "slow"}).sources or ()] == ["cam1", "slow"]


def test_source_and_sources_exclude_each_other_and_one_is_needed() -> None:
    with pytest.raises(InputError, match="not both"):
        Topology.from_data({**topology_data("cam1", []), "sources": [{"node": "cam1", "rate": "5 fps"}]})
    data = topology_data("cam1", [])
    del data["source"]
    with pytest.raises(InputError, match="this key is missing"):
        Topology.from_data(data)


def test_one_source_sees_the_topology_as_if_it_were_alone() -> None:
    both_ = site({"node": "cam1", "rate": "5 fps"}, {"node": "cam2", "rate": "5 fps", "destination": "box"})
    alone = seen_from(both_, "cam2")
    assert (alone.sources, alone.source, alone.destination) == (None, "cam2", "box")
    assert both_.with_changes(source="cam1").destination == "cam1"
    assert both_.with_changes(slowdown={"box": 2.0}).sources == both_.sources
    with pytest.raises(QuestionError, match="there is no source 'box'"):
        both_.with_changes(source="box")


def test_what_is_written_of_sources_reads_as_the_same() -> None:
    factory = load_topology("factory")
    assert Topology.from_data(written(factory)) == factory
