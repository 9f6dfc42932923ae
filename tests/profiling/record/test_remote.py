"""Recording on another machine over ssh: here an ``ssh`` on the PATH that runs the command in another home."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.checkout import ROOT

import tiercut.profiling
from tiercut.cli import main
from tiercut.errors import InputError, QuestionError
from tiercut.profiling.models.onnx.options import OnnxOptions
from tiercut.profiling.profile.files import load_profile, save_profile
from tiercut.profiling.profile.schema import FORMAT, Profile
from tiercut.profiling.record.remote import command_line, record_remotely
from tiercut.profiling.record.settings import Settings
from tiercut.profiling.timing.timing import Effort


def data_of(device: str, seconds: float = 1.0, **changes: Any) -> dict[str, Any]:
    blocks = [{"name": "first", "output_bytes": 8.0}, {"name": "second", "output_bytes": 4.0}]
    data = {"format": FORMAT, "model": "Small", "input_bytes": 16.0, "blocks": blocks}
    return data | {"devices": {device: {"block_s": [seconds, seconds]}}} | changes


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home on the other machine, with a tiercut that prints what lies in ``answer`` and keeps its arguments."""
    home = tmp_path / "far"
    programs = tmp_path / "bin"
    (home / "bin").mkdir(parents=True)
    programs.mkdir()
    ssh = programs / "ssh"
    ssh.write_text(
        '#!/bin/sh\n[ "$1 $2" = "-o BatchMode=yes" ] || exit 9\n[ "$3" = me@far ] || exit 255\n'
        f'shift 3\ncd {home} && HOME={home} PATH={home}/bin:/usr/bin:/bin exec sh -c "$*"\n'
    )
    tiercut = home / "bin" / "tiercut"
    tiercut.write_text(
        '#!/bin/sh\nprintf "%s\\n" "$@" > called\necho "1 of 1: timing" >&2\ncat answer\nexit $(cat status)\n'
    )
    for program in (ssh, tiercut):
        program.chmod(0o755)
    (home / "answer").write_text(json.dumps(data_of("pi")) + "\n")
    (home / "status").write_text("0")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return home


