"""How often certified bounds hold on new samples, and what they cost: beside the choice without, and other bounds.

``python experiments/certified/run.py`` draws (half an hour to an hour; what is done is kept in ``results.json`` and not
done again), prints the tables of README.md and draws its figure. ``--draws N`` sets how many draws each table has.

The 6,000 test samples of the recorded network are the population, so that a plan's accuracy on it is known exactly.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import exp, log, log1p, sqrt
from pathlib import Path
from typing import Any

import numpy as np

import tiercut
from tiercut import Answer, Plan, Profile, Samples

HERE = Path(__file__).parent
TOPOLOGY, PROFILE = tiercut.load_topology("three-tiers"), "resnet20-clutter"
CONFIDENCE = 0.95
ONE: dict[str, Any] = {"exits": "free"}
EACH: dict[str, Any] = {"exits": "free", "thresholds": "per-exit"}
QUESTIONS: dict[str, tuple[dict[str, Any], float]] = {
    "one threshold, 84 %": (ONE, 0.84),
    "one threshold, 86 %": (ONE, 0.86),
    "a threshold for each exit, 86 %": (EACH, 0.86),
}
EACH_ANEW = 250
"""Records drawn anew of which plans with a threshold for each exit are asked, which takes as long as all else."""

SAVED_EVERY = 20

Row = dict[str, tuple[int, float] | None]
"""By method and question: right answers on the population and mean latency in seconds; None: nothing was certified."""


class Population:
    """The samples whose accuracy counts, and what plans make of them."""

    def __init__(self) -> None:
        self.profile = tiercut.load_profile(PROFILE)
        self.record = tiercut.samples_of(self.profile)
        self.samples = tiercut.samples_of(self.profile, "test")
        self.known: dict[str, tuple[int, float]] = {}

    def of(self, plan: Plan | None) -> tuple[int, float] | None:
        """Return how many samples a plan answers rightly, and its mean latency in seconds."""
        if plan is None:
            return None
        key = repr((plan.partition, plan.placement, plan.exits, plan.threshold, plan.thresholds))
        if key not in self.known:
            seen = tiercut.replay(TOPOLOGY, self.profile, plan, split="test", estimator="marginal")
            self.known[key] = seen.hits, seen.mean_s
        return self.known[key]


class OneForAll:
    """Risk-controlled early exits (Jazbec et al., "Fast yet Safe: Early-Exiting with Risk Control", NeurIPS 2024).

    All branches are asked, and one threshold is shared by them. It is raised from where nobody leaves early while an
    upper bound of the risk, here the share of wrong answers, stays below what is allowed. Where the pieces of the
    network run with all of its branches is chosen for each threshold once: the quickest in one piece or two.
    """

    def __init__(self, population: Population) -> None:
        profile = population.profile
        assert profile.exits is not None
        self.blocks = len(profile.blocks)
        self.thresholds = [0.0, *profile.exits.thresholds]
        nodes = [node.name for node in TOPOLOGY.nodes]
        self.plans = [self.quickest(profile, nodes, threshold) for threshold in self.thresholds]

    def quickest(self, profile: Profile, nodes: Sequence[str], threshold: float) -> Plan:
        """Return where the network with all of its branches runs quickest, in one piece or two."""
        places: list[tuple[tuple[int, ...], tuple[str, ...]]] = [((self.blocks,), (node,)) for node in nodes]
        places += [
            ((cut, self.blocks), (one, other))
            for cut in range(1, self.blocks)
            for one in nodes
            for other in nodes
            if one != other
        ]
        exits = range(1, self.blocks + 1) if threshold else (self.blocks,)
        said: dict[str, Any] = {"exits": tuple(exits), "threshold": threshold or None}
        found = [
            tiercut.plan(TOPOLOGY, profile, partition=partition, placement=placement, **said)
            for partition, placement in places
        ]
        return min(found, key=lambda plan: plan.latency_s)

    def chosen(
        self, samples: Samples, floor: float, p_value: Callable[[np.ndarray[Any, Any], float], float]
    ) -> Plan | None:
        """Return the plan of the greatest threshold up to which every one is certified."""
        best = None
        for threshold, plan in zip(self.thresholds, self.plans, strict=True):
            if p_value(self.wrong(samples, threshold), 1.0 - floor) > 1.0 - CONFIDENCE:
                break
            best = plan
        return best

    def wrong(self, samples: Samples, threshold: float) -> np.ndarray[Any, Any]:
        """Return whether each sample is answered wrongly."""
        leaves = samples.entropy.astype(float) < threshold
        leaves[:, -1] = True
        taken = leaves.argmax(axis=1)
        return ~samples.correct[np.arange(len(taken)), taken]


def betting(wrong: np.ndarray[Any, Any], most: float) -> float:
    """Return a p-value for a mean risk above `most`, by a bet against it that no such risk lets grow much.

    Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (2024), as Bates et al. use it
    for upper bounds ("Distribution-free, risk-controlling prediction sets", 2021, section 3.1.3).
    """
    count, level = len(wrong), 1.0 - CONFIDENCE
    places = np.arange(1, count + 1)
    means = (0.5 + np.cumsum(wrong)) / (1 + places)
    spread = (0.25 + np.cumsum((wrong - means) ** 2)) / (1 + places)
    before = np.concatenate([[0.25], spread[:-1]])
    stakes = np.minimum(1.0, np.sqrt(2 * log(1 / level) / (count * before)))
    return float(min(1.0, exp(-np.max(np.cumsum(np.log1p(-stakes * (wrong - most)))))))


def hoeffding_bentkus(wrong: np.ndarray[Any, Any], most: float) -> float:
    """Return the p-value of Hoeffding and Bentkus for any risk in 0..1 ("Learn then Test", 2021, proposition 2)."""
    count, mean = len(wrong), float(np.mean(wrong))
    if mean >= most:
        return 1.0
    distance = mean * log(mean / most) if mean else 0.0
    distance += (1 - mean) * (log1p(-mean) - log1p(-most))
    return min(exp(-count * distance), exp(1) * lower_tail(int(wrong.sum()), count, most))


def lower_tail(hits: int, count: int, share: float) -> float:
    """Return the probability of so many hits or fewer."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    k = np.arange(hits + 1)
    terms = logs[count] - logs[k] - logs[count - k] + k * log(share) + (count - k) * log1p(-share)
    return float(np.exp(terms).sum())


