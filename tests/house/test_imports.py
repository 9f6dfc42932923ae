"""Who imports whom, and what is not imported before something needs it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.checkout import ROOT, project_files, rooms

import tiercut

PACKAGE = ROOT / "src" / "tiercut"
EVERY_ROOM = {"analysis", "optimizer", "profiling", "report", "solvers", "topologies"}
GROUND = {"ground"}
MAY_IMPORT = {
    "ground": GROUND,
    "topologies": GROUND | {"topologies"},
    "profiling": GROUND | {"profiling"},
    "optimizer": GROUND | {"topologies", "profiling", "optimizer"},
    "solvers": GROUND | {"optimizer", "solvers"},
    "analysis": GROUND | {"topologies", "profiling", "optimizer", "solvers", "analysis"},
    "report": GROUND | {"topologies", "profiling", "optimizer", "solvers", "analysis", "report"},
    "api": GROUND | EVERY_ROOM,
    "cli": GROUND | EVERY_ROOM | {"root", "api", "cli"},
    "root": GROUND | EVERY_ROOM | {"api", "cli"},
}
"""Which part may import which; `ground` is what all share in src/tiercut, `root` its __init__ and __main__."""

HEAVY = {
    "numba",
    "pandas",
    "matplotlib",
    "networkx",
    "tensorflow",
    "keras",
    "torch",
    "jax",
    "sklearn",
    "ortools",
    "moocore",
    "pymoo",
    "grpc",
}
EXTRAS = {"tensorflow", "torch", "jax", "keras", "sklearn", "scipy", "pymoo", "grpc"}
"""What a base install does not bring."""


def modules() -> dict[str, Path]:
    """Return the file of every module of the package by the module's name."""
    found = {}
    for folder, _, names in os.walk(PACKAGE, followlinks=True):
        for name in names:
            if name.endswith(".py"):
                path = Path(folder, name)
                found[".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def part(module: str) -> str:
    """Return which part of the package a module belongs to."""
    names = module.split(".")
    if len(names) == 1 or names[1] == "__main__":
        return "root"
    return names[1] if names[1] in MAY_IMPORT else "ground"


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and full name of everything that a file imports, also under TYPE_CHECKING and in functions."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def own_imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and module of what a file imports from the package, but for its version, which anyone may know."""
    for line, name in imports(path):
        if name.split(".")[0] == "tiercut" and name != "tiercut.__version__":
            yield line, name if name in MODULES else name.rpartition(".")[0]


def run(program: str, **environment: str) -> list[str]:
    """Run a program in a fresh interpreter and return the words that it printed."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)  # noqa: PLW1510
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def imported_by(program: str) -> set[str]:
    """Return the packages that a program has imported at its end."""
    end = "\nfinally: sys.stdout = stdout; print(*{name.partition('.')[0] for name in sys.modules})"
    start = "import os, sys\nstdout, sys.stdout = sys.stdout, open(os.devnull, 'w', encoding='utf-8')\n"
    return set(run(f"{start}try: {program}{end}"))


def test_every_room_is_known_and_linked() -> None:
    at_root = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "experiments"}
    assert set(rooms()) == at_root == EVERY_ROOM
    for room in rooms():
        assert (PACKAGE / room).readlink() == Path("..", "..", room)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_module_imports_only_what_its_room_may(module: str) -> None:
    allowed = MAY_IMPORT[part(module)]
    wrong = [f"{line}: {name}" for line, name in own_imports(MODULES[module]) if part(name) not in allowed]
    assert not wrong, f"{MODULES[module]}: {part(module)} may import {sorted(allowed)}"


def test_nothing_imports_a_room_by_its_bare_name() -> None:
    wrong = [
        f"{path}:{line}: {name}"
        for path in project_files()
        if path.suffix == ".py"
        for line, name in imports(path)
        if name.split(".")[0] in EVERY_ROOM | {""}
    ]
    assert not wrong, "write import tiercut.optimizer, not import optimizer, and no relative imports"


def test_experiments_use_the_public_names_alone() -> None:
    public = {"tiercut", *(f"tiercut.{name}" for name in tiercut.__all__)}
    wrong = [
        f"{path}:{line}: {name}"
        for path in sorted((ROOT / "experiments").rglob("*.py"))
        for line, name in imports(path)
        if name.split(".")[0] == "tiercut" and name not in public
    ]
    assert not wrong


def test_import_tiercut_costs_nothing() -> None:
    packages = imported_by("import tiercut")
    assert not packages & (HEAVY | {"numpy", "pydantic", "ruamel", "typer", "rich"})


@pytest.mark.parametrize("arguments", [["--help"], ["solve", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    packages = imported_by(f"from tiercut.cli import main; sys.argv = ['tiercut', *{arguments}]; main()")
    assert "typer" in packages
    assert not packages & (HEAVY | {"numpy"})


def test_every_module_can_be_imported_without_the_extras() -> None:
    names = sorted(name for name in MODULES if not name.endswith("__main__"))
    program = f"""
import sys
from importlib import import_module
sys.modules |= dict.fromkeys({sorted(EXTRAS)})
for name in {names}:
    import_module(name)
"""
    run(program)


def test_solving_imports_neither_frameworks_nor_plots(tmp_path: Path) -> None:
    profile = tmp_path / "small.json"
    blocks = [{"name": "a", "output_bytes": 10}, {"name": "b", "output_bytes": 10}]
    devices = {"here": {"block_s": [0.1, 0.1], "branch_s": [None, 0.1]}}
    content = {"format": "tiercut.profile/1", "model": "small", "input_bytes": 10, "blocks": blocks, "devices": devices}
    profile.write_text(json.dumps(content))
    packages = imported_by(f"import tiercut; tiercut.solve('mobile', {str(profile)!r})")
    assert "numba" in packages
    assert not packages & {"tensorflow", "keras", "sklearn", "ortools", "moocore", "pymoo", "grpc", "matplotlib"}
