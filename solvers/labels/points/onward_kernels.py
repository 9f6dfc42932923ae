"""Numba kernels of what leads on from a state and node, worked out once for all labels there: sums, and their bounds.

`tiercut.solvers.labels.front_kernels` says what the sums of a label are, and what is least ahead of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.kernels.step_kernels import column_of, weighed
from tiercut.solvers.labels.points.peak_kernels import peak_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Shorts = NDArray[np.int32]
    Bools = NDArray[np.bool_]

__all__ = ["RUN", "steps_from"]

RUN = 8
"""Last blocks that one bound turns away together."""


@compiled
def steps_from(
    start: int, share: float, row: int, v: int, inside: bool, can_end: Bools, jumps: Shorts, state_of: Shorts,
    stay: Floats, option_exit: Bools, option_threshold: Ints, accuracy: Floats, whole: Bools, tails: Floats,
    span: Floats, bare: Floats, result: Floats, ahead: Floats, leaving: Floats, peaked: Ints, turned: Ints,
    weights: Floats, lined: Floats, lined_leaving: Floats, ending: Floats, passing: Floats, rests: Floats, runs: Floats,
    lines: Floats, line_runs: Floats,
) -> None:  # fmt: skip
    """Write down what the pieces on node v after ``start`` blocks add, and the least that plans through them can add.

    Parameters
    ----------
    start, share, row
        Of the state: blocks done, share of samples, row of accuracies.
    v, inside, can_end, jumps, state_of, stay, option_exit, option_threshold, accuracy, whole, tails, span, bare, result
        The node; the rules, shares, states, and tables of R measures; ``jumps`` N x O are those of the state's level.
    ahead, leaving, peaked, turned
        As in `tiercut.solvers.labels.front_kernels.grow_points`; F measures are compared, tie or are bounded.
    weights, lined, lined_leaving
        The weights, ``ahead`` and ``leaving`` of `tiercut.solvers.labels.points.zone_kernels.Zones`.
    ending
        N x 2 x R, filled: what a plan's last piece adds by computing, and by sending the result.
    passing
        N x O x 2 x R, filled: the same of a piece that others follow, where the option leads anywhere.
    rests
        N x O x F, filled: the least of each measure that such a piece has with all that may follow it.
    runs
        By `RUN` last blocks, x 1 x F, filled: the least of that and of plans that end there.
    lines, line_runs
        N x O x K, and by `RUN` last blocks x 1 x K, filled: the same of each line.
    """
    blocks, rows, final = can_end.shape[0], whole.shape[0], accuracy.shape[2] - 1
    sums = np.empty(rows)
    for end in range(start, blocks):
        run = (end - start) // RUN
        if (end - start) % RUN == 0:
            runs[run], line_runs[run] = np.inf, np.inf
        if can_end[end]:
            for r in range(rows):
                own = weighed(share, tails[r])
                ending[end, 0, r] = (1.0 if whole[r] else own) * span[v, start, end, r]
                ending[end, 1, r] = own * result[end, v, r]
                sums[r] = ending[end, 0, r] + ending[end, 1, r]
            for f in range(turned.shape[0]):
                least = -share * accuracy[row, end, final] if turned[f] == rows else peak_of(sums, peaked, 0.0)
                least = sums[turned[f]] if turned[f] < rows else least
                runs[run, 0, f] = min(runs[run, 0, f], least)
            for k in range(weights.shape[0]):
                line = -weights[k, rows] * share * accuracy[row, end, final]
                for d in range(3):
                    if turned[d] < rows and weights[k, turned[d]] > 0.0:
                        line += weights[k, turned[d]] * sums[turned[d]]
                line_runs[run, 0, k] = min(line_runs[run, 0, k], line)
        for option in range(option_exit.shape[0]):
            after = jumps[end, option]
            if after < 0:
                continue
            then, asks = state_of[end + 1, after], option_exit[option]
            for r in range(rows):
                own = weighed(share, tails[r])
                piece = span[v, start, end, r] if asks else bare[v, start, end, r]
                passing[end, option, 0, r] = (1.0 if whole[r] else own) * piece
                passing[end, option, 1, r] = (own - weighed(stay[after], tails[r])) * result[end, v, r]
                sums[r] = passing[end, option, 0, r] + passing[end, option, 1, r]
            gain = (share - stay[after]) * accuracy[row, end, column_of(option_threshold[option], final)]
            for f in range(turned.shape[0]):
                m = turned[f]
                rest = leaving[then, v, m]
                if inside and asks:
                    rest = min(rest, ahead[then, v, m])
                if m < rows:
                    rest = sums[m] + rest
                elif m == rows:
                    rest = rest - gain
                else:
                    rest = max(rest, peak_of(sums, peaked, 0.0))
                rests[end, option, f] = rest
                runs[run, 0, f] = min(runs[run, 0, f], rest)
            for k in range(weights.shape[0]):
                line = lined_leaving[then, v, k]
                if inside and asks:
                    line = min(line, lined[then, v, k])
                line -= weights[k, rows] * gain
                for d in range(3):
                    if turned[d] < rows and weights[k, turned[d]] > 0.0:
                        line += weights[k, turned[d]] * sums[turned[d]]
                lines[end, option, k] = line
                line_runs[run, 0, k] = min(line_runs[run, 0, k], line)
