"""When frames are born: at a steady pace, at random, or as a file says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from tiercut import documents
from tiercut.analysis.stream.layout import PICOSECONDS, whole
from tiercut.errors import InputError, QuestionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TRACE_LIMIT", "births", "read_trace"]

TRACE_LIMIT = 256 << 20
"""Bytes of a trace file."""


def births(arrivals: str, rate: float, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return when frames are born, in whole picoseconds; the first at 0.

    Parameters
    ----------
    arrivals
        ``periodic`` or ``poisson``.
    rate
        Frames per second.
    count
        How many frames.
    rng
        For random gaps; each is rounded to a picosecond.

    Raises
    ------
    QuestionError
        If they would take longer than a stream can last.
    """
    gap = whole(1.0 / rate, "the time between two frames")
    whole(1.5 * count / rate, f"a stream of {count:,} frames")
    if arrivals == "periodic":
        return np.arange(count, dtype=np.int64) * gap
    gaps = np.rint(rng.exponential(PICOSECONDS / rate, max(count - 1, 0))).astype(np.int64)
    return np.concatenate([np.zeros(min(count, 1), np.int64), np.cumsum(gaps)])


def read_trace(path: str | os.PathLike[str]) -> NDArray[np.int64]:
    """Return when frames are born from a file, in whole picoseconds.

    Parameters
    ----------
    path
        Text with a time in seconds on each line, rising; empty lines, and what follows a ``#``, do not count.

    Raises
    ------
    InputError
        If a line is no time of 0 or more, comes before the one above it, or there is none.
    """
    source, times = os.fspath(path), list[int]()
    for number, line in enumerate(documents.read_text(path, limit=TRACE_LIMIT).splitlines(), 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            seconds = float(text)
        except ValueError:
            seconds = float("nan")
        if not 0 <= seconds < float("inf"):
            raise InputError(f"{source}:{number}", f"expected a time of birth in seconds, 0 or more, got '{text}'")
        try:
            time = whole(seconds, "the trace")
        except QuestionError as error:
            raise InputError(f"{source}:{number}", str(error)) from None
        if times and time < times[-1]:
            raise InputError(
                f"{source}:{number}", f"{text} s comes before the time on the line above; a trace is in order of birth"
            )
        times.append(time)
    if not times:
        raise InputError(source, "there is no time of birth in it; a trace has one on each line, in seconds")
    return np.array(times, np.int64)
