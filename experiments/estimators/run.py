"""How near estimates come to samples that they have not seen: by formula, by nested hits, conditional, replayed.

``python experiments/estimators/run.py`` prints the tables of README.md. A seeded half of the recorded samples is what
estimates are fitted to, the other half judges, and the other way round.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import tiercut
from tiercut import Plan, Profile, Samples

PROFILE = "resnet20-digits32"
TOPOLOGY = "iot"
Estimator = Literal["marginal", "nested", "conditional", "replay"]
ESTIMATORS: tuple[Estimator, ...] = ("marginal", "nested", "conditional", "replay")
SEEDS = range(3)
PLANS = 200


@dataclass(frozen=True)
class Errors:
    """Estimate less what the judging samples do, in points: accuracy, and the largest of the exit rates by size."""

    accuracy: NDArray[np.float64]
    rate: NDArray[np.float64]

    @property
    def row(self) -> str:
        """The figures of a line: mean size and bias and worst of accuracy, mean and worst of rates."""
        sizes = np.abs(self.accuracy)
        mean, bias, worst = (100 * each for each in (sizes.mean(), self.accuracy.mean(), sizes.max()))
        return f"{mean:.2f} | {bias:+.2f} | {worst:.2f} | {100 * self.rate.mean():.2f} | {100 * self.rate.max():.2f}"


def main() -> None:
    """Print a table for samples that nothing was fitted to, and one for those that estimates were fitted to."""
    profile = tiercut.load_profile(PROFILE)
    samples = tiercut.samples_of(profile)
    halves = [pair for seed in SEEDS for pair in split(samples, seed)]
    fit, judge = halves[0]
    print(f"{len(halves)} times {len(fit.correct)} samples to fit, {len(judge.correct)} others to judge:\n")
    table(profile, halves)
    print(f"\nThe same {len(samples.correct)} samples fit and judge:\n")
    table(profile, [(samples, samples)])


def table(profile: Profile, pairs: list[tuple[Samples, Samples]]) -> None:
    """Print one line for each estimator."""
    print("| estimator | accuracy: mean error | bias | worst | exit rate: mean error | worst |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    found: dict[str, list[Errors]] = {name: [] for name in ESTIMATORS}
    for number, (fit, judge) in enumerate(pairs):
        known = refitted(profile, fit)
        plans = drawn(known, np.random.default_rng(number))
        truth = tiercut.replay(TOPOLOGY, known, plans, samples=judge)
        for name in ESTIMATORS:
            problem = tiercut.problem(TOPOLOGY, known, estimator=name, samples=fit)
            told = [tiercut.price(problem, plan.decision) for plan in plans]
            accuracy = [(each.accuracy or 0.0) - seen.accuracy for each, seen in zip(told, truth, strict=True)]
            rate = [worst_rate(each, seen.replayed) for each, seen in zip(told, truth, strict=True)]
            found[name].append(Errors(np.array(accuracy), np.array(rate)))
    for name, parts in found.items():
        whole = Errors(np.concatenate([each.accuracy for each in parts]), np.concatenate([each.rate for each in parts]))
        print(f"| {name} | {whole.row} |")


def worst_rate(told: Plan, seen: Plan) -> float:
    """Return the largest error of an exit rate."""
    pairs = zip(told.stages, seen.stages, strict=True)
    return max(abs(one.exit_rate - other.exit_rate) for one, other in pairs)


def split(samples: Samples, seed: int) -> list[tuple[Samples, Samples]]:
    """Return two halves, each to fit once and to judge once."""
    order = np.random.default_rng(seed).permutation(len(samples.correct))
    halves = [replace(samples, entropy=samples.entropy[part], correct=samples.correct[part], confidence=None)
              for part in np.array_split(order, 2)]  # fmt: skip
    return [(halves[0], halves[1]), (halves[1], halves[0])]


def refitted(profile: Profile, samples: Samples) -> Profile:
    """Return the profile with rates and accuracies of other samples."""
    assert profile.exits is not None
    thresholds = profile.exits.thresholds
    exits = type(profile.exits)(**tiercut.exits_record(samples, thresholds))
    return profile.model_copy(update={"exits": exits, "samples": len(samples.correct)})


def drawn(profile: Profile, rng: np.random.Generator) -> list[Plan]:
    """Return random plans with two to four exits, one at each cut."""
    assert profile.exits is not None
    nodes = tiercut.load_topology(TOPOLOGY).node_names
    made = []
    for _ in range(PLANS):
        parts = int(rng.integers(2, len(nodes) + 1))
        partition = np.sort(rng.choice(profile.block_count, parts, replace=False) + 1).tolist()
        threshold = float(rng.choice(profile.exits.thresholds))
        plan = {"partition": partition, "placement": nodes[:parts], "threshold": threshold}
        made.append(tiercut.plan(TOPOLOGY, profile, **plan, estimator="marginal"))
    return made


if __name__ == "__main__":
    main()
