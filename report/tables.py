"""Tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from tiercut import units
from tiercut.optimizer import format_amount
from tiercut.report.answers.asked import proved_gap, size_text
from tiercut.report.answers.certified import certified_lines
from tiercut.report.answers.frontier import frontier_lines, legible_rows
from tiercut.report.profile_rows import profile_rows
from tiercut.report.rows import plan_rows, share_text, stage_rows, step_rows
from tiercut.report.safe_table import SafeTable, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiercut.analysis import Answer, Explanation
    from tiercut.optimizer import Plan
    from tiercut.profiling import Profile
    from tiercut.report.rows import Rows

__all__ = [
    "answer_parts",
    "covered_line",
    "headline",
    "idle_line",
    "plans_table",
    "profile_tables",
    "remarks",
    "stages_table",
    "table_from",
    "waterfall_table",
]

_BAR = 24


def answer_parts(answer: Answer) -> Iterator[Text | Table]:
    """Yield what the terminal shows of an answer: a headline, its plans, and what is said of them."""
    yield headline(answer)
    if not answer.plans:
        yield text_of(answer.message)
        return
    rows = legible_rows(answer)
    yield table_from(rows)
    yield from map(text_of, frontier_lines(answer, rows))
    if answer.replayed is not None:
        return
    for line in (idle_line(answer), covered_line(answer)):
        if line is not None:
            yield line
    if answer.query.kind == "solve":
        yield stages_table(answer.best)


def remarks(answer: Answer) -> Iterator[str]:
    """Yield what is to be said beside the plans of an answer: what is proved, and what is not."""
    if answer.replayed is not None and answer.plans:
        yield answer.replayed.guarantee
    if answer.certified is not None:
        yield from certified_lines(answer, answer.certified)
    yield from answer.notes
    if answer.plans and answer.replayed is None and answer.certified is None and answer.outcome.status == "feasible":
        known = proved_gap(answer.outcome)
        if known:
            yield f"this is the best found, and {known}"
            return
        yield (
            f"warning: {answer.outcome.reason}; this is the best found so far, and nothing proves it the best of all"
        )


def headline(answer: Answer) -> Text:
    """Return one line that says what was asked, how large it is, and who answers."""
    problem, outcome = answer.space.problem, answer.outcome
    why = f" ({answer.why})" if answer.why else ""
    how = f", {answer.space.estimator} estimates" if problem.has_exits and answer.space.exits != "final" else ""
    return Text.assemble(
        (f"{problem.profile} on {problem.topology}", "bold"),
        f": {size_text(answer)}{how}; {outcome.solver}{why} {outcome.status} in "
        f"{units.format_seconds(outcome.seconds)}",
    )


def plans_table(answer: Answer) -> Table:
    """Return a row for each plan: its measures, then where each piece runs."""
    return table_from(plan_rows(answer))


def table_from(rows: Rows) -> Table:
    """Return rows as a table for the terminal."""
    table = _headed(rows)
    for place, row in enumerate(rows.cells):
        table.add_row(*map(text_of, row), end_section=place in rows.ends)
    return table


def profile_tables(profile: Profile) -> Iterator[Table]:
    """Yield what a profile holds: the network, its blocks on each device, its exits."""
    return map(table_from, profile_rows(profile))


def _headed(rows: Rows) -> SafeTable:
    table = SafeTable(title=rows.title or None, show_header=any(rows.headings))
    for column in rows.columns:
        layout: dict[str, Any] = {"justify": column.side, "overflow": "fold"}
        if column.spare is not None:
            table.add_spare_column(column.spare, column.heading, **layout)
        elif column.fold:
            table.add_breaking_column(column.heading, **layout)
        else:
            table.add_column(column.heading, **layout)
    return table


def idle_line(answer: Answer) -> Text | None:
    """Return one line that says what brackets around stages mean; None where there are none."""
    idle = sum(bool(plan.idle_stages) for plan in answer.plans)
    if not idle:
        return None
    only = "this plan has" if len(answer) == 1 else f"{idle} of {len(answer)} plans {'has' if idle == 1 else 'have'}"
    return Text(f"[in brackets]: {only} a part that no sample gets to, because all have left before it")


def covered_line(answer: Answer) -> Text | None:
    """Return one line about the hypervolume of a frontier over measures that were named; None for other answers."""
    covered = answer.hypervolume() if answer.query.over else None
    if covered is None:
        return None
    point = ", ".join(f"{name} {_amount(value, name)}" for name, value in covered.reference.items())
    return Text.assemble(
        ("hypervolume", "bold"),
        f": {covered.value:.6g}, {covered.share:.2%} of the box from the best of each to the reference point ({point})",
    )


def _amount(value: float, name: str) -> str:
    return share_text(value) if name == "accuracy" else format_amount(value, name)


def stages_table(plan: Plan) -> Table:
    """Return a row for each partition of a plan; the title has the seconds before the first."""
    return table_from(stage_rows(plan))


def waterfall_table(explanation: Explanation) -> Table:
    """Return a row for each addend of a plan's latency, with a bar from where it begins to where it ends."""
    rows, whole = step_rows(explanation), explanation.plan.latency_s
    table = _headed(rows)
    table.add_spare_column(0, min_width=_BAR, no_wrap=True)
    for cells, step in zip(rows.cells, explanation.steps, strict=True):
        table.add_row(*map(Text, cells), _bar(step.begins_s, step.total_s, whole))
    return table


def _bar(begins: float, ends: float, whole: float) -> str:
    left, right = (round(_BAR * each / whole) for each in (begins, ends))
    return " " * left + ("█" * (right - left) or "▏")
