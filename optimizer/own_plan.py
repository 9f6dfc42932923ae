"""A plan that a person thought of, or that a file holds, as a checked decision."""

from __future__ import annotations

from itertools import pairwise
from math import isinf, isnan
from typing import TYPE_CHECKING

from tiercut.errors import QuestionError, unknown_name
from tiercut.optimizer.plan import Decision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiercut.optimizer.plan import Plan
    from tiercut.optimizer.problem import Problem

__all__ = ["decide", "decide_again"]


def decide(
    problem: Problem,
    partition: Sequence[int],
    placement: Sequence[str],
    threshold: float | None = None,
    exits: Sequence[int] | None = None,
    *,
    thresholds: Sequence[float] | None = None,
    codecs: Sequence[str | None] | None = None,
    input_codec: str | None = None,
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
        One of the profile's thresholds, exactly or as tables print it; needed where there is more than one exit.
    exits
        1-based blocks whose branch is used, in partitions or at their ends; by default every partition ends in its
        branch where the profile has exits, and only the last where it has none.
    thresholds
        In place of `threshold`: one for every exit but the last, which takes all samples that are left.
    codecs
        Codec at each cut, None where the output is sent as it is; by default everywhere.
    input_codec
        What encodes the input on its way from the source to the first node; None: it is sent as it is.

    Raises
    ------
    QuestionError
        If the partition does not rise within 1..N, a node is unknown or used twice, an exit has no branch, there is no
        path between two nodes that follow each other, a threshold is missing, one too many or none of the profile's,
        or a codec cannot be used at its cut, or for an input that goes nowhere.
    """
    _check_partition(problem, partition, placement)
    nodes = [_node(problem, name) for name in placement]
    _check_placement(problem, nodes)
    default = partition if problem.has_exits else partition[-1:]
    used = tuple(sorted(set(default if exits is None else exits)))
    _check_exits(problem, used, partition)
    index = indices = None
    if thresholds is not None:
        indices = _thresholds(problem, used, thresholds, threshold) or None
    elif len(used) > 1:
        index = _threshold(problem, threshold)
    coded, entry = _codecs(problem, partition, nodes, codecs), _input_codec(problem, nodes[0], input_codec)
    return Decision(tuple(partition), tuple(nodes), used, index, indices, coded, entry)


def decide_again(problem: Problem, plan: Plan) -> Decision:
    """Return the decision of a plan on other tables, checked: under other conditions, or read from a file.

    Raises
    ------
    QuestionError
        If there can be no such plan (see `decide`).
    """
    what = (plan.partition, plan.placement, plan.threshold, plan.exits)
    at_home = plan.placement[:1] == (problem.nodes[problem.source],)  # as under other conditions, with another source
    entry = None if at_home else plan.input_codec
    return decide(problem, *what, thresholds=plan.thresholds, codecs=plan.codecs, input_codec=entry)


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
    digits = problem.digits
    shown = ", ".join(f"{each:.{digits}g}" for each in known)
    if threshold is None:
        raise QuestionError(f"a plan with several exits needs a threshold, one of {shown}")
    index = min(range(len(known)), key=lambda each: abs(known[each] - threshold))
    nearest = known[index]
    # What a table prints can be given back. A nan is none of them, as nothing compares with it.
    printed_alike = f"{nearest:.{digits}g}" == f"{threshold:.{digits}g}"
    if not abs(nearest - threshold) <= 1e-9 and not (printed_alike and not isnan(threshold)):
        raise QuestionError(
            f"the profile has no threshold {threshold:.{digits}g}; the nearest is {nearest:.{digits}g} (known: {shown})"
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
            "last exit takes all samples that are left and needs none"
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
    indices = tuple(
        None if name is None else _codec(problem, name, block, (u, v))
        for name, block, (u, v) in zip(codecs, partition, pairwise(nodes), strict=False)
    )
    return indices if any(each is not None for each in indices) else ()


def _input_codec(problem: Problem, first: int, name: str | None) -> int | None:
    """Return the index of what encodes the input."""
    if name is None:
        return None
    if first == problem.source:
        raise QuestionError(
            f"the first part runs on '{problem.nodes[first]}', where the input is born, so codec '{name}' has no input "
            "to encode; leave it out"
        )
    return _codec(problem, name, 0, (problem.source, first))


def _codec(problem: Problem, name: str, block: int, ends: tuple[int, int]) -> int:
    if name not in problem.codecs:
        raise QuestionError(unknown_name("codec", name, ("none", *problem.codecs)))
    codec = problem.codecs.index(name)
    if isinf(problem.codec_s[codec, block, ends[0], ends[1]]):
        sender, receiver = (problem.nodes[v] for v in ends)
        what = f"the cut after block {block}" if block else "the input"
        raise QuestionError(
            f"profile '{problem.profile}' records no codec '{name}' for {what} from '{sender}' to '{receiver}'"
        )
    return codec


def _counted(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"
