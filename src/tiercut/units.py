"""Quantities with units, as people write them, to and from plain SI numbers.

The grammar is small and strict on purpose: a number, then a unit of the expected kind. A small ``b``
is a bit and a capital ``B`` a byte; ``k M G`` are powers of 1000 and ``Ki Mi Gi`` of 1024. Inside the
program everything is seconds, bytes, bytes per second, watts, joules, dollars, dollars per
second or byte, frames per second and shares of 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import log10
from types import MappingProxyType

__all__ = [
    "EXAMPLES",
    "MONTH_S",
    "UNITS",
    "distinct_digits",
    "format_bandwidth",
    "format_bytes",
    "format_count",
    "format_seconds",
    "parse",
    "pattern",
]

_HOUR = 3600
MONTH_S = 730 * _HOUR
"""Seconds of a month as it is billed: a twelfth of 365 days."""

_PREFIXES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
_BIT_RATES = {prefix + unit: factor / 8 for prefix, factor in _PREFIXES.items() for unit in ("b/s", "bps", "bit/s")}
_BYTE_RATES = {"B/s": 1.0, "kB/s": 1e3, "MB/s": 1e6, "GB/s": 1e9}
_BYTES = {"B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}

UNITS = MappingProxyType(
    {
        "bandwidth": {**_BIT_RATES, **_BYTE_RATES},
        "time": {"us": 1e-6, "\u00b5s": 1e-6, "ms": 1e-3, "s": 1.0},
        "size": _BYTES,
        "power": {"W": 1.0, "mW": 1e-3},
        "energy": {"J": 1.0, "mJ": 1e-3},
        "money": {"$": 1.0},
        "share": {"%": 0.01},
        "loss of accuracy": {"points": 0.01, "point": 0.01},
        "price per time": {"$/h": 1 / _HOUR, "$/day": 1 / (24 * _HOUR), "$/month": 1 / MONTH_S},
        "price per size": {"$/GB": 1e-9},
        "energy per size": {"nJ/B": 1e-9, "uJ/B": 1e-6, "mJ/B": 1e-3, "J/B": 1.0, "mJ/kB": 1e-6, "J/MB": 1e-6},
        "rate": {"fps": 1.0},
    }
)
"""Factor of every unit to the inner one, by kind of quantity."""

_TOOL_PREFIXES = {**_PREFIXES, "K": 1e3}
_ALSO: Mapping[str, Mapping[str, float]] = {
    "bandwidth": {
        # iperf3 prints "94.1 Mbits/sec"; tc takes "20mbit" in any case, but means bytes by "20mbps", which is not read.
        **{prefix + unit: by / 8 for prefix, by in _TOOL_PREFIXES.items() for unit in ("bits/sec", "bits/s", "bit")},
        "mbit": 1.25e5,
        "gbit": 1.25e8,
        "Kbps": 125.0,
        "Kbit/s": 125.0,
    },
    "time": {
        "\u03bcs": 1e-6,
        "usec": 1e-6,
        "msec": 1e-3,
        "sec": 1.0,
    },  # the Greek letter, for the sign that looks alike
}
"""Units as other tools write them, which are read but in no message, by kind."""

EXAMPLES = MappingProxyType(
    {
        "bandwidth": "10 Mb/s",
        "time": "40 ms",
        "size": "150 KB",
        "power": "250 W",
        "energy": "3 J",
        "money": "0.01 $",
        "share": "30 %",
        "loss of accuracy": "2 points",
        "price per time": "0.53 $/h",
        "price per size": "0.09 $/GB",
        "energy per size": "40 nJ/B",
        "rate": "30 fps",
    }
)

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_QUANTITY = re.compile(rf"\s*({_NUMBER})\s*(\S*)\s*")


def parse(text: object, kind: str, *, positive: bool = False) -> float:
    """Return the value of `text` in the inner unit of its `kind`.

    Parameters
    ----------
    text
        A number with a unit, such as ``"10 Mb/s"``.
    kind
        One of the keys of `UNITS`.
    positive
        Whether zero is refused as well as what is negative.

    Raises
    ------
    ValueError
        Where `text` is not such a quantity; the message says what was expected.
    """
    wanted = f"expected a {kind} with its unit, such as '{EXAMPLES[kind]}'"
    if not isinstance(text, str):
        raise ValueError(f"{wanted}, got the bare value {text!r}; write the number and its unit as text")
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{wanted}, got '{text}'")
    number, unit = match.groups()
    units, known = UNITS[kind], _known(kind)
    if not unit:
        raise ValueError(f"{wanted}, got '{text}', which has no unit (one of {' '.join(units)})")
    if unit not in known:
        raise ValueError(f"{wanted}, got '{text}' whose unit '{unit}' is none of {' '.join(units)}")
    return _in_range(float(number) * known[unit], text, kind, positive)


def pattern(kind: str) -> str:
    """Return a regular expression for the quantities of a `kind`, for the JSON Schema that editors read."""
    return rf"^\s*{_NUMBER}\s*({'|'.join(map(re.escape, _known(kind)))})\s*$"


def _known(kind: str) -> Mapping[str, float]:
    return {**UNITS[kind], **_ALSO.get(kind, {})}


def _in_range(value: float, text: str, kind: str, positive: bool) -> float:
    if value == float("inf"):
        raise ValueError(f"the {kind} '{text}' is too large to be a number")
    if value < 0 or (positive and value == 0):
        raise ValueError(f"a {kind} must be {'greater than 0' if positive else '0 or more'}, got '{text}'")
    return value


def format_seconds(seconds: float) -> str:
    """Return a time as people read it: four digits and the unit that fits."""
    for unit, factor in (("s", 1.0), ("ms", 1e-3)):
        if abs(seconds) >= factor:
            return f"{seconds / factor:.4g} {unit}"
    return "0 s" if seconds == 0 else f"{seconds / 1e-6:.4g} us"


def format_bytes(size: float) -> str:
    """Return a size in bytes as people read it, in powers of 1000."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(size) >= factor:
            return f"{size / factor:.4g} {unit}"
    return f"{size:.4g} B"


def format_count(count: int) -> str:
    """Return a whole number as people read it: with commas, or as a power of ten where it has over 15 digits."""
    if count < 10**15:
        return f"{count:,}"
    power = int(log10(count) + 1e-12)  # log10 takes whole numbers that no float holds
    head = f"{10 ** (log10(count) - power):.1f}"
    return f"1.0 x 10^{power + 1}" if head == "10.0" else f"{head} x 10^{power}"


def format_bandwidth(rate: float) -> str:
    """Return a bandwidth in bytes per second as bits per second, the way links are sold."""
    bits = rate * 8
    for unit, factor in (("Gb/s", 1e9), ("Mb/s", 1e6), ("kb/s", 1e3)):
        if bits >= factor:
            return f"{bits / factor:.4g} {unit}"
    return f"{bits:.4g} b/s"


def distinct_digits(values: Iterable[float], fewest: int = 6) -> int:
    """Return in how many significant digits different values are written differently: `fewest`, or what it takes.

    Seventeen digits tell any two doubles apart.
    """
    return _distinct_digits(frozenset(values), fewest)


@lru_cache(maxsize=64)
def _distinct_digits(values: frozenset[float], fewest: int) -> int:
    texts = ((digits, {f"{each:.{digits}g}" for each in values}) for digits in range(fewest, 17))
    return next((digits for digits, written in texts if len(written) == len(values)), 17)
