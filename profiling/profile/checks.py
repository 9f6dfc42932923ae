"""What a profile must keep between its keys, and what is legal in it but doubtful."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tiercut.documents import Key
from tiercut.errors import TiercutWarning, unknown_name

if TYPE_CHECKING:
    from tiercut.profiling.profile.schema import Codec, Device, Exits, Profile

__all__ = ["SUM_TOLERANCE", "profile_doubts", "profile_faults"]

SUM_TOLERANCE = 1e-6
"""How far from 1 a row of exit rates may sum."""

_PER_BLOCK = tuple(f"{part}{kind}_s" for part in ("block", "branch") for kind in ("", "_mean", "_p50", "_p99", "_iqr"))


def profile_faults(profile: Profile) -> Iterator[tuple[Key, str]]:
    """Yield the key and a message for everything that is wrong between the keys of a profile."""
    count = profile.block_count
    for index, block in enumerate(profile.blocks[:-1]):
        if block.output_bytes is None:
            yield ("blocks", index, "output_bytes"), "only the last block's output may be null: every other may be sent"
    if profile.reference is not None and profile.reference not in profile.devices:
        yield ("reference",), unknown_name("device", profile.reference, profile.devices)
    for name, device in profile.devices.items():
        yield from _device_faults(("devices", name), device, count)
    for name, codec in profile.codecs.items():
        yield from _codec_faults(("codecs", name), codec, count, profile)
    if profile.exits is not None:
        yield from _exit_faults(profile.exits, count)
    for field in ("samples_file", "test_samples_file"):
        if (named := getattr(profile, field)) is not None and not _is_name(named):
            yield (field,), f"expected the name of a file beside the profile, without a folder, got {named[:80]!r}"


def _is_name(named: str) -> bool:
    """Return whether a text can only name a file in the folder where it is looked for, on any system."""
    return named not in {"", ".", ".."} and not set(named) & set("/\\:\0")


def _device_faults(key: Key, device: Device, count: int) -> Iterator[tuple[Key, str]]:
    if device.block_s is None and device.span_s is None:
        yield key, "the device has no times; give 'block_s' (and 'branch_s') or 'span_s'"
    for field in _PER_BLOCK:
        yield from _length((*key, field), getattr(device, field), (count,), "blocks")
    for kind, curve in device.stress_curve.items():
        own = (*key, "stress_curve", kind)
        if len(curve.factor) != len(curve.levels):
            said = f"expected {len(curve.levels)} factors, one for each level, got {len(curve.factor)}"
            yield (*own, "factor"), said
        if any(low >= high for low, high in pairwise(curve.levels)):
            yield (*own, "levels"), "each level must be greater than the one before"
    for field in ("encode_s", "decode_s"):
        yield from _length((*key, field), getattr(device, field), (count + 1, count), "input and blocks")
    if device.span_s is not None:
        yield from _length((*key, "span_s"), device.span_s, (count,), "blocks")
        for first, row in enumerate(device.span_s[:count]):
            yield from _length((*key, "span_s", first), row, (count - first,), f"spans from block {first + 1} on")


def _codec_faults(key: Key, codec: Codec, count: int, profile: Profile) -> Iterator[tuple[Key, str]]:
    for field in ("bytes", "bytes_p99", "accuracy_drop", "agreement"):
        yield from _length((*key, field), getattr(codec, field), (count + 1, count), "input and blocks")
    for field in ("encode_s", "decode_s"):
        for device, times in getattr(codec, field).items():
            if device not in profile.devices:
                yield (*key, field, device), unknown_name("device", device, profile.devices)
            yield from _length((*key, field, device), times, (count + 1, count), "input and blocks")


def _length(key: Key, values: Sequence[Any] | None, allowed: tuple[int, ...], what: str) -> Iterator[tuple[Key, str]]:
    if values is not None and len(values) not in allowed:
        wanted = " or ".join(str(each) for each in allowed)
        yield key, f"expected {wanted} values, one for each of the {what}, got {len(values)}"


def _exit_faults(exits: Exits, count: int) -> Iterator[tuple[Key, str]]:
    for index, (before, after) in enumerate(pairwise(exits.thresholds)):
        if after <= before:
            yield ("exits", "thresholds", index + 1), f"thresholds must rise, but {after} follows {before}"
    if exits.exit_rate is None and exits.exit_rate_alone is None:
        yield ("exits",), "give 'exit_rate' (every branch present) or 'exit_rate_alone' (each branch by itself)"
    for field in ("exit_rate", "exit_rate_alone", "hit_rate_alone"):
        yield from _table(("exits", field), getattr(exits, field), len(exits.thresholds), count)
        yield from _rates_without_branch(("exits", field), getattr(exits, field), exits.accuracy)
    for index, row in enumerate(exits.exit_rate or ()):
        if len(row) == count and abs(sum(row) - 1) > SUM_TOLERANCE:
            yield (
                ("exits", "exit_rate", index),
                f"the rates of one threshold must sum to 1, these sum to {sum(row):.9g}",
            )
    for field in ("accuracy", "accuracy_separate", "calibration_error", "temperature"):
        yield from _length(("exits", field), getattr(exits, field), (count,), "branches")
    if exits.accuracy and exits.accuracy[-1] is None:
        yield (
            ("exits", "accuracy", len(exits.accuracy) - 1),
            "the last branch is the backbone's own and has an accuracy",
        )


def _rates_without_branch(
    key: Key, rows: list[list[float]] | None, accuracy: list[float | None]
) -> Iterator[tuple[Key, str]]:
    """Yield where samples leave by a branch that is not there; the model would count them as gone."""
    for index, row in enumerate(rows or ()):
        for block, (rate, right) in enumerate(zip(row, accuracy, strict=False)):
            if right is None and rate > 0:
                yield (*key, index, block), f"block {block + 1} has no branch (its accuracy is null), so this must be 0"
                break


def _table(key: Key, rows: list[list[float]] | None, height: int, width: int) -> Iterator[tuple[Key, str]]:
    yield from _length(key, rows, (height,), "thresholds")
    for index, row in enumerate(rows or ()):
        yield from _length((*key, index), row, (width,), "branches")


def profile_doubts(profile: Profile) -> Iterable[TiercutWarning]:
    """Yield a warning with its remedy for everything that is legal in a profile but doubtful."""
    zeros = {name: _zeros(device.block_s or ()) for name, device in profile.devices.items()}
    if found := [f"block {_numbers(blocks)} on '{name}'" for name, blocks in zeros.items() if blocks]:
        yield TiercutWarning(
            f"{profile.name}: there are times of exactly 0: {_few(found)}",
            "time them again with more runs, unless the blocks really do nothing",
        )
    if profile.exits is not None:
        yield from _exit_doubts(profile.name, profile.exits)


def _exit_doubts(name: str, exits: Exits) -> Iterator[TiercutWarning]:
    if exits.exit_rate is not None:
        return
    with_branch = [index for index, accuracy in enumerate(exits.accuracy) if accuracy is not None]
    falling = {
        after + 1
        for row in exits.exit_rate_alone or ()
        for before, after in pairwise(with_branch)
        if row[after] < row[before]
    }
    if falling:
        yield TiercutWarning(
            f"{name}: the exit rate falls with depth at branch {_numbers(sorted(falling))}, though evaluated alone a "
            "deeper branch should let more samples go",
            "train those branches longer or record more samples; the largest rate so far is used instead",
        )


def _zeros(seconds: Sequence[float]) -> list[int]:
    """Return the 1-based places of zeros."""
    return [place for place, each in enumerate(seconds, 1) if each == 0]


def _few(texts: Sequence[str], most: int = 4) -> str:
    """Return the first texts, and how many more there are."""
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")


def _numbers(numbers: Sequence[int], most: int = 8) -> str:
    shown = ", ".join(str(each) for each in numbers[:most])
    return f"{shown}" + (f" and {len(numbers) - most} more" if len(numbers) > most else "")
