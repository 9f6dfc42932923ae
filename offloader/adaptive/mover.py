"""When a plan gives way to another: what a policy says of what frames show, once staying has cost as much as moving."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from queue import SimpleQueue
from typing import Any, Protocol

from numpy.typing import NDArray

from tiercut.errors import QuestionError
from tiercut.offloader.adaptive.asking import Asking
from tiercut.offloader.adaptive.fleet import Fleet, Ready, same_plan
from tiercut.offloader.adaptive.priced import Priced
from tiercut.offloader.adaptive.silence import AGAIN, LOOK_S, Missed, Silence
from tiercut.offloader.adaptive.watcher import Watcher
from tiercut.offloader.local.driver import Driver
from tiercut.offloader.local.outcome import Outcome
from tiercut.optimizer import Plan

__all__ = ["Move", "Mover", "PolicyLike"]

_MARGIN = 0.1
"""Share of the latency below which a gain is none: measurements differ by as much."""

_BEHIND = 0.5
"""What a frame is said to lose, as a share of the latency, by a plan that does not keep up with the rate."""

_AGAIN_S, _LONGEST_S, _BEAT_S, _PATIENCE_S = 1.0, 8.0, 0.25, 1.0
_WAITING_S = 0.2
"""How soon a further copy is sent where one is waited for: as soon as that one is there, it is known again."""

_SLOW = "deadline", "DEADLINE_", "RESOURCE_EXHAUSTED", "ALREADY_EXISTS"
"""What a node that is well may say of a frame: it was too late, there were too many, or it is here already."""


class PolicyLike(Protocol):
    """What says which plan to run: `tiercut.analysis.Policy`, or `tiercut.offloader.adaptive.asking.Asking`."""

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of what it follows."""
        ...

    @property
    def plans(self) -> tuple[Plan, ...]:
        """All that it may say."""
        ...

    def choices(self, values: Mapping[str, float], avoid: Collection[str] = ()) -> Sequence[tuple[Plan, float]]:
        """Return the plans that may run without some nodes, each with its latency in seconds."""
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
        What it took to find it among all plans that are known.
    switch_s
        From the decision until frames went by the plan, loading included where it was not ready.
    gap_s
        From the last result before the first one by the new plan until that one; None where there is none.
    """

    at_s: float
    before: Plan
    after: Plan
    why: str
    deciding_s: float
    switch_s: float
    gap_s: float | None = None


class Mover:
    """Follows frames, and moves a driver from plan to plan.

    Parameters
    ----------
    driver, fleet, watcher, policy
        What frames go by, where plans are loaded, what frames show, and which plan is the best then.
    now
        The plan to begin with, which is ready.
    full
        Gives the nodes that do not have room for some plans at once.
    asking
        What is told of conditions after every frame, and asks a solver beside the frames.
    rates
        Knows which rate a plan keeps up with, and the frames per second that it must; None: none.
    clock
        Nanoseconds, as frames have them.
    """

    def __init__(
        self,
        driver: Driver,
        fleet: Fleet,
        watcher: Watcher,
        policy: PolicyLike,
        now: Ready,
        *,
        full: Callable[[Sequence[Plan]], Collection[str]] = lambda _: (),
        asking: Asking | None = None,
        rates: tuple[Priced, float] | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._driver, self._fleet, self._watcher, self._policy = driver, fleet, watcher, policy
        self.now, self._full, self._clock = now, full, clock
        self._asking, self._rates = asking, rates
        self.moves: list[Move] = []
        self.begun_ns = clock()
        self._regret_s, self._down = 0.0, set[str]()
        self._lock = threading.RLock()
        self._ended: SimpleQueue[Outcome | None] = SimpleQueue()
        self._again_s, self._try_ns = _AGAIN_S, self.begun_ns + round(_AGAIN_S * 1e9)
        self._asks, self._token = 0, secrets.token_hex(4)
        self._closed = threading.Event()
        self._silence = Silence(driver, fleet, watcher, clock)
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Follow what the driver sends from now on."""
        self._driver.on_end = self._ended.put
        self._driver.rescue = self.rescue
        for work in (self._follow, self._beat, self._listen):
            self._threads.append(threading.Thread(target=work, daemon=True, name="mover"))
            self._threads[-1].start()
        if self._asking is not None:
            self._asking.start(self.prepare)

    @property
    def origin_ns(self) -> int | None:
        """From when on moves count their seconds."""
        return self.begun_ns

    def close(self) -> None:
        """Follow no longer."""
        self._closed.set()
        if self._asking is not None:
            self._asking.close()
        self._ended.put(None)
        for thread in self._threads:
            thread.join(2 * _PATIENCE_S)

    def _follow(self) -> None:
        while (outcome := self._ended.get()) is not None:
            self.take(outcome)

    def take(self, outcome: Outcome) -> None:
        """Take a frame that was answered; move if staying has cost what a move costs: a frame by the plan of now.

        What staying costs is added up over frames since another plan is better; frames where it is not pay it back.
        """
        self._watcher.see(outcome)
        with self._lock:
            begun_ns, was, values = time.perf_counter_ns(), self.now, self._watcher.values
            best, best_s = self._choose(values)
            now_s = self._policy.latency_of(was.plan, values)
            now_s = self._watcher.seconds(was.number) if now_s is None else now_s
            behind = not self._keeps_up(was.plan, values)
            took_s = (time.perf_counter_ns() - begun_ns) / 1e9
            if self._asking is not None:
                self._asking.heed(values, self._down)
            if best is None or same_plan(best, was.plan):
                self._regret_s = max(self._regret_s - _MARGIN * now_s, 0.0)
                return
            gain_s = _BEHIND * now_s if behind else now_s - best_s  # every frame then waits for longer than the last
            self._regret_s = max(self._regret_s + (gain_s if gain_s > _MARGIN * now_s else -_MARGIN * now_s), 0.0)
            if self._regret_s < now_s:
                return
        why = f"{now_s * 1e3:.3g} ms became {best_s * 1e3:.3g} ms"
        if behind:
            why = f"it kept up with {self._rate_of(was.plan, values):.3g} frames per second only"
        self._move(best, why, took_s, was)

    def _choose(self, values: Mapping[str, float]) -> tuple[Plan | None, float]:
        """Return the quickest plan of those that keep up with the rate, and its latency; where none does, the nearest.

        None where that of now is to stay, or there is no plan. Another plan than that of now must be able to take a
        tenth more, or it would be left again at once.
        """
        choices = self._policy.choices(values, self._down)
        quick = [each for each in choices if self._keeps_up(each[0], values, _MARGIN)]
        if quick or not choices:
            return min(quick, key=lambda each: each[1], default=(None, inf))
        best = max(choices, key=lambda each: self._rate_of(each[0], values))
        if self._rate_of(best[0], values) > (1 + _MARGIN) * self._rate_of(self.now.plan, values):
            return best
        stays = best if self._down & set(self.now.plan.placement) else (None, inf)  # it may be none of the policy's
        return next((each for each in choices if same_plan(each[0], self.now.plan)), stays)

    def _rate_of(self, plan: Plan, values: Mapping[str, float]) -> float:
        return inf if self._rates is None else self._rates[0].rate(plan, values)

    def _keeps_up(self, plan: Plan, values: Mapping[str, float], margin: float = 0.0) -> bool:
        if self._rates is None:
            return True
        more = 0.0 if same_plan(plan, self.now.plan) else margin
        return self._rate_of(plan, values) >= (1 + more) * self._rates[1]

    def prepare(self, plan: Plan) -> None:
        """Make a plan ready that frames may go by later.

        Raises
        ------
        QuestionError
            If its agents do not take it.
        """
        self._load(plan)

    def _move(self, plan: Plan, why: str, deciding_s: float, was: Ready) -> bool:
        """Move, unless it was left meanwhile, and return whether it did; frames go on while a plan is loaded."""
        begun_ns = time.perf_counter_ns()
        try:
            ready = self._load(plan)
        except QuestionError:
            self._regret_s = 0.0
            return False
        with self._lock:
            forgotten = ready.number not in self._fleet.ready
            if forgotten or self.now is not was or self._down & set(plan.placement):
                return False
            self._driver.use(ready.number)
            at_s = (self._clock() - self.begun_ns) / 1e9
            switch_s = (time.perf_counter_ns() - begun_ns) / 1e9
            self.moves.append(Move(at_s, was.plan, plan, why, deciding_s, switch_s))
            self.now, self._regret_s = ready, 0.0
            return True

    def _load(self, plan: Plan) -> Ready:
        found = self._fleet.find(plan)
        if found is None:
            self._make_room(plan)
            found = self._fleet.load(plan, told=self._tell)
        return found

    def _tell(self, ready: Ready) -> None:
        """Tell the driver and the watcher of a plan, before anybody can find it."""
        self._driver.add(ready.number, ready.bundles, ready.address, ready.way)
        self._watcher.know(ready.number, ready.plan)

    def _make_room(self, plan: Plan) -> None:
        """Let agents forget plans that no frame uses, the oldest first, until there is room for one more.

        Where the plan of now leaves no room, both are there while one gives way to the other.
        """
        retired = list[Ready]()
        with self._lock:
            for ready in list(self._fleet.ready.values()):
                full = set(self._full([*(each.plan for each in self._fleet.ready.values()), plan]))
                if not full:
                    break
                used = ready.number == self.now.number or self._driver.under_way(ready.number)
                if not used and full & set(ready.plan.placement):
                    retired.append(self._fleet.retire(ready.number))
        for ready in retired:  # an agent may not answer, and frames do not wait for that
            self._fleet.forget(ready)

    # What nobody has seen for a while.

    def turn(self, tensors: Mapping[str, NDArray[Any]], due_s: float = 0.0) -> None:
        """Send a copy of a frame, now and then, by the plan that would be the best if all that is unseen were well.

        Nobody waits for its answer; it shows whether what was slow has recovered. It does not matter when the frame is
        due.
        """
        del due_s
        if not self._lock.acquire(blocking=False):  # a move goes on: frames do not wait for it
            return
        try:
            now_ns = self._clock()
            if now_ns < self._try_ns:
                return
            best, _ = self._choose(self._watcher.values | dict(self._watcher.unseen))
            found = None if best is None else self._fleet.find(best)
            if found is not None and found is not self.now:
                if self._driver.under_way(found.number):
                    return
                self._asks += 1
                entry = self._driver.entry_of(found.number)
                self._driver.send(f"{self._token} ask {self._asks}", tensors, now_ns, by=entry)
                self._again_s = _WAITING_S if self._watcher.is_waiting else min(2 * self._again_s, _LONGEST_S)
            else:
                self._again_s = _AGAIN_S
            self._try_ns = now_ns + round(self._again_s * 1e9)
        finally:
            self._lock.release()

    # What does not come back.

    def _listen(self) -> None:
        while not self._closed.wait(LOOK_S):
            self.listen()

    def listen(self) -> None:
        """Look for frames that are missed, and move if the wait has cost what a frame by another plan takes."""
        for missed in self._silence.look():
            if missed.silent:
                self._leave(missed.silent)
            if missed.told:
                self._suspect(missed)

    def _suspect(self, missed: Missed) -> None:
        """Leave the plan of now, if frames of it are missed and another plan is better by what is known now.

        What is stuck on a plan that was left already is sent again by that of now.
        """
        why = f"nothing came back for {missed.waited_s * 1e3:.3g} ms"
        with self._lock:
            begun_ns, was, values = time.perf_counter_ns(), self.now, self._watcher.values
            if self._asking is not None:
                self._asking.heed(values, self._down)
            if missed.number != was.number:
                if self._is_enough(missed, self._watcher.seconds(was.number)):
                    self._driver.send_again(missed.number, why)
                return
            best, best_s = self._choose(values)
            now_s = self._policy.latency_of(was.plan, values)
            now_s = self._watcher.seconds(was.number) if now_s is None else now_s
            took_s = (time.perf_counter_ns() - begun_ns) / 1e9
            if best is None or same_plan(best, was.plan) or not self._is_enough(missed, best_s):
                return
            if now_s - best_s <= _MARGIN * now_s and self._keeps_up(was.plan, values):
                return
        if self._move(best, why, took_s, was):
            self._driver.send_again(was.number, why)

    def _is_enough(self, missed: Missed, other_s: float) -> bool:
        """Return whether the wait has cost what a frame by another plan takes, or its deadline leaves no more time."""
        left_s = self._driver.deadline_s - AGAIN * missed.waited_s
        return missed.lost_s >= other_s or left_s < (1 + _MARGIN) * other_s

    # What does not answer.

    def rescue(self, number: str, reason: str) -> bool:
        """Leave a plan that lost a frame, if a node of it does not answer; return whether there is another one."""
        with self._lock:
            if self._closed.is_set():  # agents are ended, and lose what nobody waits for
                return False
            if number == self.now.number:
                slow = any(word in reason for word in _SLOW)
                gone = [n for n in self.now.plan.placement if not slow and self._fleet.addresses[n] in reason]
                self._leave(gone or [n for n in self.now.plan.placement if not self._fleet.is_up(n, _PATIENCE_S)])
            return number != self.now.number

    def _leave(self, gone: Collection[str]) -> None:
        """Do without some nodes from now on, until they are there again, and send again what they were to answer."""
        with self._lock:
            self._do_without(gone)
            if not self._down & set(self.now.plan.placement):
                return
            while True:
                why = f"{', '.join(sorted(self._down))} did not answer"
                begun_ns = time.perf_counter_ns()
                best, _ = self._choose(self._watcher.values)
                took_s = (time.perf_counter_ns() - begun_ns) / 1e9
                if best is None:  # until a node is back, or the next beat
                    return
                if self._move(best, why, took_s, self.now):
                    break
                silent = {n for n in best.placement if not self._fleet.is_up(n, _PATIENCE_S)} - self._down
                if not silent:
                    return
                self._do_without(silent)
            for ready in list(self._fleet.ready.values()):
                if self._down & set(ready.plan.placement):
                    self._driver.send_again(ready.number, why)

    def _do_without(self, gone: Collection[str]) -> None:
        """Avoid some nodes from now on, until they answer again."""
        for node in set(gone) - self._down:
            self._down.add(node)
            threading.Thread(target=self._await, args=(node,), daemon=True).start()

    def _beat(self) -> None:
        """Ask the nodes of the plan whether they are there: one that took a frame and died says nothing."""
        missed: set[str] = set()
        while not self._closed.wait(_BEAT_S):
            silent = {n for n in self.now.plan.placement if not self._fleet.is_up(n, _PATIENCE_S)}
            if twice := silent & missed:
                self._leave(twice)
            missed = silent

    def _await(self, node: str) -> None:
        """Wait until a node answers again, and tell it what it forgot."""
        while not self._closed.wait(_BEAT_S):
            if self._fleet.is_up(node, _PATIENCE_S):
                try:
                    self._fleet.load_again(node)
                except QuestionError:
                    continue
                with self._lock:
                    self._down.discard(node)
                return
