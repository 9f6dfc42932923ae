"""What frames tell of conditions: seconds of nodes and bandwidths of links, smoothed, from their own timings."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tiercut.offloader.agent.timings import named, of_stage
from tiercut.offloader.local.outcome import Outcome
from tiercut.offloader.local.timing import Round
from tiercut.optimizer import Itinerary, Plan, Problem, Step, decide_again, itinerary, name_of
from tiercut.topologies import Hop, Topology, directions_of

__all__ = ["Smoothed", "Watcher"]

_KEPT, _WEIGHT = 5, 0.5
_REMEMBERED = 32
_LEAST_S = 1e-4
"""What a link is busy for less cannot be told from what a hop takes besides."""

_OVERDUE, _STRAYED, _LOOKED_BACK, _WAIT_S = 2.0, 1.5, 64, (0.025, 0.1)
"""What has taken so many times as long as expected is missed, if that is also so many times as much longer as all but
one of the last frames strayed by; of seconds so few and so many at the least and at the most."""

_DOWN_S, _DOWN_TIMES, _DOWN = 0.5, 10.0, 1.0
"""A link that has had a message for so many seconds, and so many times as long as it takes when all is well, is down:
it carries a byte in so many seconds."""


def _is_down(waited_s: float, usual_s: float) -> bool:
    return waited_s >= max(_DOWN_S, _DOWN_TIMES * usual_s)


class Smoothed:
    """A number that is measured again and again: the median of the last few, then an exponential mean.

    Parameters
    ----------
    start
        What it is before anything was measured.
    """

    def __init__(self, start: float) -> None:
        self.start = self.value = start
        self._last: deque[float] = deque(maxlen=_KEPT)
        self.seen_ns: int | None = None
        self.bound_ns: int | None = None
        """When it was last said to be so much at least, if nothing was measured since."""
        self.homeward = False
        """Whether results said so, which are too small to measure a link by."""

    def add(self, measured: float, now_ns: int, stale_ns: int) -> None:
        """Take a measurement; after so long without any, what was before says nothing any more.

        A single measurement that is off by any amount moves nothing, because of the median.
        """
        if self.bound_ns is not None or (self.seen_ns is not None and now_ns - self.seen_ns > stale_ns):
            self._last.clear()
            self.value, self.bound_ns = measured, None
        self._last.append(measured)
        self.value += _WEIGHT * (median(self._last) - self.value)
        self.seen_ns = now_ns

    def at_least(self, bound: float, now_ns: int, *, homeward: bool = False) -> bool:
        """Take it that the number is not below a bound, until it is measured again; return whether that is news."""
        if bound <= self.value:
            return False
        self.value, self.bound_ns, self.seen_ns, self.homeward = bound, now_ns, now_ns, homeward
        return True

    def lift(self, now_ns: int) -> None:
        """Take it that it is what it was before anything was measured: what bounded it is over."""
        self._last.clear()
        self.value, self.bound_ns, self.seen_ns = self.start, None, now_ns


@dataclass(frozen=True, slots=True)
class _Expected:
    """A plan as it was known before: its steps, the links of each, and what was timed beside the model.

    Parameters
    ----------
    path
        The steps.
    hops
        The links of each.
    spare_s
        What a message takes to each stage besides its links.
    pieces_s
        By stage, what each of its pieces takes, and the block that it ends with.
    """

    path: Itinerary
    hops: dict[Step, tuple[Hop, ...]]
    spare_s: tuple[float, ...]
    pieces_s: tuple[tuple[tuple[int, float], ...], ...]


class Watcher:
    """Conditions as frames show them.

    Parameters
    ----------
    names
        Of the conditions that are followed: slowdowns of nodes and bandwidths of links; others stay as they are.
    topology, problem
        What is expected.
    stale_s
        What was seen so long ago is forgotten as soon as there is news.
    clock
        Nanoseconds, as frames have them.

    Notes
    -----
    Where a frame waits for a link behind another one, only the time since that one left counts, so that a link that is
    full does not look like a slow one. Of a way over several links only the sum is seen. What links take that were
    seen alone lately is taken from it; all others are thought to be slower or faster by one factor.
    """

    def __init__(
        self,
        names: Sequence[str],
        topology: Topology,
        problem: Problem,
        *,
        stale_s: float = 1.0,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._problem, self._clock, self._stale_ns = problem, clock, round(stale_s * 1e9)
        self._through = topology.network.forwarding == "cut-through"
        self._slow: dict[str, Smoothed] = {}
        self._fast: dict[tuple[str, str], Smoothed] = {}
        self._held: dict[str, Smoothed] = {}
        self._inverse: set[str] = set()
        self._plans: dict[str, _Expected] = {}
        self._left: defaultdict[tuple[tuple[str, str], ...], deque[int]] = defaultdict(
            lambda: deque(maxlen=_REMEMBERED)
        )
        self._alone_ns: dict[tuple[str, str], int] = {}
        self._strayed_s: deque[float] = deque(maxlen=_LOOKED_BACK)
        for name in names:
            kind, place = name_of(name)
            if kind == "slowdown":
                self._held[name] = self._slow[place] = Smoothed(topology.node(place).slowdown)
            elif kind == "bandwidth":
                ways = directions_of(topology.network, place)
                self._held[name] = Smoothed(1 / topology.network.hops[ways[0]].bandwidth)
                self._fast.update(dict.fromkeys(ways, self._held[name]))
                self._inverse.add(name)

    def know(self, number: str, plan: Plan, rounds: Sequence[Round] = ()) -> None:
        """Say what a number stands for, and what came of messages by it past all links, while all was well."""
        path = itinerary(self._problem, decide_again(self._problem, plan))
        spans = [
            [step for step in path.steps if step.sort == "compute" and step.stage == stage]
            for stage in range(len(plan.partition))
        ]
        whole = [each for each in rounds if [len(own) for own in each.pieces_s] == [len(own) for own in spans]]
        pieces, spare = [], []
        for stage, own in enumerate(spans):
            timed = (
                [median(each.pieces_s[stage][place] for each in whole) for place in range(len(own))] if whole else []
            )
            seconds = timed or [step.seconds for step in own]
            pieces.append(tuple((step.last, took) for step, took in zip(own, seconds, strict=True)))
            spare.append(median(each.hops[stage].send for each in whole) if whole else 0.0)
        hops = {step: path.hops(step) for step in path.steps}
        self._plans[number] = _Expected(path, hops, tuple(spare), tuple(pieces))

    @property
    def values(self) -> dict[str, float]:
        """Every condition that is followed, by name, in inner units."""
        return {name: 1 / each.value if name in self._inverse else each.value for name, each in self._held.items()}

    @property
    def unseen(self) -> Mapping[str, float]:
        """Conditions that nothing was seen of for a while, as they are to begin with."""
        before_ns = self._clock() - self._stale_ns
        return {
            name: 1 / each.start if name in self._inverse else each.start
            for name, each in self._held.items()
            if each.seen_ns is None or each.seen_ns < before_ns
        }

    def seconds(self, number: str) -> float:
        """Return the expected latency of a plan under the conditions of now."""
        known = self._plans[number]
        return sum(step.reach * self._takes_s(known, step) for step in known.path.steps)

    def longest_s(self, number: str) -> float:
        """Return what the frame of a plan that leaves last takes under the conditions of now, in seconds."""
        known = self._plans[number]
        taken = [(step, self._takes_s(known, step)) for step in known.path.steps]
        home_s = max((took_s for step, took_s in taken if step.sort == "result"), default=0.0)
        return home_s + sum(took_s for step, took_s in taken if step.sort != "result") + sum(known.spare_s)

    def _takes_s(self, known: _Expected, step: Step) -> float:
        took_s = step.seconds
        if step.sort == "compute":
            held = self._slow.get(step.node or "")
            return took_s * (1.0 if held is None else held.value / held.start)
        for hop in known.hops[step]:
            if (link := self._fast.get((hop.sender, hop.receiver))) is not None:
                took_s += step.size * (link.value - link.start)
        return took_s

    def misses(self, waited_s: float, expected_s: float) -> bool:
        """Return whether something is missed that was expected to take less: machines stall for a while."""
        strayed_s = sorted(self._strayed_s)[-2] if len(self._strayed_s) > 1 else _WAIT_S[1]
        longer_s = min(max(_STRAYED * strayed_s, _WAIT_S[0]), _WAIT_S[1])
        return waited_s > max(_OVERDUE * expected_s, expected_s + longer_s)

    @property
    def is_waiting(self) -> bool:
        """Whether a link is known only by what does not come back over it."""
        return any(each.bound_ns is not None for each in self._fast.values())

    def nodes_of(self, number: str) -> tuple[str, ...]:
        """Return the nodes of a plan, in order."""
        return tuple(self._problem.nodes[node] for node in self._plans[number].path.decision.placement)

    def miss_message(self, number: str, sort: str, stage: int, waited_s: float, size: float) -> bool:
        """Take it that the links of a step have had a message for so long, and return whether that says anything.

        They are so slow at least; those that had it for half a second, and ten times as long as it takes when all is
        well, count as down.

        Parameters
        ----------
        number
            Of the plan.
        sort, stage
            Of the step: ``input``, ``send`` or ``result``, and the partition (from 0) that makes what is sent.
        waited_s
            Since it was sent, or the one before it was there.
        size
            Its bytes.
        """
        known = self._plans.get(number)
        steps = () if known is None else [s for s in known.path.steps if (s.sort, s.stage) == (sort, stage)]
        if known is None or not steps or not (hops := known.hops[steps[0]]):
            return False
        step = steps[0]
        spare_s = 0.0 if sort == "result" else known.spare_s[0 if sort == "input" else stage + 1]
        expected_s = self._takes_s(known, step) + spare_s
        if not self.misses(waited_s, expected_s):
            return False
        takes_s = {hop: max(size, step.size) * self._pace(hop) for hop in hops}
        fresh_ns = self._clock() - self._stale_ns
        followed = [hop for hop in hops if (hop.sender, hop.receiver) in self._fast]
        alone = [hop for hop in followed if self._alone_ns.get((hop.sender, hop.receiver), -1) >= fresh_ns]
        suspects = [hop for hop in followed if hop not in alone] or followed
        left_s = waited_s - spare_s - sum(hop.latency for hop in hops)
        left_s -= sum(took_s for hop, took_s in takes_s.items() if hop not in suspects)
        longer = left_s / sum(takes_s[hop] for hop in suspects) if suspects else 0.0
        news, is_down = False, _is_down(waited_s, step.seconds)
        for held in {id(each): each for hop in suspects if (each := self._fast[hop.sender, hop.receiver])}.values():
            news |= held.at_least(_DOWN if is_down else held.value * longer, self._clock(), homeward=sort == "result")
        return news

    def miss_node(self, number: str, stage: int, waited_s: float) -> bool:
        """Take it that the node of a partition, from 0, has been at one frame for so long; see `miss_message`."""
        known = self._plans.get(number)
        if known is None:
            return False
        held = self._slow.get(self.nodes_of(number)[stage])
        took_s = sum(took for _, took in known.pieces_s[stage])
        if held is None or took_s <= 0 or not self.misses(waited_s, took_s * held.value / held.start):
            return False
        return held.at_least(held.start * waited_s / took_s, self._clock())

    def see(self, outcome: Outcome) -> None:
        """Take what a frame that was answered tells; nothing is known of when one was sent again."""
        known = self._plans.get(outcome.plan)
        if known is None or outcome.exit is None or outcome.sent != 1:
            return
        if outcome.ended_ns is not None:
            self._strayed_s.append(outcome.latency_s - outcome.late_ns / 1e9 - self.longest_s(outcome.plan))
        encoded = outcome.parameters.get(named(0, "encode"))
        ready_ns = outcome.due_ns + outcome.late_ns + (encoded if isinstance(encoded, int) else 0)
        coming, left = [step for step in known.path.steps if step.sort in ("input", "send")], -1
        for stage, (step, pieces) in enumerate(zip(coming, known.pieces_s, strict=True)):
            times = of_stage(outcome.parameters, stage + 1)
            if times is None:
                break
            left = stage
            arrived_ns = ready_ns + round(times.get("send", 0.0) * 1e9)
            if known.hops[step] and "send" in times:
                self._see_way(known.hops[step], step.size, ready_ns, arrived_ns - round(known.spare_s[stage] * 1e9))
            expected_s = sum(took for last, took in pieces if last <= outcome.exit)
            held = self._slow.get(self._problem.nodes[known.path.decision.placement[stage]])
            if held is not None and expected_s > 0:
                held.add(held.start * times["compute"] / expected_s, self._clock(), self._stale_ns)
            here_s = sum(times.get(each, 0.0) for each in ("decode", "queue", "compute", "encode"))
            ready_ns = arrived_ns + round(here_s * 1e9)
        self._see_home(known, left, outcome)

    def _see_home(self, known: _Expected, stage: int, outcome: Outcome) -> None:
        """Take that a result came home from a partition as if nothing were wrong, where results were missed."""
        home = next((step for step in known.path.steps if (step.sort, step.stage) == ("result", stage)), None)
        if home is None or outcome.return_s is None or outcome.ended_ns is None:
            return
        sent_ns = outcome.ended_ns - round(outcome.return_s * 1e9)
        for hop in known.hops[home]:
            held = self._fast.get((hop.sender, hop.receiver))
            if held is None or held.bound_ns is None or not held.homeward or held.bound_ns > sent_ns:
                continue
            if not self.misses(outcome.return_s, home.seconds):
                held.lift(self._clock())

    def _see_way(self, hops: Sequence[Hop], size: float, ready_ns: int, arrived_ns: int) -> None:
        """Take when a message was ready for some links and when it was there."""
        now_ns, ways = self._clock(), tuple((hop.sender, hop.receiver) for hop in hops)
        bound = [held for way in ways if (held := self._fast.get(way)) is not None and held.bound_ns is not None]
        took_s, usual_s = (arrived_ns - ready_ns) / 1e9, sum(size / hop.bandwidth + hop.latency for hop in hops)
        if bound and (_is_down(took_s, usual_s) or ready_ns < max(held.bound_ns or 0 for held in bound)):
            for held in bound:  # it was among what was missed: what it waited for is over
                held.seen_ns = None
            pace_s = sum(size * self._pace(hop) for hop in hops)
            if 0 < took_s < pace_s:  # they are so slow at the most
                for held in {id(each): each for each in bound}.values():
                    held.value *= took_s / pace_s
            return
        left_ns = arrived_ns - round(sum(hop.latency for hop in hops) * 1e9)
        before_ns = max((each for each in self._left[ways] if each < left_ns), default=ready_ns)
        self._left[ways].append(left_ns)
        busy_s = max((left_ns - max(ready_ns, before_ns)) / 1e9, _LEAST_S)
        takes = {way: size * self._pace(hop) for way, hop in zip(ways, hops, strict=True)}
        if len(hops) == 1:
            self._alone_ns[ways[0]] = now_ns
            told: set[tuple[str, str]] = set()
        elif self._through:
            told = set()
        else:
            fresh_ns = now_ns - self._stale_ns
            told = {way for way in ways if way not in self._fast or self._alone_ns.get(way, -1) >= fresh_ns}
        rest = [way for way in ways if way not in told and way in self._fast]
        rest_s = max(takes.values()) if self._through else sum(takes[way] for way in rest)
        busy_s -= sum(takes[way] for way in told)
        if not rest or rest_s <= 0 or (len(hops) > 1 and before_ns > ready_ns and busy_s <= rest_s):
            return  # links of a way work side by side: how far apart messages leave says least of them all together
        for held in {id(self._fast[way]): self._fast[way] for way in rest}.values():
            held.add(held.value * max(busy_s, _LEAST_S) / rest_s, now_ns, self._stale_ns)

    def _pace(self, hop: Hop) -> float:
        """Return the seconds that a byte takes."""
        held = self._fast.get((hop.sender, hop.receiver))
        return 1 / hop.bandwidth if held is None else held.value
