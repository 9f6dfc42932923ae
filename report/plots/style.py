"""How every plot looks: Okabe and Ito's colours, which colour-blind readers tell apart, at a column's width."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "COLUMN", "MARKERS", "new_figure"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
COLUMN = (5.0, 3.4)
"""Inches; text stays readable when it is set at a column's 3.4."""


def new_figure(size: tuple[float, float] = COLUMN) -> Figure:
    """Return an empty figure that belongs to nobody else (no pyplot state)."""
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained")
