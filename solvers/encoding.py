"""Decisions as rows of integers, which kernels write, compare and keep.

``[L | last block of each partition | node of each | exits | thresholds of the exits | codecs | tie | threshold
index]``: blocks are 1-based, the rest 0-based, unused places 0 (or, among exits, past the last block); codecs are
choices, that of the input first. The parts in the middle are there only where a space has them. Read from left to
right, keys compare in the project's order among equals: fewer partitions, then partition, placement, exits, threshold.
The tie comes before them all, and before accuracy: the bits of the latency where something else is minimised (numbers
that are not negative are in the order of their bits), else 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tiercut.optimizer import PLAIN, Decision
from tiercut.solvers.kernels.arguments import Places

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer import Space

__all__ = ["Layout", "decision_of", "decisions_of", "key_of"]

_AT_ONCE = 512
"""Keys whose integers are Python's at one time: a frontier may have tens of thousands."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the parts of a key begin; -1 for a part that the space has not.

    Parameters
    ----------
    most
        Most partitions.
    exits_at, thresholds_at, codecs_at
        Offsets.
    width
        Integers in a key.
    """

    most: int
    exits_at: int
    thresholds_at: int
    codecs_at: int
    width: int

    @property
    def places(self) -> Places:
        """The same as kernels take it."""
        return Places(self.most, self.exits_at, self.thresholds_at, self.codecs_at)

    @classmethod
    def of(cls, space: Space) -> Layout:
        """Return the layout of the decisions of a space."""
        most, offset = space.most, 1 + 2 * space.most
        exits = thresholds = codecs = -1
        steps = space.problem.block_count if space.inside else most
        if space.inside:
            exits, offset = offset, offset + steps
        if space.per_exit:
            thresholds, offset = offset, offset + steps
        if len(space.codec_choices) > 1 or int(space.codec_choices[0]) != PLAIN:
            codecs, offset = offset, offset + most
        return cls(most, exits, thresholds, codecs, offset + 2)


def key_of(space: Space, layout: Layout, decision: Decision) -> NDArray[np.int64]:
    """Return the key of a decision, its tie left at 0; what `decision_of` turns back."""
    key = np.zeros(layout.width, np.int64)
    parts, most = len(decision.partition), layout.most
    key[0] = parts
    key[1 : 1 + parts] = decision.partition
    key[1 + most : 1 + most + parts] = decision.placement
    if layout.exits_at >= 0:
        end = next((at for at in (layout.thresholds_at, layout.codecs_at) if at >= 0), layout.width - 1)
        key[layout.exits_at : min(end, layout.width - 2)] = end - layout.exits_at + 1  # as label kernels fill it
        key[layout.exits_at : layout.exits_at + len(decision.exits)] = decision.exits
    if layout.thresholds_at >= 0 and decision.thresholds:
        key[layout.thresholds_at : layout.thresholds_at + len(decision.thresholds)] = decision.thresholds
    if layout.codecs_at >= 0:
        choices = space.codec_choices.tolist()
        codecs = (decision.input_codec, *(decision.codecs or (None,) * (parts - 1)))
        # A codec that every cut must use is the only choice, whatever becomes of the input.
        at = [choices.index(PLAIN if codec is None else codec) if len(choices) > 1 else 0 for codec in codecs]
        key[layout.codecs_at : layout.codecs_at + len(at)] = at
    key[-1] = space.threshold_indices.tolist().index(decision.threshold) if decision.threshold is not None else 0
    return key


def decision_of(space: Space, layout: Layout, key: NDArray[np.int64]) -> Decision:
    """Return the decision that a key stands for."""
    return _decision(space, layout, key.tolist(), {})


def decisions_of(space: Space, layout: Layout, keys: NDArray[np.int64]) -> tuple[Decision, ...]:
    """Return the decisions that keys stand for, K x width, in order; equal parts of them are one object."""
    found: list[Decision] = []
    parts: dict[tuple[int, ...], tuple[int, ...]] = {}
    for begin in range(0, len(keys), _AT_ONCE):
        rows = keys[begin : begin + _AT_ONCE].tolist()
        found += [_decision(space, layout, row, parts) for row in rows]
    return tuple(found)


def _decision(space: Space, layout: Layout, row: list[int], known: dict[tuple[int, ...], tuple[int, ...]]) -> Decision:
    """Return the decision of a key; what partitions and placements are known is taken from there."""
    parts, most = row[0], layout.most
    partition, placement = tuple(row[1 : 1 + parts]), tuple(row[1 + most : 1 + most + parts])
    partition, placement = known.setdefault(partition, partition), known.setdefault(placement, placement)
    exits = _exits(space, layout, row, partition)
    thresholds = None
    if space.per_exit and len(exits) > 1:
        thresholds = tuple(row[layout.thresholds_at : layout.thresholds_at + len(exits) - 1])
    codecs: tuple[int | None, ...] = ()
    entry = None
    if layout.codecs_at >= 0:
        first, *others = row[layout.codecs_at : layout.codecs_at + parts]
        named = (int(space.codec_choices[choice]) for choice in others)
        codecs = tuple(None if codec == PLAIN else codec for codec in named)
        entry = space.input_codec(first, placement[0])
    single = space.per_exit or len(exits) == 1
    threshold = None if single else int(space.threshold_indices[row[-1]])
    return Decision(partition, placement, exits, threshold, thresholds, codecs, entry)


def _exits(space: Space, layout: Layout, row: list[int], partition: tuple[int, ...]) -> tuple[int, ...]:
    if space.exits == "final":
        return partition[-1:]
    if layout.exits_at < 0:
        return partition
    end = layout.thresholds_at if layout.thresholds_at >= 0 else layout.codecs_at
    written = row[layout.exits_at : end if end >= 0 else -2]
    return tuple(block for block in written if 0 < block <= partition[-1])
