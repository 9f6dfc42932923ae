"""Why a plan is the answer, as tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from tiercut.analysis import FURTHEST, format_value, label
from tiercut.report.rows import Column, Rows
from tiercut.report.tables import table_from

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tiercut.analysis import Effect, Need, Sweep, Why
    from tiercut.optimizer import Plan

__all__ = [
    "effect_rows",
    "nearest_rows",
    "need_rows",
    "need_tables",
    "parameter_name",
    "span_rows",
    "why_lines",
    "why_rows",
    "why_tables",
]


def why_tables(why: Why, *, every: bool = False) -> Iterator[Table | Text]:
    """Yield the runner-up, what bounds do, and where the best plan changes: the nearest places, or every one."""
    runner_up, *others = why_lines(why)
    name, colon, rest = runner_up.partition(": ")
    yield Text.assemble((name, "bold"), f"{colon}{rest}\n") if colon else Text(f"{runner_up}\n")
    yield from map(table_from, why_rows(why, every=every))
    yield from (Text(f"{line}\n") for line in others)


def need_tables(needs: Sequence[Need]) -> Iterator[Table | Text]:
    """Yield how much worse each number may become before no plan meets the bounds, and what may become anything."""
    if any(each.limit is not None for each in needs):
        yield table_from(need_rows(needs))
    free = [each for each in needs if each.limit is None and not each.note]
    if free:
        yield Text(f"Up to {FURTHEST:,.0f} times as bad some plan meets the bounds: {_named(free)}.\n")
    for note in dict.fromkeys(each.note for each in needs if each.note):
        yield Text(f"Not known: {_named([each for each in needs if each.note == note])}: {note}.\n")


def need_rows(needs: Sequence[Need]) -> Rows:
    """Return a row for each number that has a limit."""
    cells = []
    for each in needs:
        if each.limit is not None and each.plan is not None:
            parameter = each.parameter
            times = "-" if each.factor is None else f"{each.factor:.3g}"
            name = f"{parameter.kind} of {parameter.name}"
            cells.append((name, parameter.show(parameter.now), parameter.show(each.limit), times, label(each.plan)))
    columns = Column("number", "left"), Column("now"), Column("limit"), Column("times")
    title = "how much worse one may become, the others as they are, before no plan meets the bounds"
    return Rows(title, (*columns, Column("with", "left", fold=True)), tuple(cells))


def why_rows(why: Why, *, every: bool = False) -> Iterator[Rows]:
    """Yield what bounds do, and where the best plan changes: the nearest places, or every one."""
    if why.effects:
        yield effect_rows(why.effects, why.query.objective)
    changing = [sweep for sweep in why.sweeps if sweep.changes]
    if changing:
        yield span_rows(changing, why) if every else nearest_rows(changing, why)


def why_lines(why: Why) -> Iterator[str]:
    """Yield what comes next, what changes nothing, and what is not known."""
    yield _runner_up(why)
    still = [sweep for sweep in why.sweeps if not sweep.changes and not sweep.note]
    if still:
        yield f"The best plan stays the same{_within(why)}: {_named(still)}."
    for note in dict.fromkeys(sweep.note for sweep in why.sweeps if sweep.note):
        yield f"Not known: {_named([sweep for sweep in why.sweeps if sweep.note == note])}: {note}."


def parameter_name(sweep: Sweep) -> str:
    """Return what a person calls the number that changes."""
    return f"{sweep.parameter.kind} of {sweep.parameter.name}"


def _named(found: Sequence[Sweep | Need]) -> str:
    """Return names by kind; a direction goes without saying where both together are named."""
    parameters = [each.parameter for each in found]
    kinds = []
    for kind in dict.fromkeys(each.kind for each in parameters):
        mine = [each for each in parameters if each.kind == kind]
        whole = [each for each in mine if not any(set(each.directions) < set(other.directions) for other in mine)]
        kinds.append(f"{kind} of {', '.join(each.name for each in whole)}")
    return "; ".join(kinds)


def _within(why: Why) -> str:
    return f" from 1/{why.factor:g} to {why.factor:g} times the present"


def _runner_up(why: Why) -> str:
    if why.runner_up is None or why.runner_up_value is None or why.margin is None:
        return "There is no runner-up; no other plan meets the question."
    objective = why.query.objective
    value, margin = (format_value(each, objective) for each in (why.runner_up_value, why.margin))
    share = f" ({why.margin / abs(why.value):.2%})" if why.value and objective != "accuracy" else ""
    worse = "less" if objective == "accuracy" else "more"
    by = f"{margin}{share} {worse}" if why.margin else "as good, and later in the order of plans"
    return f"runner-up: {label(why.runner_up)}: {value}, {by}"


def effect_rows(effects: Iterable[Effect], objective: str) -> Rows:
    """Return a row for each bound: what was asked, whether it binds, and what a looser one gives."""
    cells = []
    for each in effects:
        measure = each.name.partition(":")[0].removesuffix(" per month")
        sign = {"at least": "≥ ", "at most": "≤ "}.get(each.sense, "")
        asked, loose = (
            "-" if value is None else f"{sign}{_bound_value(value, measure)}" for value in (each.asked, each.loosened)
        )
        gives = "-" if each.value is None else format_value(each.value, objective)
        plan = "-" if each.plan is None else label(each.plan)
        loose = "without it" if each.loosened is None else loose
        cells.append((each.name, asked, "yes" if each.binds else "no", loose, gives, plan))
    figures = map(Column, ("asked", "binds", "10 % looser", "gives"))
    columns = (Column("bound", "left"), *figures, Column("with", "left", fold=True))
    return Rows("what the bounds cost", columns, tuple(cells))


def _bound_value(value: float, measure: str) -> str:
    return f"{value:.4g}" if measure == "accuracy" else format_value(value, measure)


def nearest_rows(sweeps: Iterable[Sweep], why: Why) -> Rows:
    """Return a row for each side of each number that changes: the nearest place where another plan becomes the best."""
    cells: list[tuple[str, ...]] = []
    for sweep in sweeps:
        below, above = sweep.nearest
        sides = [
            (f"{side} {sweep.parameter.show(change.at)}", _name(plan))
            for side, change, plan in (
                ("below", below, None if below is None else below.below),
                ("above", above, None if above is None else above.above),
            )
            if change is not None
        ]
        heads = (parameter_name(sweep), sweep.parameter.show(sweep.parameter.now)), ("", "")
        cells += [(*head, *side) for head, side in zip(heads, sides, strict=False)]
    columns = (Column("of", "left"), Column("now"), Column("changes", "left"))
    title = f"where the best plan changes{_within(why)}: the nearest"
    return Rows(title, (*columns, Column("the best is then", "left", fold=True)), tuple(cells))


def _name(plan: Plan | None) -> str:
    return "nothing meets the bounds" if plan is None else label(plan)


def span_rows(sweeps: Iterable[Sweep], why: Why) -> Rows:
    """Return a row for each stretch of each number that changes, and the best plan there."""
    cells: list[tuple[str, ...]] = []
    ends = set()
    for sweep in sweeps:
        for place, span in enumerate(sweep.spans):
            edges = (sweep.parameter.show(each) for each in (span.low, span.high))
            values = (
                "-" if each is None else format_value(each, why.query.objective)
                for each in (span.low_value, span.high_value)
            )
            cells.append(("" if place else parameter_name(sweep), *edges, *values, _name(span.plan)))
        ends.add(len(cells) - 1)
    figures = map(Column, ("from", "to", why.query.objective, ""))
    columns = (Column("of", "left"), *figures, Column("plan", "left", fold=True))
    return Rows(f"the best plan{_within(why)}", columns, tuple(cells), frozenset(ends))
