"""Sweeps on a real Dask cluster: a scheduler and two worker processes, one of which is killed on the way."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from support.checkout import ROOT

import tiercut
from tiercut.analysis.sweeps import workers
from tiercut.errors import QuestionError, StoppedError

pytest.importorskip("pyarrow", reason="needs the extra 'sweep'")

SWEEP: dict[str, Any] = {
    "models": ["resnet20-digits32"],
    "topologies": ["adaptive"],
    "conditions": {
        "slowdown(cloud)": {"from": 0.1, "to": 10, "count": 60, "spacing": "ratio"},
        "slowdown(edge)": {"from": 1, "to": 100, "count": 60},
        "bandwidth(edge-cloud)": {"from": "1 Mb/s", "to": "100 Mb/s", "count": 60},
    },
    "questions": [{"exits": "final"}, {"exits": "final", "max_latency": "100 ms"}],
}


@pytest.fixture(scope="module")
def distributed() -> Any:
    return pytest.importorskip("distributed", reason="needs the extra 'dask'")


class Cluster:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.processes = folder, list[subprocess.Popen[bytes]]()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        self.scheduler = self.start("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "default"}
        command = [sys.executable, "-m", "dask", *arguments]
        with (self.folder / "log").open("ab") as log:
            started = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=self.folder)
        self.processes.append(started)
        return started

    def worker(self) -> subprocess.Popen[bytes]:
        return self.start("worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard")

    def end(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path, distributed: Any) -> Iterator[Cluster]:
    del distributed
    made = Cluster(tmp_path)
    yield made
    made.end()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_cluster_gives_the_same_rows_although_a_worker_is_killed_on_the_way(cluster: Cluster, tmp_path: Path) -> None:
    first, _ = cluster.worker(), cluster.worker()
    killed: list[int] = []

    def kill(done: int, most: int) -> None:
        if done > most / 4 and not killed:
            first.send_signal(signal.SIGKILL)
            killed.append(done)

    found = tiercut.sweep(SWEEP, tmp_path / "there", scheduler=cluster.address, progress=kill)
    assert 0 < killed[0] < found.points
    assert found.tasks <= 1000
    here = tiercut.sweep(SWEEP, tmp_path / "here", workers=1)
    assert found.statuses == here.statuses
    assert {"optimal", "infeasible"} <= set(found.statuses)
    pd.testing.assert_frame_equal(found.to_frame(), here.to_frame())


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_scheduler_that_goes_away_leaves_what_is_finished(cluster: Cluster, tmp_path: Path) -> None:
    cluster.worker()

    def end(done: int, most: int) -> None:
        if done > most / 4:
            cluster.scheduler.kill()

    with pytest.raises(StoppedError, match="went away; what is finished is kept, and the same call goes on"):
        tiercut.sweep(SWEEP, tmp_path / "out", scheduler=cluster.address, progress=end)
    again = tiercut.sweep(SWEEP, tmp_path / "out", workers=1)
    assert again.points / 4 < again.found_before < again.points
    assert len(again.to_frame()) == again.points


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_cluster_that_cannot_be_used_is_refused(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_PATIENCE_S", 3.0)
    with pytest.raises(QuestionError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9 within 3 s"):
        tiercut.sweep(SWEEP, tmp_path / "out", scheduler="tcp://127.0.0.1:9")
    time.sleep(3)
    with pytest.raises(QuestionError, match=r"the scheduler at .* has no workers; start some with 'dask worker"):
        tiercut.sweep(SWEEP, tmp_path / "out", scheduler=cluster.address)


def test_without_dask_a_scheduler_is_refused_with_the_extra_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(QuestionError, match=r"pip install 'tiercut\[dask\]'"):
        tiercut.sweep(SWEEP, tmp_path / "out", scheduler="tcp://127.0.0.1:9")


class _Future:
    def __init__(self, error: Exception | None) -> None:
        self.status, self.error = "finished" if error is None else "error", error

    def exception(self) -> Exception | None:
        return self.error

    def result(self) -> str:
        return "part"


class _Fake:
    """A cluster in this process: tasks that need a case that was lost fail, as those of a worker that died do."""

    KilledWorker = type("KilledWorker", (Exception,), {})
    CancelledError = type("CancelledError", (Exception,), {})
    comm = SimpleNamespace(CommClosedError=type("CommClosedError", (Exception,), {}))
    loop = None

    def __init__(self, threads: int, ends: bool) -> None:
        self.threads, self.ends, self.cases, self.ready = threads, ends, 0, list[_Future]()

    def as_completed(self, loop: Any) -> Any:
        del loop
        return self

    def nthreads(self) -> dict[str, int]:
        return {"worker": self.threads} if self.threads else {}

    def submit(self, function: Any, *arguments: Any, pure: bool) -> Any:
        assert not pure
        if function is workers._kept:
            self.cases += 1
            return self.cases
        return _Future(self.KilledWorker() if arguments[0] == 1 else None)

    def add(self, future: _Future) -> None:
        if self.ends:
            self.ready.append(future)

    def has_ready(self) -> bool:
        return bool(self.ready)

    def is_empty(self) -> bool:
        return False

    def __next__(self) -> _Future:
        return self.ready.pop(0)


def jobs(count: int) -> list[workers.Job]:
    prepared: Any = object()
    pieces: list[Any] = [SimpleNamespace(first=0, start=at, stop=at + 1) for at in range(count)]
    return [workers.Job(piece, prepared) for piece in pieces]


def test_a_cluster_without_workers_is_given_up_with_what_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_WORKERLESS_S", 0.02)
    monkeypatch.setattr(workers, "_LOOK_S", 0.01)
    monkeypatch.setattr(workers, "_POLL_S", 0.01)
    fake = _Fake(threads=0, ends=False)
    with pytest.raises(StoppedError, match=r"no workers for 0\.02 s; what is finished is kept, and the same call goes"):
        list(workers._Cluster(fake, fake, "tcp://x:1").solved(jobs(2)))


def test_pieces_that_are_solved_alone_do_not_wait_for_a_case_that_was_lost() -> None:
    fake = _Fake(threads=1, ends=True)
    assert len(list(workers._Cluster(fake, fake, "tcp://x:1").solved(jobs(3)))) == 3
    assert fake.cases == 2


def test_another_version_of_dask_or_tiercut_is_refused() -> None:
    def told(dask: str) -> dict[str, Any]:
        return {"packages": {"python": "3.11.7.final.0", "dask": dask, "distributed": "2026.8.0"}}

    class Client:
        scheduler, tiercut = "2026.8.0", tiercut.__version__

        def wait_for_workers(self, count: int, timeout: float) -> None:
            pass

        def get_versions(self) -> dict[str, Any]:
            return {"client": told("2026.8.0"), "scheduler": told(self.scheduler), "workers": {"w": told("2026.8.0")}}

        def run(self, function: Any) -> dict[str, str]:
            return {"w": self.tiercut}

    workers._check_versions(Client(), "tcp://x:1")
    other = Client()
    other.scheduler = "2025.1.0"
    with pytest.raises(QuestionError, match=r"the scheduler at tcp://x:1 runs dask 2025\.1\.0, and this machine 2026"):
        workers._check_versions(other, "tcp://x:1")
    older = Client()
    older.tiercut = "0.0.9"
    with pytest.raises(QuestionError, match=r"worker w has tiercut 0\.0\.9, and this machine"):
        workers._check_versions(older, "tcp://x:1")
