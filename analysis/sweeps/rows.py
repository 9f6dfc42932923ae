"""The rows of a sweep, one for each point, and the Parquet file of a part of them."""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.errors import QuestionError, TiercutError
from tiercut.optimizer import Conditions, evaluate, price, rebuild_problem
from tiercut.solvers import Options, make_task, registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tiercut.analysis.sweeps.cases import Asked, Case, Prepared
    from tiercut.optimizer import Plan

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["COUNTS", "Part", "parquet", "solve_part"]

COUNTS = b"tiercut.counts"
"""Where a part says how many of its points had which end."""

_STATUSES = ("optimal", "infeasible", "feasible", "failed")
_TOO_SLOW = "no plan is quick enough"
_NO_PLAN = "no plan meets the question"


@dataclass(frozen=True, slots=True)
class Part:
    """Points that were solved, as the bytes of a Parquet file.

    Parameters
    ----------
    case, start
        Of which case, and its first point.
    data
        The file.
    counts
        How many had which end.
    reasons
        How many have which reason.
    """

    case: int
    start: int
    data: bytes
    counts: dict[str, int]
    reasons: dict[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class _Solved:
    """Columns: which of some plans, what it has of the objective, how it ended, and why there is none."""

    plans: Sequence[Plan]
    best: Ints
    latency_s: Floats
    value: Floats
    status: NDArray[np.int8]
    reasons: Sequence[str]
    reason: Ints


def parquet() -> Any:
    """Return pyarrow with its module for Parquet.

    Raises
    ------
    QuestionError
        If it is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError:
        raise QuestionError(
            "a sweep writes Parquet, which needs the package pyarrow; install it with pip install 'tiercut[sweep]'"
        ) from None
    return pa


def solve_part(prepared: Prepared, first: int, start: int, stop: int) -> Part:
    """Solve a range of the points of a case.

    Parameters
    ----------
    prepared
        The case.
    first
        The number of its first point in the sweep.
    start, stop
        The range among its points.
    """
    if prepared.batch is not None:
        solved = _in_batch(prepared, start, stop)
    elif prepared.asked is not None:
        solved = _one_by_one(prepared.case, prepared.asked, start, stop)
    else:
        count = stop - start
        none, ends = np.full(count, np.nan), np.full(count, _STATUSES.index("failed"), np.int8)
        solved = _Solved((), np.full(count, -1), none, none, ends, [prepared.reason], np.zeros(count, np.int64))
    counts = Counter(_STATUSES[status] for status in solved.status.tolist())
    reasons = Counter(solved.reasons[place] for place in solved.reason.tolist() if place >= 0)
    told = {"counts": dict(counts), "reasons": dict(reasons.most_common(20))}
    data = _file(prepared.case, solved, first, start, stop, told)
    return Part(prepared.case.number, start, data, told["counts"], told["reasons"])


def _in_batch(prepared: Prepared, start: int, stop: int) -> _Solved:
    batch = prepared.batch
    assert batch is not None
    best, seconds = batch.solve(start, stop)
    none = best < 0
    latency_s = np.where(none, np.nan, seconds)
    value = latency_s
    if batch.by_accuracy:
        value = np.where(none, np.nan, np.append(batch.listed.accuracy, np.nan)[best])
    status = np.where(none, _STATUSES.index("infeasible"), _STATUSES.index("optimal")).astype(np.int8)
    reason = _TOO_SLOW if batch.plans else _NO_PLAN
    return _Solved(batch.plans, best, latency_s, value, status, [reason], np.where(none, 0, -1))


def _one_by_one(case: Case, asked: Asked, start: int, stop: int) -> _Solved:
    plans: list[Plan] = []
    numbers, reasons = dict[Any, int](), dict[str, int]()
    best, reason = np.full((2, stop - start), -1)
    latency_s, value = np.full((2, stop - start), np.nan)
    status = np.full(stop - start, _STATUSES.index("failed"), np.int8)
    for place, point in enumerate(range(start, stop)):
        try:
            ended, plan, worth = _solve_point(asked, case.named(point))
        except TiercutError as error:
            ended, plan, worth = " ".join(str(error).split()), None, np.nan
        if plan is not None:
            best[place] = numbers.setdefault(plan.decision, len(plans))
            if best[place] == len(plans):
                plans.append(plan)
            latency_s[place], value[place] = plan.latency_s, worth
        if ended in _STATUSES:
            status[place] = _STATUSES.index(ended)
        said = _NO_PLAN if ended == "infeasible" else "" if ended in _STATUSES else ended
        if said:
            reason[place] = reasons.setdefault(said, len(reasons))
    return _Solved(plans, best, latency_s, value, status, list(reasons), reason)


def _solve_point(asked: Asked, named: dict[str, Any]) -> tuple[str, Plan | None, float]:
    """Return how a point ended (or why it failed), its plan, and what that has of the objective."""
    changed, _ = Conditions(condition=named or None).apply(asked.whole, asked.profile)
    problem = rebuild_problem(asked.space.problem, asked.topology, changed, asked.profile)
    task = make_task(replace(asked.space, problem=problem), asked.query)
    outcome = registry.choose(task)[0].solve(task, Options(workers=1))
    if outcome.status == "interrupted":
        raise KeyboardInterrupt  # which the solver caught: the point is no failure, it is not solved
    if not outcome.decisions:
        return (outcome.status if outcome.status == "infeasible" else outcome.reason or outcome.status), None, np.nan
    plan, query = price(problem, outcome.decisions[0]), asked.query
    if query.objective == "accuracy":
        return outcome.status, plan, plan.accuracy if plan.accuracy is not None else np.nan
    return outcome.status, plan, evaluate(problem, plan.decision, query.objective, query.rate_fps)


def _file(case: Case, solved: _Solved, first: int, start: int, stop: int, told: dict[str, Any]) -> bytes:
    """Return the Parquet file of some rows; every file of a sweep has the same schema."""
    pa = parquet()
    count, points = stop - start, np.arange(start, stop)
    columns: dict[str, Any] = {"point": pa.array(first + points)}
    for key, text in (("model", case.model), ("topology", case.topology), ("question", case.question)):
        columns[key] = _chosen(pa, np.zeros(count, np.int64), [text])
    columns["down"] = _chosen(pa, np.full(count, -1 if case.down is None else 0), [case.down or ""])
    period = 1
    for name, levels in reversed(case.axes):
        columns[str(name)] = pa.array(np.asarray(levels, float)[points // period % len(levels)])
        period *= len(levels)
    columns = {key: columns[key] for key in ("point", "model", "topology", "question", "down")} | {
        str(name): columns[str(name)] for name, _ in case.axes
    }
    columns["status"] = _chosen(pa, solved.status.astype(np.int64), _STATUSES)
    columns["reason"] = _chosen(pa, solved.reason, list(solved.reasons) or [""])
    columns["latency_s"] = pa.array(solved.latency_s, from_pandas=True)
    columns["value"] = pa.array(solved.value, from_pandas=True)
    columns |= _of_plans(pa, solved)
    table = pa.table(columns)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), COUNTS: json.dumps(told)})
    stream = io.BytesIO()
    pa.parquet.write_table(table, stream, compression="zstd", use_dictionary=True)
    return stream.getvalue()


def _of_plans(pa: Any, solved: _Solved) -> dict[str, Any]:
    """Return what each plan is, written as ``explain`` takes it."""
    plans, best = solved.plans, solved.best
    accuracy = np.array([np.nan if each.accuracy is None else each.accuracy for each in plans] + [np.nan])
    threshold = np.array([np.nan if each.threshold is None else each.threshold for each in plans] + [np.nan])
    texts: dict[str, list[str]] = {
        "partition": [",".join(map(str, each.partition)) for each in plans],
        "placement": [",".join(each.placement) for each in plans],
        "exits": [",".join(map(str, each.exits)) for each in plans],
        "thresholds": [",".join(f"{limit:g}" for limit in each.thresholds or ()) for each in plans],
        "codecs": [",".join(codec or "none" for codec in each.codecs) for each in plans],
    }
    return {
        "accuracy": pa.array(accuracy[best], from_pandas=True),
        "threshold": pa.array(threshold[best], from_pandas=True),
        **{key: _chosen(pa, best, values or [""]) for key, values in texts.items()},
    }


def _chosen(pa: Any, which: Ints, values: Sequence[str]) -> Any:
    """Return a column of texts, of which there are few; -1 stands for none."""
    known = dict.fromkeys(values)
    place = {value: at for at, value in enumerate(known)}
    at = np.array([place[value] for value in values], np.int32)[np.maximum(which, 0)]
    return pa.DictionaryArray.from_arrays(pa.array(at, mask=which < 0), pa.array(list(known)))
