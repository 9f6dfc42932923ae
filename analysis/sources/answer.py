"""The answer for several sources (``tiercut.answer/1``, with keys of its own)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tiercut.analysis.answers.answer import FORMAT
from tiercut.errors import InfeasibleError, StoppedError
from tiercut.shown import Shown
from tiercut.topologies import destination_of, topology_data

if TYPE_CHECKING:
    import pandas as pd

    from tiercut.analysis.sources.checked import SharedLoad, SharedMemory
    from tiercut.optimizer import Plan, Query, Space
    from tiercut.profiling import Profile
    from tiercut.solvers import JointOutcome, Status
    from tiercut.topologies import Source, Topology

__all__ = ["JointAnswer", "SourcePlan"]


@dataclass(frozen=True, slots=True, eq=False)
class SourcePlan:
    """A source and its plan.

    Parameters
    ----------
    source
        As in the topology.
    profile
        Of its network.
    query, space
        What it is asked by itself, and the decisions that this admits.
    plan
        None where it is not served, or there is no joint plan.
    """

    source: Source
    profile: Profile
    query: Query
    space: Space
    plan: Plan | None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class JointAnswer(Shown):
    """One plan for each source, and how busy they keep the machines together.

    Parameters
    ----------
    topology
        With the sources, under all conditions.
    query
        What was asked.
    outcome
        What was found and proved.
    sources
        In the order of the topology, each with its plan.
    loads
        How busy every machine and link is that has a limit.
    memory
        What the plans need of the memory of each node, where both are known.
    message
        Where there is no joint plan: why.
    """

    topology: Topology
    query: Query
    outcome: JointOutcome
    sources: tuple[SourcePlan, ...]
    loads: tuple[SharedLoad, ...]
    memory: tuple[SharedMemory, ...] = ()
    message: str = ""

    def __repr__(self) -> str:
        return f"<Answer for {len(self.sources)} sources on {self.topology.name}, {self.outcome.status}>"

    def __len__(self) -> int:
        return len(self.plans)

    def __iter__(self) -> Iterator[Plan]:
        return iter(self.plans)

    def __getitem__(self, index: int) -> Plan:
        return self.plans[index]

    @property
    def goal(self) -> str:
        """What is best: the least ``mean`` or ``worst`` latency, or the most sources ``served``."""
        return self.query.joint or "mean"

    @property
    def served(self) -> tuple[SourcePlan, ...]:
        """The sources that have a plan."""
        return tuple(each for each in self.sources if each.plan is not None)

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The plans of the sources that are served, in the order of the topology."""
        return tuple(each.plan for each in self.sources if each.plan is not None)

    @property
    def status(self) -> Status:
        """What is proved (see `tiercut.solvers.interface.Status`)."""
        return self.outcome.status

    @property
    def error(self) -> InfeasibleError | StoppedError:
        """What says that there is no joint plan, and why."""
        return InfeasibleError(self.message) if self.status == "infeasible" else StoppedError(self.message)

    def plan_of(self, source: str) -> Plan:
        """Return the plan of a source.

        Raises
        ------
        InfeasibleError, StoppedError
            If there is no joint plan.
        KeyError
            If there is no such source, or it is not served.
        """
        if not self.plans:
            raise self.error
        return {each.source.called: each.plan for each in self.served if each.plan is not None}[source]

    def to_data(self) -> dict[str, Any]:
        """Return the answer as plain data; unknown values are None."""
        spaces: Sequence[Space] = [each.space for each in self.sources]
        problems, outcome = [space.problem for space in spaces], self.outcome
        found = bool(self.plans)
        return {
            "format": FORMAT,
            "problem": {
                "topology": self.topology.name,
                "profile": ", ".join(dict.fromkeys(problem.profile for problem in problems)),
                "sources": len(self.sources),
                "blocks": max(problem.block_count for problem in problems),
                "nodes": problems[0].node_count,
                "thresholds": max(len(each.thresholds) if each.has_exits else 0 for each in problems),
                "decisions": sum(space.decisions for space in spaces),
                "estimator": problems[0].estimator,
            },
            "made_of": {"topology": topology_data(self.topology), **_made_of(self.sources[0])},
            "solver": {
                "name": "column-generation",
                "exact": True,
                "status": outcome.status,
                "seconds": outcome.seconds,
                "scored": outcome.columns,
                "rounds": outcome.rounds,
                **({"reason": outcome.reason} if outcome.reason else {}),
            },
            "joint": {
                "objective": self.goal,
                "value": outcome.value if found else None,
                "bound": outcome.bound if found else None,
                "gap": outcome.gap if found else None,
                "served": [each.source.called for each in self.served],
                "unserved": [each.source.called for each in self.sources if each.plan is None],
                "shared": [_shared(load) for load in self.loads] if found else [],
                "memory": [
                    {"node": each.node, "needed_bytes": each.needed, "most_bytes": each.most, "by": each.by}
                    for each in self.memory
                ],
            },
            "plans": [self._row(rank, each) for rank, each in enumerate(self.served, 1)],
        }

    def _row(self, rank: int, each: SourcePlan) -> dict[str, Any]:
        assert each.plan is not None
        source = each.source
        return {
            "source": source.called,
            "node": source.node,
            "destination": destination_of(self.topology, source),
            "rate_fps": source.rate,
            "weight": source.weight,
            "min_accuracy": each.query.min_accuracy,
            "profile": each.space.problem.profile,
            "made_of": _made_of(each),
            **each.plan.to_data(rank),
        }

    def to_json(self) -> str:
        """Return the answer as JSON text, numbers unrounded."""
        return json.dumps(self.to_data(), indent=1, allow_nan=False, ensure_ascii=False)

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each source: its plan, and what it was asked."""
        import pandas as pd

        columns = ("source", "node", "destination", "rate_fps", "weight", "profile", "latency_s", "accuracy",
                   "bytes_sent", "threshold", "partition", "placement", "exits")  # fmt: skip
        rows = [self._row(rank, each) for rank, each in enumerate(self.served, 1)]
        flat = [
            {name: ",".join(map(str, row[name])) if isinstance(row[name], list) else row[name] for name in columns}
            | {"plan": str(plan)}
            for row, plan in zip(rows, self.plans, strict=True)
        ]
        return pd.DataFrame(flat, columns=["source", "plan", *columns[1:]])

    def to_csv(self) -> str:
        """Return `to_frame` as the text of a CSV file, numbers unrounded."""
        text: str = self.to_frame().to_csv(index=False, lineterminator="\n")
        return text


def _made_of(each: SourcePlan) -> dict[str, Any]:
    """Return where the profile of a source lies, and how its plan was priced."""
    found: dict[str, Any] = {"estimator": each.space.estimator}
    if each.profile.file is not None:
        found["profile"] = dict(zip(("path", "sha256"), each.profile.file, strict=True))
    return found


def _shared(load: SharedLoad) -> dict[str, Any]:
    kind = "link" if ">" in load.place or (load.place.count("-") and load.place not in load.by) else "node"
    return {kind: load.place, "utilisation": load.utilisation, "most": load.most, "by": load.by}
