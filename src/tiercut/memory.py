"""How much memory there is, so that what can never fit is refused before the machine is full."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["available", "check_room"]

_CGROUP = Path("/sys/fs/cgroup/memory.max")


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
