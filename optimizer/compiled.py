"""One way to compile a kernel: cached on disk, and free of the interpreter's lock so that threads can share work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

__all__ = ["compiled"]

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Return the function compiled by numba when it is first called."""
    return cast("F", njit(cache=True, nogil=True)(function))
