"""The price of one decision, stage by stage, in plain Python: the sums that a person can follow."""

from __future__ import annotations

from itertools import pairwise
from math import isinf, isnan
from typing import TYPE_CHECKING

from tiercut.errors import QuestionError, unknown_name
from tiercut.optimizer.measures import measure
from tiercut.optimizer.plan import Decision, Plan, Stage
from tiercut.optimizer.problem import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiercut.optimizer.problem import Problem

__all__ = ["decide", "evaluate", "price"]


def price(problem: Problem, decision: Decision) -> Plan:
    """Return the plan that a decision makes (the Joint model, sections 2.3.1 to 2.3.3).

    Parameters
    ----------
    problem
        The tables.
    decision
        Partition, placement, exits and threshold. A partition whose last block is none of the exits is sent on whole.

    Notes
    -----
    Terms are added in the order in which a sample meets them, exactly as in `tiercut.optimizer.kernels`.
    """
    lane = decision.threshold or 0
    v = decision.placement[0]
    latency = input_s = float(problem.transfer_s[0, problem.source, v])
    sent = _apart(problem.source, v) * float(problem.payload_bytes[0])
    right, begin, reach, stages = 0.0, 0, 1.0, []
    for k, last in enumerate(decision.partition):
        final, leaves = k == len(decision.partition) - 1, last in decision.exits
        v, end = decision.placement[k], last - 1
        table = problem.span_s if leaves else problem.bare_s
        compute, back = float(table[v, begin, end]), float(problem.result_s[end, v]) if leaves else 0.0
        onward = 0.0 if final else float(problem.stay[lane, last]) if leaves else reach
        exit_rate = reach - onward
        sent += exit_rate * _result_bytes(problem, v)
        right += exit_rate * float(problem.accuracy[end]) if leaves else 0.0
        if final:
            latency += reach * (compute + back)
            stages.append(Stage(problem.nodes[v], (begin + 1, last), reach, exit_rate, compute, back))
            break
        w, size = decision.placement[k + 1], float(problem.payload_bytes[last])
        send = float(problem.transfer_s[last, v, w])
        latency = latency + reach * compute + exit_rate * back
        latency += onward * send
        sent += onward * size
        ahead = problem.nodes[w], size, send
        stages.append(Stage(problem.nodes[v], (begin + 1, last), reach, exit_rate, compute, back, *ahead))
        begin, reach = last, onward
    return Plan(
        latency_s=latency,
        accuracy=None if isnan(right) else right,
        threshold=None if decision.threshold is None else float(problem.thresholds[decision.threshold]),
        partition=decision.partition,
        placement=tuple(problem.nodes[v] for v in decision.placement),
        exits=decision.exits,
        codecs=(None,) * (len(decision.partition) - 1),
        bytes_sent=sent,
        input_s=input_s,
        stages=tuple(stages),
        decision=decision,
    )


def _apart(u: int, v: int) -> float:
    return float(u != v)


def _result_bytes(problem: Problem, v: int) -> float:
    return 0.0 if problem.destination == ANYWHERE else _apart(v, problem.destination) * problem.result_bytes


def evaluate(problem: Problem, decision: Decision, name: str) -> float:
    """Return what a decision costs in an additive measure, in its inner unit (see `tiercut.optimizer.measures`).

    Raises
    ------
    QuestionError
        If there is no such measure, or the topology does not say what it needs.
    """
    tables = measure(problem, name)
    lane = decision.threshold or 0
    total, begin, reach = float(tables.first[decision.placement[0]]), 0, 1.0
    for k, (last, v) in enumerate(zip(decision.partition, decision.placement, strict=True)):
        final, leaves, end = k == len(decision.partition) - 1, last in decision.exits, last - 1
        onward = 0.0 if final else float(problem.stay[lane, last]) if leaves else reach
        piece = (tables.span if leaves else tables.bare)[v, begin, end]
        total += reach * float(piece) + (reach - onward) * float(tables.result[end, v])
        total += 0.0 if final else onward * float(tables.send[end, v, decision.placement[k + 1]])
        begin, reach = last, onward
    return total


