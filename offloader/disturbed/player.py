"""Disturbs a run: sets links and speeds of nodes, and kills, stops and brings back agents, when it is time."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tiercut import units
from tiercut.errors import QuestionError
from tiercut.offloader.disturbed.trace_file import Moment
from tiercut.offloader.links.clock import LinkClock
from tiercut.offloader.local.prediction import numbers_of
from tiercut.offloader.local.processes import AgentProcess
from tiercut.optimizer import DOWN
from tiercut.topologies import Topology

__all__ = ["Disturbance", "Player", "Site", "check_speeds"]

_FOREVER_S = 1e6
_STANDS_S = 0.2


@dataclass(frozen=True, slots=True)
class Site:
    """What a run can be disturbed by: its agents by node, the file of its links' clock, and a node's agent anew."""

    agents: dict[str, AgentProcess]
    links: Path
    again: Callable[[str], AgentProcess]


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Something that was done to a run.

    Parameters
    ----------
    at_s
        When it was due, in seconds from when the first frame was.
    what, value
        A condition and what became of it, as the file has it; of ``down(NODE)`` ``kill``, ``stop`` or ``up``, of
        ``down(LINK)`` ``down`` or ``up``.
    done_s
        When it was so: of a node that was killed and returns, when its agent was ready again. None: it never was,
        because the run ended before, or the agent did not start.
    """

    at_s: float
    what: str
    value: str
    done_s: float | None = None


class Player:
    """Plays what happens to a run, from when its first frame is due.

    Parameters
    ----------
    moments
        What is true when.
    topology
        What is true before.
    site
        What is disturbed; nodes that have no agent are left alone.
    returned
        Called with a node once its agent is there again, and the moment that brought it back, in seconds from when the
        first frame was due; in a thread of its own.
    """

    def __init__(
        self,
        moments: Sequence[Moment],
        topology: Topology,
        site: Site,
        *,
        returned: Callable[[str, float], None] = lambda *_: None,
    ) -> None:
        self._moments, self._topology, self._site, self._returned = moments, topology, site, returned
        self._clock = LinkClock(site.links)
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._waking: list[threading.Thread] = []
        self._begun_ns = 0
        self._stopped: set[str] = set()
        self._done: list[Disturbance] = []

    @property
    def done(self) -> tuple[Disturbance, ...]:
        """What was done, in order."""
        return tuple(sorted(self._done, key=lambda each: (each.at_s, each.what)))

    def start(self, begun_ns: int) -> None:
        """Play, in a thread of its own.

        Parameters
        ----------
        begun_ns
            When the first frame is due, by `time.monotonic_ns`.
        """
        self._begun_ns = begun_ns
        self._thread = threading.Thread(target=self._play, daemon=True, name="disturbing")
        self._thread.start()

    def close(self) -> None:
        """End, and let everything that stands still go on."""
        if self._closed.is_set():
            return
        self._closed.set()
        for thread in (self._thread, *self._waking):
            if thread is not None:
                thread.join()
        for node in self._stopped:
            with suppress(ProcessLookupError):
                os.kill(self._site.agents[node].pid, signal.SIGCONT)
        self._clock.close()

    def _play(self) -> None:
        before: Moment | None = None
        for place, moment in enumerate(self._moments):
            due_ns = self._begun_ns + round(moment.at_s * 1e9)
            if self._closed.wait(max(due_ns - time.monotonic_ns(), 0) / 1e9):
                return
            self._set(moment.topology)
            for name, value in moment.changes:
                if name != DOWN:
                    self._tell(moment, name, value)
            self._cut(place, moment, before)
            self._end(moment, before)
            before = moment

    def _now_s(self) -> float:
        return (time.monotonic_ns() - self._begun_ns) / 1e9

    def _tell(self, moment: Moment, what: str, value: str) -> None:
        self._done.append(Disturbance(moment.at_s, what, value, self._now_s()))

    def _set(self, now: Topology) -> None:
        """Let links and nodes be as they are from now on."""
        before, after = self._topology.network.hops, now.network.hops
        for ways, number in numbers_of(self._topology.network).items():
            self._clock.set_pace(number, after[ways].bandwidth / before[ways].bandwidth)
            self._clock.set_lag(number, after[ways].latency - before[ways].latency)
        for number, node in enumerate(self._topology.nodes, len(before)):
            self._clock.set_pace(number, node.slowdown / now.node(node.name).slowdown)

    def _cut(self, place: int, moment: Moment, before: Moment | None) -> None:
        """Let nothing pass over links that are down, until they are not."""
        was = frozenset[tuple[str, str]]() if before is None else before.cut
        numbers = numbers_of(self._topology.network)
        for ways in sorted(moment.cut - was):
            back = next((each.at_s for each in self._moments[place:] if ways not in each.cut), _FOREVER_S)
            self._clock.cut(numbers[ways], back - self._now_s())
            self._tell(moment, f"down({'>'.join(ways)})", "down")
        for ways in sorted(was - moment.cut):
            self._tell(moment, f"down({'>'.join(ways)})", "up")

    def _end(self, moment: Moment, before: Moment | None) -> None:
        """Let agents of nodes die or stand still, and those of others return."""
        was = frozenset[str]() if before is None else before.nodes
        for node in sorted(moment.nodes - was):
            if (agent := self._site.agents.get(node)) is not None:
                if moment.by == "kill":
                    os.kill(agent.pid, signal.SIGKILL)
                else:
                    self._stop(node, agent.pid)
            self._tell(moment, f"down({node})", moment.by)
        for node in sorted(was - moment.nodes):
            self._waking.append(threading.Thread(target=self._bring_back, args=(moment, node), daemon=True))
            self._waking[-1].start()

    def _stop(self, node: str, pid: int) -> None:
        """Let an agent stand still, while it does not hold the clock of all links."""
        until = time.monotonic() + _STANDS_S
        with self._clock:
            os.kill(pid, signal.SIGSTOP)
            while time.monotonic() < until and not _stands(pid):
                time.sleep(1e-4)
        self._stopped.add(node)

    def _bring_back(self, moment: Moment, node: str) -> None:
        done_s: float | None = None
        if node in self._stopped:
            self._stopped.discard(node)
            os.kill(self._site.agents[node].pid, signal.SIGCONT)
            done_s = self._now_s()
        else:
            with suppress(QuestionError):  # told as one that never was
                if node in self._site.agents:
                    self._site.again(node)
                done_s = self._now_s()
        if done_s is not None:
            self._returned(node, moment.at_s)
        self._done.append(Disturbance(moment.at_s, f"down({node})", "up", done_s))


