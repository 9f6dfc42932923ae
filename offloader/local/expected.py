"""What the model says of the frames of a run: of the same samples, as they were recorded, or else by the formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tiercut.offloader.local.cascade import Verdict
from tiercut.offloader.local.prediction import Predicted
from tiercut.offloader.local.result import QUANTILES, Figures
from tiercut.optimizer import Plan, Problem, Recorded, exit_limits, price, samples_needed
from tiercut.profiling import Profile, samples_of

__all__ = ["by_formula", "by_replay"]

_SAME = 1e-3
"""Entropies that differ by no more are those of the same samples, on another machine."""


def by_formula(problem: Problem, prediction: Predicted) -> Figures:
    """Return what the formula says; quantiles are those of the latencies at the exits, weighted by their rates."""
    accuracy = price(problem, prediction.path.decision).accuracy
    return Figures(_latencies(prediction, prediction.rates), accuracy, prediction.rates)


def _latencies(prediction: Predicted, rates: Mapping[int, float], frames: int | None = None) -> dict[str, float | None]:
    """Return mean and quantiles of the latency where frames leave at so many exits: a mixture over exits and rounds.

    Quantiles are None where so many frames are too few to tell; None for `frames`: as many as it takes.
    """
    at_exit = prediction.at_exit
    values: list[float] = []
    weights: list[float] = []
    for block, rate in rates.items():
        taken = prediction.rounds_s.get(block) or (at_exit[block],)
        values += taken
        weights += [rate / len(taken)] * len(taken)
    order = np.argsort(values, kind="stable")
    gone = np.cumsum(np.array(weights)[order])
    figures: dict[str, float | None] = {"mean": sum(rate * at_exit[block] for block, rate in rates.items())}
    for name, share in QUANTILES.items():
        place = min(int(np.searchsorted(gone, share - 1e-9)), len(order) - 1)
        enough = frames is None or frames >= samples_needed(share)
        figures[name] = float(values[order[place]]) if enough else None
    return figures


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
    rates = {block: float(np.mean(taken == block)) for block in plan.exits}
    accuracy = float(right.mean()) - _codec_drop(prediction, taken)
    return Figures(_latencies(prediction, rates, len(taken)), accuracy, rates)


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
