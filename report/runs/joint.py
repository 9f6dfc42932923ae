"""Tables of several sources that were run at once: what was predicted beside what was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from tiercut import units
from tiercut.cpus import cpu_count
from tiercut.report.rows import Column, Rows, share_text
from tiercut.report.runs.tables import became
from tiercut.report.safe_table import text_of
from tiercut.report.tables import table_from

if TYPE_CHECKING:
    from rich.table import Table

    from tiercut.offloader import JointRun, SourceRun

__all__ = ["joint_run_rows", "joint_run_tables", "place_rows"]

_REASONS = 3
_BUSY = 0.5
"""Where pieces keep more of the processors busy than this, agents wait for each other beside what they stand for."""


def joint_run_tables(run: JointRun) -> Iterator[Table | Text]:
    """Yield what became of the frames of each source, their latencies, and how busy machines and links were."""
    first = run.sources[0].run
    times = "pieces timed here" if first.retimed else "times of the profiles"
    yield Text.assemble(
        (f"{len(run.sources)} sources", "bold"),
        f": {first.frames} frames of each in {units.format_seconds(run.duration_s)}; {first.runtime}, {times}",
    )
    for each in run.sources:
        yield Text.assemble((each.name, "bold"), f", {each.rate:g} fps, {each.run.title}")
        yield text_of(became(each.run))
    yield table_from(joint_run_rows(run))
    yield table_from(place_rows(run))
    yield from _failures(run)
    if run.processors > _BUSY * cpu_count():
        yield text_of(
            f"the pieces alone keep {run.processors:.1f} of {cpu_count()} processors busy: what is measured has in it "
            "that agents wait for these too; lower rates or fewer threads tell more"
        )


def _failures(run: JointRun) -> Iterator[Text]:
    reasons = Counter((each.name, reason) for each in run.sources for _, reason in each.run.failures)
    for (name, reason), count in reasons.most_common(_REASONS):
        yield text_of(f"{count} of {name} failed: {reason}")
    if len(reasons) > _REASONS:
        yield text_of(f"{sum(count for _, count in reasons.most_common()[_REASONS:])} failed for other reasons")


def joint_run_rows(run: JointRun) -> Rows:
    """Return latencies of each source: of a frame alone, as predicted among all others, and as measured; accuracy."""
    cells: list[tuple[str, ...]] = []
    for each in run.sources:
        cells += _source(each)
    columns = (
        Column("source", "left"),
        Column("", "left"),
        Column("alone"),
        Column("predicted"),
        Column("measured"),
        Column("error"),
    )
    return Rows("latency: alone, predicted among all sources, and measured", columns, tuple(cells))


def _source(each: SourceRun) -> Iterator[tuple[str, ...]]:
    measured = each.run.measured
    name = each.name
    for figure in ("mean", "p50", "p95"):
        values = each.run.predicted.latency_s[figure], each.loaded_s.get(figure), measured.latency_s[figure]
        if values[2] is None and figure != "mean":
            continue
        shown = ("-" if seconds is None else units.format_seconds(seconds) for seconds in values)
        _, loaded, lived = values
        error = "" if not loaded or lived is None else f"{lived / loaded - 1:+.1%}"
        yield (name, figure, *shown, error)
        name = ""
    expected, found = each.run.predicted.accuracy, measured.accuracy
    points = "" if expected is None or found is None else f"{100 * (found - expected):+.1f} points"
    yield (name, "accuracy", "", share_text(expected), share_text(found), points)


def place_rows(run: JointRun) -> Rows:
    """Return for which share of the time each machine and link was busy, the busiest first."""
    cells = []
    for place in sorted(run.places, key=lambda each: -each.measured):
        points = "" if place.predicted is None else f"{100 * (place.measured - place.predicted):+.1f} points"
        cells.append((place.name, share_text(place.predicted), share_text(place.measured), points))
    columns = Column("place", "left"), Column("predicted"), Column("measured"), Column("error")
    return Rows("busy, from the first frame to the last", columns, tuple(cells))
