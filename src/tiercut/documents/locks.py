"""One process at a time: a lock that goes when its holder does, however it ends."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tiercut.errors import InputError

__all__ = ["clear", "held"]

_LOCK = "lock"

_TAKEN = {errno.EACCES, errno.EAGAIN}


@contextmanager
def held(folder: Path, target: str, *, by: str) -> Iterator[None]:
    """Hold a folder for partial results alone while the body runs; it is made, and removed if nothing is left in it.

    Where the system has no locks on files, or the file system none, nothing is held.

    Parameters
    ----------
    folder
        What only one process may use.
    target
        What is being made in it, for the message.
    by
        Who else may hold it, such as ``another training``.

    Raises
    ------
    InputError
        If another process holds it, or it cannot be made.
    """
    path = folder / _LOCK
    try:
        handle = _locked(path)
    except BlockingIOError:
        remedy = "wait until it is done, or name another place"
        raise InputError(target, f"{by} is making this file at the moment; {remedy}") from None
    except OSError as error:
        raise InputError(os.fspath(folder), f"cannot be written: {error.strerror or error}") from None
    try:
        yield
    finally:
        if _lies_at(handle, path):
            path.unlink()  # before it is let go: whoever opens the path next makes a new file
        os.close(handle)
        with suppress(OSError):
            folder.rmdir()


def clear(folder: Path) -> None:
    """Remove the files of a folder that is held, but for what holds it."""
    for each in folder.iterdir():
        if each.name != _LOCK:
            each.unlink()


def _locked(path: Path) -> int:
    """Return a handle of a file that is locked and still lies at its path."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:  # its folder was removed by whoever was done just now
            continue
        try:
            _lock(handle)
            if _lies_at(handle, path):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _lock(handle: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            raise BlockingIOError from None  # else a file system without locks


def _lies_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
