"""The group of all commands: what ends one of them reaches `main`, whatever Typer makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer.core import TyperGroup

__all__ = ["Interrupted", "ReaderGone", "RootGroup"]


class Interrupted(Exception):  # noqa: N818 - no error: somebody pressed Ctrl-C
    """Somebody pressed Ctrl-C; Typer ends in silence or with "Aborted!" for a KeyboardInterrupt, by its version."""


class ReaderGone(Exception):  # noqa: N818 - no error: whoever read has enough, as in ``| head``
    """Nobody reads on; Typer and Rich end with status 1 for a BrokenPipeError, but only in some places."""


class RootGroup(TyperGroup):
    """A group that hands interrupts and broken pipes on as exceptions of our own."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the command line; ``--help`` prints here."""
        with _handed_on():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with _handed_on():
            return super().invoke(ctx)


@contextmanager
def _handed_on() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted from None
    except BrokenPipeError:
        raise ReaderGone from None
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):  # Rich's answer to it
            raise ReaderGone from None
        raise
