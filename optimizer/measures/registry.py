"""The measures by name. Everything that asks for a measure, in a question or in a picture, reads it here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from tiercut.errors import QuestionError, unknown_name
from tiercut.optimizer.measures.kind import MeasureKind
from tiercut.optimizer.measures.kinds import BUILT_IN

__all__ = ["KINDS", "documented", "kind_of", "register", "unregister"]

_KINDS = {kind.name: kind for kind in BUILT_IN}

KINDS: Mapping[str, MeasureKind] = MappingProxyType(_KINDS)
"""Every measure that is known now, by name, in the order in which help and documentation list them."""


def register(kind: MeasureKind) -> None:
    """Make a measure known, so that questions may name it.

    Raises
    ------
    ValueError
        If there is one of that name.
    """
    if kind.name in _KINDS:
        raise ValueError(f"there is a measure '{kind.name}' already")
    _KINDS[kind.name] = kind


def unregister(name: str) -> None:
    """Take back what `register` made known."""
    del _KINDS[name]


def kind_of(name: str) -> MeasureKind:
    """Return the description of a measure, whatever its place, or of a weighted sum of measures.

    Raises
    ------
    QuestionError
        If there is none of that name.
    """
    from tiercut.optimizer.measures.weighted import is_sum, kind_of_sum, sum_fault

    if is_sum(name):
        if wrong := sum_fault(name):
            raise QuestionError(wrong)
        return kind_of_sum(name)
    head = name.partition(":")[0].strip()
    if head not in _KINDS:
        raise QuestionError(unknown_name("measure", head, _KINDS))
    return _KINDS[head]


def documented() -> Iterator[tuple[str, str, str, str]]:
    """Yield the rows of the table in ``docs/questions.md``: how it is written, of what, what it is, an example."""
    for kind in _KINDS.values():
        written = ", ".join(f"`{form}`" for form in kind.forms)
        yield written, kind.places.words, kind.about, f"`{kind.example}`"
