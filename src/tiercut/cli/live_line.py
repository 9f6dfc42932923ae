"""A line on the terminal that says what goes on, for as long as it lasts."""

from __future__ import annotations

import time
from math import inf
from threading import Lock, Timer
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from tiercut.clock import seconds_left

if TYPE_CHECKING:
    from rich.console import Console

    from tiercut.stages import Stage

__all__ = ["LiveLine"]

_BAR, _SHARE, _TIME = 20, 5, 18  # columns
_BESIDE = _BAR + _SHARE + _TIME + 4


class LiveLine:
    """What goes on, a bar, and the time; it vanishes at the end.

    Parameters
    ----------
    what
        What is done while nobody says more.
    console
        Where it is shown.
    patience_s
        Seconds after which it appears.
    """

    def __init__(self, what: str, console: Console, patience_s: float) -> None:
        self._what, self._began, self._deadline = what, time.monotonic(), inf
        self._ended, self._lock = False, Lock()
        room = Column(no_wrap=True, overflow="ellipsis", max_width=max(console.width - _BESIDE, 10))
        words = TextColumn("{task.description}", markup=False, table_column=room)
        columns = (words, BarColumn(_BAR), _Share(), _Time(self))
        self._progress = Progress(*columns, console=console, transient=True, refresh_per_second=4)
        self._task = self._progress.add_task(what, total=None)
        self._shown = what
        self._timer = Timer(patience_s, self._appear)
        self._timer.daemon = True
        self._timer.start()

    def show(self, stage: Stage | None) -> None:
        """Show a stage, or that nobody says what goes on."""
        what = self._what if stage is None else stage.what
        if what != self._shown:  # a new task, as Rich lets none forget how much there was of it
            self._shown = what
            self._progress.remove_task(self._task)
            self._task = self._progress.add_task(what, total=None)
        left = seconds_left()
        self._deadline = inf if left == inf else time.monotonic() + left
        if stage is not None and stage.most > 0:
            self._progress.update(self._task, completed=stage.done, total=stage.most)

    @property
    def left_s(self) -> float:
        """The seconds that the time limit leaves; infinite where there is none."""
        return max(self._deadline - time.monotonic(), 0.0)

    @property
    def taken_s(self) -> float:
        """The seconds since it began."""
        return time.monotonic() - self._began

    def end(self) -> None:
        """Take the line away."""
        self._timer.cancel()
        with self._lock:
            self._ended = True
            self._progress.stop()

    def _appear(self) -> None:
        with self._lock:
            if not self._ended:
                self._progress.start()


class _Share(ProgressColumn):
    """How much is done, where that is known."""

    def __init__(self) -> None:
        super().__init__(table_column=Column(no_wrap=True, min_width=_SHARE))

    def render(self, task: Task) -> Text:
        return Text("" if task.total is None else f"{task.percentage:.0f} %")


class _Time(ProgressColumn):
    """The time left where it can be known, else the time taken."""

    def __init__(self, line: LiveLine) -> None:
        super().__init__(table_column=Column(no_wrap=True, min_width=_TIME))
        self._line = line

    def render(self, task: Task) -> Text:
        left, rest = self._line.left_s, task.time_remaining
        if rest is not None and rest <= left:
            return Text(f"about {_clock(rest)} left")
        if left < inf:
            return Text(f"at most {_clock(left)} left")
        return Text(f"for {_clock(self._line.taken_s)}")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
