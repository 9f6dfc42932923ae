"""What a threshold for each exit gains over one for all: as the model prices plans, and on the recorded samples.

``python experiments/thresholds/run.py`` prints the table of README.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tiercut
from tiercut import Answer, Plan

TOPOLOGIES = ("mobile", "iot")
PROFILE = "resnet20-digits32"
SAMPLES = Path(__file__).parents[2] / "profiling" / "recorded" / "resnet20-digits32.samples.npz"

Point = tuple[float, float]


def main() -> None:
    """Compare the two frontiers on each topology."""
    print("| topology | figures | one threshold | one for each exit | most gained at the same accuracy |")
    print("| --- | --- | --- | --- | --- |")
    for topology in TOPOLOGIES:
        one = tiercut.frontier(topology, PROFILE)
        each = tiercut.frontier(topology, PROFILE, thresholds="per-exit")
        print(row(topology, "of the model", priced(one), priced(each)))
        print(row(topology, "of the samples", lived(one), lived(each)))


def row(topology: str, figures: str, one: list[Point], each: list[Point]) -> str:
    """Return a line that counts both frontiers and names the largest saving."""
    savings = [saving(point, one) for point in each]
    gained, accuracy = max((extra, point[1]) for extra, point in zip(savings, each, strict=True))
    most = f"{gained:.2%} at accuracy {accuracy:.4f}" if gained > 1e-9 else "nothing"
    return f"| {topology} | {figures} | {len(one)} plans | {len(each)} plans | {most} |"


def saving(point: Point, frontier: list[Point]) -> float:
    """Return by how much the quickest point of a frontier that is as accurate takes longer."""
    as_good = [latency for latency, accuracy in frontier if accuracy >= point[1] - 1e-12]
    return min(as_good) / point[0] - 1 if as_good else 0.0


def priced(answer: Answer) -> list[Point]:
    """Return latency and accuracy of each plan, as the model prices them."""
    return [(plan.latency_s, plan.accuracy or 0.0) for plan in answer]


def lived(answer: Answer) -> list[Point]:
    """Return the frontier of the same plans with every recorded sample sent through them."""
    with np.load(SAMPLES) as data:
        entropy, correct = data["entropy"].astype(float), data["correct"]
    points = sorted((replayed(plan, entropy, correct) for plan in answer), key=lambda point: (point[0], -point[1]))
    kept: list[Point] = []
    for point in points:
        if not kept or point[1] > kept[-1][1]:
            kept.append(point)
    return kept


def replayed(plan: Plan, entropy: np.ndarray, correct: np.ndarray) -> Point:  # type: ignore[type-arg]
    """Return mean latency and accuracy of the recorded samples: each leaves at the first exit that is sure enough."""
    thresholds = plan.thresholds or (plan.threshold or 0.0,) * (len(plan.exits) - 1)
    under_way = np.ones(len(entropy), bool)
    right, latency, spent = 0.0, 0.0, plan.input_s
    for place, (block, stage) in enumerate(zip(plan.exits, plan.stages, strict=True)):
        last = place == len(plan.exits) - 1
        leaves = under_way if last else under_way & (entropy[:, block - 1] < thresholds[place])
        spent += stage.compute_s
        latency += leaves.mean() * (spent + stage.result_s)
        right += (leaves & correct[:, block - 1]).mean()
        spent += stage.send_s
        under_way = under_way & ~leaves
    return float(latency), float(right)


if __name__ == "__main__":
    main()
