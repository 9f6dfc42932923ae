"""Which pieces nodes may run: one truth for all of them, as long as no rule forbids any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["anything", "is_anything"]


def anything(shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Return a table of this shape that allows everything: read-only, and of one byte, whatever its shape."""
    return np.broadcast_to(np.True_, shape)


def is_anything(allowed: NDArray[np.bool_]) -> bool:
    """Return whether a table allows everything; what is the same all along an axis is looked at once."""
    return bool(allowed[tuple(slice(1 if step == 0 else None) for step in allowed.strides)].all())
