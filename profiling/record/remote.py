"""Models recorded on another machine, over ssh: it needs tiercut, and nothing is copied by hand.

The system's own ``ssh`` is called, with all that it knows of keys and hosts. What the other machine records it keeps,
so that an interrupted recording goes on there; the profiles come back over the same connection.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tiercut.errors import InputError, QuestionError
from tiercut.profiling.models.loader import kind_of
from tiercut.profiling.profile.files import load_profile, profile_path, save_profile
from tiercut.profiling.profile.merging import merge, replaced
from tiercut.profiling.profile.schema import Profile

__all__ = ["record_remotely"]

_FOLDER = ".tiercut"
"""Where the other machine keeps models and profiles, in the home of the user there."""

_NOT_FOUND, _NO_CONNECTION = 127, 255


def record_remotely(
    host: str,
    models: Sequence[str],
    output: str | os.PathLike[str],
    options: Sequence[str],
    *,
    command: str = "tiercut",
    redo: bool = False,
    finished: Callable[[Profile, Path], None] = lambda *_: None,
) -> None:
    """Record models on another machine, and add its device to the profiles here.

    Progress and messages of the other machine appear on standard error. A ``.keras`` file is sent there; a
    ``module:function`` must be there already.

    Parameters
    ----------
    host
        As ssh takes it, such as ``user@host``.
    models
        What to record, as `tiercut.profiling.record.preflight.prepared` returns it.
    output
        The folder of the profiles here, or the profile of a single model.
    options
        More arguments for ``tiercut profile`` there.
    command
        What tiercut is called there, such as ``venv/bin/tiercut``.
    redo
        Whether times of the same device that are here already are replaced.
    finished
        Told of each profile that has arrived, and where it is kept.

    Raises
    ------
    QuestionError
        If there is no ssh, no connection, no tiercut on the other machine, or it could not record a model.
    InputError
        If a model cannot be read here, or what came back does not belong to the profile that is here.
    """
    if shutil.which("ssh") is None:
        raise QuestionError("there is no 'ssh' on the PATH; install OpenSSH, or record on the other machine itself")
    if not host or host.startswith("-"):
        raise QuestionError(f"'{host}' is no host; write user@host")
    names = [_sent(host, model) for model in models]
    call = [*shlex.split(command), "profile", *names, *options, "--output", f"{_FOLDER}/profiles", "--json"]
    with subprocess.Popen(
        _ssh(host, shlex.join(call)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=sys.stderr, text=True
    ) as process:
        try:
            for line in process.stdout or ():
                _keep(line, host, output, redo, finished)
        except BaseException:
            process.terminate()
            raise
    _check(process.returncode, host, command)


def _ssh(host: str, call: str) -> list[str]:
    return ["ssh", "-o", "BatchMode=yes", host, call]


def _sent(host: str, model: str) -> str:
    """Send a model's file to the other machine, and return what it is called there."""
    if kind_of(model) != "file":
        return model
    path = Path(model)
    there = f"{_FOLDER}/models/{path.name}"
    call = f"mkdir -p {_FOLDER}/models && cat > {shlex.quote(there)}"
    try:
        with path.open("rb") as stream:
            done = subprocess.run(_ssh(host, call), stdin=stream, check=False)
    except OSError as error:
        raise InputError(model, f"cannot be read: {error.strerror or error}") from None
    _check(done.returncode, host, "cat")
    return there


def _keep(
    line: str, host: str, output: str | os.PathLike[str], redo: bool, finished: Callable[[Profile, Path], None]
) -> None:
    """Add what the other machine has recorded to the profile here."""
    try:
        fresh = Profile.from_data(json.loads(line), source=host)
    except ValueError:
        raise InputError(host, f"expected a profile, got '{line.strip()[:60]}'") from None
    path = profile_path(output, fresh.model.casefold())
    if path.exists():
        known = load_profile(path)
        made = replaced(known, fresh, names=(str(path), host)) if redo else merge({str(path): known, host: fresh})
    else:
        made = fresh
    save_profile(made, path)
    finished(fresh, path)


def _check(status: int, host: str, command: str) -> None:
    if status == _NO_CONNECTION:
        raise QuestionError(f"ssh cannot reach {host}; try: ssh {host} true (a password cannot be asked for here)")
    if status == _NOT_FOUND:
        raise QuestionError(
            f"there is no '{command}' on {host}; install it there, or name it with --remote-command, such as "
            "'venv/bin/tiercut'"
        )
    if status != 0:
        raise QuestionError(f"{host} could not record everything (status {status}); it says why above")
