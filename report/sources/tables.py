"""The tables of an answer for several sources: a row for each, and one for every machine and link that they share."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from rich.text import Text

from tiercut import units
from tiercut.report.rows import Column, Rows, share_text
from tiercut.report.tables import table_from

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from tiercut.analysis import JointAnswer

__all__ = ["joint_parts", "joint_remarks", "memory_rows", "shared_rows", "source_rows"]

_IDLE = 5e-4
"""Of a place that is less busy than this no row is shown."""

_GOALS = {
    "mean": "the least weighted mean latency",
    "worst": "the least worst latency",
    "served": "the most sources served",
}


def joint_parts(answer: JointAnswer) -> Iterator[Text | Table]:
    """Yield what the terminal shows: a headline, the sources with their plans, and what they share."""
    outcome = answer.outcome
    yield Text.assemble(
        (f"{len(answer.sources)} sources on {answer.topology.name}", "bold"),
        f": {outcome.columns:,} plans priced; column generation {answer.status} in "
        f"{units.format_seconds(outcome.seconds)}",
    )
    if not answer.plans:
        yield Text(str(answer.error))
        return
    yield table_from(source_rows(answer))
    yield table_from(shared_rows(answer))
    if answer.memory:
        yield table_from(memory_rows(answer))


def joint_remarks(answer: JointAnswer) -> Iterator[str]:
    """Yield what is to be said beside the plans."""
    outcome = answer.outcome
    if left := [each.source.called for each in answer.sources if each.plan is None]:
        yield f"not served: {', '.join(left)}"
    for each in answer.memory:
        if each.is_short:  # as only memory that is ignored may be
            needed, most = (units.format_bytes(size) for size in (each.needed, each.most))
            yield (
                f"memory is ignored: together the partitions of {', '.join(each.by)} need {needed} on '{each.node}', "
                f"which has {most}"
            )
    if answer.status != "optimal":
        value, bound = (_value(answer, each) for each in (outcome.value, outcome.bound))
        yield (
            f"warning: {outcome.reason or 'the search ended early'}: this is {value}, and it is proved that nothing is "
            f"better than {bound}, a gap of {outcome.gap:.2%}"
        )


def _value(answer: JointAnswer, value: float) -> str:
    return f"{value:g}" if answer.goal == "served" else units.format_seconds(value)


def source_rows(answer: JointAnswer) -> Rows:
    """Return a row for each source: where it is born, how often, and what becomes of it."""
    cells = []
    for each in answer.sources:
        source, plan = each.source, each.plan
        head = (source.called, f"{source.rate:g} fps", f"{source.weight:g}")
        if plan is None:
            cells.append((*head, "-", "-", "-", "not served"))
            continue
        figures = units.format_seconds(plan.latency_s), share_text(plan.accuracy), plan.thresholds_shown
        cells.append((*head, *figures, plan.shown))
    columns = (
        Column("source", "left"),
        Column("rate"),
        Column("weight"),
        Column("latency"),
        Column("accuracy"),
        Column("threshold"),
        Column("plan", "left", fold=True),
    )
    title = f"{_GOALS[answer.goal]}: {_value(answer, answer.outcome.value)}"
    return Rows(title, columns, tuple(cells))


def shared_rows(answer: JointAnswer) -> Rows:
    """Return a row for every machine and link that is busy: for how much of the time, and by which sources."""
    cells = []
    for load in sorted(answer.loads, key=lambda each: -each.utilisation / each.most):
        if load.utilisation < _IDLE:
            continue
        by = ", ".join(f"{name} {share_text(each)}" for name, each in load.by.items() if each >= _IDLE)
        cells.append((load.place, share_text(load.utilisation), share_text(load.most), by))
    columns = (Column("place", "left"), Column("busy"), Column("at most"), Column("by", "left", fold=True))
    return Rows("what the sources share", columns, tuple(cells))


def memory_rows(answer: JointAnswer) -> Rows:
    """Return a row for every node in use whose memory is known: what the sources need of it, and how much each."""
    cells = []
    fullest = sorted(answer.memory, key=lambda each: -each.needed / each.most if each.most else -inf)
    for node in fullest:
        by = ", ".join(f"{name} {units.format_bytes(size)}" for name, size in node.by.items())
        cells.append((node.node, units.format_bytes(node.needed), units.format_bytes(node.most), by))
    columns = (Column("node", "left"), Column("needed"), Column("at most"), Column("by", "left", fold=True))
    return Rows("memory that the sources need", columns, tuple(cells))
