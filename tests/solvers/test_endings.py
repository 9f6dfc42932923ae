"""How a search says that it did not come to its end: by its status, its reason, and the status of the command."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.made import both, problem_of, profile_data, topology_data

import tiercut
from tiercut import InfeasibleError, StoppedError
from tiercut.cli import question_command as questions
from tiercut.optimizer.placement import narrow
from tiercut.optimizer.query import Query
from tiercut.optimizer.space import make_space
from tiercut.solvers.base import BaseSolver, Found
from tiercut.solvers.interface import Options
from tiercut.solvers.parallel import Ending
from tiercut.solvers.registry import SOLVERS, find
from tiercut.solvers.task import Task, make_task

CASE = ("mobile", "resnet20-digits32")
TWO = Query(fewest_partitions=2)
SPACE = make_space(
    problem_of(
        topology_data([{"name": "a"}, {"name": "b"}], [both("a", "b", 1, 1)]), profile_data([1.0] * 2, [0.0] * 3)
    )
)
TASK = make_task(narrow(SPACE, TWO), TWO)  # of two partitions: no plan on one node takes the place of none


class Scripted(BaseSolver):
    """A solver that finds what it is told to find."""

    name, about = "scripted", "for tests"
    features = find("exhaustive").features

    def __init__(self, found: Found, *, exact: bool) -> None:
        self.found, self.exact = found, exact  # type: ignore[misc]

    def _load(self, _: Task) -> None:
        pass

    def _search(self, _: Task, __: Options) -> Found:
        return self.found


PLAN = find("labels").solve(TASK, Options()).decisions


@pytest.mark.parametrize(
    ("exact", "plans", "reason", "status"),
    [
        (True, PLAN, "", "optimal"),
        (True, (), "", "infeasible"),
        (True, PLAN, Ending.STOPPED, "feasible"),
        (True, (), Ending.STOPPED, "stopped"),
        (True, (), "out of room", "stopped"),
        (True, PLAN, Ending.INTERRUPTED, "interrupted"),
        (True, (), Ending.INTERRUPTED, "interrupted"),
        (False, PLAN, "a heuristic came to its end", "feasible"),
        (False, (), "found nothing", "stopped"),
        (False, PLAN, Ending.INTERRUPTED, "interrupted"),
    ],
)
def test_a_status_says_what_is_proved(exact: bool, plans: Any, reason: str, status: str) -> None:
    found = Scripted(Found(decisions=plans, reason=reason), exact=exact).solve(TASK, Options())
    assert found.status == status


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("solver", [name for name in SOLVERS if name != "labels"])
def test_every_solver_says_that_the_user_interrupted_it(solver: str) -> None:
    problem = tiercut.problem(*CASE)
    task = make_task(make_space(problem, exits="free"), Query(min_accuracy=0.9))
    outcome = find(solver).solve(task, Options(progress=interrupt))
    assert (outcome.status, outcome.reason != "") == ("interrupted", True)


@pytest.mark.parametrize(
    ("status", "error", "code"), [("infeasible", InfeasibleError, 3), ("stopped", StoppedError, 4)]
)
def test_an_answer_without_plans_says_whether_that_is_proved(
    status: str, error: type[Exception], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tiercut.cli import main

    reason = "" if status == "infeasible" else Ending.STOPPED
    scripted = Scripted(Found(decisions=(), reason=reason), exact=True)
    monkeypatch.setattr("tiercut.solvers.registry.choose", lambda _: (scripted, "for a test"))
    monkeypatch.setattr("tiercut.analysis.answering.why_none", lambda *_: "there is none")
    with pytest.raises(error):
        _ = tiercut.solve(*CASE, partitions="2-4").best
    monkeypatch.setattr("sys.argv", ["tiercut", "solve", *CASE, "--partitions", "2-4", "--json"])
    with pytest.raises(SystemExit) as exit_:
        main()
    said = capsys.readouterr()
    assert exit_.value.code == code
    assert json.loads(said.out)["solver"]["status"] == status
    assert said.err.startswith(f"{status}: ")


def test_an_interrupted_command_prints_the_best_so_far_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tiercut.cli import main

    best = tiercut.solve(*CASE).best.decision
    scripted = Scripted(Found(decisions=(best,), reason=Ending.INTERRUPTED), exact=True)
    monkeypatch.setattr("tiercut.solvers.registry.choose", lambda _: (scripted, "for a test"))
    monkeypatch.setattr("sys.argv", ["tiercut", "solve", *CASE, "--partitions", "2-4", "--json"])
    with pytest.raises(SystemExit) as exit_:
        main()
    said = capsys.readouterr()
    assert exit_.value.code == questions.INTERRUPTED == 130
    answer = json.loads(said.out)
    assert (answer["solver"]["status"], len(answer["plans"])) == ("interrupted", 1)
    assert "best found so far" in said.err
