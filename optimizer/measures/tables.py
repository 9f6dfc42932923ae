"""The tables of an additive measure: a share of samples times something local, added up along a plan.

Each is ``input[A_1] + Σ_k (S_(k-1)·piece + E_k·result + S_k·send)``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tiercut.errors import QuestionError
from tiercut.optimizer.measures.kind import Scope
from tiercut.optimizer.measures.names import split_name
from tiercut.optimizer.measures.registry import kind_of
from tiercut.optimizer.measures.tails import tail_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer.measures.piece_table import PieceTable
    from tiercut.optimizer.problem import Floats, Problem

__all__ = ["Measure", "check_known", "measure", "minus", "plus", "scaled", "unlocked"]


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """The tables of one additive measure.

    Parameters
    ----------
    first
        M: what bringing the input to the first node costs.
    span, bare
        M x N x N: what blocks i..j cost on a node, with branch j and without one.
    send
        N x M x M: what sending block i's output (0-based) from one node to another costs.
    result
        N x M: what bringing a prediction of branch i from a node to the destination costs.
    codec_first, codec_send
        C x M and C x N x M x M: as `first` and `send`, by each codec.
    whole
        Whether pieces count whole, however few samples get there (memory, blocks).
    once
        Whether a partition counts as one piece where exits stand inside it (memory).
    tail
        Where it is not None, terms are not weighted by shares: each counts whole where more than this share of the
        samples remains, and not at all where no more is (see `tiercut.optimizer.measures.tails`).
    spread
        Of a quantile that is no such sum, because samples that leave later may be done sooner: the factor by which its
        tables, those of the latency, are scaled; 0 for all else. It is taken of the times of all paths.
    others
        Of the greatest of several sums (a rate: of what keeps each node and link busy) the tables of the further sums;
        those of the first are the measure's own.
    unknown
        Why pieces on some nodes are nan, and how to mend it, with ``{nodes}`` for their names; empty: none is.
    """

    first: Floats
    span: Floats | PieceTable
    bare: Floats | PieceTable
    send: Floats
    result: Floats
    codec_first: Floats
    codec_send: Floats
    whole: bool = False
    once: bool = False
    tail: float | None = None
    spread: float = 0.0
    others: tuple[Measure, ...] = ()
    unknown: str = ""

    def weigh(self, share: float) -> float:
        """Return what a term counts that a share of the samples meets."""
        return share if self.tail is None else float(share > self.tail)


def measure(problem: Problem, name: str, rate_fps: float | None = None) -> Measure:
    """Return the tables of a measure.

    Parameters
    ----------
    problem
        The tables that it is made of.
    name
        Such as ``latency``, ``compute:edge`` or ``link:a>b`` (see `tiercut.optimizer.measures.names`). Of a ratio, the
        measure above the line.
    rate_fps
        Frames per second that arrive; needed for utilisation.

    Raises
    ------
    QuestionError
        If there is no such measure or place, or the topology does not say what it needs.
    """
    kind, place = kind_of(name), split_name(name)[1]
    if wrong := kind.places.fault(kind.name, place):
        raise QuestionError(f"{wrong}, such as {kind.name}:{problem.nodes[0]}" if place is None else wrong)
    tables = replace(kind.tables(Scope(problem, place or "", rate_fps)), whole=kind.whole, once=kind.once)
    return tables if kind.tail is None else tail_of(problem, tables, kind.tail)


def check_known(problem: Problem, tables: Measure, missing: NDArray[np.bool_]) -> None:
    """Refuse a measure that has no value on some of the M nodes.

    Raises
    ------
    QuestionError
        If any is missing; the message names them.
    """
    if missing.any():
        nodes = ", ".join(problem.nodes[node] for node in np.flatnonzero(missing))
        raise QuestionError(tables.unknown.replace("{nodes}", nodes))


def unlocked(table: Floats) -> Floats:
    """Return a table of a problem as kernels take it: numba would compile them once more for one that is read-only.

    Nobody writes into it. It is the very memory that the problem locked a view of, as a network of a thousand blocks
    has hundreds of megabytes of them; where it is a part of another array, a copy.
    """
    owner = table.base
    if table.flags.writeable:
        return table
    if isinstance(owner, np.ndarray) and owner.flags.writeable and owner.dtype == table.dtype:
        whole: Floats = owner
        if (whole.shape, whole.strides, whole.ctypes.data) == (table.shape, table.strides, table.ctypes.data):
            return whole
    return table.copy()


def scaled(tables: Measure, factor: float) -> Measure:
    """Return the measure times a factor."""
    others = tuple(scaled(each, factor) for each in tables.others)
    return replace(_combined(tables, tables, factor - 1.0), others=others)


def plus(tables: Measure, other: Measure, factor: float = 1.0) -> Measure:
    """Return a measure and a factor times another one, added up."""
    return _combined(tables, other, factor)


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
        codec_first=_sum(left.codec_first, right.codec_first, factor),
        codec_send=_sum(left.codec_send, right.codec_send, factor),
        spread=left.spread + factor * right.spread,
        unknown=left.unknown or right.unknown,
    )


def _sum(left: Floats | PieceTable, right: Floats | PieceTable, factor: float) -> Floats:
    left, right = np.asarray(left), np.asarray(right)
    # What cannot be is kept out by `Space.linked`, whose pairs have no finite time; here it must only stay a number.
    endless = np.isinf(left) | np.isinf(right)
    return np.where(endless, 0.0, np.where(endless, 0.0, left) + factor * np.where(endless, 0.0, right))
