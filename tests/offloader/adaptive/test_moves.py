"""Agents of a whole network change what they run between frames; no frame is lost, doubled or answered otherwise."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pytest

from tiercut.errors import InputError, QuestionError
from tiercut.offloader import Agent
from tiercut.offloader.adaptive.fleet import Fleet, Ready, same_plan
from tiercut.offloader.bundles.split import split_plan
from tiercut.offloader.bundles.whole import load_whole, split_whole
from tiercut.offloader.local.cascade import uncut_cascade
from tiercut.offloader.local.driver import Driver
from tiercut.offloader.local.frames import Frames, load_frames
from tiercut.offloader.local.outcome import Outcome
from tiercut.offloader.protocol.channels import Peer
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.tensors import describe, put_parameters
from tiercut.offloader.transports.server import Arrival
from tiercut.optimizer import Plan
from tiercut.profiling import CutNetwork

grpc = pytest.importorskip("grpc", reason="needs the extra 'offload'")
pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")

NODES = ("camera", "gateway", "cloud")
ANY = "127.0.0.1:0"
APART_S = 0.004


@pytest.fixture(scope="module")
def folders(plan: Plan, cut: CutNetwork, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    made, furthest = split_whole(plan, cut, NODES, tmp_path_factory.mktemp("whole"))
    assert furthest < 1e-4
    return made


@pytest.fixture(scope="module")
def agents(folders: tuple[Path, ...]) -> Iterator[dict[str, Agent]]:
    """Return three agents in this process, each with the whole network."""
    with ExitStack() as stack:
        found = {node: Agent(folder, ANY, threads=1) for node, folder in zip(NODES, folders, strict=True)}
        for agent in found.values():
            stack.callback(agent.close)
        yield found


@pytest.fixture
def fleet(agents: dict[str, Agent], cut: CutNetwork) -> Iterator[Fleet]:
    with Fleet({node: agent.address for node, agent in agents.items()}, cut, 1 << 20) as found:
        yield found
        for number in list(found.ready):
            found.unload(number)


@pytest.fixture(scope="module")
def plans(planned: Callable[..., Plan]) -> list[Plan]:
    """Return plans of one to three stages, with other exits, thresholds, nodes and orders of nodes."""
    return [
        planned(),
        planned(partition=[12], placement=["cloud"], exits=[6, 12], threshold=0.3),
        planned(partition=[2, 12], placement=["camera", "gateway"], exits=[12], threshold=None),
        planned(partition=[1, 9, 12], placement=["gateway", "camera", "cloud"], exits=[2, 9, 12], threshold=0.7),
        planned(partition=[12], placement=["camera"], exits=[1, 5, 12], threshold=0.9),
    ]


@pytest.fixture(scope="module")
def frames(folders: tuple[Path, ...], data: Path) -> Frames:
    return load_frames(data, load_whole(folders[0]).whole.inputs)


def driving(ready: Ready, most_bytes: int = 1 << 20) -> Driver:
    return Driver(
        ready.bundles, ready.address, deadline_s=20.0, way=ready.way, number=ready.number, most_bytes=most_bytes
    )


@pytest.mark.parametrize(("seed", "count"), [(0, 60), pytest.param(1, 1500, marks=pytest.mark.slow)])
def test_with_any_moves_every_frame_is_answered_once_and_as_its_plan_answers(
    seed: int, count: int, fleet: Fleet, plans: list[Plan], cut: CutNetwork, frames: Frames
) -> None:
    rng = random.Random(seed)
    ready = [fleet.load(plan) for plan in plans]
    with driving(ready[0]) as driver:
        for each in ready[1:]:
            driver.add(each.number, each.bundles, each.address, each.way)

        def frame_of(number: int) -> object:
            if rng.random() < 0.4:
                driver.use(rng.choice(ready).number)
            return frames.frame(number)

        outcomes = driver.run(frame_of, count, APART_S)  # type: ignore[arg-type]
        time.sleep(0.05)
    assert [each.failure for each in outcomes] == [None] * count
    assert sum(each.doubled + each.late for each in outcomes) == 0
    assert driver.strays == 0
    verdicts = {each.number: uncut_cascade(each.plan, cut, frames, count) for each in ready}
    for number, outcome in enumerate(outcomes):
        own = verdicts[outcome.plan]
        assert own[number % len(own)].agrees(outcome.exit, outcome.results)
    assert {each.plan for each in outcomes} == {each.number for each in ready}


def test_what_a_plan_lost_is_sent_again_by_the_next_and_answered_once(
    fleet: Fleet, plans: list[Plan], frames: Frames
) -> None:
    first, second = (fleet.load(plan) for plan in plans[:2])
    with driving(first) as driver:
        driver.add(second.number, second.bundles, second.address, second.way)
        lost: list[str] = []

        def rescue(number: str, reason: str) -> bool:
            lost.append(reason)
            driver.use(second.number)
            driver.send_again(number, reason)  # as whoever sees that a node is gone does
            return number == first.number

        driver.rescue = rescue
        fleet._peers["gateway"].call("RepositoryModelUnload", unload(first.number), 5.0)
        outcomes = driver.run(frames.frame, 20, APART_S)
    assert lost
    assert "there is no version" in lost[0]
    assert all(each.answered for each in outcomes)
    # One that left at the first node was under way home while it was sent again: whichever came first counts.
    by = {each.plan for each in outcomes if each.sent > 1}
    assert second.number in by
    assert by <= {first.number, second.number}
    assert max(each.sent for each in outcomes) == 2
    assert sum(each.doubled for each in outcomes) == 0
    assert all(each.sent > 1 for each in outcomes if each.late)  # and what came second is dropped


def unload(number: str) -> object:
    request = message("RepositoryModelUnloadRequest", model_name="digits-onnx")
    request.parameters["version"].string_param = number
    return request


def test_a_plan_that_is_ready_is_not_loaded_again(fleet: Fleet, plans: list[Plan]) -> None:
    assert fleet.load(plans[0]) is fleet.load(plans[0])
    assert same_plan(plans[0], plans[0])
    assert not same_plan(plans[0], plans[1])


def test_a_plan_that_waits_for_an_agent_holds_up_no_other_and_is_told_of_before_it_is_found(
    fleet: Fleet, plans: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, goes_on, tell = threading.Event(), threading.Event(), fleet._tell

    def slow(ready: Ready, place: int) -> None:
        if ready.plan is plans[0] and threading.current_thread() is not threading.main_thread():
            waits.set()
            assert goes_on.wait(60)
        tell(ready, place)

    monkeypatch.setattr(fleet, "_tell", slow)
    found, told = list[Ready](), list[bool]()
    loading = threading.Thread(target=lambda: found.append(fleet.load(plans[0], told=lambda _: told.append(False))))
    loading.start()
    assert waits.wait(60)
    other = fleet.load(plans[1], told=lambda ready: told.append(fleet.find(ready.plan) is None))
    first = fleet.load(plans[0])  # the same one meanwhile: whoever is there first is the one for all
    goes_on.set()
    loading.join()
    assert told == [True]
    assert found == [first]
    assert list(fleet.ready.values()) == [other, first]


def test_a_node_that_is_started_anew_is_told_plans_that_are_being_loaded_too(
    fleet: Fleet, plans: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    told, tell = list[tuple[str, int]](), fleet._tell

    def noted(ready: Ready, place: int) -> None:
        tell(ready, place)
        told.append((ready.number, place))
        if place == 0 and len(told) == 3:  # all agents have it, and nobody can find it yet
            fleet.load_again("gateway")

    monkeypatch.setattr(fleet, "_tell", noted)
    number = fleet.load(plans[0]).number
    assert told == [(number, 2), (number, 1), (number, 0), (number, 1)]
    assert not fleet._loading


def test_agents_say_what_of_a_plan_waits_there(fleet: Fleet, plans: list[Plan], agents: dict[str, Agent]) -> None:
    ready = fleet.load(plans[0])
    assert fleet.waits("gateway", ready.number, "127.0.0.1:9", 5.0) == {}
    agents["gateway"]._at_work[0] = ready.number, time.monotonic_ns()
    found = fleet.waits("gateway", ready.number, "127.0.0.1:9", 5.0)
    del agents["gateway"]._at_work[0]
    assert found is not None
    assert set(found) == {"compute_ns"}
    fleet.unload(ready.number)
    assert fleet.waits("gateway", ready.number, "127.0.0.1:9", 5.0) == {}, "it answers, that it has no such plan"
    fleet.close()
    assert fleet.waits("gateway", ready.number, "127.0.0.1:9", 5.0) is None


def test_a_question_that_is_not_answered_in_time_ends_no_other_call(
    fleet: Fleet, plans: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, asked = fleet.load(plans[0]), list[Peer]()

    def call(peer: Peer, *_: object) -> object:
        asked.append(peer)  # whose channel is closed, with all that goes on there
        raise ValueError

    with monkeypatch.context() as patched:
        patched.setattr(Peer, "call", call)
        assert fleet.waits("gateway", ready.number, "127.0.0.1:9", 0.3) is None
        assert not fleet.is_up("gateway", 0.3)
    assert len(asked) == 2
    assert not any(each is peer for each in asked for peer in fleet._peers.values())


def test_a_question_opens_no_way_home(fleet: Fleet, plans: list[Plan], agents: dict[str, Agent]) -> None:
    before = dict(agents["gateway"]._homes._held)
    assert fleet.waits("gateway", fleet.load(plans[0]).number, "127.0.0.1:8", 5.0) == {}
    assert agents["gateway"]._homes._held == before


def taken(driver: Driver, frame: str, ready: Ready, block: int) -> None:
    """Let a result of a frame that left behind a block be there."""
    came = message("ModelInferRequest", model_name="results", model_version=ready.number, id=frame)
    entry = driver.entry_of(ready.number)
    specs = entry.wanted[block]
    contents = describe(came, {each.name: np.zeros(each.shape, each.dtype) for each in specs})
    put_parameters(came, {"exit": block})
    driver._take(Arrival(came, contents))


def test_a_frame_that_left_before_the_last_stage_tells_nothing_of_the_rest_of_the_way(
    fleet: Fleet, plans: list[Plan]
) -> None:
    ready = fleet.load(plans[0])
    with driving(ready) as driver:
        begun_ns = time.monotonic_ns()
        for frame in ("early", "whole", "waits"):
            driver._frames[frame] = Outcome(begun_ns, plan=ready.number, sent=1)
            driver.waiting.begin(frame, ready.number, begun_ns, begun_ns + 60_000_000_000)
        taken(driver, "early", ready, 3)
        assert driver.waiting.since(begun_ns) == {ready.number: begun_ns}
        taken(driver, "whole", ready, 12)
        assert driver.waiting.since(begun_ns)[ready.number] > begun_ns


def test_a_frame_that_is_answered_while_it_is_sent_again_has_ended(
    fleet: Fleet, plans: list[Plan], frames: Frames
) -> None:
    first, second = (fleet.load(plan) for plan in plans[:2])
    with driving(first) as driver:
        entry = driver.add(second.number, second.bundles, second.address, second.way)
        outcome = driver._frames["frame"] = Outcome(0, ended_ns=1, plan=first.number, sent=1)
        driver._send("frame", outcome, frames.frame(0), entry)
        assert (outcome.plan, outcome.sent) == (first.number, 1)
        assert driver.under_way(second.number) == 0


def test_a_copy_by_a_plan_that_is_left_stays_where_it_is(fleet: Fleet, plans: list[Plan]) -> None:
    ready = fleet.load(plans[0])
    with driving(ready) as driver:
        driver.rescue = lambda *_: True
        copy = driver._frames["copy"] = Outcome(0, plan=ready.number, sent=1)
        driver.send_again(ready.number, "nothing came back")
        assert (copy.ended_ns, copy.sent) == (None, 1)


def test_a_plan_that_is_unloaded_is_known_still_and_loaded_by_another_number(fleet: Fleet, plans: list[Plan]) -> None:
    first = fleet.load(plans[0])
    fleet.unload(first.number)
    again = fleet.load(plans[0])
    assert again.number != first.number
    assert list(fleet.ready) == [again.number]
    assert fleet.known == {first.number: first, again.number: again}


def test_where_one_agent_does_not_take_a_plan_no_other_keeps_it(
    agents: dict[str, Agent], cut: CutNetwork, plans: list[Plan]
) -> None:
    addresses = {node: agent.address for node, agent in agents.items()} | {"camera": "127.0.0.1:1"}
    before = agents["cloud"]._shelf.numbers
    with Fleet(addresses, cut, 1 << 20) as broken, pytest.raises(QuestionError, match="'camera' does not take a plan"):
        broken.load(plans[0])
    assert agents["cloud"]._shelf.numbers == before


def test_a_fleet_that_is_closed_says_so(agents: dict[str, Agent], cut: CutNetwork, plans: list[Plan]) -> None:
    fleet = Fleet({node: agent.address for node, agent in agents.items()}, cut, 1 << 20)
    fleet.close()
    with pytest.raises(QuestionError, match="the channel to the agent of 'cloud' is closed"):
        fleet.load(plans[0])


def test_a_range_is_what_split_would_have_written(
    folders: tuple[Path, ...], fleet: Fleet, plan: Plan, cut: CutNetwork, tmp_path: Path
) -> None:
    written = split_plan(plan, cut, tmp_path / "split").bundles
    for there, here in zip(written, fleet.load(plan).bundles, strict=True):
        assert there.model_dump(exclude={"pieces"}) == here.model_dump(exclude={"pieces"})
        assert [each.blocks for each in there.pieces] == [each.blocks for each in here.pieces]
    assert load_whole(folders[1]).whole.node == "gateway"


def home(bandwidth: float) -> str:
    return f'"home":{{"directions":[[0,{bandwidth},0.0]],"forwarding":"store","mtu":1500.0}}'


@pytest.mark.parametrize(
    ("number", "config", "status", "said"),
    [
        ("", "{}", "INVALID_ARGUMENT", "a version has 1 to 20 characters"),
        ("1", "{", "INVALID_ARGUMENT", "range.json"),
        ("1", "{}", "INVALID_ARGUMENT", "expected 'format: tiercut.range/1'"),
        ("1", "partition", "INVALID_ARGUMENT", "expected rising blocks from 1"),
        ("1", "far", "PERMISSION_DENIED", "allow it with --results"),
        ("1", "long", "INVALID_ARGUMENT", "the plan runs 99 blocks"),
        ("1", "shaped", "INVALID_ARGUMENT", "links are not shaped here: leave out onward and home"),
        ("1", "no link", "INVALID_ARGUMENT", "a bandwidth is above 0"),
    ],
)
def test_what_is_no_range_is_refused(
    number: str, config: str, status: str, said: str, agents: dict[str, Agent], fleet: Fleet, plan: Plan
) -> None:
    text = fleet.load(plan).ranges[0]
    changed = {
        "partition": text.replace("[4,6,12]", "[6,4,12]"),
        "far": text.replace(agents["gateway"].address, "192.0.2.1:80"),
        "long": text.replace("[4,6,12]", "[4,6,99]").replace("[3,4,6,12]", "[3,4,6,99]"),
        "shaped": text.replace('"home":null', home(1e6)),
        "no link": text.replace('"home":null', home(0)),
    }
    request = message("RepositoryModelLoadRequest", model_name="digits-onnx")
    request.parameters["version"].string_param = number and f"other {number}"
    request.parameters["config"].string_param = changed.get(config, config)
    with closing(Peer(agents["camera"].address, 1 << 20)) as peer, pytest.raises(grpc.RpcError) as caught:
        peer.call("RepositoryModelLoad", request, 5.0)
    error: object = caught.value
    assert error.code().name == status  # type: ignore[attr-defined]
    assert said in error.details()  # type: ignore[attr-defined]


def test_a_network_that_was_changed_is_refused(folders: tuple[Path, ...], tmp_path: Path) -> None:
    text = (folders[0] / "whole.json").read_text()
    raw = bytearray((folders[0] / "network.onnx").read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / "network.onnx").write_bytes(raw)
    (tmp_path / "whole.json").write_text(text)
    with pytest.raises(InputError, match="SHA-256 differs"):
        Agent(tmp_path, ANY)
    (tmp_path / "whole.json").write_text(text.replace('"network.onnx"', '"../network.onnx"'))
    with pytest.raises(InputError, match="a name in the bundle's own folder"):
        Agent(tmp_path, ANY)


def test_an_agent_of_a_whole_network_waits_to_be_told(agents: dict[str, Agent], frames: Frames) -> None:
    with pytest.raises(QuestionError, match="is told by its caller"):
        agents["camera"].follow("127.0.0.1:1")
    request = message("ModelInferRequest", model_name="digits-onnx", model_version="9", id="x")
    with closing(Peer(agents["camera"].address, 1 << 20)) as peer, pytest.raises(grpc.RpcError, match="no version '9'"):
        peer.call("ModelInfer", request, 5.0)
