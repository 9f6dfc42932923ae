"""An answer as a study of Optuna: each plan a finished trial, with its decision as parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut import __version__
from tiercut.analysis import ModelsAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tiercut.analysis import Answer
    from tiercut.optimizer import Plan, Problem

__all__ = ["Range", "Study", "Trial", "answers_in", "study_of"]

_COLUMNS = {"latency": "latency_s", "bytes": "bytes_sent", "rate": "seconds_per_frame"}
"""What measures are called in a study, where it is another name; a rate is compared by what it is one over."""

_PLAIN = "none"
"""What it is called that nothing encodes a payload."""


@dataclass(frozen=True, slots=True)
class Range:
    """The values that a parameter may have: a whole number or a number from low to high, or one of some words.

    Parameters
    ----------
    low, high
        Ends, both included; both are int or both float.
    words
        In place of these.
    """

    low: float = 0
    high: float = 0
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """A plan.

    Parameters
    ----------
    values
        In the measures of the study, in inner units.
    parameters
        Its decision.
    attributes
        All else that is said of it.
    """

    values: tuple[float, ...]
    parameters: Mapping[str, float | str]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Study:
    """What a study holds.

    Parameters
    ----------
    name
        Such as ``frontier: resnet20-digits32 on iot``.
    measures, directions
        What plans are compared in, and whether each is to ``minimize`` or to ``maximize``.
    ranges
        Of every parameter that any plan has.
    trials
        The plans in the order of the answer.
    attributes
        Of the study.
    """

    name: str
    measures: tuple[str, ...]
    directions: tuple[str, ...]
    ranges: Mapping[str, Range]
    trials: tuple[Trial, ...]
    attributes: Mapping[str, Any]


def study_of(answer: Answer | ModelsAnswer) -> Study:
    """Return an answer as a study.

    The parameters of a plan are the last block of each part (``end 1``, ``end 2``, …), its node (``node 1``, …), the
    exits where they may stand elsewhere (``exit 1``, …), ``threshold`` (or ``threshold 1``, … of every exit but the
    last), and, where the question has them, ``input codec``, ``codec 1``, … and the ``profile``.
    """
    query, answers = answer.query, answers_in(answer)
    compared = query.compared if query.kind == "frontier" else (query.objective,)
    rows = answer.to_frame().to_dict("records")
    values = _values(answer, compared)
    models = answer.models if isinstance(answer, ModelsAnswer) else (None,) * len(answer.plans)
    named = list(answers)
    trials, ranges = [], {} if len(named) == 1 else {"profile": Range(words=tuple(named))}
    for plan, row, value, model in zip(answer.plans, rows, values, models, strict=True):
        of = answers[model or named[0]]
        decision = {name: value for name, value, _ in _decision(plan, of)}
        for name, _, each in _decision(plan, of):
            ranges[name] = _joined(ranges.get(name, each), each)
        own: dict[str, float | str] = {} if model is None else {"profile": model}
        trials.append(Trial(tuple(value), own | decision, _said(row)))
    solvers = dict.fromkeys(each.outcome.solver for each in answers.values())
    topology = next(iter(answers.values())).space.problem.topology
    return Study(
        f"{query.kind}: {', '.join(named)} on {topology}",
        tuple(_COLUMNS.get(name, name) for name in compared),
        tuple("maximize" if name == "accuracy" else "minimize" for name in compared),
        ranges,
        tuple(trials),
        {
            "tiercut": __version__,
            "question": query.kind,
            "topology": topology,
            "profile": ", ".join(named),
            "solver": ", ".join(solvers),
            "status": answer.status,
            "decisions": sum(each.space.decisions for each in answers.values()),
        },
    )


def answers_in(answer: Answer | ModelsAnswer) -> dict[str, Answer]:
    """Return the answers of each network, by what it is called."""
    return answer.answers if isinstance(answer, ModelsAnswer) else {answer.space.problem.profile: answer}


def _values(answer: Answer | ModelsAnswer, compared: Sequence[str]) -> list[list[float]]:
    """Return the values of plans in what is compared, in the order of the answer."""
    if not isinstance(answer, ModelsAnswer):
        return [[float(value) for value in row] for row in answer.values(compared)]
    every = {name: each.values(compared) for name, each in answer.answers.items()}
    return [[float(value) for value in every[each.model][each.index]] for each in answer.found]


def _decision(plan: Plan, answer: Answer) -> Iterator[tuple[str, float | str, Range]]:
    """Yield name, value and range of what a plan decides."""
    space, problem = answer.space, answer.space.problem
    block = Range(1, problem.block_count)
    for place, (end, node) in enumerate(zip(plan.partition, plan.placement, strict=True), 1):
        yield f"end {place}", end, block
        yield f"node {place}", node, Range(words=problem.nodes)
    if space.exits == "free":
        yield from ((f"exit {place}", each, block) for place, each in enumerate(plan.exits, 1))
    yield from _thresholds(plan, problem)
    if len(space.codec_choices) > 1:
        known = Range(words=(_PLAIN, *problem.codecs))
        yield "input codec", plan.input_codec or _PLAIN, known
        yield from ((f"codec {place}", each or _PLAIN, known) for place, each in enumerate(plan.codecs, 1))


def _thresholds(plan: Plan, problem: Problem) -> Iterator[tuple[str, float | str, Range]]:
    if not problem.has_exits:
        return
    span = Range(float(problem.thresholds.min()), float(problem.thresholds.max()))
    if plan.threshold is not None:
        yield "threshold", plan.threshold, span
    yield from ((f"threshold {place}", each, span) for place, each in enumerate(plan.thresholds or (), 1))


def _joined(one: Range, other: Range) -> Range:
    """Return a range that holds both: a study has one for each parameter, whatever the network."""
    return Range(min(one.low, other.low), max(one.high, other.high), tuple(dict.fromkeys((*one.words, *other.words))))


def _said(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the cells of a row of a frame that say something, as plain numbers and text."""
    return {str(name): cell for name, cell in row.items() if isinstance(cell, str) or np.isfinite(cell)}
