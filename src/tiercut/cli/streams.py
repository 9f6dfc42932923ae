"""Standard streams as they may come: closed, in an encoding without arrows, or with a reader that goes away."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, TextIO

from tiercut import plain_text

__all__ = ["flush", "forsake", "hush", "is_quiet", "mend", "mention", "say"]

_quiet = False


def mend() -> None:
    """Open the streams that whoever called has closed, and let all of them print signs that they do not have."""
    for place in range(3):
        _open_if_closed(place)
    # A closed stream is None in `sys`, and print() would write to another one instead.
    if sys.stdout is None:
        sys.stdout = _nowhere()
    if sys.stderr is None:
        sys.stderr = _nowhere()
    plain_text.register()
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=plain_text.ERRORS)


def _open_if_closed(place: int) -> None:
    """Keep the next file that is opened, such as a cache, from becoming standard output or error."""
    try:
        os.fstat(place)
    except OSError:
        os.open(os.devnull, os.O_RDONLY if place == 0 else os.O_WRONLY)  # takes the first place that is free


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 for as long as the process runs


def flush() -> None:
    """Write out what is buffered, where there is a stream."""
    if not sys.stdout.closed:
        sys.stdout.flush()


def forsake(stream: TextIO) -> None:
    """Give a stream up whose reader or device has gone, so that nothing tries it once more when Python ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def hush(quiet: bool = True) -> None:
    """Say only what must be said from now on, or everything again."""
    global _quiet  # noqa: PLW0603 as streams are, it is one for the process
    _quiet = quiet


def is_quiet() -> bool:
    """Return whether only what must be said is said."""
    return _quiet


def mention(text: str) -> None:
    """Print lines on standard error that nobody has to read; see `hush`."""
    if not _quiet:
        say(text)


def say(text: str) -> None:
    """Print lines on standard error; where it cannot be written either, there is nobody to say it to."""
    try:
        print(plain_text.printable(text), file=sys.stderr, flush=True)
    except (OSError, ValueError):
        forsake(sys.stderr)
