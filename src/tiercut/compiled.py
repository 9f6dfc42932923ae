"""One way to compile a kernel: cached on disk, and free of the interpreter's lock so that threads can share work."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit

from tiercut.kernel_cache import attach

__all__ = ["compiled"]

_ROOMS = ("optimizer", "solvers", "analysis")
"""Where kernels stand, in files whose names end in ``kernels.py``, and the named tuples that they take."""

_NAMES = ("*kernels.py", "arguments.py")

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Return the function compiled by numba when it is first called.

    NOTE: numba keeps what it compiled while the function's own file is unchanged, and does not see edits in files whose
    kernels it calls, or that define its arguments. So the stamp of every kernel here is that of all these files.
    """
    dispatcher = njit(nogil=True)(function)
    attach(dispatcher, function, _stamp())
    return cast("F", dispatcher)


@cache
def _stamp() -> tuple[tuple[str, float, int], ...]:
    rooms = Path(__file__).parent
    # Rooms are links in a checkout, and links are not followed by `rglob`.
    found = ((rooms / room).resolve().rglob(name) for room in _ROOMS for name in _NAMES)
    files = sorted(each for paths in found for each in paths)
    return tuple((f"{each.parent.name}/{each.name}", each.stat().st_mtime, each.stat().st_size) for each in files)
