"""A plan's latency as a sum that a person can follow: one step for each thing that takes time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from tiercut import units
from tiercut.optimizer import itinerary, price, quantile_of, shares_of, stage_steps
from tiercut.shown import Shown

if TYPE_CHECKING:
    import pandas as pd

    from tiercut.optimizer import Decision, Estimator, Plan, Problem, Step

__all__ = ["FORMAT", "Addend", "Explanation", "explain_plan", "explained"]

FORMAT = "tiercut.explanation/1"

_SORTS: dict[str, Literal["send", "compute", "result"]] = {
    "input": "send",
    "send": "send",
    "compute": "compute",
    "result": "result",
}


@dataclass(frozen=True, slots=True)
class Addend:
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

    sort: Literal["send", "compute", "result"]
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
class Explanation(Shown):
    """The steps of a plan, in the order in which a sample meets them, and what 99 % of the samples do not exceed.

    `estimator` is how exit rates and accuracies of the plan were known.
    """

    plan: Plan
    steps: tuple[Addend, ...]
    p99_s: float | None = None
    estimator: Estimator = "marginal"

    def __repr__(self) -> str:
        return f"<Explanation of {self.plan}: {units.format_seconds(self.plan.latency_s)} in {len(self.steps)} steps>"

    def to_data(self) -> dict[str, Any]:
        """Return the plan and its steps as plain data."""
        names = ("sort", "what", "share", "seconds", "adds_s", "total_s")
        steps = [{name: getattr(step, name) for name in names} for step in self.steps]
        by = {} if self.estimator == "marginal" else {"estimator": self.estimator}
        return {"format": FORMAT, "plan": self.plan.to_data(1), **by, "p99_s": self.p99_s, "steps": steps}

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each step: sort, what, share, seconds, adds_s, total_s."""
        import pandas as pd

        return pd.DataFrame(self.to_data()["steps"])


def explained(problem: Problem, decision: Decision) -> Explanation:
    """Return the price of a decision as the sum that it is, with the quantile of its latencies."""
    plain = explain_plan(price(problem, decision), problem.nodes[problem.source])
    shares = shares_of(problem, decision)
    seconds = itinerary(problem, decision, shares).path_seconds
    return replace(plain, p99_s=quantile_of(seconds, shares.onward, 0.99), estimator=problem.estimator)


def explain_plan(plan: Plan, source: str) -> Explanation:
    """Return the addends of a plan's latency; what no sample meets or takes no time is left out.

    Parameters
    ----------
    plan
        A priced plan.
    source
        Name of the node where the input is born.
    """
    total, addends = 0.0, []
    for step in stage_steps(plan, source):
        if step.adds_s > 0:
            addends.append(Addend(_SORTS[step.sort], _what(step, plan), step.reach, step.seconds, total))
            total += step.adds_s
    return Explanation(plan, tuple(addends))


def _what(step: Step, plan: Plan) -> str:
    """Return in words what takes the time."""
    if step.sort == "input":
        codec = "" if step.codec is None else f" as {step.codec}"
        return f"input{codec}: {step.node} → {step.to}"
    if step.sort == "result":
        return f"result of {step.node} to the destination"
    if step.sort == "send":
        codec = "" if step.codec is None else f" as {step.codec}"
        return f"{units.format_bytes(step.size)}{codec}: {step.node} → {step.to}"
    blocks = f"block {step.first}" if step.first == step.last else f"blocks {step.first}-{step.last}"
    used = [str(block) for block in step.exits] if len(plan.exits) > 1 else []
    branch = f" and branch{'es' if len(used) > 1 else ''} {', '.join(used)}" if used else ""
    return f"{blocks}{branch} on {step.node}"
