"""Other load while a model is timed."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tiercut.cpus import cpu_count
from tiercut.errors import QuestionError
from tiercut.profiling.timing import stress
from tiercut.profiling.timing.stress import parse_stress, stressed


def script(folder: Path, said: str) -> str:
    return f'#!/bin/sh\necho "{said}" > {folder}/calls\nmv {folder}/calls {folder}/called\nexec sleep 60\n'


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stress-ng that writes down how it was called, and lasts until it is ended.

    It has settled once that is written down, or once it has ended.
    """
    path, started = tmp_path / "stress-ng", list[subprocess.Popen[str]]()
    path.write_text(script(tmp_path, "$@"))

    class Noted(subprocess.Popen[str]):
        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            started.append(self)

    def settle(_: float) -> None:
        until = time.monotonic() + 20
        while not (tmp_path / "called").exists() and started[-1].poll() is None and time.monotonic() < until:
            time.sleep(0.005)

    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(stress.subprocess, "Popen", Noted)
    monkeypatch.setattr(stress, "time", SimpleNamespace(sleep=settle))
    return path


def test_shares_are_read_in_per_cent() -> None:
    assert parse_stress("cpu=50, memory=90") == {"cpu": 0.5, "memory": 0.9}


@pytest.mark.parametrize("text", ["", "cpu", "cpu=0", "cpu=101", "cpu=50,cpu=60", "disk=5", "cpu=-5", "cpu=1.5"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(QuestionError, match="is written cpu=50,memory=90"):
        parse_stress(text)


def test_stress_ng_runs_for_as_long_as_the_block_lasts(program: Path) -> None:
    with stressed({"cpu": 0.5, "memory": 0.9}):
        called = (program.parent / "called").read_text().split()
    assert called == [
        "--quiet",
        "--cpu",
        str(cpu_count()),
        "--cpu-load",
        "50",
        "--vm",
        "1",
        "--vm-bytes",
        "90%",
        "--vm-keep",
    ]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system keeps nothing on a processor")
def test_one_processor_alone_is_kept_busy_by_one_worker_there(program: Path) -> None:
    program.write_text(script(program.parent, "$@ $(taskset -cp $$)"))
    before = os.sched_getaffinity(0)
    with stressed({"cpu": 0.5}, processor=max(before)):
        called = (program.parent / "called").read_text().split()
        assert os.sched_getaffinity(0) == before
    assert called[1:3] == ["--cpu", "1"]
    assert called[-1] == str(max(before))


def test_stress_ng_that_fails_is_told(program: Path) -> None:
    program.write_text("#!/bin/sh\necho 'no such option' >&2\nexit 2\n")
    with pytest.raises(QuestionError, match="ended with status 2: no such option"), stressed({"cpu": 0.5}):
        pass


def test_without_stress_ng_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(QuestionError, match="apt install stress-ng"), stressed({"cpu": 0.5}):
        pass
    with stressed({}):
        pass
