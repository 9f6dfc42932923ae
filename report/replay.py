"""Tables of a replay for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from tiercut import units
from tiercut.analysis.replay import CONFIDENCE, QUANTILES
from tiercut.optimizer.samples.intervals import samples_needed
from tiercut.report.tables import share_text, table_of

if TYPE_CHECKING:
    from tiercut.analysis.answers.answer import Answer
    from tiercut.analysis.choose_by_replay import Relived
    from tiercut.analysis.replay import Replay

__all__ = ["lived_table", "replay_tables"]


def replay_tables(replay: Replay) -> Iterator[Table | Text]:
    """Yield the plan, what the samples do at each exit, and what the plan comes to beside what the model says of it."""
    word = "threshold" if replay.model.thresholds is None else "thresholds"
    lane = "" if replay.model.thresholds_shown == "-" else f", {word} {replay.model.thresholds_shown}"
    yield Text.assemble((str(replay.lived), "bold"), f"{lane}: {replay.samples:,} samples of the {replay.split} split")
    yield _exits(replay)
    yield _figures(replay)


def _exits(replay: Replay) -> Table:
    table = table_of("what they do at each exit")
    table.add_column("exit", justify="right")
    table.add_column("on")
    for name in ("leave", "by the model", "right of these", "after"):
        table.add_column(name, justify="right")
    for each in replay.exits:
        table.add_row(
            str(each.block),
            each.node,
            share_text(each.exit_rate),
            share_text(each.model_exit_rate),
            share_text(each.right / each.left if each.left else None),
            units.format_seconds(each.latency_s),
        )
    return table


def _figures(replay: Replay) -> Table:
    table = table_of("what the plan comes to")
    table.add_column("")
    for name in ("replayed", "by the model", "difference"):
        table.add_column(name, justify="right")
    model, lived = replay.model, replay.lived
    gap = lived.latency_s - model.latency_s
    seconds = [units.format_seconds(each) for each in (lived.latency_s, model.latency_s)]
    table.add_row("mean latency", *seconds, f"{gap / model.latency_s:+.2%}" if model.latency_s else "-")
    points = "-" if model.accuracy is None else f"{100 * (replay.accuracy - model.accuracy):+.2f} points"
    table.add_row("accuracy", share_text(replay.accuracy), share_text(model.accuracy), points)
    low, high = replay.accuracy_interval()
    table.add_row(f"  {CONFIDENCE:.0%} interval", f"{share_text(low)} to {share_text(high)}", "", "")
    if any(lived.codecs):
        table.add_row("  less, for codecs", f"{100 * replay.codec_drop:.2f} points", "", "")
    for name, value in replay.quantiles.items():
        needed = f"needs {samples_needed(QUANTILES[name]):,} samples"
        table.add_row(name, needed if value is None else units.format_seconds(value), "", "")
    return table


def lived_table(answer: Answer, lived: Relived) -> Table:
    """Return a row for each plan that replay chose: its figures by the samples, and the model's beside them."""
    first = lived.plans[0]
    kinds = {
        "solve": "best plan",
        "rank": "best plans",
        "frontier": f"frontier of {len(lived.plans)} plan{'s' * (len(lived.plans) != 1)}",
    }
    what = f"{kinds[answer.query.kind]} by {first.samples:,} samples of the {first.split} split"
    table = table_of(f"{what}, of {lived.candidates:,} candidates")
    table.add_column("#", justify="right")
    for column in ("latency", "by the model", "accuracy", "95% interval"):
        table.add_column(column, justify="right")
    for column in ("by the model", "threshold"):
        table.add_column(column, justify="right")
    table.add_column("plan", overflow="fold")
    for rank, each in enumerate(lived.plans, 1):
        low, high = each.accuracy_interval()
        exits = "" if each.lived.exits == each.lived.partition else f", exits {', '.join(map(str, each.lived.exits))}"
        table.add_row(
            str(rank),
            units.format_seconds(each.lived.latency_s),
            units.format_seconds(each.model.latency_s),
            share_text(each.accuracy),
            f"{100 * low:.1f}-{100 * high:.1f}",
            share_text(each.model.accuracy),
            each.lived.thresholds_shown,
            Text(f"{each.lived.shown}{exits}"),
        )
    return table
