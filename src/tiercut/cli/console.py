"""Where people read: tables and notes, wide enough not to be cut off in a pipe."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tiercut.cli import streams
from tiercut.stages import listening

if TYPE_CHECKING:
    from rich.console import Console

    from tiercut.stages import Stage

__all__ = ["at_work", "console", "note", "show_compiling"]

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


class _Noted(logging.Handler):
    """Hands what a library logs on to who reads standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())


def show_compiling() -> None:
    """Let notes say when kernels are compiled, or found damaged: else a pipe is silent for up to a minute."""
    log = logging.getLogger("tiercut.kernel_cache")
    if not any(isinstance(each, _Noted) for each in log.handlers):
        log.addHandler(_Noted())
        log.setLevel(logging.INFO)


@contextmanager
def at_work(what: str) -> Iterator[Callable[[Stage | None], None]]:
    """Show what goes on, how far it is and how long it takes, on a terminal and once it lasts more than 2 s.

    What is shown are the stages of `tiercut.stages` and what is handed to the function that this gives. The line comes
    from a thread of its own, so that it appears whether or not the work ever says anything.
    """
    if streams.is_quiet() or not sys.stderr.isatty():
        yield lambda _: None
        return
    from tiercut.cli.live_line import LiveLine

    line = LiveLine(what, console(error=True), _PATIENCE_S)
    try:
        with listening(line.show):
            yield line.show
    finally:
        line.end()
