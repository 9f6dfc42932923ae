"""The smallest problem there is, to load kernels with before a clock starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tiercut.optimizer import PieceTable, Problem, Query, Space, make_space
from tiercut.solvers.task import Task, make_task

__all__ = ["Sort", "kernels_folder", "tiny_tasks"]


Sort = Literal["plain", "any", "many"]

_QUERIES: Mapping[Sort, tuple[Query, ...]] = {
    "plain": (Query(kind="frontier"), Query(kind="rank")),
    "any": (Query(kind="frontier", objective="bytes"), Query(kind="rank", objective="bytes")),
    "many": (Query(kind="frontier", over=("latency", "bytes", "accuracy")),),
}


def tiny_tasks(sort: Sort = "plain") -> tuple[Task, ...]:
    """Return tasks that need every kernel of a solver for tasks of a sort.

    Those are a frontier and a ranking of a plain space, the same with a second measure, or a frontier over three.
    """
    return tuple(make_task(_tiny_space(), query) for query in _QUERIES[sort])


def _tiny_space() -> Space:
    """Return the space of two blocks on two nodes with one threshold; everything takes a second."""
    return make_space(
        Problem(
            topology="tiny",
            profile="tiny",
            nodes=("a", "b"),
            tiers=("a", "b"),
            source=0,
            destination=0,
            one_per_tier=False,
            blocks=("1", "2"),
            thresholds=np.array([0.5]),
            stay=np.array([[1.0, 0.5, 0.0]]),
            stay_alone=np.array([[1.0, 0.5, 0.0]]),
            accuracy=np.array([0.5, 1.0]),
            branch=np.ones(2, bool),
            span_s=PieceTable.of(np.ones((2, 2, 2))),
            bare_s=PieceTable.of(np.ones((2, 2, 2))),
            transfer_s=np.ones((3, 2, 2)),
            result_s=np.ones((2, 2)),
            payload_bytes=np.ones(3),
            result_bytes=1.0,
            power=np.ones(2),
            price=np.ones(2),
            idle_power=np.zeros(2),
            workers=np.ones(2),
            encode_s=np.zeros((3, 2)),
            decode_s=np.zeros((3, 2)),
            transfer_cost=np.ones((3, 2, 2)),
            result_cost=np.ones((2, 2)),
            codecs=(),
            codec_s=np.ones((0, 3, 2, 2)),
            codec_bytes=np.ones((0, 3)),
            codec_drop=np.ones((0, 3)),
            codec_cost=np.ones((0, 3, 2, 2)),
            codec_encode_s=np.ones((0, 3, 2)),
            codec_decode_s=np.ones((0, 3, 2)),
            parameter_bytes=np.ones(2),
            activation_bytes=np.ones(2),
            memory=np.ones(2),
        )
    )


def kernels_folder() -> Path | None:
    """Return where what is compiled of a kernel is kept; None where there is no place for it."""
    from tiercut.solvers.kernels.plain_kernels import enumerate_plans

    kernel: Any = enumerate_plans
    place = kernel.stats.cache_path
    return None if place is None else Path(place)