def test_what_the_other_machine_records_is_kept_here(
    far: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arrived: list[str] = []
    record_remotely(
        "me@far",
        ["Small"],
        tmp_path / "out",
        Settings(device="my pi", stress={"cpu": 0.5}),
        finished=lambda profile, _: arrived.append(profile.model),
    )
    assert load_profile(tmp_path / "out" / "small.json").devices["pi"].block_s == [1.0, 1.0]
    assert arrived == ["Small"]
    called = (far / "called").read_text().splitlines()
    assert called[:4] == ["profile", "Small", "--device", "my pi"]
    assert called[-5:] == ["--stress", "cpu=50", "--output", ".tiercut/profiles", "--json"]
    assert "1 of 1: timing" in capfd.readouterr().err


def test_the_device_is_added_to_the_profile_that_is_here(far: Path, tmp_path: Path) -> None:
    target = tmp_path / "it.json"
    save_profile(Profile.from_data(data_of("here", 2.0)), target)
    record_remotely("me@far", ["Small"], target)
    assert list(load_profile(target).devices) == ["here", "pi"]
    (far / "answer").write_text(json.dumps(data_of("pi", 3.0)) + "\n")
    with pytest.raises(InputError, match="other times for the device 'pi' already"):
        record_remotely("me@far", ["Small"], target)
    record_remotely("me@far", ["Small"], target, Settings(redo=True))
    assert load_profile(target).devices["pi"].block_s == [3.0, 3.0]
    assert list(load_profile(target).devices) == ["here", "pi"]


def test_other_blocks_there_are_refused_and_nothing_here_is_lost(far: Path, tmp_path: Path) -> None:
    target = tmp_path / "it.json"
    save_profile(Profile.from_data(data_of("here")), target)
    before = target.read_bytes()
    (far / "answer").write_text(json.dumps(data_of("pi", blocks=[{"name": "other", "output_bytes": 8.0}] * 2)) + "\n")
    with pytest.raises(InputError, match="block 1 differs first"):
        record_remotely("me@far", ["Small"], target)
    assert target.read_bytes() == before


def test_a_model_file_is_sent_there(far: Path, tmp_path: Path) -> None:
    (tmp_path / "my model.keras").write_bytes(b"\x00model")
    record_remotely("me@far", [str(tmp_path / "my model.keras")], tmp_path)
    assert (far / ".tiercut" / "models" / "my model.keras").read_bytes() == b"\x00model"
    assert (far / "called").read_text().splitlines()[1] == ".tiercut/models/my model.keras"
    with pytest.raises(InputError, match="cannot be read"):
        record_remotely("me@far", [str(tmp_path / "none.keras")], tmp_path)


def with_exits(far: Path, device: str, *, accuracy: float = 0.5) -> str:
    """Lay the samples of a network with exits where the other machine keeps them; return what it prints."""
    folder = far / ".tiercut" / "profiles"
    folder.mkdir(parents=True, exist_ok=True)
    exits = {"thresholds": [0.5, 1.0], "exit_rate": [[0.5, 0.5], [1.0, 0.0]], "accuracy": [accuracy, 1.0]}
    keys: dict[str, Any] = {"exits": exits, "dataset": "bright", "classes": 2, "samples": 4000}
    for key, part in (("samples", ""), ("test_samples", ".test")):
        path = folder / f"Net{part}.samples.npz"
        path.write_bytes(f"{key} {accuracy}".encode())
        keys |= {f"{key}_file": path.name, f"{key}_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    return json.dumps(data_of(device, **keys)) + "\n"


def test_samples_of_exits_come_back_with_their_profile(far: Path, tmp_path: Path) -> None:
    (far / "answer").write_text(with_exits(far, "pi"))
    out = tmp_path / "out"
    record_remotely("me@far", ["net.keras:of"], out)
    profile = load_profile(out / "Net.json")
    assert profile.samples_file == "Net.samples.npz"
    assert (out / "Net.samples.npz").read_bytes() == b"samples 0.5"
    assert (out / "Net.test.samples.npz").read_bytes() == b"test_samples 0.5"
    named = tmp_path / "it.json"
    record_remotely("me@far", ["net.keras:of"], named)
    assert load_profile(named).test_samples_file == "it.test.samples.npz"
    assert (tmp_path / "it.samples.npz").exists()
    (far / ".tiercut" / "profiles" / "Net.samples.npz").write_bytes(b"other")
    with pytest.raises(InputError, match=r"'Net\.samples\.npz' there is not the file"):
        record_remotely("me@far", ["net.keras:of"], tmp_path / "other.json")


def test_exits_that_are_here_stay_unless_they_are_to_be_recorded_again(far: Path, tmp_path: Path) -> None:
    target = tmp_path / "it.json"
    (far / "answer").write_text(with_exits(far, "pi"))
    record_remotely("me@far", ["net"], target)
    first = load_profile(target)
    (far / "answer").write_text(with_exits(far, "edge", accuracy=0.5005))
    record_remotely("me@far", ["net"], target)
    both = load_profile(target)
    assert (list(both.devices), both.exits, both.samples_sha256) == (["pi", "edge"], first.exits, first.samples_sha256)
    (far / "answer").write_text(with_exits(far, "tv", accuracy=0.9))
    with pytest.raises(InputError, match=r"me@far: has other exits than .*it\.json: accuracy differs; say --redo"):
        record_remotely("me@far", ["net"], target)
    assert load_profile(target) == both
    record_remotely("me@far", ["net"], target, Settings(redo=True))
    again = load_profile(target)
    assert again.exits is not None
    assert (list(again.devices), again.exits.accuracy[0]) == (["pi", "edge", "tv"], 0.9)
    assert (tmp_path / "it.samples.npz").read_bytes() == b"samples 0.9"


def test_a_data_set_that_is_a_file_is_sent_and_a_folder_is_refused(far: Path, tmp_path: Path) -> None:
    (tmp_path / "shapes.npz").write_bytes(b"shapes")
    record_remotely("me@far", ["lenet"], tmp_path, Settings(dataset=str(tmp_path / "shapes.npz"), epochs=3))
    called = (far / "called").read_text().splitlines()
    assert called[called.index("--dataset") + 1] == ".tiercut/data/shapes.npz"
    assert (far / ".tiercut" / "data" / "shapes.npz").read_bytes() == b"shapes"
    with pytest.raises(QuestionError, match=r"a folder of images is not sent to another machine; make .* a \.npz file"):
        record_remotely("me@far", ["lenet"], tmp_path, Settings(dataset=str(tmp_path)))


def test_the_other_command_is_given_every_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `command_line` writes, ``tiercut profile`` reads as the same settings."""
    from tiercut.profiling.record import campaign

    settings = Settings(
        device="my pi", rule="scission", batch=3, size=(20, 30), weights="imagenet", trust=True, threads=1,
        backend="torch", jit=True, stress={"cpu": 0.5, "memory": 0.9},
        stress_levels=(0.0, 0.45, 0.9), effort=Effort(7, 7, 0.5, 2, 1, 9.0),
        statistic="p25", clock="cpu", check=4, redo=True, dataset="digits8", thresholds="0.1,0.5", epochs=6, seed=2,
        runtime="onnx",
        onnx=OnnxOptions(
            sizes={"a=b": (1, 2), "s": ()}, constants={"sr": (16000,)}, state=("h", "c"), tensors=3, cuts=("t", "u"),
            exits=("e", "f"), data="samples.npz", provider="cpu",
        ),
    )  # fmt: skip
    seen: list[Settings] = []

    def recorded(names: Any, output: Any, settings: Settings, **_: Any) -> Any:
        seen.append(settings)
        return campaign.Campaign(())

    monkeypatch.setattr(tiercut.profiling, "record_models", recorded)
    monkeypatch.setattr(tiercut.profiling, "prepared", lambda models, *_, **__: models)
    monkeypatch.setattr(sys, "argv", ["tiercut", "profile", "net", *command_line(settings)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    assert seen == [settings]


@pytest.mark.parametrize(
    ("host", "command", "status", "words"),
    [
        ("me@nowhere", "tiercut", "0", "ssh cannot reach me@nowhere"),
        ("me@far", "other", "0", "there is no 'other' on me@far.*--remote-command"),
        ("me@far", "tiercut", "2", "me@far could not record everything"),
        ("-oProxyCommand=x", "tiercut", "0", "is no host"),
    ],
)
def test_what_goes_wrong_there_is_told(
    far: Path, tmp_path: Path, host: str, command: str, status: str, words: str
) -> None:
    (far / "status").write_text(status)
    with pytest.raises(QuestionError, match=words):
        record_remotely(host, ["Small"], tmp_path / "out", command=command)


def test_what_is_no_profile_is_refused(far: Path, tmp_path: Path) -> None:
    (far / "answer").write_text("Welcome!\n")
    with pytest.raises(InputError, match="expected a profile, got 'Welcome!'"):
        record_remotely("me@far", ["Small"], tmp_path / "out")


def test_without_ssh_the_message_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(QuestionError, match="no 'ssh' on the PATH"):
        record_remotely("me@far", ["Small"], tmp_path)


@pytest.mark.slow
def test_a_network_is_recorded_there_by_the_real_command(
    far: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorflow")
    program = f'#!/bin/sh\nPYTHONPATH={ROOT / "src"} exec {sys.executable} -m tiercut "$@"\n'
    (far / "bin" / "tiercut").write_text(program)
    call = ["profile", "resnet20", "--on", "me@far", "--device", "pi", "--output", str(tmp_path / "out"), "--runs", "2"]
    monkeypatch.setattr(sys, "argv", ["tiercut", *call, "--threads", "1", "--input-size", "16"])
    main_status = 0
    try:
        main()
    except SystemExit as stop:
        main_status = int(stop.code or 0)
    said = capfd.readouterr()
    assert (main_status, said.out) == (0, ""), said.err
    assert "resnet20 on pi (me@far)" in said.err
    assert load_profile(tmp_path / "out" / "resnet20.json").devices["pi"].threads == 1
    assert (far / ".tiercut" / "profiles" / "resnet20.json").exists()


def test_an_onnx_file_is_recorded_there_as_here(
    far: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell_call: Callable[..., tuple[int, str, str]]
) -> None:
    models = pytest.importorskip("support.onnx_models")
    paths = os.pathsep.join([str(ROOT / "src"), *filter(None, sys.path)])
    (far / "bin" / "tiercut").write_text(f'#!/bin/sh\nPYTHONPATH="{paths}" exec {sys.executable} -m tiercut "$@"\n')
    monkeypatch.chdir(tmp_path)
    models.saved(tmp_path, models.residual(size=None))
    there = ["--on", "me@far", "--device", "pi"]
    options = ["--input", "x=1x3x8x8", "--tensors", "2", "--runs", "2", "--threads", "1"]
    status, _, err = shell_call("profile", "net.onnx", *there, "--output", "it.json", *options)
    assert status == 0, err
    profile = load_profile(tmp_path / "it.json")
    assert profile.devices["pi"].backend == "onnxruntime"
    assert max(len(block.tensors or ()) for block in profile.blocks) == 2
