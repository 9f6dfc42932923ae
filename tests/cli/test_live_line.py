"""The live line: on a terminal, once something lasts, it says what goes on, how far, and for how long."""

from __future__ import annotations

import io
import re
import time
from types import SimpleNamespace

import pytest

import tiercut
from tiercut.cli import console, streams
from tiercut.clock import time_limit
from tiercut.stages import Stage, listening, stage


class Terminal(io.StringIO):
    """Standard error of a terminal of 80 columns."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    stream = Terminal()
    _set(monkeypatch, stream)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(console, "_PATIENCE_S", 0.05)
    return stream


def _set(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> None:
    """Make it standard error for the console: pytest puts its own into `sys` at every step of a test."""
    monkeypatch.setattr(console, "sys", SimpleNamespace(stdout=io.StringIO(), stderr=stream))


def lines(stream: io.StringIO) -> list[str]:
    """Return what was drawn, frame by frame, without what moves the cursor and sets colours."""
    return [line for line in re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())) if line]


def drawn(stream: io.StringIO, pattern: str) -> bool:
    """Wait until a line is there that holds what is looked for, and return whether it is."""
    until = time.monotonic() + 20
    while not (found := any(re.search(pattern, line) for line in lines(stream))) and time.monotonic() < until:
        time.sleep(0.02)
    return found


def test_work_that_says_nothing_is_shown_with_the_time_that_it_takes(terminal: Terminal) -> None:
    with console.at_work("answering"):
        assert drawn(terminal, r"^answering +━+ +for 0:\d\d")


def test_work_that_is_soon_done_shows_nothing(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_PATIENCE_S", 600.0)
    with console.at_work("answering"), stage("searching") as step:
        step(1, 2)
    assert "answering" not in terminal.getvalue()
    assert "searching" not in terminal.getvalue()


def test_a_stage_says_what_goes_on_how_far_it_is_and_how_long_it_will_take(terminal: Terminal) -> None:
    with console.at_work("answering"), stage("searching") as step:
        for done in range(1, 8):
            step(done, 10)
            time.sleep(0.1)
        assert drawn(terminal, r"^searching .*\d0 % +about 0:\d\d left"), lines(terminal)
    assert max(map(len, lines(terminal))) <= 80


def test_a_time_limit_bounds_what_is_left(terminal: Terminal) -> None:
    with console.at_work("answering"), time_limit(60), stage("searching"):
        assert drawn(terminal, "at most (1:00|0:[345][0-9]) left")


def test_a_long_name_leaves_one_line_with_the_time(terminal: Terminal) -> None:
    with console.at_work("answering"), stage("training " + "long" * 30) as step:
        step(1, 2)
        assert drawn(terminal, "^training.*50 %")
    shown = [line for line in lines(terminal) if line.startswith("training")]
    assert shown
    assert all("…" in line and re.search(r"50 % +(for|about) 0:\d\d", line) for line in shown), shown
    assert max(map(len, shown)) <= 80


def test_names_in_it_are_no_markup(terminal: Terminal) -> None:
    with console.at_work("answering") as show:
        show(Stage("training [bold]net[/]", 1, 2))
        assert drawn(terminal, re.escape("training [bold]net[/]"))


@pytest.mark.parametrize("how", ["pipe", "quiet"])
def test_nothing_is_shown_in_a_pipe_or_where_quiet_is_asked_for(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    stream = io.StringIO() if how == "pipe" else terminal
    _set(monkeypatch, stream)
    streams.hush(how == "quiet")
    try:
        with console.at_work("answering"), stage("searching"):
            time.sleep(0.3)
    finally:
        streams.hush(False)
    assert stream.getvalue() == ""


def test_the_line_vanishes_with_an_error(terminal: Terminal) -> None:
    def interrupted() -> None:
        with console.at_work("answering"), stage("searching"):
            assert drawn(terminal, "searching")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert terminal.getvalue().endswith(("\x1b[2K", "\x1b[?25h", "\x1b[1A\x1b[2K"))  # erased, the cursor shown again


def test_of_stages_in_each_other_the_outermost_that_knows_how_far_it_is_is_told() -> None:
    heard: list[Stage | None] = []
    with listening(heard.append), stage("setting up"), stage("candidates") as outer:
        with stage("solver") as inner:
            inner(1, 4)
        outer(1, 2)
        with stage("solver") as inner:
            inner(3, 4)
    assert heard[2:5] == [Stage("solver"), Stage("solver", 1, 4), Stage("candidates")]
    assert heard[5:8] == [Stage("candidates", 1, 2)] * 3
    assert heard[-1] is None


@pytest.mark.parametrize(
    ("asked", "stages"),
    [
        ({}, ["setting up the question", "solver labels"]),
        ({"solver": "cp-sat", "exits": "final"}, ["solver cp-sat"]),
        ({"evaluate": "replay", "exits": "free", "time_limit": "1 s"}, ["looking for candidates, replaying them"]),
    ],
)
def test_a_question_says_what_it_is_doing(asked: dict[str, str], stages: list[str]) -> None:
    heard: list[Stage | None] = []
    with listening(heard.append):
        tiercut.solve("mobile", "resnet20-digits32", min_accuracy=0.9, **asked)  # type: ignore[arg-type]
    said = {each.what for each in heard if each is not None}
    assert said >= set(stages)
