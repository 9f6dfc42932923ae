"""Tables as neutral text cells with headings and alignment: for the terminal, a page, or any other place.

Every figure that people read in a table is put into words here, once; what shows a table only lays it out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor
from typing import TYPE_CHECKING, Literal

from tiercut import units
from tiercut.analysis import CONFIDENCE, QUANTILES
from tiercut.optimizer import format_amount, is_sum, samples_needed, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tiercut.analysis import Answer, Explanation, Replay, ReplayChoice, Stream
    from tiercut.optimizer import Plan

__all__ = [
    "Column",
    "Rows",
    "bound_text",
    "exit_rows",
    "figure_rows",
    "plan_column",
    "plan_rows",
    "plan_text",
    "question_text",
    "server_rows",
    "share_text",
    "stage_rows",
    "step_rows",
    "threshold_text",
]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    heading, side
        What stands above it, and the side that its cells are set to.
    fold
        Whether long cells may be broken between words.
    spare
        When it is left out on a narrow terminal, smallest number first; None: it tells rows apart, and stays.
    """

    heading: str
    side: Literal["left", "right"] = "right"
    fold: bool = False
    spare: int | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """A table: K rows of as many cells as there are columns.

    Parameters
    ----------
    title
        What it shows.
    columns
        From left to right.
    cells
        Plain text, no markup.
    ends
        Rows, counted from 0, below which a line stands.
    """

    title: str
    columns: tuple[Column, ...]
    cells: tuple[tuple[str, ...], ...]
    ends: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.cells):
            raise ValueError(f"the table '{self.title}' has {len(self.columns)} columns, but not so many cells a row")

    @property
    def headings(self) -> tuple[str, ...]:
        """The headings, from left to right."""
        return tuple(column.heading for column in self.columns)


def plan_rows(answer: Answer) -> Rows:
    """Return a row for each plan of an answer: its measures, then where each piece runs.

    Plans that were chosen by replay have what the samples make of them, and the model's figures beside it. A star
    marks the knee of a frontier.
    """
    rows = _modelled_rows(answer) if answer.replayed is None else _replayed_rows(answer, answer.replayed)
    rows = _with_cost_per_month(rows, answer)
    if (knee := answer.knee) is None:
        return rows
    cells = ((f"* {row[0]}" if place == knee else row[0], *row[1:]) for place, row in enumerate(rows.cells))
    return replace(rows, cells=tuple(cells))


def _with_cost_per_month(rows: Rows, answer: Answer) -> Rows:
    """Return rows of several plans with what each costs by the month, where a rate and all prices are known."""
    dollars = [each.dollars_per_month for each in answer.at_rate if each.dollars_per_month is not None]
    if answer.query.kind == "solve" or not dollars or len(dollars) < len(rows.cells):
        return rows
    cells = ((*row[:-1], f"{each:.4g} $", row[-1]) for row, each in zip(rows.cells, dollars, strict=True))
    return replace(rows, columns=(*rows.columns[:-1], Column("a month"), rows.columns[-1]), cells=tuple(cells))


def plan_text(plan: Plan) -> str:
    """Return what tells a plan from every other one of its problem: stages, exits within them, thresholds."""
    exits = "" if plan.exits in (plan.partition, plan.partition[-1:]) else f", exits {_listed(plan.exits)}"
    return f"{plan.shown}{exits}{threshold_text(plan)}"


def _modelled_rows(answer: Answer) -> Rows:
    problem, seen = answer.space.problem, answer.replayed_accuracies
    known = {
        "accuracy": answer.space.knows_accuracy,
        "replayed": seen is not None,
        "certified": answer.certified is not None,
        "threshold": problem.has_exits,
        "sent": True,
        "exits": answer.space.inside,
    }
    shown_here = [name for name, there in known.items() if there]
    rows = []
    for rank, (plan, values) in enumerate(zip(answer.plans, answer.values().tolist(), strict=True), 1):
        named = [format_amount(value, name) for name, value in zip(answer.measures, values, strict=True)]
        cells = {
            "accuracy": share_text(plan.accuracy),
            "replayed": share_text(None if seen is None else seen[rank - 1]),
            "certified": "" if answer.certified is None else bound_text(answer.certified.of(plan).at_least),
            "threshold": plan.thresholds_shown,
            "sent": units.format_bytes(plan.bytes_sent),
            "exits": _listed(plan.exits),
        }
        figures = [cells[name] for name in shown_here]
        rows.append((str(rank), units.format_seconds(plan.latency_s), *named, *figures, plan.shown))
    measures = ("sum" if is_sum(name) else name for name in answer.measures)
    headings = ("#", "latency", *measures, *shown_here)
    return Rows(question_text(answer), (*map(plan_column, headings), Column("plan", "left", fold=True)), tuple(rows))


