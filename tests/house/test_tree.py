"""What no file of the project may hold, however it works."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from support.checkout import ROOT, project_files

# The brackets keep this file from holding what it forbids.
FORBIDDEN = {
    "an absolute path of one machine": r"(?<![\w.])/(?:work|root|home|Users|opt)[/]\w",
    "a path that leaves the project": r"[.][.]/shared\b",
    "the host of a package registry": r"(?i)\b(?:pypi|pythonhosted|anaconda|npmjs|debian)[.](?:org|com)\b",
    "the address of a package index": r"(?i)(?:index-url|find-links|trusted-host)[ =]+\S*[:/]",
    "the number of an issue": r"(?i)\b(?:issues?|fixes|closes|resolves)[ ]+#?\d+\b",
}
CAUGHT = {
    "an absolute path of one machine": [("/", "work", "/main"), ("see /", "home", "/me/x.py")],
    "a path that leaves the project": [("..", "/shared", "/data")],
    "the host of a package registry": [("https://files.python", "hosted.org", "/x"), ("PyPI", ".org")],
    "the address of a package index": [("--extra-index", "-url ", "file:///x"), ("find", "-links = ", "/x")],
    "the number of an issue": [("see is", "sue 7"), ("Fix", "es #12")],
}
"""Lines that each pattern must find, in pieces."""

LONGEST = 500
SOURCES = {".py", ".sh", ".toml", ".yaml", ""}
TEXTS = [path for path in project_files() if path.suffix not in {".npz", ".onnx", ".png"}]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{name_of(path)}:{number}: {match.group()}"
        for path in TEXTS
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in pattern.finditer(line)
    ]
    assert not found


@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_is_forbidden_would_be_found(what: str) -> None:
    assert [pieces for pieces in CAUGHT[what] if not re.search(FORBIDDEN[what], "".join(pieces))] == []


def test_no_source_is_longer_than_a_person_reads() -> None:
    lengths = {
        path: path.read_bytes().count(b"\n") for path in TEXTS if path.suffix in SOURCES and path.name != "LICENSE"
    }
    assert not {name_of(path): length for path, length in lengths.items() if length > LONGEST}


def test_no_finding_throws_errors_away() -> None:
    assert [each.name for each in (ROOT / "findings").glob("*.sh") if "/dev/null" in each.read_text("utf-8")] == []


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-oldest.txt"])
def test_constraints_are_names_and_versions(name: str) -> None:
    allowed = re.compile(r'[a-z0-9-]+==[\w.]+(; python_version (?:<|>=) "3\.\d+")?')
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#") and not allowed.fullmatch(line)] == []
    assert lines[1:] == sorted(lines[1:], key=lambda line: line.partition("==")[0])


def test_the_oldest_versions_are_those_that_are_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["heuristics"], *extras["test"]]
    declared = dict(each.split(">=") for each in wanted if ">=" in each)
    lines = (ROOT / "constraints-oldest.txt").read_text(encoding="utf-8").splitlines()[1:]
    pinned = dict(line.split("==") for line in lines)
    assert {
        name: least for name, least in declared.items() if not _is_first(pinned[name.replace(".", "-")], least)
    } == {}


def _is_first(version: str, least: str) -> bool:
    """Return whether a version is the declared one, or a repair of it."""
    return f"{version}.".startswith(f"{least}.")
