"""The group of all commands: what ends one of them reaches `main`, whatever Typer makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from typer.core import TyperGroup

__all__ = ["QUIET", "Interrupted", "ReaderGone", "RootGroup"]

QUIET = "--quiet"


class Interrupted(Exception):  # noqa: N818 - no error: somebody pressed Ctrl-C
    """Somebody pressed Ctrl-C; Typer ends in silence or with "Aborted!" for a KeyboardInterrupt, by its version."""


class ReaderGone(Exception):  # noqa: N818 - no error: whoever read has enough, as in ``| head``
    """Nobody reads on; Typer and Rich end with status 1 for a BrokenPipeError, but only in some places."""


class RootGroup(TyperGroup):
    """A group that hands interrupts and broken pipes on as exceptions of our own, and reads --quiet anywhere."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the command line; ``--help`` prints here."""
        with _handed_on():
            return super().make_context(*args, **kwargs)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take options of the group that stand behind the command as if they stood before it."""
        rest: list[str] = super().parse_args(ctx, _quiet_first(args))
        return rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with _handed_on():
            return super().invoke(ctx)


def _quiet_first(args: Sequence[str]) -> list[str]:
    """Return arguments with --quiet in front; what follows ``--`` is no option."""
    end = args.index("--") if "--" in args else len(args)
    kept = [each for each in args[:end] if each != QUIET]
    return [*[QUIET] * (len(kept) < end), *kept, *args[end:]]


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
