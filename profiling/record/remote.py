"""Models recorded on another machine, over ssh: it needs tiercut, and nothing is copied by hand.

The system's own ``ssh`` is called, with all that it knows of keys and hosts. What the other machine records it keeps,
so that an interrupted recording goes on there; the profiles come back over the same connection.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tiercut.documents import write_whole
from tiercut.errors import InputError, QuestionError
from tiercut.profiling.models.loader import kind_of
from tiercut.profiling.models.onnx.options import is_onnx
from tiercut.profiling.models.onnx.reading import files_beside
from tiercut.profiling.profile.files import load_profile, profile_path, save_profile
from tiercut.profiling.profile.merging import check_same_model, merge, replaced
from tiercut.profiling.profile.schema import Profile
from tiercut.profiling.record.record_exits import exits_difference, sample_files, without_exits
from tiercut.profiling.record.settings import DEFAULTS, Settings

__all__ = ["command_line", "record_remotely"]

_FOLDER = ".tiercut"
"""Where the other machine keeps models and profiles, in the home of the user there."""

_NOT_FOUND, _NO_CONNECTION = 127, 255


def record_remotely(
    host: str,
    models: Sequence[str],
    output: str | os.PathLike[str],
    settings: Settings = DEFAULTS,
    *,
    command: str = "tiercut",
    finished: Callable[[Profile, Path], None] = lambda *_: None,
) -> None:
    """Record models on another machine, and add its device to the profiles here.

    Progress and messages of the other machine appear on standard error. A ``.keras`` or ``.onnx`` file is sent there; a
    ``module:function`` must be there already.

    Parameters
    ----------
    host
        As ssh takes it, such as ``user@host``.
    models
        What to record, as `tiercut.profiling.record.preflight.prepared` returns it.
    output
        The folder of the profiles here, or the profile of a single model.
    settings
        How; a data set that is a file here is sent there.
    command
        What tiercut is called there, such as ``venv/bin/tiercut``.
    finished
        Called with each profile that has arrived, and where it is kept.

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
    names = [_sent(host, model, "models") if kind_of(model) == "file" else model for model in models]
    for file in (each for model in models if is_onnx(model) for each in files_beside(Path(model))):
        _sent(host, str(file), "models")
    onnx = replace(settings.onnx, data=_sent_dataset(host, settings.onnx.data))
    codec_data = _sent_dataset(host, settings.codec_data)
    wanted = replace(settings, dataset=_sent_dataset(host, settings.dataset), onnx=onnx, codec_data=codec_data)
    options = [*command_line(wanted), "--output", f"{_FOLDER}/profiles", "--json"]
    call = [*shlex.split(command), "profile", *names, *options]
    with subprocess.Popen(
        _ssh(host, shlex.join(call)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            for line in process.stdout or ():
                _keep(line, host, output, settings.redo, finished)
        except BaseException:
            process.terminate()
            raise
    _check(process.returncode, host, command)


def _ssh(host: str, call: str) -> list[str]:
    return ["ssh", "-o", "BatchMode=yes", host, call]


def command_line(settings: Settings) -> list[str]:
    """Return the options of ``tiercut profile`` that mean these settings."""
    effort = settings.timing
    options = ["--device", settings.device, "--check", str(settings.check)]
    options += ["--batch", str(settings.batch)] if settings.batch is not None else []
    options += ["--runs", str(effort.runs), "--precision", str(effort.precision), "--limit", f"{effort.limit_s} s"]
    options += ["--statistic", settings.statistic, "--clock", settings.clock]
    for name in ("rule", "weights", "threads", "backend", "dataset", "thresholds", "epochs", "seed", "runtime"):
        if getattr(settings, name) is not None:
            options += [f"--{name}", str(getattr(settings, name))]
    for name in ("codecs", "codec_data", "codec_samples"):
        if getattr(settings, name) is not None:
            options += [f"--{name.replace('_', '-')}", str(getattr(settings, name))]
    if settings.size is not None:
        options += ["--input-size", "x".join(map(str, settings.size))]
    if settings.stress:
        options += ["--stress", ",".join(f"{kind}={share * 100:.0f}" for kind, share in settings.stress.items())]
    if settings.stress_levels:
        options += ["--stress-levels", ",".join(f"{share * 100:.0f}" for share in settings.stress_levels)]
    options += settings.onnx.command_line()
    flags = {"--trust-model": settings.trust, "--jit-compile": settings.jit, "--redo": settings.redo}
    return options + [flag for flag, wanted in flags.items() if wanted]


def _sent_dataset(host: str, dataset: str | None) -> str | None:
    if dataset is None or not Path(dataset).exists():
        return dataset
    if Path(dataset).is_dir():
        raise QuestionError(f"a folder of images is not sent to another machine; make '{dataset}' a .npz file")
    return _sent(host, dataset, "data")


def _sent(host: str, file: str, folder: str) -> str:
    """Send a file to the other machine, and return what it is called there."""
    path = Path(file)
    there = f"{_FOLDER}/{folder}/{path.name}"
    call = f"mkdir -p {_FOLDER}/{folder} && cat > {shlex.quote(there)}"
    try:
        with path.open("rb") as stream:
            done = subprocess.run(_ssh(host, call), stdin=stream, check=False)
    except OSError as error:
        raise InputError(file, f"cannot be read: {error.strerror or error}") from None
    _check(done.returncode, host, "cat")
    return there


def _keep(
    line: str, host: str, output: str | os.PathLike[str], redo: bool, finished: Callable[[Profile, Path], None]
) -> None:
    """Add what the other machine has recorded to the profile here."""
    try:
        fresh = Profile.from_data(json.loads(line), source=host)
    except (ValueError, RecursionError):
        raise InputError(host, f"expected a profile, got '{line.strip()[:60]}'") from None
    path = profile_path(output, _stem(fresh))
    known = load_profile(path) if path.exists() else None
    if known is not None and fresh.exits is not None and not redo:
        check_same_model(known, fresh, names=(str(path), host))
        found = exits_difference(known, fresh.dataset, fresh.samples, fresh.exits)
        if found is not None:
            raise InputError(host, f"has other exits than {path}: {found}; say --redo to replace those that are here")
        added = without_exits(fresh)
    else:
        added = _with_samples(fresh, host, path)
    if known is not None:
        added = replaced(known, added, names=(str(path), host)) if redo else merge({str(path): known, host: added})
    save_profile(added, path)
    finished(fresh, path)


def _stem(profile: Profile) -> str:
    """Return what a profile is called there, which the files that it names tell."""
    file = profile.samples_file
    return profile.model.casefold() if file is None else file.removesuffix(".samples.npz")


def _with_samples(profile: Profile, host: str, path: Path) -> Profile:
    """Fetch the samples that a profile names, and return it with what they are called here."""
    names: dict[str, str] = {}
    for prefix, target in sample_files(path).items():
        file, digest = getattr(profile, f"{prefix}_file"), getattr(profile, f"{prefix}_sha256")
        if file is not None:
            content = _fetched(host, f"{_FOLDER}/profiles/{Path(file).name}")
            if hashlib.sha256(content).hexdigest() != digest:
                raise InputError(host, f"'{file}' there is not the file that its profile was recorded with")
            write_whole(target, partial(_write, content))
            names[f"{prefix}_file"] = target.name
    return profile.model_copy(update=names)


def _write(content: bytes, stream: Any) -> None:
    stream.write(content)


def _fetched(host: str, there: str) -> bytes:
    done = subprocess.run(_ssh(host, f"cat {shlex.quote(there)}"), stdout=subprocess.PIPE, check=False)
    _check(done.returncode, host, "cat")
    return done.stdout


def _check(status: int, host: str, command: str) -> None:
    if status == _NO_CONNECTION:
        raise QuestionError(f"ssh cannot reach {host}; try: ssh {host} true (a password cannot be entered here)")
    if status == _NOT_FOUND:
        raise QuestionError(
            f"there is no '{command}' on {host}; install it there, or name it with --remote-command, such as "
            "'venv/bin/tiercut'"
        )
    if status != 0:
        raise QuestionError(f"{host} could not record everything (status {status}); it says why above")
