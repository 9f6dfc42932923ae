"""What the model says of the frames of a run: of the same samples, as they were recorded, or else by the formula."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tiercut.offloader.local.cascade import Verdict
from tiercut.offloader.local.prediction import Predicted
from tiercut.offloader.local.result import Figures, latency_figures
from tiercut.optimizer import Plan, Problem, Recorded, exit_limits, price
from tiercut.profiling import Profile, samples_of

__all__ = ["by_formula", "by_replay"]

_SAME = 1e-3
"""Entropies that differ by no more are those of the same samples, on another machine."""


def by_formula(problem: Problem, prediction: Predicted) -> Figures:
    """Return what the formula says; quantiles are those of the latencies at the exits, weighted by their rates."""
    at_exit, rates = prediction.at_exit, prediction.rates
    mean = sum(rates[block] * seconds for block, seconds in at_exit.items())
    ordered = sorted((seconds, rates[block]) for block, seconds in at_exit.items())
    figures: dict[str, float | None] = {"mean": mean}
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        gone, found = 0.0, ordered[-1][0]
        for seconds, rate in ordered:
            gone += rate
            if gone >= share - 1e-9:
                found = seconds
                break
        figures[name] = found
    accuracy = price(problem, prediction.path.decision).accuracy
    return Figures(figures, accuracy, rates)


def by_replay(
    plan: Plan, prediction: Predicted, profile: Profile, uncut: Sequence[Verdict], count: int, numbers: Sequence[int]
) -> Figures | None:
    """Return what the model says of the same samples; None where none of the recorded splits holds them.

    The recorded samples went through no codec: what the codecs of the plan cost in accuracy is taken off, for those
    that cross them.

    Parameters
    ----------
    plan, prediction, profile
        The plan, its seconds, and what was recorded.
    uncut
        What the uncut network says of the samples.
    count
        How many samples there are.
    numbers
        The frames, each a sample modulo `count`.
    """
    recorded = _same_samples(plan, profile, uncut, count)
    if recorded is None or not numbers:
        return None
    limits = [limit for limit in exit_limits(plan.exits, plan.threshold, plan.thresholds) if limit is not None]
    places = np.array(numbers) % recorded.count
    taken = recorded.leaving(plan.exits, limits)[places]
    right = recorded.correct[taken - 1, places]
    at_exit = prediction.at_exit
    rates = {block: float(np.mean(taken == block)) for block in plan.exits}
    accuracy = float(right.mean()) - _codec_drop(prediction, taken)
    return Figures(latency_figures([at_exit[int(block)] for block in taken]), accuracy, rates)


def _codec_drop(prediction: Predicted, taken: NDArray[np.int64]) -> float:
    """Return by how much codecs lower the accuracy of frames that leave at some blocks."""
    problem, decision = prediction.path.problem, prediction.path.decision
    cuts = zip((0, *decision.partition), (decision.input_codec, *decision.codecs), strict=False)
    falls = [(block, float(problem.codec_drop[codec, block])) for block, codec in cuts if codec is not None]
    return sum(drop * float(np.mean(taken > block)) for block, drop in falls)


def _same_samples(plan: Plan, profile: Profile, uncut: Sequence[Verdict], count: int) -> Recorded | None:
    entropies = np.array([each.entropies for each in uncut])
    if not entropies.size:
        return None
    for split, name in (("test", profile.test_samples_file), ("profile", profile.samples_file)):
        if name is None:
            continue
        found = Recorded.of(samples_of(profile, "test" if split == "test" else "profile"))
        if found.count != count or found.entropy.shape[0] != profile.block_count:
            continue
        there = found.entropy[np.array(plan.exits) - 1, : len(entropies)].T
        if np.mean(np.abs(there - entropies) <= _SAME) >= 0.99:
            return found
    return None
