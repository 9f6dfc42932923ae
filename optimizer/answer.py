"""The answer to a question: plans in order, what was asked, and who says so (``tiercut.answer/1``)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tiercut.errors import InfeasibleError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from tiercut.optimizer.outcome import Outcome
    from tiercut.optimizer.plan import Plan
    from tiercut.optimizer.query import Query
    from tiercut.optimizer.relive import Relived
    from tiercut.optimizer.space import Space

__all__ = ["FORMAT", "Answer"]

FORMAT = "tiercut.answer/1"


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Plans in order, with the problem and the solver that they come from.

    Parameters
    ----------
    space, query
        What was asked.
    outcome
        What the solver says of its work.
    plans
        Best first; along a frontier, quickest (or cheapest) first. Empty where nothing meets the question.
    message
        Where it is empty: which bound cannot be met, and the nearest value.
    why
        Why ``auto`` took this solver; empty where it was named.
    lived
        Where replay chose the plans: each with what the model says of it, and what that proves.
    """

    space: Space
    query: Query
    outcome: Outcome
    plans: tuple[Plan, ...]
    message: str = ""
    why: str = ""
    lived: Relived | None = None

    def __len__(self) -> int:
        return len(self.plans)

    def __iter__(self) -> Iterator[Plan]:
        return iter(self.plans)

    def __getitem__(self, index: int) -> Plan:
        return self.plans[index]

    @property
    def best(self) -> Plan:
        """The first plan.

        Raises
        ------
        InfeasibleError
            If there is none; the message names the bound that cannot be met and the nearest value.
        """
        if not self.plans:
            raise InfeasibleError(self.message)
        return self.plans[0]

    def to_data(self) -> dict[str, Any]:
        """Return the answer as plain data, ``tiercut.answer/1``."""
        problem = self.space.problem
        return {
            "format": FORMAT,
            "problem": {
                "topology": problem.topology,
                "profile": problem.profile,
                "blocks": problem.block_count,
                "nodes": problem.node_count,
                "thresholds": len(problem.thresholds) if problem.has_exits else 0,
                "decisions": self.space.decisions,
            },
            "solver": {
                "name": self.outcome.solver,
                "exact": self.outcome.exact,
                "status": self.outcome.status,
                "seconds": self.outcome.seconds,
                "why": self.why or None,
            },
            "plans": [plan.to_data(rank) for rank, plan in enumerate(self.plans, 1)],
        } | ({} if self.lived is None else self.lived.to_data())

    def to_json(self) -> str:
        """Return the answer as JSON text, numbers unrounded."""
        return json.dumps(self.to_data(), indent=1, allow_nan=False, ensure_ascii=False)

    def frame(self) -> pd.DataFrame:
        """Return one row for each plan: rank, measures, and the decision as lists."""
        import pandas as pd

        columns = ["rank", "latency_s", "accuracy", "threshold", "partition", "placement", "exits", "bytes_sent"]
        if self.space.per_exit:
            columns.insert(4, "thresholds")
        if any(codec is not None for plan in self.plans for codec in plan.codecs):
            columns.append("codecs")
        rows = [{"thresholds": None} | plan.to_data(rank) for rank, plan in enumerate(self.plans, 1)]
        return pd.DataFrame([{name: row[name] for name in columns} for row in rows], columns=columns)
