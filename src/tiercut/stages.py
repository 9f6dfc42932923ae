"""What is going on, said by whatever lasts and heard by whoever shows it.

Stages stand in each other (candidates, and each of them a search), so that what lasts need not know who called it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, TypeAlias

__all__ = ["Listener", "Stage", "Step", "listening", "stage"]


class Stage(NamedTuple):
    """What is done, and how much of it.

    Parameters
    ----------
    what
        In words.
    done, most
        The work done and the work in all; a `most` of 0: not known.
    """

    what: str
    done: float = 0.0
    most: float = 0.0


Listener: TypeAlias = Callable[[Stage | None], None]
"""Called with the stage that says most: the outermost one whose work in all is known, else the innermost."""

Step: TypeAlias = Callable[[float, float], None]
"""Called with the work done and the work in all of a stage."""

_STAGES: ContextVar[tuple[Stage, ...]] = ContextVar("stages", default=())
_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell a listener of all stages inside."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


@contextmanager
def stage(what: str, *, alone: bool = False) -> Iterator[Step]:
    """Say that everything inside does this; the function that it gives says how far it is.

    Parameters
    ----------
    what
        In words.
    alone
        Whether nothing is said of the stages outside meanwhile, as they wait.
    """
    before = _STAGES.get()
    outer = () if alone else before

    def step(done: float, most: float) -> None:
        _STAGES.set((*outer, Stage(what, done, most)))
        _tell()

    step(0.0, 0.0)
    try:
        yield step
    finally:
        _STAGES.set(before)
        _tell()


def _tell() -> None:
    listener = _LISTENER.get()
    if listener is not None:
        stages = _STAGES.get()
        innermost = stages[-1] if stages else None
        listener(next((each for each in stages if each.most > 0), innermost))
