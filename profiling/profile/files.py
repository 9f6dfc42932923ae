"""Reading and writing profiles; the recorded ones that come with the package."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from pathlib import Path
from typing import Any

from tiercut import documents
from tiercut.errors import InputError, QuestionError, unknown_name
from tiercut.profiling.profile.checks import profile_doubts
from tiercut.profiling.profile.schema import FORMAT, Profile

__all__ = ["load_profile", "profile_path", "profile_text", "recorded", "recorded_file", "save_profile"]

SIZE_LIMIT = 128 << 20
"""Most bytes that a profile may have: 1000 blocks with spans on ten devices have about half of it."""


def load_profile(path: str | os.PathLike[str]) -> Profile:
    """Read a profile.

    Parameters
    ----------
    path
        A file, or the name of a recorded profile that comes with the package (see `recorded`).

    Raises
    ------
    InputError
        If the file cannot be read or anything in it is wrong.

    Warns
    -----
    TiercutWarning
        For what is legal but doubtful, with a remedy.
    """
    found = _resolve(path)
    text = documents.read_text(found, limit=SIZE_LIMIT)
    profile = documents.loads(text, os.fspath(found), Profile, format_=FORMAT)
    for doubt in profile_doubts(profile):
        warnings.warn(doubt, stacklevel=2)
    return profile.found_in(found.parent, (os.fspath(path), hashlib.sha256(text.encode()).hexdigest()))


def save_profile(profile: Profile, path: str | os.PathLike[str]) -> None:
    """Write a profile, whole or not at all; keys without a value are left out."""
    documents.write_text(path, profile_text(profile))


def profile_path(output: str | os.PathLike[str], stem: str) -> Path:
    """Return where a profile is written: the ``.json`` file that was named, or one in the folder that was.

    Parameters
    ----------
    output
        The file, or the folder, which need not be there yet.
    stem
        What the file in it is called, without ``.json``.

    Raises
    ------
    QuestionError
        If a file of another kind was named.
    """
    path = Path(output)
    path = path / f"{stem}.json" if path.is_dir() or not path.suffix else path
    if path.suffix != ".json":
        raise QuestionError(f"a profile is a .json file, or a folder to write it into, not '{output}'")
    return path


def profile_text(profile: Profile) -> str:
    """Return what the file of a profile holds."""
    return _layout({"format": FORMAT} | profile.model_dump(exclude_defaults=True)) + "\n"


def recorded() -> tuple[str, ...]:
    """Return the names of the recorded profiles that come with the package."""
    return tuple(sorted(path.stem for path in _folder().glob("*.json")))


def recorded_file(name: str, ending: str) -> str | None:
    """Return a file that comes with a recorded profile, such as its network; None where there is none."""
    found = _folder() / f"{name}{ending}"
    return str(found) if name in recorded() and not Path(name).exists() and found.exists() else None


def _folder() -> Path:
    return Path(__file__).parents[1] / "recorded"


def _resolve(path: str | os.PathLike[str]) -> Path:
    found = Path(path)
    if found.exists() or found.suffix or len(found.parts) != 1:
        return found
    if found.name in recorded():
        return _folder() / f"{found.name}.json"
    raise InputError(
        os.fspath(path), "there is no such file, and " + unknown_name("recorded profile", found.name, recorded())
    )


def _layout(value: Any, indent: int = 0) -> str:
    """Return JSON with one line for each object of a list and each row of numbers, so that it can be read."""
    pad, inner = "  " * indent, "  " * (indent + 1)
    flat = json.dumps(value, allow_nan=False, ensure_ascii=False)
    if not isinstance(value, dict | list) or len(flat) <= 100 or _is_row(value):
        return flat
    if isinstance(value, dict):
        lines = [f"{inner}{json.dumps(key)}: {_layout(each, indent + 1)}" for key, each in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{pad}}}"
    return "[\n" + ",\n".join(inner + _layout(each, indent + 1) for each in value) + f"\n{pad}]"


def _is_row(value: Any) -> bool:
    if isinstance(value, dict):
        return all(not isinstance(each, dict | list) for each in value.values()) and "name" in value
    return all(not isinstance(each, dict | list) for each in value)
