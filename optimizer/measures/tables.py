"""The tables of an additive measure: a share of samples times something local, added up along a plan.

Each is ``input[A_1] + Σ_k (S_(k-1)·piece + E_k·result + S_k·send)``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tiercut.optimizer.problem import Floats

__all__ = ["Measure", "minus", "scaled"]


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """The tables of one additive measure.

    Parameters
    ----------
    name, unit
        What it is and in what it counts.
    first
        M: what bringing the input to the first node costs.
    span, bare
        M x N x N: what blocks i..j cost on a node, with branch j and without one.
    send
        N x M x M: what sending block i's output (0-based) from one node to another costs.
    result
        N x M: what bringing a prediction of branch i from a node to the destination costs.
    codec_send
        C x N x M x M: as `send`, by each codec.
    unweighted
        Whether pieces count whole, however few samples get there (memory, blocks).
    tail
        Where it is not None, terms are not weighted by shares: each counts whole where more than this share of the
        samples is under way, and not at all where no more is (see `tiercut.optimizer.measures.tails`).
    """

    name: str
    unit: str
    first: Floats
    span: Floats
    bare: Floats
    send: Floats
    result: Floats
    codec_send: Floats
    unweighted: bool = False
    tail: float | None = None

    def weigh(self, share: float) -> float:
        """Return what a term counts that a share of the samples meets."""
        return share if self.tail is None else float(share > self.tail)


def scaled(tables: Measure, factor: float) -> Measure:
    """Return the measure times a factor."""
    return _combined(tables, tables, factor - 1.0)


def minus(tables: Measure, other: Measure, factor: float) -> Measure:
    """Return a measure less a factor times another one."""
    return _combined(tables, other, -factor)


def _combined(left: Measure, right: Measure, factor: float) -> Measure:
    """Return ``left + factor * right``, table by table; where there is no path both have none."""
    return replace(
        left,
        first=_sum(left.first, right.first, factor),
        span=_sum(left.span, right.span, factor),
        bare=_sum(left.bare, right.bare, factor),
        send=_sum(left.send, right.send, factor),
        result=_sum(left.result, right.result, factor),
        codec_send=_sum(left.codec_send, right.codec_send, factor),
    )


def _sum(left: Floats, right: Floats, factor: float) -> Floats:
    # What cannot be is kept out by `Space.linked`, whose pairs have no finite time; here it must only stay a number.
    finite = np.isfinite(left) & np.isfinite(right)
    return np.where(finite, np.where(finite, left, 0.0) + factor * np.where(finite, right, 0.0), 0.0)
