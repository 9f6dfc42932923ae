"""Recorded samples, laid out to be sent through many plans at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tiercut.errors import QuestionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer.plan import Decision
    from tiercut.profiling import Samples, SampleSplit

    Ints = NDArray[np.int64]

__all__ = ["Recorded"]

_QUICK = 500_000  # samples times exits that are counted without the kernel
_TAKES_ALL = np.float32(np.inf)


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """What every branch says of every sample: S samples, N branches.

    Parameters
    ----------
    entropy
        float32[N, S]: normalised entropies; samples in the fast direction.
    correct
        uint8[N, S]: 1 where the answer is right.
    split
        Which samples they are, for display.
    source
        The file that they come from; None where that is not known.
    answer
        int32[N, S]: the class that each branch names; None where that was not recorded.
    """

    entropy: NDArray[np.float32]
    correct: NDArray[np.uint8]
    split: SampleSplit = "profile"
    source: str | None = None
    answer: NDArray[np.int32] | None = None

    @classmethod
    def of(cls, samples: Samples, split: SampleSplit = "profile") -> Recorded:
        """Return samples as they lie in a file, turned over."""
        entropy = np.ascontiguousarray(samples.entropy.T, np.float32)
        correct = np.ascontiguousarray(samples.correct.T).view(np.uint8)
        answer = None if samples.answer is None else np.ascontiguousarray(samples.answer.T)
        return cls(entropy, correct, split, samples.source, answer)

    @property
    def count(self) -> int:
        """Number of samples, S."""
        return int(self.entropy.shape[1])

    def bits(self, thresholds: NDArray[np.float64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Return which samples are below each threshold at each branch, and which are right: T x N and N x words of 64.

        The first sample is the lowest bit of the first word.
        """
        below = np.stack([_packed(self.entropy < limit) for limit in single_precision(thresholds)])
        return below, _packed(self.correct > 0)

    def check_blocks(self, profile: str, count: int) -> None:
        """Refuse samples that have another number of branches than a profile has blocks.

        Raises
        ------
        QuestionError
            If they do not belong together.
        """
        if self.entropy.shape[0] != count:
            raise QuestionError(
                f"the samples have {self.entropy.shape[0]} branches, but profile '{profile}' has {count} blocks; they "
                "do not belong together"
            )

    def leaving(self, exits: Sequence[int], thresholds: Sequence[float]) -> Ints:
        """Return the exit that each sample takes: S 1-based blocks.

        A sample leaves at the first exit where its entropy is below the threshold, and at the last whatever it is.

        Parameters
        ----------
        exits
            1-based blocks whose branch is evaluated, rising.
        thresholds
            Normalised entropies, one for every exit but the last.

        Raises
        ------
        QuestionError
            If there are not as many thresholds as exits before the last.
        """
        if len(thresholds) != len(exits) - 1:
            raise QuestionError(
                f"expected a threshold for every exit but the last, {len(exits) - 1}, and got {len(thresholds)}"
            )
        rows = self.entropy[np.array(exits, np.int64) - 1]
        below = rows < _with_last(np.array(thresholds, np.float64))[:, None]
        below[-1] = True
        taken: Ints = np.array(exits, np.int64)[below.argmax(axis=0)]
        return taken

    def count_leaving(self, thresholds: NDArray[np.float64], decisions: Sequence[Decision]) -> list[tuple[Ints, Ints]]:
        """Return for each decision how many samples leave at each of its exits, and how many of those are right.

        Parameters
        ----------
        thresholds
            T normalised entropies, to which the decisions have indices.
        decisions
            Any; where they run does not matter.
        """
        first = np.cumsum([0, *(len(each.exits) for each in decisions)])
        exits = np.array([block - 1 for each in decisions for block in each.exits], np.int64)
        limits = np.concatenate([np.empty(0, np.float32), *(_limits(thresholds, each) for each in decisions)])
        left, right = np.zeros((2, len(exits)), np.int64)
        if len(exits) * self.entropy.shape[1] <= _QUICK:
            self._count_few(exits, limits, first, left, right)
        else:
            from tiercut.optimizer.samples.replay_kernels import count_leaving

            count_leaving(self.entropy, self.correct, exits, limits, first, left, right)
        return [(left[begin:end], right[begin:end]) for begin, end in pairwise(first)]

    def _count_few(self, exits: Ints, limits: NDArray[np.float32], first: Ints, left: Ints, right: Ints) -> None:
        """Do what the kernel does; for a plan or two, loading that takes longer than counting here."""
        for begin, end in pairwise(first):
            stays = np.ones(self.entropy.shape[1], np.bool_)
            for k in range(begin, end):
                leaves = stays & (self.entropy[exits[k]] < limits[k])
                left[k] = np.count_nonzero(leaves)
                right[k] = np.count_nonzero(leaves & (self.correct[exits[k]] != 0))
                stays &= ~leaves


def _packed(rows: NDArray[np.bool_]) -> NDArray[np.uint64]:
    room = -(-rows.shape[1] // 64) * 8
    packed = np.packbits(rows, axis=1, bitorder="little")
    return np.pad(packed, ((0, 0), (0, room - packed.shape[1]))).view("<u8").astype(np.uint64)


def _limits(thresholds: NDArray[np.float64], decision: Decision) -> NDArray[np.float32]:
    """Return the entropy below which a sample leaves at each exit of a decision."""
    before = len(decision.exits) - 1
    chosen = decision.thresholds or (decision.threshold or 0,) * before
    return _with_last(thresholds[list(chosen)])


def _with_last(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return thresholds as limits of single precision, and the last exit's, which takes all."""
    return np.append(single_precision(thresholds), _TAKES_ALL)


def single_precision(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return limits below which a number in single precision lies exactly where it lies below the thresholds.

    NOTE: it is the least such number that is not below the threshold: a cast alone would round 0.1 up and 0.7 down.
    """
    near = thresholds.astype(np.float32)
    return np.where(near < thresholds, np.nextafter(near, np.float32(np.inf)), near).astype(np.float32)
