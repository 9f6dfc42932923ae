"""One way to compile a kernel: cached on disk, and free of the interpreter's lock so that threads can share work."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import njit
from numba.core.caching import FunctionCache
from numba.core.runtime import rtsys

__all__ = ["compiled"]

_ROOMS = ("optimizer", "solvers")
"""Where kernels stand, in files whose names end in ``kernels.py``, and the named tuples that they take."""

_NAMES = ("*kernels.py", "arguments.py")

F = TypeVar("F", bound=Callable[..., Any])

_KNOWN = (0, 68)
"""The version of numba of which it is known what compiled code needs to run."""


class _QuickCache(FunctionCache):  # type: ignore[misc]
    """A cache that reads compiled code without loading all that numba needs in order to compile.

    numba first imports everything that it could compile calls to, SciPy's linear algebra included, which takes longer
    than the code that was asked for. What is in the cache needs the runtime alone; numba loads the rest by itself once
    something is to be compiled.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)


def compiled(function: F) -> F:
    """Return the function compiled by numba when it is first called.

    NOTE: numba keeps what it compiled while the function's own file is unchanged, and does not see edits in files whose
    kernels it calls, or that define its arguments. So the stamp of every kernel here is that of all these files.
    """
    dispatcher = njit(cache=True, nogil=True)(function)
    if numba.version_info.short == _KNOWN:
        dispatcher._cache = _QuickCache(function)
    file = dispatcher._cache._cache_file
    file._source_stamp = _stamp()
    file._load_index = _forgiving(file._load_index)
    return cast("F", dispatcher)


def _forgiving(load: Callable[[], dict[Any, str]]) -> Callable[[], dict[Any, str]]:
    """Return what reads the index of compiled code, or no entries where the index names a class that is gone.

    NOTE: numba reads the types of the arguments, named tuples among them, before it looks at the stamp.
    """

    def read() -> dict[Any, str]:
        try:
            return load()
        except (AttributeError, ImportError):
            return {}

    return read


@cache
def _stamp() -> tuple[tuple[str, float, int], ...]:
    rooms = Path(__file__).parent
    # Rooms are links in a checkout, and links are not followed by `rglob`.
    found = ((rooms / room).resolve().rglob(name) for room in _ROOMS for name in _NAMES)
    files = sorted(each for paths in found for each in paths)
    return tuple((f"{each.parent.name}/{each.name}", each.stat().st_mtime, each.stat().st_size) for each in files)
