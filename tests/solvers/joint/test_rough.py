"""Plans that a search begins with, of a few cuts and thresholds: they make it quicker, and prove nothing."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from support.made import both, exits_data, profile_data

import tiercut
from tiercut.analysis import JointAnswer
from tiercut.analysis.sources import asking
from tiercut.analysis.sources.checked import check_joint
from tiercut.optimizer import make_space
from tiercut.solvers.joint import columns
from tiercut.solvers.joint.branches import thinned

BLOCKS = 14


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have small networks count as long ones."""
    monkeypatch.setattr(columns, "_CUTS", 4)
    monkeypatch.setattr(columns, "_THRESHOLDS", 3)


def ask(*rates: float, memory: str | None = None, **question: Any) -> JointAnswer:
    """Ask of cameras at one slow node that share a quicker one and a link."""
    rng = np.random.default_rng(4)
    nodes: list[dict[str, Any]] = [{"name": "cam", "slowdown": 8.0}, {"name": "box", "slowdown": 2.0}]
    if memory is not None:
        nodes[1]["memory"] = memory
    topology = {
        "format": "tiercut.topology/1",
        "name": "made",
        "nodes": nodes,
        "links": [both("cam", "box", 0.002, 4e6)],
        "sources": [
            {"name": f"s{place}", "node": "cam", "rate": f"{rate} fps", "min_accuracy": 0.6 + 0.1 * (place % 2)}
            for place, rate in enumerate(rates)
        ],
    }
    sizes = [150_000, *np.linspace(40_000, 2000, BLOCKS).astype(int).tolist()]
    alone = np.sort(rng.beta(0.8, 1.5, (9, BLOCKS)), axis=1)
    exits = exits_data(np.sort(rng.uniform(0.3, 0.95, BLOCKS)).tolist(), *np.sort(alone, axis=0).tolist(), alone=True)
    profile = profile_data(rng.uniform(4e-4, 8e-3, BLOCKS).tolist(), sizes, exits=exits)
    for block in profile["blocks"]:
        block["parameter_bytes"] = int(rng.integers(1, 100)) * 1000
    loaded = tiercut.Topology.from_data(topology), tiercut.Profile.from_data(profile)
    return tiercut.solve_sources(*loaded, estimator="marginal", workers=1, **question)


@pytest.mark.parametrize(("memory", "rates"), [(None, (4.0, 5.0, 4.0, 5.0)), ("1200 kB", (3.0, 4.0, 3.0, 4.0))])
def test_the_answer_is_the_same_without_rough_plans(
    memory: str | None, rates: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = ask(*rates, memory=memory)
    check_joint(answer.sources, answer.loads, answer.memory)
    monkeypatch.setattr(columns.Pricers, "rough", None)
    plain = ask(*rates, memory=memory)
    assert answer.status == plain.status == "optimal"
    assert answer.outcome.value == pytest.approx(plain.outcome.value, rel=1e-8)


def test_what_is_found_is_priced_again_though_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    solve = asking.solve_jointly

    def late(*given: Any) -> Any:
        found = solve(*given)
        time.sleep(1.2)
        return found

    monkeypatch.setattr(asking, "solve_jointly", late)
    answer = ask(1.0, 1.0, time_limit=1.0)  # routes are not looked for once the time is up
    assert answer.plans
    assert all(load.utilisation < 1.0 + 1e-9 for load in answer.loads)


def test_a_thinned_space_has_about_so_many_cuts_and_thresholds_of_the_whole() -> None:
    space = ask(1.0).sources[0].space
    few = thinned(space, 5, 4)
    assert np.flatnonzero(few.can_cut).tolist() == [2, 5, 8, 11]
    assert len(few.threshold_indices) == 4
    assert set(few.threshold_indices) <= set(space.threshold_indices)
    assert few.stay.shape[1] == 4
    final = make_space(space.problem, exits="final")
    assert np.flatnonzero(thinned(final, 5, 4).can_end).tolist() == [BLOCKS - 1]
