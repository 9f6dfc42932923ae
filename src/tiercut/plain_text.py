"""Text that can be shown wherever it came from: no control characters, and stand-ins where a stream lacks a sign.

Names of layers, devices and nodes come from files that others wrote. What a terminal would obey must not reach it, and
a stream that holds ASCII or Latin-1 alone still has to show the answer.
"""

from __future__ import annotations

import codecs
import re

__all__ = ["ERRORS", "printable", "register"]

ERRORS = "tiercut-stand-in"
"""Name of the error handler that `register` adds, for streams that cannot hold all of a text."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_STAND_INS = {
    **dict.fromkeys("─━╌╴╶╸╺↔\u2010\u2011\u2013\u2014\u2212", "-"),
    **dict.fromkeys("│┃╎▏▎▍▌▕", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╯╰╞╡╪┏┓┗┛", "+"),
    **dict.fromkeys("█▇▆▅▄▃▂▁▉▊▋", "#"),
    **dict.fromkeys("\u2018\u2019", "'"),
    **dict.fromkeys("\u201c\u201d", '"'),
    "→": ">",
    "←": "<",
    "↑": "^",
    "↓": "v",
    "≤": "<=",
    "≥": ">=",
    "…": "...",
    "·": ".",
    "•": "*",
    "\u00d7": "x",
    **dict.fromkeys("\u00b5\u03bc", "u"),  # micro, and the Greek letter
    "±": "+-",
}
"""What is printed instead; signs that stand in tables and drawings keep their width."""

_SURROGATES = range(0xDC80, 0xDD00)
"""How Python holds a byte of a file's name that is no UTF-8: 0xDC00 and the byte."""


def printable(text: str) -> str:
    r"""Return a text with every control character but tabs and line ends written out, such as ``\x1b``."""
    return _CONTROL.sub(lambda found: _written_out(found[0]), text)


def register() -> None:
    """Make the error handler `ERRORS` known to Python's codecs."""
    codecs.register_error(ERRORS, _stand_in)


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_plain(sign) for sign in error.object[error.start : error.end]), error.end


def _plain(sign: str) -> str:
    if ord(sign) in _SURROGATES:
        return f"\\x{ord(sign) - 0xDC00:02x}"
    return _STAND_INS.get(sign, "?")


def _written_out(sign: str) -> str:
    return f"\\x{ord(sign):02x}" if ord(sign) < 0x100 else f"\\u{ord(sign):04x}"
