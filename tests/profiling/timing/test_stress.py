"""Other load while a model is timed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tiercut.cpus import cpu_count
from tiercut.errors import QuestionError
from tiercut.profiling.timing import stress
from tiercut.profiling.timing.stress import parse_stress, stressed


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stress-ng that writes down how it was called, and lasts until it is ended."""
    path = tmp_path / "stress-ng"
    path.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\nexec sleep 60\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(stress, "_SETTLING_S", 0.2)
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
    program.write_text(f'#!/bin/sh\necho "$@" $(taskset -cp $$) > {program.parent}/called\nexec sleep 60\n')
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
