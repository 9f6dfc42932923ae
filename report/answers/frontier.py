"""A frontier for people: rows that can be told apart, its knee, and the plans that it is compared with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tiercut import units
from tiercut.report.rows import plan_rows, share_text, threshold_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tiercut.analysis import Answer
    from tiercut.report.rows import Rows

__all__ = ["frontier_lines", "legible_rows"]


def legible_rows(answer: Answer) -> Rows:
    """Return the rows of an answer for the terminal: of a frontier, those whose figures read like others' once.

    Figures are those that the frontier compares, as they are printed. The first plan of each run stands for it, but the
    knee for its own.
    """
    rows = plan_rows(answer)
    if answer.query.kind != "frontier":
        return rows
    compared = {*answer.query.compared, *(("sent",) if "bytes" in answer.query.compared else ())}
    places = [place for place, column in enumerate(rows.columns) if column.heading in compared]
    read = [tuple(row[place] for place in places) for row in rows.cells]
    kept = dict.fromkeys(read)
    first = {figures: place for place, figures in reversed(list(enumerate(read)))}
    if (knee := answer.knee) is not None:
        first[read[knee]] = knee
    return replace(rows, cells=tuple(rows.cells[first[figures]] for figures in kept))


def frontier_lines(answer: Answer, shown: Rows | None = None) -> Iterator[str]:
    """Yield what is said below a frontier: what it leaves out, and what stands beside it.

    Parameters
    ----------
    answer
        Whatever was asked; of other questions nothing is said.
    shown
        The rows that are shown, if not all plans are.
    """
    if answer.query.kind != "frontier" or not answer.plans:
        return
    if answer.knee is not None:
        yield "* the knee: where the frontier bends most"
    if answer.whole:
        yield f"{len(answer)} plans stand for the {len(answer.whole)} of the whole frontier"
    alike = 0 if shown is None else len(answer) - len(shown.cells)
    if alike:
        yield f"{alike} more plan{'s' * (alike != 1)} whose figures read like these; --json and --csv have all"
    numbers: Mapping[object, int] = {plan.decision: rank for rank, plan in reversed(list(enumerate(answer.plans, 1)))}
    least = answer.query.min_accuracy is not None
    by = f"least {answer.query.additive}" if least else "most accurate"
    for name, plan in answer.beside.items():
        right = "" if plan.accuracy is None else f", {share_text(plan.accuracy)}"
        number = numbers.get(plan.decision)
        where = "" if number is None else f" (number {number})"
        heading = {"one exit": f"with one exit, {by}", "native": "native, the whole network on one node"}[name]
        yield f"{heading}: {plan}: {units.format_seconds(plan.latency_s)}{right}{threshold_text(plan)}{where}"
