"""A sweep from its file to its folder: what is there already is kept, and the rest solved by whom there is."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiercut.analysis.sweeps.cases import cases_of, digest_of
from tiercut.analysis.sweeps.folder import Folder, pieces_of
from tiercut.analysis.sweeps.rows import parquet
from tiercut.analysis.sweeps.sweep_file import SweepFile, sweep_of
from tiercut.analysis.sweeps.workers import Job, here, in_processes, on_cluster
from tiercut.cpus import cpu_count
from tiercut.errors import QuestionError
from tiercut.shown import Shown
from tiercut.solvers import Options
from tiercut.stages import stage

if TYPE_CHECKING:
    import pandas as pd

    from tiercut.analysis.sweeps.cases import Prepared
    from tiercut.analysis.sweeps.folder import Piece
    from tiercut.solvers import Progress

__all__ = ["Swept", "sweep"]

_FORMAT = "tiercut.swept/1"
_ALONE = 2_000
"""Points that one process solves before others have started."""


@dataclass(frozen=True, slots=True)
class Swept(Shown):
    """What became of the points of a sweep.

    Parameters
    ----------
    folder
        Where they are: ``points/*/*.parquet``, a row each.
    points
        Their number.
    cases, tasks
        Models x topologies x questions x what is down, and into how many files or tasks the points were divided.
    found_before
        How many points an earlier call had solved.
    statuses
        How many ended how: ``optimal`` (the best plan, proved), ``infeasible`` (it is proved that there is none),
        ``feasible`` (the best that was found) and ``failed``.
    reasons
        How many have which reason not to have a plan.
    seconds
        What this call took.
    """

    folder: Path
    points: int
    cases: int
    tasks: int
    found_before: int
    statuses: Mapping[str, int]
    reasons: Mapping[str, int]
    seconds: float

    def to_frame(self) -> pd.DataFrame:
        """Return every point as a row; see docs/sweeps.md for the columns."""
        import pandas as pd

        return pd.read_parquet(self.folder / "points").sort_values("point", ignore_index=True)

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "format": _FORMAT,
            "folder": os.fspath(self.folder),
            "points": self.points,
            "cases": self.cases,
            "tasks": self.tasks,
            "found_before": self.found_before,
            "statuses": dict(self.statuses),
            "reasons": dict(self.reasons),
            "seconds": self.seconds,
        }

    def to_json(self) -> str:
        """Return `to_data` as text."""
        return json.dumps(self.to_data(), indent=1, ensure_ascii=False)


def sweep(
    sweep: SweepFile | str | os.PathLike[str] | Mapping[str, Any],
    output: str | os.PathLike[str],
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    redo: bool = False,
    progress: Progress | None = None,
) -> Swept:
    """Answer every question for every model, topology and combination of conditions; write a row for each.

    Parameters
    ----------
    sweep
        A file (``tiercut.sweep/1``), or a mapping with its keys: models, topologies, conditions, questions.
    output
        A folder; where it holds the beginning of the same sweep, the rest is solved.
    scheduler
        Address of a Dask scheduler, such as ``tcp://host:8786``; None: this machine.
    workers
        Processes of this machine; None: one for each core that the process may use.
    redo
        Whether what the folder holds of a sweep is thrown away.
    progress
        Called with the points that are done and all of them.

    Returns
    -------
    Swept
        Counts, and the rows as a table.

    Raises
    ------
    InputError, QuestionError
        If a file or the call is wrong, there are too many points, no scheduler answers, or the folder holds another
        sweep or cannot be written.
    StoppedError
        If a process or the cluster dies; what is finished is kept.
    """
    began = time.perf_counter()
    parquet()
    if workers is not None and workers < 1:
        raise QuestionError(f"workers must be 1 or more, not {workers}")
    if scheduler is not None and workers is not None:
        raise QuestionError("give scheduler or workers, not both: a cluster has its own")
    file, beside = sweep_of(sweep)
    cases = cases_of(file, beside)
    folder = Folder(Path(output))
    folder.begin(cases, digest_of(cases), redo=redo)
    count = _Count(sum(case.points for case in cases))
    todo, tasks = [], 0
    for piece in pieces_of(cases):
        tasks += 1
        told = folder.done(piece)
        if told is None:
            todo.append(piece)
        else:
            count.add(piece, *told)
    before = count.done
    with stage("solving points") as step:
        step(count.done, count.most)
        solved = _by(_jobs(todo), todo, scheduler, workers or cpu_count())
        for piece, part in solved:
            folder.keep(piece, part)
            count.add(piece, part.counts, part.reasons)
            step(count.done, count.most)
            if progress is not None:
                progress(count.done, count.most)
    return Swept(
        folder=folder.path,
        points=count.most,
        cases=len(cases),
        tasks=tasks,
        found_before=before,
        statuses={status: many for status, many in count.statuses.most_common() if many},
        reasons=dict(count.reasons.most_common()),
        seconds=time.perf_counter() - began,
    )


class _Count:
    """How many points are done, and how they ended."""

    def __init__(self, most: int) -> None:
        self.most, self.done = most, 0
        self.statuses, self.reasons = Counter[str](), Counter[str]()

    def add(self, piece: Piece, statuses: Mapping[str, int], reasons: Mapping[str, int]) -> None:
        self.done += piece.stop - piece.start
        self.statuses.update(statuses)
        self.reasons.update(reasons)


def _by(jobs: Iterable[Job], todo: list[Piece], scheduler: str | None, workers: int) -> Iterator[Any]:
    if scheduler is not None:
        return on_cluster(jobs, scheduler)
    few = sum(piece.stop - piece.start for piece in todo) <= _ALONE
    return here(jobs) if workers == 1 or few or len(todo) < 2 else in_processes(jobs, min(workers, len(todo)))


def _jobs(todo: list[Piece]) -> Iterator[Job]:
    """Yield pieces with their cases, each of which is prepared when its first piece is handed out."""
    last: Prepared | None = None
    for piece in todo:
        if last is None or last.case.number != piece.case.number:
            last = piece.case.prepared(Options())
        yield Job(piece, last)
