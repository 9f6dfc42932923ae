"""Where results go: the destinations that were used last, each with a channel of its own."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from tiercut.offloader.agent.outlet import Outlet
from tiercut.offloader.links.path import Way

__all__ = ["Homes"]

_MOST = 64


class Homes:
    """Outlets by destination and way; of too many the one that was not used for longest is closed.

    Parameters
    ----------
    opened
        Makes an outlet to HOST:PORT over a way.
    """

    def __init__(self, opened: Callable[[str, Way], Outlet]) -> None:
        self._opened, self._lock = opened, threading.Lock()
        self._outlets: OrderedDict[tuple[str, Way], Outlet] = OrderedDict()  # the one that was used last stands last

    def to(self, destination: str, way: Way) -> Outlet:
        """Return the outlet to a destination over a way."""
        key = destination, way
        with self._lock:
            if key not in self._outlets:
                if len(self._outlets) >= _MOST:
                    threading.Thread(target=self._outlets.popitem(last=False)[1].close, daemon=True).start()
                self._outlets[key] = self._opened(destination, way)
            self._outlets.move_to_end(key)
            return self._outlets[key]

    def close(self) -> None:
        """Send what waits, and close all."""
        for outlet in list(self._outlets.values()):
            outlet.close()
