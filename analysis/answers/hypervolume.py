"""How much a frontier covers: the volume that its points beat, up to a reference point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.errors import QuestionError

if TYPE_CHECKING:
    from tiercut.optimizer import Floats

__all__ = ["Hypervolume", "hypervolume"]

_ROOM = 1.1


@dataclass(frozen=True, slots=True)
class Hypervolume:
    """The hypervolume of a frontier (Zitzler and Thiele, 1998).

    Parameters
    ----------
    value
        In the product of the inner units of the measures.
    share
        The same as a share of the box between the reference and the best that the frontier has of each measure.
    reference
        The reference point, by measure.
    """

    value: float
    share: float
    reference: Mapping[str, float]

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"value": self.value, "share": self.share, "reference": dict(self.reference)}


def hypervolume(
    values: Floats, names: Sequence[str], reference: Mapping[str, float] | None = None
) -> Hypervolume | None:
    """Return the hypervolume of points; None where there are none.

    Parameters
    ----------
    values
        K x D, in inner units; accuracy is maximised, everything else minimised.
    names
        The D measures.
    reference
        A value of each measure; by default 1.1 times the greatest of the points (1 where that is 0), for accuracy 0.
        Only frontiers with the same reference can be compared.

    Raises
    ------
    QuestionError
        If the reference lacks a measure.
    """
    if not len(values):
        return None
    import moocore

    greatest = np.array([name == "accuracy" for name in names])
    worst = np.where(greatest, 0.0, np.where(values.max(axis=0) > 0, _ROOM * values.max(axis=0), 1.0))
    given = dict(zip(names, worst.tolist(), strict=True)) if reference is None else dict(reference)
    if lacking := [name for name in names if name not in given]:
        raise QuestionError(f"the reference point lacks a value of {', '.join(lacking)}")
    point = np.array([given[name] for name in names])
    volume = float(moocore.hypervolume(values, ref=point, maximise=greatest.tolist()))
    best = np.where(greatest, values.max(axis=0), values.min(axis=0))
    box = float(np.prod(np.abs(point - best)))
    return Hypervolume(volume, volume / box if box > 0 else 0.0, {name: given[name] for name in names})