def bound_text(share: float) -> str:
    """Return what a share is at least, rounded down."""
    return f"≥ {floor(1e4 * share + _ROUNDING) / 100:.2f}%"


def _replayed_rows(answer: Answer, replayed: ReplayChoice) -> Rows:
    headings = ("#", "latency", "by the model", "accuracy", "95% interval", "by the model", "threshold")
    rows = []
    for rank, each in enumerate(replayed.plans, 1):
        low, high = each.accuracy_interval()
        plan = each.replayed
        exits = "" if plan.exits == plan.partition else f", exits {_listed(plan.exits)}"
        rows.append(
            (
                str(rank),
                units.format_seconds(plan.latency_s),
                units.format_seconds(each.model.latency_s),
                share_text(each.accuracy),
                f"{100 * low:.1f}-{100 * high:.1f}",
                share_text(each.model.accuracy),
                plan.thresholds_shown,
                f"{plan.shown}{exits}",
            )
        )
    columns = (*map(plan_column, headings), Column("plan", "left", fold=True))
    return Rows(_replayed_title(answer, replayed), columns, tuple(rows))


def _replayed_title(answer: Answer, replayed: ReplayChoice) -> str:
    first, count = replayed.plans[0], len(replayed.plans)
    kinds = {"solve": "best plan", "rank": "best plans", "frontier": f"frontier of {count} plan{'s' * (count != 1)}"}
    what = f"{kinds[answer.query.kind]} by {first.samples:,} samples of the {first.split} split"
    return f"{what}, of {replayed.candidates:,} candidates"


def question_text(answer: Answer, count: int | None = None) -> str:
    """Return in words what was asked: kind, objective or measures, bounds; by default of as many plans as there are."""
    query, count = answer.query, len(answer) if count is None else count
    kind = {
        "solve": "best plan",
        "rank": f"best {count} plan{'s' * (count != 1)}",
        "frontier": f"frontier of {count} plan{'s' * (count != 1)}",
    }
    bounds = []
    if query.min_accuracy is not None:
        bounds.append(f"accuracy ≥ {query.min_accuracy:g}")
    if query.max_latency_s is not None:
        bounds.append(f"latency ≤ {units.format_seconds(query.max_latency_s)}")
    halves = (shown(half) for bound in query.bounds for half in bound.halves)
    bounds += [half.replace(" <= ", " ≤ ").replace(" >= ", " ≥ ") for half in halves]
    if query.rate_fps is not None:
        busiest = query.max_utilisation
        limit = "" if busiest is None else f" (utilisation ≤ {format_amount(busiest, 'utilisation')})"
        bounds.append(f"{query.rate_fps:g} fps{limit}")
    by = f"{'greatest' if query.objective in ('accuracy', 'rate') else 'least'} {query.objective}"
    by = " against ".join(query.compared) if query.kind == "frontier" else by
    return f"{kind[query.kind]}: {by}" + (f", {' and '.join(bounds)}" if bounds else "")


def stage_rows(plan: Plan) -> Rows:
    """Return a row for each partition of a plan; the title has the seconds before the first."""
    coded = _as(plan.input_codec)
    before = f"; the input{coded} takes {units.format_seconds(plan.input_s)}" if plan.input_s or coded else ""
    figures = ("blocks", "reach", "leave", "compute", "result", "send", "payload")
    columns = (Column("node", "left"), *map(plan_column, figures), Column("to", "left"))
    title = f"its stages, timed for a sample that gets there{before}"
    return Rows(title, columns, tuple(_stage_cells(plan)))


def _stage_cells(plan: Plan) -> Iterator[tuple[str, ...]]:
    for stage in plan.stages:
        first, last = stage.blocks
        sent = stage.send_to is not None
        yield (
            stage.node,
            str(first) if first == last else f"{first}-{last}",
            f"{stage.reach:.1%}",
            f"{stage.exit_rate:.1%}",
            units.format_seconds(stage.compute_s),
            units.format_seconds(stage.result_s),
            units.format_seconds(stage.send_s) if sent else "-",
            units.format_bytes(stage.send_bytes) + _as(stage.codec) if sent else "-",
            stage.send_to or "-",
        )


def _as(codec: str | None) -> str:
    """Return what encodes something that is sent, as the end of what it is called."""
    return "" if codec is None else f" as {codec}"


