"""How many decisions a space has, in closed form."""

from __future__ import annotations

from collections import Counter
from math import comb, factorial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiercut.optimizer.space import Space

__all__ = ["count_decisions"]


def count_decisions(space: Space) -> int:
    """Return the number of decisions that exits, order and one_partition_per admit, as an exact integer.

    For exits at cuts it is ``T · Σ_L C(N, L) · M! / (M - L)!`` (the Joint model, section 3.3).
    """
    placements = _placements(space)
    counts = range(1, len(placements))
    if space.inside:
        walks = sum(_free_walks(space, parts) * placements[parts] for parts in counts)
    else:
        walks = sum(_walks(space, parts) * placements[parts] for parts in counts)
    return walks * len(space.lanes)


def _walks(space: Space, parts: int) -> int:
    """Return in how many ways a network is cut into `parts`, with a threshold and a way for each cut."""
    final = space.exits == "final"
    sets = comb(int(space.can_cut.sum()), parts - 1) if final else comb(int(space.can_end.sum()), parts)
    thresholds = len(space.problem.thresholds) if space.per_exit else 1
    return sets * int((thresholds * len(space.ways)) ** (parts - 1))


def _free_walks(space: Space, parts: int) -> int:
    """Return the same where any set of branches before the last block may be used, and cuts need none."""
    thresholds = len(space.problem.thresholds) if space.per_exit else 1
    total, before, ways = 0, 0, len(space.ways)
    for end in range(space.problem.block_count):
        if space.can_end[end]:
            total += comb(end, parts - 1) * int(ways ** (parts - 1) * (1 + thresholds) ** before)
        before += bool(space.problem.branch[end])
    return total


def _placements(space: Space) -> list[int]:
    """Return for each number of partitions in how many ways nodes may follow each other."""
    by_group = Counter(space.group.tolist())
    rank_of = dict(zip(space.group.tolist(), space.rank.tolist(), strict=True))
    ways = [1]
    for rank in sorted(set(rank_of.values())):
        sizes = [size for group, size in by_group.items() if rank_of[group] == rank]
        chosen = _elementary(sizes)
        ways = _convolve(ways, [factorial(count) * sets for count, sets in enumerate(chosen)])
    return ways


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
