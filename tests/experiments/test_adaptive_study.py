"""The study of eight networks: what it runs under each condition, and what its tables say of what it measured."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from support.checkout import ROOT

import tiercut

OWN = ("networks", "study", "report", "run")
"""Files of this study; others have some of these names too."""


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(ROOT / "experiments" / "adaptive"))
    for name in OWN:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module("study")
    for name in OWN:
        sys.modules.pop(name, None)


@pytest.fixture
def profile() -> tiercut.Profile:
    """Return a chain of six blocks whose outputs get smaller, with curves of both loads."""
    sizes = [400_000, 200_000, 100_000, 60_000, 20_000, 4_000]
    curve = {"levels": [0, 0.45, 0.67], "factor": [1, 1.7, 2.2]}
    times = {"block_s": [0.004] * 6, "stress_curve": {"cpu": curve, "memory": curve}}
    data = {"format": "tiercut.profile/1", "model": "chain", "input_bytes": 150_528, "devices": {"here": times}}
    blocks = [{"name": f"b{place}", "output_bytes": size} for place, size in enumerate(sizes)]
    return tiercut.Profile.from_data(data | {"blocks": blocks})


def test_what_runs_is_the_five_best_the_best_of_the_baseline_and_both_machines_alone(
    study: Any, profile: tiercut.Profile
) -> None:
    found = study.planned(profile)
    assert len(found) == 10
    baseline = found[study.Condition(0, 0, 50)][0].plan
    for condition, plans in found.items():
        predicted = [each.predicted_s for each in plans]
        assert predicted[:5] == sorted(predicted[:5])
        best = tiercut.solve(study.topology(), profile, condition=condition.named).best
        assert predicted[0] == min(predicted) == pytest.approx(best.latency_s, rel=1e-12)
        ways = [(each.plan.partition, each.plan.placement) for each in plans]
        assert len(set(ways)) == len(ways) <= 8
        assert {((6,), ("edge",)), ((6,), ("cloud",)), (baseline.partition, baseline.placement)} <= set(ways)


def line(mbps: int, *plans: tuple[int | None, float, list[float]]) -> dict[str, Any]:
    """Return a line of results: for each plan where it is cut (None: all on the edge), predicted, and measured."""
    told = [
        {
            "partition": [6] if cut is None else [cut, 6],
            "placement": ["edge"] if cut is None else ["edge", "cloud"],
            "predicted_s": predicted_s,
            "latency_s": latency_s,
        }
        for cut, predicted_s, latency_s in plans
    ]
    curve = {kind: {"0.0": 1.0, "0.45": 1.7, "0.67": 2.2} for kind in ("cpu", "memory")}
    known = {"network": "VGG16", "cpu": 0, "memory": 0, "load_before": 0.5, "blocks": 6, "whole_s": 0.02}
    return {**known, "mbps": mbps, "curve": curve, "plans": told}


def test_regret_is_what_the_predicted_plan_takes_longer_than_the_best_that_ran(study: Any) -> None:
    del study
    report = importlib.import_module("report")
    first = line(50, (3, 0.10, [0.10, 0.11, 0.12]), (None, 0.12, [0.2, 0.2, 0.2]))
    other = line(10, (None, 0.12, [0.15, 0.15, 0.9]), (3, 0.20, [0.12, 0.12, 0.12]))
    same, missed = map(report.case_of, (first, other))
    assert (same.first, same.best, same.regret) == (0, 0, 0.0)
    assert (missed.cuts[missed.first], missed.cuts[missed.best]) == ("edge", "3")
    assert missed.regret == pytest.approx(0.25)
    # At 10 Mb/s the baseline's plan is the best after all: moving away from it loses a quarter.
    assert report.gains([same, missed], [same, missed]) == ([pytest.approx(-0.25)], [0.0])
    text = "\n".join(report.report([first, other]))
    assert "| VGG16 | 2 | 1 | 1 | 25.0% | 25.0% |" in text
    assert "edge > 3 (25%)" in text
