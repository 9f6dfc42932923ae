"""Tables of a replay for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from tiercut import units
from tiercut.analysis import CONFIDENCE, QUANTILES
from tiercut.optimizer import samples_needed
from tiercut.report.rows import exit_rows, share_text, threshold_text
from tiercut.report.tables import table_from, table_of

if TYPE_CHECKING:
    from tiercut.analysis import Replay

__all__ = ["replay_tables"]


def replay_tables(replay: Replay) -> Iterator[Table | Text]:
    """Yield the plan, what the samples do at each exit, and the figures of the plan beside those of the model."""
    samples = f"{threshold_text(replay.model)}: {replay.samples:,} samples of the {replay.split} split"
    samples += f" ({Path(replay.source).name})" if replay.source else ""
    yield Text.assemble((str(replay.replayed), "bold"), samples)
    yield table_from(exit_rows(replay))
    yield _figures(replay)


def _figures(replay: Replay) -> Table:
    table = table_of("figures of the plan")
    table.add_column("")
    for name in ("replayed", "by the model", "difference"):
        table.add_column(name, justify="right")
    model, replayed = replay.model, replay.replayed
    gap = replayed.latency_s - model.latency_s
    seconds = [units.format_seconds(each) for each in (replayed.latency_s, model.latency_s)]
    table.add_row("mean latency", *seconds, f"{gap / model.latency_s:+.2%}" if model.latency_s else "-")
    points = "-" if model.accuracy is None else f"{100 * (replay.accuracy - model.accuracy):+.2f} points"
    table.add_row("accuracy", share_text(replay.accuracy), share_text(model.accuracy), points)
    low, high = replay.accuracy_interval()
    table.add_row(f"  {CONFIDENCE:.0%} interval", f"{share_text(low)} to {share_text(high)}", "", "")
    if replayed.uses_codecs:
        table.add_row("  less, for codecs", f"{100 * replay.codec_drop:.2f} points", "", "")
    for name, value in replay.quantiles.items():
        needed = f"needs {samples_needed(QUANTILES[name]):,} samples"
        table.add_row(name, needed if value is None else units.format_seconds(value), "", "")
    return table
