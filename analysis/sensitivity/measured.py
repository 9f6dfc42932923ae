"""The tables of sensitivity from measured latencies: a CSV file with a row for each cut under each combination."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tiercut import documents
from tiercut.analysis.sensitivity.result import FEW_BEST, NONE, Condition, Sensitivity
from tiercut.errors import Fault, InputError

__all__ = ["SIZE_LIMIT", "measured_sensitivity"]

SIZE_LIMIT = 256 << 20
"""Most bytes that a file of measured latencies may have."""

_CUT, _LATENCY = "cut_layer", "latency_s"
_FIGURES = (_CUT, _LATENCY, "edge_s", "cloud_s")
"""Columns that are no condition."""

_MOST_FAULTS = 12


class _Row(NamedTuple):
    """A line of the file: where it stands, the values of the conditions, the cut, and its latency in seconds."""

    line: int
    levels: tuple[float, ...]
    cut: int
    latency_s: float


def measured_sensitivity(path: str | os.PathLike[str]) -> Sensitivity[int]:
    """Return how the best cut follows conditions, from measured latencies.

    Parameters
    ----------
    path
        A CSV file with the columns ``cut_layer`` and ``latency_s`` (seconds), perhaps ``edge_s`` and ``cloud_s``; every
        other column is a condition. The baseline has the greatest of what is called ``bandwidth...``, and the least of
        everything else. A combination may lack some cuts.

    Raises
    ------
    InputError
        If the file cannot be read, a value is no number, a cut is measured twice under one combination, or nothing was
        measured in the baseline.

    Examples
    --------
    >>> import tiercut
    >>> tables = tiercut.measured_sensitivity("alexnet.csv")
    >>> tables.static, tables.top[0], tables.influences[0]
    """
    source = os.fspath(path)
    names, rows = _read(documents.read_text(path, limit=SIZE_LIMIT), source)
    values = [_ordered(name, {row.levels[place] for row in rows}) for place, name in enumerate(names)]
    conditions = tuple(
        Condition(name, levels, tuple(f"{level:g}" for level in levels))
        for name, levels in zip(names, values, strict=True)
    )
    numbers = [{level: k for k, level in enumerate(levels)} for levels in values]
    found: dict[tuple[float, ...], list[_Row]] = {}
    for row in rows:
        found.setdefault(row.levels, []).append(row)
    base = tuple(levels[0] for levels in values)
    if base not in found:
        said = ", ".join(f"{name} {level:g}" for name, level in zip(names, base, strict=True))
        raise InputError(source, f"nothing was measured in the baseline: {said}")
    cuts = list(dict.fromkeys(row.cut for row in rows))
    place_of = {cut: place for place, cut in enumerate(cuts)}
    static = min(found[base], key=lambda row: row.latency_s).cut
    count = len(found)
    best, best_s = np.full((count, FEW_BEST), NONE, np.int32), np.full((count, FEW_BEST), np.nan)
    static_s = np.full(count, np.nan)
    for k, own in enumerate(found.values()):
        first = sorted(own, key=lambda row: row.latency_s)[:FEW_BEST]
        best[k, : len(first)] = [place_of[row.cut] for row in first]
        best_s[k, : len(first)] = [row.latency_s for row in first]
        static_s[k] = next((row.latency_s for row in own if row.cut == static), np.nan)
    levels = [[number[value] for number, value in zip(numbers, each, strict=True)] for each in found]
    return Sensitivity(
        title=os.path.basename(source),  # noqa: PTH119  # as the caller names it
        conditions=conditions,
        combinations=np.array(levels, np.int32).reshape(count, len(names)),
        choices=cuts,
        best=best,
        best_s=best_s,
        static_s=static_s,
        written=lambda cut: {"cut": cut},
        label=lambda cut: f"cut {cut}",
    )


def _ordered(name: str, levels: set[float]) -> tuple[float, ...]:
    """Return the levels of a condition from the best to the worst."""
    return tuple(sorted(levels, reverse=name.lower().startswith("bandwidth")))


def _read(text: str, source: str) -> tuple[tuple[str, ...], list[_Row]]:
    """Return the names of the conditions, and all rows."""
    lines = csv.reader(text.removeprefix("\ufeff").splitlines())
    head = [name.strip() for name in next(lines, [])]
    names = tuple(name for name in head if name not in _FIGURES)
    if missing := [name for name in (_CUT, _LATENCY) if name not in head]:
        raise InputError(source, f"the first line names the columns, and there is no '{missing[0]}' among them")
    if twice := [name for name in head if not name or head.count(name) > 1]:
        wrong = f"names '{twice[0]}' twice" if twice[0] else "leaves a column without a name"
        raise InputError(source, f"the first line names the columns, and {wrong}")
    if not names:
        raise InputError(source, f"there is no condition: every column is one of {', '.join(_FIGURES)}")
    rows, faults = list[_Row](), list[Fault]()
    seen: dict[tuple[tuple[float, ...], int], int] = {}
    for number, cells in enumerate(lines, 2):
        if not cells:
            continue
        row = _row(number, head, cells, faults)
        if row is not None:
            before = seen.setdefault((row.levels, row.cut), number)
            if before != number:
                said = f"cut {row.cut} stands under this combination in line {before} already"
                faults.append(Fault(said, _CUT, number))
            rows.append(row)
        if len(faults) >= _MOST_FAULTS:
            break
    if faults:
        raise InputError(source, faults)
    if not rows:
        raise InputError(source, "there is no measurement in it")
    return names, rows


def _row(line: int, head: Sequence[str], cells: Sequence[str], faults: list[Fault]) -> _Row | None:
    """Return what a line holds, or None and say what is wrong."""
    if len(cells) != len(head):
        faults.append(Fault(f"expected {len(head)} values, as the first line names, got {len(cells)}", "", line))
        return None
    wrong = list(_faults(line, head, cells))
    if wrong:
        faults += wrong
        return None
    values = {name: float(cell) for name, cell in zip(head, cells, strict=True) if name in (_CUT, _LATENCY)}
    levels = tuple(float(cell) for name, cell in zip(head, cells, strict=True) if name not in _FIGURES)
    return _Row(line, levels, int(values[_CUT]), values[_LATENCY])


def _faults(line: int, head: Sequence[str], cells: Sequence[str]) -> Iterator[Fault]:
    for name, cell in zip(head, cells, strict=True):
        if name in _FIGURES and name not in (_CUT, _LATENCY):
            continue
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            yield Fault(f"expected a number, got '{cell.strip()}'", name, line)
        elif name == _CUT and (value < 0 or value != int(value)):
            yield Fault(f"expected the number of a layer, got '{cell.strip()}'", name, line)
        elif name == _LATENCY and value <= 0:
            yield Fault(f"expected seconds, greater than 0, got '{cell.strip()}'", name, line)
