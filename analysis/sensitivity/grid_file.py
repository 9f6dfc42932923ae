"""The grid file ``tiercut.grid/1``: levels of conditions, of which every combination is looked at."""

from __future__ import annotations

import os
from collections.abc import Iterable
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from tiercut import documents, units
from tiercut.analysis.sensitivity.result import Condition
from tiercut.documents import Document, Key
from tiercut.optimizer import DOWN, ConditionName, level_of, name_of

__all__ = ["FORMAT", "MOST_COMBINATIONS", "GridFile", "Levelled", "grid_of", "load_grid"]

FORMAT: Literal["tiercut.grid/1"] = "tiercut.grid/1"
SIZE_LIMIT = 1 << 20
"""Most bytes that a grid file may have."""

MOST_COMBINATIONS = 1_000_000
"""Most combinations of a grid: each is a question that is answered exactly."""

MOST_LEVELS = 10_000_000
"""Most levels of one condition that a range may stand for."""

_RANGE = (
    "expected a list of levels, or a range such as {from: 1 Mb/s, to: 100 Mb/s, count: 100, spacing: even or ratio}"
)


def _listed(value: Any) -> Any:
    if not isinstance(value, list | dict):
        raise ValueError(_RANGE)
    return value


if TYPE_CHECKING:
    from typing import TypeAlias

    _Levels: TypeAlias = Any
else:
    _Levels = Annotated[Any, BeforeValidator(_listed), WithJsonSchema({"type": ["array", "object"]})]


class Levelled(Document):
    """Conditions by name with the levels that each takes: what grids and sweeps share."""

    MOST: ClassVar[int] = MOST_COMBINATIONS

    conditions: dict[str, _Levels] = Field(
        default={}, description="such as bandwidth(a-b): [10 Mb/s, 25 Mb/s], slowdown(edge): [1, 4] or down: [cloud]"
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
                yield ("conditions", text), "write down: [NODE, a-b, ...], each of which is down or not"
                continue
            yield from self._level_faults(text, name.kind, levels)
        if (count := self.combinations) > self.MOST:
            yield ("conditions",), f"{self._what} {count:,} combinations; at most {self.MOST:,} can be looked at"

    _what: ClassVar[str] = "the grid has"

    @staticmethod
    def _level_faults(text: str, kind: str, levels: Any) -> Iterable[tuple[Key, str]]:
        if isinstance(levels, dict):
            try:
                _range_of(kind, levels)
            except ValueError as error:
                yield ("conditions", text), str(error)
            return
        if not levels:
            yield ("conditions", text), "expected at least one level"
        seen = set[object]()
        for place, value in enumerate(levels):
            try:
                level = _level(kind, value)
            except ValueError as error:
                yield ("conditions", text, place), str(error)
                continue
            if level in seen:
                yield ("conditions", text, place), f"the level {value} stands here twice"
            seen.add(level)

    @property
    def combinations(self) -> int:
        """How many combinations there are."""
        return prod(_count(levels) + (text.strip() == DOWN) for text, levels in self.conditions.items())

    @property
    def axes(self) -> tuple[tuple[ConditionName, tuple[Any, ...]], ...]:
        """Every condition with its levels, in inner units, in the order of the file; nothing down comes first."""
        found = []
        for text, values in self.conditions.items():
            name = name_of(text)
            if isinstance(values, dict):
                levels = _range_of(name.kind, values)
            else:
                levels = tuple(_level(name.kind, each) for each in values)
            found.append((name, (None, *levels) if name.kind == DOWN else levels))
        return tuple(found)


class GridFile(Levelled):
    """Conditions by name, each with the levels that it takes."""

    format: Literal["tiercut.grid/1"] = Field(description="the kind and version of this document")

    def faults(self) -> Iterable[tuple[Key, str]]:
        """Yield what is wrong with the conditions, or that there are none."""
        if not self.conditions:
            yield ("conditions",), "expected at least one condition with its levels"
        yield from super().faults()

    def ordered(self) -> tuple[Condition, ...]:
        """Return the conditions with their levels from the best, the baseline, to the worst."""
        found = []
        for name, values in self.axes:
            levels = values if name.kind == DOWN else tuple(sorted(values, reverse=name.kind == "bandwidth"))
            found.append(Condition(str(name), levels, tuple(_shown(name.kind, level) for level in levels)))
        return tuple(found)


def _count(levels: Any) -> int:
    """Return how many levels there are, without making them."""
    if not isinstance(levels, dict):
        return len(levels)
    count = levels.get("count")
    return count if isinstance(count, int) and count > 0 else 1


def _range_of(kind: str, written: dict[str, Any]) -> tuple[float, ...]:
    """Return the levels of ``{from: 1 Mb/s, to: 100 Mb/s, count: 200, spacing: ratio}``."""
    if kind == DOWN:
        raise ValueError("expected a list of nodes, such as [cloud]")
    if not {"from", "to", "count"} <= written.keys() or not written.keys() <= {"from", "to", "count", "spacing"}:
        raise ValueError(_RANGE)
    count, spacing = written["count"], written.get("spacing", "even")
    if not isinstance(count, int) or isinstance(count, bool) or count < 2 or spacing not in ("even", "ratio"):
        raise ValueError(_RANGE)
    low, high = (_level(kind, written[end]) for end in ("from", "to"))
    if low == high or (spacing == "ratio" and not (low and high)):
        raise ValueError("from and to must differ, and with spacing: ratio neither may be 0")
    if count > MOST_LEVELS:
        raise ValueError(f"a range may have {MOST_LEVELS:,} levels at most, not {count:,}")
    if spacing == "ratio":
        return *(low * (high / low) ** (step / (count - 1)) for step in range(count - 1)), high
    return *(low + (high - low) * (step / (count - 1)) for step in range(count - 1)), high


def _level(kind: str, value: Any) -> Any:
    """Return a level of a file, in which quantities have units."""
    if kind == DOWN:
        if not isinstance(value, str):
            raise ValueError(f"expected the name of a node or a link, got {value!r}")
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
        data = {"format": FORMAT, "conditions": {name: _plain(levels) for name, levels in grid.items()}}
        return documents.validate(data, GridFile, format_=FORMAT, source="the grid")
    return load_grid(grid)


def _plain(levels: Any) -> Any:
    return levels if isinstance(levels, dict | str) or not isinstance(levels, Iterable) else list(levels)
