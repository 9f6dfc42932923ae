"""The command ``tiercut``. Rooms are imported when a command needs them, so that ``--help`` is quick."""

import atexit
import errno
import gc
import signal
import sys
import warnings
from collections.abc import Callable

__all__ = ["main"]

_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
"""What writing fails with where a disk is full, or a device or stream gone."""


def main() -> None:
    """Run the command line and exit.

    The status is 0 where it answered, 2 for a wrong input or call, 3 where it is proved that there is no plan, 4 where
    none was found yet, 130 where it was interrupted.

    Whoever stops reading, as in ``| head``, has had an answer: the status is 0. Too little memory counts as a wrong
    input, as what was asked for is too large for this machine.
    """
    # Imports and kernels make many objects and little rubbish: looking for it again and again takes a tenth of a start.
    gc.set_threshold(1_000_000, 20, 20)
    # Python looks for rubbish twice more as it ends, which takes a fifth of a short call, and all of it goes anyway.
    atexit.register(gc.freeze)
    try:
        _run()
    except KeyboardInterrupt:  # while something is imported; later it is `Interrupted`
        _interrupted()


def _run() -> None:
    from tiercut.cli import streams
    from tiercut.errors import InfeasibleError, StoppedError, TiercutError

    streams.mend()
    warnings.showwarning = _shown_once()
    try:
        _call()
    except InfeasibleError as error:
        _fail(str(error), 3, "infeasible")
    except StoppedError as error:
        _fail(str(error), 4, "stopped")
    except TiercutError as error:
        _fail(str(error), 2)
    except MemoryError as error:
        _fail(_too_little_memory(str(error)), 2)
    except OSError as error:
        _fail_by_system(error)


def _call() -> None:
    from tiercut.cli import streams
    from tiercut.cli.root import Interrupted, ReaderGone

    try:
        from tiercut.cli.app import app
        from tiercut.cli.console import show_compiling

        show_compiling()
        try:
            app()
        finally:
            streams.flush()
    except (BrokenPipeError, ReaderGone):
        streams.forsake(sys.stdout)
        sys.exit(0)
    except Interrupted:
        _interrupted()


def _interrupted() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C ends what still has to be put away, in silence
    _fail("interrupted", 130)


def _fail_by_system(error: OSError) -> None:
    """End for a fault of files or memory that nothing nearer to it has reported."""
    from tiercut.cli import streams

    if error.errno in _UNWRITABLE:
        streams.forsake(sys.stdout)
        _fail(f"could not write: {error.strerror}", 2)
    if error.errno == errno.ENOMEM:
        _fail(_too_little_memory(""), 2)
    raise error


def _too_little_memory(said: str) -> str:
    """Return what is too large, in the words of the library that wanted it, and what to do."""
    what = f": {said[:1].lower()}{said[1:]}" if said else ""
    return f"there is too little memory for this{what}; ask for less, or use a machine with more"


def _fail(message: str, status: int, label: str = "error") -> None:
    from tiercut.cli import streams

    for line in message.splitlines():
        streams.say(f"{label}: {line}")
    sys.exit(status)


def _shown_once() -> Callable[..., None]:
    """Return what shows a warning, unless one of the same words was shown before: files are read more than once."""
    shown: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        from tiercut.cli import streams
        from tiercut.errors import TiercutWarning

        if issubclass(category, TiercutWarning) and str(message) not in shown:
            shown.add(str(message))
            streams.mention(f"warning: {message}")

    return show
