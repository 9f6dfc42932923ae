"""The command on streams that are closed, hold ASCII alone, or lose their reader, and with Ctrl-C at any moment."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
import tomllib

import pytest
from support.checkout import ROOT

from tiercut.cli.console import console

SHOW = "show mobile"
REPLACED = {"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def shell(call: str, redirection: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    command = f"{shlex.quote(sys.executable)} -m tiercut {call} {redirection}"
    known = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "PYTHONIOENCODING")}
    return subprocess.run(
        ["bash", "-c", command], env=known | environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_answer_is_printed_though_standard_error_is_closed() -> None:
    done = shell("show mobile", "2>&-")
    assert done.returncode == 0
    assert "watch" in done.stdout


def test_an_error_with_standard_error_closed_keeps_its_status_and_prints_nothing_elsewhere() -> None:
    done = shell("show nothing-of-this-name", "2>&-")
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("environment", REPLACED)
def test_streams_without_arrows_get_plain_ones(environment: dict[str, str]) -> None:
    done = shell(SHOW, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "watch > phone > base" in done.stdout
    assert "| watch - phone |" in done.stdout
    assert done.stdout.isascii()


@pytest.mark.parametrize("call", [SHOW, "schema profile", "solve --help"])
def test_a_reader_that_goes_away_has_had_its_answer(call: str) -> None:
    done = shell(call, "| true; exit ${PIPESTATUS[0]}")
    assert (done.returncode, done.stderr) == (0, "")


def test_columns_count_in_a_pipe() -> None:
    done = shell("solve --help", COLUMNS="50")
    assert max(map(len, done.stdout.splitlines())) <= 50


@pytest.mark.parametrize(("columns", "width"), [("64", 64), ("", 120), ("wide", 120), ("1", 20)])
def test_tables_in_a_pipe_are_as_wide_as_columns_says(
    monkeypatch: pytest.MonkeyPatch, columns: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert console().width == width


def test_ctrl_c_while_the_package_is_imported_is_one_line_and_status_130() -> None:
    pressed = """
import sys
class Pressed:
    def find_spec(self, name, *_):
        if name == "tiercut.shown":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Pressed())
"""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    module, function = scripts["tiercut"].split(":")
    call = f"{pressed}from {module} import {function} as main; main()"
    done = subprocess.run([sys.executable, "-c", call, "show"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "error: interrupted\n")


def test_ctrl_c_at_any_moment_is_one_line_and_status_130() -> None:
    """Or the whole answer has been written: what ends then is Python, in silence and by the signal."""
    command = [sys.executable, "-c", "print(1, flush=True); from tiercut.cli import main; main()", "show", "mobile"]
    whole = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for wait_s in (0.2, 0.4, 0.8):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        first = process.stdout.readline()  # from here on it is ours, and no longer Python's own start
        time.sleep(wait_s)
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=60)
        assert process.returncode in (0, 130, -signal.SIGINT)  # the shell says 130 for the last, too
        if process.returncode == 130 or first + rest != whole:
            assert said == "error: interrupted\n"
        else:
            assert said == ""
