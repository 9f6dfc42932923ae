"""Why a plan is the answer: what comes next, which bounds bind, and where another plan becomes the best."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tiercut.optimizer import NEGLIGIBLE, format_amount
from tiercut.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from tiercut.analysis.answers.answer import Answer
    from tiercut.analysis.why.parameters import Parameter
    from tiercut.optimizer import Plan, Query

__all__ = ["FORMAT", "Change", "Effect", "Span", "Sweep", "Why", "format_value", "label", "substance"]

FORMAT = "tiercut.why/1"


def format_value(value: float, objective: str) -> str:
    """Return a value of an objective as people read it."""
    return f"{value:.2%}" if objective == "accuracy" else format_amount(value, objective)


def label(plan: Plan) -> str:
    """Return what tells a plan from others: where its pieces run, and what else was decided."""
    parts = [str(plan)]
    if plan.thresholds:
        parts.append(f"thresholds {plan.thresholds_shown}")
    elif plan.threshold is not None:
        parts.append(f"threshold {plan.thresholds_shown}")
    if not set(plan.exits) <= set(plan.partition):
        parts.append(f"exits {', '.join(map(str, plan.exits))}")
    if any(plan.codecs):
        parts.append(f"codecs {', '.join(each or 'none' for each in plan.codecs)}")
    return "; ".join(parts)


def substance(plan: Plan) -> tuple[Any, ...]:
    """Return the part of a plan that samples reach: plans that differ only elsewhere are equal in it."""
    seen = tuple(stage for stage in plan.stages if stage.reach > NEGLIGIBLE)
    return tuple((stage.node, stage.blocks, stage.reach, stage.exit_rate) for stage in seen)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a bound, or a rule for the placement, does to the answer.

    Parameters
    ----------
    name
        Such as ``accuracy`` or ``exclude cloud``.
    sense
        ``at least`` or ``at most``; empty for a rule that has no value to loosen.
    asked, loosened
        The value asked for, and the one 10 % easier; None for a rule.
    binds
        Whether the answer would be better without it.
    plan, value
        With a bound that binds: the best plan when it is 10 % easier (a rule: when it is gone) and what is had then.
    """

    name: str
    sense: str
    asked: float | None
    loosened: float | None
    binds: bool
    plan: Plan | None
    value: float | None


@dataclass(frozen=True, slots=True)
class Span:
    """Values of a parameter between which one plan is the best.

    Parameters
    ----------
    low, high
        Ends, in the parameter's inner unit.
    plan
        The best plan, priced under present conditions; None where no plan meets the bounds.
    low_value, high_value
        The objective's best value at the ends; None without a plan.
    """

    low: float
    high: float
    plan: Plan | None
    low_value: float | None
    high_value: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """A value of a parameter at which the best plan changes; below it one is the best, above it another."""

    at: float
    below: Plan | None
    above: Plan | None
    value: float | None


@dataclass(frozen=True, slots=True)
class Sweep:
    """The best plan over a range of one parameter.

    Parameters
    ----------
    parameter
        What changes.
    low, high
        The range.
    spans
        From low to high; they touch, and neighbours differ in their plans. Empty where there is a note.
    points
        Corners of the best value from low to high, ends included: (parameter, value). Where a greatest accuracy
        steps there are two.
    note
        Why nothing can be said; else empty.
    """

    parameter: Parameter
    low: float
    high: float
    spans: tuple[Span, ...]
    points: tuple[tuple[float, float], ...] = ()
    note: str = ""

    @property
    def changes(self) -> tuple[Change, ...]:
        """Every change of plan, from low to high."""
        return tuple(
            Change(right.low, left.plan, right.plan, right.low_value if left.high_value is None else left.high_value)
            for left, right in pairwise(self.spans)
        )

    @property
    def nearest(self) -> tuple[Change | None, Change | None]:
        """The nearest change below the present value, and above it; None where there is none in the range."""
        now = self.parameter.now
        below = [change for change in self.changes if change.at < now]
        above = [change for change in self.changes if change.at >= now]
        return (below[-1] if below else None), (above[0] if above else None)


@dataclass(frozen=True, slots=True)
class Why(Shown):
    """Why a plan is the answer to a question.

    Parameters
    ----------
    query
        The question.
    plan, value
        The best plan, and what it has of the objective.
    runner_up, runner_up_value
        The next best plan that is another one for some sample; None where there is none.
    effects
        Of every bound and rule of the question.
    sweeps
        One for every parameter that was looked at.
    factor
        Parameters were looked at from 1/factor to factor of their present values.
    solves
        How many questions were answered exactly for it.
    answer
        The question answered as things are, with its conditions and what is proved; None where nothing was asked.
    """

    query: Query
    plan: Plan
    value: float
    runner_up: Plan | None
    runner_up_value: float | None
    effects: tuple[Effect, ...]
    sweeps: tuple[Sweep, ...]
    factor: float
    solves: int
    answer: Answer | None = None

    def __repr__(self) -> str:
        return f"<Why {self.plan}: {format_value(self.value, self.query.objective)}>"

    @property
    def margin(self) -> float | None:
        """By how much the runner-up is worse, in the unit of the objective; None without one."""
        return None if self.runner_up_value is None else abs(self.runner_up_value - self.value)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield every change of plan: parameter, place, present value, where, best value there, plans on both sides."""
        for sweep in self.sweeps:
            for change in sweep.changes:
                yield {
                    "parameter": sweep.parameter.kind,
                    "name": sweep.parameter.name,
                    "now": sweep.parameter.now,
                    "at": change.at,
                    "value": change.value,
                    "below": None if change.below is None else label(change.below),
                    "above": None if change.above is None else label(change.above),
                }

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each change of the best plan, as `rows` yields them."""
        import pandas as pd

        columns = ["parameter", "name", "now", "at", "value", "below", "above"]
        return pd.DataFrame(list(self.rows()), columns=columns)

    def to_data(self) -> dict[str, Any]:
        """Return all of it as plain data, ``tiercut.why/1``; values in inner units, unrounded."""
        plans: dict[Any, dict[str, Any]] = {}

        def number(plan: Plan | None) -> int | None:
            if plan is None:
                return None
            return int(plans.setdefault(plan.decision, plan.to_data(len(plans) + 1))["rank"])

        data = {
            "format": FORMAT,
            "objective": self.query.objective,
            "best": {"plan": number(self.plan), "value": self.value},
            "runner_up": self.runner_up
            and {"plan": number(self.runner_up), "value": self.runner_up_value, "margin": self.margin},
            "bounds": [_effect_data(effect, number(effect.plan)) for effect in self.effects],
            "factor": self.factor,
            "parameters": [
                {
                    "parameter": sweep.parameter.kind,
                    "name": sweep.parameter.name,
                    "now": sweep.parameter.now,
                    "low": sweep.low,
                    "high": sweep.high,
                    "note": sweep.note,
                    "spans": [_span_data(span, number(span.plan)) for span in sweep.spans],
                }
                for sweep in self.sweeps
            ],
            "solves": self.solves,
        }
        listed = [{"plan": plan.pop("rank"), **plan} for plan in plans.values()]
        return {**data, "plans": listed}


def _effect_data(effect: Effect, plan: int | None) -> dict[str, Any]:
    names = ("name", "sense", "asked", "binds", "loosened")
    return {name: getattr(effect, name) for name in names} | {"plan": plan, "value": effect.value}


def _span_data(span: Span, plan: int | None) -> dict[str, Any]:
    ends = {"low": span.low, "high": span.high, "plan": plan}
    return {**ends, "low_value": span.low_value, "high_value": span.high_value}
