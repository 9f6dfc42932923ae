"""What else is to be said of an answer: what words of the question mean, what is left out, what the plan gains."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tiercut.analysis.memory import binding_memory
from tiercut.optimizer import evaluate, format_amount, narrow, price, settling_text
from tiercut.solvers import make_task, registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiercut.analysis.answers.answer import Answer
    from tiercut.optimizer import Plan, Problem, Query, Space
    from tiercut.solvers import Options, Solver

__all__ = ["best_on_one_machine", "said_of_question", "with_notes"]

_SPARE_S = 1.0
"""Seconds after which the best plan on one machine is no longer looked for."""


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
        The space before the placement rules of the question, with the tables that the plans are judged by.
    solver, options
        Who answered it, and how.
    """
    native = _native(answer, whole, options) if answer.query.kind == "solve" else None
    answer = replace(answer, native=native)
    return replace(answer, notes=(*answer.notes, *_notes(answer, whole, solver, options)))


def _native(answer: Answer, whole: Space, options: Options) -> Plan | None:
    replayed = answer.replayed
    if replayed is None or replayed.proved:
        return best_on_one_machine(whole, answer.query, options)
    return None if replayed.native is None else replayed.native.replayed


def best_on_one_machine(whole: Space, query: Query, options: Options) -> Plan | None:
    """Return the best plan that keeps a question in one piece (native); None where there is none or it takes long.

    Parameters
    ----------
    whole
        The space before the placement rules of the question.
    query
        What is asked. Its rules for the placement hold, but for those on the number of partitions.
    options
        Threads and seed.
    """
    one = replace(query, kind="solve", over=(), fewest_partitions=1, most_partitions=1)
    task = make_task(narrow(whole, one), one)
    if not registry.in_time(task):
        return None
    solver = registry.choose(task)[0]
    outcome = solver.solve(task, replace(options, time_limit_s=_SPARE_S, progress=None))
    return price(task.space.problem, outcome.decisions[0]) if outcome.status == "optimal" else None


def _notes(answer: Answer, whole: Space, solver: Solver, options: Options) -> Iterator[str]:
    query = answer.query
    if query.kind == "solve":
        if not query.bounded and answer.outcome.gap is None:  # else it is told how near it is
            yield _unbounded(answer)
        yield from _gain(answer)
        yield from map(str, answer.at_rate)
    if left := _cuts_left_out(answer.space):
        yield left
    if answer.replayed is None and (binds := binding_memory(whole, query, solver, answer.outcome, options)):
        yield binds


def _unbounded(answer: Answer) -> str:
    """Return what an answer to a question without bounds is."""
    accuracy = answer.best.accuracy
    if answer.query.objective == "accuracy":
        return "no bound is asked for: nothing is more accurate, however long it takes (max_latency bounds that)"
    most = "greatest" if answer.query.objective == "rate" else "least"
    least = f"no bound is asked for: this is the {most} {answer.query.objective} of all plans"
    if accuracy is None or not answer.space.problem.has_exits:
        return least
    return f"{least}, whatever its accuracy, {accuracy:.2%} (min_accuracy and max_loss bound that)"


def _gain(answer: Answer) -> Iterator[str]:
    """Yield what the best plan gains over the best one on one machine."""
    best, native, query = answer.best, answer.native, answer.query
    if native is None:
        return
    if len(best.partition) == 1:
        yield "no cut pays: the best plan runs on one machine"
        return
    right = "" if native.accuracy is None or not answer.space.problem.has_exits else f", accuracy {native.accuracy:.2%}"
    if query.objective == "accuracy":
        points = 100 * ((best.accuracy or 0.0) - (native.accuracy or 0.0))
        yield f"the best on one machine is {native}{right}: {points:.2f} points less"
        return
    problem = answer.judged
    value, least = (evaluate(problem, each.decision, query.objective, query.rate_fps) for each in (native, best))
    times = f" ({value / least:.3g} times as much)" if least > 0 else ""
    yield f"the best on one machine is {native}: {format_amount(value, query.objective)}{times}{right}"


def _cuts_left_out(space: Space) -> str:
    """Return how many places to cut have no branch, where every partition ends in one; empty where none is."""
    places = space.problem.block_count - 1
    left = places - int(space.problem.branch[:-1].sum())
    if space.exits != "cuts" or not left:
        return ""
    verb = "is" if left == 1 else "are"
    return (
        f"{left} of {places} cuts {verb} left out, where no branch stands: with exits cuts every partition ends in a "
        "branch (exits free takes all)"
    )
