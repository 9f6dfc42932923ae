"""A stock server of the protocol stands in for the last agent: what it answers is passed on to the destination."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiercut.errors import QuestionError
from tiercut.offloader import Agent, RunOptions, run_local, run_with_agents
from tiercut.offloader.agent.stand_in import SlowedServer, check_stand_in
from tiercut.offloader.bundles.manifest import load_bundle
from tiercut.offloader.bundles.split import split_plan
from tiercut.offloader.bundles.stage import StageRunner
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.service import Service
from tiercut.offloader.protocol.tensors import put, take
from tiercut.offloader.protocol.wire import Opened
from tiercut.optimizer import Plan
from tiercut.profiling import CutNetwork, Profile
from tiercut.topologies import Topology

pytest.importorskip("grpc", reason="needs the extra 'offload'")
pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")

ANY = "127.0.0.1:0"


@pytest.fixture(scope="module")
def folders(plan: Plan, cut: CutNetwork, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return split_plan(plan, cut, tmp_path_factory.mktemp("bundles")).folders


@contextmanager
def stock(folder: Path, *, silent: bool = False) -> Iterator[str]:
    """Serve a bundle as a stock server would: it knows no parameters, and answers with all that it makes, and more."""
    bundle = load_bundle(folder)
    run = StageRunner(folder, bundle, threads=1)

    def infer(came: Opened, _: Any) -> Any:
        answer = message("ModelInferResponse", model_name=bundle.model, id=came.message.id)
        if not silent:
            made = run(take(came.message, bundle.inputs, came.contents)).tensors
            put(answer, {"more": np.zeros(3, np.float32), **made})
        return answer

    def ready(request: Any, _: Any) -> Any:
        return message("ModelReadyResponse", ready=request.name == bundle.model)

    with closing(Service({"ModelInfer": infer, "ModelReady": ready}, ANY, bundle.most_bytes)) as service:
        yield service.address


def agents(stack: ExitStack, folders: tuple[Path, ...], address: str) -> str:
    """Start agents that hand on to each other and the last to an address; return where the first listens."""
    for folder in reversed(folders):
        agent = Agent(folder, ANY, address, threads=1)
        stack.callback(agent.close)
        address = agent.address
    return address


def test_what_a_stock_server_answers_comes_to_the_destination(
    folders: tuple[Path, ...], plan: Plan, topology: Topology, profile: Profile, cut: CutNetwork, data: Path
) -> None:
    with ExitStack() as stack:
        first = agents(stack, folders[:-1], stack.enter_context(stock(folders[-1])))
        ran = run_with_agents(plan, topology, profile, cut, data, first, RunOptions(30, 0.01, 30.0))
    assert (ran.answered, ran.duplicated, ran.same_as_uncut) == (30, 0, 30)
    assert ran.measured.exit_rate[12] == pytest.approx(ran.predicted.exit_rate[12])
    assert ran.measured.exit_rate[12] > 0
    last = ran.stages[-1]
    assert last.frames == round(30 * ran.measured.exit_rate[12])
    assert (last.came_by, last.measured["queue"], last.measured["encode"]) == ("grpc", 0, 0)
    assert last.measured["compute"] is not None
    assert last.measured["compute"] > 0


@pytest.mark.parametrize(
    ("serves", "silent", "why"),
    [(-1, True, "answered without raw tensors"), (1, False, "can stand in for the last partition alone")],
)
def test_what_is_no_result_is_reported_failed(
    serves: int,
    silent: bool,
    why: str,
    folders: tuple[Path, ...],
    plan: Plan,
    topology: Topology,
    profile: Profile,
    cut: CutNetwork,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tiercut.offloader.local.driver.Driver.warm_up", lambda *_: [])
    with ExitStack() as stack:
        first = agents(stack, folders[:serves], stack.enter_context(stock(folders[serves], silent=silent)))
        ran = run_with_agents(plan, topology, profile, cut, data, first, RunOptions(20, 0.01, 30.0))
    assert ran.answered + ran.failed == 20
    assert ran.same_as_uncut == ran.answered > 0
    assert ran.failed > 0
    assert {why in reason for _, reason in ran.failures} == {True}


@pytest.mark.slow
def test_a_local_run_takes_a_stock_server_for_the_last_node(
    folders: tuple[Path, ...], plan: Plan, topology: Topology, profile: Profile, cut: CutNetwork, data: Path
) -> None:
    slower = topology.with_changes(slowdown={"cloud": 3})
    with stock(folders[-1]) as last:
        ran = run_local(plan, slower, profile, cut, data, RunOptions(40, 0.05, retime=True, last=last))
    assert (ran.answered, ran.duplicated, ran.same_as_uncut, ran.deaths) == (40, 0, 40, {})
    cloud = ran.stages[-1]
    link = slower.hops["gateway", "cloud"]
    assert cloud.factor == pytest.approx(3)
    assert cloud.measured["send"] is not None
    assert cloud.measured["send"] >= 32768 / link.bandwidth + link.latency
    assert cloud.measured["result"] is not None
    assert cloud.measured["result"] >= 2 * 0.001  # home over both links


def test_a_slowed_machine_takes_one_call_after_the_other_whatever_the_server_does() -> None:
    slowed, own = SlowedServer(3.0), SlowedServer(1.0)
    calls = [(1000, 1100), (1000, 1100), (1050, 1100), (5000, 5010)]
    assert [slowed.taken(*each) for each in calls] == [(0, 300), (300, 300), (550, 150), (0, 30)]
    assert [own.taken(*each) for each in calls] == [(0, 100), (0, 100), (0, 50), (0, 10)]


def test_what_cannot_stand_in_is_refused_before_anything_is_started(folders: tuple[Path, ...]) -> None:
    bundles = [load_bundle(folder) for folder in folders]
    coded = [*bundles[:-1], bundles[-1].model_copy(update={"input_codec": "float16"})]
    other = [*bundles[:-1], bundles[-1].model_copy(update={"model": "other"})]
    check_stand_in(None, bundles, explains=False)
    with stock(folders[-1]) as there:
        check_stand_in(there, bundles, explains=False)
        for address, plan, explains, why in (
            ("127.0.0.1:1", bundles, False, r"127\.0\.0\.1:1 does not answer"),
            (there, bundles[-1:], False, "the plan has one partition"),
            (there, bundles, True, "--explain-hop needs an agent on 'cloud'"),
            (there, coded, False, "what comes to 'cloud' is encoded"),
            (there, [bundles[1], bundles[0]], False, "takes no exits"),
            (there, other, False, "does not serve the model 'other'"),
        ):
            with pytest.raises(QuestionError, match=why):
                check_stand_in(address, plan, explains=explains)
