"""Which thresholds of a question are hard, where labels that forget which nodes they used are too many."""

from __future__ import annotations

from threading import Lock

__all__ = ["Trials", "halved"]


class Trials:
    """What trials have told: which thresholds are hard, and which are done. Threads share it.

    Parameters
    ----------
    count
        The thresholds of the question.
    """

    def __init__(self, count: int) -> None:
        self._count, self._lock = count, Lock()
        self._tried: dict[int, bool] = {}

    @property
    def hard(self) -> list[int]:
        """The hard thresholds, rising."""
        with self._lock:
            return sorted(index for index, hard in self._tried.items() if hard)

    def note(self, index: int, *, hard: bool) -> None:
        """Note whether a threshold is hard."""
        with self._lock:
            self._tried[index] = hard

    def is_between_hard(self, index: int) -> bool:
        """Return whether the next thresholds on both sides that were tried are hard, and not far from each other.

        Such a one need not be tried: nearly always it is hard too, and where it is not it only takes longer.
        """
        with self._lock:
            below = max((each for each in self._tried if each < index), default=-1)
            above = min((each for each in self._tried if each > index), default=-1)
            near = 2 * (above - below) <= self._count + 1
            return min(below, above) >= 0 and near and self._tried[below] and self._tried[above]


def halved(count: int) -> list[int]:
    """Return all indices below a count: the first and the last, then always those in the middle between two others."""
    order, spans = [0, count - 1][:count], [(0, count - 1)]
    for low, high in spans:  # grows
        middle = (low + high) // 2
        if middle > low:
            order.append(middle)
            spans += [(low, middle), (middle, high)]
    return order
