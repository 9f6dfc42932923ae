"""What an agent takes: who results may go to, and how long a frame has left."""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from functools import lru_cache

from tiercut.errors import QuestionError
from tiercut.offloader.protocol.channels import address_of
from tiercut.offloader.protocol.service import Refused

__all__ = ["Seen", "check_destination", "left_s"]

_LONGEST_S, _REMEMBERED = 3600.0, 65536


def check_destination(named: str | int | bool, allowed: Collection[str]) -> None:
    """Refuse results that would go to another machine than this one, unless its host is allowed.

    Raises
    ------
    Refused
        Says what is no address, or which host is not allowed.
    """
    try:
        host = address_of(str(named), what="destination").rpartition(":")[0]
    except QuestionError as error:
        raise Refused("INVALID_ARGUMENT", str(error)[:300]) from None
    if host not in allowed and not _is_loopback(host):
        raise Refused("PERMISSION_DENIED", f"results do not go to '{host[:100]}'; allow it with --results")


def left_s(parameters: Mapping[str, str | int | bool], call_s: float | None) -> float:
    """Return the seconds that a frame has left: what its sender says, or else the deadline of the call."""
    said = parameters.get("left_ns")
    if isinstance(said, int) and said > 0:
        return min(said / 1e9, _LONGEST_S)
    return _LONGEST_S if call_s is None else min(call_s, _LONGEST_S)


class Seen:
    """Frames that were here, by destination and the version that they were meant for; the oldest are forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frames: OrderedDict[tuple[str, str, str], None] = OrderedDict()

    def check(self, destination: str, number: str, frame: str) -> None:
        """Remember a frame.

        Raises
        ------
        Refused
            If it was here before.
        """
        with self._lock:
            if (destination, number, frame) in self._frames:
                raise Refused("ALREADY_EXISTS", f"frame '{frame[:100]}' was here before")
            self._frames[destination, number, frame] = None
            if len(self._frames) > _REMEMBERED:
                self._frames.popitem(last=False)


@lru_cache(256)
def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
