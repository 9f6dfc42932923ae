"""Tables of a stream for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from tiercut import units
from tiercut.analysis import QUANTILES
from tiercut.optimizer import samples_needed
from tiercut.report.rows import Column, Rows, server_rows, share_text
from tiercut.report.safe_table import text_of
from tiercut.report.tables import table_from

if TYPE_CHECKING:
    from rich.table import Table

    from tiercut.analysis import Latencies, Stream

__all__ = ["frame_rows", "stream_tables", "verdict_text"]


def stream_tables(stream: Stream) -> Iterator[Table | Text]:
    """Yield the plans, whether the servers keep up, latencies and what became of the frames, and the servers."""
    for source in stream.sources:
        rate = "a trace" if source.rate is None else f"{source.rate:g} frames/s"
        yield Text.assemble((str(source.plan), "bold"), f": {rate} from {source.node}")
    yield text_of(verdict_text(stream))
    yield table_from(frame_rows(stream))
    yield table_from(server_rows(stream))


def verdict_text(stream: Stream) -> str:
    """Return whether the servers keep up, who is the busiest, and at which rate that turns."""
    load, rate, busiest = stream.load, stream.sustainable_rate, stream.bottleneck
    if load is None or rate is None or busiest is None:
        return stream.verdict
    together = " together" if len(stream.sources) > 1 else ""
    said = {
        "stable": "",
        "backlogged": ": a queue grew in this run, though the load is below what the servers can do",
        "overloaded": ": the queue grows without end, or frames are lost for ever",
    }[stream.verdict]
    limit = f"{rate:.4g} frames/s{together}"
    return f"{stream.verdict}{said}; {busiest.name} has a load of {load.max():.1%}, the limit is {limit}"


def frame_rows(stream: Stream) -> Rows:
    """Return what became of the frames: a column for each source, and one for all where there are several."""
    several = len(stream.sources) > 1
    data = stream.to_data()
    sides = [(each["source"], each, stream.latencies_of(k)) for k, each in enumerate(data.get("sources", ()))]
    sides.append(("all" if several else stream.sources[0].node, data, stream.latencies))
    every = [each for _, each, _ in sides]
    cells: list[tuple[str, ...]] = [
        (name, *(f"{each[key]:,}" for each in every))
        for key, name in (("frames", "born"), ("done", "done"), ("dropped", "dropped"), ("in_flight", "in flight"))
    ]
    if stream.sent_home:
        cells.append(("  sent home early", *("" for _ in every[1:]), f"{stream.sent_home:,}"))
    cells.append(("accuracy", *(share_text(each["accuracy"]) for each in every)))
    cells.append(("mean latency", *(_seconds(each["latency_s"]["mean"]) for each in every)))
    cells.append(("  95% interval", *(_interval(each["latency_interval_s"]["mean"]) for each in every)))
    cells += [(name, *(_quantile(latencies, name) for _, _, latencies in sides)) for name in QUANTILES]
    cells += [
        (f"leave at {block}", *(share_text(each["exit_rate"].get(block)) for each in every))
        for block in data["exit_rate"]
    ]
    return Rows("frames", (Column("", "left"), *(Column(name) for name, _, _ in sides)), tuple(cells))


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else units.format_seconds(seconds)


def _interval(ends: list[float] | None) -> str:
    return "-" if ends is None else f"{units.format_seconds(ends[0])} to {units.format_seconds(ends[1])}"


def _quantile(latencies: Latencies, name: str) -> str:
    value = latencies.quantiles[name]
    needed = f"needs {samples_needed(QUANTILES[name]):,} frames"
    return needed if value is None else units.format_seconds(value)
