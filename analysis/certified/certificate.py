"""What is certified of the plans of an answer: with which confidence, on which samples, and how it was tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from tiercut.optimizer import Decision, Plan
    from tiercut.profiling import SampleSplit

__all__ = ["Certificate", "Certified", "Treatment", "treatment_of"]

Treatment: TypeAlias = tuple[Any, ...]
"""Exits and thresholds: what decides which answer a sample gets, wherever the pieces run."""


def treatment_of(decision: Decision) -> Treatment:
    """Return what of a decision decides which answer a sample gets."""
    return decision.exits, decision.threshold, decision.thresholds


@dataclass(frozen=True, slots=True)
class Certified:
    """What the samples held out make of one plan.

    Parameters
    ----------
    hits
        How many of them it answers rightly.
    accuracy
        Their share.
    at_least
        What the accuracy on the population is at least, with the confidence of the certificate.
    p_value
        Probability of so many hits or more if it were less; None where `at_least` is the bound of these hits itself.
    changed
        Share of the samples held out whose answer differs from that of the full network; at most so many, where the
        record does not say which classes were named.
    changed_at_most
        What that share is at most on the population, with the same confidence, of whichever plan was chosen.
    """

    hits: int
    accuracy: float
    at_least: float
    p_value: float | None
    changed: float
    changed_at_most: float


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """What is certified of the plans of an answer.

    Parameters
    ----------
    confidence
        Probability, over the samples held out, with which all that is certified of accuracies holds.
    method
        ``fixed sequence``: plans are tested against one least accuracy from safe to fast, until one fails; ``each``:
        each has a lower bound of its own, and all hold together.
    min_accuracy
        The least accuracy that was tested; None where each plan has its own bound.
    split
        Which samples certify: ``profile``, the half of the profile split that did not choose; or ``test``.
    seed
        By which the profile split was halved; None where a split of its own certifies.
    chosen_by, samples
        How many samples chose the plans, and how many certify them.
    tested, passed
        How many plans with different exits or thresholds were up for a test, and how many passed.
    plans
        What is certified, by what a plan does to samples (`treatment_of`).
    answers_known
        Whether the record says which classes were named, so that `Certified.changed` is exact and takes no labels.
    uncertified
        The plan that the samples that choose would have had without a certificate; None where that is no other
        question.
    """

    confidence: float
    method: Literal["fixed sequence", "each"]
    min_accuracy: float | None
    split: SampleSplit
    seed: int | None
    chosen_by: int
    samples: int
    tested: int
    passed: int
    plans: Mapping[Treatment, Certified]
    answers_known: bool
    uncertified: Plan | None = None

    def of(self, plan: Plan) -> Certified:
        """Return what is certified of a plan of the answer."""
        return self.plans[treatment_of(plan.decision)]

    @property
    def held_out(self) -> str:
        """Which samples certify, in words."""
        if self.split == "test":
            return f"the {self.samples:,} samples of the test split"
        return f"{self.samples:,} samples of the profile split, held out by seed {self.seed}"

    @property
    def guarantee(self) -> str:
        """What is certified, and what that rests on."""
        least = "the bounds shown hold"
        if self.min_accuracy is not None:
            least = f"the accuracy is at least {_percent(self.min_accuracy)}"
        how = (
            f"each bound counts for all {self.tested} together"
            if self.method == "each"
            else f"{self.passed} of {self.tested} plans passed, tested from safe to fast"
        )
        return (
            f"certified: for samples like these {least} with {_percent(self.confidence)} confidence, "
            f"by {self.held_out} ({how}; the {self.chosen_by:,} others chose, and the other figures are theirs)"
        )

    def to_data(self, plans: Sequence[Plan]) -> dict[str, Any]:
        """Return it as it stands in an answer, with a row for each plan."""
        return {
            "confidence": self.confidence,
            "method": self.method,
            "min_accuracy": self.min_accuracy,
            "split": self.split,
            "seed": self.seed,
            "chosen_by": self.chosen_by,
            "samples": self.samples,
            "tested": self.tested,
            "passed": self.passed,
            "answers_known": self.answers_known,
            "plans": [self._row(rank, plan) for rank, plan in enumerate(plans, 1)],
            **({} if self.uncertified is None else {"uncertified": self.uncertified.to_data(1)}),
        }

    def _row(self, rank: int, plan: Plan) -> dict[str, Any]:
        found = self.of(plan)
        return {"rank": rank} | {name: getattr(found, name) for name in Certified.__slots__}


def _percent(share: float) -> str:
    return f"{100 * share:.6g} %"
