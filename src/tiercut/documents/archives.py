"""Archives that others made: what they hold is weighed before anything is unpacked.

A ``.npz`` and a ``.keras`` file are zip archives. What their directory and the headers of their arrays promise is
checked against what the file holds and against what may be held in memory, so that a small file cannot fill it.
"""

from __future__ import annotations

import io
import lzma
import math
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tiercut.errors import InputError
from tiercut.memory import available

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FAULTS", "Arrays", "check_unpacked", "open_arrays"]

FAULTS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, RuntimeError)
"""What reading a damaged, encrypted or strangely packed archive raises."""

_SUFFIX = ".npy"


class Arrays:
    """The arrays of an open ``.npz``, each read when it is asked for."""

    def __init__(self, archive: zipfile.ZipFile, limit: int) -> None:
        self._archive = archive
        self._members = {
            each.filename.removesuffix(_SUFFIX): each for each in archive.infolist() if each.filename.endswith(_SUFFIX)
        }
        check_unpacked(archive, limit)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays."""
        return tuple(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return an array, once its header promises no more than the archive holds of it."""
        from numpy.lib import format as npy

        member = self._members[name]
        with self._archive.open(member) as stream:
            _check_header(stream, member)
        with self._archive.open(member) as stream:
            return npy.read_array(stream, allow_pickle=False)


def _check_header(stream: Any, member: zipfile.ZipInfo) -> None:
    from numpy.lib import format as npy

    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    version = npy.read_magic(stream)
    if version not in readers:
        raise ValueError("the array is written in an unknown version of the format")
    shape, _, kind = readers[version](stream)
    if kind.hasobject or not kind.itemsize:
        raise ValueError("the array holds objects")
    held = member.file_size - stream.tell()
    if min(shape, default=0) < 0 or math.prod(shape) * kind.itemsize > held:
        raise zipfile.BadZipFile(
            f"the header of '{member.filename}' promises {math.prod(shape) * kind.itemsize:,} bytes, the file holds "
            f"{held:,} of them"
        )


def check_unpacked(archive: zipfile.ZipFile, limit: int) -> None:
    """Refuse an archive that unpacks to more than it may, or than fits into memory.

    Raises
    ------
    BadZipFile
        If it does.
    """
    size = sum(each.file_size for each in archive.infolist())
    if size > limit:
        raise zipfile.BadZipFile(f"it unpacks to {size:,} bytes, and one of its kind may to {limit:,} at most")
    if size > available():
        raise zipfile.BadZipFile(f"it unpacks to {size:,} bytes, more than the {available():,} of memory here")


@contextmanager
def open_arrays(file: str | os.PathLike[str] | bytes, source: str, *, what: str, limit: int) -> Iterator[Arrays]:
    """Open a ``.npz`` and give its arrays; whatever is wrong with it is an `InputError` that names it.

    Parameters
    ----------
    file
        Where it is, or what it holds.
    source
        What to call it in an error.
    what
        What it should hold, such as ``samples``.
    limit
        Most bytes that it may unpack to.

    Raises
    ------
    InputError
        If it is missing, no such archive, or unpacks to more than `limit` or than fits into memory.
    KeyError
        If an array is asked for that it lacks.
    """
    try:
        with _opened(file) as stream, zipfile.ZipFile(stream) as archive:
            yield Arrays(archive, limit)
    except FileNotFoundError:
        raise InputError(source, "there is no such file") from None
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError) as error:
        raise InputError(source, f"is no archive of {what}: {' '.join(str(error).split())}") from None
    except OSError as error:
        raise InputError(source, f"is no archive of {what}: {error.strerror or error}") from None
    except MemoryError as error:
        raise InputError(source, f"there is too little memory for this archive of {what}: {error}") from None
    except (ValueError, EOFError, TypeError):  # NumPy's own words advise to load it unsafely
        raise InputError(
            source, f"is no archive of {what}: expected a NumPy .npz file whose arrays hold plain numbers"
        ) from None


def _opened(file: str | os.PathLike[str] | bytes) -> BinaryIO:
    return io.BytesIO(file) if isinstance(file, bytes) else Path(file).open("rb")
