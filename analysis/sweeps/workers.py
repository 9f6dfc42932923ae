"""Who solves the pieces of a sweep: this process, joblib's processes on this machine, or a Dask cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from tiercut import __version__
from tiercut.analysis.sweeps.rows import solve_part
from tiercut.errors import QuestionError, StoppedError

if TYPE_CHECKING:
    from tiercut.analysis.sweeps.cases import Prepared
    from tiercut.analysis.sweeps.folder import Piece
    from tiercut.analysis.sweeps.rows import Part

__all__ = ["Job", "here", "in_processes", "on_cluster"]

_PATIENCE_S = 10.0
_WORKERLESS_S = 60.0
"""For how long a cluster may be without workers before it is given up."""
_LOOK_S, _POLL_S = 1.0, 0.05
_AHEAD = 4
"""Tasks of each thread of a cluster that are handed out at a time, so that memory does not grow with the sweep."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A piece, and its case ready to be solved."""

    piece: Piece
    prepared: Prepared


Solved: TypeAlias = tuple["Piece", "Part"]


def _solve(place: int, prepared: Prepared, first: int, start: int, stop: int) -> tuple[int, Part]:
    return place, solve_part(prepared, first, start, stop)


def _arguments(job: Job) -> tuple[Prepared, int, int, int]:
    return job.prepared, job.piece.first, job.piece.start, job.piece.stop


def here(jobs: Iterable[Job]) -> Iterator[Solved]:
    """Solve one piece after the other in this process."""
    for job in jobs:
        yield job.piece, solve_part(*_arguments(job))


def in_processes(jobs: Iterable[Job], workers: int) -> Iterator[Solved]:
    """Solve pieces in processes of this machine.

    Raises
    ------
    QuestionError
        If joblib is not installed.
    StoppedError
        If a process dies.
    """
    try:
        from joblib import Parallel, delayed
        from joblib.externals.loky.process_executor import BrokenProcessPool
    except ImportError:
        raise QuestionError(
            "sweeps on several cores need the package joblib; install it with pip install 'tiercut[sweep]', or give "
            "--workers 1"
        ) from None
    pieces: list[Piece] = []

    def tasks() -> Iterator[Any]:
        for job in jobs:
            pieces.append(job.piece)
            yield delayed(_solve)(len(pieces) - 1, *_arguments(job))

    pool = Parallel(n_jobs=workers, return_as="generator_unordered", pre_dispatch="2*n_jobs", batch_size=1)
    try:
        for place, part in pool(tasks()):
            yield pieces[place], part
    except BrokenProcessPool:
        raise StoppedError(
            "a process that solved points died, perhaps for want of memory; what is finished is kept, and the same "
            "call goes on from it (with fewer --workers, if memory was short)"
        ) from None


def on_cluster(jobs: Iterable[Job], address: str) -> Iterator[Solved]:
    """Solve pieces on a Dask cluster; one whose worker dies is given to another.

    Parameters
    ----------
    jobs
        The pieces.
    address
        Of the scheduler, such as ``tcp://host:8786``.

    Raises
    ------
    QuestionError
        If Dask is not installed, no scheduler answers, or it runs other versions.
    StoppedError
        If the cluster goes away, or a piece cannot be solved there.
    """
    try:
        import distributed
    except ImportError:
        raise QuestionError(
            "--scheduler needs the package distributed; install it with pip install 'tiercut[dask]'"
        ) from None
    client = _client(distributed, address)
    try:
        _check_versions(client, address)
        yield from _Cluster(distributed, client, address).solved(jobs)
    finally:
        with suppress(Exception):  # a cluster that is gone cannot be left
            client.close(timeout=_PATIENCE_S)


def _client(distributed: Any, address: str) -> Any:
    try:
        return distributed.Client(address, timeout=_PATIENCE_S, set_as_default=False)
    except (OSError, TimeoutError):
        raise QuestionError(
            f"no Dask scheduler answers at {address} within {_PATIENCE_S:g} s; start one with 'dask scheduler', and "
            "name the address that it prints"
        ) from None
    except Exception as error:
        raise QuestionError(f"what answers at {address} is no Dask scheduler of this version: {error}") from None


