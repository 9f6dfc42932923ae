"""The study of streams: its errors, and where it says that queues grow, are those of streams whose truth is known."""

from __future__ import annotations

import importlib
import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

import numpy as np
import pytest
from support.checkout import ROOT


@pytest.fixture
def errors(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "experiments" / "streams"))
    return importlib.import_module("stream_errors")


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "experiments" / "streams"))
    return importlib.import_module("stream_plans")


def waits(interval_s: float, services_s: np.ndarray, passes: np.ndarray) -> np.ndarray:
    """Return the waits before one server, frame by frame; who passes it not waits 0."""
    found, free = np.zeros(len(passes)), 0.0
    for number, (service, does) in enumerate(zip(services_s, passes, strict=True)):
        if does:
            begun = max(number * interval_s, free)
            found[number], free = begun - number * interval_s, begun + service
    return found


@pytest.mark.parametrize("load", [1.05, 1.15])
@pytest.mark.parametrize("share", [1.0, 0.6])
def test_queues_grow_above_the_rate_that_the_services_of_an_overloaded_stream_allow(
    errors: Any, load: float, share: float
) -> None:
    rng = np.random.default_rng(7)
    passes, services = rng.random(492) < share, rng.uniform(0.01, 0.03, 492)
    alone = 0.05 + services
    true = len(passes) / services[passes].sum()
    latency = alone + waits(1 / (load * true), services, passes) + rng.normal(0, 2e-4, 492)
    growth = errors.growth_s(latency, alone, passes)
    assert growth > 0
    assert errors.turning_rate(1 / (load * true), growth) == pytest.approx(true, rel=0.02)


def test_waits_do_not_grow_while_the_server_keeps_up(errors: Any) -> None:
    rng = np.random.default_rng(8)
    passes, services = np.ones(738, bool), rng.uniform(0.01, 0.03, 738)
    interval = services.mean() / 0.8
    growth = errors.growth_s(services + waits(interval, services, passes), services, passes)
    assert abs(growth) < 0.001 * interval
    assert errors.turning_rate(interval, growth) is None


@pytest.mark.parametrize(
    ("measured", "simulated", "said"),
    [
        (0.002, 0.0021, "within 3%: 1 of 1."),
        (0.002, 0.004, "within 3%: 0 of 1."),
        (0.0, 0.001, "0 of 1, of which 1 did"),
    ],
)
def test_a_stream_whose_queue_does_not_grow_is_no_agreement_about_where_it_does(
    errors: Any, measured: float, simulated: float, said: str
) -> None:
    told = [
        {"mean": 0.1, "p99": None, "growth_s": each, "turning_rate": errors.turning_rate(0.02, each)}
        for each in (measured, simulated)
    ]
    line = {"plan": "p", "load": 1.05, "load_as_timed": 1.06, "rate": 50.0, "sustainable_rate": 47.0, "frames": 9}
    line |= {"answered": 9, "same_exits": 9, "load_before": 0.1, "nodes": []}
    assert said in errors.tables([{**line, "measured": told[0], "simulated": told[1]}])


