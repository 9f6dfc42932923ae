"""Plans whose accuracy holds on the population with a confidence, although they were picked out of very many.

Samples that choose a plan speak well of it: that is why it was chosen. So one part of them chooses (see
`tiercut.analysis.certified.held_out`), and the other tests what was chosen, distribution-free:

A least accuracy is tested by *fixed sequence testing* (Bauer, "Multiple testing in clinical trials", 1991; as one of
the ways of Angelopoulos, Bates, Candes, Jordan and Lei, "Learn then Test: calibrating predictive algorithms to achieve
risk control", 2021, section 2.3). The samples that choose put plans into an order from safe to fast. Each is tested in
its turn at the full level, by the exact binomial tail of its hits among the samples held out, until one fails; those
before it are certified. A false certificate needs that the first plan in the order that is not accurate enough passes
its test, which has at most the level's probability: however many plans there are, and however they were found.

Where no least accuracy is asked for, each plan gets the one-sided lower bound of Clopper and Pearson (1934), at a level
divided by the number of plans (Bonferroni), so that all bounds hold together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tiercut.analysis.certified.certificate import Certificate, Certified, Treatment, treatment_of
from tiercut.analysis.distinct import treatment
from tiercut.errors import QuestionError
from tiercut.optimizer import (
    Recorded,
    binomial_tail,
    evaluate,
    front_of,
    least_share,
    samples_to_show,
    settled,
    settling_text,
)

if TYPE_CHECKING:
    from tiercut.analysis.answers.answer import Answer
    from tiercut.analysis.certified.held_out import HeldOut
    from tiercut.optimizer import Plan, Problem, Query

__all__ = ["certified"]

_BELOW = 0.02
"""How far below the accuracy asked for plans are put into the order; none so far below passes its test."""

_FLOORS = 48
"""Accuracies along the frontier, at most, of which a ranking is asked for its best plans."""


def certified(query: Query, confidence: float, held: HeldOut, ask: Callable[[Query], Answer]) -> Answer:
    """Return the answer to a question whose plans are certified on samples held out.

    Parameters
    ----------
    query
        What is asked.
    confidence
        Between 0 and 1.
    held
        The samples.
    ask
        Answers a question by the samples that choose.

    Returns
    -------
    Answer
        With a certificate. Where no plan is certified it has none, and its message says how many samples would do.

    Raises
    ------
    QuestionError
        If there is no accuracy to certify, or there are fewer samples than could show it whatever they are.
    """
    if query.codec != "none":
        raise QuestionError(
            "certify counts samples as they were recorded, without codecs; leave codec out, or certify without it"
        )
    floored = any(each is not None for each in (query.min_accuracy, query.of_final, query.max_loss))
    if query.kind == "frontier" and "accuracy" not in query.compared and not floored:
        raise QuestionError("certify needs an accuracy: put accuracy among what the frontier is over, or bound it")
    if query.kind != "frontier" and query.objective != "accuracy" and not floored:
        raise QuestionError(
            "certify needs an accuracy to certify: name the least (min_accuracy or max_loss), or ask for the greatest "
            "(objective accuracy)"
        )
    if query.kind == "frontier" and "accuracy" not in query.compared and len(query.compared) > 2:
        raise QuestionError(
            "certify tests the plans of a frontier from accurate to quick, so that accuracy is one of its three "
            f"measures at most: name two of {', '.join(query.compared)}, and bound the third"
        )
    work = _Work(query, confidence, held, ask)
    tested_one_by_one = floored and (query.kind == "frontier" or query.objective != "accuracy")
    return work.in_sequence() if tested_one_by_one else work.each_by_itself()


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A plan in the order of tests, with what the samples that choose make of it.

    Parameters
    ----------
    plan
        As the samples that choose have it priced.
    accuracy
        Share of them that it answers rightly.
    cost
        What is minimised, or traded against accuracy.
    """

    plan: Plan
    accuracy: float
    cost: float

    @property
    def treatment(self) -> Treatment:
        return treatment_of(self.plan.decision)


