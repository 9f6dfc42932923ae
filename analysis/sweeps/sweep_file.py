"""The sweep file ``tiercut.sweep/1``: models x topologies x conditions x questions, all combinations of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from tiercut import documents
from tiercut.analysis.sensitivity.grid_file import Levelled
from tiercut.documents import Key
from tiercut.errors import InputError
from tiercut.optimizer import QueryFile, load_query

__all__ = ["FORMAT", "MOST_POINTS", "SweepFile", "questions_of", "sweep_of"]

FORMAT: Literal["tiercut.sweep/1"] = "tiercut.sweep/1"
SIZE_LIMIT = 1 << 22
"""Most bytes that a sweep file may have."""

MOST_POINTS = 1_000_000_000
"""Most points of a sweep."""

_LEAST_LATENCY = "least latency"


class SweepFile(Levelled):
    """What is swept: every model on every topology under every combination of conditions, for every question."""

    MOST: ClassVar[int] = MOST_POINTS
    _what: ClassVar[str] = "the sweep has"

    format: Literal["tiercut.sweep/1"] = Field(description="the kind and version of this document")
    models: list[str] = Field(min_length=1, description="profiles: files, or names of recorded ones")
    topologies: list[str] = Field(min_length=1, description="files, or names of ready-made ones")
    questions: list[str | dict[str, Any]] = Field(
        default=[], description="query files, names of ready-made ones, or queries as mappings; none: the least latency"
    )

    def faults(self) -> Iterable[tuple[Key, str]]:
        """Yield what is wrong with conditions, names that stand twice, and a size."""
        yield from super().faults()
        for key in ("models", "topologies", "questions"):
            seen = list[Any]()
            for place, name in enumerate(getattr(self, key)):
                if name in seen:
                    yield (key, place), f"{name} stands here twice"
                seen.append(name)

    @property
    def combinations(self) -> int:
        """How many points there are."""
        lists = len(self.models) * len(self.topologies) * max(len(self.questions), 1)
        return super().combinations * lists


def sweep_of(sweep: SweepFile | str | os.PathLike[str] | Mapping[str, Any]) -> tuple[SweepFile, Path | None]:
    """Return a sweep, and the folder that its names of files start from where it was read from a file.

    Raises
    ------
    InputError
        If the file cannot be read or anything in it is wrong; each fault with line, column and key.
    """
    if isinstance(sweep, SweepFile):
        return sweep, None
    if isinstance(sweep, Mapping):
        data = {"format": FORMAT, **sweep}
        return documents.validate(data, SweepFile, format_=FORMAT, source="the sweep"), None
    return documents.load(sweep, SweepFile, format_=FORMAT, limit=SIZE_LIMIT), Path(sweep).parent


def located(name: str, folder: Path | None) -> str:
    """Return where a name of a sweep file leads: a file beside it comes first."""
    beside = None if folder is None else folder / name
    return os.fspath(beside) if beside is not None and beside.is_file() else name


def questions_of(sweep: SweepFile, folder: Path | None) -> Iterator[tuple[str, QueryFile]]:
    """Yield the questions of a sweep by what they are called: a file's name without its ending, or their number.

    Raises
    ------
    InputError
        If one is wrong.
    """
    for number, each in enumerate(sweep.questions, 1):
        if isinstance(each, str):
            yield Path(each).stem, load_query(located(each, folder))
            continue
        data = {"format": "tiercut.query/1", **each}
        source = f"questions[{number - 1}]"
        yield f"question {number}", documents.validate(data, QueryFile, format_="tiercut.query/1", source=source)
    if not sweep.questions:
        yield _LEAST_LATENCY, QueryFile(format="tiercut.query/1")


def named_apart(names: Iterable[str], what: str) -> tuple[str, ...]:
    """Return names that stand in a column of the rows, once it is certain that they differ.

    Raises
    ------
    InputError
        If two are alike.
    """
    found = tuple(names)
    for place, name in enumerate(found):
        if name in found[:place]:
            raise InputError("the sweep", f"two {what} are called '{name}'; give one of them another name")
    return found
