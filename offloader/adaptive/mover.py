"""When a plan gives way to another: what a policy says of what frames show, once staying has cost as much as moving."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Protocol

from tiercut.errors import QuestionError
from tiercut.offloader.adaptive.fleet import Fleet, Ready, same_plan
from tiercut.offloader.adaptive.watcher import Watcher
from tiercut.offloader.local.driver import Driver
from tiercut.offloader.local.outcome import Outcome
from tiercut.optimizer import Plan

__all__ = ["Move", "Mover", "PolicyLike"]

_MARGIN = 0.05
"""Share of the latency below which a gain is none: measurements differ by as much."""

_AGAIN_S, _LONGEST_S, _WATCH_S, _PATIENCE_S = 1.0, 30.0, 0.25, 0.4


class PolicyLike(Protocol):
    """What says which plan to run: `tiercut.analysis.Policy`."""

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of what it follows."""
        ...

    @property
    def plans(self) -> tuple[Plan, ...]:
        """All that it may say."""
        ...

    def best(self, values: Mapping[str, float], avoid: Collection[str] = ()) -> tuple[Plan | None, float]:
        """Return the best plan without some nodes, and its latency in seconds."""
        ...

    def latency_of(self, plan: Plan, values: Mapping[str, float]) -> float | None:
        """Return the latency of a plan; None where it is not known."""
        ...


@dataclass(frozen=True, slots=True)
class Move:
    """A change of plan.

    Parameters
    ----------
    at_s
        Seconds from when the first frame was due.
    before, after
        The plans.
    why
        What had changed, in words.
    deciding_s
        What it took to look the plan up.
    switch_s
        From the decision until frames went by the plan, loading included where it was not ready.
    """

    at_s: float
    before: Plan
    after: Plan
    why: str
    deciding_s: float
    switch_s: float


class Mover:
    """Follows frames, and moves a driver from plan to plan.

    Parameters
    ----------
    driver, fleet, watcher, policy
        What frames go by, where plans are loaded, what frames show, and which plan is the best then.
    now
        The plan to begin with, which is ready.
    """

    def __init__(self, driver: Driver, fleet: Fleet, watcher: Watcher, policy: PolicyLike, now: Ready) -> None:
        self._driver, self._fleet, self._watcher, self._policy = driver, fleet, watcher, policy
        self.now = now
        self.moves: list[Move] = []
        self._regret_s, self._begun_ns = 0.0, time.monotonic_ns()
        self._down: set[str] = set()
        self._lock = threading.RLock()
        self._ended: SimpleQueue[Outcome | None] = SimpleQueue()
        self._again_s, self._try_ns = _AGAIN_S, time.monotonic_ns() + round(_AGAIN_S * 1e9)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True, name="mover")
        driver.on_end = self._ended.put
        driver.rescue = self._rescue
        self._thread.start()

    def _follow(self) -> None:
        while (outcome := self._ended.get()) is not None:
            self._watcher.see(outcome)
            self._consider()

    def _consider(self) -> None:
        """Move if what staying has cost since another plan is better is what a move costs: a frame of the plan."""
        with self._lock:
            begun = time.perf_counter_ns()
            values = self._watcher.values
            best, best_s = self._policy.best(values, self._down)
            now_s = self._policy.latency_of(self.now.plan, values)
            took_s = (time.perf_counter_ns() - begun) / 1e9
            if best is None or now_s is None or same_plan(best, self.now.plan):
                self._regret_s = 0.0
                return
            gain_s = now_s - best_s
            self._regret_s = max(self._regret_s + (gain_s if gain_s > _MARGIN * now_s else -gain_s), 0.0)
            if self._regret_s >= now_s:
                self._move(best, f"{now_s * 1e3:.3g} ms became {best_s * 1e3:.3g} ms", took_s)

    def _move(self, plan: Plan, why: str, deciding_s: float) -> None:
        begun = time.perf_counter_ns()
        try:
            ready = self._load(plan)
        except QuestionError:
            return
        self._driver.use(ready.number)
        at_s = (time.monotonic_ns() - self._begun_ns) / 1e9
        switch_s = (time.perf_counter_ns() - begun) / 1e9
        self.moves.append(Move(at_s, self.now.plan, plan, why, deciding_s, switch_s))
        self.now, self._regret_s = ready, 0.0

    def _load(self, plan: Plan) -> Ready:
        found = self._fleet.find(plan)
        if found is None:
            found = self._fleet.load(plan)
            self._driver.add(found.number, found.bundles, found.address, found.way)
            self._watcher.know(found.number, plan)
        return found

    # What nobody has seen for a while.

    def turn(self) -> None:
        """Choose the plan of the next frame: now and then the one that would be the best if all unseen were well."""
        with self._lock:
            now_ns = time.monotonic_ns()
            if now_ns < self._try_ns:
                self._driver.use(self.now.number)
                return
            hoped = self._watcher.values | dict(self._watcher.unseen(now_ns - round(_AGAIN_S * 1e9)))
            best, _ = self._policy.best(hoped, self._down)
            found = None if best is None else self._fleet.find(best)
            if found is not None and found is not self.now:
                self._driver.use(found.number)
                self._again_s = min(2 * self._again_s, _LONGEST_S)
            else:
                self._again_s = _AGAIN_S
            self._try_ns = now_ns + round(self._again_s * 1e9)

    # What does not answer.

    def _rescue(self, number: str, reason: str) -> bool:
        """Leave a plan that lost a frame, if a node of it does not answer; return whether there is another one."""
        with self._lock:
            if number == self.now.number:
                gone = [node for node in self.now.plan.placement if self._fleet.addresses[node] in reason]
                gone = gone or [n for n in self.now.plan.placement if not self._fleet.is_up(n, _PATIENCE_S)]
                begun = time.perf_counter_ns()
                self._down.update(gone)
                best, _ = self._policy.best(self._watcher.values, self._down)
                took_s = (time.perf_counter_ns() - begun) / 1e9
                if not gone or best is None:
                    return False
                self._move(best, f"{', '.join(gone)} did not answer", took_s)
                for node in gone:
                    threading.Thread(target=self._await, args=(node,), daemon=True).start()
            self._driver.use(self.now.number)
            return number != self.now.number

    def _await(self, node: str) -> None:
        """Wait until a node answers again, and tell it what it forgot."""
        while not self._closed.wait(_WATCH_S):
            if self._fleet.is_up(node, _PATIENCE_S):
                try:
                    self._fleet.load_again(node)
                except QuestionError:
                    continue
                with self._lock:
                    self._down.discard(node)
                return

    def close(self) -> None:
        """Follow no longer."""
        self._closed.set()
        self._ended.put(None)
        self._thread.join(2.0)
