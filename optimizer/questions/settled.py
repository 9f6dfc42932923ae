"""What a question means on the tables of a problem: a least accuracy that hangs on the network's own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tiercut.errors import QuestionError
from tiercut.optimizer.plan import Decision
from tiercut.optimizer.pricing import price

if TYPE_CHECKING:
    from tiercut.optimizer.problem import Problem
    from tiercut.optimizer.query import Query

__all__ = ["final_accuracy", "settled", "settling_text"]


def final_accuracy(problem: Problem) -> float:
    """Return the share of the samples that the whole network gets right, where none leaves early.

    Raises
    ------
    QuestionError
        If the profile does not say it.
    """
    count = problem.block_count
    accuracy = price(problem, Decision((count,), (problem.source,), (count,))).accuracy
    if accuracy is None:
        raise QuestionError(
            "an accuracy in terms of the final one needs the accuracy of the whole network, which profile "
            f"'{problem.profile}' does not have: add the key 'accuracy'"
        )
    return accuracy


def settled(query: Query, problem: Problem) -> Query:
    """Return a question with its least accuracy as a share of all samples, by the accuracy of the whole network."""
    if query.of_final is None and query.max_loss is None:
        return query
    final = final_accuracy(problem)
    least = final * query.of_final if query.of_final is not None else final - (query.max_loss or 0.0)
    return replace(query, min_accuracy=min(max(least, 0.0), 1.0), of_final=None, max_loss=None)


def settling_text(asked: Query, problem: Problem) -> str:
    """Return in words what `settled` made of a least accuracy; empty where it had nothing to do."""
    if asked.of_final is None and asked.max_loss is None:
        return ""
    final, least = final_accuracy(problem), settled(asked, problem).min_accuracy or 0.0
    if asked.of_final is not None:
        what = f"{100 * asked.of_final:.4g} % of the final accuracy"
    else:
        points = 100 * (asked.max_loss or 0.0)
        what = f"a loss of at most {points:.4g} point{'s' * (points != 1)}"
    return f"{what}, {final:.2%} without early exits, means at least {least:.2%}"
