"""The grid file ``tiercut.grid/1``: levels of conditions, of which every combination is looked at."""

from __future__ import annotations

import os
from collections.abc import Iterable
from math import prod
from typing import Any, Literal

from pydantic import Field

from tiercut import documents, units
from tiercut.analysis.sensitivity.result import Condition
from tiercut.documents import Document, Key
from tiercut.optimizer import DOWN, level_of, name_of

__all__ = ["FORMAT", "MOST_COMBINATIONS", "GridFile", "grid_of", "load_grid"]

FORMAT: Literal["tiercut.grid/1"] = "tiercut.grid/1"
SIZE_LIMIT = 1 << 20
"""Most bytes that a grid file may have."""

MOST_COMBINATIONS = 1_000_000
"""Most combinations of a grid: each is a question that is answered exactly."""


class GridFile(Document):
    """Conditions by name, each with the levels that it takes."""

    format: Literal["tiercut.grid/1"] = Field(description="the kind and version of this document")
    conditions: dict[str, list[Any]] = Field(
        min_length=1, description="such as bandwidth(a-b): [10 Mb/s, 25 Mb/s], slowdown(edge): [1, 4] or down: [cloud]"
    )

    def faults(self) -> Iterable[tuple[Key, str]]:
        """Yield names that are no condition, levels that cannot be read, levels that stand twice, and a size."""
        before = set[str]()
        for text, levels in self.conditions.items():
            try:
                name = name_of(text)
            except ValueError as error:
                yield ("conditions", text), str(error)
                continue
            if str(name) in before:
                yield ("conditions", text), f"{name} stands here twice"
            before.add(str(name))
            if name.kind == DOWN and name.place:
                yield ("conditions", text), "write down: [NODE, ...], each of which is down or not"
                continue
            if not levels:
                yield ("conditions", text), "expected at least one level"
            yield from self._level_faults(text, name.kind, levels)
        if (count := self.combinations) > MOST_COMBINATIONS:
            yield (
                ("conditions",),
                f"the grid has {count:,} combinations; at most {MOST_COMBINATIONS:,} can be looked at",
            )

    @staticmethod
    def _level_faults(text: str, kind: str, levels: list[Any]) -> Iterable[tuple[Key, str]]:
        seen = list[object]()
        for place, value in enumerate(levels):
            try:
                level = _level(kind, value)
            except ValueError as error:
                yield ("conditions", text, place), str(error)
                continue
            if level in seen:
                yield ("conditions", text, place), f"the level {value} stands here twice"
            seen.append(level)

    @property
    def combinations(self) -> int:
        """How many combinations there are."""
        return prod(len(levels) + (text.strip() == DOWN) for text, levels in self.conditions.items())

    def ordered(self) -> tuple[Condition, ...]:
        """Return the conditions with their levels from the best, the baseline, to the worst."""
        found = []
        for text, values in self.conditions.items():
            name = name_of(text)
            if name.kind == DOWN:
                levels: tuple[Any, ...] = (None, *values)
            else:
                levels = tuple(sorted((_level(name.kind, each) for each in values), reverse=name.kind == "bandwidth"))
            found.append(Condition(str(name), levels, tuple(_shown(name.kind, level) for level in levels)))
        return tuple(found)


def _level(kind: str, value: Any) -> Any:
    """Return a level of a file, in which quantities have units."""
    if kind == DOWN:
        if not isinstance(value, str):
            raise ValueError(f"expected the name of a node, got {value!r}")
        return value
    if kind != "slowdown" and not isinstance(value, str):
        raise ValueError(f"expected text with its unit, got the bare value {value!r}")
    return level_of(kind, value)


def _shown(kind: str, level: Any) -> str:
    if kind == DOWN:
        return "none" if level is None else str(level)
    if kind == "bandwidth":
        return units.format_bandwidth(level)
    if kind == "latency":
        return units.format_seconds(level)
    return f"{level:g}" if kind == "slowdown" else f"{100 * level:g} %"


def load_grid(path: str | os.PathLike[str]) -> GridFile:
    """Read a grid.

    Raises
    ------
    InputError
        If the file cannot be read or anything in it is wrong; each fault with line, column and key.
    """
    return documents.load(path, GridFile, format_=FORMAT, limit=SIZE_LIMIT)


def grid_of(grid: GridFile | str | os.PathLike[str] | dict[str, list[Any]]) -> GridFile:
    """Return a grid as it is, read from a file, or made of conditions with their levels.

    Raises
    ------
    InputError
        If anything in it is wrong.
    """
    if isinstance(grid, GridFile):
        return grid
    if isinstance(grid, dict):
        data = {"format": FORMAT, "conditions": {name: list(levels) for name, levels in grid.items()}}
        return documents.validate(data, GridFile, format_=FORMAT, source="the grid")
    return load_grid(grid)
