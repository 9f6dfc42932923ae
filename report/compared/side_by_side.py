"""Figures of several files as tables, a column for each file, and as data (``tiercut.comparison/1``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiercut.errors import QuestionError
from tiercut.report.compared.figures import Figure
from tiercut.report.rows import Column, Rows

if TYPE_CHECKING:
    from tiercut.report.compared.figures import Compared

__all__ = ["FORMAT", "comparison_data", "comparison_rows"]

FORMAT = "tiercut.comparison/1"

_BESIDE = 3
"""Files in one table; of more, each table has the first, which the others are held against."""

_NOTHING = Figure(None)


def comparison_rows(files: Sequence[Compared], *, every: bool = False) -> Iterator[Rows]:
    """Yield tables of files side by side; numbers of the second and later ones with what they are of the first's.

    Parameters
    ----------
    files
        All of one kind.
    every
        Whether figures in which all files agree are shown too.

    Raises
    ------
    QuestionError
        If they are of several kinds.
    """
    _check_kinds(files)
    names, labels = _names(files), _labels(files)
    told = [name for name in names if every or len({each.figures.get(name, _NOTHING) for each in files}) > 1]
    same = len(names) - len(told)
    said = "" if every or not same else f"; they agree in {same} other{'s' * (same != 1)}"
    rest = list(range(1, len(files)))
    for begin in range(0, max(len(rest), 1), _BESIDE - 1):
        shown = [0, *rest[begin : begin + _BESIDE - 1]]
        columns = [Column("", "left", fold=True), *(Column(labels[place], fold=True) for place in shown)]
        cells = tuple((name, *(_cell(files, name, place) for place in shown)) for name in told)
        what = f"{len(files)} {_plural(files[0].kind, len(files))}: {len(told)} figure{'s' * (len(told) != 1)}"
        yield Rows(f"{what} that differ{said}" if not every else what, tuple(columns), cells)


def comparison_data(files: Sequence[Compared]) -> dict[str, Any]:
    """Return all figures as plain data: values in inner units, unrounded, a list with one for each file.

    Raises
    ------
    QuestionError
        If the files are of several kinds.
    """
    _check_kinds(files)
    figures = []
    for name in _names(files):
        found = [each.figures.get(name, _NOTHING) for each in files]
        unit = next(each.unit for each in found if each is not _NOTHING)
        figures.append({"name": name, "unit": unit, "values": [each.value for each in found]})
    return {"format": FORMAT, "kind": files[0].kind, "files": [each.name for each in files], "figures": figures}


def _cell(files: Sequence[Compared], name: str, place: int) -> str:
    """Return a figure, and by how much it is more or less than the first file's."""
    figure, first = (files[at].figures.get(name, _NOTHING) for at in (place, 0))
    mine, base = figure.value, first.value
    if place == 0 or isinstance(mine, str) or isinstance(base, str) or mine is None or base is None or mine == base:
        return figure.text
    if figure.unit == "count":
        return figure.text
    if figure.unit == "share":
        return f"{figure.text} ({100 * (mine - base):+.2f} points)"
    return f"{figure.text} ({(mine - base) / base:+.1%})" if base else figure.text


def _check_kinds(files: Sequence[Compared]) -> None:
    for each in files[1:]:
        if each.kind != files[0].kind:
            raise QuestionError(
                f"only files of one kind stand side by side: '{files[0].name}' is {_a(files[0].kind)}, "
                f"'{each.name}' {_a(each.kind)}"
            )


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _plural(kind: str, count: int) -> str:
    if count == 1:
        return kind
    return f"{kind[:-1]}ies" if kind.endswith("y") and kind != "replay" else f"{kind}s"


def _names(files: Sequence[Compared]) -> list[str]:
    """Return the names of all figures, each after the one that it follows in its own file."""
    names: list[str] = []
    for each in files:
        place = 0
        for name in each.figures:
            if name in names:
                place = names.index(name) + 1
            else:
                names.insert(place, name)
                place += 1
    return names


def _labels(files: Sequence[Compared]) -> list[str]:
    """Return what to call each file: its name without folder and ending, as long as these differ."""
    short = [Path(each.name).stem for each in files]
    return short if len(set(short)) == len(short) else [each.name for each in files]
