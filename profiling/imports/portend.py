"""Measurements of PORTEND, the authors' own implementation of the joint model, as profiles.

Source: Ebrahimi et al., PORTEND: A Joint Performance Model for Partitioned Early-Exiting DNNs (ICPADS 2023). A folder
holds one folder for each machine, with a file of times for each network and one of the sizes and times of what is
sent, and beside them the folder ``accuracy_exitrate``. Times are in milliseconds; the model takes the largest of the
means that were recorded, and so does this.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiercut.documents import parse_json, read_bytes, read_text
from tiercut.errors import InputError
from tiercut.profiling.imports.pickled import read_pickled
from tiercut.profiling.profile.schema import FORMAT, Profile

__all__ = ["read_portend"]

SIZE_LIMIT = 32 << 20
"""Most bytes of a file: the times of 55 blocks have 100 kB."""

_TIMES = re.compile(r"profiling_partition_([^_]+)_([^_.]+)\.txt")
_SENT = "profiling_pickle.pkl"
_EXITS = "accuracy_exitrate/profiling_exitrate_accuracy_partitionwise_model[{}]_dataset[{}]_validation.txt"
_COLUMNS = ("partition_start", "partition_end", "latency_partition")
_MOST_BLOCKS = 1000


@dataclass(frozen=True, slots=True)
class _Sent:
    """What is sent at each cut, from the input on: bytes, and milliseconds to write and to read it."""

    sizes: list[float]
    encode_ms: list[float]
    decode_ms: list[float]


def read_portend(folder: str | os.PathLike[str]) -> list[Profile]:
    """Return a profile for each network of a folder of PORTEND's profiling results, with every machine that has it.

    Sizes are those of the pickled tensors, which is what PORTEND sends. The exits are those of the validation split.

    Parameters
    ----------
    folder
        What PORTEND calls ``aws_profiling_results``.

    Raises
    ------
    InputError
        If it holds no times, or anything in one of its files is wrong; the message names the file.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(os.fspath(folder), "there is no such folder")
    found: dict[tuple[str, str], dict[str, Path]] = {}
    for path in sorted(root.glob("*/profiling_partition_*.txt")):
        if named := _TIMES.fullmatch(path.name):
            found.setdefault((named[1], named[2]), {})[path.parent.name] = path
    if not found:
        raise InputError(
            os.fspath(folder), "holds no MACHINE/profiling_partition_MODEL_DATASET.txt, as PORTEND names them"
        )
    return [_profile(root, *network, machines) for network, machines in found.items()]


def _profile(root: Path, model: str, dataset: str, machines: Mapping[str, Path]) -> Profile:
    spans = {machine: _spans(path) for machine, path in machines.items()}
    first, count = next((machine, len(rows)) for machine, rows in spans.items())
    for machine, rows in spans.items():
        if len(rows) != count:
            said = f"has {len(rows)} blocks, {machines[first]} {count}; they do not belong together"
            raise InputError(os.fspath(machines[machine]), said)
    sent = {machine: _sent(path.with_name(_SENT), model, count) for machine, path in machines.items()}
    data: dict[str, Any] = {
        "format": FORMAT,
        "model": model,
        "dataset": dataset,
        "origin": f"imported from profiling results of PORTEND: {', '.join(machines)}",
        "input_bytes": sent[first].sizes[0],
        "blocks": [
            {"name": f"block {place + 1}", "output_bytes": size} for place, size in enumerate(sent[first].sizes[1:])
        ]
        + [{"name": f"block {count}", "output_bytes": None}],
        "devices": {
            machine: {
                "statistic": "largest of the recorded means",
                "span_s": rows,
                "encode_s": [each / 1000 for each in sent[machine].encode_ms],
                "decode_s": [each / 1000 for each in sent[machine].decode_ms],
            }
            for machine, rows in spans.items()
        },
    }
    path = root / _EXITS.format(model, dataset)
    if path.exists():
        data |= _exits(path, count)
    return Profile.from_data(data, source=f"{root}: {model} on {dataset}")


def _spans(path: Path) -> list[list[float]]:
    """Return the seconds of blocks i..j, row i from j = i on; the file is JSON in a JSON text."""
    source = os.fspath(path)
    table = parse_json(read_text(path, limit=SIZE_LIMIT), source)
    table = parse_json(table, source) if isinstance(table, str) else table
    if not isinstance(table, dict) or not all(isinstance(table.get(name), dict) for name in _COLUMNS):
        raise InputError(source, f"expected a table with the columns {', '.join(_COLUMNS)}")
    starts, ends, times = (table[name] for name in _COLUMNS)
    try:
        timed = {(int(starts[row]), int(ends[row])): max(map(_amount, times[row])) / 1000 for row in starts}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(source, f"a row of the table is broken: {error}") from None
    count = max((end for _, end in timed), default=0)
    if not 0 < count <= _MOST_BLOCKS:
        raise InputError(source, f"has times of {count} blocks")
    lacks = next(((i, j) for i in range(1, count + 1) for j in range(i, count + 1) if (i, j) not in timed), None)
    if lacks is not None:
        raise InputError(source, f"has no time of blocks {lacks[0]} to {lacks[1]}")
    return [[timed[i, j] for j in range(i, count + 1)] for i in range(1, count + 1)]


def _sent(path: Path, model: str, count: int) -> _Sent:
    source = os.fspath(path)
    rows = _mapping(_unpickled(path), source).get(model)
    try:
        table = {int(_amount(row[0])): [_amount(each) for each in row[1:4]] for row in _rows(rows)}
        columns = [[table[place][column] for place in range(count)] for column in range(3)]
    except (KeyError, IndexError, TypeError, ValueError):
        row = "place, bytes, milliseconds to dump and to load"
        said = f"expected {count} rows of '{model}', one for the input and each cut: {row}"
        raise InputError(source, said) from None
    return _Sent(*columns)


def _exits(path: Path, count: int) -> dict[str, Any]:
    """Return what a profile holds of exits, from how many leave at each branch and how many of them are right."""
    source = os.fspath(path)
    table = _mapping(_unpickled(path), source)
    try:
        branches = [_counts(table[f"[1, {block}]"]) for block in range(1, count + 1)]
        thresholds = sorted(branches[0])
        samples = branches[0][1.0][0]
        accuracy = [branch[1.0][1] / branch[1.0][0] for branch in branches]
        rates = [[[branch[each][which] / samples for branch in branches] for each in thresholds] for which in (0, 1)]
    except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError):
        said = "how many samples leave and how many of them are right"
        raise InputError(source, f"expected, for each branch '[1, N]' and threshold up to 1, {said}") from None
    exits = {"thresholds": thresholds, "exit_rate_alone": rates[0], "hit_rate_alone": rates[1], "accuracy": accuracy}
    return {"samples": int(samples), "exits": exits}


def _counts(branch: object) -> dict[float, tuple[float, float]]:
    if not isinstance(branch, dict):
        raise TypeError("no dictionary")
    return {_amount(threshold): (_amount(pair[0]), _amount(pair[1])) for threshold, pair in branch.items()}


def _unpickled(path: Path) -> object:
    try:
        return read_pickled(read_bytes(path, limit=SIZE_LIMIT), keys=(str, int, float))
    except ValueError as error:
        raise InputError(os.fspath(path), str(error)) from None


def _mapping(value: object, source: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise InputError(source, "expected a dictionary")
    return value


def _rows(value: object) -> Iterator[list[object]]:
    if not isinstance(value, list) or not all(isinstance(each, list) for each in value):
        raise TypeError("no list of lists")
    yield from value


def _amount(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError("no amount")
    return float(value)
