"""Tables of a replay for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from tiercut.report.rows import exit_rows, figure_rows, threshold_text
from tiercut.report.tables import table_from

if TYPE_CHECKING:
    from tiercut.analysis import Replay

__all__ = ["replay_tables"]


def replay_tables(replay: Replay) -> Iterator[Table | Text]:
    """Yield the plan, what the samples do at each exit, and the figures of the plan beside those of the model."""
    samples = f"{threshold_text(replay.model)}: {replay.samples:,} samples of the {replay.split} split"
    samples += f" ({Path(replay.source).name})" if replay.source else ""
    yield Text.assemble((str(replay.replayed), "bold"), samples)
    yield table_from(exit_rows(replay))
    yield table_from(figure_rows(replay))
