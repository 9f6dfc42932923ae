"""Which plans ``tiercut run --adapt`` changes between."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiercut.errors import QuestionError

if TYPE_CHECKING:
    from tiercut.analysis import Policy
    from tiercut.offloader import Moment, Solver
    from tiercut.optimizer import Plan
    from tiercut.profiling import Profile
    from tiercut.topologies import Topology

__all__ = ["check_adapting", "disturbed_by", "guide_for", "solver_of"]

_ROUNDING = 1e-9


def check_adapting(
    adapt: bool, foresee: bool, local: bool, policy: Path | None, *, disturbed: bool, asked: object
) -> None:
    """Refuse what goes without, or not with, plans that change."""
    name = "--foresee" if foresee else "--adapt"
    if adapt and foresee:
        raise QuestionError("--adapt finds out what --foresee knows: give one of them")
    if foresee and not disturbed:
        raise QuestionError("--foresee knows beforehand what --disturb does: add it")
    if policy is not None and not adapt:
        raise QuestionError("--policy says which plan to change to: add --adapt")
    if not adapt and not foresee:
        return
    if not local:
        raise QuestionError(f"{name} follows what one clock tells of all agents, so it belongs to --local")
    if asked:
        raise QuestionError(
            f"{name} starts an agent of the whole network on every node: leave out --plot, --trace and --parquet, "
            "which show one plan, and --agent and --shape"
        )


def disturbed_by(
    path: Path | None, topology: Topology, profile: Profile, *, local: bool, shaped: bool
) -> tuple[Moment, ...]:
    """Return what a file does to a run; nothing without one."""
    from tiercut.offloader import load_disturbances, moments_of

    if path is None:
        return ()
    if not local or shaped:
        raise QuestionError(
            "--disturb changes links and nodes that this machine stands for: use --local, and leave out --shape kernel"
        )
    return moments_of(load_disturbances(path), topology, profile)


def guide_for(path: Path | None, plan: Plan, topology: Topology, profile: Profile) -> Policy | Solver:
    """Return the policy of a file; without one, a solver, which finds plans at least as accurate as one."""
    from tiercut.analysis import load_policy

    return load_policy(path) if path is not None else solver_of(plan, topology, profile)


def solver_of(plan: Plan, topology: Topology, profile: Profile) -> Solver:
    """Return who finds the best plan under conditions, at least as accurate as a plan; what was solved is kept."""
    from tiercut.analysis import Resolver
    from tiercut.errors import InfeasibleError
    from tiercut.optimizer import DOWN, Conditions

    accuracy = None if plan.accuracy is None else plan.accuracy - _ROUNDING
    resolvers: dict[frozenset[str], tuple[Topology, Resolver]] = {}
    lock = threading.Lock()

    def without(down: frozenset[str]) -> tuple[Topology, Resolver]:
        """Return what is left without nodes and links that are down, and who answers there."""
        if down not in resolvers:
            left = Conditions(condition={DOWN: tuple(down)} if down else None).changed_topology(topology)
            resolvers[down] = left, Resolver(left, profile, min_accuracy=accuracy)
        return resolvers[down]

    def solve(values: Mapping[str, Any], down: Collection[str], rate: float | None) -> tuple[Plan | None, bool]:
        with lock:
            try:
                left, resolver = without(frozenset(down))
            except QuestionError:  # source or destination is down, or nothing leads from one to the other
                if not down:
                    raise
                return None, False
            condition = {name: value for name, value in values.items() if _is_there(left, name)}
            before = resolver.solves
            try:
                if rate is None:
                    return resolver.best(condition=condition), resolver.solves == before
                bounded = Resolver(left, profile, min_accuracy=accuracy, bounds=[f"rate>={rate:.12g} fps"])
                return bounded.best(condition=condition), False
            except InfeasibleError:
                return None, False

    return solve


def _is_there(topology: Topology, name: str) -> bool:
    """Return whether a condition is about a node or a link that is left."""
    from tiercut.optimizer import name_of
    from tiercut.topologies import directions_of

    kind, place = name_of(name)
    if kind not in ("bandwidth", "latency"):
        return place in topology.node_names
    try:
        return bool(directions_of(topology, place))
    except QuestionError:
        return False
