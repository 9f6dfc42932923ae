"""Services one after the other: what each worker serves when, and the trace that Perfetto reads."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.made import both, profile_data, topology_data

import tiercut
from tiercut.analysis.stream.time_line import drops_of, slices_of

RECORDED = ("iot", "resnet20-digits32")


def stream(**asked: Any) -> tiercut.Stream:
    best = tiercut.solve(*RECORDED, min_accuracy=0.98).best
    return tiercut.simulate(*RECORDED, best, **{"rate": 150, "frames": 60, "queue": 1, "time_line": 30, **asked})


def two_workers(**asked: Any) -> tiercut.Stream:
    nodes = [{"name": "pi", "slowdown": 1.0}, {"name": "box", "workers": 2, **asked}]
    topology = tiercut.Topology.from_data(topology_data(nodes, [both("pi", "box", 1, 1e6)]))
    profile = tiercut.Profile.from_data(profile_data([1.0, 4.0], [1.0, 1.0, 0.0]))
    plan = tiercut.plan(topology, profile, partition=[1, 2], placement=["pi", "box"])
    return tiercut.simulate(topology, profile, plan, rate=0.45, frames=12, time_line=12)


@pytest.mark.parametrize("made", [stream, two_workers, lambda: two_workers(batch=2, batch_wait="3 s")])
def test_a_worker_serves_one_service_at_a_time_and_each_frame_goes_forward(made: Any) -> None:
    served, gone = defaultdict(set), defaultdict(list)
    for each in slices_of(made()):
        served[each.server, each.worker].add((each.began_s, each.ended_s))
        gone[each.source, each.frame].append(each)
    for spans in served.values():
        ordered = sorted(spans)
        assert all(before[1] <= after[0] for before, after in pairwise(ordered))
    for steps in gone.values():
        assert all(before.ended_s <= after.joined_s for before, after in pairwise(steps))
        assert all(each.joined_s <= each.began_s <= each.ended_s for each in steps)


def test_both_workers_of_a_node_are_used() -> None:
    found = two_workers()
    box = [server.name for server in found.layout.servers].index("box")
    assert {each.worker for each in slices_of(found) if each.server == box} == {0, 1}


def test_drops_among_the_first_frames_are_those_of_the_stream() -> None:
    found = stream()
    frame = found.to_frame()
    last = max(each.frame for each in slices_of(found))
    lost = frame[(frame["status"] == "dropped") & (frame["frame"] <= last)]
    assert len(lost) > 3
    assert [(each.frame, each.at_s) for each in drops_of(found)] == [*zip(lost["frame"], lost["ended_s"], strict=True)]


def test_the_trace_has_every_service_and_what_waits_ends_at_none(tmp_path: Path) -> None:
    found = stream()
    found.to_trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    services = [each for each in events if each["ph"] == "X"]
    kept = slices_of(found)
    assert [each["ts"] for each in services] == pytest.approx([1e6 * each.began_s for each in kept])
    assert [each["dur"] for each in services] == pytest.approx([1e6 * (each.ended_s - each.began_s) for each in kept])
    named = {(each["pid"], each["tid"]) for each in events if each["name"] == "thread_name"}
    assert {(each["pid"], each["tid"]) for each in services} <= named
    assert sum(each["ph"] == "i" for each in events) == len(drops_of(found))
    counts = {each["name"]: each["args"]["waiting"] for each in events if each["ph"] == "C"}
    assert counts
    assert set(counts.values()) == {0}
    assert all(each["args"]["waiting"] >= 0 for each in events if each["ph"] == "C")


def test_a_stream_that_kept_nothing_has_no_time_line(tmp_path: Path) -> None:
    with pytest.raises(tiercut.QuestionError, match="time_line=20 keeps those of the first 20 frames"):
        stream(time_line=0).to_trace(tmp_path / "trace.json")


def test_the_command_draws_and_writes_it(shell_call: Any, tmp_path: Path) -> None:
    plan = ("--partition", "5,7,9", "--placement", "micro,local,global", "--threshold", "0.45")
    files = tmp_path / "line.html", tmp_path / "trace.json"
    call = ("simulate", *RECORDED, *plan, "--rate", "90 fps", "--frames", "200", "--time-line", "5")
    status, _, err = shell_call(*call, "--plot", files[0], "--trace", files[1])
    assert status == 0, err
    assert (
        "backlogged" in files[0].read_text() or "stable" in files[0].read_text() or "overloaded" in files[0].read_text()
    )
    events = json.loads(files[1].read_text())["traceEvents"]
    assert {each["name"] for each in events if each["ph"] == "X"} == {f"frame {k}" for k in range(5)}
