"""Names and quantities as they can stand in a YAML or JSON text."""

from __future__ import annotations

import json
import re

__all__ = ["quoted"]

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*|[0-9][0-9.e+-]* [A-Za-z/]+")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def quoted(words: str, *, always: bool = False) -> str:
    """Return a text for a document: in quotes where it could be read as something else, or `always`."""
    plain = _PLAIN.fullmatch(words) and words.casefold() not in _WORDS
    return words if plain and not always else json.dumps(words, ensure_ascii=False)
