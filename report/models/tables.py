"""The tables of an answer about several networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from tiercut import units
from tiercut.optimizer import format_amount
from tiercut.report.rows import Column, Rows, bound_text, plan_column, question_text, share_text
from tiercut.report.tables import table_from

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from tiercut.analysis import Answer, ModelsAnswer

__all__ = ["model_rows", "models_parts", "models_remarks", "network_rows"]


def models_parts(answer: ModelsAnswer) -> Iterator[Text | Table]:
    """Yield what the terminal shows: a headline, the plans, and what each network has by itself."""
    yield headline(answer)
    if not answer.plans:
        yield Text(str(answer.error))
        return
    yield table_from(model_rows(answer))
    if answer.knee is not None:
        yield Text("* the knee: where the frontier bends most")
    if answer.whole:
        yield Text(f"{len(answer)} plans stand for the {len(answer.whole)} of the whole frontier")
    yield table_from(network_rows(answer))


def headline(answer: ModelsAnswer) -> Text:
    """Return one line that says what was asked about, and who answered."""
    answers = answer.answers.values()
    first, solvers = next(iter(answers)), dict.fromkeys(each.outcome.solver for each in answers)
    decisions = units.format_count(sum(each.space.decisions for each in answers))
    seconds = units.format_seconds(sum(each.outcome.seconds for each in answers))
    return Text.assemble(
        (f"{len(answers)} networks on {first.space.problem.topology}", "bold"),
        f": {decisions} decisions; {', '.join(solvers)} {answer.status} in {seconds}",
    )


def models_remarks(answer: ModelsAnswer) -> Iterator[str]:
    """Yield what is to be said beside the plans, network by network."""
    if answer.confidence is not None:
        said = f"{100 * answer.confidence:.6g} %"
        yield f"with {said} confidence what is certified holds for all {len(answer.answers)} networks together"
    if len(sets := dict.fromkeys(own.space.problem.profile.partition("/")[2] for own in answer.answers.values())) > 1:
        yield f"warning: accuracies are of different data sets ({', '.join(each or 'none named' for each in sets)})"
    for name, own in answer.answers.items():
        if own.certified is not None:
            yield f"{name}: {own.certified.guarantee}"
        if not own.plans:
            yield f"{name}: {own.message}"
        elif own.certified is None and own.outcome.status == "feasible":
            yield f"warning: {name}: {own.outcome.reason}; nothing proves its plans the best of all"


def model_rows(answer: ModelsAnswer) -> Rows:
    """Return a row for each plan: its network, its measures, and where each piece runs."""
    knee = answer.knee
    cells = []
    for place, each in enumerate(answer.found):
        number = f"* {place + 1}" if place == knee else str(place + 1)
        cells.append((number, each.model, *_figures(each.answer, each.index)))
    own = next(iter(answer.answers.values()))
    columns = (Column("#"), Column("network", "left", fold=True), *_columns(answer))
    return Rows(question_text(own, len(answer)), columns, tuple(cells))


def network_rows(answer: ModelsAnswer) -> Rows:
    """Return a row for each network: the best plan that it has by itself, or how far its own frontier reaches."""
    if answer.query.kind == "frontier":
        return _frontiers(answer)
    cells = []
    for name, own in answer.answers.items():
        cells.append((name, *(_figures(own, 0) if own.plans else ("-",) * len(_columns(answer)))))
    columns = (Column("network", "left", fold=True), *_columns(answer))
    return Rows("the best plan of each network", columns, tuple(cells))


def _frontiers(answer: ModelsAnswer) -> Rows:
    """Return a row for each network: how many of its plans no other network beats, and from where to where it goes."""
    names = answer.query.compared
    models = [each.model for each in answer.whole or answer.found]
    cells = []
    for name, own in answer.answers.items():
        values = own.values(names).T.tolist() if own.plans else [[]] * len(names)
        ends = [_range(each, column) for each, column in zip(names, values, strict=True)]
        cells.append((name, f"{models.count(name)} of {len(own)}", *ends))
    columns = (Column("network", "left", fold=True), Column("of its plans"), *map(Column, names))
    return Rows("each network by itself", columns, tuple(cells))


def _range(name: str, values: Sequence[float]) -> str:
    if not values:
        return "-"
    low, high = (
        share_text(each) if name == "accuracy" else format_amount(each, name) for each in (min(values), max(values))
    )
    return f"{low} to {high}"


def _columns(answer: ModelsAnswer) -> tuple[Column, ...]:
    own = next(iter(answer.answers.values()))
    certified = () if answer.confidence is None else ("certified",)
    return *map(plan_column, ("latency", *own.measures, "accuracy", *certified, "threshold")), plan_column("plan")


def _figures(answer: Answer, place: int) -> tuple[str, ...]:
    """Return the cells of a plan that `_columns` heads."""
    plan = answer.plans[place]
    named = [
        format_amount(value, name) for name, value in zip(answer.measures, answer.values()[place].tolist(), strict=True)
    ]
    bound = () if answer.certified is None else (bound_text(answer.certified.of(plan).at_least),)
    exits = "" if plan.exits in (plan.partition, plan.partition[-1:]) else f", exits {', '.join(map(str, plan.exits))}"
    figures = (units.format_seconds(plan.latency_s), *named, share_text(plan.accuracy), *bound)
    return *figures, plan.thresholds_shown, f"{plan.shown}{exits}"
