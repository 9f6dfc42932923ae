"""``bytes``: the expected payload that leaves a node for another, of the whole plan or from one place to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercut.optimizer.measures.kind import STILL, MeasureKind, Scope
from tiercut.optimizer.measures.places import PLAN_OR_PAIR
from tiercut.optimizer.measures.quantity import SIZE

if TYPE_CHECKING:
    from tiercut.optimizer.measures.tables import Measure
    from tiercut.optimizer.problem import Problem

__all__ = ["KIND"]


def _tables(scope: Scope) -> Measure:
    from tiercut.optimizer.measures.local import between

    tables = _of_plan(scope.problem)
    return between(scope.problem, tables, scope.place) if scope.place else tables


def _of_plan(problem: Problem) -> Measure:
    import numpy as np

    from tiercut.optimizer.measures.tables import Measure
    from tiercut.optimizer.problem import ANYWHERE

    count = problem.node_count
    apart = 1.0 - np.eye(count)
    nothing = np.zeros(problem.span_s.shape)
    away = np.ones(count)
    away[problem.destination if problem.destination != ANYWHERE else slice(None)] = 0.0
    sends = problem.payload_bytes[:, None, None] * apart
    coded = problem.codec_bytes[:, :, None, None] * apart
    return Measure(
        first=sends[0, problem.source],
        span=nothing,
        bare=nothing,
        send=sends[1:],
        result=np.tile(problem.result_bytes * away, (problem.block_count, 1)),
        codec_first=coded[:, 0, problem.source],
        codec_send=coded[:, 1:],
    )


KIND = MeasureKind(
    name="bytes",
    about="expected payload, input and result included; with a place what parts on a send to parts on b, whatever lies "
    "between, the input from the source",
    example="bytes:edge>cloud<=1 MB",
    quantity=SIZE,
    places=PLAN_OR_PAIR,
    tables=_tables,
    moved_by=STILL,
    axis="sent",
)
