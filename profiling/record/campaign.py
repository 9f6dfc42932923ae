"""Many models recorded one after the other: each saved when it is done, even if the next fails."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tiercut.profiling.record.record import Recording
from tiercut.profiling.record.settings import Settings
from tiercut.profiling.record.worker import FailedModelError, Worker

__all__ = ["Campaign", "Step", "record_models"]

_BUILD = 0.35
"""The share of the time of one model, but for its training, that goes by before the timing begins."""

_TRAIN = 0.6
"""The share of the time of one model that its training takes, where there is one."""


@dataclass(frozen=True, slots=True)
class Step:
    """One model of a campaign that has ended.

    Parameters
    ----------
    name
        As it was requested.
    recorded
        Its recording; None where it failed.
    error
        Why it failed; empty where it did not.
    seconds
        What it took.
    """

    name: str
    recorded: Recording | None
    error: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Campaign:
    """What was done, and what failed."""

    steps: tuple[Step, ...]

    @property
    def failed(self) -> tuple[Step, ...]:
        """The models that could not be recorded."""
        return tuple(step for step in self.steps if step.recorded is None)


def record_models(
    names: Sequence[str],
    output: str | os.PathLike[str],
    settings: Settings,
    *,
    record: Callable[..., Recording] | None = None,
    progress: Callable[[str, float], None] = lambda *_: None,
    finished: Callable[[Step, float], None] = lambda *_: None,
) -> Campaign:
    """Record models on this machine; a model that fails keeps no other from being recorded.

    What was recorded before with the same settings is not timed again, so that the same call goes on where an earlier
    one was interrupted.

    Parameters
    ----------
    names
        What `tiercut.profiling.record.preflight.prepared` returns, which checks all of them before the first is timed.
    output
        The folder of their profiles, or the profile of a single model.
    settings
        How.
    record
        What records one model; by default a process of its own (see `tiercut.profiling.record.worker`).
    progress
        Called with what is being done, and the share of the whole that is done, 0..1.
    finished
        Called with each model when it has ended, and the seconds that the others will take by the pace so far.
    """
    with Worker() as worker:
        run = _Run(record or worker.record, os.fspath(output), settings, len(names), progress, finished)
        return Campaign(tuple(run.step(place, name) for place, name in enumerate(names)))


class _Run:
    """A campaign in progress."""

    def __init__(
        self,
        record: Callable[..., Recording],
        output: str,
        settings: Settings,
        count: int,
        progress: Callable[[str, float], None],
        finished: Callable[[Step, float], None],
    ) -> None:
        self._record, self._output, self._settings, self._count = record, output, settings, count
        self._progress, self._finished = progress, finished
        self._timed: list[float] = []

    def step(self, place: int, name: str) -> Step:
        stages = _Stages()

        def report(stage: str, done: int, most: int) -> None:
            share = (place + stages.share(stage, done / max(most, 1))) / self._count
            self._progress(f"{name}: {_WORDS.get(stage, stage)}", share)

        begin = time.monotonic()
        recorded, error = None, ""
        try:
            recorded = self._record(name, self._output, self._settings, progress=report)
        except FailedModelError as failure:
            error = str(failure)
        seconds = time.monotonic() - begin
        if recorded is not None and recorded.fresh:
            self._timed.append(seconds)
        step = Step(name, recorded, error, seconds)
        self._finished(step, self._left(place + 1))
        return step

    def _left(self, done: int) -> float:
        """Return the seconds that the other models will take if each takes what those timed so far took on average."""
        pace = sum(self._timed) / len(self._timed) if self._timed else 0.0
        return pace * (self._count - done)


class _Stages:
    """How much of one model is done, which never falls: a training, where there is one, comes before all else."""

    def __init__(self) -> None:
        self._trained = 0.0

    def share(self, stage: str, done: float) -> float:
        """Return the share of the whole, 0..1, for the share of a stage that is done."""
        if stage == "train":
            self._trained = _TRAIN
            return _TRAIN * done
        within = {"load": 0.0, "exits": 0.0, "build": _BUILD * done, "stress": 1.0, "codecs": 1.0}.get(
            stage, _BUILD + (1 - _BUILD) * done
        )
        return self._trained + (1 - self._trained) * within


_WORDS = {
    "load": "loading",
    "stress": "under load",
    "codecs": "measuring codecs",
    "train": "training",
    "exits": "recording exits",
    "build": "compiling pieces",
    "time": "timing",
}
