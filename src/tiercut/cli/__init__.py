"""The command ``tiercut``. Rooms are imported when a command needs them, so that ``--help`` is quick."""

import errno
import gc
import os
import sys
import warnings
from pathlib import Path

__all__ = ["main"]

_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
"""What writing fails with where a disk is full, or a device or stream gone."""


def main() -> None:
    """Run the command line and exit: 0 answered, 2 wrong input or call, 3 no plan to be had, 130 interrupted."""
    # Imports and kernels make many objects and little rubbish: looking for it again and again takes a tenth of a start.
    gc.set_threshold(100_000, 20, 20)
    from tiercut.cli.app import app
    from tiercut.errors import InfeasibleError, TiercutError

    warnings.showwarning = _show_warning
    if sys.stdout is None:  # closed by whoever called, as with >&-
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 for as long as the process runs
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except InfeasibleError as error:
        _fail(str(error), 3, "infeasible")
    except TiercutError as error:
        _fail(str(error), 2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or it would be tried once more at the end
        _fail(f"could not write: {error.strerror}", 2)
    except KeyboardInterrupt:
        _fail("interrupted", 130)


def _fail(message: str, status: int, label: str = "error") -> None:
    for line in message.splitlines():
        print(f"{label}: {line}", file=sys.stderr)
    sys.exit(status)


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    from tiercut.errors import TiercutWarning

    if issubclass(category, TiercutWarning):
        print(f"warning: {message}", file=sys.stderr)
