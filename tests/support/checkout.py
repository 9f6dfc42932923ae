"""The files of this checkout, as far as they are the project's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
NOT_OURS = (".git", ".venv*", "__pycache__", "*.egg-info", ".*_cache", ".hypothesis", "build", "dist", "out")
"""What is left out where git cannot be asked: as in .gitignore."""


def rooms() -> list[str]:
    """Return the names of the packages at the root that `src/tiercut` links to."""
    return sorted(path.name for path in (ROOT / "src" / "tiercut").iterdir() if path.is_symlink())


def copy_checkout(to: Path) -> Path:
    """Copy the checkout, links as links, without what was built or installed in it."""
    shutil.copytree(ROOT, to, symlinks=True, ignore=shutil.ignore_patterns(*NOT_OURS))
    return to


@cache
def project_files() -> tuple[Path, ...]:
    """Return the files that git tracks or would, or all of them where git or its folder is missing."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split("\0")[:-1]
    except (OSError, subprocess.CalledProcessError):
        return tuple(_walk(ROOT))
    paths = (ROOT / name for name in listed)
    return tuple(sorted(path for path in paths if path.is_file() and not path.is_symlink()))


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        skipped = shutil.ignore_patterns(*NOT_OURS)(parent, folders)
        folders[:] = sorted(set(folders) - skipped)
        yield from (Path(parent, name) for name in sorted(files))
