"""The price of one decision, stage by stage, in plain Python: the sums that a person can follow.

Latency is added up in `tiercut.optimizer.itinerary.Itinerary.latency_s`, any other measure in `evaluate_tables` here.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.optimizer.itinerary import itinerary
from tiercut.optimizer.measures.tables import Measure, check_known, measure
from tiercut.optimizer.measures.tails import spread_value
from tiercut.optimizer.plan import Decision, Plan, Stage, exit_limits
from tiercut.optimizer.samples.exit_shares import Shares, shares_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiercut.optimizer.itinerary import Itinerary, Step
    from tiercut.optimizer.problem import Problem

__all__ = ["evaluate", "evaluate_tables", "path_seconds", "price"]


def price(
    problem: Problem, decision: Decision, shares: Shares | None = None, known: dict[Any, Any] | None = None
) -> Plan:
    """Return the plan that a decision makes (the Joint model, sections 2.3.1 to 2.3.3).

    Parameters
    ----------
    problem
        The tables.
    decision
        Partition, placement, exits, thresholds and codecs. A cut that is none of the exits is crossed by all.
    shares
        What becomes of the samples, where it is known already; else as the problem knows it.
    known
        Parts of plans that were priced before, which takes in what is new: many plans have stages in common, and so
        they are the same objects. None: of one plan.

    Notes
    -----
    Terms are added in the order in which a sample meets them, exactly as in `tiercut.solvers.kernels.plain_kernels`.
    """
    shares = shares or shares_of(problem, decision)
    path = itinerary(problem, decision, shares)
    right = _right(problem, decision, path.steps, shares)
    thresholds = decision.thresholds
    threshold = None if decision.threshold is None else float(problem.thresholds[decision.threshold])
    each = None if thresholds is None else tuple(float(problem.thresholds[index]) for index in thresholds)
    codecs = decision.codecs or (None,) * (len(decision.partition) - 1)
    once = {} if known is None else known
    placement = tuple([problem.nodes[v] for v in decision.placement])
    named = tuple([None if codec is None else problem.codecs[codec] for codec in codecs])
    limits = dict(zip(decision.exits, exit_limits(decision.exits, threshold, each), strict=True))
    return Plan(
        latency_s=path.latency_s,
        accuracy=None if isnan(right) else right,
        threshold=once.setdefault(threshold, threshold),
        thresholds=each,
        partition=decision.partition,
        placement=once.setdefault(placement, placement),
        exits=decision.exits,
        codecs=once.setdefault(named, named),
        bytes_sent=path.bytes_sent,
        input_s=path.steps[0].seconds,
        stages=tuple([once.setdefault(stage, stage) for stage in _stages(path.steps[1:], limits)]),
        indices=decision,
        digits=problem.digits,
        input_codec=path.steps[0].codec,
    )


def _right(problem: Problem, decision: Decision, steps: Sequence[Step], shares: Shares) -> float:
    """Return the share of right answers: of those that leave at each exit, less the drops of codecs."""
    total, of_exit = 0.0, iter(shares.right)
    for step in steps:
        if step.sort == "result":
            total += next(of_exit)
        elif step.codec is not None:
            codec = decision.input_codec if step.sort == "input" else decision.codecs[step.stage]
            total -= step.reach * float(problem.codec_drop[codec, step.last])
    return total


def _stages(steps: Sequence[Step], limits: dict[int, float | None]) -> Iterator[Stage]:
    begin = 0
    for end, step in enumerate(steps, 1):
        if end == len(steps) or steps[end].stage != step.stage:
            yield _stage(steps[begin:end], limits)
            begin = end


def _stage(steps: Sequence[Step], limits: dict[int, float | None]) -> Stage:
    """Return the steps of one partition, added up; several pieces are weighted by the share that gets to each."""
    first = last = steps[0]
    compute, back, exits, sent = first.seconds, 0.0, first.exits, None
    for step in steps[1:]:
        if step.sort == "compute":
            compute += (step.reach / first.reach if first.reach else 1.0) * step.seconds
            last, exits = step, exits + step.exits
        elif step.sort == "result":
            back = step.seconds or back
        else:
            sent = step
    assert first.node is not None
    return Stage(
        node=first.node,
        blocks=(first.first, last.last),
        reach=first.reach,
        exit_rate=first.reach - last.onward,
        compute_s=compute,
        result_s=back,
        send_to=None if sent is None else sent.to,
        send_bytes=0.0 if sent is None else sent.size,
        send_s=0.0 if sent is None else sent.seconds,
        exits=exits,
        thresholds=tuple([limits[block] for block in exits]),
        codec=None if sent is None else sent.codec,
    )


def path_seconds(problem: Problem, decision: Decision) -> tuple[float, ...]:
    """Return the seconds that a sample takes which leaves at each of the exits, the transfer of the result included."""
    return itinerary(problem, decision).path_seconds


def evaluate(problem: Problem, decision: Decision, name: str, rate_fps: float | None = None) -> float:
    """Return what a decision costs in an additive measure, in its inner unit (see `tiercut.optimizer.measures.names`).

    Raises
    ------
    QuestionError
        If there is no such measure, or the topology does not say what it needs.
    """
    return evaluate_tables(problem, decision, measure(problem, name, rate_fps))


def evaluate_tables(problem: Problem, decision: Decision, tables: Measure) -> float:
    """Return what a decision costs by the tables of any measure, added up in the order of `price`.

    Of several sums (`Measure.others`) the greatest counts.

    Raises
    ------
    QuestionError
        If the measure has no value on a node of the decision.
    """
    if tables.unknown:
        missing = np.zeros(problem.node_count, bool)
        for node, end in zip(decision.placement, decision.partition, strict=True):
            missing[node] = np.isnan(tables.span[node, end - 1, end - 1])
        check_known(problem, tables, missing)
    if tables.spread:
        return _spread(problem, decision, tables)
    path = itinerary(problem, decision)
    return max(_total(path, decision, each) for each in (tables, *tables.others))


def _total(path: Itinerary, decision: Decision, tables: Measure) -> float:
    """Return one sum along what a sample passes through."""
    total = _first(decision, tables)
    before = after = 1.0
    for step in path.steps[1:]:
        node, block = decision.placement[step.stage], step.last - 1
        if step.sort == "compute":
            before, after = tables.weigh(step.reach), tables.weigh(step.onward)
            begin = step.first - 1
            if tables.once:
                begin = 0 if step.stage == 0 else decision.partition[step.stage - 1]
                if step.last < decision.partition[step.stage]:
                    continue
            piece = (tables.span if step.exits else tables.bare)[node, begin, block]
            total += (1.0 if tables.whole else before) * float(piece)
        elif step.sort == "result":
            total += (before - after) * float(tables.result[block, node])
        else:
            send = tables.send if step.codec is None else tables.codec_send[decision.codecs[step.stage]]
            total += after * float(send[block, node, decision.placement[step.stage + 1]])
    return total


def _first(decision: Decision, tables: Measure) -> float:
    """Return what bringing the input to the first node costs."""
    codec = decision.input_codec
    first = tables.first if codec is None else tables.codec_first[codec]
    return float(first[decision.placement[0]])


def _spread(problem: Problem, decision: Decision, tables: Measure) -> float:
    """Return a quantile from what each path takes, and who takes it."""
    spent = _first(decision, tables)
    seconds, leave = [], []
    for step in itinerary(problem, decision).steps[1:]:
        node, block = decision.placement[step.stage], step.last - 1
        if step.sort == "compute":
            spent += float((tables.span if step.exits else tables.bare)[node, step.first - 1, block])
        elif step.sort == "result":
            seconds.append(spent + float(tables.result[block, node]))
            leave.append(step.reach)
        else:
            send = tables.send if step.codec is None else tables.codec_send[decision.codecs[step.stage]]
            spent += float(send[block, node, decision.placement[step.stage + 1]])
    assert tables.tail is not None
    return spread_value(seconds, leave, tables.tail, tables.spread)
