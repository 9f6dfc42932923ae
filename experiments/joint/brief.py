"""What trained networks say of the estimates, in a few lines with the figures of the tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from assumptions import Network
from validation import summary

__all__ = ["in_short"]

_STEPS = {"rates": "rate_mean", "accuracies": "mean"}


def in_short(
    name: str, networks: Sequence[Network], estimates: pd.DataFrame, given: pd.DataFrame, corrected: pd.DataFrame | None
) -> Iterator[str]:
    """Yield lines about the networks of a setting; errors are means of their size, in points.

    Parameters
    ----------
    name
        The setting.
    networks
        Those that were trained with their exits alone.
    estimates, given, corrected
        How they compare with estimates, of ``validation.against_trainings``; with those that are given more and more of
        their own figures, of ``assumptions.parts``; and with corrected ones, of ``assumptions.corrections``, if any.
    """
    gains = [each.own.correct[:, -1].mean() - each.whole.correct[:, -1].mean() for each in networks]
    least, most, mean = (_points(each, "+") for each in (min(gains), max(gains), float(np.mean(gains))))
    yield (
        f"- {name}, networks: {len(networks)}; the last exit of each is better than the same branch among all by "
        f"{mean} points on average, from {least} to {most}"
    )
    said = summary(estimates).set_index("estimator")
    biases = ", ".join(f"*{row.Index}* {_points(row.mean)} ({_points(row.bias, '+')})" for row in said.itertuples())
    best = said["mean"].idxmin()
    yield f"- {name}, accuracies err by (bias): {biases}; least by *{best}*"
    apart = summary(given).set_index("estimator")
    recorded, own, both = (apart.loc[each] for each in ("as recorded", "own entropies", "own entropies and hits"))
    off = {step: [_points(row[kind], digits=2) for row in (recorded, own, both)] for step, kind in _STEPS.items()}
    yield (
        f"- {name}, exit rates err by {off['rates'][0]}, given the branches' own entropies by {off['rates'][1]}; "
        f"accuracies by {off['accuracies'][0]}, given own entropies by {off['accuracies'][1]}, and own hits, too, by "
        f"{off['accuracies'][2]}"
    )
    for row in () if corrected is None else summary(corrected).itertuples():
        yield (
            f"- {name}, *{row.estimator}* by a number from other networks: exit rates err by {_points(row.rate_mean)}, "
            f"accuracies by {_points(row.mean)} ({_points(row.bias, '+')})"
        )


def _points(share: float, sign: str = "", digits: int = 1) -> str:
    return f"{share * 100:{sign}.{digits}f}"
