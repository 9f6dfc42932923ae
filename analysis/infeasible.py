"""Why no plan meets a question: which bound or rule cannot be kept, and the nearest value that can.

Each is taken by itself, then all together with one left out, and at last the fewest that exclude each other are sought
by leaving out one after the other. Every step asks a solver that proves what it says, so nothing here is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import floor, log10
from typing import TYPE_CHECKING, Any, TypeAlias

from tiercut import units
from tiercut.analysis.memory import needs_more
from tiercut.analysis.relaxations import NO_RULES, rules_of
from tiercut.errors import QuestionError
from tiercut.optimizer import (
    SLACK,
    Bound,
    Plan,
    Query,
    Space,
    bound_value,
    limits_memory,
    narrow,
    nearest_limit,
    price,
    rate_bounds,
    shown,
)
from tiercut.solvers import Options, make_task, registry

if TYPE_CHECKING:
    from tiercut.solvers import Solver, Task

__all__ = ["why_none"]

_STEPS = 100
_CLOSE = 2e-9


@dataclass(frozen=True, slots=True)
class _Accuracy:
    """The least accuracy, where the others are bounds on measures."""

    at_least: float


_Limit: TypeAlias = Bound | _Accuracy


def why_none(whole: Space, query: Query, solver: Solver) -> str:
    """Name the bound or the rule that cannot be kept, and the nearest value that can.

    Parameters
    ----------
    whole
        The space before the placement rules of the question.
    query
        A question that no plan meets.
    solver
        Asked where `auto` would take one that proves nothing.
    """
    try:
        search = _Search(whole, query, solver)
        return search.message() + search.memory()
    except _UnprovedError:
        return "no plan meets the question; which bound is in the way could not be proved in this space"


class _UnprovedError(Exception):
    """A solver found nothing, and cannot say that there is nothing."""


class _Search:
    """The bounds of a question, and plans that keep some of them."""

    def __init__(self, whole: Space, query: Query, solver: Solver) -> None:
        self.whole = whole
        free: dict[str, Any] = {"min_accuracy": None, "max_latency_s": None, "bounds": (), "max_utilisation": None}
        self.query = replace(query, kind="solve", objective="latency", over=(), **free)
        self.solver = solver
        self.space = narrow(whole, query)
        self.limits = [*_limits(query), *rate_bounds(self.space, query)]
        self.limited = limits_memory(whole.problem) and not query.ignore_memory

    def message(self) -> str:
        if self.plan(()) is None:
            return self.rules()
        for limit in self.limits:
            if self.plan([limit]) is None:
                return f"no plan {_says(limit)}; {self.nearest(limit, ())}"
        return self.together()

    def rules(self) -> str:
        """Name the placement rule without which there are plans."""
        if self.found(self.whole, replace(self.query, **NO_RULES)) is None:
            return "no plan is possible at all: the source is cut off from every node"
        freed, rules = [], _rules(self.query, memory=self.limited)
        for name, lifted in rules.items():
            changed = replace(self.query, **lifted)
            if self.found(narrow(self.whole, changed), changed) is not None:
                freed.append(name)
        if not freed:
            return f"no plan keeps all rules of placement together ({_listed(list(rules))}), nor all but one of them"
        return f"no plan keeps the rules of placement; there are plans without {' or without '.join(freed)}"

    def memory(self) -> str:
        """Say what the memory of nodes has to do with it; nothing where there is no plan without it either."""
        if not self.limited:
            return ""
        plan = self.plan(self.limits, space=narrow(self.whole, replace(self.query, ignore_memory=True)))
        if plan is None:
            return ""
        return (
            f"; were it not for the memory of nodes there would be {plan}, where {needs_more(self.whole.problem, plan)}"
        )

    def together(self) -> str:
        """Return by how much each bound would have to be relaxed if all others stayed."""
        eased = {limit: self.plan(self.others(limit)) for limit in self.limits}
        able = [limit for limit, plan in eased.items() if plan is not None]
        if not able:
            return self.conflict()
        if len(self.limits) == 2:
            first, second = sorted(self.limits, key=lambda limit: not isinstance(limit, _Accuracy))
            head = f"no plan {_says(first)}{_within(second)}"
            return f"{head}; {self.nearest(first, (second,))}, and that {_noun(first)} {self.takes(second, (first,))}"
        nearest = "; ".join(self.nearest(limit, self.others(limit)) for limit in able)
        return f"no plan keeps all bounds together ({_listed([_text(each) for each in self.limits])}); {nearest}"

    def conflict(self) -> str:
        """Name the fewest bounds that exclude each other."""
        core = list(self.limits)
        for limit in self.limits:
            rest = [each for each in core if each is not limit]
            if self.plan(rest) is None:
                core = rest
        named = _listed([_text(limit) for limit in core])
        nearest = "; ".join(self.nearest(limit, [each for each in core if each is not limit]) for limit in core)
        return f"no plan keeps {named} together, whatever the other bounds are; of these alone: {nearest}"

    def others(self, limit: _Limit) -> list[_Limit]:
        return [each for each in self.limits if each is not limit]

    def nearest(self, limit: _Limit, kept: Sequence[_Limit]) -> str:
        """Say the nearest value of a bound that can be had while others are kept."""
        plan = self.best(limit, kept)
        within = "".join(_within(each) for each in kept) if len(kept) == 1 else " with the others" if kept else ""
        if isinstance(limit, _Accuracy):
            return f"the best that can be had{within} is {_rounded_down(plan.accuracy or 0.0)} ({plan})"
        word = "least" if _is_read_as_most(limit) else "greatest"
        return f"the {word} {limit.name}{within} is {self.value(limit, plan)} ({plan})"

    def takes(self, limit: _Limit, kept: Sequence[_Limit]) -> str:
        plan = self.best(limit, kept)
        if isinstance(limit, _Accuracy):
            return f"leaves an accuracy of {_rounded_down(plan.accuracy or 0.0)}"
        what = "" if limit.name == "latency" else f" {limit.name} of"
        return f"{'takes' if _is_read_as_most(limit) else 'leaves'}{what} {self.value(limit, plan)}"

    def value(self, limit: Bound, plan: Plan) -> str:
        if limit.name == "latency" and limit.at_most is not None:
            return _rounded_up(plan.latency_s)
        return nearest_limit(limit, bound_value(self.space.problem, plan.decision, limit, self.query.rate_fps))

    def best(self, limit: _Limit, kept: Sequence[_Limit]) -> Plan:
        """Return the plan that comes nearest to a bound while others are kept; there is one."""
        plan = self.plan(kept, self.objective(limit))
        if plan is None:
            raise _UnprovedError
        if isinstance(limit, _Accuracy) or self.objective(limit) is not None:
            return plan
        return self.closing_in(limit, kept, plan)

    @staticmethod
    def objective(limit: _Limit) -> str | None:
        """Return the objective that finds the nearest value at once, or None."""
        if isinstance(limit, _Accuracy):
            return "accuracy"
        return limit.name if limit.at_most is not None and not limit.kind.ratio_of else None

    def closing_in(self, limit: Bound, kept: Sequence[_Limit], plan: Plan) -> Plan:
        """Halve the gap between what cannot be kept and what a plan keeps, each time to the value of that plan."""
        upward = limit.at_most is not None
        bad = limit.at_most if limit.at_most is not None else limit.at_least or 0.0
        for step in range(_STEPS):
            good = bound_value(self.space.problem, plan.decision, limit, self.query.rate_fps)
            gap = 0.5 if limit.counts else _CLOSE * max(1.0, good)
            if abs(good - bad) <= 2 * gap:
                break
            # Every other time just beyond the plan: mostly it is the nearest already, and one question proves it.
            wanted = (good + bad) / 2 if step % 2 else good + (-gap if upward else gap)
            nearer = self.plan([*kept, _moved(limit, max(wanted, 0.0))])
            better = nearer is not None and self._is_nearer(limit, nearer, good)
            if nearer is not None and better:
                plan = nearer
            elif step % 2:
                bad = wanted
            elif nearer is None:
                break
        return plan

    def _is_nearer(self, limit: Bound, plan: Plan, value: float) -> bool:
        fresh = bound_value(self.space.problem, plan.decision, limit, self.query.rate_fps)
        return fresh < value if limit.at_most is not None else fresh > value

    def plan(self, kept: Sequence[_Limit], objective: str | None = None, space: Space | None = None) -> Plan | None:
        """Return the best plan that keeps some bounds, or None where there is none."""
        floors = [limit.at_least for limit in kept if isinstance(limit, _Accuracy)]
        bounds = tuple(limit for limit in kept if not isinstance(limit, _Accuracy))
        plain = [bound for bound in bounds if bound.name == "latency" and bound.at_most is not None]
        query = replace(
            self.query,
            objective=objective or "latency",
            min_accuracy=max(floors) if floors else None,
            max_latency_s=min(bound.at_most or 0.0 for bound in plain) if plain else None,
            bounds=tuple(bound for bound in bounds if bound not in plain),
        )
        return self.found(space or self.space, query)

    def found(self, space: Space, query: Query) -> Plan | None:
        task = make_task(space, query)
        outcome = self._solver(task).solve(task, Options())
        if outcome.decisions and (outcome.status == "optimal" or query.objective == "latency"):
            return price(space.problem, outcome.decisions[0])
        if outcome.status != "infeasible":
            raise _UnprovedError
        return None

    def _solver(self, task: Task) -> Solver:
        try:
            chosen = registry.choose(task)[0]
        except QuestionError:
            return self.solver
        return chosen if chosen.exact else self.solver


def _moved(limit: Bound, value: float) -> Bound:
    return replace(limit, at_most=value) if limit.at_most is not None else replace(limit, at_least=value)


def _limits(query: Query) -> Iterator[_Limit]:
    if query.max_latency_s is not None:
        yield Bound("latency", at_most=query.max_latency_s)
    if query.min_accuracy is not None:
        yield _Accuracy(query.min_accuracy)
    for bound in query.bounds:
        yield from bound.halves


def _rules(query: Query, *, memory: bool) -> dict[str, dict[str, Any]]:
    """Return the placement rules as a question has them, each with the keys of the question without it."""
    rules: dict[str, dict[str, Any]] = {}
    for rule in rules_of(query, memory=memory):
        if "order" not in rule.lifted:  # the whole space keeps it
            rules.setdefault(rule.written, {}).update(rule.lifted)
    return rules


def _says(limit: _Limit) -> str:
    if isinstance(limit, _Accuracy):
        return f"reaches an accuracy of {limit.at_least:g}"
    if limit.name == "latency" and limit.at_most is not None:
        return f"takes at most {units.format_seconds(limit.at_most)}"
    return f"keeps {shown(limit)}"


def _within(limit: _Limit) -> str:
    if isinstance(limit, _Accuracy):
        return f" with an accuracy of {limit.at_least:g}"
    if limit.name == "latency" and limit.at_most is not None:
        return f" within {units.format_seconds(limit.at_most)}"
    return f" with {shown(limit)}"


def _text(limit: _Limit) -> str:
    return f"accuracy >= {limit.at_least:g}" if isinstance(limit, _Accuracy) else shown(limit)


def _noun(limit: _Limit) -> str:
    return "accuracy" if isinstance(limit, _Accuracy) else "bound"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1] if names else ""


def _rounded_up(seconds: float) -> str:
    """Return a latency in four digits that can be asked for where `seconds` can be had."""
    written = units.format_seconds(seconds)
    if units.parse(written, "time") >= seconds - SLACK / 2:
        return written
    return units.format_seconds(seconds + 10.0 ** (floor(log10(seconds)) - 3) / 2)


def _rounded_down(accuracy: float) -> str:
    """Return an accuracy in six digits that can be asked for where `accuracy` can be had."""
    return f"{floor((accuracy + SLACK / 2) * 1e6) / 1e6:.6g}"


def _is_read_as_most(limit: Bound) -> bool:
    """Return whether people read a bound as one from above."""
    return limit.kind.quantity.side("at_least" if limit.at_most is None else "at_most") == "at_most"
