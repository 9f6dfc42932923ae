"""Where the time of every frame went: its parts add up, and its rows, its trace and its picture hold the same."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from support.at_work import runs

from tiercut.errors import QuestionError
from tiercut.offloader.local.frame_times import ON_THE_WAY
from tiercut.report.plots.run import lived_frames

pytest.importorskip("grpc", reason="needs the extra 'offload'")


def test_the_parts_of_a_latency_add_up_to_it() -> None:
    times = runs.times()
    assert [term.name for term in times.terms] == [
        "to camera", "camera 1-4", "to cloud", "cloud 5-12", "result", "the rest"
    ]  # fmt: skip
    np.testing.assert_allclose(times.measured_s[:2] * 1e3, [[4, 2, 0, 0, 2, 2], [4, 5, 13, 9, 7, 2]], rtol=0, atol=1e-9)
    np.testing.assert_allclose(times.measured_s[:2].sum(axis=1), times.latency_s[:2])
    assert np.isnan(times.measured_s[2]).all()


def test_the_prediction_of_a_frame_is_that_of_the_exit_where_the_uncut_network_has_it() -> None:
    times, at_exit = runs.times(), runs.prediction().at_exit
    assert times.predicted_latency_s == pytest.approx([at_exit[3], at_exit[12], at_exit[12]])
    assert times.predicted_s[0, 2:4].tolist() == [0, 0]


def test_what_clocks_of_several_machines_cannot_tell_apart_is_one_part() -> None:
    times = runs.times(one_clock=False)
    assert times.terms[-1].name == ON_THE_WAY
    np.testing.assert_allclose(times.measured_s[:2] * 1e3, [[0, 2, 0, 0, 0, 8], [0, 5, 0, 9, 0, 26]], atol=1e-9)
    with pytest.raises(QuestionError, match="needs one clock"):
        times.to_trace("trace.json")


def test_there_is_a_row_for_every_frame() -> None:
    rows = runs.times().to_frame()
    assert rows["status"].tolist() == ["answered", "answered", "failed"]
    assert rows["ended_s"].tolist() == pytest.approx([0.010, 0.090, 0.150])
    assert rows["exit"].astype(object).where(rows["exit"].notna(), None).tolist() == [3, 12, None]
    assert rows["failure"].tolist() == [None, None, "no answer before its deadline"]
    assert rows["2-cloud.compute_s"].tolist() == pytest.approx([np.nan, 0.009, np.nan], nan_ok=True)
    assert rows["right"].astype(object).where(rows["right"].notna(), None).tolist() == [True, False, None]
    assert rows["entropy"][:2].tolist() == [0.25, 0.125]


def test_the_rows_go_into_a_parquet_file(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra 'tables'")
    import pandas as pd

    times = runs.times()
    times.to_parquet(tmp_path / "frames.parquet")
    read = pd.read_parquet(tmp_path / "frames.parquet")
    assert list(read.columns) == list(times.to_frame().columns)
    assert read["latency_s"].tolist() == pytest.approx([0.01, 0.04, np.nan], nan_ok=True)


def test_the_trace_has_what_was_done_for_each_frame_in_order(tmp_path: Path) -> None:
    runs.times().to_trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))["traceEvents"]
    services = defaultdict(list)
    for each in events:
        if each["ph"] == "X":
            services[each["name"]].append((each["cat"], each["ts"], each["ts"] + each["dur"]))
    assert [what for what, _, _ in services["frame 1"]] == [
        "tensors to bytes", "send", "bytes to tensors", "blocks 1-4", "tensors to bytes", "send", "bytes to tensors",
        "blocks 5-12", "result to bytes", "result",
    ]  # fmt: skip
    assert services["frame 1"][0][1] == pytest.approx(51_000)  # it was sent a millisecond late
    assert services["frame 1"][-1][2] == pytest.approx(89_000)
    assert all(before[2] <= after[1] + 1e-6 for before, after in pairwise(services["frame 1"]))
    assert [each["name"] for each in events if each["ph"] == "i"] == ["frame 2 failed: no answer before its deadline"]


def test_frames_that_are_on_a_link_at_once_stand_in_lanes_beside_each_other(tmp_path: Path) -> None:
    from dataclasses import replace

    both = replace(runs.times(), due_s=np.array([0.0, 0.0, 0.1]))
    both.to_trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))["traceEvents"]
    lanes = defaultdict(list)
    for each in events:
        if each["ph"] == "X":
            lanes[each["tid"]].append((each["ts"], each["ts"] + each["dur"]))
    for spans in lanes.values():
        assert all(before[1] <= after[0] + 1e-3 for before, after in pairwise(sorted(spans)))
    names = [each["args"]["name"] for each in events if each["ph"] == "M"]
    assert {"camera (1)", "camera (2)"} <= set(names)


def test_the_picture_shows_the_parts_in_milliseconds_and_what_failed() -> None:
    data = lived_frames(runs.run())
    assert data.unit == "ms"
    assert data.names == ("to camera", "camera 1-4", "to cloud", "cloud 5-12", "result", "the rest")
    assert data.means == pytest.approx([4, 3.5, 6.5, 4.5, 4.5, 2])
    assert data.failed.tolist() == [pytest.approx(0.1)]
    assert data.predicted_means[-1] == 0
