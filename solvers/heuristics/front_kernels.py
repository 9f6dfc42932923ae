"""Numba kernels of the heuristics for frontiers over several measures: points of candidates, and improvement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.heuristics.move_kernels import moves
from tiercut.solvers.heuristics.score_kernels import ScoreTables, draw, score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    State = NDArray[np.uint64]

__all__ = ["improve_points", "score_points"]


@compiled
def score_points(rows: Ints, g: ScoreTables, turned: Ints, points: Floats, violations: Floats) -> None:
    """Write the point and the violation of K candidates; `turned` as in `tiercut.solvers.task.Goals`."""
    rules, stay, jump, nodes, fits, limits = g.rules, g.stay, g.jump, g.nodes, g.fits, g.limits
    first, pieces, send, result, gains = g.first, g.pieces, g.send, g.result, g.gains
    drops, input_drops, thresholds = g.drops, g.input_drops, g.thresholds
    required, furthest = g.required, g.furthest
    measures = first.shape[0]
    totals = np.empty(measures)
    for k in range(rows.shape[0]):
        _, right, violations[k] = score(
            rows[k], rules, first, pieces, send, result, stay, jump, gains, drops, input_drops, thresholds, nodes,
            fits, limits, required, furthest, totals,
        )  # fmt: skip
        for f in range(measures + 1):
            points[k, f] = -right if turned[f] == measures else totals[turned[f]]


@compiled
def improve_points(rows: Ints, g: ScoreTables, state: State, trials: int, turned: Ints, scales: Floats) -> None:
    """Change each of K candidates by moves, then climb: take what is no worse by weights that each draws for itself.

    Parameters
    ----------
    rows
        Walks, written.
    g, state, trials
        As in `tiercut.solvers.heuristics.anneal_kernels.improve_rows`.
    turned, scales
        As in `score_points`; by what each of the D measures that are compared is divided before it is weighed.
    """
    rules, stay, jump, nodes, fits, limits = g.rules, g.stay, g.jump, g.nodes, g.fits, g.limits
    first, pieces, send, result, gains = g.first, g.pieces, g.send, g.result, g.gains
    drops, input_drops, thresholds = g.drops, g.input_drops, g.thresholds
    required, furthest = g.required, g.furthest
    places, shares = g.places, g.shares
    measures, compared = first.shape[0], scales.shape[0]
    totals, weights = np.empty(measures), np.empty(compared)
    other = np.empty(rows.shape[1], np.int64)
    for k in range(rows.shape[0]):
        row = rows[k]
        for d in range(compared):
            weights[d] = -np.log(1.0 - draw(state)) / scales[d]
        moves(row, rules, places, nodes, fits, shares, state)
        energy, wrong = np.inf, np.inf
        other[:] = row
        for trial in range(trials + 1):
            if trial > 0:
                other[:] = row
                if not moves(other, rules, places, nodes, fits, shares, state):
                    continue
            _, right, missed = score(
                other, rules, first, pieces, send, result, stay, jump, gains, drops, input_drops, thresholds, nodes,
                fits, limits, required, furthest, totals,
            )  # fmt: skip
            reached = 0.0
            for d in range(compared):
                reached += weights[d] * (-right if turned[d] == measures else totals[turned[d]])
            if missed < wrong or (missed == wrong and reached <= energy):
                row[:] = other
                energy, wrong = reached, missed
