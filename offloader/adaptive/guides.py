"""Who says which plan to run: a policy that was made beforehand, a solver that is asked again, or one that foresees."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from tiercut.errors import QuestionError
from tiercut.offloader.adaptive.asking import Asked, Asking, Solver
from tiercut.offloader.adaptive.fleet import Fleet, Ready
from tiercut.offloader.adaptive.foresight import Foresight, foreseen
from tiercut.offloader.adaptive.mover import Move, Mover, PolicyLike
from tiercut.offloader.adaptive.priced import Priced
from tiercut.offloader.adaptive.watcher import Watcher
from tiercut.offloader.local.driver import Driver
from tiercut.offloader.local.run import RunOptions
from tiercut.optimizer import Plan, Problem
from tiercut.profiling import Profile
from tiercut.topologies import Topology

__all__ = ["Cast", "Director", "Guide", "guide_of"]


class Cast(NamedTuple):
    """What a director works with: see `tiercut.offloader.adaptive.mover.Mover`."""

    driver: Driver
    fleet: Fleet
    watcher: Watcher
    now: Ready
    full: Callable[[Sequence[Plan]], Collection[str]]


class Director(Protocol):
    """Moves a driver from plan to plan."""

    moves: list[Move]

    @property
    def origin_ns(self) -> int | None:
        """From when on its moves count their seconds; None: from when the first frame is due."""
        ...

    def start(self) -> None:
        """Begin, before the first frame."""
        ...

    def turn(self, tensors: Mapping[str, NDArray[Any]], due_s: float) -> None:
        """Do what is to be done before a frame, that is due so many seconds after the first one."""
        ...

    def close(self) -> None:
        """End."""
        ...


class Guide:
    """A policy, which is looked up.

    Parameters
    ----------
    policy
        Which plans there are, and which is the best when.
    priced, rate
        Prices plans, and the frames per second that they must keep up with; None: any.
    """

    nodes: Sequence[str] = ()
    """Nodes that any plan may come to use, beside those of `plans`."""

    def __init__(self, policy: PolicyLike, priced: Priced, rate: float | None) -> None:
        self._policy, self._rates = policy, None if rate is None else (priced, rate)

    @property
    def plans(self) -> Sequence[Plan]:
        """All that are to be ready beforehand."""
        return self._policy.plans

    @property
    def conditions(self) -> Sequence[str]:
        """Names of what is watched."""
        return self._policy.conditions

    @property
    def asked(self) -> Sequence[tuple[int, Asked]]:
        """What a solver was asked, with when, by `time.monotonic_ns`."""
        return ()

    def direct(self, cast: Cast) -> Director:
        """Return who moves."""
        driver, fleet, watcher, now, full = cast
        return Mover(driver, fleet, watcher, self._policy, now, full=full, rates=self._rates)

    def returned(self, node: str, at_s: float) -> None:
        """Take it that the agent of a node is there again since a moment: whoever moves finds that out by itself."""


class _Asks(Guide):
    """A solver, which is asked again as conditions move."""

    def __init__(self, asking: Asking, priced: Priced, rate: float | None, nodes: Sequence[str]) -> None:
        super().__init__(asking, priced, rate)
        self._asking, self.nodes = asking, nodes

    @property
    def asked(self) -> Sequence[tuple[int, Asked]]:
        return list(self._asking.asked)

    def direct(self, cast: Cast) -> Director:
        driver, fleet, watcher, now, full = cast
        asking = self._asking
        return Mover(driver, fleet, watcher, asking, now, full=full, rates=self._rates, asking=asking)


class _Foresees(Guide):
    """A solver that was asked beforehand for all that happens."""

    conditions = ()

    def __init__(
        self, plan: Plan, topology: Topology, profile: Profile, solver: Solver, options: RunOptions, rate: float | None
    ) -> None:
        self._moments = options.moments
        self._turns = foreseen(options.moments, plan, topology, profile, solver, rate)
        self._foresight: Foresight | None = None

    @property
    def plans(self) -> Sequence[Plan]:
        return [each.plan for each in self._turns]

    def direct(self, cast: Cast) -> Director:
        for each in self._turns:
            if cast.fleet.find(each.plan) is None:
                raise QuestionError(
                    f"--foresee: there is no room to hold the plan '{each.plan}' beforehand, beside those before it: "
                    "give its nodes more memory, or take --adapt, which makes room"
                )
        self._foresight = Foresight(cast.driver, cast.fleet, self._turns, self._moments, cast.now)
        return self._foresight

    def returned(self, node: str, at_s: float) -> None:
        if self._foresight is not None:
            self._foresight.returned(node, at_s)


def guide_of(
    plan: Plan,
    policy: PolicyLike | Solver,
    topology: Topology,
    profile: Profile,
    problem: Problem,
    options: RunOptions,
    *,
    foresees: bool,
) -> Guide:
    """Return who says which plan to run; see `tiercut.offloader.adaptive.run.run_adaptive`."""
    rate = None if options.interval_s is None else 1 / options.interval_s
    if not callable(policy):
        return Guide(policy, Priced(topology, problem, policy.conditions), rate)
    if foresees:
        return _Foresees(plan, topology, profile, policy, options, rate)
    now = _followed(topology)
    priced = Priced(topology, problem, tuple(now))
    ends = {topology.source, topology.destination}
    down = [name for name in topology.node_names if name not in ends]
    return _Asks(Asking(policy, now, priced, rate=rate, down=down), priced, rate, topology.node_names)


def _followed(topology: Topology) -> dict[str, float]:
    """Return the bandwidth of every link and the slowdown of every node, by the names of their conditions."""
    found = {}
    for link in topology.links:
        name = "-".join(link.between) if link.between else ">".join(link.directions[0])
        found[f"bandwidth({name})"] = link.bandwidth
    return found | {f"slowdown({node.name})": node.slowdown for node in topology.nodes}
