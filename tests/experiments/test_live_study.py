"""The study of live plans: the files that it makes can be read, and its table says what its runs said."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from support.checkout import ROOT

import tiercut
from tiercut.offloader import load_disturbances, moments_of


@pytest.fixture(autouse=True)
def _there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "experiments" / "adaptive" / "live"))


def test_its_trace_can_be_played_and_ends_before_its_frames(tmp_path: Path) -> None:
    trace = importlib.import_module("live_trace")
    trace.write_inputs(tmp_path, 0.5)
    topology = tiercut.load_topology(tmp_path / "topology.json")
    moments = moments_of(load_disturbances(tmp_path / "disturb.yaml"), topology, tiercut.load_profile(trace.NETWORK))
    assert [each.at_s for each in moments] == [0.5 * at for at, _ in trace.TRACE]
    assert moments[-1].at_s < 0.5 * trace.SECONDS
    last = moments[-1]
    assert not last.nodes  # and all is well again at the end
    assert last.topology.network.hops == topology.network.hops
    assert [each.slowdown for each in last.topology.nodes] == [each.slowdown for each in topology.nodes]


def run(latencies: list[float | None], **more: Any) -> dict[str, Any]:
    """Return a run as the command line tells it."""
    answered = sum(each is not None for each in latencies)
    found: dict[str, Any] = {"frames": len(latencies), "answered": answered, "same_as_uncut": answered}
    found |= {"interval_s": 0.1, "deadline_s": 2.0, "frame_latency_s": latencies, "disturbances": []}
    return found | more


def test_a_frame_that_failed_counts_with_its_deadline_and_means_are_held_against_staying(tmp_path: Path) -> None:
    report = importlib.import_module("live_report")
    move = {"at_s": 0.1, "deciding_s": 0.0002, "switch_s": 0.004, "gap_s": 0.09}
    asked = [
        {"at_s": -1.0, "took_s": 0.3, "proved": False},
        {"at_s": 0.1, "took_s": 0.001, "proved": True},
        {"at_s": 0.2, "took_s": 0.2, "proved": False},
    ]
    done = [{"at_s": 0.1, "what": "down(gateway)", "value": "kill", "done_s": 0.1}]
    runs = {
        "stays": report.kept(run([0.02, None, 0.02, 0.02], disturbances=done)),
        "asks": report.kept(
            run([0.02, 0.04, 0.03, 0.03], adaptation={"moves": [move], "sent_again": 1, "asked": asked})
        ),
    }
    lines = list(report.table(runs))
    assert lines[2].startswith("| stays | 3 of 4 | 515.0 ms | 1.00 |")
    assert lines[3] == "| asks | 4 of 4 | 30.0 ms | 0.06 | 30.0 ms | 38.5 ms | 1 | 90 ms | 200 us | 4.0 ms |"
    assert "asked 1 times before the first frame, and then 1 times" in lines[-1]
    assert "median 1 ms" in lines[-1]
    report.draw(runs, tmp_path / "latency.png")
    assert (tmp_path / "latency.png").stat().st_size > 5000


def test_results_of_another_scale_are_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = ROOT / "experiments" / "adaptive" / "live" / "run.py"
    spec = importlib.util.spec_from_file_location("live_run", path)  # other studies have a run.py too
    assert spec is not None
    assert spec.loader is not None
    study = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(study)
    results = tmp_path / "results.json"
    results.write_text('{"scale": 1.0, "load_before": {}, "runs": {}}', encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["run.py", "--output", str(tmp_path), "--scale", "0.1", "--kinds"])
    with pytest.raises(SystemExit):
        study.main()
    assert "is of --scale 1: name another folder by --output" in capsys.readouterr().err
