"""A measure that is registered is seen wherever measures are asked for: no other file has to name it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.made import both, exits_data, profile_data, topology_data

import tiercut
from tiercut.cli import main
from tiercut.errors import QuestionError
from tiercut.optimizer.measures.kinds import energy
from tiercut.optimizer.measures.registry import register, unregister
from tiercut.optimizer.questions.query_file import BoundEntry
from tiercut.profiling.profile.schema import Profile
from tiercut.report.plots.several_measures import several_measures
from tiercut.report.plots.why import panels
from tiercut.topologies.schema import Topology

NODES = [
    {"name": "a", "slowdown": 4.0, "power": "3 W", "price": "1 $/h"},
    {"name": "b", "slowdown": 1.0, "power": "10 W", "price": "1 $/h"},
]
TOPOLOGY = topology_data(NODES, [both("a", "b", 0.1, 100.0)], destination="anywhere")
EXITS = exits_data([0.6, 0.8, 0.9], [0.5, 0.3, 0.2])
PROFILE = profile_data([1.0, 1.0, 2.0], [20.0, 10.0, 5.0, 1.0], branch_s=[0.1, 0.1, 0.1], exits=EXITS)
CASE = Topology.from_data(TOPOLOGY), Profile.from_data(PROFILE)


@pytest.fixture(autouse=True)
def added() -> Iterator[None]:
    """Energy under another name, known for one test."""
    register(replace(energy.KIND, name="joules", about="as energy"))
    yield
    unregister("joules")


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command as the shell does; return standard output, or standard error where it fails."""
    paths = [tmp_path / "topology.json", tmp_path / "profile.json"]
    for path, data in zip(paths, (TOPOLOGY, PROFILE), strict=True):
        path.write_text(json.dumps(data))

    def run(command: str, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["tiercut", command, *map(str, paths), *arguments])
        try:
            main()
        except SystemExit as stop:
            if stop.code:
                return capsys.readouterr().err
        return capsys.readouterr().out

    return run


def test_it_can_be_the_objective(call: Any) -> None:
    same = tiercut.solve(*CASE, objective="energy", min_accuracy=0.7)
    assert tiercut.solve(*CASE, objective="joules", min_accuracy=0.7).best == same.best
    assert "least joules" in call("solve", "--objective", "joules")


def test_it_can_be_bounded(call: Any) -> None:
    assert "joules ≤ 25 J" in call("solve", "--bound", "joules<=25 J")
    assert "the least joules is 11 J" in call("solve", "--bound", "joules<=1 J")
    assert "'joules<=1 s'" in call("solve", "--bound", "joules<=1 s")
    assert "the least joules:a is 0 J" not in call("solve", "--bound", "joules:a<=1 J")
    assert "no node or tier 'c'" in call("solve", "--bound", "joules:c<=1 J")


def test_a_frontier_can_be_over_it_and_is_drawn(call: Any, tmp_path: Path) -> None:
    answer = tiercut.frontier(*CASE, over=["latency", "joules", "accuracy"])
    same = tiercut.frontier(*CASE, over=["latency", "energy", "accuracy"])
    assert [plan.decision for plan in answer] == [plan.decision for plan in same]
    assert "joules (J)" in several_measures(answer).labels
    assert "joules" in call("frontier", "--over", "joules,latency", "--plot", str(tmp_path / "over.svg"))
    assert (tmp_path / "over.svg").stat().st_size > 0


def test_why_finds_the_changes_that_it_finds_for_the_measure_that_it_copies() -> None:
    why, same = (tiercut.why(*CASE, objective=name, min_accuracy=0.7) for name in ("joules", "energy"))
    assert {each.parameter.name for each in same.sweeps if each.changes} == {"a", "b"}
    assert why.to_frame().equals(same.to_frame())
    assert why.sweeps == same.sweeps
    drawn, _ = panels(why)
    assert {panel.value_label for panel in drawn} == {"joules (J)"}


def test_why_says_that_a_bound_on_it_moves() -> None:
    why = tiercut.why(*CASE, bounds=["joules<=30 J"])
    notes = {each.parameter.name: each.note for each in why.sweeps if each.note}
    assert notes == dict.fromkeys("ab", "the bound on joules moves with it")


def test_a_query_file_may_name_it_and_its_schema_does() -> None:
    (bound,) = BoundEntry.model_validate({"measure": "joules", "at_most": "3 J"}).bounds
    assert (bound.name, bound.at_most) == ("joules", 3.0)
    schema = BoundEntry.model_json_schema()["properties"]["measure"]
    assert schema["enum"][-1] == "joules"
    assert schema["description"].endswith("or joules")


def test_a_measure_that_is_nearly_its_name_is_offered() -> None:
    with pytest.raises(QuestionError, match="did you mean 'joules'"):
        tiercut.solve(*CASE, objective="joule")


def test_the_help_of_a_question_names_it() -> None:
    program = """
import sys
from dataclasses import replace
from tiercut.optimizer.measures.kinds import energy
from tiercut.optimizer.measures.registry import register
register(replace(energy.KIND, name="joules"))
from tiercut.cli import main
sys.argv = ["tiercut", "solve", "--help"]
main()
"""
    wide = os.environ | {"COLUMNS": "300", "TERMINAL_WIDTH": "300"}
    done = subprocess.run([sys.executable, "-c", program], env=wide, capture_output=True, text=True)  # noqa: PLW1510
    assert done.returncode == 0, done.stderr
    assert "joules" in done.stdout
