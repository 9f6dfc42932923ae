"""Numba kernels of the zones in which a plan would still be of interest, beside what is known of three measures.

A *zone* is a greatest box that no known point dominates any of: the local upper bounds of multi-objective optimisation
(Klamroth, Lacour and Vanderpooten, "On the representation of the search region in multi-objective optimization", 2015).
A label leads somewhere only if one zone holds both what each measure comes to at least by itself and, for a few weights
of the measures together (*lines*), what their weighted sum does: the hull of what may follow, in place of its corner.
Zones stand in a tree of boxes, each with the greatest of each measure and of each weighted sum of its zones. A measure
that is the greatest of several sums counts in no line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.kernels.step_kernels import column_of, doubled, passed, weighed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.solvers.kernels.arguments import Measures, Rules, Shares, States, Tables

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["FAN", "NOISE", "Zones", "is_outside", "least_lines", "zones_of"]

FAN = 8
"""Boxes that a box of the tree holds."""

NOISE = 1e-9
"""By which share of what it counts a line may be off, as it is summed in another order."""

_LOOKS = 2048  # boxes looked at for one label, which goes on where these do not turn it away


class Zones(NamedTuple):
    """Zones, and what may follow a label by lines; three measures are compared.

    Parameters
    ----------
    weights
        K x (R+2): what a line counts each sum, the accuracy (its sign turned), and the peak, which none counts.
    slack
        K: how far a line may be off at least.
    boxes
        The tree: in each row the greatest of each measure, and of each line. The zones come first.
    starts
        H+1: where the rows of each height of the tree begin, and how many there are at the top.
    ahead, leaving
        S x M x K: the least of each line that the rest of a plan may have from there on, and before sending.
    """

    weights: Floats
    slack: Floats
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
    rules: Rules, tables: Tables, measures: Measures, shares: Shares, states: States, weights: Floats,
    ahead: Floats, leaving: Floats, stop: Ints,
) -> None:  # fmt: skip
    """Fill in the least of each line that the rest of a plan may have, nodes being free to be used again.

    Parameters
    ----------
    rules, tables, measures, shares, states, stop
        As in `tiercut.solvers.labels.points.ahead_kernels.least_ahead`.
    weights, ahead, leaving
        As in `Zones`; the last two are filled.
    """
    _, _, _, _, inside, option_exit, option_threshold, jump, can_end, group, rank, linked, _ = rules
    _, span, bare, send, result, _, _ = tables
    whole, _, tails, _, _, _ = measures
    stay, accuracy, drops, _ = shares
    state_of, begins, level_of = states
    blocks, nodes, codecs, rows = accuracy.shape[1], group.shape[0], send.shape[0], span.shape[3]
    by_level, final, lines = accuracy.shape[0] > 1, accuracy.shape[2] - 1, weights.shape[0]
    counted = np.zeros(rows, np.int64)  # the sums that are in any line
    many = 0
    for r in range(rows):
        for k in range(lines):
            if weights[k, r] > 0.0 and (many == 0 or counted[many - 1] != r):
                counted[many], many = r, many + 1
    each = np.zeros(rows)
    for state in range(begins.shape[0] - 1, -1, -1):
        if stop[0] != 0:
            return
        start, share, row = begins[state], stay[level_of[state]], level_of[state] if by_level else 0
        for v in range(nodes):
            for k in range(lines):
                ahead[state, v, k] = np.inf
            for end in range(start, blocks):
                for option in range(-1, option_exit.shape[0]):  # -1: the plan ends here
                    after = jump[level_of[state], end, max(option, 0)]
                    if (option < 0 and not can_end[end]) or (option >= 0 and after < 0):
                        continue
                    onward, then, column, asks = 0.0, -1, final, True
                    if option >= 0:
                        onward, then, asks = stay[after], state_of[end + 1, after], option_exit[option]
                        column = column_of(option_threshold[option], final)
                    for i in range(many):
                        r = counted[i]
                        own = weighed(share, tails[r])
                        less = own - weighed(onward, tails[r]) if option >= 0 else own
                        piece = span[v, start, end, r] if asks else bare[v, start, end, r]
                        each[r] = passed(0.0, 1.0 if whole[r] else own, piece, less, result[end, v, r])
                    gain = (share - onward) * accuracy[row, end, column]
                    for k in range(lines):
                        rest = 0.0
                        if option >= 0:
                            rest = leaving[then, v, k]
                            if inside and asks:
                                rest = min(rest, ahead[then, v, k])
                        rest -= weights[k, rows] * gain
                        for i in range(many):
                            if weights[k, counted[i]] > 0.0:
                                rest += weights[k, counted[i]] * each[counted[i]]
                        ahead[state, v, k] = min(ahead[state, v, k], rest)
        for v in range(nodes):
            for k in range(lines):
                leaving[state, v, k] = np.inf
            for w in range(nodes if start > 0 else 0):
                if group[w] == group[v] or rank[w] < rank[v] or not linked[v, w]:
                    continue
                for codec in range(codecs):
                    for k in range(lines):
                        rest = ahead[state, w, k] + weights[k, rows] * share * drops[codec, start - 1]
                        for i in range(many):
                            r = counted[i]
                            if weights[k, r] > 0.0:
                                rest += weights[k, r] * weighed(share, tails[r]) * send[codec, start - 1, v, w, r]
                        leaving[state, v, k] = min(leaving[state, v, k], rest)


@compiled
def is_outside(
    values: Floats, bound: Floats, rests: Floats, a: int, b: int, turned: Ints, weights: Floats, slack: Floats,
    boxes: Floats, starts: Ints, least: Floats, seen: Ints,
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
    weights, slack, boxes, starts
        Of `Zones`.
    least
        Room for K values.
    seen
        The zone that a label was last found to come into; changed.
    """
    lines, height, outside = weights.shape[0], starts.shape[0] - 2, True
    for k in range(lines):
        more = rests[a, b, k]
        least[k] = more - slack[k] - NOISE * abs(more)
        for d in range(3):
            worth = weights[k, turned[d]] * values[turned[d]]
            least[k] += worth - NOISE * abs(worth)
    h, i, looks = -1, 0, 0  # first the zone that was seen last
    while outside:
        looks += 1
        row = starts[max(h, 0)] + (i if h >= 0 else seen[0])
        through = True
        for d in range(3):
            through = through and boxes[row, d] >= bound[d]
        for k in range(lines if through else 0):  # sums too great for a number turn nothing away
            through = through and not boxes[row, 3 + k] < least[k]
        if through and h <= 0:
            outside = False
            seen[0] = row
        elif h < 0:
            h = height
        elif through:
            h, i = h - 1, i * FAN
        else:
            i += 1
            while h < height and i % FAN == 0:
                h, i = h + 1, i // FAN
            if h == height and i >= starts[height + 1]:
                break
        outside = outside and looks < _LOOKS
    return outside
