"""Labels that carry what is bounded find what scoring every decision finds, order among equals included."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.made import grown_problem
from support.seeded.questions import random_question

from tiercut.errors import QuestionError
from tiercut.optimizer import Bound, Query, evaluate_tables, make_space, measure
from tiercut.solvers.interface import Options
from tiercut.solvers.registry import choose, find, needs
from tiercut.solvers.task import Task, make_task

KINDS = ("utilisation:n0", "utilisation:n1", "compute:n1", "compute:n2", "bytes", "out:n0")


def _bounded(seed: int) -> list[Task]:
    """Return tasks with constraints that labels can do."""
    asked = random_question(seed)
    if asked is None:
        return []
    space, query = asked
    kinds = ("solve",) if query.objective == "accuracy" else ("solve", "frontier")
    tasks = [make_task(space, replace(query, kind=kind)) for kind in kinds]
    return [each for each in tasks if each.constraints and needs(each) <= find("labels").features]


@pytest.mark.parametrize("seeds", [range(first, first + 20) for first in range(0, 120, 20)])
def test_bounds_leave_labels_exact(seeds: range) -> None:
    tasks = [task for seed in seeds for task in _bounded(seed)]
    assert tasks
    for task in tasks:
        found, wanted = (find(name).solve(task, Options(workers=1)) for name in ("labels", "exhaustive"))
        assert (found.status, found.decisions) == (wanted.status, wanted.decisions)


@pytest.mark.parametrize("kind", ["solve", "frontier"])
def test_under_bounds_labels_are_taken_first(kind: str) -> None:
    space = make_space(grown_problem(5, 3, 3))
    free = find("labels").solve(make_task(space, Query()), Options()).decisions[0]
    bounds = []
    for name, share in zip(KINDS, (1.1, 1.1, 1.1, 1.1, 0.9, 0.9), strict=True):
        value = evaluate_tables(space.problem, free, measure(space.problem, name, 1.0))
        kind_of, _, place = name.partition(":")
        bounds.append(Bound(kind_of, place or None, at_most=share * value + 1e-3))
    task = make_task(space, Query(kind=kind, rate_fps=1.0, bounds=tuple(bounds)))  # type: ignore[arg-type]
    assert choose(task)[0].name == "labels"
    found, wanted = (find(name).solve(task, Options()) for name in ("labels", "exhaustive"))
    assert found.decisions == wanted.decisions
    assert found.scored is not None


def test_a_ranking_under_bounds_is_left_to_others() -> None:
    task = make_task(make_space(grown_problem(5, 3, 3)), Query(kind="rank", bounds=(Bound("bytes", at_most=1e9),)))
    assert choose(task)[0].name == "exhaustive"
    with pytest.raises(QuestionError, match=r"the N best plans under bounds .*; these do: exhaustive, cp-sat"):
        find("labels").solve(task, Options())
