"""What can go wrong, as one small tree.

::

    TiercutError
    ├── InputError        a file (or a table made from it) says something impossible
    ├── QuestionError     the call asks for something that cannot be asked
    ├── InfeasibleError   the question is sound, but it is proved that no plan meets it
    └── StoppedError      the work was stopped before a plan was found, and nothing is proved
    TiercutWarning        legal but doubtful; always carries a remedy

The commands turn the first two into exit status 2, the third into 3 and the fourth into 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

__all__ = [
    "Fault",
    "InfeasibleError",
    "InputError",
    "QuestionError",
    "StoppedError",
    "TiercutError",
    "TiercutWarning",
    "nearest",
    "unknown_name",
]


class TiercutError(Exception):
    """Base of every error that tiercut raises on purpose."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a document, and where it stands.

    Parameters
    ----------
    message
        What was expected, what came, and how to mend it.
    key
        Path of the offending value, such as ``links[1].bandwidth``; empty for the whole document.
    line, column
        1-based position in the file, where it is known.
    """

    message: str
    key: str = ""
    line: int | None = None
    column: int | None = None

    def render(self, source: str) -> str:
        """Return ``file:line:column: key: message``, without the parts that are not known."""
        place = ":".join(str(part) for part in (source, self.line, self.column) if part is not None)
        return ": ".join(part for part in (place, self.key, self.message) if part)


class InputError(TiercutError):
    """A document is wrong.

    Parameters
    ----------
    source
        The file's name, or what stands for it.
    faults
        Everything found wrong, in the order of the document.
    """

    def __init__(self, source: str, faults: Sequence[Fault] | str) -> None:
        self.source = source
        self.faults = (Fault(faults),) if isinstance(faults, str) else tuple(faults)
        super().__init__("\n".join(fault.render(source) for fault in self.faults))


class QuestionError(TiercutError):
    """The call is wrong: an unknown name, a bound out of range, or data that the profile lacks."""


class InfeasibleError(TiercutError):
    """No plan meets the question, which is proved; the message names the bound and the nearest value to be had."""


class StoppedError(TiercutError):
    """No plan was found before the work was stopped: by a time limit, by the user, or because there is no proof."""


class TiercutWarning(UserWarning):
    """Something legal but doubtful.

    Parameters
    ----------
    message
        What looks doubtful, and where.
    remedy
        What to do about it.
    """

    def __init__(self, message: str, remedy: str) -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(f"{message}; {remedy}")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like `name`, or None where none is like it."""
    known = list(known)
    folded = {each.casefold(): each for each in known}
    close = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Return a message for a `name` that is none of the `known` ones of its `kind`."""
    known = list(known)
    guess = nearest(name, known)
    hint = f"; did you mean '{guess}'?" if guess else ""
    return f"there is no {kind} '{name}'{hint} (known: {', '.join(known) or 'none'})"
