"""What the uncut network says of the frames on this machine: the exit, the answer and the entropies of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.offloader.bundles.manifest import Bundle
from tiercut.offloader.bundles.stage import StageRunner, leaves
from tiercut.offloader.bundles.uncut import Uncut
from tiercut.offloader.local.frames import Frames
from tiercut.offloader.protocol.coding import Coding, coming
from tiercut.optimizer import Plan, exit_limits
from tiercut.profiling import CutNetwork, normalised_entropy, probabilities

__all__ = ["Verdict", "cascades", "uncut_cascade"]

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
        Normalised entropy at each exit of the plan, in order, or at the one where it leaves; empty without exits.
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


def cascades(
    plan: Plan,
    cut: CutNetwork,
    bundles: Sequence[Bundle],
    runners: Sequence[StageRunner],
    frames: Frames,
    count: int,
) -> tuple[list[Verdict], list[Verdict]]:
    """Return what a plan must answer to each sample that so many frames need, and what the uncut network says of it.

    The two are one where the plan has no codecs. Else the first is what its pieces answer here, one after the other,
    with what its codecs do to the tensors between them.
    """
    uncut = uncut_cascade(plan, cut, frames, count)
    if not plan.uses_codecs:
        return uncut, uncut
    codings = [coming(bundle) for bundle in bundles]
    frames_needed = range(min(count, frames.count))
    return [_coded(runners, codings, frames.frame(each), bool(cut.ends)) for each in frames_needed], uncut


def _coded(
    runners: Sequence[StageRunner], codings: Sequence[Coding], frame: Mapping[str, NDArray[Any]], has_exits: bool
) -> Verdict:
    tensors = dict(frame)
    for runner, coding in zip(runners, codings, strict=True):
        ended = runner(coding.there_and_back(tensors))
        if ended.leaves:
            break
        tensors = ended.tensors
    assert ended.exit is not None
    entropies = (ended.entropy,) if has_exits and ended.entropy is not None else ()
    return Verdict(ended.exit, tuple(ended.tensors.values()), entropies)


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