def test_results_of_an_earlier_rehearsal_are_refused_before_anything_runs(
    plans: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_from_file_location("run_streams", ROOT / "experiments" / "streams" / "run.py")
    assert spec is not None
    assert spec.loader is not None
    study: Any = module_from_spec(spec)
    spec.loader.exec_module(study)
    monkeypatch.setattr(study, "ran", lambda *_: pytest.fail("a stream ran"))
    output = tmp_path / "results.json"
    output.write_text(json.dumps({"first": {}, "runs": [{"plan": "p", "load": 0.5, "frames": 9}]}), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["run.py", "--output", str(output), "--readme", str(tmp_path / "README.md")])
    with pytest.raises(SystemExit, match=r"results\.json is of an earlier rehearsal: remove it"):
        study.main()


def test_latency_that_an_earlier_exit_saves_is_no_growth(errors: Any) -> None:
    passes = np.ones(100, bool)
    alone = np.where(np.arange(100) < 50, 0.01, 0.09)  # those that come later take longer, and none waits
    assert errors.growth_s(alone, alone, passes) == pytest.approx(0.0, abs=1e-12)


def test_errors_are_of_what_was_simulated_over_what_was_measured_and_of_known_figures_alone(errors: Any) -> None:
    few, many = np.linspace(0.001, 0.699, 699), np.linspace(0.001, 1.0, 1000)
    assert errors.figures(few)["p99"] is None
    assert errors.figures(many) == {"mean": pytest.approx(0.5005), "p99": pytest.approx(0.99)}
    assert errors.error(0.9, 1.0) == pytest.approx(-0.1)
    assert errors.error(None, 1.0) is None


def test_a_rate_that_keeps_more_cores_busy_than_there_are_for_it_is_refused_with_the_sum(errors: Any) -> None:
    cores_s = {"camera": 0.010, "cloud": 0.005, "messages": 0.001}
    assert errors.refusal(99.0, cores_s) is None
    said = errors.refusal(101.0, cores_s)
    assert said is not None
    assert "1.62 cores" in said
    assert "\n" not in said
    row = {"plan": "p", "load": 0.9, "rate": 101.0, "frames": 700, "refused": said}
    assert said in errors.tables([row])


def test_services_that_were_timed_come_back_as_latencies_of_frames_that_meet_no_other(
    plans: Any, tmp_path: Any
) -> None:
    import tiercut

    profile, planned = tiercut.load_profile(plans.NETWORK), plans.PLANS[1]
    services = {(0, 4): 0.010, (1, 5): 0.002, (1, 7): 0.008, (1, 9): 0.012, (1, 12): 0.015}
    ends = {4: 0.0105, 5: 0.02, 7: 0.03, 9: 0.04, 12: 0.05}
    (tmp_path / "due.txt").write_text("\n".join(str(each) for each in range(246)), encoding="utf-8")
    stream = plans.simulated(planned, profile, services, tmp_path / "due.txt", ends, frames=246)
    assert set(stream.exit.tolist()) == set(ends)
    assert stream.latency_s == pytest.approx(np.array([[ends[int(each)] for each in stream.exit]]), abs=1e-9)
    there = stream.exit[stream.exit > 4]
    busy = sum(services[1, int(each)] for each in there)
    assert 1 / stream.sustainable_rate == pytest.approx(max(busy / 246, 0.010), rel=1e-6)
    assert stream.used["device"] == pytest.approx(2.46 / (245 + ends[int(stream.exit[-1])]), rel=1e-2)


def test_services_that_vary_are_drawn_with_the_means_that_were_timed(plans: Any, tmp_path: Any) -> None:
    import tiercut

    profile, planned = tiercut.load_profile(plans.NETWORK), plans.PLANS[1]
    services = {(0, 4): 0.010, (1, 5): 0.002, (1, 7): 0.008, (1, 9): 0.012, (1, 12): 0.015}
    ends = {4: 0.0105, 5: 0.02, 7: 0.03, 9: 0.04, 12: 0.05}
    (tmp_path / "due.txt").write_text("\n".join(str(each) for each in range(246)), encoding="utf-8")
    found = plans.simulated(planned, profile, services, tmp_path / "due.txt", ends, [0.3, 0.0], frames=246)
    assert found.latency_s.shape == (plans.DRAWS, 246)
    device = found.latency_s - np.array([ends[int(each)] for each in found.exit]) + services[0, 4]
    assert device.mean() == pytest.approx(0.010, rel=0.02)
    assert device.std() / device.mean() == pytest.approx(0.3, rel=0.05)
    with_more = plans.with_services(profile, planned, services, [0.0, 0.2])
    (changed,) = with_more.devices.values()
    assert changed.block_p50_s[3] == pytest.approx(changed.block_p99_s[3])
    assert changed.block_p50_s[4] < 0.002 < changed.block_p99_s[4]
