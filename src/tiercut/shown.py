"""How results look where people print them: as on the terminal, as a table in notebooks, and in one line by themselves.

Results belong to rooms below the report, which draws tables of them. So they only say that they can be shown, and the
package says by whom: by the two functions that `views` holds, called when a result is first printed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Shown", "View", "views"]

View: TypeAlias = Callable[[object], str]

views: dict[str, View] = {}
"""``text`` and ``html``: from a result to what is shown of it."""


class Shown:
    """A result that is printed as the terminal shows it; classes give a `__repr__` of one line."""

    __slots__ = ()

    def __str__(self) -> str:
        return views["text"](self)

    def _repr_html_(self) -> str:
        """Return what notebooks show."""
        return views["html"](self)
