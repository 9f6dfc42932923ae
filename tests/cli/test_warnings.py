"""What a command says beside its answer: every warning once, and nothing with --quiet."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from support.made import exits_data, profile_data

from tiercut.cli import main

pytestmark = pytest.mark.filterwarnings("always::tiercut.TiercutWarning")
FALLING = exits_data([0.5, 0.75, 0.9], [0.5, 0.25, 0.9], alone=True)


@pytest.fixture
def doubtful(tmp_path: Path) -> str:
    """Return a profile with two devices whose times are doubtful, spans without their branch, and falling rates."""
    spans = [[0.0, 2.0, 3.0], [1.0, 2.0], [1.0]]
    data = profile_data([0.0, 1.0, 1.0], [1, 1, 1, 1], span_s=spans, exits=FALLING)
    data["devices"]["e"] = {"block_s": [1.0, 0.0, 1.0]}
    path = tmp_path / "doubtful.json"
    path.write_text(json.dumps(data))
    return str(path)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> tuple[str, list[str]]:
        """Return standard output, and the lines of standard error."""
        monkeypatch.setattr(sys, "argv", ["tiercut", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        said = capsys.readouterr()
        assert not stop.value.code, said.err
        return said.out, said.err.splitlines()

    return run


def test_warnings_of_one_file_come_once_and_name_all_devices(call: Any, doubtful: str, tmp_path: Path) -> None:
    plot = tmp_path / "x.png"
    _, said = call("solve", "mobile", doubtful, "--exits", "free", "--plot", str(plot))
    assert [line.split(": ", 2)[2].split(";")[0] for line in said if line.startswith("warning: ")] == [
        "there are times of exactly 0: block 1 on 'd', block 2 on 'e'",
        "the exit rate falls with depth at branch 2, though evaluated alone a deeper branch should let more samples go",
        "spans were timed with their branch alone on d, so pieces that end without a branch are priced as if they had "
        "one",
    ]
    assert said[-1] == f"drew {plot}"


def test_two_files_with_the_same_fault_are_warned_of_once(call: Any, doubtful: str, tmp_path: Path) -> None:
    data = json.loads(Path(doubtful).read_text())
    paths = []
    for name in "fg":
        paths.append(str(tmp_path / f"{name}.json"))
        Path(paths[-1]).write_text(json.dumps(data | {"devices": {name: {"block_s": [1.0, 1.0, 1.0]}}}))
    _, said = call("merge", *paths, "--output", str(tmp_path / "merged.json"))
    assert [line.split(":")[0] for line in said] == ["warning", "made on f, g"]


@pytest.mark.parametrize("before", [True, False])
def test_quiet_prints_the_answer_alone(call: Any, doubtful: str, tmp_path: Path, before: bool) -> None:
    plot = tmp_path / "x.png"
    asked = ["solve", "mobile", doubtful, "--exits", "free", "--plot", str(plot), "--json"]
    out, said = call(*["--quiet"] * before, *asked, *["--quiet"] * (not before))
    assert json.loads(out)["plans"]
    assert said == []
    assert plot.exists()


def test_quiet_holds_for_one_call_and_leaves_errors(
    call: Any, doubtful: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AssertionError, match="there is no such file"):
        call("show", "nothing.json", "--quiet")
    assert call("show", doubtful)[1]


def test_what_stands_behind_two_dashes_is_no_option(call: Any) -> None:
    with pytest.raises(AssertionError, match="--quiet"):
        call("show", "--", "--quiet")
