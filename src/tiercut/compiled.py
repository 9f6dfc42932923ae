"""One way to compile a kernel: cached on disk, and free of the interpreter's lock so that threads can share work.

A module of kernels is imported without numba, which takes as long as many an answer does; it is loaded with the first
call of a kernel, and all kernels that there are become numba's own at once, because they call each other by name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache, update_wrapper
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar, cast

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
    with _LOCK:
        kernel = _Kernel(function)
        _WAITING.append(kernel)
    return cast("F", kernel)


class _Kernel:
    """Stands for a kernel until numba is loaded; whoever holds on to it longer is passed on."""

    def __init__(self, function: Callable[..., Any]) -> None:
        update_wrapper(self, function)
        self._function, self._dispatcher = function, cast("Any", None)

    def __call__(self, *args: Any) -> Any:
        return _dispatcher_of(self)(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(_dispatcher_of(self), name)


_LOCK = RLock()
_WAITING: list[_Kernel] = []


def _dispatcher_of(kernel: _Kernel) -> Any:
    """Return what numba compiles by, once it stands in all modules that know a kernel that was waiting."""
    with _LOCK:
        if kernel._dispatcher is None:
            from numba import njit

            from tiercut.kernel_cache import attach

            waiting = _WAITING[:]
            made = [njit(nogil=True)(each._function) for each in waiting]
            for each, dispatcher in zip(waiting, made, strict=True):
                attach(dispatcher, each._function, _stamp())
            for each, dispatcher in zip(waiting, made, strict=True):
                each._dispatcher = dispatcher
            del _WAITING[: len(waiting)]  # all at once, and last: what failed is tried again with the next call
            for names in _modules(waiting):
                for name, value in list(names.items()):
                    if isinstance(value, _Kernel) and value._dispatcher is not None:
                        names[name] = value._dispatcher
        return kernel._dispatcher


def _modules(kernels: list[_Kernel]) -> list[dict[str, Any]]:
    """Return the names of every module that may know a kernel: those of the package, and their own."""
    known = [vars(module) for name, module in list(sys.modules.items()) if name.split(".")[0] == "tiercut"]
    own = {id(each._function.__globals__): each._function.__globals__ for each in kernels}
    return [*known, *(names for names in own.values() if all(names is not each for each in known))]


@cache
def _stamp() -> tuple[tuple[str, float, int], ...]:
    rooms = Path(__file__).parent
    # Rooms are links in a checkout, and links are not followed by `rglob`.
    found = ((rooms / room).resolve().rglob(name) for room in _ROOMS for name in _NAMES)
    files = sorted(each for paths in found for each in paths)
    return tuple((f"{each.parent.name}/{each.name}", each.stat().st_mtime, each.stat().st_size) for each in files)
