"""Groups of options: each a dataclass whose fields say what an option is called, means and takes.

A command turns the fields into flags (`tiercut.cli.groups`), functions take them as keywords, and a file as keys; each
option is declared once, here is no library for command lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, fields
from functools import cache
from typing import Any, NamedTuple, TypeVar, overload

from tiercut.errors import QuestionError, unknown_name

__all__ = ["Option", "flags_of", "names", "option", "options_of", "pairs", "split_keywords"]

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")

_KEY = "option"


class Option(NamedTuple):
    """What a command line needs to know of a field.

    Parameters
    ----------
    flag
        Such as ``--bound``; empty for a positional argument, None: the field's name with dashes.
    type
        What the text on the command line is turned into: str, int, float, bool (a flag without a value) or a path.
    many
        Whether the flag may be repeated, and gives a list.
    metavar, help, panel
        What help shows in place of the value, says of it, and under which heading it stands; None: as usual.
    show_default
        Whether help shows the default, or what it says in its place.
    least
        Least value of a number; None: any.
    read
        Turns the flag's name and its text (or texts) into the value of the field; None: it stays as it is.
    """

    flag: str | None = None
    type: type = str
    many: bool = False
    metavar: str | None = None
    help: str | None = None
    panel: str | None = None
    show_default: bool | str = True
    least: int | None = None
    read: Callable[[str, Any], Any] | None = None


def option(default: Any = None, *, flag: str | None = None, **details: Any) -> Any:
    """Return a field of a group.

    Parameters
    ----------
    default
        The value where the option is not given.
    flag
        What a command calls it; by default the field's name with dashes.
    **details
        Of `Option`.
    """
    return field(default=default, metadata={_KEY: Option(flag, **details)})


@cache
def options_of(group: type) -> dict[str, Option]:
    """Return the options of a group by the names of its fields, in order."""
    return {each.name: _named(each.metadata[_KEY], each.name) for each in fields(group) if _KEY in each.metadata}


def _named(option: Option, name: str) -> Option:
    return option if option.flag is not None else option._replace(flag="--" + name.replace("_", "-"))


def flags_of(group: type) -> Callable[[str], str]:
    """Return what gives the flag of a field, as messages of a command name it."""
    flags = {name: each.flag or name for name, each in options_of(group).items()}
    return lambda name: flags[name]


@overload
def split_keywords(
    call: str, keywords: Mapping[str, Any], first: type[A], /, *, beside: Sequence[str] = ()
) -> tuple[A]: ...
@overload
def split_keywords(
    call: str, keywords: Mapping[str, Any], first: type[A], second: type[B], /, *, beside: Sequence[str] = ()
) -> tuple[A, B]: ...
@overload
def split_keywords(
    call: str,
    keywords: Mapping[str, Any],
    first: type[A],
    second: type[B],
    third: type[C],
    /,
    *,
    beside: Sequence[str] = (),
) -> tuple[A, B, C]: ...
def split_keywords(
    call: str, keywords: Mapping[str, Any], /, *groups: Any, beside: Sequence[str] = ()
) -> tuple[Any, ...]:
    """Return an object of each group, made of the keywords that belong to it.

    Parameters
    ----------
    call
        The function that was called, for messages.
    keywords
        What it was called with.
    *groups
        Dataclasses that share no names.
    beside
        Further keywords, which belong to none of them.

    Raises
    ------
    TypeError
        If a keyword belongs nowhere, as Python does it.
    """
    names = [tuple(each.name for each in fields(group)) for group in groups]
    known = [*beside, *(name for own in names for name in own)]
    for name in keywords:
        if name not in known:
            raise TypeError(f"{call}(): {unknown_name('keyword', name, known)}")
    return tuple(
        group(**{name: keywords[name] for name in own if name in keywords})
        for group, own in zip(groups, names, strict=True)
    )


def names(_: str, texts: Sequence[str]) -> list[str]:
    """Return the names that one flag lists with commas, or several repeat; no name of a topology has a comma."""
    return [name.strip() for text in texts for name in text.split(",")]


def pairs(flag: str, texts: Sequence[str]) -> dict[str, str]:
    """Return the mapping that repeated NAME=VALUE write; a name may hold ``=``, a value may not.

    Raises
    ------
    QuestionError
        If one is written otherwise.
    """
    pairs = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        if not equals:
            raise QuestionError(f"{flag} is written NAME=VALUE, not '{text}'")
        pairs[name.strip()] = value
    return pairs