def _stands(pid: int) -> bool:
    """Return whether a process stands still, where the system says so."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] in ("T", "t")


def check_speeds(moments: Sequence[Moment], topology: Topology, factor: Mapping[str, float]) -> None:
    """Refuse nodes that would be quicker than this machine, and links of one medium that would differ.

    Parameters
    ----------
    moments, topology
        What is true when, and before.
    factor
        How much slower each node of the run is than this machine, before.

    Raises
    ------
    QuestionError
        Names the node, and the slowdown that this machine could be; or the link.
    """
    for wrong in _too_quick(moments, topology, factor):
        raise QuestionError(wrong)


def _too_quick(moments: Sequence[Moment], topology: Topology, factor: Mapping[str, float]) -> Iterator[str]:
    for moment in moments:
        at = units.format_seconds(moment.at_s)
        for name, slower in factor.items():
            was, now = topology.node(name).slowdown, moment.topology.node(name).slowdown
            if slower * now / was < 1:
                yield (
                    f"--disturb, at {at}: '{name}' with a slowdown of {now:g} is quicker than this machine, which can "
                    f"stand for {was / slower:.3g} or more"
                )
        for (sender, receiver), hop in moment.topology.network.hops.items():
            back = moment.topology.network.hops.get((receiver, sender))
            if hop.half and back is not None and (hop.bandwidth, hop.latency) != (back.bandwidth, back.latency):
                yield (
                    f"--disturb, at {at}: '{sender}-{receiver}' is half duplex: change both of its directions at once"
                )