def decide(
    problem: Problem,
    partition: Sequence[int],
    placement: Sequence[str],
    threshold: float | None = None,
    exits: Sequence[int] | None = None,
) -> Decision:
    """Return the decision that a person thought of, checked.

    Parameters
    ----------
    problem
        The tables.
    partition
        1-based last block of each partition.
    placement
        Name of the node of each partition.
    threshold
        One of the profile's thresholds; needed where there is more than one exit.
    exits
        1-based blocks whose branch is used; by default every partition ends in its branch where the profile has exits,
        and only the last where it has none.

    Raises
    ------
    QuestionError
        If the partition does not rise within 1..N, a node is unknown or used twice, an exit has no branch, there is no
        path between two nodes that follow each other, or the threshold is missing or none of the profile's.
    """
    _check_partition(problem, partition, placement)
    nodes = [_node(problem, name) for name in placement]
    _check_placement(problem, nodes)
    default = partition if problem.has_exits else partition[-1:]
    used = tuple(sorted(set(default if exits is None else exits)))
    _check_exits(problem, used, partition)
    lane = _threshold(problem, threshold) if len(used) > 1 else None
    return Decision(tuple(partition), tuple(nodes), used, lane)


def _check_partition(problem: Problem, partition: Sequence[int], placement: Sequence[str]) -> None:
    count = problem.block_count
    shown = ",".join(str(each) for each in partition)
    if not partition or any(after <= before for before, after in pairwise((0, *partition))) or partition[-1] > count:
        raise QuestionError(
            f"the partition '{shown}' must name the last block of each partition, rising, within 1..{count}"
        )
    if len(placement) != len(partition):
        raise QuestionError(
            f"the partition '{shown}' has {len(partition)} parts, but the placement names {len(placement)} nodes; "
            "name one node for each part"
        )


def _node(problem: Problem, name: str) -> int:
    if name not in problem.nodes:
        raise QuestionError(unknown_name("node", name, problem.nodes))
    return problem.nodes.index(name)


def _check_placement(problem: Problem, nodes: Sequence[int]) -> None:
    groups = [problem.tiers[v] if problem.one_per_tier else problem.nodes[v] for v in nodes]
    if len(set(groups)) < len(groups):
        twice = next(group for group in groups if groups.count(group) > 1)
        what = "tier" if problem.one_per_tier else "node"
        raise QuestionError(f"the {what} '{twice}' is used twice; each {what} runs at most one partition")
    for u, v in pairwise((problem.source, *nodes)):
        if isinf(problem.transfer_s[0, u, v]):
            raise QuestionError(f"there is no path from '{problem.nodes[u]}' to '{problem.nodes[v]}'")


def _check_exits(problem: Problem, used: Sequence[int], partition: Sequence[int]) -> None:
    for block in used:
        if not 1 <= block <= problem.block_count or not problem.branch[block - 1]:
            raise QuestionError(
                f"block {block} has no branch in profile '{problem.profile}', so no sample can leave there"
            )
    if not used or used[-1] != partition[-1]:
        raise QuestionError(f"the last block that is used, {partition[-1]}, must be an exit")
    if extra := sorted(set(used) - set(partition)):
        raise QuestionError(
            f"block {extra[0]} is an exit inside a partition; exits stand at the end of partitions here"
        )


def _threshold(problem: Problem, threshold: float | None) -> int:
    known = [float(each) for each in problem.thresholds]
    shown = ", ".join(f"{each:g}" for each in known)
    if threshold is None:
        raise QuestionError(f"a plan with several exits needs a threshold, one of {shown}")
    index = min(range(len(known)), key=lambda each: abs(known[each] - threshold))
    if not abs(known[index] - threshold) <= 1e-9:  # so that nan is none of them either
        raise QuestionError(
            f"the profile has no threshold {threshold:g}; the nearest is {known[index]:g} (known: {shown})"
        )
    return index
