"""A process beside this one that records models, so that one that needs too much memory takes only itself down.

It lives as long as all goes well, since loading the framework takes seconds; after a failure a new one takes over.
"""

from __future__ import annotations

import multiprocessing
import signal
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from tiercut.errors import TiercutError, TiercutWarning
from tiercut.profiling.record.failures import first_line, out_of_memory
from tiercut.profiling.record.record import Progress, Recording, record_model
from tiercut.profiling.record.settings import Settings

__all__ = ["FailedModelError", "Worker", "record_here"]


class FailedModelError(TiercutError):
    """A model could not be recorded; the others can."""


class Worker:
    """Records models in a process of its own; a context that ends it."""

    def __init__(self) -> None:
        self._process: Any = None
        self._line: Connection | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def record(self, name: str, output: str, settings: Settings, *, progress: Progress) -> Recording:
        """Do what `record_model` does.

        Raises
        ------
        FailedModelError
            With what went wrong.
        """
        line = self._started()
        line.send((name, output, settings))
        while True:
            try:
                kind, *content = line.recv()
            except (EOFError, ConnectionError):
                raise FailedModelError(f"{name}: {self._cause()}") from None
            if kind == "progress":
                progress(*content)
            elif kind == "warning":
                warnings.warn(TiercutWarning(*content), stacklevel=2)
            elif kind == "recorded":
                return content[0]  # type: ignore[no-any-return]
            else:
                if kind == "broken":
                    self._end()
                raise FailedModelError(str(content[0]))

    def _started(self) -> Connection:
        if self._line is None:
            context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
            self._line, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
        return self._line

    def _cause(self) -> str:
        """Say why the process is gone, and forget it."""
        self._process.join(timeout=10)
        status = self._process.exitcode
        self._end()
        if status == -signal.SIGKILL:
            return "the process was killed, most likely because memory ran out"
        return f"the process that timed it ended with status {status}"

    def _end(self) -> None:
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.terminate()
            self._process.join()
        self._line = self._process = None


def _serve(line: Connection) -> None:
    """Record what is requested until the connection is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process gets the signal too, and ends this one
    while True:
        try:
            name, output, settings = line.recv()
        except EOFError:
            return
        line.send(_answer(name, output, settings, line.send))


def _answer(name: str, output: str, settings: Settings, tell: Callable[[Any], None]) -> tuple[str, object]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TiercutWarning)
        try:
            answer: tuple[str, object] = (
                "recorded",
                record_model(name, output, settings, progress=lambda *done: tell(("progress", *done))),
            )
        except TiercutError as error:
            answer = ("failed", str(error))
        except Exception as error:  # one model must not keep the others from being recorded
            answer = ("broken", f"{name}: {_message(error)}")
    for each in caught:
        if isinstance(each.message, TiercutWarning):
            tell(("warning", each.message.message, each.message.remedy))
    return answer


def _message(error: Exception) -> str:
    if out_of_memory(error):
        return "memory ran out while it was timed; close other programs, or try a smaller --batch or --input-size"
    return f"{type(error).__name__} while it was timed: {first_line(error)}"


def record_here(name: str, output: str, settings: Settings, *, progress: Progress) -> Recording:
    """Do what `Worker.record` does in this process."""
    messages: list[Any] = []
    kind, content = _answer(name, output, settings, messages.append)
    for message in messages:
        if message[0] == "warning":
            warnings.warn(TiercutWarning(*message[1:]), stacklevel=2)
        else:
            progress(*message[1:])
    if kind != "recorded":
        raise FailedModelError(str(content))
    return content  # type: ignore[return-value]
