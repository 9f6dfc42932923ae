"""The price of one decision, stage by stage, in plain Python: the sums that a person can follow."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import isinf, isnan
from typing import TYPE_CHECKING

from tiercut.errors import QuestionError, unknown_name
from tiercut.optimizer.measures.tables import Measure, measure
from tiercut.optimizer.plan import Decision, Plan, Stage
from tiercut.optimizer.problem import ANYWHERE
from tiercut.optimizer.samples.exit_shares import Shares, shares_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiercut.optimizer.problem import Problem

__all__ = ["decide", "evaluate", "evaluate_tables", "path_seconds", "price"]


@dataclass(frozen=True, slots=True)
class _Span:
    """Blocks i..j on one node, 0-based, and what becomes of the samples that get there."""

    node: int
    begin: int
    end: int
    leaves: bool
    reach: float
    onward: float
    right: float


def _spans(problem: Problem, decision: Decision, known: Shares | None = None) -> Iterator[_Span]:
    """Yield the pieces between exits and cuts, in the order in which a sample meets them."""
    shares, asked = known or shares_of(problem, decision), 0
    begin, reach = 0, 1.0
    for last in sorted({*decision.partition, *decision.exits}):
        part = bisect_left(decision.partition, last)
        leaves, onward, right = last in decision.exits, reach, 0.0
        if leaves:
            onward, right, asked = shares.onward[asked], shares.right[asked], asked + 1
        yield _Span(decision.placement[part], begin, last - 1, leaves, reach, onward, right)
        begin, reach = last, onward


def price(problem: Problem, decision: Decision, shares: Shares | None = None) -> Plan:
    """Return the plan that a decision makes (the Joint model, sections 2.3.1 to 2.3.3).

    Parameters
    ----------
    problem
        The tables.
    decision
        Partition, placement, exits, thresholds and codecs. A cut that is none of the exits is crossed by everyone.
    shares
        What becomes of the samples, where it is known already; else as the problem knows it.

    Notes
    -----
    Terms are added in the order in which a sample meets them, exactly as in `tiercut.solvers.kernels.plain_kernels`.
    """
    first = decision.placement[0]
    latency = input_s = float(problem.transfer_s[0, problem.source, first])
    sent = _apart(problem.source, first) * float(problem.payload_bytes[0])
    right, stages = 0.0, []
    open_stage = _Stage(first, 0)
    for span in _spans(problem, decision, shares):
        table = problem.span_s if span.leaves else problem.bare_s
        compute = float(table[span.node, span.begin, span.end])
        back = float(problem.result_s[span.end, span.node]) if span.leaves else 0.0
        leave = span.reach - span.onward
        latency = latency + span.reach * compute + leave * back
        right += span.right
        sent += leave * _result_bytes(problem, span.node)
        open_stage.add(span, compute, back)
        if span.end + 1 in decision.partition:
            cut = decision.partition.index(span.end + 1)
            ahead = _crossing(problem, decision, cut)
            if ahead is not None:
                latency += span.onward * ahead[2]
                sent += span.onward * ahead[1]
                right -= span.onward * ahead[3]
            stages.append(open_stage.close(problem, ahead))
            open_stage = _Stage(decision.placement[min(cut + 1, len(decision.placement) - 1)], span.end + 1)
    thresholds = decision.thresholds
    codecs = decision.codecs or (None,) * (len(decision.partition) - 1)
    return Plan(
        latency_s=latency,
        accuracy=None if isnan(right) else right,
        threshold=None if decision.threshold is None else float(problem.thresholds[decision.threshold]),
        thresholds=None if thresholds is None else tuple(float(problem.thresholds[each]) for each in thresholds),
        partition=decision.partition,
        placement=tuple(problem.nodes[v] for v in decision.placement),
        exits=decision.exits,
        codecs=tuple(None if codec is None else problem.codecs[codec] for codec in codecs),
        bytes_sent=sent,
        input_s=input_s,
        stages=tuple(stages),
        decision=decision,
    )


class _Stage:
    """The spans of one partition, added up as they come."""

    def __init__(self, node: int, begin: int) -> None:
        self.node, self.begin, self.end = node, begin, begin
        self.reach, self.onward = 1.0, 1.0
        self.compute, self.back, self.spans = 0.0, 0.0, 0

    def add(self, span: _Span, compute: float, back: float) -> None:
        if not self.spans:
            self.reach = span.reach
        # One span, the usual case, keeps its times to the last bit; several are weighted by who gets to each.
        share = span.reach / self.reach if self.spans and self.reach else 1.0
        self.compute += share * compute
        self.back = back if not self.spans or back else self.back
        self.end, self.onward, self.spans = span.end, span.onward, self.spans + 1

    def close(self, problem: Problem, ahead: tuple[str, float, float, float] | None) -> Stage:
        to, size, seconds, _ = ahead or (None, 0.0, 0.0, 0.0)
        blocks = (self.begin + 1, self.end + 1)
        leave = self.reach - self.onward
        return Stage(problem.nodes[self.node], blocks, self.reach, leave, self.compute, self.back, to, size, seconds)


def _crossing(problem: Problem, decision: Decision, cut: int) -> tuple[str, float, float, float] | None:
    """Return next node, bytes, seconds and fall in accuracy of the way across a cut; None after the last partition."""
    if cut == len(decision.partition) - 1:
        return None
    u, v, block = decision.placement[cut], decision.placement[cut + 1], decision.partition[cut]
    codec = decision.codecs[cut] if decision.codecs else None
    if codec is None:
        return problem.nodes[v], float(problem.payload_bytes[block]), float(problem.transfer_s[block, u, v]), 0.0
    way = problem.codec_bytes[codec, block], problem.codec_s[codec, block, u, v], problem.codec_drop[codec, block]
    return problem.nodes[v], float(way[0]), float(way[1]), float(way[2])


def _apart(u: int, v: int) -> float:
    return float(u != v)


def _result_bytes(problem: Problem, v: int) -> float:
    return 0.0 if problem.destination == ANYWHERE else _apart(v, problem.destination) * problem.result_bytes


def path_seconds(problem: Problem, decision: Decision) -> tuple[float, ...]:
    """Return the seconds that a sample takes which leaves at each of the exits, the result's way home included."""
    spent, made = float(problem.transfer_s[0, problem.source, decision.placement[0]]), []
    for span in _spans(problem, decision):
        spent += float((problem.span_s if span.leaves else problem.bare_s)[span.node, span.begin, span.end])
        if span.leaves:
            made.append(spent + float(problem.result_s[span.end, span.node]))
        if span.end + 1 in decision.partition:
            ahead = _crossing(problem, decision, decision.partition.index(span.end + 1))
            spent += 0.0 if ahead is None else ahead[2]
    return tuple(made)


