"""What a joint plan keeps busy, added up from the tables of measures: nothing here knows how the plan was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING

from tiercut.errors import TiercutError
from tiercut.optimizer import SLACK, evaluate, memory_needed, price

if TYPE_CHECKING:
    from tiercut.analysis.sources.answer import SourcePlan
    from tiercut.solvers import Limit

__all__ = ["SharedLoad", "SharedMemory", "check_joint", "shared_loads", "shared_memory"]

_NOISE = 1e-9


@dataclass(frozen=True, slots=True)
class SharedLoad:
    """How busy a machine or a link is.

    Parameters
    ----------
    place
        A node, a tier, or a link: ``a>b`` one direction (both of half duplex), ``a-b`` both.
    most
        Greatest share of the time.
    by
        What each source adds, by name.
    """

    place: str
    most: float
    by: dict[str, float]

    @property
    def utilisation(self) -> float:
        """Share of the time that it is busy."""
        return sum(self.by.values())


@dataclass(frozen=True, slots=True)
class SharedMemory:
    """What the partitions of all sources need of the memory of a node, each with a copy of its own of its weights.

    Parameters
    ----------
    node
        Its name.
    most
        Bytes that it has.
    by
        Bytes that each source needs there, by name.
    """

    node: str
    most: float
    by: dict[str, float]

    @property
    def needed(self) -> float:
        """Bytes that they need together."""
        return sum(self.by.values())

    @property
    def is_short(self) -> bool:
        """Whether they do not fit together, though each may by itself."""
        return _exceeds(self.needed, self.most)


def _exceeds(value: float, most: float) -> bool:
    """Return whether a sum over plans is above a limit by more than the solver's own slack and some rounding."""
    return value > most + 2 * SLACK * max(1.0, most)


def shared_memory(plans: Sequence[SourcePlan]) -> tuple[SharedMemory, ...]:
    """Return what plans need of every node whose memory the topology says.

    Networks whose profile does not say what every block needs are left out, as they are not limited.
    """
    room: dict[str, float] = {}
    by: dict[str, dict[str, float]] = {}
    for each in plans:
        if each.plan is None or not each.space.problem.knows_memory:
            continue
        problem, decision = each.space.problem, each.plan.decision
        for needed, place in zip(memory_needed(problem, decision), decision.placement, strict=True):
            node, most = problem.nodes[place], float(problem.memory[place])
            if not isnan(most):
                room[node], own = most, by.setdefault(node, {})
                own[each.source.called] = own.get(each.source.called, 0.0) + needed
    return tuple(SharedMemory(node, most, by[node]) for node, most in room.items())


def shared_loads(plans: Sequence[SourcePlan], limits: Sequence[Limit]) -> tuple[SharedLoad, ...]:
    """Return how busy every place is that has a limit, by the utilisation of each plan at the rate of its source.

    Parameters
    ----------
    plans
        Of the sources.
    limits
        Places, and how busy each may be.
    """
    found = []
    for limit in limits:
        by = {
            each.source.called: sum(
                evaluate(each.space.problem, each.plan.decision, f"utilisation:{server}", each.source.rate)
                for server in limit.servers
            )
            for each in plans
            if each.plan is not None
        }
        found.append(SharedLoad(limit.place, limit.most, by))
    return tuple(found)


def check_joint(plans: Sequence[SourcePlan], loads: Sequence[SharedLoad], memory: Sequence[SharedMemory] = ()) -> None:
    """Check a joint plan: prices, accuracies, latencies that its sources want, what it keeps busy, and what it holds.

    Raises
    ------
    TiercutError
        If anything is not what it should be; the message says what.
    """
    for each in plans:
        if each.plan is None:
            continue
        name, again = each.source.called, price(each.space.problem, each.plan.decision)
        if abs(again.latency_s - each.plan.latency_s) > _NOISE * again.latency_s:
            raise TiercutError(f"the plan of '{name}' takes {again.latency_s} s, not {each.plan.latency_s} s")
        if again.accuracy is not None and again.accuracy < each.query.accuracy_floor:
            raise TiercutError(f"the plan of '{name}' is right for {again.accuracy} of the samples, which is too few")
        if again.latency_s > each.query.latency_cap:
            raise TiercutError(f"the plan of '{name}' takes {again.latency_s} s, which is too long")
    for load in loads:
        if _exceeds(load.utilisation, load.most):
            raise TiercutError(f"'{load.place}' is busy for {load.utilisation} of the time, and may be for {load.most}")
    for node in memory:
        if node.is_short:
            raise TiercutError(f"the partitions on '{node.node}' need {node.needed} bytes of its {node.most}")
