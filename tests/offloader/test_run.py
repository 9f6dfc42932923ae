"""A plan that is run answers every frame as the uncut network, or reports it failed, whatever happens to its agents."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tiercut
from tiercut.errors import QuestionError
from tiercut.offloader import Run, RunOptions, run_local
from tiercut.offloader.local.account import Ground, Ran, account
from tiercut.offloader.local.cascade import Verdict
from tiercut.offloader.local.outcome import Outcome
from tiercut.offloader.local.prediction import factors, predicted
from tiercut.offloader.local.processes import AgentProcess
from tiercut.offloader.local.result import latency_figures
from tiercut.optimizer import Plan, build_problem, decide_again
from tiercut.profiling import CutNetwork, Profile
from tiercut.report import run_tables
from tiercut.topologies import Topology

pytest.importorskip("grpc", reason="needs the extra 'offload'")
pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")

REPLY_S = 2.0
"""After its deadline a frame is reported failed within so many seconds, even where a machine is busy."""

LONG_S = 30.0
"""A deadline that frames keep on every machine."""


@pytest.fixture(scope="module")
def ran(plan: Plan, topology: Topology, profile: Profile, cut: CutNetwork, data: Path) -> Run:
    return run_local(plan, topology, profile, cut, data, RunOptions(40, 0.03, LONG_S, retime=True, explain_hop=True))


def test_every_frame_is_answered_once_as_by_the_uncut_network(ran: Run) -> None:
    assert (ran.frames, ran.answered, ran.failed, ran.duplicated) == (40, 40, 0, 0)
    assert ran.same_as_uncut == 40
    assert ran.deaths == {}


def test_its_prediction_is_that_of_the_same_samples(ran: Run) -> None:
    assert ran.by_replay
    assert ran.predicted.exit_rate == pytest.approx(ran.measured.exit_rate)
    assert ran.predicted.accuracy == pytest.approx(ran.measured.accuracy)
    assert sum(ran.measured.exit_rate.values()) == pytest.approx(1)


def test_latencies_are_no_shorter_than_the_links(ran: Run, topology: Topology) -> None:
    camera, gateway, cloud = ran.stages
    for stage, sender in ((gateway, "camera"), (cloud, "gateway")):
        link = topology.hops[sender, stage.node]
        payload = 65536 if sender == "camera" else 32768
        assert stage.measured["send"] is not None
        assert stage.measured["send"] >= payload / link.bandwidth + link.latency
    assert camera.frames == 40
    assert [stage.factor for stage in ran.stages] == pytest.approx([4, 2, 1])


def test_a_hop_is_told_in_its_parts(ran: Run) -> None:
    assert [hop.to for hop in ran.hops] == ["camera", "gateway", "cloud"]
    for hop, payload in zip(ran.hops, (12288, 65536, 32768), strict=True):
        assert payload < hop.size < payload + 500
        assert 0 < hop.serialise_s < hop.total_s
        assert 0 < hop.wire_s < 2
    assert len(json.loads(ran.to_json())["hops"]) == 3
    assert {stage.came_by for stage in ran.stages} == {"grpc"}  # whose calls it explains


def test_the_time_of_every_frame_is_accounted_for(ran: Run) -> None:
    times = ran.by_frame
    assert list(times.latency_s) == list(ran.latencies_s)
    rest = times.measured_s[:, -1]
    assert (rest > 0).all()
    assert np.median(rest) < 0.1  # between steps that are timed: a fraction of a millisecond on a calm machine
    left = np.bincount(times.exit, minlength=13)[[3, 4, 6, 12]] / 40
    assert left.tolist() == pytest.approx(list(ran.measured.exit_rate.values()))
    assert times.predicted_latency_s.mean() == pytest.approx(ran.predicted.latency_s["mean"])
    assert np.mean([bool(each) for each in times.right]) == pytest.approx(ran.measured.accuracy)


def test_its_json_is_that_of_the_format(ran: Run) -> None:
    data = json.loads(ran.to_json())
    assert data["format"] == "tiercut.run/1"
    assert {"frames", "answered", "failed", "duplicated", "same_as_uncut", "measured", "predicted", "stages"} <= set(
        data
    )
    for part in ("measured", "predicted"):
        assert set(data[part]) == {"latency_s", "accuracy", "exit_rate"}
        assert set(data[part]["latency_s"]) == {"mean", "p50", "p95", "p99"}
        assert set(data[part]["exit_rate"]) == {"3", "4", "6", "12"}
    for stage in data["stages"]:
        assert {"node", "blocks", "decode_s", "compute_s", "encode_s", "send_s", "predicted"} <= set(stage)
        assert {"compute_s", "send_s", "turnaround_s"} <= set(stage["predicted"])
        assert stage["predicted"]["compute_variation"] >= 0  # 0 where a busy machine had time for one message alone
    assert data["measured"]["latency_s"]["p99"] is None  # too few frames to tell
    assert data["stages"][-1]["send_s"] is None


def test_what_fell_back_is_counted_by_exit_and_told_with_its_reason(ran: Run) -> None:
    why = "camera: 127.0.0.1:8002 does not answer"
    away = replace(ran, fallbacks=((3, 4, why), (5, 3, why), (7, 4, why)), late=1)
    data = json.loads(away.to_json())
    assert (data["fell_back"], data["fell_back_at"], data["late"]) == (3, {"3": 1, "4": 2}, 1)
    assert data["fallbacks"][0] == {"frame": 3, "exit": 4, "reason": why}
    said = [str(part) for part in run_tables(away)]
    assert any("3 fell back; " in each for each in said)
    assert f"2 fell back to the exit after block 4: {why}" in said
    assert "1 results came after the source had answered, and were dropped" in said
    moved = [str(part) for part in run_tables(replace(ran, late=2, frames_by_plan={"camera 1-12": 5}))]
    assert "2 results of frames that were sent again came twice, and were dropped" in moved
    assert not any("after the source had answered" in each for each in moved)


def disturbed(
    disturb: Callable[[Sequence[AgentProcess]], None],
    plan: Plan,
    topology: Topology,
    profile: Profile,
    cut: CutNetwork,
    data: Path,
) -> Run:
    """Run a plan, and do something to its agents once they are ready."""
    options = RunOptions(frames=40, interval_s=0.03, deadline_s=0.5, retime=True)
    return run_local(plan, topology, profile, cut, data, options, started=disturb)


def later(seconds: float, what: Callable[[], None]) -> None:
    threading.Timer(seconds, what).start()


def test_frames_of_an_agent_that_is_killed_are_reported_failed(
    plan: Plan, topology: Topology, profile: Profile, cut: CutNetwork, data: Path
) -> None:
    def kill(agents: Sequence[AgentProcess]) -> None:
        later(0.4, lambda: os.kill(agents[1].pid, signal.SIGKILL))

    ran = disturbed(kill, plan, topology, profile, cut, data)
    assert ran.answered + ran.failed == ran.frames
    assert ran.failed > 0
    assert ran.duplicated == 0
    assert ran.same_as_uncut == ran.answered > 0
    assert ran.deaths == {"gateway": "killed by signal 9"}
    assert any("UNAVAILABLE" in reason for _, reason in ran.failures)
    late = [seconds for seconds in ran.latencies_s if seconds is not None and seconds > 0.5 + REPLY_S]
    assert not late


def test_frames_of_an_agent_that_is_frozen_fail_at_their_deadline_and_later_ones_are_answered(
    plan: Plan, topology: Topology, profile: Profile, cut: CutNetwork, data: Path
) -> None:
    def freeze(agents: Sequence[AgentProcess]) -> None:
        def stop() -> None:
            os.kill(agents[1].pid, signal.SIGSTOP)
            time.sleep(0.75)
            os.kill(agents[1].pid, signal.SIGCONT)

        later(0.2, stop)

    ran = disturbed(freeze, plan, topology, profile, cut, data)
    assert ran.answered + ran.failed == ran.frames
    assert any("no answer before its deadline" in reason or "DEADLINE" in reason for _, reason in ran.failures)
    assert ran.duplicated == 0
    assert ran.same_as_uncut == ran.answered
    assert ran.deaths == {}


def test_predicted_terms_are_those_of_where_frames_should_leave_and_not_of_where_they_did(
    plan: Plan, topology: Topology, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = build_problem(topology, profile)
    prediction = predicted(problem, decide_again(problem, plan))
    monkeypatch.setattr("tiercut.offloader.local.account.frame_times", lambda *_, **__: None)
    blocks = [(1, 4), (5, 6), (7, 12)]
    bundles: Any = [
        SimpleNamespace(node=node, stage=place, blocks=blocks[place - 1], input_codec=None)
        for place, node in enumerate(plan.placement, 1)
    ]
    frames: Any = SimpleNamespace(labels=None, count=2)
    verdicts = [Verdict(12, (), ()), Verdict(6, (), ())]
    factor = dict.fromkeys(plan.placement, 1.0)
    ground = Ground(plan, problem, topology, bundles, prediction, factor, verdicts, verdicts, frames)
    fallen = [Outcome(0, 1, exit=3, fell_back="cloud: gone") for _ in range(4)]
    lost = Outcome(0, 1, failure="lost")
    found = account(profile, Ran(ground, [*fallen, lost], 1.0, 1.0, {}, ()), runtime="onnx", threads=1, retimed=False)
    wanted = {12: 2, 6: 2}
    assert [each.predicted["compute"] for each in found.stages] == [prediction.compute_s(s, wanted) for s in range(3)]
    assert [each.predicted["result"] for each in found.stages] == [
        None,
        prediction.result_s(6),
        prediction.result_s(12),
    ]
    assert found.measured.exit_rate[3] == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="asks Linux")
def test_an_agent_is_pinned_with_all_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned: dict[int, set[int]] = {}
    monkeypatch.setattr(os, "sched_setaffinity", pinned.__setitem__)
    agent = AgentProcess.__new__(AgentProcess)
    own: Any = SimpleNamespace(pid=os.getpid())
    agent._process = own
    end = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(end.wait, 5)
        agent.pin(3)
        threads = {each.native_id for each in threading.enumerate()}
        end.set()
    assert threads <= pinned.keys()
    assert set(map(tuple, pinned.values())) == {(3,)}


def test_a_prediction_without_timings_is_the_plan_itself(plan: Plan, topology: Topology, profile: Profile) -> None:
    problem = build_problem(topology, profile)
    found = predicted(problem, decide_again(problem, plan))
    mean = sum(found.rates[block] * seconds for block, seconds in found.at_exit.items())
    assert mean == pytest.approx(tiercut.explain(topology, profile, plan, estimator="marginal").plan.latency_s)


def test_a_machine_that_is_slower_than_a_node_cannot_stand_for_it(topology: Topology, profile: Profile) -> None:
    problem = build_problem(topology, profile)
    whole = profile.devices["one-core"].span_s
    assert whole is not None
    found = factors(problem, topology, ["camera", "cloud"], whole[0][-1], None)
    assert found == pytest.approx({"camera": 4, "cloud": 1})
    with pytest.raises(QuestionError, match=r"it can be slowed to stand for a node, not sped up; .*--retime"):
        factors(problem, topology, ["cloud"], 1.5 * whole[0][-1], None)


def test_another_runtime_than_the_profile_was_timed_with_needs_new_times(
    plan: Plan, topology: Topology, profile: Profile, cut: CutNetwork, data: Path
) -> None:
    device = profile.devices["one-core"].model_copy(update={"backend": "tensorflow"})
    timed = profile.model_copy(update={"devices": {"one-core": device}})
    with pytest.raises(QuestionError, match=r"was timed with keras.*--retime"):
        run_local(plan, topology, timed, cut, data, RunOptions(runtime="onnx"))


def test_what_a_hop_by_another_way_takes_is_not_explained(
    plan: Plan, topology: Topology, profile: Profile, cut: CutNetwork, data: Path
) -> None:
    with pytest.raises(QuestionError, match="leave out --transport"):
        run_local(plan, topology, profile, cut, data, RunOptions(explain_hop=True, transport="memory"))


def test_quantiles_of_too_few_frames_are_not_told() -> None:
    figures = latency_figures([0.001 * place for place in range(200)])
    assert figures["p50"] == pytest.approx(0.099)
    assert figures["p95"] is not None
    assert figures["p99"] is None
    assert latency_figures([]) == dict.fromkeys(("mean", "p50", "p95", "p99"))
