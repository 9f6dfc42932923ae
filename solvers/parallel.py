"""Threads that share work, and can be stopped: by a time limit, an interrupt, or an error of the progress callback.

Compiled kernels run without the interpreter's lock; each looks at an integer of its thread now and then, its *stop*.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from enum import StrEnum
from math import inf
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from tiercut.clock import seconds_left
from tiercut.cpus import cpu_count

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tiercut.solvers.interface import Options

    Ints = NDArray[np.int64]

__all__ = ["Done", "Ending", "run_jobs", "share_out", "thread_count", "watch"]

_POLL_S = 0.1

Item = TypeVar("Item")
Worker = TypeVar("Worker")
Done = Callable[[], tuple[int, int]]


class Ending(StrEnum):
    """How work came to its end, as the reason why it stopped early: empty, and so false, where all of it was done."""

    DONE = ""
    STOPPED = "stopped before the end"
    INTERRUPTED = "interrupted before the end"


def thread_count(options: Options, parts: int, *, small: bool) -> int:
    """Return how many threads share some parts of the work: one where all of it is small."""
    return 1 if small else max(min(options.workers or cpu_count(), parts), 1)


def share_out(
    items: Sequence[Item],
    work: Callable[[Item, Worker], None],
    workers: Sequence[Worker],
    stops: Sequence[Ints],
    options: Options,
    done: Done | None = None,
    *,
    small: bool,
) -> Ending:
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
        Progress. The time limit is that of `tiercut.clock`.
    done
        Returns the work done, and the work in all; None: the parts are counted.
    small
        Whether the work takes less time than starting a thread does, so that without a time limit it is done here.

    Returns
    -------
    Ending
        Whether all parts are done, or why not.
    """
    waiting: SimpleQueue[Item] = SimpleQueue()
    for item in items:
        waiting.put(item)

    ended = [0] * len(workers)

    def counted() -> tuple[int, int]:
        return sum(ended), len(items)

    def take(place: int) -> None:
        worker, stop = workers[place], stops[place]
        while not stop[0]:
            try:
                item = waiting.get_nowait()
            except Empty:
                return
            work(item, worker)
            ended[place] += 1

    if small and seconds_left() == inf and len(workers) == 1:
        ending = _here(lambda: take(0))
    else:
        jobs = [lambda place=place: take(place) for place in range(len(workers))]
        ending = run_jobs(jobs, stops, options, done or counted, threads=len(workers))
    return Ending.STOPPED if not ending and any(stop[0] for stop in stops) else ending


def _here(work: Callable[[], None]) -> Ending:
    """Work in this very thread; return whether the user interrupted."""
    try:
        work()
    except SystemError as error:  # how an interrupt shows that came while compiled code ran
        if not isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
            raise
        return Ending.INTERRUPTED
    except KeyboardInterrupt:
        return Ending.INTERRUPTED
    return Ending.DONE


def run_jobs(
    jobs: Sequence[Callable[[], None]], stops: Sequence[Ints], options: Options, done: Done, *, threads: int
) -> Ending:
    """Run jobs in threads; return whether all of them came to their end, or why not.

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
        ending = watch(running, stops, options, done)
    for each in running:
        each.result()
    return ending


def watch(running: Sequence[Future[None]], stops: Sequence[Ints], options: Options, done: Done) -> Ending:
    """Wait for threads until they are done, time has run out, or the user interrupts; return which.

    Parameters
    ----------
    running
        The threads' work.
    stops
        One array for each thread, whose first value stops it.
    options
        Progress. The time limit is that of `tiercut.clock`.
    done
        Returns the work done, and the work in all.
    """
    try:
        while wait(running, timeout=min(_POLL_S, max(seconds_left(), 0.001))).not_done:
            if options.progress is not None:
                options.progress(*done())
            if seconds_left() <= 0:
                break
        else:
            return Ending.DONE
        ending = Ending.STOPPED
    except KeyboardInterrupt:
        ending = Ending.INTERRUPTED
    except BaseException:
        _stop(stops)  # or the threads would work on to their end before the error of `progress` is seen
        raise
    _stop(stops)
    return ending


def _stop(stops: Sequence[Ints]) -> None:
    for stop in stops:
        stop[0] = 1
