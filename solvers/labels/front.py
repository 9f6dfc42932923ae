"""Frontiers over two or three measures by labels that grow in all measures at once.

Labels are as in `tiercut.solvers.labels.solver`, but for what they are compared and pruned by:

1. Backward, without the rule that a node is used once: the least that the rest of a plan may have of each measure by
   itself, from (blocks done, level) and node on. Of a rate, which the busiest of all nodes and links decides: the least
   that the busiest of what follows may be.
2. Labels with at most two partitions give first plans, thresholds one after the other.
3. All labels grow from the source. A label is pruned where a known plan dominates its own values and the least ahead
   of it, or where another label at the same state and node, having used no other nodes, dominates it. For a rate labels
   carry what keeps each node and link busy: what is closed, as no later part can use it, counts in the greatest so far
   alone (see `tiercut.solvers.labels.points.peak_kernels.Peak`).
4. Of three measures, the least of weighted sums of two of them ahead is known too. A label is pruned where no box that
   the known plans leave open holds all of these bounds (`tiercut.solvers.labels.points.zone_kernels`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.solvers.front_search import FrontSearch
from tiercut.solvers.kernels.arguments import Compared, packed, shares_at
from tiercut.solvers.labels import front_kernels
from tiercut.solvers.labels.points.ahead_kernels import least_ahead
from tiercut.solvers.labels.points.grid_kernels import edges_of, grid_of, strips_of
from tiercut.solvers.labels.points.peak_kernels import Peak
from tiercut.solvers.labels.points.zone_kernels import Zones, least_lines
from tiercut.solvers.labels.points.zones import no_zones, zones_between
from tiercut.solvers.states import follows_of, states_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.solvers.interface import Options
    from tiercut.solvers.labels.points.zones import Between
    from tiercut.solvers.parallel import Ending
    from tiercut.solvers.task import Goals, Task

__all__ = ["PointLabels"]

_ROOM = 6_000_000  # labels of one threshold, about 0.7 GB; more end the work with what is proved so far
_FEW = 256  # known points below which zones cost more than they prune
_NEWS = 0.02  # share of the points that zones do not know when they are worked out again
_WIDE = 2_000_000  # states x nodes above which tables of lines take too much memory: 144 bytes each, in every thread


class PointLabels(FrontSearch):
    """Grows labels in all measures at once.

    Parameters
    ----------
    task, goals, room
        As elsewhere.
    few
        Known points below which zones cost more than they prune.
    """

    def __init__(self, task: Task, goals: Goals, room: int | None = None, few: int = _FEW) -> None:
        super().__init__(task, goals)
        self.few = few
        self.room = _ROOM if room is None else room
        self.full_reason = f"out of room for labels ({self.room:,} for one threshold)"
        if task.goals is None:  # other measures are bounded, not traded
            self.full_reason += "; cp-sat keeps none"
        self.states = states_of(self.space)
        self.future = follows_of(self.space)
        self.deepest = self.space.most
        self.peak = self._peak()
        self.zones: tuple[set[bytes], Between | None] = (set(), None)
        # Kernels have the peak after the sums and the accuracy.
        turned, sums = self.compared.turned, self.tables.first.shape[2]
        turned = np.where(np.isin(turned, self.peak.rows), sums + 1, turned)
        self.sorted_by = Compared(turned, goals.compared, goals.ties)

    def _peak(self) -> Peak:
        """Return what is known of the sums whose greatest is one measure, of which there is one at most."""
        peaks, group = self.measures.peaks, self.space.group
        rows = np.flatnonzero(np.bincount(peaks, minlength=len(peaks))[peaks] > 1)
        blocks, nodes = len(self.space.accuracy), len(group)
        owner, onto = np.full(len(rows), -1), []
        sent, back = np.zeros((2, len(rows), blocks + 1))
        for k, row in enumerate(rows):
            computing = (_finite(self.tables.span[..., row]) + _finite(self.tables.bare[..., row])).any(axis=(1, 2))
            if computing.any():
                owner[k] = np.flatnonzero(computing)[0] if computing.sum() == 1 else -2
            send, result = _finite(self.tables.send[..., row]), _finite(self.tables.result[..., row])
            pairs, sets = np.asarray(send.any(axis=(0, 1))), np.zeros((nodes, group.max() + 1), bool)
            for node in range(nodes):
                sets[:, group[node]] |= pairs[:, node]
            onto.append(packed(sets))
            sent[k, :-1] = np.maximum.accumulate(send.max(axis=(0, 2, 3))[::-1])[::-1]
            back[k, :-1] = np.maximum.accumulate(result.max(axis=1)[::-1])[::-1]
        words = np.stack(onto) if onto else np.zeros((0, nodes, 1), np.int64)
        return Peak(rows, owner, words, sent, back)

    def run(self, options: Options) -> Ending:
        """Search all thresholds, first for two partitions at most; return whether all was done, or why not."""
        if self.space.most > 2 and self.space.fewest <= 2:
            self.deepest = 2
            if ending := self.share(options):
                return ending
            self.deepest = self.space.most
        return self.share(options)

    def search(self, index: int, stop: NDArray[np.int64]) -> None:
        """Grow the labels of a threshold."""
        states, goals, space = self.states, self.goals, self.space
        shape = (len(states.begins), len(space.group), self.tables.first.shape[2] + 2)
        ahead, leaving = np.empty(shape), np.empty(shape)
        tables = (self.rules, self.tables, self.measures, shares_at(space, index), states)
        least_ahead(*tables, self.peak.rows, ahead, leaving, stop)
        limited = self.deepest < len(set(space.group.tolist()))
        found, at, compared = self.known(), self.layout.places, goals.compared
        edges = edges_of(found.held[0], compared)
        spots, strips = strips_of(len(found.held[0]), compared, edges)
        grid = grid_of(found.points, found.keys, found.state, compared, edges, spots, strips)
        bounds = (ahead, leaving, goals.loose, goals.caps, edges, grid, spots, strips)
        pruning = front_kernels.Pruning(self.deepest, limited, self.future, *bounds)
        zones = no_zones(shape[:2])
        zoned = compared == 3 and self.deepest == self.space.most and shape[0] * shape[1] <= _WIDE
        if zoned and len(found.held[0]) >= self.few and stop[0] == 0:
            weights, slack, boxes, starts = self._zones(found.held[0], shape[2] - 2)
            lined = (*shape[:2], len(weights))
            zones = Zones(weights, slack, boxes, starts, np.empty(lined), np.empty(lined))
            least_lines(*tables, weights, zones.ahead, zones.leaving, stop)
        wanted = (pruning, zones, self.peak, self.sorted_by, found.known)
        found.take(front_kernels.grow_points(index, at, *tables, *wanted, self.room, stop))
        size = zones.ahead.nbytes + zones.leaving.nbytes + zones.boxes.nbytes // self.threads
        size += ahead.nbytes + leaving.nbytes + int(stop[1]) * 8 * (shape[2] + len(self.peak.rows) + 10)
        self.take(index, found, int(stop[1]), size)

    def _zones(self, points: NDArray[np.float64], sums: int) -> Between:
        """Return the zones between the points that are known, or between nearly all of them."""
        with self.lock:
            known, zones = self.zones
        rows = {point.tobytes() for point in points[:, :3]}
        if zones is None or len(rows - known) > _NEWS * len(rows):
            zones = zones_between(points, self.goals.caps, self.sorted_by.turned, sums)
            with self.lock:
                self.zones = (rows, zones)
        return zones


def _finite(table: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isfinite(table), table, 0.0)
