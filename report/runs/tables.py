"""Tables of a plan that was run: what was predicted beside what was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from tiercut import units
from tiercut.report.rows import Column, Rows, share_text
from tiercut.report.safe_table import text_of
from tiercut.report.tables import table_from

if TYPE_CHECKING:
    from rich.table import Table

    from tiercut.offloader import Run, StageTimes

__all__ = ["became", "disturbance_rows", "hop_rows", "move_rows", "run_rows", "run_tables"]

_REASONS = 3


def run_tables(run: Run) -> Iterator[Table | Text]:
    """Yield the plan and what became of its frames, and every term of the latency, predicted and measured."""
    yield Text.assemble((run.title, "bold"), f": {_how(run)}")
    yield text_of(became(run))
    yield table_from(run_rows(run))
    if run.hops:
        yield table_from(hop_rows(run))
    for number, reason in run.failures[:_REASONS]:
        yield text_of(f"frame {number} failed: {reason}")
    if len(run.failures) > _REASONS:
        yield text_of(f"and {len(run.failures) - _REASONS} more")
    yield from _fallbacks(run)
    if run.disturbances:
        yield table_from(disturbance_rows(run))
    if run.frames_by_plan:
        if run.moves:
            yield table_from(move_rows(run))
        shares = ", ".join(f"{count} by {plan}" for plan, count in run.frames_by_plan.items())
        again = f"; {run.sent_again} were sent again by another plan" if run.sent_again else ""
        yield text_of(f"answered: {shares}{again}")


def _fallbacks(run: Run) -> Iterator[Text]:
    """Yield how many frames fell back to each exit, and the commonest reasons."""
    reasons = Counter((exit_, reason) for _, exit_, reason in run.fallbacks)
    for (exit_, reason), count in reasons.most_common(_REASONS):
        yield text_of(f"{count} fell back to the exit after block {exit_}: {reason}")
    if len(reasons) > _REASONS:
        rest = sum(count for _, count in reasons.most_common()[_REASONS:])
        yield text_of(f"{rest} fell back for other reasons")
    if run.late and run.frames_by_plan:
        yield text_of(f"{run.late} results of frames that were sent again came twice, and were dropped")
    elif run.late:
        yield text_of(f"{run.late} results came after the source had answered, and were dropped")


def _how(run: Run) -> str:
    times = "pieces timed here" if run.retimed else "times of the profile"
    pace = units.format_seconds(run.interval_s)
    return f"{run.frames} frames, one every {pace}; {run.runtime}, {times}"


def became(run: Run) -> str:
    """Return what became of the frames."""
    parts = [f"{run.answered} answered", f"{run.failed} failed", f"{run.duplicated} answered twice"]
    if run.fallbacks:
        parts.append(f"{len(run.fallbacks)} fell back")
    same = f"{run.same_as_uncut} of {run.answered} as"
    if run.same_as_uncoded is None:
        return f"{', '.join(parts)}; {same} the uncut network"
    return f"{', '.join(parts)}; {same} its pieces here with the codecs, {run.same_as_uncoded} as the uncut network"


def run_rows(run: Run) -> Rows:
    """Return the terms of the latency with their errors, accuracy and exit rates."""
    cells: list[tuple[str, ...]] = []
    for name in ("mean", "p50", "p95", "p99"):
        predicted, measured = run.predicted.latency_s[name], run.measured.latency_s[name]
        if measured is not None or name == "mean":
            cells.append(_seconds(f"latency, {name}", predicted, measured))
    for place, stage in enumerate(run.stages):
        before = run.stages[place - 1].node if place else None
        cells += _stage(stage, before)
    cells.append(_shares("accuracy", run.predicted.accuracy, run.measured.accuracy))
    for block, rate in run.measured.exit_rate.items():
        cells.append(_shares(f"leave at {block}", run.predicted.exit_rate.get(block), rate))
    origin = "the same samples, replayed" if run.by_replay else "the formula"
    columns = (Column("", "left"), Column("predicted"), Column("measured"), Column("error"))
    return Rows(f"predicted ({origin}) and measured", columns, tuple(cells))


def move_rows(run: Run) -> Rows:
    """Return the changes of plan: when, to which, why, and what they took."""
    cells = [
        (
            units.format_seconds(each.at_s),
            str(each.after),
            each.why,
            units.format_seconds(each.deciding_s),
            units.format_seconds(each.switch_s),
            "" if each.gap_s is None else units.format_seconds(each.gap_s),
        )
        for each in run.moves
    ]
    columns = (
        Column("at"),
        Column("to", "left"),
        Column("why", "left"),
        Column("deciding"),
        Column("switch"),
        Column("gap"),
    )
    return Rows("moves", columns, tuple(cells))


def disturbance_rows(run: Run) -> Rows:
    """Return what was done to links and nodes while frames were sent, and when."""
    cells = [
        (
            units.format_seconds(each.at_s),
            each.what,
            each.value,
            "never" if each.done_s is None else units.format_seconds(each.done_s),
        )
        for each in run.disturbances
    ]
    columns = Column("at"), Column("what", "left"), Column("became", "left"), Column("done")
    return Rows("disturbances", columns, tuple(cells))


def hop_rows(run: Run) -> Rows:
    """Return where the time of the hop to each node goes, without its link."""
    parts = (
        ("tensors to bytes", "encode_s"),
        ("message to bytes", "serialise_s"),
        ("TCP, copies, wake-up", "wire_s"),
        ("gRPC beside", "rest_s"),
        ("bytes to message", "deserialise_s"),
        ("bytes to tensors", "decode_s"),
        ("until a worker has it", "queue_s"),
        ("all", "total_s"),
    )
    cells = [("message", *(units.format_bytes(hop.size) for hop in run.hops))]
    cells += [(words, *(units.format_seconds(getattr(hop, name)) for hop in run.hops)) for words, name in parts]
    columns = (Column("", "left"), *(Column(f"to {hop.to}") for hop in run.hops))
    return Rows("a hop without its link (medians)", columns, tuple(cells))


def _stage(stage: StageTimes, before: str | None) -> Iterator[tuple[str, ...]]:
    first, last = stage.blocks
    blocks = f"{first}" if first == last else f"{first}-{last}"
    way = "  to the first node" if before is None else f"  {before} > {stage.node}"
    way += f" ({stage.came_by})" if stage.came_by else ""
    yield _seconds(way, stage.predicted["send"], _sum(stage, "encode_before", "send", "queue", "decode"))
    if stage.codec is not None:
        yield _seconds(f"    of it {stage.codec}", stage.predicted["coding"], stage.coding_s)
    yield _seconds(f"  {stage.node} {blocks}", stage.predicted["compute"], stage.measured["compute"])
    if stage.measured["result"] is not None:
        yield _seconds(f"  {stage.node} > result", stage.predicted["result"], stage.measured["result"])


def _sum(stage: StageTimes, *steps: str) -> float | None:
    found = [stage.measured[step] for step in steps]
    return None if stage.measured["send"] is None else sum(each for each in found if each is not None)


def _seconds(name: str, predicted: float | None, measured: float | None) -> tuple[str, ...]:
    shown = tuple("-" if each is None else units.format_seconds(each) for each in (predicted, measured))
    if predicted is None or measured is None:
        return (name, *shown, "")
    return (name, *shown, f"{measured / predicted - 1:+.1%}" if predicted > 0 else "")


def _shares(name: str, predicted: float | None, measured: float | None) -> tuple[str, ...]:
    shown = share_text(predicted), share_text(measured)
    if predicted is None or measured is None:
        return (name, *shown, "")
    return (name, *shown, f"{100 * (measured - predicted):+.1f} points")
