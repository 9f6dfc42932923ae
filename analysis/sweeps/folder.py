"""The folder of a sweep: what was swept, and its points as Parquet files, each there whole or not at all."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiercut import __version__, documents
from tiercut.analysis.sweeps.rows import COUNTS, Part, parquet
from tiercut.errors import InputError, QuestionError

if TYPE_CHECKING:
    from tiercut.analysis.sweeps.cases import Case

__all__ = ["Folder", "Piece", "pieces_of"]

FORMAT = "tiercut.swept/1"
_MANIFEST = "sweep.json"
_LIMIT = 1 << 28
_PIECES = 256
_FEWEST, _MOST = 256, 250_000


@dataclass(frozen=True, slots=True)
class Piece:
    """A range of the points of a case: a file of the folder, and a task of who solves it.

    Parameters
    ----------
    case
        Which one.
    first
        The number of the case's first point in the sweep.
    start, stop
        The range among the points of the case.
    """

    case: Case
    first: int
    start: int
    stop: int


def pieces_of(cases: tuple[Case, ...]) -> Iterator[Piece]:
    """Yield the pieces of a sweep: some hundreds where there are many points, of at most 250,000 points each."""
    total = sum(case.points for case in cases)
    size = min(max(-(-total // _PIECES), _FEWEST), _MOST)
    first = 0
    for case in cases:
        for start in range(0, case.points, size):
            yield Piece(case, first, start, min(start + size, case.points))
        first += case.points


class Folder:
    """Where the points of one sweep are kept.

    Parameters
    ----------
    path
        The folder; made where there is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, cases: tuple[Case, ...], digest: str, *, redo: bool) -> None:
        """Write down what is swept; a folder that holds another sweep, or anything else, is refused.

        Raises
        ------
        InputError, QuestionError
            If it cannot be written, or holds something else.
        """
        manifest = self.path / _MANIFEST
        if manifest.is_file():
            data = documents.parse_json(documents.read_text(manifest, limit=_LIMIT), str(manifest))
            ours = isinstance(data, dict) and data.get("format") == FORMAT
            if ours and redo:
                for old in (self.path / "points").glob("*/*.parquet"):
                    old.unlink()
            elif ours and data.get("digest") == digest:
                return
            else:
                raise QuestionError(
                    f"'{self.path}' holds another sweep, or one of models, topologies or questions that have changed "
                    "since; name another folder, or give --redo to solve all of it again"
                )
        elif self.path.is_dir() and any(self.path.iterdir()):
            raise QuestionError(f"'{self.path}' is not empty and holds no sweep; name another folder")
        data = {
            "format": FORMAT,
            "digest": digest,
            "tiercut": __version__,
            "points": sum(case.points for case in cases),
            "conditions": {str(name): list(levels) for name, levels in cases[0].axes if len(levels) <= _FEWEST},
            "cases": [
                {
                    "folder": f"points/{_name(case)}",
                    "model": case.model,
                    "topology": case.topology,
                    "question": case.question,
                    "down": case.down,
                    "points": case.points,
                }
                for case in cases
            ],
        }
        documents.write_text(manifest, json.dumps(data, indent=1, ensure_ascii=False) + "\n")

    def file_of(self, piece: Piece) -> Path:
        """Return the file of a piece."""
        return self.path / "points" / _name(piece.case) / f"part-{piece.start:010d}.parquet"

    def keep(self, piece: Piece, part: Part) -> None:
        """Write the points of a piece.

        Raises
        ------
        InputError
            If there is no room; what is there already stays, and another call goes on from it.
        """
        try:
            documents.write_whole(self.file_of(piece), lambda stream: stream.write(part.data))
        except InputError as error:
            raise InputError(
                error.source, f"{error.faults[0].message}; what is finished is kept, and the same call goes on from it"
            ) from None

    def done(self, piece: Piece) -> tuple[Counter[str], Counter[str]] | None:
        """Return how the points of a piece ended and why, if they are there; a broken file is solved anew."""
        path = self.file_of(piece)
        if not path.is_file():
            return None
        try:
            found: Any = parquet().parquet.read_metadata(path)
            told = json.loads(found.metadata[COUNTS])
        except (OSError, KeyError, TypeError, ValueError):
            return None
        return (
            None if found.num_rows != piece.stop - piece.start else (Counter(told["counts"]), Counter(told["reasons"]))
        )


def _name(case: Case) -> str:
    slug = re.sub(r"[^A-Za-z0-9.-]+", "-", f"{case.model}-{case.topology}-{case.question}")
    return f"{case.number:05d}-{slug[:80].strip('-.')}" + ("" if case.down is None else "-down")
