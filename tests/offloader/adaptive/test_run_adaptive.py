"""A run that follows conditions for real: a link that drops and recovers, and a node that is killed and returns."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

import tiercut
from tiercut.analysis import Policy, sensitivity
from tiercut.offloader import Run, RunOptions
from tiercut.offloader.adaptive.run import run_adaptive
from tiercut.offloader.disturbed.player import Site
from tiercut.offloader.links.clock import LinkClock
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


def disturbed(
    script: list[tuple[float, str]], topology: Topology, profile: Profile, cut: CutNetwork, data: Path, policy: Policy
) -> Run:
    """Run for 20 seconds, with a link paced (a number) or an agent killed or started again at some of them."""
    ended = threading.Event()

    def play(site: Site) -> None:
        begun, clock = time.monotonic(), LinkClock(site.links)
        for at_s, what in script:
            if ended.wait(max(begun + at_s - time.monotonic(), 0.0)):
                break
            if what == "kill":
                os.kill(site.agents["gateway"].pid, signal.SIGKILL)
            elif what == "again":
                site.again("gateway")
            else:
                for direction in (0, 1):
                    clock.set_pace(direction, float(what))
        clock.close()

    players: list[threading.Thread] = []

    def started(site: Site) -> None:
        players.append(threading.Thread(target=play, args=(site,), daemon=True))
        players[0].start()

    plan = policy.plans[0]
    options = RunOptions(frames=round(20 / APART_S), interval_s=APART_S, deadline_s=5.0)
    try:
        return run_adaptive(plan, topology, profile, cut, data, policy, options, started=started)
    finally:
        ended.set()
        players[0].join()


@pytest.mark.parametrize(
    "script", [[(5.0, "0.1"), (10.0, "1.0")], [(5.0, "kill"), (9.0, "again")]], ids=["a link drops", "a node dies"]
)
def test_no_frame_is_lost_and_it_comes_back(
    script: list[tuple[float, str]],
    topology: Topology,
    profile: Profile,
    cut: CutNetwork,
    data: Path,
    policy: Policy,
) -> None:
    run = disturbed(script, topology, profile, cut, data, policy)
    assert run.failures == ()
    assert run.answered == run.frames
    assert run.duplicated == 0
    assert run.same_as_uncut == run.frames
    ways = [(each.before.placement[0], each.after.placement[0]) for each in run.moves]
    assert ways == [("gateway", "camera"), ("camera", "gateway")]
    for each, (at_s, _) in zip(run.moves, script, strict=True):
        assert at_s - 0.1 < each.at_s < at_s + 9.5  # the script begins shortly before the first frame is due
        assert each.switch_s < 0.05
        assert each.gap_s is not None
        longer_s = max(each.after.latency_s - each.before.latency_s, 0.0)
        assert each.gap_s < 2 * APART_S + longer_s + 0.02
    assert min(each.deciding_s for each in run.moves) < 1e-3  # the other one may be held up where much else runs
    assert "moves" in "".join(str(part.title) for part in run_tables(run) if hasattr(part, "title"))
    assert sum(run.frames_by_plan.values()) == run.frames
    assert set(run.to_data()["adaptation"]) == {"moves", "frames_by_plan", "sent_again"}
