"""`make` sets itself up, or says in a sentence why it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.checkout import ROOT


def stand_in(folder: Path, name: str, *, version: str, modules: str) -> Path:
    """Write a pretended Python of which only some modules work."""
    path = folder / name
    path.write_text(
        f"""#!/bin/sh
case "$*" in
    *version_info*) exec {sys.executable} -c "
import re, sys
code = sys.argv[1].replace('sys.version_info[:2]', '{version}')
exec(code)" "$2" ;;
    '-c import ensurepip'*) case "{modules}" in *ensurepip*) exit 0 ;; esac ;;
    '-m pip'*) case "{modules}" in *pip*) exit 0 ;; esac ;;
esac
exit 1
""",
        encoding="utf-8",
    )
    path.chmod(0o755)
    return path


def set_up(python: Path, venv: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHON": str(python)}
    command = ["tools/venv", str(venv), "."]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("version", ["(3, 10)", "(3, 14)"])
def test_unsuitable_python_is_refused(tmp_path: Path, version: str) -> None:
    python = stand_in(tmp_path, "python-other", version=version, modules="ensurepip pip")
    done = set_up(python, tmp_path / "venv")
    assert done.returncode == 1
    assert f"needs Python 3.11, 3.12 or 3.13, and none of these is one: {python}" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_python_that_cannot_make_environments_is_refused_with_a_remedy(tmp_path: Path) -> None:
    python = stand_in(tmp_path, "python-bare", version="(3, 11)", modules="")
    done = set_up(python, tmp_path / "venv")
    assert done.returncode == 1
    assert f"{python} cannot make virtual environments: it has neither ensurepip nor pip" in done.stderr
    assert "apt-get install python3-venv" in done.stderr


def test_missing_python_is_said(tmp_path: Path) -> None:
    done = set_up(tmp_path / "nothing", tmp_path / "venv")
    assert done.returncode == 1
    assert "Install one, or name it: make PYTHON=" in done.stderr


def test_help_lists_every_command_of_the_makefile() -> None:
    done = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True)
    assert {
        f"make {name}" for name in ("demo", "test", "lint", "types", "test-oldest", "slow", "profile", "docs", "clean")
    } <= {" ".join(line.split()[:2]) for line in done.stdout.splitlines()}