def evaluate(problem: Problem, decision: Decision, name: str, rate_fps: float | None = None) -> float:
    """Return what a decision costs in an additive measure, in its inner unit (see `tiercut.optimizer.measures.names`).

    Raises
    ------
    QuestionError
        If there is no such measure, or the topology does not say what it needs.
    """
    return evaluate_tables(problem, decision, measure(problem, name, rate_fps))


def evaluate_tables(problem: Problem, decision: Decision, tables: Measure) -> float:
    """Return what a decision costs by the tables of any additive measure, added up in the order of `price`."""
    total = float(tables.first[decision.placement[0]])
    for span in _spans(problem, decision):
        piece = (tables.span if span.leaves else tables.bare)[span.node, span.begin, span.end]
        reach, onward = tables.weigh(span.reach), tables.weigh(span.onward)
        weight = 1.0 if tables.whole else reach
        leave = reach - onward
        total = total + weight * float(piece) + leave * float(tables.result[span.end, span.node])
        if span.end + 1 in decision.partition[:-1]:
            cut = decision.partition.index(span.end + 1)
            codec = decision.codecs[cut] if decision.codecs else None
            send = tables.send if codec is None else tables.codec_send[codec]
            total += onward * float(send[span.end, span.node, decision.placement[cut + 1]])
    return total


