"""Numba kernels of what is ahead of a label: the least of each measure by itself that the rest of a plan may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.kernels.step_kernels import column_of, crossed, ended, passed, weighed
from tiercut.solvers.labels.points.peak_kernels import peak_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.solvers.kernels.arguments import Measures, Rules, Shares, States, Tables

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["least_ahead"]


@compiled
def least_ahead(
    rules: Rules, tables: Tables, measures: Measures, shares: Shares, states: States, peaked: Ints, ahead: Floats,
    leaving: Floats, stop: Ints,
) -> None:  # fmt: skip
    """Fill in the least of each measure that the rest of a plan may have, nodes being free to be used again.

    Parameters
    ----------
    rules, tables, measures, shares, states
        Which plans there are, the tables of R measures and how they count, what is known of the samples at one
        threshold, and the states.
    peaked
        As `tiercut.solvers.labels.points.peak_kernels.Peak.rows`.
    ahead
        S x M x (R+2), filled: node v is to go on from the state.
    leaving
        The same before the output of the last block is sent away from v; where nothing is sent, infinite.
    stop
        Read now and then: a value that is not 0 ends the work.
    """
    _, _, _, _, inside, option_exit, option_threshold, jump, can_end, group, rank, linked, _ = rules
    _, span, bare, send, result, _, _ = tables
    whole, _, tails, _, _, _ = measures
    stay, accuracy, drops, _ = shares
    state_of, begins, levels = states
    blocks, nodes, codecs, rows = accuracy.shape[1], group.shape[0], send.shape[0], span.shape[3]
    by_level, final = accuracy.shape[0] > 1, accuracy.shape[2] - 1
    each = np.empty(rows + 1)
    for state in range(begins.shape[0] - 1, -1, -1):
        if stop[0] != 0:
            return
        start, share, row = begins[state], stay[levels[state]], levels[state] if by_level else 0
        for v in range(nodes):
            best = ahead[state, v]
            best[:] = np.inf
            for end in range(start, blocks):
                if can_end[end]:
                    for r in range(rows):
                        own = weighed(share, tails[r])
                        each[r] = ended(0.0, 1.0 if whole[r] else own, span[v, start, end, r], own, result[end, v, r])
                        best[r] = min(best[r], each[r])
                    if each[0] < np.inf:
                        best[rows + 1] = min(best[rows + 1], peak_of(each, peaked, 0.0))
                    if span[v, start, end, 0] < np.inf:
                        best[rows] = min(best[rows], -share * accuracy[row, end, final])
                for option in range(option_exit.shape[0]):
                    after = jump[levels[state], end, option]
                    if after < 0:
                        continue
                    leave, then = share - stay[after], state_of[end + 1, after]
                    asks, column = option_exit[option], column_of(option_threshold[option], final)
                    for r in range(rows + 1):
                        rest = leaving[then, v, r]
                        if inside and asks and ahead[then, v, r] < rest:
                            rest = ahead[then, v, r]
                        if r < rows:
                            piece = span[v, start, end, r] if asks else bare[v, start, end, r]
                            own = weighed(share, tails[r])
                            less, back = own - weighed(stay[after], tails[r]), result[end, v, r]
                            each[r] = passed(0.0, 1.0 if whole[r] else own, piece, less, back)
                            total = each[r] + rest
                        else:
                            total = -leave * accuracy[row, end, column] + rest
                        best[r] = min(best[r], total)
                    rest = leaving[then, v, rows + 1]
                    if inside and asks:
                        rest = min(rest, ahead[then, v, rows + 1])
                    if each[0] < np.inf:
                        best[rows + 1] = min(best[rows + 1], max(rest, peak_of(each, peaked, 0.0)))
        for v in range(nodes):
            best = leaving[state, v]
            best[:] = np.inf
            if start == 0:
                continue
            for w in range(nodes):
                if group[w] == group[v] or rank[w] < rank[v] or not linked[v, w]:
                    continue
                for codec in range(codecs):
                    for r in range(rows + 1):
                        toll = send[codec, start - 1, v, w, r] if r < rows else drops[codec, start - 1]
                        total = crossed(ahead[state, w, r], weighed(share, tails[r]) if r < rows else share, toll)
                        best[r] = min(best[r], total)
                        each[r] = share * toll
                    if each[0] < np.inf:
                        further = max(ahead[state, w, rows + 1], peak_of(each, peaked, 0.0))
                        best[rows + 1] = min(best[rows + 1], further)
