"""An agent that has part in several plans serves each by its number, one frame after the other."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiercut.errors import QuestionError
from tiercut.offloader import Agent, Emulation
from tiercut.offloader.agent.emulation import Share
from tiercut.offloader.links.clock import LinkClock
from tiercut.offloader.links.path import Direction, Way
from tiercut.offloader.local.prediction import numbers_of
from tiercut.offloader.local.processes import emulation_data, emulation_from
from tiercut.offloader.local.run import Prepared
from tiercut.offloader.protocol.channels import Peer
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.tensors import put, take_parameters
from tiercut.offloader.sources.site import places_of, shares_of
from tiercut.topologies import Topology

grpc = pytest.importorskip("grpc", reason="needs the extra 'offload'")
pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")

NODE = 3
"""The number of the machine in the clock of the tests."""


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[LinkClock]:
    with closing(LinkClock(LinkClock.create(tmp_path / "links", NODE, 1))) as found:
        yield found


@pytest.fixture
def shared(plans: Sequence[Prepared], clock: LinkClock, tmp_path: Path) -> Iterator[Agent]:
    """Return an agent of the cloud, which has the last partition of both plans."""
    del clock  # whose file is there
    shares = tuple(replace(each, onward=Way(), home=Way(), factor=1.0) for each in shares_of(plans)["cloud"])
    stands_for = Emulation(clock=tmp_path / "links", speed=NODE, shares=shares)
    with closing(Agent(shares[0].folder, "127.0.0.1:0", threads=1, emulation=stands_for)) as found:
        yield found


def asked(plans: Sequence[Prepared], place: int, number: str, name: str = "digits-onnx") -> Any:
    """Return a request with zeros for the last partition of a plan."""
    request = message("ModelInferRequest", model_name=name, model_version=number, id=f"{place}")
    put(request, {each.name: np.zeros(each.shape, each.dtype) for each in plans[place].ground.bundles[-1].inputs})
    return request


def test_each_frame_is_answered_by_the_plan_that_it_names(
    plans: Sequence[Prepared], shared: Agent, clock: LinkClock
) -> None:
    with closing(Peer(shared.address, 1 << 20)) as peer:
        for place in range(2):
            answer = peer.call("ModelInfer", asked(plans, place, str(place + 1)), 60.0)
            said = take_parameters(answer)
            assert said["exit"] == 12
            assert "stage2.compute_ns" in said
        for place, number, name, words in (
            (0, "3", "digits-onnx", "there is no version '3'"),
            (0, "", "digits-onnx", "there is no version ''"),
            (0, "1", "another", "there is no model 'another' here"),
            (0, "2", "digits-onnx", "there is no tensor"),  # what the other plan sends is something else
        ):
            with pytest.raises(grpc.RpcError, match=words):
                peer.call("ModelInfer", asked(plans, place, number, name), 60.0)
    with clock:
        assert clock.busy(NODE) > 0
        assert [clock.busy(each) for each in range(NODE)] == [0] * NODE


def test_a_worker_has_one_frame_at_a_time_whichever_plan_it_is_of(
    plans: Sequence[Prepared], shared: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once, most, order = 0, 0, list[str]()
    lock, serve = threading.Lock(), shared._serve

    def watched(job: Any) -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
            order.append(job.version.number)
        time.sleep(0.002)
        serve(job)
        with lock:
            at_once -= 1

    monkeypatch.setattr(shared, "_serve", watched)
    with closing(Peer(shared.address, 1 << 20)) as peer:
        callers = [
            threading.Thread(target=peer.call, args=("ModelInfer", asked(plans, k % 2, str(k % 2 + 1)), 60.0))
            for k in range(8)
        ]
        for each in callers:
            each.start()
        for each in callers:
            each.join()
    assert most == 1
    assert sorted(order) == ["1"] * 4 + ["2"] * 4


def test_what_it_is_told_names_the_plan(plans: Sequence[Prepared], tmp_path: Path) -> None:
    shares = tuple(replace(each, onward=Way(), home=Way(), factor=1.0) for each in shares_of(plans)["box"])
    stands_for = Emulation(shares=shares)
    with closing(Agent(shares[0].folder, "127.0.0.1:0", threads=1, emulation=stands_for)) as agent:
        assert not agent.awaits_next
        agent.follow("127.0.0.1:9", "2")
        with pytest.raises(QuestionError, match="there is no plan '3' here"):
            agent.follow("127.0.0.1:9", "3")
        with pytest.raises(QuestionError, match="told by its caller"):
            _ = agent.bundle


def test_what_an_agent_has_of_each_plan_is_told_as_text(tmp_path: Path) -> None:
    way = Way((Direction(1, 5e6, 0.01),), "cut-through", 900.0)
    told = Emulation(
        clock=tmp_path / "links", workers=2, told_later=True, speed=5,
        shares=(Share("1", tmp_path / "a", 2.5, way), Share("2", tmp_path / "b", 4.0, home=way)),
    )  # fmt: skip
    assert emulation_from(json.dumps(emulation_data(told))) == told
    with pytest.raises(QuestionError, match="not sped up"):
        Emulation(shares=(Share("1", tmp_path, 0.5),))


def test_nodes_have_their_part_of_every_plan_and_links_are_the_same_for_all(
    plans: Sequence[Prepared], site: Topology
) -> None:
    found = shares_of(plans)
    assert list(found) == ["box", "cloud"]
    for node, place, slowdown in (("box", 0, 20), ("cloud", 1, 1)):
        assert [each.number for each in found[node]] == ["1", "2"]
        assert [each.folder for each in found[node]] == [ready.folders[place] for ready in plans]
        assert [each.factor for each in found[node]] == pytest.approx([slowdown] * 2)
    numbers = numbers_of(site.network)
    for share in found["box"]:
        assert [each.number for each in share.onward.directions] == [numbers["box", "cloud"]]
    homes = [[each.number for each in share.home.directions] for share in found["cloud"]]
    assert homes == [[numbers["cloud", "box"], numbers["box", name]] for name in ("left", "right")]
    places = places_of(site, plans)
    assert [(each.name, each.is_link) for each in places] == [
        ("box", False),
        ("cloud", False),
        ("left>box", True),
        ("box>left", True),
        ("right>box", True),
        ("box>right", True),
        ("box-cloud", True),
    ]
    assert len({each.number for each in places}) == len(places)
    assert places[0].share(3_000_000_000, 4.0) == 0.75
    assert replace(places[0], workers=3).share(3_000_000_000, 4.0) == 0.25
