"""Commands that follow each other, each of which is left out when it was done before and nothing has changed since."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiercut import __version__, documents
from tiercut.errors import InputError

__all__ = ["Step", "run_steps"]

FORMAT = "tiercut.deploy/1"
_STATE = "deploy.json"
_PORTION = 1 << 20


@dataclass(frozen=True, slots=True)
class Step:
    """A command of tiercut.

    Parameters
    ----------
    name
        For people.
    command
        Its words, without ``tiercut``.
    reads
        Files and folders that it depends on; what is not there counts as a name.
    writes
        Those that it makes.
    answer
        The file, among `writes`, that keeps what it prints; None: it prints to standard error.
    """

    name: str
    command: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[Path, ...]
    answer: Path | None = None


def run_steps(
    steps: Sequence[Step], folder: Path, say: Callable[[str], None], call: Callable[[Step], int] | None = None
) -> int:
    """Run commands one after the other, and return the status of the last that ran: not 0 where one did not succeed.

    Parameters
    ----------
    steps
        In order.
    folder
        Where it is kept what was done, ``deploy.json``.
    say
        Told before each step what it is.
    call
        Runs a step and returns its status; by default a process of this Python.

    Raises
    ------
    InputError
        If the record of what was done cannot be read or written.
    """
    call = call or _called
    done = _done(folder / _STATE)
    for number, step in enumerate(steps, 1):
        head = f"{number}/{len(steps)} {step.name}"
        before = _mark([__version__, *step.command], step.reads)
        if done.get(step.name) == [before, _mark((), map(str, step.writes))]:
            say(f"{head}: done before")
            continue
        say(f"{head}: tiercut {' '.join(step.command)}")
        done.pop(step.name, None)
        for path in step.writes:
            if path.is_file():
                path.unlink()
        status = call(step)
        if status:
            return status
        done[step.name] = [before, _mark((), map(str, step.writes))]
        documents.write_text(folder / _STATE, json.dumps({"format": FORMAT, "done": done}, indent=1) + "\n")
    return 0


def _called(step: Step) -> int:
    command = [sys.executable, "-m", "tiercut", *step.command]
    if step.answer is None:
        return subprocess.run(command, check=False, stdout=2).returncode
    said = subprocess.run(command, check=False, stdout=subprocess.PIPE)
    if not said.returncode:
        documents.write_text(step.answer, said.stdout.decode())
    return said.returncode


def _done(path: Path) -> dict[str, Any]:
    """Return the marks of what was done, by step; nothing where there is no record of it."""
    if not path.exists():
        return {}
    found = documents.parse_json(documents.read_text(path, limit=_PORTION), str(path))
    if not isinstance(found, dict) or found.get("format") != FORMAT or not isinstance(found.get("done"), dict):
        raise InputError(str(path), f"expected the format {FORMAT}; remove it, and all steps are done again")
    return dict(found["done"])


def _mark(words: Sequence[str], paths: Any) -> str:
    """Return a hash of words, and of what files and folders hold."""
    total = hashlib.sha256(json.dumps(list(words)).encode())
    for name in paths:
        path = Path(name)
        files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
        for file in files:
            total.update(f"\0{file.relative_to(path) if file != path else name}\0".encode())
            if file.is_file():
                with file.open("rb") as stream:
                    total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()
