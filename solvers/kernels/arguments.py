"""What kernels take, in a few named tuples: tables, rules, shares. Kernels unpack them in their first lines.

NOTE: Only kernels that Python calls take them: numba counts references at every look into a tuple. An edit of this
file makes compiled code stale as an edit of a kernel does (see `tiercut.compiled`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tiercut.optimizer import PieceTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tiercut.optimizer import Costs, Problem, Space

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Shorts = NDArray[np.int32]
    Bools = NDArray[np.bool_]
    Bits = NDArray[np.uint64]

__all__ = [
    "Compared", "Kept", "Known", "Measures", "Places", "Rules", "Samples", "Shares", "States", "Tables",
    "Wanted",
    "measures_of", "one_or_each", "packed", "rules_of", "samples_of", "shares_at", "stacked", "sums_of", "tables_of",
]  # fmt: skip


_WORD = 64  # bits


class Places(NamedTuple):
    """Where the parts of an encoding begin (see `tiercut.solvers.encoding.Layout`); -1 for a part that is absent."""

    most: int
    exits_at: int
    thresholds_at: int
    codecs_at: int


class Tables(NamedTuple):
    """The tables of `tiercut.optimizer.space.Costs`, of one measure, or of R measures in one more axis, the last.

    Of one measure ``span`` and ``bare`` are D x N x N: node v has table ``which[v]``, times ``factor[v]``. Of several
    they are M x N x N x R, and `which` and `factor` say no more.
    """

    first: Floats
    span: Floats
    bare: Floats
    send: Floats
    result: Floats
    which: Ints
    factor: Floats


class Measures(NamedTuple):
    """How R measures count and are bounded.

    Parameters
    ----------
    whole
        R: whether the pieces of a measure count whole.
    once
        R: whether its partitions count as one piece.
    tails
        R: the share up to which nothing counts; -1 where every share does.
    spreads
        R: the factor of a quantile that is taken of the times of all paths; 0 for sums.
    caps
        R: greatest values, slack included.
    peaks
        R: the measure whose value is the greatest of its own sum and of those that name it; itself for a sum.
    """

    whole: Bools
    once: Bools
    tails: Floats
    spreads: Floats
    caps: Floats
    peaks: Ints


class Rules(NamedTuple):
    """Which plans there are, as in `tiercut.optimizer.space.Space`; ``source`` is the node where samples are born."""

    source: int
    most: int
    fewest: int
    required: Ints
    inside: bool
    option_exit: Bools
    option_threshold: Ints
    jump: Shorts
    can_end: Bools
    group: Ints
    rank: Ints
    linked: Bools
    furthest: Ints


class Shares(NamedTuple):
    """What is known of the samples at one threshold.

    Parameters
    ----------
    stay
        Q: the share that is still being processed, by level.
    accuracy
        R x N x P: accuracy of each branch; several rows, and columns by threshold, where it depends on the exit before
        (see `tiercut.optimizer.space.Space.accuracies`).
    drops
        W x N: the fall in accuracy over a cut after each block, by codec choice.
    input_drops
        W x M: that of the input on its way to a first node, by codec choice.
    """

    stay: Floats
    accuracy: Floats
    drops: Floats
    input_drops: Floats


class Samples(NamedTuple):
    """Recorded samples, to be replayed in place of `Shares`.

    Parameters
    ----------
    number
        How many there are; 0: none.
    below, hits
        Which of them are below each threshold at each branch (T x N x words of 64 samples), and which are right there
        (N x words); None without samples.
    """

    number: int = 0
    below: Bits | None = None
    hits: Bits | None = None


class States(NamedTuple):
    """S reachable pairs of (blocks done, level), blocks done rising.

    Parameters
    ----------
    number
        (N+1) x Q: the state of a pair, -1 where no plan gets there.
    begins, levels
        S: blocks done and level of each.
    """

    number: Shorts
    begins: Ints
    levels: Ints


class Wanted(NamedTuple):
    """What is kept of the plans that are scored.

    Parameters
    ----------
    front, by_accuracy
        Whether the frontier over cost and accuracy, or else the best by cost or by accuracy.
    tied
        Whether the second measure is the latency, which decides among plans of equal cost.
    floor
        Least accuracy, slack included.
    """

    front: bool
    by_accuracy: bool
    tied: bool
    floor: float


class Kept(NamedTuple):
    """Plans that are kept: a frontier by rising cost, or the best in order; only the first `number` rows count."""

    costs: Floats
    accuracies: Floats
    keys: Ints
    number: int


class Compared(NamedTuple):
    """What a frontier over several measures compares (see `tiercut.solvers.task.Goals`)."""

    turned: Ints
    measures: int
    ties: int


class Known(NamedTuple):
    """Points that are kept (see `tiercut.solvers.kernels.keep_kernels.offer_point`)."""

    points: Floats
    keys: Ints
    lows: Floats
    state: Ints


def rules_of(space: Space) -> Rules:
    """Return the rules of a space."""
    return Rules(
        source=space.problem.source,
        most=space.most,
        fewest=space.fewest,
        required=packed(space.required),
        inside=space.inside,
        option_exit=space.option_exit,
        option_threshold=space.option_threshold,
        jump=space.jump,
        can_end=space.can_end,
        group=space.group,
        rank=space.rank,
        linked=space.linked,
        furthest=space.furthest,
    )


def packed(sets: NDArray[np.bool_]) -> Ints:
    """Return sets of groups as rows of words, bit ``g % 64`` of word ``g // 64`` for group g: R x W, W at least 1."""
    count = max(-(-sets.shape[1] // _WORD), 1)
    padded = np.zeros((len(sets), count * _WORD), bool)
    padded[:, : sets.shape[1]] = sets
    weights = np.left_shift(np.uint64(1), np.arange(_WORD, dtype=np.uint64))
    words = (padded.reshape(len(sets), count, _WORD) * weights).sum(axis=2, dtype=np.uint64)
    return np.ascontiguousarray(words).view(np.int64)


def sums_of(costs: Sequence[Costs]) -> list[Costs]:
    """Return the sums that are added up for some measures: one for each, then the others of those that have several."""
    return [*costs, *(other for each in costs for other in each.others)]


def measures_of(costs: Sequence[Costs], caps: Sequence[float]) -> Measures:
    """Return how the R sums of some measures count, and their greatest values (see `sums_of`)."""
    further = [place for place, each in enumerate(costs) for _ in each.others]
    peaks, caps = [*range(len(costs)), *further], [*caps, *(caps[place] for place in further)]
    costs = sums_of(costs)
    tails = np.array([-1.0 if each.tail is None else each.tail for each in costs])
    whole, once = (np.array([getattr(each, name) for each in costs], bool) for name in ("whole", "once"))
    spreads = np.array([each.spread for each in costs], float)
    return Measures(whole, once, tails, spreads, np.array(caps, float), np.array(peaks, np.int64))


def samples_of(problem: Problem) -> Samples:
    """Return the recorded samples that are replayed, or that there are none."""
    recorded = problem.recorded
    return Samples() if recorded is None else Samples(recorded.count, *recorded.bits(problem.thresholds))


def shares_at(space: Space, index: int) -> Shares:
    """Return what is known of the samples at a threshold, by its index."""
    stay = np.ascontiguousarray(space.stay[:, index])
    return Shares(stay, space.accuracies(index), space.drops, space.input_drops)


def tables_of(costs: Costs | None) -> Tables:
    """Return the tables of one measure; empty ones where there is none."""
    if costs is None:
        none, which = np.empty((0, 0, 0)), np.empty(0, np.int64)
        return Tables(np.empty((0, 0)), none, none, np.empty((0, 0, 0, 0)), np.empty((0, 0)), which, np.empty(0))
    (span, bare), which, factor = one_or_each(costs.span, costs.bare)
    return Tables(costs.first, span, bare, costs.send, costs.result, which, factor)


def one_or_each(*tables: PieceTable) -> tuple[tuple[Floats, ...], Ints, Floats]:
    """Return the arrays of some tables, and which of them each node has and by what it is multiplied, alike for all."""
    first = tables[0]
    if not all(
        np.array_equal(first.which, each.which) and np.array_equal(first.factor, each.factor) for each in tables
    ):
        tables = tuple(PieceTable.of(each.whole) for each in tables)
    return tuple(each.tables for each in tables), tables[0].which, tables[0].factor


def stacked(costs: Sequence[Costs]) -> Tables:
    """Return the tables of the R sums of some measures (see `sums_of`)."""
    costs = sums_of(costs)
    first, span, bare, send, result = (
        np.stack([np.asarray(getattr(each, name)) for each in costs], axis=-1) for name in Tables._fields[:5]
    )
    return Tables(first, span, bare, send, result, np.arange(len(span)), np.ones(len(span)))
