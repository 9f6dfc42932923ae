"""What came of several sources that were run at once: measured, beside what is predicted of frames that wait."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tiercut
from tiercut.analysis import Timed, waits_of
from tiercut.cli.commands.run.sources import run_answer
from tiercut.errors import QuestionError
from tiercut.offloader import JointRun, Run, RunOptions, Sender, SourceRun, run_sources
from tiercut.offloader.local.outcome import Outcome
from tiercut.offloader.local.run import Prepared
from tiercut.offloader.local.timing import Hop, Round
from tiercut.offloader.sources.result import PlaceUse
from tiercut.offloader.sources.run import _drivers, _sent, at_once, between_of, check_options, first_of
from tiercut.offloader.sources.site import places_of
from tiercut.profiling import Profile
from tiercut.report import joint_run_tables
from tiercut.stages import Stage, listening, stage
from tiercut.topologies import Topology

pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")

FRAMES = 200


def source_of(sender: Sender, ready: Prepared, run: Any, leaving: tuple[int, ...]) -> SourceRun:
    prediction = ready.ground.prediction
    return SourceRun(
        sender.name, sender.rate, sender.topology, sender.profile, sender.plan, prediction, 0.0, leaving, (), run
    )


@pytest.fixture
def sources(senders: Sequence[Sender], plans: Sequence[Prepared]) -> list[SourceRun]:
    """Return two sources all frames of which leave at the end."""
    return [source_of(*pair, None, (12,) * FRAMES) for pair in zip(senders, plans, strict=True)]


def timed(source: SourceRun, rate: float | None = None) -> Timed:
    return Timed(
        source.topology,
        source.profile,
        source.plan,
        rate or source.rate,
        source.leaving,
        source.pieces_s,
        source.is_timed,
    )


def test_frames_that_come_at_once_wait_for_each_other_and_no_others_do(
    site: Topology, senders: Sequence[Sender]
) -> None:
    def on_box(sender: Sender, seconds: float) -> Timed:
        plan = tiercut.plan(
            sender.topology, sender.profile, partition=[12], placement=["box"], exits=[4, 12], threshold=0.5
        )
        pieces_s = {("box", 1, 4): seconds, ("box", 5, 12): seconds}
        return Timed(sender.topology, sender.profile, plan, 1.0, (4, 12) * 20, pieces_s, with_coding=True)

    first, second = (on_box(*each) for each in zip(senders, (0.01, 0.03), strict=True))
    found = waits_of(site, [first, second])
    # Inputs are as large and links as quick: both reach the box at one time, and it serves the first source first.
    assert found.waited_s[0] == pytest.approx(np.zeros(40), abs=1e-11)
    assert found.waited_s[1] == pytest.approx(np.tile([0.01, 0.02], 20), abs=1e-11)
    assert found.busy["box"] == pytest.approx(20 * (0.01 + 0.02 + 0.03 + 0.06) / 40, rel=0.03)  # in some 40 s
    assert waits_of(site, [second]).waited_s[0] == pytest.approx(np.zeros(40), abs=1e-11)
    later = waits_of(site, [first, replace(second, first_s=0.008)])  # only who comes back from block 12 is still there
    assert later.waited_s[0] == pytest.approx(np.zeros(40), abs=1e-11)
    assert later.waited_s[1] == pytest.approx(np.tile([0.002, 0.012], 20), abs=1e-11)


def test_what_keeps_a_worker_busy_is_its_pieces_and_what_is_between_two_frames(sources: Sequence[SourceRun]) -> None:
    alone = sources[0].pieces_s
    more = replace(sources[0], between_s=(0.003, 0.001)).pieces_s
    assert {key: seconds - alone[key] for key, seconds in more.items()} == pytest.approx(
        {("box", 1, 4): 0.003, ("cloud", 5, 12): 0.001}
    )


def test_it_is_what_was_timed_or_else_what_tensors_and_bytes_take() -> None:
    hops = tuple(Hop(encode, 0.0, 0.0, decode) for encode, decode in ((0.1, 0.01), (0.2, 0.03), (0.4, 0.05)))
    rounds = [Round(12, hops, ((0.01,), (0.01,), (0.01,)), 0.0)]
    assert between_of((None, 0.7, None), rounds) == pytest.approx((0.21, 0.7, 0.05))
    assert between_of((), rounds) == pytest.approx((0.21, 0.43, 0.05))


@pytest.mark.parametrize("rates", [(5, 10, 20), (30, 15, 30), (30, 30, 20, 10, 60)])
def test_no_two_sources_send_at_one_moment(rates: Sequence[int]) -> None:
    firsts = first_of(rates)
    assert firsts[0] == 0
    due_s = [first + np.arange(2 * rate) / rate for first, rate in zip(firsts, rates, strict=True)]
    assert np.diff(np.sort(np.concatenate(due_s))).min() > 0.05 / max(rates)


def test_frames_are_predicted_by_what_they_take_alone_and_what_they_wait(sources: Sequence[SourceRun]) -> None:
    source = replace(sources[0], leaving=(4, 12) * 100)
    lone = source.prediction.at_exit
    found = source.with_waits(np.full(200, 0.5)).loaded_s
    assert found["mean"] == pytest.approx((lone[4] + lone[12]) / 2 + 0.5)
    assert found["p95"] == pytest.approx(lone[12] + 0.5)
    varied = replace(source.prediction, rounds_s={4: (0.1, 0.3), 12: (1.0,)})
    rounds = replace(source, prediction=varied).with_waits(np.zeros(200)).loaded_s
    assert rounds["p50"] == 0.3
    assert rounds["mean"] == pytest.approx((lone[4] + lone[12]) / 2)  # means are of the means, as those of frames alone


@pytest.fixture
def run(sources: Sequence[SourceRun], site: Topology, plans: Sequence[Prepared]) -> JointRun:
    """Return a run that nobody ran, of a first source and a second one that lost a frame."""
    figures = SimpleNamespace(latency_s={"mean": 0.05, "p50": 0.04, "p95": 0.09, "p99": None}, accuracy=0.9)
    made: Any = SimpleNamespace(
        measured=figures, predicted=figures, frames=FRAMES, answered=FRAMES, failed=0, duplicated=0, fallbacks=(),
        same_as_uncut=FRAMES, same_as_uncoded=None, failures=(), retimed=True, runtime="onnx", title="box 1-4",
        deaths={}, to_data=lambda: {"format": "tiercut.run/1"},
    )  # fmt: skip
    lost: Any = SimpleNamespace(**{**vars(made), "failures": ((3, "box: 64 frames wait already"),), "failed": 1})
    places = tuple(PlaceUse(each.name, each.is_link, 0.25) for each in places_of(site, plans))
    return JointRun((replace(sources[0], run=made), replace(sources[1], run=lost)), places, 3.0, 0.01)


def test_a_run_that_is_interrupted_waits_for_no_source() -> None:
    goes_on, has_ended = threading.Event(), threading.Event()

    def stopped() -> list[Outcome]:
        raise KeyboardInterrupt

    def sends() -> list[Outcome]:
        goes_on.wait(30)
        has_ended.set()
        return []

    for works in ([stopped, sends], [sends, stopped]):
        with pytest.raises(KeyboardInterrupt):
            at_once(works)
    assert not has_ended.is_set()
    goes_on.set()
    assert at_once([sends, sends]) == [[], []]


def test_sources_stop_sending_once_one_of_them_fails(plans: Sequence[Prepared]) -> None:
    has_stopped = threading.Event()

    def fails(*_: Any, **__: Any) -> list[Outcome]:
        raise QuestionError("the agent is gone")

    def sends(*_: Any, sent: Callable[[float, float], None], **__: Any) -> list[Outcome]:
        try:
            while True:
                sent(1, 2)
                time.sleep(0.001)
        except InterruptedError:
            has_stopped.set()
        return []

    drivers: list[Any] = [SimpleNamespace(run=sends), SimpleNamespace(run=fails)]
    with pytest.raises(QuestionError, match="the agent is gone"):
        _sent(plans, drivers, [RunOptions(interval_s=0.1)] * 2, (0.0, 0.0))
    assert has_stopped.wait(60)


def test_a_driver_is_made_once_the_one_before_can_be_closed(
    plans: Sequence[Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    monkeypatch.setattr("tiercut.offloader.sources.run.Driver", lambda *_, **more: made.append(more["number"]))
    agents: Any = {"box": SimpleNamespace(address="127.0.0.1:9")}
    clock: Any = None
    drivers = _drivers(plans, agents, clock, RunOptions())
    for count in (1, 2):
        next(drivers)
        assert len(made) == count


def test_a_network_is_opened_for_each_list_of_blocks(
    site: Topology, senders: Sequence[Sender], monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = senders[0].profile
    blocks = [each.model_copy(update={"name": f"other {each.name}"}) for each in profile.blocks]
    profiles = {1: profile, 2: profile, 3: profile.model_copy(update={"blocks": blocks})}
    answer: Any = SimpleNamespace(
        path="joint.json", ranks=(1, 2, 3), streams={1: ("left", 8.0), 2: ("right", 6.0), 3: ("left", 6.0)},
        plan=lambda _: senders[0].plan, inputs=lambda _, __, rank: (site, profiles[rank]),
    )  # fmt: skip
    cuts: list[str] = []

    def ran(given: Sequence[Sender], _: RunOptions) -> None:
        cuts.extend(str(each.cut) for each in given)
        raise QuestionError("enough")

    def opened(_: str, __: Any, profile: Profile) -> Any:
        return profile.blocks[0].name

    monkeypatch.setattr("tiercut.offloader.run_sources", ran)
    with pytest.raises(QuestionError, match="enough"):
        run_answer(
            answer, ["model"], ["data"], RunOptions(), opened, lambda *_: nullcontext(Path("data")), topology=None,
            json=True,
        )  # fmt: skip
    assert cuts == [profile.blocks[0].name] * 2 + [blocks[0].name]


def test_who_listens_is_told_how_many_frames_are_sent() -> None:
    heard: list[Stage | None] = []
    with listening(heard.append), stage("sending frames") as sent:

        def sends() -> list[Outcome]:
            sent(1, 2)
            return []

        at_once([sends])
        assert heard[-1] == Stage("sending frames", 1, 2)


def test_the_document_has_a_run_for_each_source_and_what_they_share(run: JointRun) -> None:
    before = json.loads(run.to_json())
    assert before["format"] == "tiercut.joint-run/1"
    assert [each["source"] for each in before["sources"]] == ["left", "right"]
    assert [each["run"]["format"] for each in before["sources"]] == ["tiercut.run/1"] * 2
    assert before["sources"][0]["predicted_under_load"] is None
    assert before["shared"][0] == {"node": "box", "utilisation": 0.25, "predicted": None}
    after = json.loads(run.with_waits([np.zeros(FRAMES), np.full(FRAMES, 1e3)], {"box": 0.3}).to_json())
    left, right = (each["predicted_under_load"]["latency_s"] for each in after["sources"])
    assert left["mean"] < 1e3 < right["mean"]
    assert set(left) == {"mean", "p50", "p95", "p99"}
    assert after["shared"][0] == {"node": "box", "utilisation": 0.25, "predicted": 0.3}
    assert after["shared"][-1] == {"link": "box-cloud", "utilisation": 0.25, "predicted": 0.0}


def test_the_tables_have_rows_for_sources_and_places(run: JointRun) -> None:
    loaded = run.with_waits([np.zeros(FRAMES), np.ones(FRAMES)], {"box": 0.3})
    said = [str(part) for part in joint_run_tables(loaded)]
    assert said[0].startswith("2 sources: 200 frames of each in 3 s")
    assert any(each.startswith("left, 8 fps") for each in said)
    assert "1 of right failed: box: 64 frames wait already" in said
    assert not any("processors" in each for each in said)
    busy = [str(part) for part in joint_run_tables(replace(loaded, processors=1e3))]
    assert "keep 1000.0 of" in busy[-1]


def test_several_sources_are_refused_what_one_plan_can_have(senders: Sequence[Sender]) -> None:
    for changed, flag in ((RunOptions(fallback=True), "--fallback"), (RunOptions(shape="kernel"), "--shape kernel")):
        with pytest.raises(QuestionError, match=f"{flag} is for the run of one plan"):
            run_sources(senders, changed)
    check_options(RunOptions())


@pytest.mark.slow
def test_two_cameras_share_a_box_a_cloud_and_a_link(senders: Sequence[Sender], site: Topology) -> None:
    pytest.importorskip("grpc", reason="needs the extra 'offload'")
    ran = run_sources(senders, RunOptions(frames=60, retime=True))
    for each, sender in zip(ran.sources, senders, strict=True):
        made: Run = each.run
        assert (each.name, each.rate) == (sender.name, sender.rate)
        assert (made.answered, made.failed, made.duplicated, made.same_as_uncut) == (60, 0, 0, 60)
        assert made.deaths == {}
        assert made.interval_s == pytest.approx(1 / sender.rate)
        assert [stage.node for stage in made.stages] == ["box", "cloud"]
    assert [each.name for each in ran.places] == [each.name for each in ran.places if each.measured > 0]
    waits = waits_of(site, [timed(each) for each in ran.sources])
    loaded = ran.with_waits(waits.waited_s, waits.busy)
    busy = {each.name: each for each in loaded.places}
    # Bytes are counted and not timed: what a link carries is what the model says, and the heads of messages.
    for name in ("left>box", "right>box", "box-cloud"):
        assert busy[name].measured == pytest.approx(busy[name].predicted, rel=0.15)
    assert busy["box"].measured <= 1
    for each in loaded.sources:
        assert each.loaded_s["mean"] is not None
        alone = each.run.predicted.latency_s["mean"]
        assert alone is not None
        assert each.loaded_s["mean"] > 0.99 * alone
    assert len(list(joint_run_tables(loaded))) >= 7
