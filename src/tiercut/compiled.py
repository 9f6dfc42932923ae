"""One way to compile a kernel: cached on disk, and free of the interpreter's lock so that threads can share work."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit

from tiercut.kernel_cache import attach

__all__ = ["compiled"]

_ROOMS = ("optimizer", "solvers")
"""Where kernels stand, in files whose names end in ``kernels.py``."""

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Return the function compiled by numba when it is first called.

    NOTE: numba keeps what it compiled while the function's own file is unchanged, and does not see edits in files whose
    kernels it calls. So the stamp of every kernel here is that of all files of kernels.
    """
    dispatcher = njit(nogil=True)(function)
    attach(dispatcher, function, _stamp())
    return cast("F", dispatcher)


@cache
def _stamp() -> tuple[tuple[str, float, int], ...]:
    rooms = Path(__file__).parent
    # Rooms are links in a checkout, and links are not followed by `rglob`.
    files = sorted(each for room in _ROOMS for each in (rooms / room).resolve().rglob("*kernels.py"))
    return tuple((f"{each.parent.name}/{each.name}", each.stat().st_mtime, each.stat().st_size) for each in files)