def bonferroni(answer: Answer, floor: float) -> Plan | None:
    """Return the quickest plan of a frontier whose bound, of those that hold together, is enough."""
    if answer.certified is None:
        return None
    return next((plan for plan in answer if answer.certified.of(plan).at_least >= floor), None)


def methods(
    population: Population, shared: OneForAll, profile: Profile, seed: int, calibrating: Samples
) -> Iterator[tuple[str, Plan | None]]:
    """Yield the plan of each method and question for one record, halved by a seed."""
    together = tiercut.frontier(TOPOLOGY, profile, certify=CONFIDENCE, seed=seed, **ONE)
    for name, (rules, floor) in QUESTIONS.items():
        if profile is not population.profile and rules is EACH and seed >= EACH_ANEW:
            continue
        answer = tiercut.solve(TOPOLOGY, profile, min_accuracy=floor, certify=CONFIDENCE, seed=seed, **rules)
        yield f"certified; {name}", answer.best if answer.plans else None
        yield f"half; {name}", None if answer.certified is None else answer.certified.uncertified
        if rules is ONE:
            yield f"Bonferroni; {name}", bonferroni(together, floor)
            for bound, p_value in (("betting", betting), ("Hoeffding-Bentkus", hoeffding_bentkus)):
                yield f"{bound}; {name}", shared.chosen(calibrating, floor, p_value)
        if profile is not population.profile:
            yield f"whole; {name}", tiercut.solve(TOPOLOGY, profile, min_accuracy=floor, **rules).best