def step_rows(explanation: Explanation) -> Rows:
    """Return a row for each addend of a plan's latency; the title has the figures of the plan."""
    plan = explanation.plan
    right = "" if plan.accuracy is None else f", accuracy {share_text(plan.accuracy)}"
    tail = "" if explanation.p99_s is None else f", p99 {units.format_seconds(explanation.p99_s)}"
    title = f"{plan}: {units.format_seconds(plan.latency_s)}{tail}{right}{threshold_text(plan)}"
    columns = (Column("step", "left", fold=True), *map(plan_column, ("samples", "each", "adds", "total")))
    cells = []
    for step in explanation.steps:
        times = (units.format_seconds(each) for each in (step.seconds, step.adds_s, step.total_s))
        cells.append((step.what, f"{step.share:.1%}", *times))
    return Rows(title, columns, tuple(cells))


def exit_rows(replay: Replay) -> Rows:
    """Return a row for each exit of a plan: what the samples do there, and what the model says of it."""
    columns = (
        Column("exit"),
        Column("on", "left"),
        *map(Column, ("leave", "by the model", "right of these", "after")),
    )
    cells = tuple(
        (
            str(each.block),
            each.node,
            share_text(each.exit_rate),
            share_text(each.model_exit_rate),
            share_text(each.right / each.left if each.left else None),
            units.format_seconds(each.latency_s),
        )
        for each in replay.exits
    )
    return Rows("what they do at each exit", columns, cells)


def figure_rows(replay: Replay) -> Rows:
    """Return a row for each figure of a plan: as the samples make it, and as the model says."""
    model, replayed = replay.model, replay.replayed
    gap = replayed.latency_s - model.latency_s
    seconds = [units.format_seconds(each) for each in (replayed.latency_s, model.latency_s)]
    points = "-" if model.accuracy is None else f"{100 * (replay.accuracy - model.accuracy):+.2f} points"
    low, high = replay.accuracy_interval()
    cells = [
        ("mean latency", *seconds, f"{gap / model.latency_s:+.2%}" if model.latency_s else "-"),
        ("accuracy", share_text(replay.accuracy), share_text(model.accuracy), points),
        (f"  {CONFIDENCE:.0%} interval", f"{share_text(low)} to {share_text(high)}", "", ""),
    ]
    if replayed.uses_codecs:
        cells.append(("  less, for codecs", f"{100 * replay.codec_drop:.2f} points", "", ""))
    for name, value in replay.quantiles.items():
        needed = f"needs {samples_needed(QUANTILES[name]):,} samples"
        cells.append((name, needed if value is None else units.format_seconds(value), "", ""))
    columns = (Column("", "left"), *map(Column, ("replayed", "by the model", "difference")))
    return Rows("figures of the plan", columns, tuple(cells))


def server_rows(stream: Stream) -> Rows:
    """Return a row for each node and link of a stream: how busy it was, and who waited or found no room there."""
    columns = (
        Column("server", "left"),
        Column("busy"),
        Column("load", spare=2),
        Column("served", spare=3),
        Column("mean wait"),
        Column("longest queue", spare=1),
        Column("dropped"),
        Column("sent home"),
    )
    homes = any(each.sent_home for each in stream.servers)
    cells = tuple(
        (
            each.server.name,
            "-" if each.utilisation is None else f"{each.utilisation:.1%}",
            "-" if each.load is None else f"{each.load:.1%}",
            f"{each.served:,}",
            "-" if each.wait_s is None else units.format_seconds(each.wait_s),
            f"{each.longest:,}",
            f"{each.dropped:,}",
            f"{each.sent_home:,}",
        )
        for each in stream.servers
    )
    count = len(columns) if homes else len(columns) - 1
    return Rows("nodes and links", columns[:count], tuple(row[:count] for row in cells))


def threshold_text(plan: Plan) -> str:
    """Return the thresholds of a plan as the end of a line about it; empty where none has an effect."""
    word = "threshold" if plan.thresholds is None else "thresholds"
    return "" if plan.thresholds_shown == "-" else f", {word} {plan.thresholds_shown}"


def share_text(share: float | None) -> str:
    """Return a share in percent, with two digits."""
    return "-" if share is None else f"{share:.2%}"


_SPARE = {
    "by the model": 1,
    "sent": 2,
    "replayed": 3,
    "payload": 3,
    "to": 4,
    "total": 5,
    "each": 6,
    "result": 7,
    "reach": 8,
}
"""Columns that a reader can do without, for they follow from others or are in the JSON, and when each is left out."""


_ROUNDING = 1e-6

_LISTS = {"threshold", "exits"}
"""Columns whose cells may be lists of numbers."""


def plan_column(heading: str) -> Column:
    """Return the column of a figure of plans, or of the plans themselves, under its heading."""
    if heading == "plan":
        return Column(heading, "left", fold=True)
    return Column(heading, fold=heading in _LISTS, spare=_SPARE.get(heading))


def _listed(blocks: Sequence[int]) -> str:
    return ", ".join(map(str, blocks))
