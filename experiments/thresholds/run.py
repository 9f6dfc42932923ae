"""What a threshold for each exit gains over one for all: as the model prices plans, and on the recorded samples.

``python experiments/thresholds/run.py`` prints the table of README.md.
"""

from __future__ import annotations

import tiercut
from tiercut import Answer

TOPOLOGIES = ("mobile", "iot")
PROFILE = "resnet20-digits32"

Point = tuple[float, float]


def main() -> None:
    """Compare the two frontiers on each topology."""
    print("| topology | figures | one threshold | one for each exit | most gained at the same accuracy |")
    print("| --- | --- | --- | --- | --- |")
    for topology in TOPOLOGIES:
        one = tiercut.frontier(topology, PROFILE, estimator="marginal")
        each = tiercut.frontier(topology, PROFILE, thresholds="per-exit", estimator="marginal")
        print(row(topology, "of the model", priced(one), priced(each)))
        print(row(topology, "of the samples", replayed(topology, one), replayed(topology, each)))


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


def replayed(topology: str, answer: Answer) -> list[Point]:
    """Return the frontier of the same plans with every recorded sample sent through them."""
    points = sorted((each.mean_s, -(each.accuracy or 0.0)) for each in tiercut.replay(topology, PROFILE, answer))
    kept: list[Point] = []
    for latency, wrong in points:
        if not kept or -wrong > kept[-1][1]:
            kept.append((latency, -wrong))
    return kept


if __name__ == "__main__":
    main()
