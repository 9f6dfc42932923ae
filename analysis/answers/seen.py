"""What recorded samples make of the plans of an answer, shown beside what the model says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tiercut.optimizer import counted, price

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiercut.optimizer import Plan, Problem, Recorded

__all__ = ["SeenPlans"]

_MOST = 4_000_000_000
"""Samples times exits of all plans that are counted, in about a second; an answer with more goes without."""


@dataclass(frozen=True, eq=False)
class SeenPlans:
    """The plans of an answer, and the samples to send through them once somebody looks.

    Parameters
    ----------
    problem
        The tables.
    plans
        Of the answer.
    recorded
        The samples behind the profile.
    """

    problem: Problem
    plans: Sequence[Plan]
    recorded: Recorded

    @property
    def few(self) -> bool:
        """Whether it takes no more than about a second to replay them."""
        return self.recorded.count * sum(len(plan.exits) for plan in self.plans) <= _MOST

    @cached_property
    def accuracies(self) -> tuple[float, ...]:
        """Share of right answers by plan, less what the codecs of a plan cost (see `Replay.accuracy`)."""
        decisions = [plan.decision for plan in self.plans]
        counts = self.recorded.count_leaving(self.problem.thresholds, decisions)
        seen = replace(self.problem, recorded=self.recorded, leavers=None)
        found = []
        for decision, (left, right) in zip(decisions, counts, strict=True):
            coded = any(codec is not None for codec in (decision.input_codec, *decision.codecs))
            if coded:
                shares = counted(left, right, self.recorded.count)
                found.append(price(seen, decision, shares).accuracy or 0.0)
            else:
                found.append(int(right.sum()) / self.recorded.count)
        return tuple(found)

    def to_data(self) -> dict[str, Any]:
        """Return which samples they are, as it stands in an answer."""
        recorded = self.recorded
        return {"replay": {"split": recorded.split, "samples": recorded.count, "samples_file": recorded.source}}
