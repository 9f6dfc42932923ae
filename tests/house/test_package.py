"""The wheel holds all of the package and nothing else, and works outside the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from support.checkout import ROOT, copy_checkout, rooms


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command and return what it printed; fail with what it said."""
    environment = os.environ | environment
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)  # noqa: PLW1510 - asserted
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def build(project: Path, out: Path, kind: str) -> Path:
    """Build with the tools of this environment, so that nothing is fetched."""
    run(sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", out, project, cwd=project)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, because building leaves folders behind."""
    return copy_checkout(tmp_path_factory.mktemp("build") / "checkout")


@pytest.fixture(scope="module")
def wheel(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(project, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content and nothing of the checkout."""
    target = tmp_path_factory.mktemp("installed") / "packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    run(*pip, "--target", target, wheel, cwd=target.parent)
    return target


def package_files(project: Path) -> set[str]:
    """Return what the package holds, found without setuptools."""
    source = project / "src"
    data = [("topologies/ready", "*.yaml"), ("optimizer/questions/ready", "*.yaml")]
    data += [("profiling/recorded", "*.json"), ("profiling/recorded", "*.npz"), ("profiling/recorded", "*.onnx")]
    data += [("report/explorer/source", "*")]
    found = {source / "tiercut_command.py", source / "tiercut" / "py.typed"}
    for folder, _, names in os.walk(source / "tiercut", followlinks=True):
        found |= {Path(folder, name) for name in names if name.endswith((".py", ".pyi"))}
    for folder, pattern in data:
        found |= set((source / "tiercut" / folder).glob(pattern))
    return {path.relative_to(source).as_posix() for path in found}


def wheel_files(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def test_wheel_holds_every_module_and_data_file_and_nothing_else(project: Path, wheel: Path) -> None:
    assert wheel_files(wheel) == package_files(project)


def test_wheel_holds_every_room(wheel: Path) -> None:
    assert {"analysis", "offloader", "optimizer", "profiling", "report", "solvers", "topologies"} <= set(rooms())
    assert {f"tiercut/{room}/__init__.py" for room in rooms()} <= wheel_files(wheel)


def test_wheel_made_from_the_source_archive_is_the_same(project: Path, wheel: Path, tmp_path: Path) -> None:
    archive = build(project, tmp_path / "archive", "sdist")
    run("tar", "xzf", archive, cwd=tmp_path)
    unpacked = tmp_path / archive.name.removesuffix(".tar.gz")
    assert wheel_files(build(unpacked, tmp_path / "wheel", "wheel")) == wheel_files(wheel)


def test_wheel_carries_the_licence_and_asks_for_what_solving_needs(wheel: Path) -> None:
    content = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in content.namelist() if name.endswith(".dist-info/METADATA"))
    assert metadata.replace("METADATA", "licenses/LICENSE") in content.namelist()
    required = Parser().parsestr(content.read(metadata).decode()).get_all("Requires-Dist") or []
    base = {line.split(">")[0] for line in required if "extra ==" not in line}
    assert "numba" in base
    assert not base & {"tensorflow", "keras", "scikit-learn", "pymoo", "scipy", "grpcio", "dask"}


def test_installed_package_works_outside_the_checkout(installed: Path, project: Path, tmp_path: Path) -> None:
    program = """
import json, tiercut
name = tiercut.load_topology("mobile").name
print(json.dumps([tiercut.__file__, name, tiercut.ready_made(), tiercut.recorded()]))
"""
    file, name, topologies, profiles = json.loads(
        run(sys.executable, "-c", program, cwd=tmp_path, PYTHONPATH=str(installed))
    )
    assert Path(file).is_relative_to(installed)
    assert name == "mobile"
    assert topologies == sorted(path.stem for path in (project / "topologies" / "ready").glob("*.yaml"))
    assert profiles == sorted(path.stem for path in (project / "profiling" / "recorded").glob("*.json"))


@pytest.mark.parametrize("start", ["script", "module"])
def test_installed_command_works_outside_the_checkout(installed: Path, start: str, tmp_path: Path) -> None:
    command = [installed / "bin" / "tiercut"] if start == "script" else [sys.executable, "-m", "tiercut"]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert run(*command, "--version", cwd=tmp_path, PYTHONPATH=str(installed)) == f"tiercut {version}\n"
    assert "frontier" in run(*command, "--help", cwd=tmp_path, PYTHONPATH=str(installed))
