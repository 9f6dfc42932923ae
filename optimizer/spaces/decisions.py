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

    For exits at cuts it is ``T · Σ_L C(N, L) · M! / (M - L)!`` (the Joint model, section 3.3). Codecs that a cut may
    use count at every cut, those that the input may use on its way to the first node.
    """
    placements = _placements(space)
    counts = range(1, len(placements))
    if space.inside:
        paths = sum(_free_cuts(space, parts) * placements[parts] for parts in counts)
    else:
        paths = sum(_cuts(space, parts) * placements[parts] for parts in counts)
    return paths * len(space.threshold_indices)


def _cuts(space: Space, parts: int) -> int:
    """Return in how many ways a network is cut into `parts`, with a threshold and a codec choice for each cut."""
    final = space.exits == "final"
    sets = comb(int(space.can_cut.sum()), parts - 1) if final else comb(int(space.can_end.sum()), parts)
    thresholds = len(space.problem.thresholds) if space.per_exit else 1
    return sets * int((thresholds * len(space.codec_choices)) ** (parts - 1))


def _free_cuts(space: Space, parts: int) -> int:
    """Return the same where any set of branches before the last block may be used, and cuts need none."""
    thresholds = len(space.problem.thresholds) if space.per_exit else 1
    total, before, choices = 0, 0, len(space.codec_choices)
    for end in range(space.problem.block_count):
        if space.can_end[end]:
            total += comb(end, parts - 1) * int(choices ** (parts - 1) * (1 + thresholds) ** before)
        before += bool(space.problem.branch[end])
    return total


def _placements(space: Space) -> list[int]:
    """Return for each number of partitions in how many ways nodes may follow each other, the input by any codec."""
    group, rank = space.group.tolist(), space.rank.tolist()
    counts = _orders(group, rank)
    more = (space.input_choices - 1).tolist()
    sizes = Counter(group)
    # Nodes alike in rank and in the size of their group leave as many orders to those that follow.
    alike: Counter[tuple[int, int]] = Counter()
    example = {(r, sizes[g]): g for g, r in zip(group, rank, strict=True)}
    for g, r, count in zip(group, rank, more, strict=True):
        alike[r, sizes[g]] += count
    for (r, size), count in alike.items():
        if count:
            after = [(h, s) for h, s in zip(group, rank, strict=True) if h != example[r, size] and s >= r]
            for parts, orders in enumerate(_orders([h for h, _ in after], [s for _, s in after]), 1):
                counts[parts] += count * orders
    return counts


def _orders(group: list[int], rank: list[int]) -> list[int]:
    """Return for each number of nodes in how many ways they may follow each other."""
    by_group = Counter(group)
    rank_of = dict(zip(group, rank, strict=True))
    counts = [1]
    for level in sorted(set(rank_of.values())):
        sizes = [size for each, size in by_group.items() if rank_of[each] == level]
        chosen = _elementary(sizes)
        counts = _convolve(counts, [factorial(count) * sets for count, sets in enumerate(chosen)])
    return counts


def _elementary(sizes: list[int]) -> list[int]:
    """Return for each k in how many ways k groups can be chosen with one node of each: symmetric polynomials."""
    if set(sizes) == {1}:
        return [comb(len(sizes), k) for k in range(len(sizes) + 1)]
    counts = [1]
    for size in sizes:
        counts = _convolve(counts, [1, size])
    return counts


def _convolve(left: list[int], right: list[int]) -> list[int]:
    product = [0] * (len(left) + len(right) - 1)
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            product[i + j] += a * b
    return product
