"""What pieces take on each node, in as many tables as there are devices, and not in one for each node.

With a thousand blocks a table of all pieces is 8 MB. Nodes that stand for one device have one table of it, times their
slowdowns, and a look multiplies: to the same bits as a table that was multiplied before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tiercut.memory import check_room

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

__all__ = ["LatePieceTable", "PieceTable"]


@dataclass(frozen=True, slots=True, eq=False)
class PieceTable:
    """An M x N x N table of blocks i..j on each node that is read as an array is, and cannot be written.

    Parameters
    ----------
    tables
        D x N x N: the tables that there are. Kernels take them as they are, and nobody writes into them.
    which, factor
        M: the table of each node, and what it is multiplied by.
    """

    tables: Floats
    which: Ints
    factor: Floats

    @classmethod
    def of(cls, table: Floats | PieceTable) -> PieceTable:
        """Return an M x N x N array as such a table, without a copy; what is one already, as it is."""
        if isinstance(table, PieceTable):
            return table
        return cls(table, np.arange(len(table)), np.ones(len(table)))

    @property
    def shape(self) -> tuple[int, ...]:
        """M, N and N."""
        return len(self.which), *self.tables.shape[1:]

    @property
    def whole(self) -> Floats:
        """M x N x N: a new array; a MemoryError where there is no room for it."""
        what = f"a table of pieces for each of {len(self.which)} nodes, and what is made of it,"
        check_room(16.0 * prod(self.shape), what)
        whole: Floats = self[:]
        return whole

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Floats:
        """Return a new array."""
        return self.whole.astype(np.float64 if dtype is None else dtype, copy=False)

    def __getitem__(self, index: Any) -> Any:
        """Return what an array of this shape has there: by node, then by first and last block."""
        node, *rest = index if isinstance(index, tuple) else (index,)
        if isinstance(node, int | np.integer):
            return self.tables[(self.which[node], *rest)] * self.factor[node]
        if node is Ellipsis:
            return self.whole[index]
        if isinstance(node, slice):  # so that no more is copied than is wanted
            found = self.tables[(slice(None), *rest)][self.which[node]]
        else:
            found = self.tables[(self.which[node], *rest)]
        return found * np.broadcast_to(self.factor[:, None, None], self.shape)[index]


class LatePieceTable(PieceTable):
    """A table of pieces whose tables are made when they are first read, as many a question reads none of them.

    Parameters
    ----------
    make
        What makes the D x N x N tables.
    blocks
        N.
    which, factor
        As in `PieceTable`.
    """

    __slots__ = ("_blocks", "_made", "_make")

    _make: Callable[[], Floats]
    _made: list[Floats]
    _blocks: int

    def __init__(self, make: Callable[[], Floats], blocks: int, which: Ints, factor: Floats) -> None:
        given = {"_make": make, "_made": [], "_blocks": blocks, "which": which, "factor": factor}
        for name, value in given.items():  # nobody else can set what is frozen
            object.__setattr__(self, name, value)

    @property
    def tables(self) -> Floats:
        """D x N x N: made once; threads that ask at the same time may each make them, and get the same numbers."""
        if not self._made:
            self._made.append(self._make())
        return self._made[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """M, N and N."""
        return len(self.which), self._blocks, self._blocks

    def __reduce__(self) -> tuple[Any, ...]:
        return PieceTable, (self.tables, self.which, self.factor)
