"""Which decisions a question admits: where cuts and exits may stand, and in what order nodes may follow."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import comb, factorial
from typing import TYPE_CHECKING, Literal

import numpy as np

from tiercut.errors import QuestionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer.measures import Measure
    from tiercut.optimizer.problem import Floats, Problem

__all__ = ["Costs", "Exits", "Order", "Space", "make_space"]

Exits = Literal["cuts", "final"]
Order = Literal["any", "forward"]


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """The tables of one measure, fitted to a space: what a middle piece and a last piece cost there.

    ``middle`` is M x N x N (with a branch where cuts carry one), ``last`` the same for the piece that ends the plan
    with its result included; ``first``, ``send`` and ``result`` are as in `Measure`.
    """

    first: Floats
    middle: Floats
    last: Floats
    send: Floats
    result: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """The admitted decisions of a problem.

    Parameters
    ----------
    problem
        The tables.
    exits
        ``cuts``: each partition ends in a branch, and the network may be trimmed. ``final``: only the backbone's own
        classifier, uncut at the end.
    order
        ``any``, or ``forward``: tiers in the order of the topology.
    thresholds
        Indices into the problem's thresholds, one alone where thresholds have no effect.
    can_cut, can_end
        N: whether a middle partition, and the last one, may end with the block.
    stay
        (N+1) x T: share of samples that go on after block i, thresholds in the fast direction.
    accuracy
        N: of each branch; 0 where it is not known, so that sums stay numbers.
    group
        M: nodes of one group exclude each other (a group for each node, or for each tier).
    rank
        M: never falls along a plan (0 for all where the order is any).
    linked
        M x M: whether there is a path from one node to another.
    """

    problem: Problem
    exits: Exits
    order: Order
    thresholds: NDArray[np.int64]
    can_cut: NDArray[np.bool_]
    can_end: NDArray[np.bool_]
    stay: Floats
    accuracy: Floats
    group: NDArray[np.int64]
    rank: NDArray[np.int64]
    linked: NDArray[np.bool_]

    @property
    def knows_accuracy(self) -> bool:
        """Whether the accuracy of every exit that a plan may use is known."""
        return not bool(np.any(np.isnan(self.problem.accuracy[self.can_end])))

    @property
    def most_partitions(self) -> int:
        """Most partitions that any admitted plan has."""
        return min(len(set(self.group.tolist())), int(self.can_cut[:-1].sum()) + 1)

    @property
    def decisions(self) -> int:
        """Number of admitted decisions, before bounds, as an exact integer."""
        placements = self._placements()
        return sum(self._cut_sets(count) * placements[count] for count in range(1, len(placements))) * len(
            self.thresholds
        )

    def _cut_sets(self, count: int) -> int:
        if self.exits == "final":
            return comb(int(self.can_cut[:-1].sum()), count - 1)
        return comb(int(self.can_end.sum()), count)

    def _placements(self) -> list[int]:
        """Return for each number of partitions in how many ways nodes may follow each other."""
        by_group = Counter(self.group.tolist())
        rank_of = dict(zip(self.group.tolist(), self.rank.tolist(), strict=True))
        ways = [1]
        for rank in sorted(set(rank_of.values())):
            sizes = [size for group, size in by_group.items() if rank_of[group] == rank]
            chosen = _elementary(sizes)
            ways = _convolve(ways, [factorial(count) * sets for count, sets in enumerate(chosen)])
        return ways

    def costs(self, measure: Measure) -> Costs:
        """Return the tables of a measure as they apply to the plans of this space."""
        middle = measure.span if self.exits == "cuts" else measure.bare
        # Diagonal blocks i..j cost measure.span[v, i, j] and the result of branch j travels from the same node v.
        last = measure.span + measure.result.T[:, None, :]
        made = (measure.first, middle, last, measure.send, measure.result)
        return Costs(*(np.array(table, order="C") for table in made))


def _elementary(sizes: list[int]) -> list[int]:
    """Return for each k in how many ways k groups can be chosen with one node of each: symmetric polynomials."""
    ways = [1]
    for size in sizes:
        ways = _convolve(ways, [1, size])
    return ways


def _convolve(left: list[int], right: list[int]) -> list[int]:
    made = [0] * (len(left) + len(right) - 1)
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            made[i + j] += a * b
    return made


def make_space(problem: Problem, *, exits: Exits | None = None, order: Order = "any") -> Space:
    """Return the decisions of `problem` that a question admits.

    Parameters
    ----------
    problem
        The tables.
    exits
        Where exits may stand; by default ``cuts`` where the profile has exits, else ``final``.
    order
        ``any`` or ``forward``.

    Raises
    ------
    QuestionError
        If exits are asked of a profile that has none.
    """
    exits = exits or ("cuts" if problem.has_exits else "final")
    if exits == "cuts" and not problem.has_exits:
        raise QuestionError(f"exits at cuts need the key 'exits', which profile '{problem.profile}' does not have")
    final = exits == "final"
    count = problem.block_count
    ends = np.zeros(count, bool)
    ends[-1] = True
    can_cut = np.ones(count, bool) if final else problem.branch.copy()
    can_cut[-1] = False
    stay = np.ones((count + 1, 1)) if final else np.array(problem.stay.T, order="C")
    return Space(
        problem=problem,
        exits=exits,
        order=order,
        thresholds=np.arange(1 if final else len(problem.thresholds)),
        can_cut=can_cut,
        can_end=ends if final else problem.branch.copy(),
        stay=stay,
        accuracy=np.nan_to_num(problem.accuracy),
        group=_indices(problem.tiers) if problem.one_per_tier else np.arange(problem.node_count),
        rank=_indices(problem.tiers) if order == "forward" else np.zeros(problem.node_count, np.int64),
        linked=np.isfinite(problem.transfer_s[0]),
    )


def _indices(names: tuple[str, ...]) -> NDArray[np.int64]:
    order = {name: index for index, name in enumerate(dict.fromkeys(names))}
    return np.array([order[name] for name in names], np.int64)
