"""The Joint model's estimate against the test samples that its authors sent through chosen exits of their networks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import tiercut
from tiercut import Profile

__all__ = ["cascades", "compare", "nested"]

CHAIN = "aws-chain"
"""The topology that the published times belong to."""


def cascades(folder: Path) -> Iterator[tuple[Profile, list[dict[str, Any]]]]:
    """Yield the published profiles in a folder that have counts of samples beside them, with those counts."""
    for path in sorted(folder.glob("*.cascades.json")):
        profile = tiercut.load_profile(path.with_name(path.name.replace(".cascades.json", ".json")))
        yield profile, json.loads(path.read_text(encoding="utf-8"))["rows"]


def compare(profile: Profile, rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Compare the estimates that a published profile allows with what the test samples did.

    Returns
    -------
    pandas.DataFrame
        As of ``validation.against_recording``, with the truth ``published``.
    """
    nodes = [node.name for node in tiercut.load_topology(CHAIN).nodes]
    found = []
    for row in rows:
        blocks, threshold, left = row["partition"], row["threshold"], row["left_at_each"]
        plan = tiercut.plan(
            CHAIN, profile, partition=blocks, placement=nodes[: len(blocks)], threshold=threshold if left[1:] else None
        )
        rates = np.array([stage.exit_rate for stage in plan.stages])
        said = {"marginal": plan.accuracy, "nested hits": nested(profile, blocks, threshold)}
        found += [
            {"partitioning": tuple(blocks), "threshold": threshold, "estimator": name, "truth": "published"}
            | {"predicted": accuracy, "measured": row["correct"] / sum(left)}
            | {"predicted_rates": rates, "measured_rates": np.array(left) / sum(left)}
            for name, accuracy in said.items()
        ]
    return pd.DataFrame(found)


def nested(profile: Profile, blocks: Sequence[int], threshold: float) -> float:
    """Return the accuracy of one or two exits from what a profile knows of each branch asked by itself.

    Of the samples that leave at the first exit it is known how many are right. Those that are wrong there would be
    right at the last exit about as often as all that the first exit gets wrong, if the last gets right whatever the
    first does: (last - first) / (1 - first) of them. So many hits the early exit costs.

    Parameters
    ----------
    profile
        One with ``exit_rate_alone`` and ``hit_rate_alone``.
    blocks
        The blocks after which samples leave, 1-based.
    threshold
        One of the profile's.
    """
    exits = profile.exits
    last = exits.accuracy[blocks[-1] - 1]
    if len(blocks) == 1:
        return float(last)
    row, column = exits.thresholds.index(threshold), blocks[0] - 1
    wrong = exits.exit_rate_alone[row][column] - exits.hit_rate_alone[row][column]
    first = exits.accuracy[column]
    return float(last - wrong * (last - first) / (1 - first))
