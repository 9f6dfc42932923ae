"""How much memory there is, so that what can never fit is refused before the machine is full; what is kept of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["available", "check_room", "freed_given_back", "keep_freed"]

_CGROUP = Path("/sys/fs/cgroup/memory.max")

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""What glibc's ``mallopt`` can set, as in its ``malloc.h``."""


def available() -> int:
    """Return the bytes that this process may use at most: those of the machine, its container or its limit."""
    limits = [sys.maxsize]
    with suppress(AttributeError, ValueError, OSError):  # Windows has no sysconf
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(OSError, ValueError):  # no Linux, no container, or "max"
        limits.append(int(_CGROUP.read_text(encoding="ascii")))
    with suppress(ImportError, ValueError, OSError):
        import resource

        limits.append(resource.getrlimit(resource.RLIMIT_AS)[0])
    return min(each for each in limits if each > 0)  # no limit is -1


def check_room(size: float, what: str) -> None:
    """Refuse what needs more memory than there can be.

    Linux promises any amount, and ends some process once it is used.

    Parameters
    ----------
    size
        Bytes that are about to be asked for.
    what
        What needs them, for the message.

    Raises
    ------
    MemoryError
        If they are more than `available`.
    """
    if size > available():
        raise MemoryError(f"{what} need {size / 1e9:,.3g} GB, and {available() / 1e9:,.3g} GB may be used")


def keep_freed(size: int = 64 << 20) -> None:
    """Let the C library keep up to so many bytes that are freed, to give them out again, where it is GNU's.

    By default it returns a large piece to the system as soon as it is freed, and the next one comes page by page again:
    a message of 1 MiB through gRPC then takes twice as long. What is kept was needed at once before.
    """
    import ctypes

    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return
    for option, value in ((_MMAP_THRESHOLD, min(size, 32 << 20)), (_TRIM_THRESHOLD, size), (_ARENA_MAX, 1)):
        set_option(option, value)


@contextmanager
def freed_given_back(*, much: bool) -> Iterator[None]:
    """Let the C library return what is freed to the system, before and after what needs much of it, if it is GNU's.

    It keeps what threads have freed, which would stay beside all that comes after. To give it back takes milliseconds.
    """
    _give_back(much)
    try:
        yield
    finally:
        _give_back(much)


def _give_back(much: bool) -> None:
    import ctypes

    with suppress(AttributeError, OSError, TypeError):  # another C library
        if much:
            ctypes.CDLL(None).malloc_trim(ctypes.c_size_t(0))
