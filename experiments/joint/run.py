"""Where trimming, several exits and backward placements win, on the recorded ResNet-20 (the Joint model, section 3.3).

For each accuracy bound the least latency is found in the whole space, and in the space without one of its freedoms.
Run ``python experiments/joint/run.py``; the table in README.md is what it prints.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import tiercut
from tiercut import Answer, Query

CONDITIONS: dict[str, tuple[str, dict[str, dict[str, float]]]] = {
    "mobile": ("mobile", {}),
    "iot": ("iot", {}),
    "iot with a better device": ("iot", {"slowdown": {"raspberry": 20.0}, "bandwidth": {"raspberry-micro": 12.5e6}}),
}
"""Topologies, and what is changed in them: the last has a device five times as fast, on 100 Mb/s."""

PROFILE = "resnet20-digits32"
BOUNDS = (0.40, 0.68, 0.90, 0.93, 0.967, 0.9672, 0.975, 0.98, 0.983, 0.985, 0.9875)

WITHOUT: dict[str, dict[str, object]] = {
    "trimming or exits": {"exits": "final"},
    "several exits": {"most_partitions": 1},
    "going backward": {"order": "forward"},
}
"""What each freedom is taken away by."""


def main() -> None:
    """Print a table for each topology, and how often each freedom shows on the frontier."""
    for topology in CONDITIONS:
        print(f"\n### {topology}\n")
        print("| accuracy ≥ | best plan | latency | " + " | ".join(f"without {name}" for name in WITHOUT) + " |")
        print("| --- | --- | --- |" + " --- |" * len(WITHOUT))
        for bound in BOUNDS:
            print(row(topology, bound))
        print(f"\n{frontier_of(topology)}")
        for name, rule in WITHOUT.items():
            print(f"- {most(topology, name, rule)}")


def row(topology: str, bound: float) -> str:
    """Return one line of the table: the best plan, and how much slower the best is without each freedom."""
    query = Query(min_accuracy=bound)
    best = ask(topology, query).best
    worse = [
        slower(ask(topology, replace(query, **rule)), best.latency_s)  # type: ignore[arg-type]
        for rule in WITHOUT.values()
    ]
    return f"| {bound:g} | {best} | {best.latency_s * 1e3:.2f} ms | " + " | ".join(worse) + " |"


def slower(answer: Answer, latency_s: float) -> str:
    """Return by how much an answer is slower than a latency, in percent."""
    if not answer.plans:
        return "impossible"
    extra = answer.best.latency_s / latency_s - 1
    return "=" if extra < 1e-9 else f"+{extra:.2%}"


def frontier_of(topology: str) -> str:
    """Return a sentence that counts the plans of the frontier by what they make use of."""
    answer = ask(topology, Query(kind="frontier"))
    place = {name: index for index, name in enumerate(answer.space.problem.nodes)}
    last = answer.space.problem.block_count
    trimmed = sum(plan.partition[-1] < last for plan in answer)
    several = sum(len(plan.exits) > 1 for plan in answer)
    backward = sum(any(place[after] < place[before] for before, after in pairwise(plan.placement)) for plan in answer)
    return (
        f"Of the {len(answer)} plans on the frontier of {topology}, {trimmed} are trimmed, "
        f"{several} have several exits and {backward} go backward."
    )


def most(topology: str, name: str, rule: dict[str, object]) -> str:
    """Return a sentence that says at which accuracy of the frontier a freedom saves most."""
    found = []
    for plan in ask(topology, Query(kind="frontier")):
        query = Query(min_accuracy=plan.accuracy)
        answer = ask(topology, replace(query, **rule))  # type: ignore[arg-type]
        if answer.plans:
            found.append((answer.best.latency_s / ask(topology, query).best.latency_s - 1, plan))
    extra, plan = max(found, key=lambda pair: pair[0])
    if extra < 1e-9:
        return f"{name}: never missed where it can be done without"
    lane = "" if plan.threshold is None else f", threshold {plan.threshold:g}"
    takes = f"{plan}{lane} takes {plan.latency_s * 1e3:.2f} ms"
    return f"without {name}: +{extra:.2%} at accuracy ≥ {plan.accuracy:.4f}, where {takes}"


def ask(topology: str, query: Query) -> Answer:
    """Answer a question about the recorded network."""
    name, changes = CONDITIONS[topology]
    return tiercut.ask(tiercut.load_topology(name).with_changes(**changes), PROFILE, query)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
