"""What frames tell of conditions: seconds of nodes and bandwidths of links, smoothed, from their own timings."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from statistics import median

from tiercut.offloader.agent.timings import of_stage
from tiercut.offloader.local.outcome import Outcome
from tiercut.optimizer import Itinerary, Plan, Problem, decide_again, itinerary, name_of
from tiercut.topologies import Topology, directions_of

__all__ = ["Smoothed", "Watcher"]

_KEPT, _WEIGHT = 5, 0.5
_STALE_NS = 1_000_000_000
_LEAST_S = 1e-4
"""What a link is busy for less cannot be told from what a hop takes besides."""


class Smoothed:
    """A number that is measured again and again: the median of the last few, then an exponential mean.

    Parameters
    ----------
    start
        What it is before anything was measured.
    kept
        Of how many the median is taken: a single measurement that is off by any amount moves nothing.
    weight
        Of the newest median in the mean.
    """

    def __init__(self, start: float, kept: int = _KEPT, weight: float = _WEIGHT) -> None:
        self.start = self.value = start
        self._last: deque[float] = deque(maxlen=kept)
        self._weight = weight
        self.seen_ns = time.monotonic_ns()

    def add(self, measured: float) -> None:
        """Take a measurement; after a while without any, what was before says nothing any more."""
        if time.monotonic_ns() - self.seen_ns > _STALE_NS:
            self._last.clear()
            self.value = measured
        self._last.append(measured)
        self.value += self._weight * (median(self._last) - self.value)
        self.seen_ns = time.monotonic_ns()


class Watcher:
    """Conditions as frames show them.

    Parameters
    ----------
    names
        Of the conditions that are followed: slowdowns of nodes and bandwidths of links; others stay as they are.
    topology, problem
        What is expected.
    """

    def __init__(self, names: Sequence[str], topology: Topology, problem: Problem) -> None:
        self._problem = problem
        self._slow: dict[str, tuple[str, float]] = {}
        self._fast: dict[tuple[str, str], list[str]] = {}
        self._held: dict[str, Smoothed] = {}
        self._paths: dict[str, Itinerary] = {}
        for name in names:
            kind, place = name_of(name)
            if kind == "slowdown":
                now = topology.node(place).slowdown
                self._slow[place] = (name, now)
                self._held[name] = Smoothed(now)
            elif kind == "bandwidth":
                ways = directions_of(topology, place)
                for way in ways:
                    self._fast.setdefault(way, []).append(name)
                self._held[name] = Smoothed(1 / topology.hops[ways[0]].bandwidth)

    def know(self, number: str, plan: Plan) -> None:
        """Say what a number stands for."""
        self._paths[number] = itinerary(self._problem, decide_again(self._problem, plan))

    @property
    def values(self) -> dict[str, float]:
        """Every condition that is followed, by name, in inner units."""
        bandwidth = {each for names in self._fast.values() for each in names}
        return {name: 1 / each.value if name in bandwidth else each.value for name, each in self._held.items()}

    def unseen(self, since_ns: int) -> Mapping[str, float]:
        """Return conditions that nothing was seen of since a time, as they are to begin with."""
        bandwidth = {each for names in self._fast.values() for each in names}
        return {
            name: 1 / each.start if name in bandwidth else each.start
            for name, each in self._held.items()
            if each.seen_ns < since_ns
        }

    def see(self, outcome: Outcome) -> None:
        """Take what a frame that was answered tells."""
        path = self._paths.get(outcome.plan)
        if path is None or outcome.exit is None:
            return
        expected: dict[int, float] = {}
        for step in path.steps:
            if step.sort == "compute" and step.last <= outcome.exit:
                expected[step.stage] = expected.get(step.stage, 0.0) + step.seconds
        for step in path.steps:
            arrived = 0 if step.sort == "input" else step.stage + 1
            times = of_stage(outcome.parameters, arrived + 1) if step.sort in ("input", "send") else None
            if times is not None and "send" in times:
                self._see_link(path, step, times["send"])
        decision = path.decision
        for stage, seconds in expected.items():
            times = of_stage(outcome.parameters, stage + 1)
            node = self._problem.nodes[decision.placement[stage]]
            if times is not None and node in self._slow and seconds > 0:
                name, now = self._slow[node]
                self._held[name].add(now * times["compute"] / seconds)

    def _see_link(self, path: Itinerary, step: object, took_s: float) -> None:
        hops = path.hops(step)  # type: ignore[arg-type]
        if len(hops) != 1:  # of several links nobody knows which one it was
            return
        (hop,) = hops
        busy_s = max(took_s - hop.latency, _LEAST_S)
        for name in self._fast.get((hop.sender, hop.receiver), ()):
            self._held[name].add(busy_s / step.size)  # type: ignore[attr-defined]
