"""Which plans ``tiercut run --adapt`` changes between."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tiercut.errors import QuestionError

if TYPE_CHECKING:
    from tiercut.analysis import Policy
    from tiercut.offloader import Moment
    from tiercut.optimizer import Plan
    from tiercut.profiling import Profile
    from tiercut.topologies import Topology

__all__ = ["check_adapting", "disturbed_by", "policy_for"]

_LINK_SHARE, _SLOWER = 10, 5


def check_adapting(adapt: bool, local: bool, policy: Path | None, *, asked: object) -> None:
    """Refuse what goes without, or not with, plans that change."""
    if policy is not None and not adapt:
        raise QuestionError("--policy says which plan to change to: add --adapt")
    if adapt and not local:
        raise QuestionError("--adapt follows what one clock tells of all agents, so it belongs to --local")
    if adapt and asked:
        raise QuestionError(
            "--adapt starts an agent of the whole network on every node: leave out --plot, --trace and --parquet, "
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


def policy_for(path: Path | None, plan: Plan, topology: Topology, profile: Profile) -> Policy:
    """Return a policy of a file; without one, of the plans that are as accurate, for a few conditions.

    These are every link at its bandwidth and a tenth of it, every node but the source as it is and five times slower,
    at any combination, and every node but source and destination down.
    """
    from tiercut.analysis import load_policy, sensitivity

    if path is not None:
        return load_policy(path)
    grid: dict[str, list[object]] = {}
    for link in topology.links:
        name = "-".join(link.between) if link.between else ">".join(link.directions[0])
        grid[f"bandwidth({name})"] = [f"{8 * link.bandwidth / share:.12g} b/s" for share in (1, _LINK_SHARE)]
    others = [node for node in topology.nodes if node.name != topology.source]
    for node in others:
        grid[f"slowdown({node.name})"] = [node.slowdown, _SLOWER * node.slowdown]
    if down := [node.name for node in others if node.name != topology.destination]:
        grid["down"] = list(down)
    accuracy = None if plan.accuracy is None else plan.accuracy - 1e-9
    return sensitivity(topology, profile, grid, min_accuracy=accuracy).policy()
