"""Threads that share work, and can be stopped: by a time limit, an interrupt, or an error of the progress callback.

Compiled kernels run without the interpreter's lock; each looks at an integer of its thread now and then, its *stop*.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from math import inf
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from tiercut.cpus import cpu_count

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tiercut.solvers.interface import Options

    Ints = NDArray[np.int64]

__all__ = ["run_jobs", "share_out", "thread_count", "watch"]

_POLL_S = 0.1

Item = TypeVar("Item")
Worker = TypeVar("Worker")
Done = Callable[[], tuple[int, int]]


def thread_count(options: Options, parts: int, *, small: bool) -> int:
    """Return how many threads share some parts of the work: one where all of it is small."""
    return 1 if small else max(min(options.workers or cpu_count(), parts), 1)


def share_out(
    items: Sequence[Item],
    work: Callable[[Item, Worker], None],
    workers: Sequence[Worker],
    stops: Sequence[Ints],
    options: Options,
    done: Done,
    *,
    small: bool,
) -> bool:
    """Let threads take the parts of the work one by one.

    Parameters
    ----------
    items
        The parts: threshold indices, or branches of the tree of decisions.
    work
        Does one part for a worker.
    workers, stops
        One of each for every thread: what it keeps for itself, and the array whose first value stops it.
    options
        Time limit and progress.
    done
        Returns the work done, and the work in all.
    small
        Whether the work takes less time than starting a thread does, so that without a time limit it is done here.

    Returns
    -------
    bool
        Whether all parts are done.
    """
    waiting: SimpleQueue[Item] = SimpleQueue()
    for item in items:
        waiting.put(item)

    def take(worker: Worker, stop: Ints) -> None:
        while not stop[0]:
            try:
                item = waiting.get_nowait()
            except Empty:
                return
            work(item, worker)

    if small and options.time_limit_s is None and len(workers) == 1:
        return _here(lambda: take(workers[0], stops[0])) and not stops[0][0]
    jobs = [lambda pair=pair: take(*pair) for pair in zip(workers, stops, strict=True)]
    return run_jobs(jobs, stops, options, done, threads=len(workers)) and not any(stop[0] for stop in stops)


def _here(work: Callable[[], None]) -> bool:
    """Work in this very thread; return whether the user did not interrupt."""
    try:
        work()
    except SystemError as error:  # how an interrupt shows that came while compiled code ran
        if not isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
            raise
        return False
    return True


def run_jobs(
    jobs: Sequence[Callable[[], None]], stops: Sequence[Ints], options: Options, done: Done, *, threads: int
) -> bool:
    """Run jobs in threads; return whether all of them came to their end.

    Parameters
    ----------
    jobs, stops
        The work of each job, and the array whose first value stops it.
    options, done
        As in `watch`.
    threads
        Their number.
    """
    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(job) for job in jobs]
        finished = watch(running, stops, options, done)
    for each in running:
        each.result()
    return finished


def watch(running: Sequence[Future[None]], stops: Sequence[Ints], options: Options, done: Done) -> bool:
    """Wait for threads: True once they are done, False where time ran out or the user interrupted.

    Parameters
    ----------
    running
        The threads' work.
    stops
        One array for each thread, whose first value stops it.
    options
        Time limit and progress.
    done
        Returns the work done, and the work in all.
    """
    deadline = inf if options.time_limit_s is None else time.perf_counter() + options.time_limit_s
    try:
        while wait(running, timeout=min(_POLL_S, max(deadline - time.perf_counter(), 0.001))).not_done:
            if options.progress is not None:
                options.progress(*done())
            if time.perf_counter() > deadline:
                break
        else:
            return True
    except KeyboardInterrupt:
        pass
    except BaseException:
        _stop(stops)  # or the threads would work on to their end before the error of `progress` is seen
        raise
    _stop(stops)
    return False


def _stop(stops: Sequence[Ints]) -> None:
    for stop in stops:
        stop[0] = 1
