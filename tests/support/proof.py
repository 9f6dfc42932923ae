"""One random problem after the other, answered by every exact solver and by the second scorer, and what came of it."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import replace
from math import isclose
from typing import Any

import numpy as np

from support.questions import Question, answered, assert_answered, is_small, questions
from support.seeded.problems import Case, random_case
from support.seeded.questions import priced, random_question
from tiercut.errors import TiercutError
from tiercut.optimizer.query import Query
from tiercut.optimizer.space import Space
from tiercut.solvers.interface import Options
from tiercut.solvers.registry import SOLVERS, find, needs
from tiercut.solvers.task import make_task

SORTS = ("any", "plain", "zero times", "one block", "one node", "cut off", "none feasible")
"""What a problem is, by turns: any numbers; small integers, so that ties abound; and what degenerates."""

EXACT = [name for name, solver in SOLVERS.items() if solver.exact]


def problem(seed: int) -> tuple[str, Case | None]:
    """Return the sort and the problem of a seed; None where it is too large for plain Python, or cannot be."""
    sort = SORTS[seed % len(SORTS)]
    sizes = {"one block": (1, 5), "one node": (8, 1)}.get(sort, (7, 4))
    case = random_case([11, seed], plain=sort == "plain" or seed % 2 == 1, blocks=sizes[0], nodes=sizes[1])
    if "codecs" in case.profile and seed % 4 < 2:
        case = replace(case, codec="auto")
    if sort == "zero times":
        case = replace(case, profile=_without_times(case.profile))
    if sort == "cut off":
        case = replace(case, topology=_cut_off(case.topology))
    try:
        return sort, case if is_small(case) and case.space else None
    except TiercutError:  # nobody could answer from a node that is cut off
        return sort, None


def _without_times(profile: dict[str, Any]) -> dict[str, Any]:
    def zero(value: Any) -> Any:
        return [zero(each) for each in value] if isinstance(value, list) else None if value is None else 0.0

    devices = {name: {key: zero(value) for key, value in times.items()} for name, times in profile["devices"].items()}
    return {**deepcopy(profile), "devices": devices}


def _cut_off(topology: dict[str, Any]) -> dict[str, Any]:
    """Take away the ways to the last node, which may still be on a way from somewhere."""
    last = topology["nodes"][-1]["name"]
    links = [link for link in topology["links"] if link.get("to") != last and last not in link.get("between", ())]
    return {**topology, "links": links}


def check(seed: int, *, slow: bool) -> Counter[str]:
    """Answer the questions of a seed in every way, and return how many there were of which sort.

    Parameters
    ----------
    seed
        Of the problem and its questions.
    slow
        Whether cp-sat is asked too, without presolve and with it.

    Raises
    ------
    AssertionError
        If two ways disagree.
    """
    counts: Counter[str] = Counter()
    sort, case = problem(seed)
    if case is None:
        counts["left out: too large, or no answer could come back"] += 1
    else:
        rng = np.random.default_rng([12, seed])
        for question in questions(case, rng, ("latency", "accuracy", "bytes")):
            asked = _infeasible(question) if sort == "none feasible" else question
            counts += _by_the_second_scorer(asked, slow)
            counts["questions with codecs"] += case.codec == "auto"
            counts[f"problems with {sort}" if question.query.kind == "solve" else "other questions of them"] += 1
            counts["no plan"] += not asked.wanted
    return counts + _by_each_other(seed, slow)


def _infeasible(question: Question) -> Question:
    least = min((score.latency for score in question.scores), default=0.0)
    return answered(question.case, replace(question.query, max_latency_s=max(least * 0.9 - 1e-6, 0.0)), question.scores)


def _ways(space: Space, query: Query, slow: bool) -> list[tuple[str, str, Options]]:
    wanted = needs(make_task(space, query))
    able = [name for name in EXACT if wanted <= SOLVERS[name].features and (slow or name != "cp-sat")]
    plain = [(name, name, Options(workers=1)) for name in able]
    presolved = [("cp-sat with presolve", "cp-sat", Options(presolve=True))] if slow and "cp-sat" in able else []
    return plain + presolved


def _by_the_second_scorer(question: Question, slow: bool) -> Counter[str]:
    """Hold every solver to what trying everything in plain Python finds, from the files and not the tables."""
    counts: Counter[str] = Counter()
    for way, name, options in _ways(question.case.space, question.query, slow):
        outcome = find(name).solve(make_task(question.case.space, question.query), options)
        assert_answered(question, [question.case.choice(decision) for decision in outcome.decisions])
        assert outcome.status == ("optimal" if question.wanted else "infeasible"), way
        counts[f"{way} against the second scorer"] += 1
    return counts


def _by_each_other(seed: int, slow: bool) -> Counter[str]:
    """Hold solvers to each other under everything that can be asked: rules, codecs, thresholds per exit, bounds."""
    counts: Counter[str] = Counter()
    asked = random_question(seed)
    if asked is None:
        return counts
    space, query = asked
    wanted = find("exhaustive").solve(make_task(space, query), Options(workers=1))
    for way, name, options in _ways(space, query, slow):
        if name != "exhaustive":
            got = find(name).solve(make_task(space, query), options)
            assert got.status == wanted.status, (way, query)
            assert_same(priced(space, got, query), priced(space, wanted, query), query, seed)
            counts[f"{way} against exhaustive, with all that can be asked"] += 1
    return counts


def assert_same(got: list[tuple[float, float]], wanted: list[tuple[float, float]], query: Query, seed: int) -> None:
    """Check two answers by their values, the objective and the accuracy of each plan."""
    if query.kind == "frontier":
        for one, other in ((got, wanted), (wanted, got)):
            assert all(any(_covers(each, point) for each in one) for point in other), (seed, query, got, wanted)
        return
    place = 1 if query.objective == "accuracy" else 0
    assert len(got) == len(wanted), (seed, query)
    for one, other in zip(got, wanted, strict=True):
        assert near(one[place], other[place]), (seed, query, got, wanted)


def _covers(point: tuple[float, float], other: tuple[float, float]) -> bool:
    return (point[0] <= other[0] or near(point[0], other[0])) and point[1] >= other[1] - 3e-12


def near(one: float, other: float) -> bool:
    """Return whether two values are equal but for rounding."""
    return isclose(one, other, rel_tol=1e-11, abs_tol=1e-11)
