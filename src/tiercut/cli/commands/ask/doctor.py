"""``tiercut doctor``: what is installed, what is missing and how to get it, and where compiled code is kept."""

from __future__ import annotations

import json as writer
import platform
import re
from datetime import datetime
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer

from tiercut import __version__
from tiercut.cli import arguments as given
from tiercut.cli.console import console
from tiercut.cpus import cpu_count

__all__ = ["doctor"]

_REQUIREMENT = re.compile(
    r"""(?P<name>[\w.-]+)(\[(?P<inner>[\w,-]+)\])?[^;]*(;.*extra == ["'](?P<extra>[\w-]+)["'])?"""
)
_BACKENDS = {"tensorflow": "profiling", "torch": "torch", "jax": "jax"}
_OF_DEVELOPERS = ("test", "dev", "all")
"""Extras that nobody needs for an answer, or that hold others."""


def doctor(json: given.Json = False) -> None:
    """Say what is installed, which extras are missing and how to get them, and where compiled code is kept."""
    found = {
        "tiercut": {"version": __version__, "folder": str(Path(find_spec("tiercut").origin or "").parent)},  # type: ignore[union-attr]
        "python": {"version": platform.python_version(), "system": platform.platform(), "cores": cpu_count()},
        "packages": {name: _version(name) for name in _required(None)},
        "extras": {extra: _extra(extra) for extra in _extras()},
        "keras_backends": [name for name in _BACKENDS if _version(name) is not None],
        "compiled_code": _compiled_code(),
    }
    if json:
        typer.echo(writer.dumps({"format": "tiercut.doctor/1", **found}, indent=1, ensure_ascii=False))
        return
    from tiercut.report import table_from

    out: Any = console()
    for rows in _tables(found):
        out.print(table_from(rows))


def _requirements() -> list[re.Match[str]]:
    """Return the requirements that this version declares; none where it runs from files that were never installed."""
    try:
        declared = metadata.requires("tiercut") or []
    except metadata.PackageNotFoundError:
        return []
    return [match for each in declared if (match := _REQUIREMENT.match(each)) is not None]


def _extras() -> list[str]:
    named = dict.fromkeys(match["extra"] for match in _requirements())
    return [each for each in named if each and each not in _OF_DEVELOPERS]


def _required(extra: str | None) -> list[str]:
    """Return the packages that an extra brings, those of the extras that it holds among them; None: without any."""
    names: list[str] = []
    for match in _requirements():
        if match["extra"] != extra:
            continue
        if match["name"] == "tiercut":
            names += [name for inner in match["inner"].split(",") for name in _required(inner)]
        else:
            names.append(match["name"])
    return list(dict.fromkeys(names))


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _extra(extra: str) -> dict[str, Any]:
    packages = {name: _version(name) for name in _required(extra)}
    missing = [name for name, version in packages.items() if version is None]
    return {"packages": packages, "get_it": f"pip install 'tiercut[{extra}]'" if missing else None}


def _compiled_code() -> dict[str, Any]:
    """Return where numba keeps what it has compiled, how many files there are, and when the last was written."""
    from tiercut.solvers import kernels_folder

    folder = kernels_folder()
    written = [each.stat().st_mtime for each in folder.glob("*.nbc")] if folder is not None and folder.is_dir() else []
    newest = datetime.fromtimestamp(max(written)).astimezone().isoformat(timespec="seconds") if written else None
    return {"folder": None if folder is None else str(folder), "files": len(written), "newest": newest}


def _tables(found: dict[str, Any]) -> list[Any]:
    from tiercut.report import Column, Rows

    code = found["compiled_code"]
    age = "none yet: NumPy answers small questions, and the first larger one compiles for half a minute or more"
    if code["newest"] is not None:
        age = f"{code['files']} files, the newest of {code['newest']}"
    left = Column("", "left", fold=True)
    here = (
        ("tiercut", f"{found['tiercut']['version']} in {found['tiercut']['folder']}"),
        ("Python", f"{found['python']['version']} on {found['python']['system']}"),
        ("cores to use", str(found["python"]["cores"])),
        ("backends of Keras", ", ".join(found["keras_backends"]) or "none"),
        ("compiled code", code["folder"] or "kept nowhere"),
        ("", age),
        *((name, version or "missing: install tiercut again") for name, version in found["packages"].items()),
    )
    extras = []
    for name, each in found["extras"].items():
        missing = [package for package, version in each["packages"].items() if version is None]
        extras.append((name, ", ".join(missing) or "-", each["get_it"] or "it is there"))
    columns = (Column("extra", "left"), Column("missing", "left", fold=True), Column("how to get it", "left"))
    installation = Rows("", (Column("", "left"), left), here)
    return [installation, Rows("extras", columns, tuple(extras))] if extras else [installation]
