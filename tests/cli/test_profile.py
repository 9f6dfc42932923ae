"""``tiercut profile`` and ``merge`` as commands: what they say, and what they refuse."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorflow")

from tiercut.profiling.profile.files import load_profile
from tiercut.profiling.record import campaign
from tiercut.profiling.record.record import Recording
from tiercut.profiling.record.worker import FailedModelError, record_here


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, shell_call: Any, tmp_path: Path) -> Any:
    """Run a command as the shell does, recording in this process; return status, standard output and error."""

    monkeypatch.setattr(campaign.Worker, "record", lambda _, *given, **named: record_here(*given, **named))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small_for_cli.py").write_text(
        "import keras\n"
        "def small():\n"
        '    entry = keras.Input((4,), name="entry")\n'
        '    middle = keras.layers.Dense(4, name="middle")(entry)\n'
        '    return keras.Model(entry, keras.layers.Dense(2, name="end")(middle))\n'
        "def broken():\n"
        "    raise RuntimeError('no disk')\n"
    )

    yield shell_call
    sys.modules.pop("small_for_cli", None)


SMALL = "small_for_cli:small"


def test_a_model_is_recorded_and_said_so_on_standard_error(call: Any) -> None:
    status, out, err = call("profile", SMALL, "--runs", "2", "--device", "pi")
    assert (status, out) == (0, "")
    assert err.startswith("small: 2 blocks, whole ")
    assert list(load_profile("out/small.json").devices) == ["pi"]
    _, _, err = call("profile", SMALL, "--runs", "2", "--device", "pi")
    assert "small is recorded already on pi in out/small.json; --redo times it again" in err


def test_json_prints_each_profile_on_a_line_of_its_own(call: Any) -> None:
    status, out, _ = call("profile", SMALL, "--runs", "2", "--json")
    assert status == 0
    assert json.loads(out)["model"] == "small"
    assert out.count("\n") == 1


def test_devices_are_merged_by_a_command(call: Any) -> None:
    for device in ("pi", "edge"):
        call("profile", SMALL, "--runs", "2", "--device", device, "--output", f"{device}.json")
    status, _, err = call("merge", "pi.json", "edge.json", "--output", "both.json")
    assert (status, err) == (0, "small on pi, edge: both.json\n")
    assert list(load_profile("both.json").devices) == ["pi", "edge"]
    status, _, err = call("merge", "pi.json", "resnet20-digits32", "--output", "both.json")
    assert status == 2
    assert "the model is small there and ResNet20 here" in err


def test_one_model_that_fails_is_told_at_the_end_and_the_others_are_kept(call: Any) -> None:
    status, _, err = call("profile", "small_for_cli:broken", SMALL, "--runs", "2")
    assert status == 2
    assert "1 of 2: small_for_cli:broken failed" in err
    assert "2 of 2: small: 2 blocks" in err
    assert err.splitlines()[-1] == "error: 'small_for_cli:broken' gives no model: RuntimeError: no disk"


def test_what_is_wrong_with_any_model_or_the_output_is_told_before_the_first_is_timed(call: Any) -> None:
    Path("out").write_text("")
    status, out, err = call("profile", SMALL, "VGG61", "none.keras", "small_for_cli:smal", "--runs", "2")
    assert (status, out) == (2, "")
    lines = err.splitlines()
    assert lines[0].startswith("error: there is no model 'VGG61'; did you mean 'VGG1")
    assert lines[1] == "error: none.keras: there is no such file"
    assert lines[2].startswith("error: 'small_for_cli:smal': there is no function 'smal'; did you mean 'small'?")
    assert lines[3].startswith("error: known are ConvNeXt")
    assert lines[4] == "error: out/small.json: cannot be written: 'out' is no folder; name another place"
    assert lines[5].endswith("nothing was timed; mend these or leave them out: VGG61, none.keras, small_for_cli:smal")
    assert Path("out").read_text() == ""


@pytest.mark.filterwarnings("default::tiercut.errors.TiercutWarning")
def test_a_model_that_is_named_twice_is_recorded_once_with_a_warning(call: Any) -> None:
    status, _, err = call("profile", SMALL, SMALL, "--runs", "2", "--redo")
    warning, recorded = err.splitlines()
    assert (status, warning) == (0, f"warning: named again: {SMALL}; each model is recorded once")
    assert recorded.startswith("small: 2 blocks")


def test_what_is_interrupted_says_what_is_kept_and_how_to_go_on(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(campaign.Worker, "record", interrupt)
    status, _, err = call("profile", SMALL, "VGG16")
    assert status == 130
    assert "interrupted: 0 of 2 models are recorded in out; the same call goes on after them" in err


def test_what_is_interrupted_counts_a_single_model_as_one(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object, name: str, *__: object, **___: object) -> Recording:
        if name == "VGG16":
            raise KeyboardInterrupt
        return Recording(Path("out/small.json"), "small", 2, 0.1, fresh=True)

    monkeypatch.setattr(campaign.Worker, "record", interrupt)
    _, _, err = call("profile", SMALL, "VGG16")
    assert "interrupted: 1 of 2 models is recorded in out; the same call goes on after it" in err


def test_memory_that_ran_out_is_one_line(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise FailedModelError("NASNetLarge: memory ran out while it was timed")

    monkeypatch.setattr(campaign.Worker, "record", fail)
    status, _, err = call("profile", "NASNetLarge")
    assert status == 2
    assert err.splitlines() == ["NASNetLarge failed", "error: NASNetLarge: memory ran out while it was timed"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--runs", "0"], "equal to 1"),
        (["--batch", "0"], "equal to 1"),
        (["--stress", "cpu=half"], "--stress is written cpu=50,memory=90"),
        (["--limit", "40"], "has no unit"),
        (["--limit", "0 s"], "must be greater than 0 s"),
        (["--backend", "tenserflow"], "did you mean 'tensorflow'"),
        (["VGG16", "--output", "it.json"], "2 models cannot be written to one file"),
        (["--dataset", "digits32"], "there is no backbone 'small_for_cli:small'"),
        (["--dataset", "digits32", "--on", "me@far", "--rule", "all"], "not with --dataset: --rule; leave it out"),
        (["--epochs", "3"], "not without --dataset: --epochs; leave it out"),
    ],
)
def test_a_wrong_call_is_told_and_status_2(call: Any, arguments: list[str], words: str) -> None:
    status, out, err = call("profile", SMALL, *arguments)
    assert (status, out) == (2, "")
    assert words in err.replace("\n", " ")
