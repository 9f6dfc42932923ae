"""Where compiled kernels are kept: a cache that may be missing or damaged and still costs no answer.

numba gives up where no folder can be written, and reads what it finds without a check. Here a kernel without a place is
compiled for this process alone, and what is not as it was written is compiled again.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache
from numba.core.runtime import rtsys

from tiercut.errors import TiercutWarning

__all__ = ["attach", "is_ready"]

log = logging.getLogger(__name__)  # which a command shows, see `tiercut.cli.console.show_compiling`

_KNOWN = (0, 68)
"""The version of numba of which it is known what compiled code needs to run."""

_DIGEST_BYTES = hashlib.sha256().digest_size


def attach(dispatcher: Any, function: Any, stamp: object) -> None:
    """Let a dispatcher keep what it compiles, as long as the stamp stays the same.

    Parameters
    ----------
    dispatcher
        What ``numba.njit`` gives.
    function
        The function that it compiles.
    stamp
        What changes when the compiled code is stale.

    Warns
    -----
    TiercutWarning
        Once in a process, if no folder can be written.
    """
    try:
        kept = _Cache(function)
    except RuntimeError:  # numba's words for it: "no locator available"
        _warn_of_no_place()
        dispatcher._cache = NullCache()
        return
    kept._cache_file = _CheckedFile(kept.cache_path, kept._impl.filename_base, stamp)
    dispatcher._cache = kept


def is_ready(dispatcher: Any) -> bool:
    """Return whether a kernel has been compiled, by this process or one before, so that it need only be read."""
    kept = dispatcher._cache
    return bool(dispatcher.signatures) or (isinstance(kept, _Cache) and bool(kept._cache_file._load_index()))


@cache
def _tell_of_compiling() -> None:
    log.info("compiling kernels, once: this may take a minute; they are kept for the next call where there is room")


@cache
def _warn_of_no_place() -> None:
    warnings.warn(
        TiercutWarning(
            "compiled code cannot be kept, as neither the folder of tiercut nor that of the user can be written, so "
            "every call compiles anew, which takes up to a minute",
            "name a folder that can be written in the variable NUMBA_CACHE_DIR",
        ),
        stacklevel=2,
    )


class _CheckedFile(IndexDataCacheFile):  # type: ignore[misc]
    """numba's files with a checksum at their end: damaged machine code would crash or answer wrongly.

    What follows the data is passed over by numba, which reads the files as it always does once they are checked.
    """

    def _load_index(self) -> Any:
        # NOTE: numba reads the types of the arguments, named tuples among them, before it looks at the stamp; an index
        # that names a class that is gone has no entries.
        with contextlib.suppress(AttributeError, ImportError):
            if _is_whole(self._index_path):
                return super()._load_index()
        return {}

    def _load_data(self, name: str) -> Any:
        if not _is_whole(self._data_path(name)):
            raise FileNotFoundError(name)  # which `load` takes for a file that was removed
        return super()._load_data(name)

    @contextlib.contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[io.BytesIO]:
        with super()._open_for_write(filepath) as stream:
            held = io.BytesIO()
            yield held
            stream.write(held.getvalue() + hashlib.sha256(held.getvalue()).digest())


def _is_whole(path: str) -> bool:
    try:
        held = Path(path).read_bytes()
    except OSError:  # none yet, or that of another user
        return False
    whole = hashlib.sha256(held[:-_DIGEST_BYTES]).digest() == held[-_DIGEST_BYTES:]
    if not whole:
        log.info("%s is damaged, or was not written by tiercut; it is compiled again", path)
    return whole


class _Cache(FunctionCache):  # type: ignore[misc]
    """A cache that reads compiled code without loading all that numba needs in order to compile.

    numba first imports everything that it could compile calls to, SciPy's linear algebra included, which takes longer
    than the code that was asked for. What is in the cache needs the runtime alone; numba loads the rest by itself once
    something is to be compiled.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        found = self._loaded(sig, target_context)
        if found is None:  # so it is compiled now
            _tell_of_compiling()
        return found

    def _loaded(self, sig: Any, target_context: Any) -> Any:
        if numba.version_info.short != _KNOWN:
            return super().load_overload(sig, target_context)
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)

    def save_overload(self, sig: Any, data: Any) -> None:
        with contextlib.suppress(OSError):  # a full disk: it is compiled, and only not kept
            super().save_overload(sig, data)
