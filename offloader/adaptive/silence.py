"""What does not come back: frames that are missed, and where on their way they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tiercut.offloader.adaptive.fleet import Fleet
from tiercut.offloader.adaptive.watcher import Watcher
from tiercut.offloader.local.driver import Driver

__all__ = ["AGAIN", "LOOK_S", "Missed", "Silence"]

LOOK_S, _STALLED_S = 0.01, 0.03
"""How often it is looked, and how late a look is of a process that stood still itself, and missed what came."""

_PATIENCE_S, AGAIN = 0.3, 1.25
"""How long an agent has to answer, and after how many times as long a silence it is asked again."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A plan by which nothing comes back.

    Parameters
    ----------
    number
        Of the plan.
    waited_s
        For how long.
    lost_s
        How much longer that is than a frame was expected to take.
    told
        Whether it is known where its frames are.
    silent
        Nodes whose agents do not answer.
    """

    number: str
    waited_s: float
    lost_s: float
    told: bool
    silent: frozenset[str]


@dataclass(slots=True)
class _Late:
    since_ns: int
    expected_s: float
    again_s: float = 0.0
    told: bool = False


class Silence:
    """Looks for frames that are missed, and says so to a watcher.

    A frame is missed once nothing has come by its plan for twice as long as its longest way takes, and so much longer
    than that as hardly any frame was lately. Then what waits where is asked: the source's own way to the first agent,
    and each agent in turn. A message that a link has had for so long bounds what the link carries, before any frame
    has failed.

    Parameters
    ----------
    driver, fleet, watcher
        What knows of frames under way, of what waits at agents, and what is expected.
    clock
        Nanoseconds, as frames have them.
    """

    def __init__(
        self, driver: Driver, fleet: Fleet, watcher: Watcher, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._driver, self._fleet, self._watcher, self._clock = driver, fleet, watcher, clock
        self._late: dict[str, _Late] = {}
        self._looked_ns = clock()

    def look(self) -> Iterator[Missed]:
        """Yield every plan by which frames are missed, when they begin to be, and ever more rarely afterwards."""
        now_ns, before_ns = self._clock(), self._looked_ns
        self._looked_ns = now_ns
        if now_ns - before_ns > (LOOK_S + _STALLED_S) * 1e9:
            return
        for number, since_ns in self._driver.waiting.since(now_ns).items():
            waited_s, late = (now_ns - since_ns) / 1e9, self._late.get(number)
            if late is None or late.since_ns != since_ns:
                expected_s = self._watcher.longest_s(number)
                if not self._watcher.misses(waited_s, expected_s):
                    continue
                late = self._late[number] = _Late(since_ns, expected_s)
            if waited_s < late.again_s:
                continue
            late.again_s = AGAIN * waited_s
            told, silent = self._ask(number)
            late.told |= told
            yield Missed(number, waited_s, waited_s - late.expected_s, late.told, silent)
        self._looked_ns = self._clock()

    def _ask(self, number: str) -> tuple[bool, frozenset[str]]:
        """Tell the watcher where frames of a plan are; return whether it learnt anything, and who does not answer."""
        told, silent = False, set[str]()
        waits = self._driver.entry_of(number).outlet.waits
        if waits is not None:
            told = self._watcher.miss_message(number, "input", 0, self._since_s(waits.since_ns), waits.size)
        if told or number not in self._fleet.known:
            return told, frozenset()
        for stage, node in enumerate(self._watcher.nodes_of(number)):
            found = self._fleet.waits(node, number, self._driver.address, _PATIENCE_S)
            if found is None:
                silent.add(node)
                continue
            if "compute_ns" in found:
                told |= self._watcher.miss_node(number, stage, found["compute_ns"] / 1e9)
            for name, sort in (("onward", "send"), ("home", "result")):
                if f"{name}_ns" in found:
                    waited_s, size = found[f"{name}_ns"] / 1e9, found[f"{name}_bytes"]
                    told |= self._watcher.miss_message(number, sort, stage, waited_s, size)
        return told, frozenset(silent)

    def _since_s(self, since_ns: int) -> float:
        return (self._clock() - since_ns) / 1e9
