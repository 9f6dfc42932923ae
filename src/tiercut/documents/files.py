"""Files read within bounds and written whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from tiercut.errors import Fault, InputError

__all__ = ["check_writable", "read_bytes", "read_text", "write_text", "write_whole"]

_PIECE = 1 << 20


def read_text(path: str | os.PathLike[str], *, limit: int) -> str:
    """Return the text of a file.

    Parameters
    ----------
    path
        The file to read.
    limit
        Most bytes that a file of this kind may have; a larger one is refused before it is opened.

    Raises
    ------
    InputError
        If the file is missing, empty, too large, unreadable or not UTF-8.
    """
    return _decode(read_bytes(path, limit=limit), os.fspath(path))


def read_bytes(path: str | os.PathLike[str], *, limit: int) -> bytes:
    """Return the bytes of a file.

    Parameters
    ----------
    path
        The file to read.
    limit
        Most bytes that a file of this kind may have; a larger one is refused before it is opened.

    Raises
    ------
    InputError
        If the file is missing, too large or unreadable.
    """
    source = os.fspath(path)
    try:
        _check_size(Path(path).stat().st_size, limit, source)
        with Path(path).open("rb") as stream:
            data = _read(stream, limit + 1)
    except FileNotFoundError:
        raise InputError(source, "there is no such file") from None
    except IsADirectoryError:
        raise InputError(source, "this is a directory; name a file in it") from None
    except OSError as error:
        raise InputError(source, f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise InputError(source, f"cannot be the name of a file: {error}") from None
    _check_size(len(data), limit, source)
    return data


def _read(stream: BinaryIO, most: int) -> bytes:
    """Return what a stream holds, or its first bytes; a pipe or a device says nothing of its size.

    NOTE: `read(most)` would ask for that much memory at once, however short the file.
    """
    pieces, size = [], 0
    while size < most and (piece := stream.read(min(_PIECE, most - size))):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _check_size(size: int, limit: int, source: str) -> None:
    if size > limit:
        has = f"has {size:,} bytes" if size > limit + 1 else "goes on and on"
        raise InputError(source, f"the file {has}; one of its kind may have {limit:,} at most")


def _decode(data: bytes, source: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        message = f"byte {error.start} (0x{data[error.start]:02x}) is not UTF-8; save the file as UTF-8 text"
        raise InputError(source, [Fault(message, line=line, column=column)]) from None
    if not text.strip():
        raise InputError(source, "the file is empty")
    return text


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a file whole: into a temporary one beside it, then renamed, so that a reader never sees half."""
    write_whole(path, lambda stream: stream.write(text.encode()))


def write_whole(path: str | os.PathLike[str], fill: Callable[[Any], object]) -> None:
    """Let `fill` write into a temporary binary file beside `path`, then rename it to `path`.

    Raises
    ------
    InputError
        If there is no room, no right or no such place to write it; a file that was there before stays as it was.
    """
    try:
        _write_whole(Path(path), fill)
    except OSError as error:
        raise InputError(os.fspath(path), f"cannot be written: {error.strerror or error}") from None


def _write_whole(target: Path, fill: Callable[[Any], object]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            fill(stream)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def check_writable(path: str | os.PathLike[str]) -> None:
    """Make sure that `write_whole` can write `path` later; what is there stays, and no folder is made yet.

    Raises
    ------
    InputError
        If it is a folder, or there is no right or no such place to write it.
    """
    target = folder = Path(path)
    try:
        if target.is_dir():
            raise InputError(os.fspath(path), "this is a directory; name a file in it")
        while not (folder := folder.parent).exists():
            pass
        if not folder.is_dir():
            raise InputError(os.fspath(path), f"cannot be written: '{folder}' is no folder; name another place")
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{target.name}.")
    except OSError as error:
        what = f"cannot be written: {error.strerror or error}; name another place"
        raise InputError(os.fspath(path), what) from None
    os.close(handle)
    Path(temporary).unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
