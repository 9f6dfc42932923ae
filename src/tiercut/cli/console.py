"""Where people read: tables and notes, wide enough not to be cut off in a pipe."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tiercut.cli import streams

if TYPE_CHECKING:
    from rich.console import Console

    from tiercut.solvers import Progress

__all__ = ["console", "note", "progress", "work_bar"]

_PATIENCE_S = 2.0
_PIPE_COLUMNS = 120
_FEWEST_COLUMNS = 20


def console(*, error: bool = False) -> Console:
    """Return a console on standard output or error, on which square brackets are brackets and no markup.

    In a pipe it has no colour, and the width that the variable COLUMNS says, else 120.
    """
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else _pipe_columns()
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)


def _pipe_columns() -> int:
    wanted = os.environ.get("COLUMNS", "")
    return max(int(wanted), _FEWEST_COLUMNS) if wanted.isascii() and wanted.isdecimal() else _PIPE_COLUMNS


def note(text: str) -> None:
    """Say something beside the answer, on standard error, unless --quiet was given."""
    streams.mention(text)


@contextmanager
def progress(what: str) -> Iterator[Progress | None]:
    """Give a callback that shows a bar once the work takes more than 2 s; nothing outside a terminal."""
    if streams.is_quiet() or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    words = TextColumn("{task.description}", markup=False)
    columns = (words, BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn())
    bar = Progress(*columns, console=console(error=True), transient=True)
    task, began = bar.add_task(what, total=None), time.monotonic()

    def report(done: int, total: int) -> None:
        if time.monotonic() - began > _PATIENCE_S:
            bar.start()
            bar.update(task, completed=float(done), total=float(total))

    try:
        yield report
    finally:
        bar.stop()


@contextmanager
def work_bar(what: str) -> Iterator[Callable[[str, float], None]]:
    """Give a callback that shows what is being done, a bar and the time left; it does nothing outside a terminal."""
    if streams.is_quiet() or not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    words = TextColumn("{task.description}", markup=False)
    columns = (words, BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=console(error=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda doing, share: bar.update(task, description=doing, completed=share)
