"""Numba kernels of the zones in which a plan would still be of interest, beside what is known of three measures.

A *zone* is a greatest box that no known point dominates any of: the local upper bounds of multi-objective optimisation
(Klamroth, Lacour and Vanderpooten, "On the representation of the search region in multi-objective optimization", 2015).
A label leads somewhere only if one zone holds both what each measure comes to at least by itself and, for a few weights
of the measures together (*lines*), what their weighted sum does: the hull of what may follow, in place of its corner.
Zones stand in a tree of boxes, each with the greatest of each measure and of each weighted sum of its zones. Of a
measure that is the greatest of several sums no weighted sum is known; zones are sorted by it into *levels*, each with a
tree, and what may follow is worked out for each from the pieces that do not lift the measure above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.kernels.step_kernels import column_of, doubled, weighed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.solvers.kernels.arguments import Measures, Rules, Shares, States, Tables

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["FAN", "Zones", "is_outside", "least_lines", "zones_of"]

FAN = 8
"""Boxes that a box of the tree holds."""


class Zones(NamedTuple):
    """Zones, and what may follow a label by lines; three measures are compared.

    Parameters
    ----------
    weights
        K x (R+2): what a line counts each sum, the accuracy (its sign turned), and the peak, which none counts.
    slack
        K: how far a line may be off at least.
    levels
        L: the greatest of the peak in each level, rising; the last is infinite.
    boxes
        The trees: in each row the greatest of each measure, and of each line. The zones come first.
    starts
        L x (H+1): where the rows of each height of a tree begin, and at [:, H] how many there are at the top.
    ahead, leaving
        S x M x (L K): the least of each line that the rest of a plan may have, as in `least_ahead`.
    """

    weights: Floats
    slack: Floats
    levels: Floats
    boxes: Floats
    starts: Ints
    ahead: Floats
    leaving: Floats


@compiled
def zones_of(points: Floats, most: Floats) -> Floats:
    """Return the upper corners of all zones, U x 3.

    Parameters
    ----------
    points
        P x 3, by rising first measure.
    most
        Where a zone ends that has no end.
    """
    # A sweep by the first measure; what is known so far is a staircase in the others. The corner between two of its
    # steps is a zone until a point lies below it.
    size, count = 64, 2
    steps, born = np.empty((size, 2)), np.empty(size)
    steps[0, 0], steps[0, 1], steps[1, 0], steps[1, 1] = -np.inf, np.inf, np.inf, -np.inf
    born[0] = -np.inf
    zones, found = np.empty((1024, 3)), 0
    for k in range(points.shape[0] + 1):
        last = k == points.shape[0]  # ends all
        x, y = (-np.inf, -np.inf) if last else (points[k, 1], points[k, 2])
        at = np.inf if last else points[k, 0]
        low, high = 0, count
        while low < high:
            middle = (low + high) >> 1
            if steps[middle, 0] <= x:
                low = middle + 1
            else:
                high = middle
        first = low - 1
        if steps[first, 1] <= y:
            continue
        end = first
        while end + 1 < count and (last or steps[end, 1] > y):
            if at > born[end]:
                if found == zones.shape[0]:
                    zones = doubled(zones)
                zones[found, 0] = min(at, most[0])
                zones[found, 1], zones[found, 2] = min(steps[end + 1, 0], most[1]), min(steps[end, 1], most[2])
                found += 1
            end += 1
        if last:
            break
        # The point takes the place of the steps after `first` and before `end`.
        place = first if steps[first, 0] == x else first + 1
        shift = place + 1 - end
        if shift > 0:
            if count == size:
                steps, born, size = doubled(steps), doubled(born), 2 * size
            for i in range(count - 1, end - 1, -1):
                steps[i + shift, 0], steps[i + shift, 1] = steps[i, 0], steps[i, 1]
                born[i + shift] = born[i]
        elif shift < 0:
            for i in range(end, count):
                steps[i + shift, 0], steps[i + shift, 1] = steps[i, 0], steps[i, 1]
                born[i + shift] = born[i]
        count += shift
        if place == first + 1:
            born[first] = at
        steps[place, 0], steps[place, 1], born[place] = x, y, at
    return zones[:found]


@compiled
def least_lines(
    rules: Rules, tables: Tables, measures: Measures, shares: Shares, states: States, peaked: Ints, weights: Floats,
    levels: Floats, ahead: Floats, leaving: Floats, stop: Ints,
) -> None:  # fmt: skip
    """Fill in the least of each line that the rest of a plan may have, nodes being free to be used again.

    Parameters
    ----------
    rules, tables, measures, shares, states, peaked, stop
        As in `tiercut.solvers.labels.front_kernels.least_ahead`.
    weights, levels, ahead, leaving
        As in `Zones`; the last two are filled.
    """
    _, _, _, _, inside, option_exit, option_threshold, jump, can_end, group, rank, linked, _ = rules
    _, span, bare, send, result = tables
    whole, _, tails, _, _, _ = measures
    stay, accuracy, drops, _ = shares
    state_of, begins, level_of = states
    blocks, nodes, codecs, rows = accuracy.shape[1], group.shape[0], send.shape[0], span.shape[3]
    by_level, final, lines, heights = accuracy.shape[0] > 1, accuracy.shape[2] - 1, weights.shape[0], levels.shape[0]
    used = np.zeros(rows, np.bool_)
    for r in range(rows):
        for k in range(lines):
            used[r] = used[r] or weights[k, r] > 0.0
    each = np.zeros(rows)
    for state in range(begins.shape[0] - 1, -1, -1):
        if stop[0] != 0:
            return
        start, share, row = begins[state], stay[level_of[state]], level_of[state] if by_level else 0
        for v in range(nodes):
            for c in range(lines * heights):
                ahead[state, v, c] = np.inf
            for end in range(start, blocks):
                for option in range(-1, option_exit.shape[0]):  # -1: the plan ends here
                    if option < 0:
                        if not can_end[end]:
                            continue
                        onward, then, asks, column = 0.0, -1, True, final
                    else:
                        after = jump[level_of[state], end, option]
                        if after < 0:
                            continue
                        onward, then, asks = stay[after], state_of[end + 1, after], option_exit[option]
                        column = column_of(option_threshold[option], final)
                    top = 0.0
                    possible = True
                    for r in range(rows):
                        own = weighed(share, tails[r])
                        less = own - weighed(onward, tails[r]) if option >= 0 else own
                        piece = span[v, start, end, r] if asks else bare[v, start, end, r]
                        each[r] = (1.0 if whole[r] else own) * piece + less * result[end, v, r]
                        possible = possible and (each[r] < np.inf or not used[r])
                    if not possible:
                        continue
                    for p in range(peaked.shape[0]):
                        top = max(top, each[peaked[p]])
                    gain = (share - onward) * accuracy[row, end, column]
                    low = 0
                    while low < heights and levels[low] < top:
                        low += 1
                    for k in range(lines):
                        step = -weights[k, rows] * gain
                        for r in range(rows):
                            if weights[k, r] > 0.0:
                                step += weights[k, r] * each[r]
                        for height in range(low, heights):
                            c = height * lines + k
                            rest = 0.0
                            if option >= 0:
                                rest = leaving[then, v, c]
                                if inside and asks:
                                    rest = min(rest, ahead[then, v, c])
                            ahead[state, v, c] = min(ahead[state, v, c], step + rest)
        for v in range(nodes):
            for c in range(lines * heights):
                leaving[state, v, c] = np.inf
            for w in range(nodes if start > 0 else 0):
                if group[w] == group[v] or rank[w] < rank[v] or not linked[v, w]:
                    continue
                for codec in range(codecs):
                    possible, top = True, 0.0
                    for r in range(rows):
                        each[r] = weighed(share, tails[r]) * send[codec, start - 1, v, w, r]
                        possible = possible and (each[r] < np.inf or not used[r])
                    if not possible:
                        continue
                    for p in range(peaked.shape[0]):
                        top = max(top, each[peaked[p]])
                    low = 0
                    while low < heights and levels[low] < top:
                        low += 1
                    for k in range(lines):
                        toll = weights[k, rows] * share * drops[codec, start - 1]
                        for r in range(rows):
                            if weights[k, r] > 0.0:
                                toll += weights[k, r] * each[r]
                        for height in range(low, heights):
                            c = height * lines + k
                            leaving[state, v, c] = min(leaving[state, v, c], ahead[state, w, c] + toll)


@compiled
def is_outside(
    values: Floats, bound: Floats, rests: Floats, a: int, b: int, turned: Ints, weights: Floats, slack: Floats,
    levels: Floats, boxes: Floats, starts: Ints, sums: Floats, spare: Floats, least: Floats, seen: Ints,
) -> bool:  # fmt: skip
    """Return whether a label can come into no zone.

    Parameters
    ----------
    values, bound
        Of the label, and what each measure comes to at least by itself.
    rests, a, b
        What is ahead by line stands at ``rests[a, b]``.
    turned
        Which value stands at each place of a point.
    weights, slack, levels, boxes, starts
        Of `Zones`.
    sums, spare, least
        Room for what is worked out, K each.
    seen
        Of 2: the level and the row where a label was last found to come into a zone; changed.
    """
    lines, height = weights.shape[0], starts.shape[1] - 2
    outside, ready = True, -1
    for k in range(lines):
        sums[k], spare[k] = 0.0, slack[k]
        for d in range(3):
            worth = weights[k, turned[d]] * values[turned[d]]
            sums[k] += worth
            spare[k] += 1e-9 * abs(worth)
    for again in range(-1, levels.shape[0]):
        level = seen[0] if again < 0 else again
        if level < 0 or not outside:
            continue
        for k in range(lines):
            more = rests[a, b, level * lines + k]
            least[k] = sums[k] + more - spare[k] - 1e-9 * abs(more) if more < np.inf else np.inf
        if least[0] == np.inf:
            continue
        h, i = (0, seen[1]) if again < 0 else (height, 0)
        while True:
            row = starts[level, h] + i
            through = True
            for d in range(3):
                through = through and boxes[row, d] >= bound[d]
            if through:
                for k in range(lines):
                    if boxes[row, 3 + k] < least[k]:
                        through = False
                        break
            if through and h == 0:
                outside = False
                seen[0], seen[1] = level, i
                break
            if again < 0:
                break
            if through:
                h, i = h - 1, i * FAN
                continue
            i += 1
            while h < height and i % FAN == 0:
                h, i = h + 1, i // FAN
            if h == height and i >= starts[level, height + 1]:
                break
    return outside