def halved(population: Population, shared: OneForAll, draw: int) -> Row:
    """Halve the recorded profile split anew."""
    rows = np.random.default_rng(draw).permutation(len(population.record.entropy))
    calibrating = part(population.record, rows[len(rows) // 2 :])
    found = methods(population, shared, population.profile, draw, calibrating)
    return {name: population.of(plan) for name, plan in found}


def anew(population: Population, shared: OneForAll, draw: int) -> Row:
    """Draw a record of its own from the population, with replacement, and halve it."""
    count = len(population.samples.entropy)
    samples = part(population.samples, np.random.default_rng([1, draw]).integers(0, count, count))
    with tempfile.TemporaryDirectory() as folder:
        profile = recorded_by(population.profile, samples, Path(folder))
        found = list(methods(population, shared, profile, draw, samples))
    return {name: population.of(plan) for name, plan in found}


def part(samples: Samples, rows: np.ndarray[Any, Any]) -> Samples:
    return Samples(samples.entropy[rows], samples.correct[rows])


def recorded_by(profile: Profile, samples: Samples, folder: Path) -> Profile:
    """Return the profile that would have been recorded with other samples, which lie in a folder."""
    assert profile.exits is not None
    said = tiercut.save_samples(samples, folder / "record.npz")
    exits = profile.exits.model_copy(update=tiercut.exits_record(samples, profile.exits.thresholds))
    changed = {"samples": len(samples.entropy), "exits": exits, "samples_file": "record.npz", "samples_sha256": said}
    return profile.model_copy(update=changed).found_in(folder)


TABLES: dict[str, Callable[[Population, OneForAll, int], Row]] = {"halved": halved, "anew": anew}


def draw_all(draws: int) -> dict[str, Any]:
    """Return all draws, those done before from the file."""
    path = HERE / "results.json"
    results = unpacked(json.loads(path.read_text())) if path.exists() else {name: [] for name in TABLES}
    population = Population()
    shared = OneForAll(population)
    for name, draw in TABLES.items():
        rows = results[name]
        while len(rows) < draws:
            rows.append(draw(population, shared, len(rows)))
            if len(rows) % SAVED_EVERY == 0 or len(rows) == draws:
                path.write_text(json.dumps(packed(results), separators=(",", ":")))
                print(f"{name}: {len(rows)} of {draws} draws", flush=True)
    results["reference"] = {
        name: population.of(tiercut.solve(TOPOLOGY, PROFILE, min_accuracy=floor, **rules).best)
        for name, (rules, floor) in QUESTIONS.items()
    }
    results["population"] = len(population.samples.entropy)
    path.write_text(json.dumps(packed(results), separators=(",", ":")))
    return results


def packed(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return results with each plan's figures once: draws name them by their place; null: no plan, -1: not asked."""
    plans: dict[tuple[int, float] | None, int | None] = {None: None}
    found: dict[str, Any] = {name: results[name] for name in ("reference", "population") if name in results}
    for table in TABLES:
        names = dict.fromkeys(name for row in results[table] for name in row)
        for row in results[table]:
            for plan in row.values():
                plans.setdefault(None if plan is None else (plan[0], plan[1]), len(plans) - 1)
        found[table] = {
            name: [plans[row[name] and tuple(row[name])] if name in row else -1 for row in results[table]]
            for name in names
        }
    return found | {"plans": [each for each in plans if each is not None]}


def unpacked(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `packed` was given."""
    found: dict[str, Any] = {name: data[name] for name in ("reference", "population") if name in data}
    for table in TABLES:
        count = max(map(len, data[table].values()), default=0)
        found[table] = [
            {
                name: None if places[draw] is None else data["plans"][places[draw]]
                for name, places in data[table].items()
                if places[draw] != -1
            }
            for draw in range(count)
        ]
    return found


TITLES = {
    "halved": "The recorded profile split, halved anew each time",
    "anew": "Records of 6,000 drawn anew from the population",
}
CALLED = {
    "whole": "uncertified, by all 6,000",
    "half": "uncertified, by the 3,000 that choose",
    "certified": "**certified** (fixed sequence)",
    "Bonferroni": "Bonferroni",
    "betting": "one threshold shared by all exits, betting",
    "Hoeffding-Bentkus": "the same, Hoeffding-Bentkus",
}


def tables(results: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of both tables."""
    for table in TABLES:
        yield f"\n### {TITLES[table]}\n"
        yield "| question | how the plan is chosen | draws | no plan | bound holds | latency: mean ratio | median |"
        yield "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
        for question, (_, floor) in QUESTIONS.items():
            least = floor * results["population"] - 1e-6
            rows = [row for row in results[table] if f"certified; {question}" in row]
            for method, called in CALLED.items():
                name = f"{method}; {question}"
                if name not in rows[0]:
                    continue
                yield f"| {question} | {called} | {row_text(rows, name, least, reference(results, table, question))} |"


def reference(results: Mapping[str, Any], table: str, question: str) -> list[float]:
    """Return the latency of the uncertified plan by 6,000 samples, for each draw."""
    rows = results[table]
    if table == "halved":
        return [results["reference"][question][1]] * len(rows)
    return [row[f"whole; {question}"][1] for row in rows if f"whole; {question}" in row]


def row_text(rows: Sequence[Row], name: str, least: float, beside: Sequence[float]) -> str:
    found = [(row[name], other) for row, other in zip(rows, beside, strict=True)]
    plans = [(plan, other) for plan, other in found if plan is not None]
    holds = sum(plan[0] >= least for plan, _ in plans)
    missing = len(found) - len(plans)
    share = (holds + missing) / len(found)  # where nothing is promised, nothing is broken
    ratios = np.array([plan[1] / other for plan, other in plans])
    figures = f"{ratios.mean():.3f} | {np.median(ratios):.3f}" if len(ratios) else "- | -"
    return f"{len(found):,} | {missing / len(found):.1%} | {share:.1%} | {figures}"


def picture(results: Mapping[str, Any], question: str) -> None:
    """Draw how the accuracies on the population are spread, by how the plan was chosen."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    floor = QUESTIONS[question][1]
    for method in ("whole", "certified", "Bonferroni", "betting"):
        plans = [row[f"{method}; {question}"] for row in results["anew"]]
        known = np.sort([100 * plan[0] / results["population"] for plan in plans if plan is not None])
        axes.step(
            known, np.arange(1, len(known) + 1) / len(known), where="post", label=CALLED[method].replace("**", "")
        )
    axes.axvline(100 * floor, color="black", linestyle=":", label="accuracy asked for")
    axes.axhline(1 - CONFIDENCE, color="grey", linewidth=0.8)
    axes.annotate(
        "5 %", (0.995, 1 - CONFIDENCE), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8
    )
    axes.set(xlabel="accuracy on the population, %", ylabel="share of draws that are no more accurate", ylim=(0, 1))
    figure.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=2)
    axes.set_title(f"{question}: records of 6,000 drawn anew", fontsize=10)
    figure.savefig(HERE / "accuracies.png", dpi=150)


def report(results: Mapping[str, Any]) -> str:
    """Return both tables, as README.md has them."""
    draws = len(results["anew"])
    error = 2 * sqrt(CONFIDENCE * (1 - CONFIDENCE) / draws)
    return "\n".join((*tables(results), f"\ntwo standard errors of 95 % in {draws:,} draws: {100 * error:.1f} points"))


def main() -> None:
    """Draw, print and picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--show", action="store_true", help="Print and draw what is in results.json.")
    said = parser.parse_args()
    results = unpacked(json.loads((HERE / "results.json").read_text())) if said.show else draw_all(said.draws)
    print(report(results))
    picture(results, "one threshold, 86 %")


if __name__ == "__main__":
    main()
