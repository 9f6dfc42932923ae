"""Tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from tiercut import units
from tiercut.optimizer import format_amount
from tiercut.report.rows import plan_rows, share_text, stage_rows, step_rows
from tiercut.report.safe_table import SafeTable, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiercut.analysis import Answer, Explanation
    from tiercut.optimizer import Plan
    from tiercut.profiling import Device, Exits, Profile
    from tiercut.report.rows import Rows

__all__ = [
    "answer_parts",
    "covered_line",
    "headline",
    "idle_line",
    "plans_table",
    "profile_tables",
    "remarks",
    "stages_table",
    "table_from",
    "table_of",
    "waterfall_table",
]

_BAR = 24


def answer_parts(answer: Answer) -> Iterator[Text | Table]:
    """Yield what the terminal shows of an answer: a headline, its plans, and what is said of them."""
    yield headline(answer)
    if not answer.plans:
        yield text_of(answer.message)
        return
    yield plans_table(answer)
    if answer.replayed is not None:
        return
    for line in (idle_line(answer), covered_line(answer)):
        if line is not None:
            yield line
    if answer.query.kind == "solve":
        yield stages_table(answer.best)


def remarks(answer: Answer) -> Iterator[str]:
    """Yield what is to be said beside the plans of an answer: what is proved, and what is not."""
    if answer.replayed is not None and answer.plans:
        yield answer.replayed.guarantee
    yield from answer.notes
    if answer.plans and answer.replayed is None and answer.outcome.status == "feasible":
        yield (
            f"warning: {answer.outcome.reason}; this is the best found so far, and nothing proves it the best of all"
        )


def headline(answer: Answer) -> Text:
    """Return one line that says what was asked, how large it is, and who answers."""
    problem, outcome = answer.space.problem, answer.outcome
    size = f"{problem.block_count} blocks on {problem.node_count} nodes"
    thresholds = f", {len(problem.thresholds)} thresholds" if problem.has_exits else ""
    work = f"{units.format_count(answer.space.decisions)} decisions"
    why = f" ({answer.why})" if answer.why else ""
    how = f", {answer.space.estimator} estimates" if problem.has_exits and answer.space.exits != "final" else ""
    return Text.assemble(
        (f"{problem.profile} on {problem.topology}", "bold"),
        f": {size}{thresholds}, {work}{how}; {outcome.solver}{why} {outcome.status} in "
        f"{units.format_seconds(outcome.seconds)}",
    )


def plans_table(answer: Answer) -> Table:
    """Return a row for each plan: its measures, then where each piece runs."""
    return table_from(plan_rows(answer))


def table_from(rows: Rows) -> Table:
    """Return rows as a table for the terminal."""
    table = _headed(rows)
    for row in rows.cells:
        table.add_row(*map(text_of, row))
    return table


def _headed(rows: Rows) -> SafeTable:
    table = table_of(rows.title)
    for column in rows.columns:
        layout: dict[str, Any] = {"justify": column.side, "overflow": "fold"}
        if column.spare is not None:
            table.add_spare_column(column.spare, column.heading, **layout)
        elif column.fold:
            table.add_breaking_column(column.heading, **layout)
        else:
            table.add_column(column.heading, **layout)
    return table


def idle_line(answer: Answer) -> Text | None:
    """Return one line that says what brackets around stages mean; None where there are none."""
    idle = sum(bool(plan.idle_stages) for plan in answer.plans)
    if not idle:
        return None
    only = "this plan has" if len(answer) == 1 else f"{idle} of {len(answer)} plans {'has' if idle == 1 else 'have'}"
    return Text(f"[in brackets]: {only} a part that no sample gets to, because all have left before it")


def covered_line(answer: Answer) -> Text | None:
    """Return one line about the hypervolume of a frontier over measures that were named; None for other answers."""
    covered = answer.hypervolume() if answer.query.over else None
    if covered is None:
        return None
    point = ", ".join(f"{name} {_amount(value, name)}" for name, value in covered.reference.items())
    return Text.assemble(
        ("hypervolume", "bold"),
        f": {covered.value:.6g}, {covered.share:.2%} of the box from the best of each to the reference point ({point})",
    )


def _amount(value: float, name: str) -> str:
    return share_text(value) if name == "accuracy" else format_amount(value, name)


def stages_table(plan: Plan) -> Table:
    """Return a row for each partition of a plan; the title has the seconds before the first."""
    return table_from(stage_rows(plan))


def waterfall_table(explanation: Explanation) -> Table:
    """Return a row for each addend of a plan's latency, with a bar from where it begins to where it ends."""
    rows, whole = step_rows(explanation), explanation.plan.latency_s
    table = _headed(rows)
    table.add_spare_column(0, min_width=_BAR, no_wrap=True)
    for cells, step in zip(rows.cells, explanation.steps, strict=True):
        table.add_row(*map(Text, cells), _bar(step.begins_s, step.total_s, whole))
    return table


