"""ONNX files as commands take them: listed, timed, and recorded as every other network is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.onnx_models import published, residual, saved

from tiercut.profiling.profile.files import load_profile
from tiercut.profiling.record import campaign
from tiercut.profiling.record.worker import record_here


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, shell_call: Any, tmp_path: Path) -> Any:
    """Run a command as the shell does, recording in this process; return status, standard output and error."""
    monkeypatch.setattr(campaign.Worker, "record", lambda _, *given, **named: record_here(*given, **named))
    monkeypatch.chdir(tmp_path)
    return shell_call


QUICK = ("--runs", "6", "--limit", "5 s", "--threads", "1")


def test_blocks_of_a_file_are_listed_with_what_crosses_and_where_it_comes_from(call: Any, tmp_path: Path) -> None:
    saved(tmp_path, residual())
    status, out, err = call("blocks", "net.onnx", "--tensors", "2", "--json")
    made = json.loads(out)
    assert (status, err) == (0, "")
    assert (made["model"], made["rule"], len(made["blocks"])) == ("net", "all", 5)
    assert [len(each["tensors"]) for each in made["blocks"]] == [1, 2, 1, 1, 1]
    assert made["blocks"][0]["tensors"] == [
        {"name": "/stem/act/Mul_output_0", "bytes": 1536, "dtype": "float32", "shape": [1, 6, 8, 8]}
    ]
    assert made["blocks"][0]["module"] == "stem"
    status, out, _ = call("blocks", "net.onnx", "--tensors", "2")
    assert status == 0
    assert "net: 5 blocks (rule all)" in out
    assert "tensors" in out


def test_a_file_is_cut_where_it_is_said_and_a_name_that_is_not_there_ends_with_status_2(
    call: Any, tmp_path: Path
) -> None:
    saved(tmp_path, residual())
    status, out, _ = call("blocks", "net.onnx", "--cut", "rest", "--json")
    assert (status, [each["name"] for each in json.loads(out)["blocks"]]) == (0, ["rest", "out"])
    assert call("blocks", "net.onnx", "--cut", "pest")[0] == 2
    status, _, err = call("blocks", "net.onnx", "--cut", "inner")
    assert (status, "2 tensors cross there, 1 may" in err) == (2, True)
    assert call("blocks", "net.onnx", "--tensors", "5")[0] == 2
    assert call("blocks", "gone.onnx")[0] == 2


@pytest.mark.filterwarnings("ignore::tiercut.errors.TiercutWarning")
def test_a_file_is_recorded_with_times_of_all_spans_and_a_plan_is_found(call: Any, tmp_path: Path) -> None:
    saved(tmp_path, residual(), "net.onnx")
    status, _, err = call(
        "profile", "net.onnx", "--tensors", "2", "--batch", "4", "--clock", "cpu", "--check", "1", "--provider", "cpu",
        *QUICK, "--output", "net.json",
    )  # fmt: skip
    assert status == 0, err
    profile = load_profile(tmp_path / "net.json")
    device = profile.devices["local"]
    assert (profile.model, profile.batch, profile.block_count) == ("net", 4, 5)
    assert profile.input_bytes == 4 * 3 * 64 * 4
    assert profile.blocks[1].tensors is not None
    assert [each.shape for each in profile.blocks[1].tensors] == [[4, 6, 8, 8], [4, 6, 8, 8]]
    assert profile.blocks[1].output_bytes == sum(each.bytes for each in profile.blocks[1].tensors)
    assert (device.backend, device.provider, device.threads, device.clock) == ("onnxruntime", "cpu", 1, "cpu")
    assert device.framework.startswith("onnxruntime ")
    assert device.span_s is not None
    assert [len(row) for row in device.span_s] == [5, 4, 3, 2, 1]
    assert device.whole_model_s is not None
    assert device.whole_model_s > 0
    status, out, _ = call("solve", "mobile", "net.json", "--json")
    assert (status, json.loads(out)["problem"]["blocks"]) == (0, 5)
    status, _, err = call("profile", "net.onnx", "--tensors", "2", "--batch", "4", *QUICK, "--output", "net.json")
    assert status == 2
    assert "recorded with clock cpu and not wall" in err


def test_what_does_not_count_for_a_file_is_refused_before_anything_is_loaded(call: Any, tmp_path: Path) -> None:
    saved(tmp_path, residual())
    status, _, err = call("profile", "net.onnx", "--weights", "imagenet")
    assert (status, "which is exported to one: --weights" in err) == (2, True)
    status, _, err = call("profile", "resnet20", "--tensors", "2")
    assert (status, "these are for .onnx files" in err) == (2, True)
    status, _, err = call("profile", "net.onnx", "--provider", "hexagon")
    assert (status, "there is no execution provider" in err) == (2, True)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::tiercut.errors.TiercutWarning")
def test_a_published_detector_is_recorded_with_all_its_spans_within_a_minute(call: Any) -> None:
    file = str(published("320n"))
    status, *_ = call("profile", file, "--input", "images=1x3x320x320", "--tensors", "2", "--output", "det.json")
    assert status == 0
    profile = load_profile("det.json")
    assert profile.block_count == 20
