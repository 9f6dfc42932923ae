"""Whether a network that is cut answers as it does uncut: tried before it is timed, so that no wrong cut is offered.

Cutting rules read a graph, and what a framework hands on beside the graph (a mask on a tensor, say) they cannot see.
So the pieces are run one after the other on random input, and on input whose end is padded with zeros, and compared
with the whole network as its framework runs it.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import QuestionError, TiercutWarning
from tiercut.profiling.models.blocks import joined_blocks
from tiercut.profiling.models.cut import CutNetwork, Values
from tiercut.profiling.record.failures import first_line, out_of_memory

__all__ = ["agreeing"]

log = logging.getLogger(__name__)

Answer: TypeAlias = tuple[NDArray[Any], ...]
"""The numbers of every output."""

ROUNDING, HALF_ROUNDING = 1e-4, 5e-2
"""How far answers may lie apart for rounding to explain it, as a share of the largest number, by precision."""

MOST_ROUNDING = 2e-2
"""The same where a framework rounds more, as one piece against the framework's own run shows."""


def agreeing(cut: CutNetwork, *, batch: int = 1, jit: bool = False) -> CutNetwork:
    """Return a network without the cuts at which its pieces answer something else than the whole.

    Parameters
    ----------
    cut
        The network. Its pieces are kept with it, so that none is compiled a second time to be timed.
    batch, jit
        As the pieces will be timed.

    Raises
    ------
    QuestionError
        If the network answers something else even in one piece, or has exits after a cut that would be dropped.

    Warns
    -----
    TiercutWarning
        Names the layers after which it is not cut.
    """
    trial = _Trial(cut, batch, jit)
    if not trial.conclusive or trial.chain():
        return cut
    trial.check_whole()
    kept = trial.cuts()
    dropped = [block.name for place, block in enumerate(cut.blocks[:-1]) if place not in kept]
    if not dropped:
        return cut
    names = ", ".join(f"'{name}'" for name in dropped)
    if cut.ends:
        raise QuestionError(
            f"{cut.title}: cut after {names}, its pieces answer something else than the whole network; train it with "
            "other cuts"
        )
    warnings.warn(
        TiercutWarning(
            f"{cut.title} is not cut after {names}: the pieces would answer something else than the whole network",
            "something is handed on beside the tensor there; hand it on as a tensor to cut there",
        ),
        stacklevel=2,
    )
    ends = {block.end for place, block in enumerate(cut.blocks) if place in kept}
    return replace(cut, blocks=joined_blocks(cut.model.graph, cut.blocks, ends))


class _Trial:
    """The answers of the whole network to some inputs, and those of its pieces."""

    def __init__(self, cut: CutNetwork, batch: int, jit: bool) -> None:
        self._cut, self._how, self._last = cut, {"batch": batch, "jit": jit}, len(cut.blocks) - 1
        example = cut.numbers(cut.example(batch))
        self._inputs: list[Values] = [cut.values(example), cut.values([_padded(each) for each in example])]
        self._answers = [self._whole(each) for each in self._inputs]
        again = [self._whole(each) for each in self._inputs]
        self.conclusive = all(map(_same, self._answers, again))
        """Whether the network gives the same finite numbers each time."""
        if not self.conclusive:
            log.info("%s gives other numbers each time, or none: its cuts cannot be tried", cut.title)
        half = any(step.output.dtype in ("float16", "bfloat16") for step in cut.model.graph.steps)
        self._slack = HALF_ROUNDING if half else ROUNDING

    def _whole(self, values: Values) -> Answer:
        return self._cut.numbers(self._cut.model.run(values))

    def _piece(self, first: int, last: int, values: Sequence[Values]) -> list[Values]:
        """Return what blocks make of the values of every input; the last block ends in the network's answer."""
        ends = last == self._last and bool(self._cut.ends)
        piece = self._cut.compile(first, last, branch=ends, **self._how)  # type: ignore[arg-type]
        return [piece(each) for each in values]

    def _apart(self, values: Sequence[Values]) -> float:
        """Return how far answers lie from those of the whole, as a share of its largest number."""
        found = [self._cut.numbers(each) for each in values]
        return max(_distance(own, whole) for own, whole in zip(found, self._answers, strict=True))

    def chain(self) -> bool:
        """Return whether all pieces, one after the other, answer as the whole does."""
        try:
            values = self._inputs
            for place in range(self._last + 1):
                values = self._piece(place, place, values)
            return self._apart(values) <= self._slack
        except Exception as error:  # what a framework raises is of every kind
            return _failed(error, "all pieces")

    def check_whole(self) -> None:
        """Learn how much the framework rounds, from the network in one piece."""
        rounding = self._apart(self._piece(0, self._last, self._inputs))
        if not rounding <= max(MOST_ROUNDING, self._slack):
            raise QuestionError(
                f"{self._cut.title} answers something else once it is taken apart, even in one piece; it cannot be cut"
            )
        self._slack = max(self._slack, min(10 * rounding, MOST_ROUNDING))

    def cuts(self) -> set[int]:
        """Return the blocks after which the network can be cut, together, and the last one."""
        kept, begin, values = {self._last}, 0, self._inputs
        for place in range(self._last):
            try:
                after = self._piece(begin, place, values)
                if self._apart(self._piece(place + 1, self._last, after)) <= self._slack:
                    kept.add(place)
                    begin, values = place + 1, after
            except Exception as error:  # what a framework raises is of every kind
                _failed(error, f"the cut after '{self._cut.blocks[place].name}'")
        return kept


def _failed(error: Exception, what: str) -> bool:
    """Log that something cannot be run and return False; memory that runs out says nothing of a cut."""
    if out_of_memory(error):
        raise error
    log.info("%s cannot be run: %s", what, first_line(error))
    return False


def _padded(numbers: NDArray[Any]) -> NDArray[Any]:
    """Return an input whose second half, along the first axis of a sample, is zero."""
    found = numbers.copy()
    if found.ndim > 1 and found.dtype.kind in "biufc":
        found[:, (found.shape[1] + 1) // 2 :] = 0
    return found


def _same(first: Answer, again: Answer) -> bool:
    finite = all(np.all(np.isfinite(np.asarray(each, dtype=np.float64))) for each in first)
    return finite and _distance(again, first) <= ROUNDING


def _distance(own: Answer, whole: Answer) -> float:
    return max(_apart(*pair) for pair in zip(own, whole, strict=True))


def _apart(own: NDArray[Any], whole: NDArray[Any]) -> float:
    if own.shape != whole.shape:
        return float("inf")
    left, right = (np.asarray(each, dtype=np.float64) for each in (own, whole))
    largest = float(np.abs(right).max(initial=0.0))
    distance = float(np.abs(left - right).max(initial=0.0))
    return distance / largest if largest > 0 else distance
