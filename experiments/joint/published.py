"""The Joint model's estimate against the test samples that its authors sent through chosen exits of their networks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

import tiercut
from tiercut import Profile

__all__ = ["ESTIMATORS", "cascades", "compare"]

ESTIMATORS: tuple[Literal["marginal", "nested"], ...] = ("marginal", "nested")
"""What a profile without samples supports."""

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
        threshold = threshold if left[1:] else None
        plans = {
            name: tiercut.plan(
                CHAIN,
                profile,
                partition=blocks,
                placement=nodes[: len(blocks)],
                threshold=threshold,
                estimator=name,
            )
            for name in ESTIMATORS
        }
        found += [
            {"partitioning": tuple(blocks), "threshold": row["threshold"], "estimator": name, "truth": "published"}
            | {"predicted": plan.accuracy, "measured": row["correct"] / sum(left)}
            | {"predicted_rates": np.array([stage.exit_rate for stage in plan.stages])}
            | {"measured_rates": np.array(left) / sum(left)}
            for name, plan in plans.items()
        ]
    return pd.DataFrame(found)
