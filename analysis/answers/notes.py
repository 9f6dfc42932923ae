"""What else is to be said of an answer: what words of the question mean, what is left out, what the plan gains."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tiercut.analysis.memory import binding_memory
from tiercut.optimizer import settling_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiercut.analysis.answers.answer import Answer
    from tiercut.optimizer import Problem, Query, Space
    from tiercut.solvers import Options, Solver

__all__ = ["said_of_question", "with_notes"]


def said_of_question(asked: Query, judged: Problem) -> tuple[str, ...]:
    """Return what words of a question mean on the tables that its plans are judged by."""
    means = settling_text(asked, judged)
    return (means,) if means else ()


def with_notes(answer: Answer, whole: Space, solver: Solver, options: Options) -> Answer:
    """Return an answer that has plans with all that is to be said of it.

    Parameters
    ----------
    answer
        With what is said of its question.
    whole
        The space before the placement rules of the question.
    solver, options
        Who answered it, and how.
    """
    return replace(answer, notes=(*answer.notes, *_notes(answer, whole, solver, options)))


def _notes(answer: Answer, whole: Space, solver: Solver, options: Options) -> Iterator[str]:
    if binds := binding_memory(whole, answer.query, solver, answer.outcome, options):
        yield binds