def decide(
    problem: Problem,
    partition: Sequence[int],
    placement: Sequence[str],
    threshold: float | None = None,
    exits: Sequence[int] | None = None,
    *,
    thresholds: Sequence[float] | None = None,
    codecs: Sequence[str | None] | None = None,
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
        1-based blocks whose branch is used, in partitions or at their ends; by default every partition ends in its
        branch where the profile has exits, and only the last where it has none.
    thresholds
        In place of `threshold`: one for every exit but the last, which takes who is left.
    codecs
        Codec at each cut, None where the output is sent as it is; by default everywhere.

    Raises
    ------
    QuestionError
        If the partition does not rise within 1..N, a node is unknown or used twice, an exit has no branch, there is no
        path between two nodes that follow each other, a threshold is missing, one too many or none of the profile's,
        or a codec cannot be used at its cut.
    """
    _check_partition(problem, partition, placement)
    nodes = [_node(problem, name) for name in placement]
    _check_placement(problem, nodes)
    default = partition if problem.has_exits else partition[-1:]
    used = tuple(sorted(set(default if exits is None else exits)))
    _check_exits(problem, used, partition)
    lane = lanes = None
    if thresholds is not None:
        lanes = _thresholds(problem, used, thresholds, threshold) or None
    elif len(used) > 1:
        lane = _threshold(problem, threshold)
    return Decision(tuple(partition), tuple(nodes), used, lane, lanes, _codecs(problem, partition, nodes, codecs))


def _check_partition(problem: Problem, partition: Sequence[int], placement: Sequence[str]) -> None:
    count = problem.block_count
    shown = ",".join(str(each) for each in partition)
    if not partition or any(after <= before for before, after in pairwise((0, *partition))) or partition[-1] > count:
        raise QuestionError(
            f"the partition '{shown}' must name the last block of each partition, rising, within 1..{count}"
        )
    if len(placement) != len(partition):
        raise QuestionError(
            f"the partition '{shown}' has {_counted(len(partition), 'part')}, but the placement names "
            f"{_counted(len(placement), 'node')}; name one node for each part"
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


def _thresholds(
    problem: Problem, used: Sequence[int], thresholds: Sequence[float], threshold: float | None
) -> tuple[int, ...]:
    """Return the index of the threshold of every exit but the last."""
    if threshold is not None:
        raise QuestionError("give one threshold for all exits or a threshold for each of them, not both")
    if len(thresholds) != len(used) - 1:
        wanted, got = _counted(len(used) - 1, "exit"), _counted(len(thresholds), "threshold")
        raise QuestionError(
            f"the plan has {wanted} before its last, but {got} {'is' if len(thresholds) == 1 else 'are'} given; the "
            "last exit takes who is left and needs none"
        )
    if len(used) > 1 and any(isnan(each) for each in problem.stay_alone.flat):
        raise QuestionError(
            f"a threshold for each exit needs the key 'exits.exit_rate_alone', which profile '{problem.profile}' does "
            "not have"
        )
    return tuple(_threshold(problem, each) for each in thresholds)


def _codecs(
    problem: Problem, partition: Sequence[int], nodes: Sequence[int], codecs: Sequence[str | None] | None
) -> tuple[int | None, ...]:
    """Return the index of the codec at each cut; empty where there is none at any."""
    if codecs is None:
        return ()
    if len(codecs) != len(partition) - 1:
        raise QuestionError(
            f"the plan has {_counted(len(partition) - 1, 'cut')}, but {_counted(len(codecs), 'codec')} "
            f"{'is' if len(codecs) == 1 else 'are'} given; name one for each cut, 'none' where there is none"
        )
    made = tuple(
        None if name is None else _codec(problem, name, block, (u, v))
        for name, block, (u, v) in zip(codecs, partition, pairwise(nodes), strict=False)
    )
    return made if any(each is not None for each in made) else ()


def _codec(problem: Problem, name: str, block: int, ends: tuple[int, int]) -> int:
    if name not in problem.codecs:
        raise QuestionError(unknown_name("codec", name, ("none", *problem.codecs)))
    codec = problem.codecs.index(name)
    if isinf(problem.codec_s[codec, block, ends[0], ends[1]]):
        sender, receiver = (problem.nodes[v] for v in ends)
        raise QuestionError(
            f"profile '{problem.profile}' records no codec '{name}' for the cut after block {block} from '{sender}' to "
            f"'{receiver}'"
        )
    return codec


def _counted(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"