class _Work:
    """One question on its way to a certificate."""

    def __init__(self, query: Query, confidence: float, held: HeldOut, ask: Callable[[Query], Answer]) -> None:
        self.query, self.confidence, self.held, self.ask = query, confidence, held, ask
        self.count = held.certifying.count

    @property
    def level(self) -> float:
        return 1.0 - self.confidence

    def in_sequence(self) -> Answer:
        """Test plans against the least accuracy, from safe to fast."""
        bare = replace(self.query, min_accuracy=None, of_final=None, max_loss=None)
        if self.query.min_accuracy is not None:
            self.check_enough(self.query.min_accuracy)
        least = max((self.query.min_accuracy or 0.0) - _BELOW, 0.0) if self.query.min_accuracy is not None else None
        over = self.query.over if self.query.kind == "frontier" else ()
        if over and "accuracy" not in over:  # else what is cheap would drive out what is accurate enough to pass
            over = (*over, "accuracy")
        base = self.ask(replace(bare, kind="frontier", objective=self.query.additive, over=over, min_accuracy=least))
        problem = base.judged
        query = replace(settled(self.query, problem), estimator=base.query.estimator)
        floor = query.min_accuracy or 0.0
        self.check_enough(floor)
        answers = [base, *self.more(bare, base)]
        if answers[-1].outcome.status == "interrupted":
            base = replace(base, outcome=answers[-1].outcome)
        order = self.order(problem, [plan for each in answers for plan in each.plans])
        enough = [each for each in order if each.accuracy >= query.accuracy_floor]
        if base.outcome.status == "interrupted" and not order:
            return base
        if not enough and base.outcome.status != "interrupted" and (why := self.ask(self.query)).message:
            return why  # the samples that choose rule it out
        tests = _once(order)
        passed = self.passing(problem, tests, floor)
        said = settling_text(self.query, problem)
        base = replace(base, query=query, notes=((said,) if said else ()) + base.notes)
        kept = [each for each in order if each.treatment in passed]
        if not kept:
            return _without(base, self.none(problem, tests, floor))
        quickest = min(enough, key=lambda each: each.cost).plan if enough else None
        chosen = tuple(self.best(base, kept))
        found = self.certificate(problem, tests, passed, chosen, floor, quickest)
        outcome = base.outcome
        if outcome.status == "optimal":
            outcome = replace(outcome, status="feasible", reason=found.guarantee)
        # What stands beside a frontier is neither certified nor held to the accuracy asked for.
        return replace(base, plans=chosen, outcome=outcome, beside={}, seen=None, certified=found)

    def check_enough(self, floor: float, tests: int = 1) -> None:
        """Refuse samples that could not show the accuracy if all were answered rightly; tests share the level."""
        needed = samples_to_show(floor, 1.0 - self.level / tests)
        if needed is not None and needed <= self.count:
            return
        if needed is None:
            raise QuestionError(f"certify: no number of samples shows an accuracy of {100 * floor:.6g} %; ask for less")
        raise QuestionError(
            f"certify: to show an accuracy of {100 * floor:.6g} % with {self.sure(tests)} takes "
            f"{needed:,} samples that did not choose the plan{self.in_all(needed)}, and there are {self.count:,}"
        )

    def sure(self, tests: int) -> str:
        """Return the confidence in words, where so many tests share the level."""
        return f"{100 * self.confidence:.6g} % confidence" + (f" in {tests} plans together" if tests > 1 else "")

    def in_all(self, needed: int) -> str:
        """Return how many samples have to be recorded to hold out so many."""
        return "" if self.held.seed is None else f" ({2 * needed:,} recorded, as half of them choose)"

    def more(self, bare: Query, base: Answer) -> Iterator[Answer]:
        """Yield what a ranking may list besides the frontier: the best plans of each accuracy along it.

        The last may be interrupted.
        """
        if self.query.kind != "rank" or base.outcome.status == "interrupted":
            return
        floors = sorted({plan.accuracy or 0.0 for plan in base.plans}, reverse=True)
        stride = max(len(floors) / _FLOORS, 1.0)
        chosen = [floors[int(place * stride)] for place in range(min(len(floors), _FLOORS))]
        asked = replace(bare, objective=self.query.additive)
        for floor in chosen:
            answer = self.ask(replace(asked, min_accuracy=floor))
            yield answer
            if answer.outcome.status == "interrupted":
                return

    def order(self, problem: Problem, plans: Sequence[Plan]) -> list[_Candidate]:
        """Return plans from safe to fast, by the samples that choose alone.

        A plan that is dearer than as many before it as are wanted is left out: it would only be one more that may fail.
        """
        fresh = list({plan.decision: plan for plan in plans}.values())
        recorded = Recorded.of(self.held.choosing)
        counts = recorded.count_leaving(problem.thresholds, [plan.decision for plan in fresh])
        found = [
            _Candidate(plan, int(right.sum()) / recorded.count, self.cost(problem, plan))
            for plan, (_, right) in zip(fresh, counts, strict=True)
        ]
        found.sort(key=lambda each: (-each.accuracy, each.cost, each.plan.decision.order))
        if self.query.many:
            return found
        wanted = self.query.top if self.query.kind == "rank" else 1
        kept: list[_Candidate] = []
        cheapest: list[float] = []
        for each in found:
            if len(cheapest) < wanted or each.cost < cheapest[-1]:
                kept.append(each)
                cheapest = sorted([*cheapest, each.cost])[:wanted]
        return kept

    def cost(self, problem: Problem, plan: Plan) -> float:
        return evaluate(problem, plan.decision, self.query.additive, self.query.rate_fps)

    def passing(
        self, problem: Problem, tests: Sequence[_Candidate], floor: float
    ) -> dict[Treatment, tuple[int, float]]:
        """Return hits and p-values of the plans before the first that fails."""
        passed: dict[Treatment, tuple[int, float]] = {}
        hits = self.held.hits(problem, [each.plan.decision for each in tests])
        for each, right in zip(tests, hits, strict=True):
            p_value = binomial_tail(right, self.count, floor)
            if p_value > self.level:
                break
            passed[each.treatment] = right, p_value
        return passed

    def best(self, base: Answer, kept: Sequence[_Candidate]) -> list[Plan]:
        """Return what was asked for of the plans that are certified, in order."""
        query = self.query
        if query.kind == "frontier":
            certified = {each.plan.decision for each in kept}
            plans = [plan for plan in base.plans if plan.decision in certified]
            return plans if "accuracy" in query.compared else front_of(base.judged, query, plans)
        kept = sorted(kept, key=lambda each: (each.cost, each.plan.latency_s, -each.accuracy, each.plan.decision.order))
        once: dict[object, Plan] = {}
        for each in kept:
            once.setdefault(treatment(base.judged, each.plan) if query.distinct else each.plan.decision, each.plan)
        return list(once.values())[: query.top if query.kind == "rank" else 1]

    def none(self, problem: Problem, tests: Sequence[_Candidate], floor: float, sharing: int = 1) -> str:
        """Return why not even the safest plan is certified, and how many samples would do; so many share the level."""
        if not tests:
            return "no plan is certified, as none was found"
        first = tests[0]
        (right,) = self.held.hits(problem, [first.plan.decision])
        seen = right / self.count
        needed = samples_to_show(floor, 1.0 - self.level / sharing, seen)
        rest = "and no number of samples would show more"
        if needed is not None:
            rest = f"which would take about {needed:,} samples that did not choose{self.in_all(needed)}"
        return (
            f"no plan is certified: the most accurate, {first.plan}, answers {right:,} of {self.count:,} samples held "
            f"out rightly ({seen:.2%}), too few to show {100 * floor:.6g} % with "
            f"{self.sure(sharing)}, {rest}"
        )

    def each_by_itself(self) -> Answer:
        """Give each plan of the answer a lower bound of its own."""
        base = self.ask(self.query)
        if not base.plans:
            return base
        problem = base.judged
        tests = _once([_Candidate(plan, plan.accuracy or 0.0, 0.0) for plan in base.plans])
        hits = self.held.hits(problem, [each.plan.decision for each in tests])
        bounds = {each.treatment: (right, None) for each, right in zip(tests, hits, strict=True)}
        found = self.certificate(problem, tests, bounds, base.plans, None, None)
        floor = base.query.min_accuracy
        kept = tuple(plan for plan in base.plans if found.of(plan).at_least >= base.query.accuracy_floor)
        if not kept and floor is not None:
            self.check_enough(floor, len(tests))
            return _without(base, self.none(problem, tests, floor, len(tests)))
        return replace(base, plans=kept, seen=None, certified=found)

    def certificate(
        self,
        problem: Problem,
        tests: Sequence[_Candidate],
        passed: dict[Treatment, tuple[int, float]] | dict[Treatment, tuple[int, None]],
        chosen: Sequence[Plan],
        floor: float | None,
        uncertified: Plan | None,
    ) -> Certificate:
        shared = 1.0 - self.level / len(tests)
        plans: dict[Treatment, Certified] = {}
        for plan in chosen:
            key = treatment_of(plan.decision)
            if key in plans:
                continue
            right, p_value = passed[key]
            changed = self.held.changed(problem, plan.decision)
            plans[key] = Certified(
                hits=right,
                accuracy=right / self.count,
                at_least=least_share(right, self.count, shared) if floor is None else floor,
                p_value=p_value,
                changed=changed / self.count,
                changed_at_most=1.0 - least_share(self.count - changed, self.count, shared),
            )
        return Certificate(
            confidence=self.confidence,
            method="each" if floor is None else "fixed sequence",
            min_accuracy=floor,
            split=self.held.certifying.split,
            seed=self.held.seed,
            chosen_by=len(self.held.choosing.entropy),
            samples=self.count,
            tested=len(tests),
            passed=len(passed),
            plans=plans,
            answers_known=self.held.certifying.answer is not None,
            uncertified=uncertified,
        )


def _without(base: Answer, message: str) -> Answer:
    """Return an answer that has no plans, as none is certified."""
    outcome = replace(base.outcome, status="stopped", reason=message)
    return replace(base, plans=(), outcome=outcome, beside={}, seen=None, native=None, message=message)


def _once(order: Iterable[_Candidate]) -> list[_Candidate]:
    """Return the first of those that do the same to every sample: they are one test."""
    found: dict[Treatment, _Candidate] = {}
    for each in order:
        found.setdefault(each.treatment, each)
    return list(found.values())
