"""Bounds on the plans of a threshold, by dynamic programming: which pieces and crossings no plan of interest can use.

What is bounded enters the objective with a price (Lagrangian relaxation; the prices by a subgradient method). The
shortest path through an arc that uses no node twice is then a lower bound on every plan that uses it. Where there are
too many nodes to remember which were used, the rule that they are used once has a price too. The same lengths guide a
search for good plans, and one for all that no bound leaves out.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from tiercut.solvers.cp_sat import bound_kernels
from tiercut.solvers.cp_sat.decision_graph import CROSS, ENTER, PIECE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer import Space
    from tiercut.solvers.cp_sat.decision_graph import Network

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["ROUNDS", "Look", "Relaxation", "rules"]

Look: TypeAlias = Callable[[list[int]], float]
"""Callback for paths that come up; returns the least value of the objective that is known by then."""

_MARKED = 6  # groups of which it is remembered whether they were used
_STEPS = 3_000_000  # of one dynamic program
ROUNDS, _TRIAL = 300, 30
_PATIENCE, _MEMORY, _LEAST_PACE = 10, 0.85, 1e-3
_MARGIN = 1e-9
_ROUNDED = 1e-13  # of the largest amount of a strict row: a plan this near below its cap no answer keeps (`TOLERANCE`)
_ROOM = 16  # proofs for which there is room to begin with
_NEVER = np.zeros(1, np.int64)  # a stop that nobody gives
_LABELS = 3_000_000  # partial plans that a search keeps


class Rule(NamedTuple):
    """Amounts of arcs that a plan may not exceed, as `Network.values` and their caps, but never of an objective."""

    amounts: Floats
    cap: float


class _Measured(NamedTuple):
    value: float
    slack: float
    path: list[int]
    length: Floats


def rules(space: Space, network: Network) -> list[Rule]:
    """Return what bounds plans beside their measures: numbers of partitions, required nodes, an exit evaluated."""
    net = network
    arrives = (net.kind == ENTER) | (net.kind == CROSS)
    group = space.group[net.node]
    rules = []
    if space.most < len(set(space.group.tolist())):
        rules.append(Rule(arrives.astype(float), space.most))
    if space.fewest > 1:
        rules.append(Rule(-arrives.astype(float), -space.fewest))
    rules += [Rule(-(arrives & wanted[group]).astype(float), -1.0) for wanted in space.required]
    if net.index > 0:
        # A plan on which the threshold has no effect belongs to the first threshold.
        rules.append(Rule(-((net.kind == PIECE) & space.option_exit[net.option]).astype(float), -1.0))
    return rules


class Relaxation:
    """What is known of the plans of one threshold that hold some caps.

    Parameters
    ----------
    space, network
        The decisions, and the graph of the threshold.
    objective
        The row of its values that is minimised.
    caps
        R: greatest value of each row; inf: none. The one of the objective is its least known value.

    Attributes
    ----------
    bounds
        A: less than the objective of any plan that uses the arc and holds the caps.
    """

    def __init__(self, space: Space, network: Network, objective: int, caps: Floats) -> None:
        self.network, self.objective, self.caps = network, objective, caps.copy()
        self.bounds = np.full(len(network.tail), -inf)
        arrives = (network.kind == ENTER) | (network.kind == CROSS)
        self.entered = np.where(arrives, space.group[network.node], -1)
        capped = np.flatnonzero(np.isfinite(caps) & (np.arange(len(caps)) != objective))
        self.capped = capped.tolist()
        self.rows = [Rule(network.values[row], float(caps[row])) for row in capped] + rules(space, network)
        groups = np.unique(self.entered[arrives])
        self._mark(np.empty(0, np.int64), groups)
        most = int(np.clip(np.log2(_STEPS / max(len(network.tail), 1)), 0, _MARKED))
        if len(groups) > most:
            groups = self._most_repeated(groups)
        self._mark(groups[:most], groups[most:])

    def _mark(self, marked: Ints, priced: Ints) -> None:
        """Remember the use of some groups, and put a price on that of others."""
        net = self.network
        self.bit = np.zeros(len(net.tail), np.int64)
        for place, group in enumerate(marked):
            self.bit[self.entered == group] = 1 << place
        rows = [*self.rows, *(Rule((self.entered == group).astype(float), 1.0) for group in priced)]
        self.sizes = [max(float(np.abs(row.amounts).max(initial=0.0)), abs(row.cap)) or 1.0 for row in rows]
        empty = np.empty((0, len(net.tail)))
        self.over = np.vstack([empty, *(row.amounts / each for row, each in zip(rows, self.sizes, strict=True))])
        self.limit = np.array([row.cap / each for row, each in zip(rows, self.sizes, strict=True)])
        self.prices = np.zeros(len(rows))
        self.rest = np.empty((0, net.vertices))
        # Rows of a value and prices: no plan has less than the value, with what is bounded at these prices.
        self.proved, self.proofs = np.empty((_ROOM, 1 + len(rows))), 0
        self.size = float(np.abs(net.values[self.objective]).max(initial=0.0)) or 1.0
        shape = (net.vertices, 1 << len(marked))
        self.ahead, self.back, self.came = np.empty(shape), np.empty(shape), np.empty(shape, np.int64)

    def _most_repeated(self, groups: Ints) -> Ints:
        """Return the groups, those first that shortest paths would use more than once."""
        again = np.zeros(len(groups))

        def look(path: list[int]) -> float:
            visits = np.bincount(self.entered[path][self.entered[path] >= 0], minlength=int(groups.max()) + 1)
            again[:] += np.maximum(visits[groups] - 1, 0)
            return inf

        self.tighten(look, _TRIAL)
        return np.asarray(groups[np.argsort(-again, kind="stable")])

    @property
    def arcs(self) -> Ints:
        """Indices of the arcs that a plan no worse than the best known may use."""
        return np.flatnonzero((self.bounds <= self.caps[self.objective]) & (self.bounds < inf))

    def cut(self, value: float) -> None:
        """Say that only plans up to a value of the objective are of interest."""
        self.caps[self.objective] = min(self.caps[self.objective], value)

    @property
    def closed(self) -> bool:
        """Whether prices that were found before leave out every plan that is of interest now."""
        if self.proofs:
            bounds = self._bounds_now()
            best = int(bounds.argmax())
            self.prices = self.proved[best, 1:].copy()
            if bounds[best] > self.caps[self.objective]:
                return True
        return not len(self.arcs)

    def _bounds_now(self) -> Floats:
        """Return what each set of prices that was found says now: a bound of all plans."""
        values, prices = self.proved[: self.proofs, 0], self.proved[: self.proofs, 1:]
        paid = prices @ self.limit
        return np.asarray(values - paid - _MARGIN * (self.size + np.abs(values) + np.abs(paid) + prices.sum(axis=1)))

    def paths(self, most: int, steps: int, strict: int | None = None, stop: Ints = _NEVER) -> list[list[int]] | None:
        """Return all paths that neither bounds nor caps leave out, or None if there are too many, or it is stopped.

        What lies between the bound of all plans and the best known is gone through, partial path by partial path, as
        in `Carlyle, Royset and Wood (2008) <https://doi.org/10.1002/net.20247>`_.

        Parameters
        ----------
        most, steps
            How many paths are too many, and how many arcs that are tried.
        strict
            A row that is to stay below its cap, not just reach it: paths nearer to the cap than `_ROUNDED` are left
            out, as those of known plans come back that near. Rounding along very long ones may list some of them
            all the same; once priced they do not count.
        stop
            Ends the work once its first number is not 0.

        Returns
        -------
        list of list of int or None
            The arcs of each path, the least objective first.
        """
        self._leave_out()
        measured = self.measure(self.prices)
        net, keep = self.network, self.arcs
        if not len(keep):
            return []
        columns = (net.tail[keep], net.head[keep], measured.length[keep], self.entered[keep], self.bit[keep])
        limit = float(self.caps[self.objective] + self.prices @ self.limit) + measured.slack
        goal, cap = net.values[self.objective] / self.size, float(self.caps[self.objective]) / self.size
        caps = np.append(self.limit, cap) + _MARGIN * np.append(np.ones(len(self.limit)), 1 + abs(cap))
        if strict in self.capped:
            place = self.capped.index(strict)
            caps[place] = self.limit[place] - _ROUNDED
        over = np.ascontiguousarray(np.vstack([self.over, goal])[:, keep])  # else the kernel is compiled once more
        rows: Any
        rows, count = bound_kernels.near_shortest(*columns, self.back, limit, over, self.rest, caps, most, steps, stop)
        if count < 0:
            return None
        paths = [keep[row[row >= 0]].tolist() for row in rows]
        return sorted(paths, key=self.value)

    def value(self, path: list[int]) -> float:
        """Return the objective of a path, but for rounding."""
        return float(self.network.values[self.objective, path].sum())

    def of_interest(self, value: float) -> bool:
        """Return whether a plan whose objective is this, but for rounding, may be no worse than the best known."""
        cap = float(self.caps[self.objective])
        return value <= cap or value - cap <= _MARGIN * (self.size + abs(cap))

    def _leave_out(self) -> None:
        """Leave out arcs through which every path exceeds a cap."""
        if not len(self.rest):
            goal = self.network.values[self.objective] / self.size
            self.rest = np.empty((len(self.over) + 1, self.network.vertices))
            self.through = np.empty(self.over.shape)
            for row, amounts in enumerate((*self.over, goal)):
                least = self._paths(amounts)
                self.rest[row] = self.back[:, 0]
                if row < len(self.over):
                    self.through[row] = least
        self.bounds[(self.through > self.limit[:, None] + _MARGIN).any(axis=0)] = inf

    def lower(self, row: int, cap: float, objective: float) -> None:
        """Say that a measure other than the objective may be less at most than it might; bounds found so far hold on.

        Parameters
        ----------
        row, cap
            The measure, which has a cap already, and its new one.
        objective
            What the objective may be at most.
        """
        place = self.capped.index(row)
        self.limit[place] = cap / self.sizes[place]
        self.caps[row], self.caps[self.objective] = cap, objective

    def _paths(self, length: Floats) -> Floats:
        net = self.network
        return bound_kernels.shortest(net.tail, net.head, length, self.bit, self.ahead, self.back, self.came)

    def measure(self, prices: Floats) -> _Measured:
        """Bound the arcs by some prices; return the bound of all plans, and the path that it belongs to, if any."""
        values = self.network.values[self.objective]
        length = values + prices @ self.over
        least = self._paths(length)
        paid, value = float(prices @ self.limit), float(self.ahead[-1].min())
        if value == inf:
            self.bounds[:] = inf
            return _Measured(inf, 0.0, [], length)
        # What rounding may have added: a billionth of the largest numbers that were added up.
        slack = _MARGIN * (self.size + abs(value - paid) + float(prices.sum()))
        # Every set of prices gives a bound of its own, and an arc is out as soon as one of them says so.
        np.maximum(self.bounds, least - paid - slack, out=self.bounds)
        return _Measured(value - paid, slack, self._path(), length)

    def _path(self) -> list[int]:
        path, vertex, mask = [], self.network.vertices - 1, int(self.ahead[-1].argmin())
        while vertex:
            arc = int(self.came[vertex, mask])
            path.append(arc)
            vertex, mask = int(self.network.tail[arc]), mask & ~int(self.bit[arc])
        return path

    def tighten(self, look: Look, rounds: int = ROUNDS) -> None:
        """Raise the bounds by better prices, and show the plans that come up."""
        highest, idle, pace = -inf, 0, 1.0
        prices = best = self.prices
        course = np.zeros(len(prices))
        for _ in range(rounds):
            value, slack, path, _ = self.measure(prices)
            if not path:
                return
            self.cut(look(path))
            cutoff = float(self.caps[self.objective])
            idle = 0 if value > highest + 1e-4 * abs(value) else idle + 1
            if value > highest:
                highest, best = value, prices
            if idle >= _PATIENCE:
                idle, pace, prices, course = 0, pace / 2, best, np.zeros(len(prices))
            course = self.over[:, path].sum(axis=1) - self.limit + _MEMORY * course
            step = np.where((prices == 0) & (course < 0), 0.0, course)
            norm = float(step @ step)
            if highest - slack > cutoff or pace < _LEAST_PACE or norm == 0:
                break
            aim = min(cutoff, highest + max(0.2 * abs(highest), 1e-12))
            prices = np.maximum(0.0, prices + pace * max(aim - value, 1e-9 * abs(value)) / norm * step)
        self.prices = best
        if highest > -inf:
            self._prove(best, highest)

    def _prove(self, prices: Floats, bound: float) -> None:
        """Keep a bound of all plans that some prices gave."""
        if self.proofs == len(self.proved):
            self.proved = np.concatenate((self.proved, np.empty_like(self.proved)))
        self.proved[self.proofs, 0], self.proved[self.proofs, 1:] = bound + float(prices @ self.limit), prices
        self.proofs += 1

    def search(self, look: Look, width: int) -> None:
        """Look for good plans, keeping a few partial ones at each vertex."""
        net = self.network
        self._leave_out()
        length = self.measure(self.prices).length
        limit = float(self.caps[self.objective] + self.prices @ self.limit)
        keep = self.arcs
        over = np.ascontiguousarray(self.over[:, keep])
        columns = (net.tail[keep], net.head[keep], length[keep], self.entered[keep], self.bit[keep])
        width = int(np.clip(_LABELS // net.vertices, 1, width))
        find: Any = bound_kernels.beam
        for row in find(*columns, self.back, limit, over, self.rest[:-1], self.limit + _MARGIN, width):
            self.cut(look(keep[row[row >= 0]].tolist()))
