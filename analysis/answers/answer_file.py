"""Reading plans back from an answer, so that every command that takes a plan reads the same file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tiercut import documents
from tiercut.analysis.answers.answer import FORMAT
from tiercut.documents import Document
from tiercut.errors import InputError, QuestionError, unknown_name
from tiercut.optimizer.pricing import decide
from tiercut.optimizer.samples.estimators import ESTIMATORS

if TYPE_CHECKING:
    from tiercut.optimizer.plan import Decision
    from tiercut.optimizer.problem import Estimator, Problem

__all__ = ["load_decision", "load_estimator", "load_exits_of"]

SIZE_LIMIT = 256 << 20


class _Plan(Document):
    rank: int
    partition: list[int]
    placement: list[str]
    exits: list[int]
    threshold: float | None
    thresholds: list[float] | None = None
    codecs: list[str | None] = Field(default_factory=list)
    latency_s: float
    accuracy: float | None
    bytes_sent: float
    input_s: float
    stages: list[dict[str, Any]] = Field(default_factory=list)
    idle_stages: list[int] = Field(default_factory=list)
    measures: dict[str, float] = Field(default_factory=dict)


class _Answer(Document):
    format: Literal["tiercut.answer/1"]
    problem: dict[str, Any]
    solver: dict[str, Any]
    frontier: dict[str, Any] | None = None
    plans: list[_Plan]
    evaluation: dict[str, Any] | None = None


def load_exits_of(path: str | os.PathLike[str], rank: int = 1) -> tuple[int, ...]:
    """Return the blocks after which samples leave in the plan of a rank in an answer file, 1-based.

    Raises
    ------
    InputError
        If the file is no answer.
    QuestionError
        If it has no plan of that rank.
    """
    return tuple(_plan(path, rank).exits)


def load_estimator(path: str | os.PathLike[str]) -> Estimator:
    """Return the estimator by which the plans of an answer file are priced.

    Raises
    ------
    InputError
        If the file is no answer, or names an estimator that there is none of.
    """
    answer = documents.load(path, _Answer, format_=FORMAT, limit=SIZE_LIMIT)
    named = answer.problem.get("estimator", "marginal")
    known = next((each for each in ESTIMATORS if each == named), None)
    if known is None:
        raise InputError(os.fspath(path), f"problem: {unknown_name('estimator', str(named), ESTIMATORS)}")
    return known


def load_decision(problem: Problem, path: str | os.PathLike[str], rank: int = 1) -> Decision:
    """Return the decision of the plan of a rank in an answer file.

    Raises
    ------
    InputError
        If the file is no answer.
    QuestionError
        If it has no plan of that rank, or the plan does not fit the problem.
    """
    found = _plan(path, rank)
    how: dict[str, Any] = {"thresholds": found.thresholds, "codecs": found.codecs or None}
    return decide(problem, found.partition, found.placement, found.threshold, found.exits, **how)


def _plan(path: str | os.PathLike[str], rank: int) -> _Plan:
    answer = documents.load(path, _Answer, format_=FORMAT, limit=SIZE_LIMIT)
    found = next((plan for plan in answer.plans if plan.rank == rank), None)
    if found is None:
        ranks = f"ranks 1 to {len(answer.plans)}" if answer.plans else "no plans"
        raise QuestionError(f"'{os.fspath(path)}' has {ranks}, but rank {rank} was asked for")
    return found
