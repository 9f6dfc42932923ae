"""Numba kernels of the heuristics: keeping the good among scored candidates, and chains of moves that cool down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.heuristics.move_kernels import moves, random_row
from tiercut.solvers.heuristics.score_kernels import SCALE, ScoreTables, below, draw, read_key, score, write_key
from tiercut.solvers.kernels.keep_kernels import is_wanted, keep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.solvers.kernels.arguments import Kept

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]
    State = NDArray[np.uint64]

__all__ = ["anneal", "improve_rows", "keep_rows"]


_EXPLORED = 0.15  # share of chains that begin anywhere


@compiled
def keep_rows(
    rows: Ints, row_costs: Floats, row_accuracies: Floats, violations: Floats, g: ScoreTables, front: bool,
    by_accuracy: bool, kept: Kept,
) -> Any:  # fmt: skip
    """Keep the good among K scored candidates; return costs, accuracies, keys (perhaps longer) and their number."""
    costs, accuracies, keys, count = kept
    key = np.zeros(keys.shape[1], np.int64)
    for k in range(rows.shape[0]):
        cost, right = row_costs[k], row_accuracies[k]
        if violations[k] == 0.0 and is_wanted(cost, right, front, by_accuracy, costs, accuracies, count):
            write_key(rows[k], g.rules, g.thresholds, g.fits, key)
            costs, accuracies, keys, count = keep(cost, right, key, front, by_accuracy, costs, accuracies, keys, count)
    return costs, accuracies, keys, count


# Chains


@compiled
def _energy(cost: float, right: float, aim: Any) -> float:
    """Return what a chain makes less: a weighted sum, or the larger of two weighted distances from an ideal point."""
    weight, gain, ideal, ideal_right, sharp = aim
    if not sharp:
        return float(weight * cost - gain * right)
    x, y = weight * (cost - ideal), gain * (ideal_right - right)
    return float(max(x, y) + 0.05 * (x + y))


@compiled
def _aim(
    chain: int, limits: Floats, front: bool, by_accuracy: bool, costs: Floats, accuracies: Floats, count: int
) -> Any:
    """Return the weights of a chain: along a frontier they turn evenly, by the golden ratio."""
    if not front:
        small = 1e-6
        c, a = (small, 1.0) if by_accuracy else (1.0, small)
        return c / limits[SCALE, 0], a / limits[SCALE, -1], 0.0, 0.0, False
    wide, high = limits[SCALE, 0], limits[SCALE, -1]
    ideal, ideal_right = 0.0, 1.0
    if count > 1:
        wide, high = costs[count - 1] - costs[0], accuracies[count - 1] - accuracies[0]
        ideal, ideal_right = costs[0], accuracies[count - 1]
    angle = (chain * 0.6180339887498949) % 1.0 * 0.5 * np.pi
    return np.cos(angle) / wide, np.sin(angle) / high, ideal, ideal_right, chain % 2 == 1


@compiled
def _likeliest(aim: Any, costs: Floats, accuracies: Floats, count: int) -> int:
    """Return which of those kept has the least energy."""
    best, least = 0, np.inf
    for k in range(count):
        energy = _energy(costs[k], accuracies[k], aim)
        if energy < least:
            best, least = k, energy
    return best


@compiled
def anneal(
    row: Ints, g: ScoreTables, state: State, chain: int, chains: int, steps: int, hot: float, cold: float, front: bool,
    by_accuracy: bool, kept: Kept, progress: Ints,
) -> Any:  # fmt: skip
    """Let chains of moves cool down, one after the other, and keep what is good of all that they pass.

    Parameters
    ----------
    row
        Where the last chain ended; written.
    g, state
        The tables, and the state of the random numbers.
    chain, chains, steps
        Number of the first chain, how many there are, and moves in each.
    hot, cold
        Temperatures at the beginning and the end of a chain, in units of the frontier's width.
    front, by_accuracy
        Whether a frontier is kept, or else the best by cost or by accuracy.
    kept
        What has been kept so far.
    progress
        ``[stop, candidates scored]``, read and written as the work goes on: a stop that is not 0 ends it.

    Returns
    -------
    tuple
        The kept costs, accuracies and keys (perhaps in longer arrays) and their number.

    Notes
    -----
    Of two candidates the one that violates less is better, whatever else they are (violation first); a chain may still
    take a worse one, by Metropolis' rule on the difference that decided.
    """
    rules, stay, jump, nodes, fits, limits = g.rules, g.stay, g.jump, g.nodes, g.fits, g.limits
    first, pieces, send, result, gains = g.first, g.pieces, g.send, g.result, g.gains
    drops, input_drops, thresholds = g.drops, g.input_drops, g.thresholds
    required, furthest = g.required, g.furthest
    places, shares, thresholds = g.places, g.shares, g.thresholds
    costs, accuracies, keys, count = kept
    totals = np.empty(first.shape[0])
    key = np.zeros(keys.shape[1], np.int64)
    other = np.empty_like(row)
    scored = 0  # written now and then only: threads that write side by side slow each other down
    cooling = (cold / hot) ** (1.0 / max(steps, 1))
    for number in range(chain, chain + chains):
        aim = _aim(number, limits, front, by_accuracy, costs, accuracies, count)
        if draw(state) < _EXPLORED:
            random_row(row, rules, places, nodes, fits, shares, state)
        elif count > 0:
            read_key(keys[_likeliest(aim, costs, accuracies, count)], rules, row)
        cost, right, wrong = score(
            row, rules, first, pieces, send, result, stay, jump, gains, drops, input_drops, thresholds, nodes,
            fits, limits, required, furthest, totals,
        )  # fmt: skip
        energy, heat = _energy(cost, right, aim), hot
        for step in range(steps):
            if step % 256 == 0:
                progress[1] += scored
                scored = 0
                if progress[0] != 0:
                    return costs, accuracies, keys, count
            heat *= cooling
            other[:] = row
            if not moves(other, rules, places, nodes, fits, shares, state):
                continue
            cost, right, missed = score(
                other, rules, first, pieces, send, result, stay, jump, gains, drops, input_drops, thresholds, nodes,
                fits, limits, required, furthest, totals,
            )  # fmt: skip
            scored += 1
            if missed == 0.0 and is_wanted(cost, right, front, by_accuracy, costs, accuracies, count):
                write_key(other, rules, thresholds, fits, key)
                costs, accuracies, keys, count = keep(
                    cost, right, key, front, by_accuracy, costs, accuracies, keys, count
                )
            reached = _energy(cost, right, aim)
            worse = missed - wrong if missed != wrong else reached - energy
            if worse <= 0.0 or draw(state) < np.exp(-worse / heat):
                row[:] = other
                energy, wrong = reached, missed
    progress[1] += scored
    return costs, accuracies, keys, count


@compiled
def improve_rows(
    rows: Ints, g: ScoreTables, state: State, trials: int, front: bool, by_accuracy: bool, kept: Kept
) -> None:
    """Change each of K candidates by moves, then climb: take what is no worse by weights that each draws for itself.

    Parameters
    ----------
    rows
        Walks, written.
    g, state
        The tables, and the state of the random numbers.
    trials
        Moves that each tries.
    front, by_accuracy, kept
        What is wanted and kept so far, as in `anneal`: it says how cost and accuracy are weighed.
    """
    rules, stay, jump, nodes, fits, limits = g.rules, g.stay, g.jump, g.nodes, g.fits, g.limits
    first, pieces, send, result, gains = g.first, g.pieces, g.send, g.result, g.gains
    drops, input_drops, thresholds = g.drops, g.input_drops, g.thresholds
    required, furthest = g.required, g.furthest
    places, shares = g.places, g.shares
    costs, accuracies, _, count = kept
    totals = np.empty(first.shape[0])
    other = np.empty(rows.shape[1], np.int64)
    for k in range(rows.shape[0]):
        row = rows[k]
        aim = _aim(below(state, 1 << 20), limits, front, by_accuracy, costs, accuracies, count)
        moves(row, rules, places, nodes, fits, shares, state)
        cost, right, wrong = score(
            row, rules, first, pieces, send, result, stay, jump, gains, drops, input_drops, thresholds, nodes,
            fits, limits, required, furthest, totals,
        )  # fmt: skip
        energy = _energy(cost, right, aim)
        for _ in range(trials):
            other[:] = row
            if moves(other, rules, places, nodes, fits, shares, state):
                cost, right, missed = score(
                    other, rules, first, pieces, send, result, stay, jump, gains, drops, input_drops, thresholds, nodes,
                    fits, limits, required, furthest, totals,
                )  # fmt: skip
                reached = _energy(cost, right, aim)
                if missed < wrong or (missed == wrong and reached <= energy):
                    row[:] = other
                    energy, wrong = reached, missed
