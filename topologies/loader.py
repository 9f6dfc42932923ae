"""Reading topologies: files of one's own, and the ready-made ones that come with the package."""

from __future__ import annotations

import os
from pathlib import Path

from tiercut import documents
from tiercut.errors import InputError, unknown_name
from tiercut.topologies.schema import FORMAT, Topology
from tiercut.topologies.sources import beside

__all__ = ["load_topology", "ready_made", "topology_from_text"]

SIZE_LIMIT = 1 << 20
"""Most bytes that a topology file may have."""


def load_topology(path_or_name: str | os.PathLike[str]) -> Topology:
    """Read a topology.

    Parameters
    ----------
    path_or_name
        A YAML or JSON file, or the name of a ready-made topology such as ``mobile`` (see `ready_made`). A file
        of that name comes first.

    Raises
    ------
    InputError
        If the file cannot be read or anything in it is wrong; each fault with line, column and key.
    """
    path = _resolve(path_or_name)
    return beside(documents.load(path, Topology, format_=FORMAT, limit=SIZE_LIMIT), path)


def topology_from_text(text: str, source: str = "text") -> Topology:
    """Check a topology that is held as YAML text.

    Parameters
    ----------
    text
        What a topology file would hold.
    source
        What to call it in an error.

    Raises
    ------
    InputError
        If anything in it is wrong.
    """
    return documents.validate(documents.parse_yaml(text, source), Topology, format_=FORMAT, source=source, text=text)


def ready_made() -> tuple[str, ...]:
    """Return the names of the topologies that come with the package."""
    return tuple(sorted(path.stem for path in _folder().glob("*.yaml")))


def _folder() -> Path:
    return Path(__file__).parent / "ready"


def _resolve(path_or_name: str | os.PathLike[str]) -> Path:
    path = Path(path_or_name)
    if path.exists() or path.suffix or len(path.parts) != 1:
        return path
    if path.name in ready_made():
        return _folder() / f"{path.name}.yaml"
    known = unknown_name("ready-made topology", path.name, ready_made())
    raise InputError(os.fspath(path_or_name), f"there is no such file, and {known}")
