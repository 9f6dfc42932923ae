"""A run that follows conditions for real: a link that drops and recovers, and a node that is killed and returns."""

from __future__ import annotations

from pathlib import Path

import pytest

import tiercut
from tiercut.analysis import Policy, sensitivity
from tiercut.cli.commands.run.adapting import solver_of
from tiercut.offloader import Run, RunOptions, Solver, load_disturbances, moments_of
from tiercut.offloader.adaptive.run import run_adaptive
from tiercut.optimizer import Plan
from tiercut.profiling import CutNetwork, Profile
from tiercut.report import run_tables
from tiercut.topologies import Topology

pytest.importorskip("grpc", reason="needs the extra 'offload'")
pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")

pytestmark = pytest.mark.slow

APART_S = 0.06


@pytest.fixture(scope="module")
def topology() -> Topology:
    """Return nodes and links where a gateway pays as long as its link is good."""
    return tiercut.load_topology("three-tiers").with_changes(
        latency={"camera-gateway": 0.001, "gateway-cloud": 0.002},
        bandwidth={"camera-gateway": 1e6, "gateway-cloud": 1e6},
        slowdown={"camera": 90, "gateway": 8, "cloud": 4},
    )


@pytest.fixture(scope="module")
def policy(topology: Topology, profile: Profile) -> Policy:
    grid = {
        "bandwidth(camera-gateway)": ["8 Mb/s", "0.8 Mb/s"],
        "slowdown(gateway)": [8, 40],
        "down": ["gateway"],
    }
    return sensitivity(topology, profile, grid, min_accuracy=0.95).policy()


DROPS = """
  - {at: 5 s, conditions: {bandwidth(camera-gateway): 0.8 Mb/s}}
  - {at: 10 s, conditions: {bandwidth(camera-gateway): 8 Mb/s}}
"""
DIES = """
  - {at: 5 s, conditions: {down: [gateway]}}
  - {at: 8 s, conditions: {down: []}}
"""


CUT = """
  - {at: 5 s, conditions: {down: [camera-gateway]}}
  - {at: 8 s, conditions: {down: []}}
"""


def disturbed(
    steps: str,
    topology: Topology,
    profile: Profile,
    cut: CutNetwork,
    data: Path,
    policy: Policy | Solver,
    first: Plan,
    folder: Path,
    **how: bool,
) -> Run:
    """Run for 20 seconds, with a link or a node that changes."""
    path = folder / "disturb.yaml"
    path.write_text(f"format: tiercut.disturbances/1\ndisturbances:{steps}", encoding="utf-8")
    moments = moments_of(load_disturbances(path), topology, profile)
    options = RunOptions(frames=round(20 / APART_S), interval_s=APART_S, deadline_s=5.0, moments=moments)
    return run_adaptive(first, topology, profile, cut, data, policy, options, **how)


def check(run: Run) -> None:
    """Make sure that every frame was answered, and that the run left the gateway, and came back to it."""
    assert run.failures == ()
    assert run.answered == run.frames
    assert run.duplicated == 0
    assert run.same_as_uncut == run.frames
    ways = [(each.before.placement[0], each.after.placement[0]) for each in run.moves]
    assert ways == [("gateway", "camera"), ("camera", "gateway")], run.moves
    assert sum(run.frames_by_plan.values()) == run.frames
    assert "moves" in "".join(str(part.title) for part in run_tables(run) if hasattr(part, "title"))
    for each in run.moves:
        assert each.switch_s < 0.05
        assert each.gap_s is not None
        longer_s = max(each.after.latency_s - each.before.latency_s, 0.0)
        assert each.gap_s < 2 * APART_S + longer_s + 0.02, each
    assert min(each.deciding_s for each in run.moves) < 1e-3  # the other one may be held up where much else runs


@pytest.mark.parametrize("asks", [False, True], ids=["a policy", "a solver"])
@pytest.mark.parametrize("steps", [DROPS, DIES], ids=["a link drops", "a node dies"])
def test_no_frame_is_lost_and_it_comes_back(
    steps: str,
    asks: bool,
    topology: Topology,
    profile: Profile,
    cut: CutNetwork,
    data: Path,
    policy: Policy,
    tmp_path: Path,
) -> None:
    first = policy.plans[0]
    guide = solver_of(first, topology, profile) if asks else policy
    run = disturbed(steps, topology, profile, cut, data, guide, first, tmp_path)
    check(run)
    there = [each.done_s for each in run.disturbances if each.done_s is not None]
    for move, at_s in zip(run.moves, (min(there), max(there)), strict=True):
        assert at_s - 0.1 < move.at_s < at_s + 9.5
    said = {"moves", "frames_by_plan", "sent_again"}
    assert set(run.to_data()["adaptation"]) == (said | {"asked"} if asks else said)
    if asks:
        assert sum(each.at_s < 0 for each in run.asked) == 10  # now, two links twice, three nodes, and two that may die
        assert len(run.asked) > 10
        assert min(each.took_s for each in run.asked if each.proved) < 0.01


@pytest.mark.parametrize("asks", [False, True], ids=["a policy", "a solver"])
def test_a_link_that_is_cut_costs_no_frame_and_is_used_again_soon_after_it_is_back(
    asks: bool, topology: Topology, profile: Profile, cut: CutNetwork, data: Path, policy: Policy, tmp_path: Path
) -> None:
    first = policy.plans[0]
    guide = solver_of(first, topology, profile) if asks else policy
    run = disturbed(CUT, topology, profile, cut, data, guide, first, tmp_path)
    assert run.failures == ()
    assert run.answered == run.same_as_uncut == run.frames
    left, back = run.moves[0], run.moves[-1]
    assert left.why.startswith("nothing came back for ")
    assert 5.0 < left.at_s < 5.5
    assert 8.0 < back.at_s < 11.0
    assert back.after.placement == ("gateway",)
    assert run.sent_again >= 1


@pytest.mark.parametrize("steps", [DROPS, DIES], ids=["a link drops", "a node dies"])
def test_who_foresees_moves_when_it_is_time(
    steps: str, topology: Topology, profile: Profile, cut: CutNetwork, data: Path, policy: Policy, tmp_path: Path
) -> None:
    first = policy.plans[0]
    solver = solver_of(first, topology, profile)
    run = disturbed(steps, topology, profile, cut, data, solver, first, tmp_path, foresees=True)
    check(run)
    assert 4.8 < run.moves[0].at_s <= 5.0
    back_s = max(each.done_s or 0.0 for each in run.disturbances)
    assert back_s - 0.1 < run.moves[1].at_s < back_s + 1.0
