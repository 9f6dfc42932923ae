"""What became of a sweep: how many points ended how, and why some have no plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from tiercut import units
from tiercut.report.rows import Column, Rows
from tiercut.report.tables import table_from

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from tiercut.analysis import Swept

__all__ = ["sweep_rows", "sweep_tables"]

_MOST_REASONS = 8


def sweep_tables(found: Swept) -> Iterator[Table | Text]:
    """Yield what was solved, how it ended, why points have no plan, and where they are."""
    solved = found.points - found.found_before
    rate = f", {_count(solved / found.seconds)} a second" if solved and found.seconds > 0 else ""
    before = f"; {found.found_before:,} of them were there already" if found.found_before else ""
    cases = f"{found.cases:,} case{'s' * (found.cases != 1)}"
    took = f"{units.format_seconds(found.seconds)}{rate}{before}"
    yield Text.assemble((f"{found.points:,} points", "bold"), f" of {cases} in {took}")
    yield from map(table_from, sweep_rows(found))
    yield Text(f"rows: {found.folder}/points/*/*.parquet")


def _count(rate: float) -> str:
    """Return a rate as a whole number, or with two digits where that would say little."""
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


def sweep_rows(found: Swept) -> Iterator[Rows]:
    """Yield how points ended, and the reasons of those without a plan."""
    ends = [(status, f"{count:,}", f"{count / found.points:.1%}") for status, count in found.statuses.items()]
    yield Rows("how points ended", (Column("status", "left"), Column("points"), Column("share")), tuple(ends))
    if found.reasons:
        cells = [(reason, f"{count:,}") for reason, count in list(found.reasons.items())[:_MOST_REASONS]]
        left = len(found.reasons) - len(cells)
        if left:
            cells.append((f"{left} more", f"{sum(list(found.reasons.values())[_MOST_REASONS:]):,}"))
        yield Rows("points without a plan", (Column("reason", "left", fold=True), Column("points")), tuple(cells))