def _bar(begins: float, ends: float, whole: float) -> str:
    left, right = (round(_BAR * each / whole) for each in (begins, ends))
    return " " * left + ("█" * (right - left) or "▏")


def profile_tables(profile: Profile) -> Iterator[Table]:
    """Yield what a profile holds: the network, its blocks on each device, its exits."""
    yield _network(profile)
    yield _blocks(profile)
    if profile.exits is not None:
        yield _exits(profile.exits)


def _network(profile: Profile) -> Table:
    table = table_of(profile.name)
    table.add_column("")
    table.add_column("", overflow="fold")
    table.show_header = False
    rows = {
        "blocks": str(profile.block_count),
        "input": units.format_bytes(profile.input_bytes),
        "result": units.format_bytes(profile.result_bytes),
        "samples": "" if profile.samples is None else f"{profile.samples:,}",
        "accuracy": "" if profile.accuracy is None else share_text(profile.accuracy),
        "origin": profile.origin,
    }
    for name, device in profile.devices.items():
        rows[f"device {name}"] = ", ".join(part for part in _device_parts(device) if part)
    for key, text in rows.items():
        if text:
            table.add_row(key, text)
    return table


def _device_parts(device: Device) -> Iterator[str]:
    yield device.description
    yield device.framework
    yield f"{device.statistic} of {device.runs} runs" if device.runs else device.statistic
    if device.span_s is not None:
        yield "with spans"
    if device.whole_model_s is not None:
        yield f"whole model {units.format_seconds(device.whole_model_s)}"


def _of_branches(exits: Exits) -> dict[str, list[str]]:
    """Return the columns of what was recorded of every branch."""
    columns = {"accuracy": [share_text(each) for each in exits.accuracy]}
    shares = {"alone": exits.accuracy_separate, "ECE": exits.calibration_error}
    columns |= {name: [share_text(each) for each in each_of] for name, each_of in shares.items() if each_of is not None}
    if exits.temperature is not None:
        columns["temperature"] = ["-" if each is None else f"{each:.2f}" for each in exits.temperature]
    return columns


def _blocks(profile: Profile) -> Table:
    table = table_of("blocks")
    table.add_column("#", justify="right")
    table.add_column("block")
    table.add_column("output", justify="right")
    recorded = {} if profile.exits is None else _of_branches(profile.exits)
    for name in recorded:
        table.add_column(name, justify="right")
    for name, device in profile.devices.items():
        table.add_column(f"{name}" if device.block_s else f"{name} (one span)", justify="right")
        if device.branch_s is not None:
            table.add_column("branch", justify="right")
    for index, block in enumerate(profile.blocks):
        size = "-" if block.output_bytes is None else units.format_bytes(block.output_bytes)
        row = [str(index + 1), block.name, size]
        row += [texts[index] for texts in recorded.values()]
        for device in profile.devices.values():
            times = device.block_s or [spans[0] for spans in device.span_s or ()]
            row.append(units.format_seconds(times[index]))
            if device.branch_s is not None:
                row.append(_seconds(device.branch_s[index]))
        table.add_row(*row)
    return table


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else units.format_seconds(seconds)


def _exits(exits: Exits) -> Table:
    rates, title = exits.exit_rate, "samples that leave at each branch, every branch present"
    if rates is None:
        rates, title = exits.exit_rate_alone or [], "samples that leave at each branch, asked by itself"
    table = table_of(title)
    table.add_column("threshold", justify="right")
    for index in range(len(exits.accuracy)):
        table.add_column(str(index + 1), justify="right")
    digits = units.distinct_digits(exits.thresholds)
    for threshold, row in zip(exits.thresholds, rates, strict=True):
        table.add_row(f"{threshold:.{digits}g}", *("·" if rate == 0 else f"{rate:.1%}" for rate in row))
    return table


def table_of(title: str) -> SafeTable:
    """Return an empty table as all of them look."""
    return SafeTable(title=title)
