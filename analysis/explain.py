"""A plan's latency as a sum that a person can follow: one step for each thing that takes time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from tiercut import units
from tiercut.optimizer.measures.tails import quantile_of
from tiercut.optimizer.pricing import path_seconds, price
from tiercut.optimizer.samples.exit_shares import shares_of

if TYPE_CHECKING:
    import pandas as pd

    from tiercut.optimizer.plan import Decision, Plan, Stage
    from tiercut.optimizer.problem import Problem

__all__ = ["Explanation", "Step", "explain_plan", "explained"]

Sort = Literal["send", "compute", "result"]


@dataclass(frozen=True, slots=True)
class Step:
    """One addend of the expected latency.

    Parameters
    ----------
    sort
        ``send`` (input or a block's output), ``compute`` or ``result``.
    what
        In words.
    share
        Share of all samples that take the step.
    seconds
        What it takes one of them.
    begins_s
        Sum of what earlier steps add.
    """

    sort: Sort
    what: str
    share: float
    seconds: float
    begins_s: float

    @property
    def adds_s(self) -> float:
        """What the step adds to the expected latency."""
        return self.share * self.seconds

    @property
    def total_s(self) -> float:
        """Sum up to and with this step."""
        return self.begins_s + self.adds_s


@dataclass(frozen=True, slots=True)
class Explanation:
    """The steps of a plan, in the order in which a sample meets them, and what 99 % of the samples do not exceed."""

    plan: Plan
    steps: tuple[Step, ...]
    p99_s: float | None = None

    def to_data(self) -> dict[str, Any]:
        """Return the plan and its steps as plain data."""
        names = ("sort", "what", "share", "seconds", "adds_s", "total_s")
        steps = [{name: getattr(step, name) for name in names} for step in self.steps]
        return {"format": "tiercut.explanation/1", "plan": self.plan.to_data(1), "p99_s": self.p99_s, "steps": steps}

    def frame(self) -> pd.DataFrame:
        """Return one row for each step: sort, what, share, seconds, adds_s, total_s."""
        import pandas as pd

        return pd.DataFrame(self.to_data()["steps"])


def explained(problem: Problem, decision: Decision) -> Explanation:
    """Return the price of a decision as the sum that it is, with the quantile of its latencies."""
    made = explain_plan(price(problem, decision), problem.nodes[problem.source])
    onward = shares_of(problem, decision).onward
    return replace(made, p99_s=quantile_of(path_seconds(problem, decision), onward, 0.99))


def explain_plan(plan: Plan, source: str) -> Explanation:
    """Return the addends of a plan's latency; steps that no sample takes or that take no time are left out.

    Parameters
    ----------
    plan
        A priced plan.
    source
        Name of the node where the input is born.
    """
    total, steps = 0.0, []
    for sort, what, share, seconds in _addends(plan, source):
        if share * seconds > 0:
            steps.append(Step(sort, what, share, seconds, total))
            total += share * seconds
    return Explanation(plan, tuple(steps))


def _addends(plan: Plan, source: str) -> Iterator[tuple[Sort, str, float, float]]:
    yield "send", f"input: {source} → {plan.placement[0]}", 1.0, plan.input_s
    for stage in plan.stages:
        yield "compute", _computing(stage, plan), stage.reach, stage.compute_s
        yield "result", f"result of {stage.node} to the destination", stage.exit_rate, stage.result_s
        if stage.send_to is not None:
            yield "send", _sending(stage, plan), stage.reach - stage.exit_rate, stage.send_s


def _sending(stage: Stage, plan: Plan) -> str:
    codec = plan.codecs[plan.stages.index(stage)]
    way = "" if codec is None else f" as {codec}"
    return f"{units.format_bytes(stage.send_bytes)}{way}: {stage.node} → {stage.send_to}"


def _computing(stage: Stage, plan: Plan) -> str:
    first, last = stage.blocks
    blocks = f"block {first}" if first == last else f"blocks {first}-{last}"
    used = [str(block) for block in plan.exits if first <= block <= last] if len(plan.exits) > 1 else []
    branch = f" and branch{'es' if len(used) > 1 else ''} {', '.join(used)}" if used else ""
    return f"{blocks}{branch} on {stage.node}"
