"""What the uncut network says of the frames on this machine: the exit, the answer and the entropies of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.offloader.bundles.stage import leaves
from tiercut.offloader.bundles.uncut import Uncut
from tiercut.offloader.local.frames import Frames
from tiercut.optimizer import Plan, exit_limits
from tiercut.profiling import CutNetwork, normalised_entropy, probabilities

__all__ = ["Verdict", "uncut_cascade"]

_ROUNDING = 1e-4


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the uncut network says of a sample.

    Parameters
    ----------
    exit
        The block where it leaves, 1-based.
    results
        The scores there, [1, classes]; or the results of a network without exits.
    entropies
        Normalised entropy at each exit of the plan, in order; empty without exits.
    """

    exit: int
    results: tuple[NDArray[Any], ...]
    entropies: tuple[float, ...]

    def agrees(self, exit_: int | None, results: Mapping[str, NDArray[Any]]) -> bool:
        """Return whether a frame left at the same exit with the same answer: the class, or else all numbers."""
        if exit_ != self.exit or len(results) != len(self.results):
            return False
        pairs = list(zip(self.results, results.values(), strict=True))
        if self.entropies:
            return all(int(there.argmax()) == int(here.argmax()) for there, here in pairs)
        return all(
            there.shape == here.shape
            and bool(np.abs(there - here).max(initial=0.0) <= _ROUNDING * (np.abs(there).max(initial=0.0) or 1.0))
            for there, here in pairs
        )


def uncut_cascade(plan: Plan, cut: CutNetwork, frames: Frames, count: int) -> list[Verdict]:
    """Return what the uncut network says of each sample that so many frames need."""
    uncut = Uncut(cut, plan.exits)
    limits = exit_limits(plan.exits, plan.threshold, plan.thresholds)
    return [
        _verdict(plan, uncut, limits, frames.frame(each), bool(cut.ends)) for each in range(min(count, frames.count))
    ]


def _verdict(
    plan: Plan, uncut: Uncut, limits: tuple[float | None, ...], frame: Mapping[str, NDArray[Any]], has_exits: bool
) -> Verdict:
    if not has_exits:
        return Verdict(plan.exits[-1], tuple(uncut.results(frame)), ())
    scores = uncut.scores(frame)
    entropies = [
        float(normalised_entropy(probabilities(f"exit {each}", score))[0]) for each, score in enumerate(scores)
    ]
    taken = next(place for place, limit in enumerate(limits) if leaves(entropies[place], limit))
    return Verdict(plan.exits[taken], (scores[taken],), tuple(entropies))
