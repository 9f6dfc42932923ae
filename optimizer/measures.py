"""Additive measures of a plan: latency, bytes, energy and money are one sum with different tables.

Each is ``input[A_1] + Σ_k (S_(k-1)·piece + E_k·result + S_k·send)``: a share of samples times something local.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from tiercut.errors import QuestionError, unknown_name
from tiercut.optimizer.problem import ANYWHERE

if TYPE_CHECKING:
    from tiercut.optimizer.problem import Floats, Problem

__all__ = ["MEASURES", "Measure", "measure"]


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """The tables of one additive measure.

    Parameters
    ----------
    name, unit
        What it is and in what it counts.
    first
        M: what bringing the input to the first node costs.
    span, bare
        M x N x N: what blocks i..j cost on a node, with branch j and without one.
    send
        N x M x M: what sending block i's output (0-based) from one node to another costs.
    result
        N x M: what bringing a prediction of branch i from a node to the destination costs.
    codec_send
        C x N x M x M: as `send`, by each codec.
    unweighted
        Whether pieces count whole, however few samples get there (memory, blocks).
    """

    name: str
    unit: str
    first: Floats
    span: Floats
    bare: Floats
    send: Floats
    result: Floats
    codec_send: Floats
    unweighted: bool = False


def measure(problem: Problem, name: str) -> Measure:
    """Return the tables of a measure.

    Raises
    ------
    QuestionError
        If there is no such measure, or the topology does not say what it needs.
    """
    if name not in MEASURES:
        raise QuestionError(unknown_name("measure", name, MEASURES))
    return MEASURES[name](problem)


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


MEASURES: Mapping[str, Callable[[Problem], Measure]] = MappingProxyType(
    {"latency": _latency, "bytes": _bytes, "energy": _energy, "cost": _cost}
)
"""What an additive objective may be called, and how its tables are made."""
