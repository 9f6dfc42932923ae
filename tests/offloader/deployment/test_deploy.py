"""``tiercut deploy``: steps are left out exactly where nothing has changed, and together they end in a checked plan."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tiercut.cli.commands.run.deploy import _steps
from tiercut.cli.steps import Step, run_steps
from tiercut.errors import InputError

Steps = Callable[..., list[str]]


@pytest.fixture
def run(tmp_path: Path) -> Steps:
    """Return what runs two steps, of which the second reads what the first writes, and returns those that ran."""

    def ran(*, option: str = "a", fails: str = "", source: Path = tmp_path / "source") -> list[str]:
        first, second = tmp_path / "first", tmp_path / "second"
        steps = [
            Step("one", ("make", option), (str(source),), (first,)),
            Step("two", ("use",), (str(first),), (second,)),
        ]
        called = []

        def call(step: Step) -> int:
            called.append(step.name)
            assert not step.writes[0].is_file()  # what was there before is no result of this call
            if step.name == fails:
                return 3
            step.writes[0].write_text(f"{step.command} of {Path(step.reads[0]).read_text()}")
            return 0

        status = run_steps(steps, tmp_path, lambda _: None, call)
        assert status == (3 if fails in called else 0)
        return called

    (tmp_path / "source").write_text("source")
    return ran


def test_what_was_done_is_left_out(run: Steps) -> None:
    assert run() == ["one", "two"]
    assert run() == []


def test_a_step_that_failed_is_where_the_next_call_begins(run: Steps) -> None:
    assert run(fails="two") == ["one", "two"]
    assert run() == ["two"]
    assert run(option="b", fails="one") == ["one"]
    assert run() == ["one"]  # it makes what it made before, so that the second is done already


def test_what_follows_from_a_change_is_done_again(run: Steps, tmp_path: Path) -> None:
    run()
    (tmp_path / "source").write_text("another")
    assert run() == ["one", "two"]
    assert run(option="b") == ["one", "two"]
    (tmp_path / "second").write_text("touched")
    assert run(option="b") == ["two"]
    (tmp_path / "first").unlink()
    assert run(option="b") == ["one"]


def test_a_folder_is_known_by_all_that_it_holds(tmp_path: Path) -> None:
    folder, ran = tmp_path / "folder", []
    (folder / "inner").mkdir(parents=True)
    step = Step("one", ("make",), (str(folder),), (tmp_path / "made",))

    def call(step: Step) -> int:
        ran.append(step.name)
        step.writes[0].write_text("made")
        return 0

    for change in ("a", "b", "b"):
        (folder / "inner" / "file").write_text(change)
        run_steps([step], tmp_path, lambda _: None, call)
    (folder / "inner" / "file").rename(folder / "inner" / "other")
    run_steps([step], tmp_path, lambda _: None, call)
    assert len(ran) == 3


def test_a_record_that_is_none_is_refused(run: Steps, tmp_path: Path) -> None:
    (tmp_path / "deploy.json").write_text('{"format": "something else"}')
    with pytest.raises(InputError, match=r"deploy\.json: expected the format tiercut\.deploy/1; remove it"):
        run()


def test_an_onnx_file_is_refused_with_what_to_call(shell_call: Any, tmp_path: Path) -> None:
    status, out, err = shell_call("deploy", "net.onnx", "digits32", "three-tiers", "-o", tmp_path / "made")
    assert (status, out) == (2, "")
    assert "call tiercut profile (with --exits and --data), solve, split and run for an ONNX file" in err


@pytest.mark.parametrize(
    ("topology", "more", "said"),
    [
        ("four-tiers", (), "four-tiers"),
        ("three-tiers", ("--min-accuracy", "lots"), "--min-accuracy"),
        ("three-tiers", ("--max-latency", "soon"), "--max-latency"),
        ("three-tiers", (), "made: cannot be made a folder"),
    ],
)
def test_what_cannot_be_solved_or_written_is_refused_before_anything_is_trained(
    shell_call: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, topology: str, more: tuple[str, ...], said: str
) -> None:
    monkeypatch.setattr("tiercut.cli.commands.run.deploy.run_steps", lambda *_: pytest.fail("a step ran"))
    (tmp_path / "made").write_text("a file")
    status, out, err = shell_call("deploy", "resnet20", "digits32", topology, *more, "-o", tmp_path / "made")
    assert (status, out) == (2, "")
    assert said in err


def test_samples_of_a_profile_are_recorded_again_where_they_are_gone(tmp_path: Path) -> None:
    how: dict[str, Any] = {"branches": "all", "epochs": 1, "frames": 1, "seed": 0}
    steps = _steps("resnet20", "digits32", "three-tiers", tmp_path, (), (), **how)
    record = next(each for each in steps if each.name == "record")
    names = ("profile.json", "profile.samples.npz", "profile.test.samples.npz")
    assert record.writes == tuple(tmp_path / name for name in names)


@pytest.mark.slow
def test_a_network_becomes_a_plan_at_work_in_one_call(shell_call: Any, tmp_path: Path) -> None:
    pytest.importorskip("grpc", reason="needs the extra 'offload'")
    pytest.importorskip("tensorflow", reason="needs the extra 'profiling'")
    call = ("deploy", "lenet", "digits16", "three-tiers", "--epochs", "3", "--limit", "2 s", "--frames", "10")
    status, out, err = shell_call(*call, "-o", tmp_path, "--json")
    assert status == 0, err
    made = json.loads(out)
    assert (made["frames"], made["answered"], made["same_as_uncut"]) == (10, 10, 10)
    assert all(Path(path).exists() for path in made["made"].values())
    status, out, err = shell_call(*call, "-o", tmp_path)
    assert status == 0
    assert err.count("done before") == 5
    status, _, err = shell_call(*call, "-o", tmp_path, "--min-accuracy", "100 %")
    assert status == 3
    assert "train: done before" in err
    assert "the same call goes on with this step" in err
