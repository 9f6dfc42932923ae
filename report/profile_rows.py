"""What a profile holds, as tables: the network, its blocks on each device, its exits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercut import units
from tiercut.report.rows import Column, Rows, share_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiercut.profiling import Device, Exits, Profile

__all__ = ["profile_rows"]


def profile_rows(profile: Profile) -> Iterator[Rows]:
    """Yield the tables of a profile: the network, its blocks on each device, its exits."""
    yield _network(profile)
    yield _blocks(profile)
    if profile.exits is not None:
        yield _exits(profile.exits)


def _network(profile: Profile) -> Rows:
    facts = {
        "blocks": str(profile.block_count),
        "input": units.format_bytes(profile.input_bytes),
        "result": units.format_bytes(profile.result_bytes),
        "samples": "" if profile.samples is None else f"{profile.samples:,}",
        "accuracy": "" if profile.accuracy is None else share_text(profile.accuracy),
        "origin": profile.origin,
    }
    for name, device in profile.devices.items():
        facts[f"device {name}"] = ", ".join(part for part in _device_parts(device) if part)
    cells = tuple((key, text) for key, text in facts.items() if text)
    return Rows(profile.name, (Column("", "left"), Column("", "left", fold=True)), cells)


def _device_parts(device: Device) -> Iterator[str]:
    yield device.description
    yield device.framework
    yield f"{device.statistic} of {device.runs} runs" if device.runs else device.statistic
    if device.span_s is not None:
        yield "with spans"
    if device.whole_model_s is not None:
        yield f"whole model {units.format_seconds(device.whole_model_s)}"
    if device.benchmark_s is not None:
        yield f"benchmarked in {units.format_seconds(device.benchmark_s)}"


def _blocks(profile: Profile) -> Rows:
    """Return a row for each block: its output, what was recorded of its branch, and its times on each device."""
    sizes = ["-" if each.output_bytes is None else units.format_bytes(each.output_bytes) for each in profile.blocks]
    columns: list[tuple[Column, list[str]]] = [
        (Column("#"), [str(place + 1) for place in range(profile.block_count)]),
        (Column("block", "left"), [block.name for block in profile.blocks]),
        (Column("output"), sizes),
    ]
    if profile.exits is not None:
        columns += [(Column(name), texts) for name, texts in _of_branches(profile.exits).items()]
    for name, device in profile.devices.items():
        times = device.block_s or [spans[0] for spans in device.span_s or ()]
        heading = name if device.block_s else f"{name} (one span)"
        columns.append((Column(heading), [units.format_seconds(each) for each in times]))
        if device.branch_s is not None:
            columns.append((Column("branch"), [_seconds(each) for each in device.branch_s]))
    cells = tuple(zip(*(texts for _, texts in columns), strict=True))
    return Rows("blocks", tuple(column for column, _ in columns), cells)


def _of_branches(exits: Exits) -> dict[str, list[str]]:
    """Return the columns of what was recorded of every branch."""
    columns = {"accuracy": [share_text(each) for each in exits.accuracy]}
    shares = {"alone": exits.accuracy_separate, "ECE": exits.calibration_error}
    columns |= {name: [share_text(each) for each in each_of] for name, each_of in shares.items() if each_of is not None}
    if exits.temperature is not None:
        columns["temperature"] = ["-" if each is None else f"{each:.2f}" for each in exits.temperature]
    return columns


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else units.format_seconds(seconds)


def _exits(exits: Exits) -> Rows:
    rates, title = exits.exit_rate, "samples that leave at each branch, every branch present"
    if rates is None:
        rates, title = exits.exit_rate_alone or [], "samples that leave at each branch, evaluated alone"
    columns = (Column("threshold"), *(Column(str(place + 1)) for place in range(len(exits.accuracy))))
    digits = units.distinct_digits(exits.thresholds)
    cells = tuple(
        (f"{threshold:.{digits}g}", *("·" if rate == 0 else f"{rate:.1%}" for rate in row))
        for threshold, row in zip(exits.thresholds, rates, strict=True)
    )
    return Rows(title, columns, cells)
