"""What cutting costs by itself: two pieces against the whole."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from tiercut.errors import TiercutWarning

__all__ = ["warn_of_joints"]

_SLACK = 0.05


def warn_of_joints(title: str, record: Mapping[str, Any]) -> None:
    """Warn where a network that is cut in two takes another time than the whole, by more than 5 %.

    Parameters
    ----------
    title
        The network.
    record
        What a profile says of a device: ``span_s`` and ``whole_model_s``.

    Warns
    -----
    TiercutWarning
        Says by how much, over all cuts: the median, and the most.
    """
    spans, whole = record["span_s"], record["whole_model_s"]
    if len(spans) < 2 or not whole:
        return
    sums = [spans[0][place] + spans[place + 1][-1] for place in range(len(spans) - 1)]
    off = np.array(sums) / whole - 1
    middle, furthest = float(np.median(off)), float(off[np.abs(off).argmax()])
    if abs(middle) > _SLACK:
        warnings.warn(
            TiercutWarning(
                f"{title}: cut in two, it takes {abs(middle):.0%} {'longer' if middle > 0 else 'less'} than whole "
                f"(median over {len(off)} cuts; {furthest:+.0%} at most)",
                "what the runtime does across a cut is lost there, and each call costs something; the times of spans "
                "hold that, sums of blocks do not. On a busy machine, time it with --clock cpu --threads 1",
            ),
            stacklevel=2,
        )
