"""An agent answers the Open Inference Protocol, and refuses what it cannot serve."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiercut.errors import InputError, QuestionError
from tiercut.offloader import Agent, Emulation, RunOptions, run_with_agents
from tiercut.offloader.bundles.manifest import load_bundle
from tiercut.offloader.bundles.split import split_plan
from tiercut.offloader.local.cascade import Verdict, uncut_cascade
from tiercut.offloader.local.frames import Frames, load_frames
from tiercut.offloader.protocol.channels import Peer
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.tensors import put, put_parameters, take_parameters
from tiercut.offloader.transports.memory import Slots, has_memory
from tiercut.optimizer import Plan
from tiercut.profiling import CutNetwork, Profile
from tiercut.topologies import Topology

grpc = pytest.importorskip("grpc", reason="needs the extra 'offload'")
pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")

ANY = "127.0.0.1:0"


@pytest.fixture(scope="module")
def folders(plan: Plan, cut: CutNetwork, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return split_plan(plan, cut, tmp_path_factory.mktemp("bundles")).folders


@pytest.fixture(scope="module")
def first(folders: tuple[Path, ...]) -> Iterator[Agent]:
    """Return the first of three agents in this process, each of which hands on to the next."""
    with ExitStack() as stack:
        address: str | None = None
        for folder in reversed(folders):
            agent = Agent(folder, ANY, address, threads=1)
            stack.callback(agent.close)
            address = agent.address
        yield agent


@pytest.fixture(scope="module")
def peer(first: Agent) -> Iterator[Peer]:
    with closing(Peer(first.address, first.bundle.most_bytes)) as found:
        yield found


@pytest.fixture(scope="module")
def frames(first: Agent, data: Path) -> Frames:
    return load_frames(data, first.bundle.inputs)


@pytest.fixture(scope="module")
def verdicts(plan: Plan, cut: CutNetwork, frames: Frames) -> list[Verdict]:
    return uncut_cascade(plan, cut, frames, 30)


def asked(frames: Frames, number: int = 0, **parameters: str | int | bool) -> Any:
    request = message("ModelInferRequest", model_name="digits-onnx", id=str(number))
    put(request, frames.frame(number))
    put_parameters(request, parameters)
    return request


def refused(peer: Peer, request: Any, name: str = "ModelInfer") -> tuple[str, str]:
    """Return the status and the words with which a call is refused."""
    with pytest.raises(grpc.RpcError) as caught:
        peer.call(name, request, 30.0)
    error: Any = caught.value
    return error.code().name, error.details()


def test_it_is_alive_ready_and_says_what_it_serves(peer: Peer) -> None:
    assert peer.call("ServerLive", message("ServerLiveRequest"), 30.0).live
    assert peer.call("ServerReady", message("ServerReadyRequest"), 30.0).ready
    assert peer.call("ModelReady", message("ModelReadyRequest", name="digits-onnx"), 30.0).ready
    assert peer.call("ServerMetadata", message("ServerMetadataRequest"), 30.0).name == "tiercut"
    model = peer.call("ModelMetadata", message("ModelMetadataRequest", name="digits-onnx"), 30.0)
    assert [(each.datatype, list(each.shape)) for each in model.inputs] == [("FP32", [1, 32, 32, 3])]
    assert refused(peer, message("ModelReadyRequest", name="other"), "ModelReady")[0] == "NOT_FOUND"


def test_a_caller_that_waits_gets_the_answer_of_the_uncut_network(
    peer: Peer, frames: Frames, verdicts: list[Verdict], plan: Plan
) -> None:
    taken = set()
    for number, verdict in enumerate(verdicts):
        answer = peer.call("ModelInfer", asked(frames, number), 30.0)
        said = take_parameters(answer)
        assert len(answer.raw_output_contents) == len(answer.outputs) > 0
        scores = np.frombuffer(answer.raw_output_contents[0], np.float32)
        assert answer.id == str(number)
        assert said["exit"] == verdict.exit
        assert float(str(said["entropy"])) == pytest.approx(verdict.entropies[plan.exits.index(verdict.exit)], abs=1e-4)
        np.testing.assert_allclose(scores, verdict.results[0][0], rtol=0, atol=1e-4)
        taken.add(verdict.exit)
    assert taken == set(plan.exits)


def test_timings_travel_as_whole_nanoseconds(peer: Peer, frames: Frames) -> None:
    said = take_parameters(peer.call("ModelInfer", asked(frames), 30.0))
    assert isinstance(said["stage1.compute_ns"], int)
    assert said["stage1.compute_ns"] > 0


def test_what_does_not_fit_is_refused_and_the_next_frame_is_served(peer: Peer, frames: Frames) -> None:
    wrong = asked(frames)
    wrong.raw_input_contents[0] = wrong.raw_input_contents[0][:-4]
    assert refused(peer, wrong)[0] == "INVALID_ARGUMENT"
    wrong = asked(frames)
    wrong.inputs[0].shape[0] = 2
    assert refused(peer, wrong)[0] == "INVALID_ARGUMENT"
    wrong = asked(frames)
    wrong.model_name = "other"
    assert refused(peer, wrong)[0] == "NOT_FOUND"
    wrong = asked(frames)
    wrong.id = "x" * 257
    assert refused(peer, wrong) == ("INVALID_ARGUMENT", "the id of a frame has 256 characters at most")
    wrong = asked(frames)
    wrong.inputs[0].contents.fp32_contents.extend([1.0] * (1 << 14))
    status, said = refused(peer, wrong)
    assert (status, "64 KiB beside its raw contents" in said) == ("INVALID_ARGUMENT", True)
    wrong = asked(frames)
    wrong.raw_input_contents[0] = bytes(16 << 20)
    assert refused(peer, wrong)[0] == "RESOURCE_EXHAUSTED"
    assert take_parameters(peer.call("ModelInfer", asked(frames), 30.0))["exit"]


def test_results_go_to_this_machine_alone_unless_others_are_allowed(peer: Peer, frames: Frames) -> None:
    status, said = refused(peer, asked(frames, destination="192.0.2.1:80"))
    assert status == "PERMISSION_DENIED"
    assert "allow it with --results" in said
    assert refused(peer, asked(frames, destination="unix:/tmp/x"))[0] == "INVALID_ARGUMENT"


def test_a_frame_that_was_here_before_is_refused(peer: Peer, frames: Frames) -> None:
    request = asked(frames, 29, destination="127.0.0.1:9")
    assert take_parameters(peer.call("ModelInfer", request, 30.0)) == {"accepted": True}
    assert refused(peer, request)[0] == "ALREADY_EXISTS"


def test_an_agent_must_know_the_next_one_where_frames_go_on(folders: tuple[Path, ...]) -> None:
    with pytest.raises(QuestionError, match="name its agent with --next"):
        Agent(folders[0], ANY)
    with pytest.raises(QuestionError, match="there is no --next"):
        Agent(folders[2], ANY, "127.0.0.1:1")


def test_an_address_that_is_taken_is_said(folders: tuple[Path, ...], first: Agent) -> None:
    with pytest.raises(InputError, match="cannot listen there"):
        Agent(folders[2], first.address)


def test_a_peer_that_was_closed_is_not_opened_again() -> None:
    peer = Peer("127.0.0.1:1", 1 << 10)
    peer.close()
    with pytest.raises(ValueError, match=r"the channel to 127\.0\.0\.1:1 is closed"):
        peer.start("ServerLive", message("ServerLiveRequest"), 1.0)


def test_a_call_that_nobody_answers_is_given_up_when_its_peer_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(1) as pool:
        peer = Peer(_at(silent), 1 << 10)
        waiting = pool.submit(peer.call, "ServerLive", message("ServerLiveRequest"), 60.0)
        with silent.accept()[0]:  # the call is under way
            peer.close()
        with pytest.raises((grpc.RpcError, ValueError)):
            waiting.result(30.0)


def test_a_call_that_came_too_late_leaves_its_channel_to_the_next_one_anew() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, closing(Peer(_at(silent), 1 << 10)) as peer:
        before = peer._open()
        with pytest.raises(grpc.RpcError) as caught:
            peer.call("ServerLive", message("ServerLiveRequest"), 0.02)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert peer._open() is not before


def _at(listener: socket.socket) -> str:
    return f"127.0.0.1:{listener.getsockname()[1]}"


def test_where_results_went_last_is_kept_the_longest(first: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiercut.offloader.agent.agent._MOST_HOMES", 2)
    one, _ = first._home("127.0.0.1:11"), first._home("127.0.0.1:12")
    first._home("127.0.0.1:11")
    first._home("127.0.0.1:13")
    assert first._home("127.0.0.1:11") is one


def test_memory_is_shared_for_what_goes_that_way_and_no_more(first: Agent, folders: tuple[Path, ...]) -> None:
    last = load_bundle(folders[-1])
    assert (first.bundle.onward_bytes, first.bundle.result_bytes, last.result_bytes) == (65536, 40, 40)
    assert first.bundle.most_bytes >= 65536 > 100 * first.bundle.result_bytes
    onward = first._shelf.only.onward
    assert onward is not None
    assert onward._courier._carries == 65536
    assert first._home("127.0.0.1:14")._courier._carries == 40


def test_a_machine_is_never_sped_up() -> None:
    with pytest.raises(QuestionError, match="not sped up"):
        Emulation(0.5)


@pytest.mark.parametrize(
    ("transport", "came_by"), [("grpc", "grpc"), ("tcp", "tcp"), ("auto", "memory" if has_memory() else "tcp")]
)
def test_agents_that_run_already_are_run_through(
    transport: Any,
    came_by: str,
    first: Agent,
    plan: Plan,
    topology: Topology,
    profile: Profile,
    cut: CutNetwork,
    data: Path,
) -> None:
    ran = run_with_agents(
        plan, topology, profile, cut, data, first.address, RunOptions(20, 0.01, 30.0, transport=transport)
    )
    assert (ran.answered, ran.duplicated, ran.same_as_uncut) == (20, 0, 20)
    assert (ran.stages[0].came_by, ran.stages[0].result_by) == (came_by, came_by)
    assert ran.to_data()["stages"][0]["came_by"] == came_by
    assert ran.predicted.exit_rate == pytest.approx(ran.measured.exit_rate)
    assert [stage.measured["send"] for stage in ran.stages] == [None] * 3


@pytest.mark.skipif(not has_memory(), reason="needs memory without a name, as Linux has")
def test_large_outputs_are_sent_from_where_the_next_agent_reads_them(
    first: Agent,
    plan: Plan,
    topology: Topology,
    profile: Profile,
    cut: CutNetwork,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tiercut.offloader.bundles.stage._WORTH", 1)
    lent, sent_from = Slots.lent, []

    def noted(slots: Slots, contents: Any) -> int | None:
        slot = lent(slots, contents)
        if slot is not None:
            sent_from.append(slot)
        return slot

    monkeypatch.setattr(Slots, "lent", noted)
    ran = run_with_agents(
        plan, topology, profile, cut, data, first.address, RunOptions(40, 0.01, 30.0, transport="memory")
    )
    assert (ran.answered, ran.duplicated, ran.same_as_uncut) == (40, 0, 40)
    assert len(sent_from) > 8  # more often than there are slots, so that they were free again


def test_agents_of_another_plan_are_refused(
    first: Agent, planned: Callable[..., Plan], topology: Topology, profile: Profile, cut: CutNetwork, data: Path
) -> None:
    other = planned(partition=[3, 6, 12], exits=[3, 6, 12])
    with pytest.raises(QuestionError, match="serves something else than blocks 1 to 3"):
        run_with_agents(other, topology, profile, cut, data, first.address, RunOptions(20, 0.01))
