"""Why a plan is the answer, as tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from tiercut.analysis import format_value, label
from tiercut.report.safe_table import SafeTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tiercut.analysis import Change, Effect, Sweep, Why
    from tiercut.optimizer import Plan

__all__ = ["parameter_name", "why_tables"]


def why_tables(why: Why, *, every: bool = False) -> Iterator[Table | Text]:
    """Yield the runner-up, what bounds do, and where the best plan changes: the nearest places, or every one."""
    yield _runner_up(why)
    if why.effects:
        yield _bounds(why.effects, why.query.objective)
    changing = [sweep for sweep in why.sweeps if sweep.changes]
    if changing:
        yield _every_span(changing, why) if every else _nearest(changing, why)
    still = [sweep for sweep in why.sweeps if not sweep.changes and not sweep.note]
    if still:
        yield Text(f"The best plan stays the same{_within(why)}: {_listed(still)}.\n")
    for note in dict.fromkeys(sweep.note for sweep in why.sweeps if sweep.note):
        yield Text(f"Not known: {_listed([sweep for sweep in why.sweeps if sweep.note == note])}: {note}.\n")


def parameter_name(sweep: Sweep) -> str:
    """Return what a person calls the number that changes."""
    return f"{sweep.parameter.kind} of {sweep.parameter.name}"


def _listed(sweeps: Sequence[Sweep]) -> str:
    """Return names by kind; a direction goes without saying where both together are named."""
    parameters = [sweep.parameter for sweep in sweeps]
    kinds = []
    for kind in dict.fromkeys(each.kind for each in parameters):
        mine = [each for each in parameters if each.kind == kind]
        whole = [each for each in mine if not any(set(each.directions) < set(other.directions) for other in mine)]
        kinds.append(f"{kind} of {', '.join(each.name for each in whole)}")
    return "; ".join(kinds)


def _within(why: Why) -> str:
    return f" from 1/{why.factor:g} to {why.factor:g} times the present"


def _runner_up(why: Why) -> Text:
    if why.runner_up is None or why.runner_up_value is None or why.margin is None:
        return Text("There is no runner-up: no other plan meets the question.\n")
    objective = why.query.objective
    value, margin = (format_value(each, objective) for each in (why.runner_up_value, why.margin))
    share = f" ({why.margin / abs(why.value):.2%})" if why.value and objective != "accuracy" else ""
    worse = "less" if objective == "accuracy" else "more"
    by = f"{margin}{share} {worse}" if why.margin else "as good, and later in the order of plans"
    return Text.assemble(("runner-up: ", "bold"), f"{label(why.runner_up)}: {value}, {by}\n")


def _bounds(effects: Iterable[Effect], objective: str) -> Table:
    table = _table("what the bounds cost")
    table.add_column("bound")
    for name in ("asked", "binds", "10 % looser", "gives"):
        table.add_column(name, justify="right")
    table.add_column("with", overflow="fold")
    for each in effects:
        measure = each.name.partition(":")[0].removesuffix(" per month")
        sign = {"at least": "≥ ", "at most": "≤ "}.get(each.sense, "")
        asked, loose = (
            "-" if value is None else f"{sign}{_bound_value(value, measure)}" for value in (each.asked, each.loosened)
        )
        gives = "-" if each.value is None else format_value(each.value, objective)
        plan = "-" if each.plan is None else label(each.plan)
        loose = "without it" if each.loosened is None else loose
        table.add_row(each.name, asked, "yes" if each.binds else "no", loose, gives, plan)
    return table


def _bound_value(value: float, measure: str) -> str:
    return f"{value:.4g}" if measure == "accuracy" else format_value(value, measure)


def _nearest(sweeps: Iterable[Sweep], why: Why) -> Table:
    table = _table(f"where the best plan changes{_within(why)}: the nearest places")
    table.add_column("of")
    table.add_column("now", justify="right")
    for side in ("below", "above"):
        table.add_column(side, justify="right")
        table.add_column("the best is then", overflow="fold")
    for sweep in sweeps:
        below, above = sweep.nearest
        ends = (None if below is None else below.below), (None if above is None else above.above)
        cells = (*_cells(sweep, below, ends[0]), *_cells(sweep, above, ends[1]))
        table.add_row(parameter_name(sweep), sweep.parameter.show(sweep.parameter.now), *cells)
    return table


def _cells(sweep: Sweep, change: Change | None, plan: Plan | None) -> tuple[str, str]:
    return ("-", "") if change is None else (sweep.parameter.show(change.at), _name(plan))


def _name(plan: Plan | None) -> str:
    return "nothing meets the bounds" if plan is None else label(plan)


def _every_span(sweeps: Iterable[Sweep], why: Why) -> Table:
    table = _table(f"the best plan{_within(why)}")
    table.add_column("of")
    for name in ("from", "to", why.query.objective, ""):
        table.add_column(name, justify="right")
    table.add_column("plan", overflow="fold")
    for sweep in sweeps:
        for place, span in enumerate(sweep.spans):
            ends = span.low_value, span.high_value
            values = ("-" if each is None else format_value(each, why.query.objective) for each in ends)
            name = "" if place else parameter_name(sweep)
            table.add_row(
                name, sweep.parameter.show(span.low), sweep.parameter.show(span.high), *values, _name(span.plan)
            )
        table.add_section()
    return table


def _table(title: str) -> Table:
    return SafeTable(title=title)
