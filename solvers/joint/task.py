"""What is asked of several streams together: a task for each, and what they may keep busy between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tiercut.optimizer import Decision, Joint
    from tiercut.solvers.interface import Status
    from tiercut.solvers.task import Task

    Floats = NDArray[np.float64]

__all__ = ["JointOutcome", "JointTask", "Limit", "Room", "Shortage", "Stream"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Stream:
    """One of several streams of frames.

    Parameters
    ----------
    name
        Of its source.
    task
        Its best plan by itself: least latency within its own bounds.
    weight
        What it counts beside others.
    rate_fps
        Frames per second.
    """

    name: str
    task: Task
    weight: float
    rate_fps: float


@dataclass(frozen=True, slots=True, eq=False)
class Limit:
    """How busy some servers may be together.

    Parameters
    ----------
    place
        What people call it: a node, a tier or a link.
    servers
        The places of `tiercut.optimizer.measures.busy.servers` that it adds up.
    most
        Greatest share of the time, added up over them.
    """

    place: str
    servers: tuple[str, ...]
    most: float


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """What the plans of all streams together may hold on a node, each with a copy of its own.

    Parameters
    ----------
    node
        Its name.
    most
        Bytes of its memory.
    """

    node: str
    most: float


@dataclass(frozen=True, slots=True, eq=False)
class JointTask:
    """A plan for each stream, within limits on what all of them keep busy and hold in memory.

    Parameters
    ----------
    streams
        One at least.
    limits
        On what is busy.
    goal
        What is best: the least weighted ``mean`` of the latencies, the least ``worst`` latency, or the most streams (by
        weight) ``served``.
    rooms
        The memory of nodes, where it could be too little.
    """

    streams: tuple[Stream, ...]
    limits: tuple[Limit, ...]
    goal: Joint
    rooms: tuple[Room, ...] = ()

    @property
    def rows(self) -> tuple[Limit | Room, ...]:
        """All K that the streams share; none: each stream has its own best plan."""
        return *self.limits, *self.rooms


@dataclass(frozen=True, slots=True)
class Shortage:
    """Why streams do not go together, or why no plans were found that do.

    Parameters
    ----------
    alone
        Names of streams that have no plan even by themselves; empty: they have.
    factor
        Whatever plans they take, of some of `places` at least this many times is taken of what it has.
    enough
        With this many times of all limits there is a joint plan; None: none was found.
    places
        What cannot all be relieved, the one that counts most first.
    holders
        Names of the streams that hold something of the first of `places` whatever plans they take, where it is memory.
    served
        How many streams were found to go together; None: that was not looked for.
    by_rates
        Whether so many times lower rates are enough too: not where more memory is needed.
    """

    alone: tuple[str, ...] = ()
    factor: float = 1.0
    enough: float | None = None
    places: tuple[Limit | Room, ...] = ()
    holders: tuple[str, ...] = ()
    by_rates: bool = True
    served: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JointOutcome:
    """What was found of several streams.

    Parameters
    ----------
    status
        As of `tiercut.solvers.interface.Outcome`; ``optimal`` where value and bound are the same.
    decisions
        One for each stream; None where it is not served. Empty where there is no joint plan.
    value, bound
        Of the goal, and what is proved of it: no joint plan has less (of ``served``: none serves more weight).
    seconds
        From the tasks to the decisions, kernels already loaded.
    columns, rounds
        How many plans were taken into account, and how often all streams were priced.
    shortage
        Where there is none: why; where none was found: what comes nearest.
    reason
        Why it stopped early; empty where it did not.
    """

    status: Status
    decisions: tuple[Decision | None, ...]
    value: float
    bound: float
    seconds: float
    columns: int
    rounds: int
    shortage: Shortage | None = None
    reason: str = ""

    @property
    def gap(self) -> float:
        """By which share of it the value may be away from the best."""
        away = abs(self.value - self.bound)
        largest = max(abs(self.value), abs(self.bound))
        return away / largest if largest > 0 else 0.0
