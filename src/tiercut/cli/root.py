"""The group of all commands: what ends one of them reaches `main`, whatever Typer makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from inspect import cleandoc, getdoc
from keyword import iskeyword
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from tiercut.cli.examples import examples_text

__all__ = ["QUIET", "Interrupted", "Later", "ReaderGone", "RootGroup"]

QUIET = "--quiet"


class Interrupted(Exception):  # noqa: N818 - no error: somebody pressed Ctrl-C
    """Somebody pressed Ctrl-C; Typer ends in silence or with "Aborted!" for a KeyboardInterrupt, by its version."""


class ReaderGone(Exception):  # noqa: N818 - no error: whoever read has enough, as in ``| head``
    """Nobody reads on; Typer and Rich end with status 1 for a BrokenPipeError, but only in some places."""


class Later(TyperCommand):
    """A command that the list of commands shows, and that is imported where it is run.

    Its file in the folder below ``commands`` is called like it and holds a function of that name or, where it has
    commands of its own, ``app``.
    """

    def __init__(self, name: str, folder: str, help: str) -> None:  # noqa: A002 - Typer's word
        super().__init__(name, help=help)
        self.word = name
        self.folder = folder

    @property
    def module(self) -> str:
        """The name of the module that holds the command."""
        stem = self.word.replace("-", "_") + "_" * iskeyword(self.word)
        return f"tiercut.cli.commands.{self.folder}.{stem}"

    def load(self) -> Any:
        """Import the command and return what Typer makes of it."""
        module = import_module(self.module)
        if hasattr(module, "app"):
            loaded: Any = typer.main.get_command(module.app)
        else:
            alone, function = typer.Typer(add_completion=False), getattr(module, self.word.replace("-", "_"))
            alone.command(self.word, help=getdoc(function) or self.help)(function)
            loaded = typer.main.get_command(alone)
        loaded.epilog = examples_text(self.word)
        for each in (loaded, *getattr(loaded, "commands", {}).values()):
            each.help = _unbroken(each.help or "")
        return loaded


def _unbroken(text: str) -> str:
    """Return text with each paragraph on one line: of all but the first Typer keeps the lines, however wide it is."""
    return "\n\n".join(" ".join(each.split()) for each in cleandoc(text).split("\n\n"))


class RootGroup(TyperGroup):
    """A group that hands interrupts and broken pipes on as exceptions of our own, and reads --quiet anywhere."""

    later: ClassVar[tuple[Later, ...]] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for each in self.later:
            self.add_command(each)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the command that the command line names."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Later) else command, rest

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
