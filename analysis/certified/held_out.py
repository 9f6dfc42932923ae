"""Samples that choose plans, and samples held out that certify them; a profile of those that choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tiercut.errors import QuestionError
from tiercut.optimizer import Recorded
from tiercut.profiling import exits_record, samples_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tiercut.optimizer import Decision, Problem
    from tiercut.profiling import Profile, Samples, SampleSplit

__all__ = ["HeldOut", "hold_out", "profile_by"]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Samples in two parts that have none in common.

    Parameters
    ----------
    choosing
        Those that plans are chosen by.
    certifying
        Those that had no part in it.
    seed
        By which one split was halved; None where each part is a split of its own.
    """

    choosing: Samples
    certifying: Recorded
    seed: int | None

    def hits(self, problem: Problem, decisions: Sequence[Decision]) -> list[int]:
        """Return how many of the certifying samples each decision answers rightly."""
        counts = self.certifying.count_leaving(problem.thresholds, decisions)
        return [int(right.sum()) for _, right in counts]

    def changed(self, problem: Problem, decision: Decision) -> int:
        """Return of how many of the certifying samples the answer differs from that of the full network.

        Where the record does not say which classes the branches name, it is at most so many: an answer is the same
        where the sample takes the last exit of the network, or where both are right; two wrong ones count as different.
        """
        chosen = decision.thresholds or (decision.threshold or 0,) * (len(decision.exits) - 1)
        held = self.certifying
        taken = held.leaving(decision.exits, problem.thresholds[list(chosen)].tolist()) - 1
        last, every = problem.block_count - 1, np.arange(held.count)
        if held.answer is not None:
            return int(np.count_nonzero(held.answer[taken, every] != held.answer[last]))
        right: NDArray[np.bool_] = held.correct[taken, every] > 0
        return int(np.count_nonzero((taken != last) & ~(right & (held.correct[last] > 0))))


def hold_out(profile: Profile, split: SampleSplit, seed: int) -> HeldOut:
    """Return the samples of a profile in two parts: one to choose plans by, one to certify them.

    Parameters
    ----------
    profile
        One that was read from a file, beside which the samples lie.
    split
        ``profile``: the profile split is halved at random; ``test``: all of it chooses, and the test split certifies.
    seed
        Of the halves.

    Raises
    ------
    InputError, QuestionError
        If there are no such samples, or they speak of another network.
    """
    if profile.is_separate:
        raise QuestionError(
            "certify needs samples of the network whose accuracies count; accuracies 'separate' are of other networks"
        )
    if profile.exits is None and profile.samples_file is None:
        raise QuestionError(
            f"certify needs recorded samples, and profile '{profile.name}' has neither exits nor the key 'samples_file'"
        )
    whole = samples_of(profile)
    if split == "test":
        return HeldOut(whole, Recorded.of(samples_of(profile, "test"), "test"), None)
    count = len(whole.entropy)
    if count < 2:
        raise QuestionError(f"certify needs two samples at least, to choose by and to certify; there is {count}")
    order = np.random.default_rng(seed).permutation(count)
    chosen, held = np.sort(order[: count // 2]), np.sort(order[count // 2 :])
    return HeldOut(whole.part(chosen), Recorded.of(whole.part(held)), seed)


def profile_by(profile: Profile, samples: Samples) -> Profile:
    """Return a profile whose exit rates and accuracies are those of some samples alone."""
    if profile.exits is None:
        return profile.model_copy(update={"accuracy": float(samples.correct[:, -1].mean())})
    exits = profile.exits
    present = [place for place, accuracy in enumerate(exits.accuracy) if accuracy is not None]
    record = exits_record(samples, exits.thresholds, present=present)
    return profile.model_copy(
        update={"samples": len(samples.entropy), "exits": exits.model_copy(update=record), "samples_file": None}
    )
