"""What ``iperf3 -J`` and ``ping`` print, as figures of a link, for where `tiercut listen` cannot run."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from tiercut.documents import parse_json, read_text
from tiercut.errors import InputError

__all__ = ["SIZE_LIMIT", "Rates", "read_iperf3", "read_ping"]

SIZE_LIMIT = 16 << 20
"""Most bytes of a file: a day of pings has a third of that."""

_REPLY = re.compile(r"\b(?:time|Zeit|temps|tiempo)\s?([=<])\s?([0-9]+(?:[.,][0-9]+)?)\s?(ms|us|usec|msec|s|sec)\b")
_SUMMARY = re.compile(r"(?:rtt|round-trip)[^=]*=\s*[0-9.]+/([0-9.]+)/[0-9.]+(?:/[0-9.]+)?\s*ms")
_UNITS = {"ms": 1e-3, "msec": 1e-3, "us": 1e-6, "usec": 1e-6, "s": 1.0, "sec": 1.0}


@dataclass(frozen=True, slots=True)
class Rates:
    """Bandwidths that iperf3 measured, in bytes per second; None for a direction that it did not.

    Parameters
    ----------
    up
        From the client to the server.
    down
        From the server to the client: ``-R`` or ``--bidir``.
    """

    up: float | None = None
    down: float | None = None


def read_iperf3(path: str | os.PathLike[str]) -> Rates:
    """Return the rates at which data arrived, from what ``iperf3 --client SERVER --json`` printed.

    Parameters
    ----------
    path
        A file with its standard output, of TCP or UDP, of either direction or both.

    Raises
    ------
    InputError
        If it holds something else, or iperf3 reports an error.
    """
    source = os.fspath(path)
    data = parse_json(read_text(path, limit=SIZE_LIMIT), source)
    if isinstance(data, dict) and "error" in data:
        raise InputError(source, f"iperf3 failed: {data['error']}")
    if not isinstance(data, dict) or not isinstance(data.get("end"), dict):
        raise InputError(source, "is nothing that iperf3 prints; run it as: iperf3 --client SERVER --json")
    end, how = data["end"], _mapping(_mapping(data, "start"), "test_start")
    rate = _rate(end, "", source)
    if how.get("bidir"):
        return Rates(rate, _rate(end, "_bidir_reverse", source))
    return Rates(down=rate) if how.get("reverse") else Rates(up=rate)


def _mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = data.get(key)
    return found if isinstance(found, dict) else {}


def _rate(end: Mapping[str, Any], direction: str, source: str) -> float:
    """Return bytes per second that arrived; older versions give UDP one sum, which counts what was lost, too."""
    arrived, both = _mapping(end, f"sum_received{direction}"), _mapping(end, f"sum{direction}")
    kept = 1 - _number(both.get("lost_percent", 0.0)) / 100
    rate = _number(arrived.get("bits_per_second")) or _number(both.get("bits_per_second")) * kept
    if not rate > 0:
        raise InputError(source, f"end.sum_received{direction}.bits_per_second: nothing arrived, or it is missing")
    return rate / 8


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) < 2**63 else 0.0


def read_ping(path: str | os.PathLike[str]) -> float:
    """Return the seconds that one way takes, half of the median round trip, from what ``ping`` printed.

    Parameters
    ----------
    path
        A file with its standard output, of Linux, BusyBox, macOS, BSD or Windows. With ``-q`` the mean is all there
        is, and is taken.

    Raises
    ------
    InputError
        If no reply is in it.
    """
    source = os.fspath(path)
    text = read_text(path, limit=SIZE_LIMIT)
    lines = [line for line in text.splitlines() if "DUP!" not in line]
    replies = [found.groups() for found in map(_REPLY.search, lines) if found]
    # "<1ms" is all that Windows says of a short one; half of it is as near as one can say.
    trips = [
        float(number.replace(",", ".")) * _UNITS[unit] * (0.5 if sign == "<" else 1) for sign, number, unit in replies
    ]
    if not trips and (summary := _SUMMARY.search(text)):
        trips = [float(summary[1]) * 1e-3]
    if not trips:
        raise InputError(source, "no reply is in it; save what ping prints, such as: ping -c 20 HOST > FILE")
    return median(trips) / 2
