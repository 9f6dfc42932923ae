"""Measures of a plan by name: latency, bytes, energy and money of all of it, or of a part of it (see `grammar`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from tiercut.errors import QuestionError, unknown_name
from tiercut.optimizer.measures.local import LOCAL, between, utilisation
from tiercut.optimizer.measures.names import KINDS, place_fault, split_name
from tiercut.optimizer.measures.tables import Measure
from tiercut.optimizer.measures.tails import tail_of
from tiercut.optimizer.problem import ANYWHERE

if TYPE_CHECKING:
    from tiercut.optimizer.problem import Floats, Problem

__all__ = ["MEASURES", "Measure", "measure"]


def measure(problem: Problem, name: str, rate_fps: float | None = None) -> Measure:
    """Return the tables of a measure.

    Parameters
    ----------
    problem
        The tables that it is made of.
    name
        Such as ``latency``, ``compute:edge`` or ``link:a>b`` (see `tiercut.optimizer.measures.names`). Of a share,
        which is a ratio, the time itself.
    rate_fps
        Frames per second that arrive; needed for utilisation.

    Raises
    ------
    QuestionError
        If there is no such measure or place, or the topology does not say what it needs.
    """
    head, place = split_name(name)
    if head not in KINDS:
        raise QuestionError(unknown_name("measure", head, KINDS))
    if wrong := place_fault(head, place):
        raise QuestionError(f"{wrong}, such as {head}:{problem.nodes[0]}" if place is None else wrong)
    if head in MEASURES:
        tables = MEASURES[head](problem)
        return tables if place is None else between(problem, tables, place)
    assert place is not None
    return utilisation(problem, place, rate_fps) if head == "utilisation" else LOCAL[head](problem, place)


def _latency(problem: Problem) -> Measure:
    first = problem.transfer_s[0, problem.source]
    sends = problem.transfer_s[1:], problem.result_s, problem.codec_s[:, 1:]
    return Measure("latency", "s", first, problem.span_s, problem.bare_s, *sends)


def _bytes(problem: Problem) -> Measure:
    count = problem.node_count
    apart = 1.0 - np.eye(count)
    nothing = np.zeros_like(problem.span_s)
    away = np.ones(count)
    away[problem.destination if problem.destination != ANYWHERE else slice(None)] = 0.0
    sends = problem.payload_bytes[:, None, None] * apart
    result = np.tile(problem.result_bytes * away, (problem.block_count, 1))
    coded = problem.codec_bytes[:, 1:, None, None] * apart
    return Measure("bytes", "B", sends[0, problem.source], nothing, nothing, sends[1:], result, coded)


def _energy(problem: Problem) -> Measure:
    _needs(problem, problem.power, "power", "energy")
    watts = problem.power[:, None, None]
    free, result = np.zeros_like(problem.transfer_s), np.zeros_like(problem.result_s)
    sends = free[1:], result, np.zeros_like(problem.codec_s[:, 1:])
    return Measure("energy", "J", free[0, 0], problem.span_s * watts, problem.bare_s * watts, *sends)


def _cost(problem: Problem) -> Measure:
    _needs(problem, problem.price, "price", "cost")
    rate = problem.price[:, None, None]
    send = problem.transfer_cost
    return Measure(
        "cost",
        "$",
        send[0, problem.source],
        problem.span_s * rate,
        problem.bare_s * rate,
        send[1:],
        problem.result_cost,
        problem.codec_cost[:, 1:],
    )


def _needs(problem: Problem, values: Floats, key: str, what: str) -> None:
    missing = [name for name, value in zip(problem.nodes, values, strict=True) if np.isnan(value)]
    if missing:
        raise QuestionError(
            f"{what} needs the {key} of every node, but {', '.join(missing)} in topology '{problem.topology}' "
            f"have none; add '{key}' to them (0 where it does not count)"
        )


def _p99(problem: Problem) -> Measure:
    return tail_of(problem, _latency(problem), "p99")


MEASURES: Mapping[str, Callable[[Problem], Measure]] = MappingProxyType(
    {
        "latency": _latency,
        "p99": _p99,
        "bytes": _bytes,
        "energy": _energy,
        "cost": _cost,
    }
)
"""Measures of the whole plan, and how their tables are made."""