def _check_versions(client: Any, address: str) -> None:
    """Refuse other versions of Python, Dask and tiercut, which would not understand the tasks."""
    try:
        client.wait_for_workers(1, timeout=_PATIENCE_S)
    except TimeoutError:
        raise QuestionError(
            f"the scheduler at {address} has no workers; start some with 'dask worker {address}'"
        ) from None
    found = client.get_versions()
    own = _versions(found["client"])
    others = {"the scheduler": found["scheduler"], **found["workers"]}
    for who, each in others.items():
        for what, version in _versions(each).items():
            if version != own[what]:
                raise QuestionError(
                    f"{who} at {address} runs {what} {version}, and this machine {own[what]}; install the same version"
                )
    try:
        installed = client.run(_own_version)
    except Exception as error:
        raise QuestionError(
            f"a worker of {address} cannot import tiercut ({error}); install tiercut {__version__} there"
        ) from None
    for who, version in installed.items():
        if version != __version__:
            raise QuestionError(f"worker {who} has tiercut {version}, and this machine {__version__}; install the same")


def _versions(told: dict[str, Any]) -> dict[str, str]:
    packages = told["packages"]
    python = ".".join(str(packages["python"]).split(".")[:2])
    return {"Python": python, "distributed": packages["distributed"], "dask": packages["dask"]}


def _own_version() -> str:
    return __version__


def _kept(prepared: Prepared) -> Prepared:
    """Stand for a case on a cluster: a task, so that it is made again where the worker that held it dies."""
    return prepared


class _Cluster:
    """Hands out pieces, some at a time, and takes what comes back."""

    def __init__(self, distributed: Any, client: Any, address: str) -> None:
        self.distributed, self.client, self.address = distributed, client, address
        self.running: dict[Any, Job] = {}
        self.last: tuple[Prepared, Any] | None = None
        self.again: list[Job] = []

    def solved(self, jobs: Iterable[Job]) -> Iterator[Solved]:
        waiting = iter(jobs)
        done = self.distributed.as_completed(loop=self.client.loop)
        try:
            yield from self._round(waiting, done, self._room)
            # NOTE Dask blames every task of a worker that died too often; the innocent ones are solved alone.
            again, self.again = self.again, []
            yield from self._round(iter(again), done, lambda: 1)
        except (self.distributed.CancelledError, self.distributed.comm.CommClosedError, OSError):
            raise StoppedError(
                f"the scheduler at {self.address} went away; what is finished is kept, and the same call goes on "
                "from it"
            ) from None
        if self.again:
            piece = self.again[0].piece
            raise StoppedError(
                f"workers died again and again while they solved points {piece.first + piece.start:,} to "
                f"{piece.first + piece.stop - 1:,} of the sweep; all else is finished and kept, and the same call goes "
                "on from it"
            )

    def _round(self, waiting: Iterator[Job], done: Any, room: Callable[[], int]) -> Iterator[Solved]:
        self._hand_out(waiting, done, room())
        while self.running:
            self._wait(done)
            future = next(done)
            job = self.running.pop(future)
            if future.status == "error" and isinstance(future.exception(), self.distributed.KilledWorker):
                self.again.append(job)
                self.last = None  # the case itself may be among what its worker took along
            elif future.status != "finished":
                error = future.exception() if future.status == "error" else future.status
                raise StoppedError(
                    f"a worker of {self.address} failed: {error}; what is finished is kept, and the same call goes on "
                    "from it"
                )
            else:
                yield job.piece, future.result()
            del future
            self._hand_out(waiting, done, room())

    def _wait(self, done: Any) -> None:
        """Wait for a piece; a cluster without workers, which would never end one, is given up."""
        seen = looked = time.monotonic()
        while not done.has_ready() and not done.is_empty():
            time.sleep(_POLL_S)
            now = time.monotonic()
            if now - looked < _LOOK_S:
                continue
            looked = now
            if self.client.nthreads():
                seen = now
            elif now - seen > _WORKERLESS_S:
                raise StoppedError(
                    f"the cluster at {self.address} has had no workers for {_WORKERLESS_S:g} s; what is finished is "
                    f"kept, and the same call goes on from it, once some are started with 'dask worker {self.address}'"
                )

    def _room(self) -> int:
        threads: int = sum(self.client.nthreads().values())
        return max(_AHEAD * threads, 8)

    def _hand_out(self, waiting: Iterator[Job], done: Any, room: int) -> None:
        while len(self.running) < room and (job := next(waiting, None)) is not None:
            if self.last is None or self.last[0] is not job.prepared:
                self.last = job.prepared, self.client.submit(_kept, job.prepared, pure=False)
            _, *rest = _arguments(job)
            future = self.client.submit(solve_part, self.last[1], *rest, pure=False)
            self.running[future] = job
            done.add(future)
