"""Random questions about random problems, and what the second scorer answers by trying everything."""

from __future__ import annotations

from dataclasses import dataclass
from math import isclose
from typing import Any

import numpy as np

from support.reference import Choice, Score, within
from support.seeded.problems import Case
from tiercut.optimizer.query import Query

MOST_DECISIONS = 400  # beyond which trying everything in plain Python takes too long
KINDS = ("solve", "rank", "frontier")


@dataclass(frozen=True)
class Question:
    """A question about a problem, and the answer found by trying every plan."""

    case: Case
    query: Query
    scores: list[Score]
    wanted: list[Score]


def is_small(case: Case) -> bool:
    return case.decisions <= MOST_DECISIONS


def questions(case: Case, rng: np.random.Generator, objectives: tuple[str, ...]) -> list[Question]:
    """Return a question of each kind that can be asked, with an objective and bounds by chance."""
    scores = case.scores
    return [answered(case, query, scores) for kind in KINDS for query in _asked(case, kind, rng, objectives, scores)]


def answered(case: Case, query: Query, scores: list[Score]) -> Question:
    """Return a question with its answer."""
    admitted = within(scores, query.min_accuracy, query.max_latency_s)
    if query.kind == "frontier":
        return Question(case, query, scores, case.reference.frontier(admitted, query.objective))
    top = query.top if query.kind == "rank" else 1
    return Question(case, query, scores, case.reference.ranked(admitted, query.objective)[:top])


def _asked(
    case: Case, kind: Any, rng: np.random.Generator, objectives: tuple[str, ...], scores: list[Score]
) -> list[Query]:
    """Bounds are what some plan just reaches, or what lies between two plans, or what nothing reaches."""
    objective = objectives[int(rng.integers(len(objectives)))]
    known = case.space.knows_accuracy
    if not scores or (not known and (kind == "frontier" or objective == "accuracy")):
        return []
    one, other = (scores[int(place)] for place in rng.integers(len(scores), size=2))
    floor = None
    if known and rng.random() < 0.4:
        floor = min(1.0, max(0.0, one.accuracy or 0.0) * rng.choice([1.0, 1.0, 1.01]))  # codecs can take it below 0
    cap = other.latency * rng.choice([1.0, 1.0, 0.9]) if rng.random() < 0.4 else None
    bounds = {"min_accuracy": floor, "max_latency_s": cap}
    rule = {"exits": case.exits, "order": case.order, "codec": case.codec}
    return [Query(kind=kind, objective=objective, top=int(rng.integers(1, 12)), **bounds, **rule)]


def goal(score: Score, objective: str) -> float:
    """Return what a question makes least; for accuracy, greatest."""
    return {"latency": score.latency, "bytes": score.bytes_sent, "accuracy": score.accuracy or 0.0}[objective]


def assert_answered(question: Question, got: list[Choice]) -> None:
    """Check an answer by its values: which of several nearly equal plans is named may hang on the last bit."""
    known = {score.choice: score for score in question.scores}
    assert len(set(got)) == len(got), "a plan is named twice"
    assert set(got) <= set(known), "a plan is not admitted"
    scores, query = [known[choice] for choice in got], question.query
    assert within(scores, query.min_accuracy, query.max_latency_s) == scores, "a bound is not held"
    if query.kind == "frontier":
        assert_same_frontier(scores, question.wanted, query.additive)
        return
    found = [goal(score, query.objective) for score in scores]
    wanted = [goal(score, query.objective) for score in question.wanted]
    assert len(found) == len(wanted)
    assert all(isclose(f, w, rel_tol=1e-12, abs_tol=1e-12) for f, w in zip(found, wanted, strict=True)), (found, wanted)


def assert_same_frontier(got: list[Score], wanted: list[Score], objective: str) -> None:
    """Check that no point of either frontier beats the other by more than rounding."""
    assert _covers(got, wanted, objective), "a point is missing"
    assert _covers(wanted, got, objective), "a point is better than what there is"
    goals = [goal(score, objective) for score in got]
    assert goals == sorted(goals), "the points do not rise"


def _covers(frontier: list[Score], points: list[Score], objective: str) -> bool:
    return all(
        any(
            goal(each, objective) <= goal(point, objective) * (1 + 1e-12) + 1e-12
            and (each.accuracy or 0.0) >= (point.accuracy or 0.0) - 3e-12
            for each in frontier
        )
        for point in points
    )
