"""Streams through plans of a topology: the model's latencies one frame at a time, what is counted, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.made import both, exits_data, one, profile_data, topology_data

import tiercut
from tiercut.analysis.stream.arguments import DONE
from tiercut.analysis.stream.question import TIMES
from tiercut.optimizer import itinerary, price
from tiercut.profiling.profile.schema import Profile
from tiercut.topologies.schema import Topology

IOT = ("iot", "resnet20-digits32")
PLAN: dict[str, Any] = {"partition": [5, 7, 9], "placement": ["micro", "local", "global"], "threshold": 0.45}


@pytest.fixture(scope="module")
def plan() -> tiercut.Plan:
    return tiercut.plan(*IOT, **PLAN)


def made(
    nodes: str | list[dict[str, Any]], links: list[dict[str, Any]], profile: dict[str, Any], **more: Any
) -> tuple[Topology, Profile]:
    return Topology.from_data(topology_data(nodes, links, **more)), Profile.from_data(profile)


def test_one_frame_at_a_time_takes_what_the_plan_says(plan: tiercut.Plan) -> None:
    stream = tiercut.simulate(*IOT, plan, rate="0.01 fps", frames=720)
    paths = itinerary(tiercut.problem(*IOT), plan.decision).path_seconds
    told = sorted({round(each, 9) for each in stream.latencies.seconds.tolist()})
    assert told == pytest.approx(sorted(paths), abs=1e-9)
    replayed = tiercut.replay(*IOT, plan)
    assert stream.latencies.mean_s == pytest.approx(replayed.mean_s, rel=1e-9)
    assert stream.accuracy == replayed.accuracy
    assert stream.exit_counts == {each.block: each.left for each in replayed.exits}
    assert stream.verdict == "stable"


def test_drawn_exits_come_to_the_expected_latency(plan: tiercut.Plan) -> None:
    stream = tiercut.simulate(*IOT, plan, rate="1 fps", frames=40_000, draw_exits=True)
    assert stream.latencies.mean_s == pytest.approx(plan.latency_s, rel=0.01)
    assert stream.accuracy == pytest.approx(plan.accuracy, abs=0.005)


CODED = profile_data(
    [0.01, 0.02, 0.03],
    [1000.0, 700.0, 300.0, 10.0],
    branch_s=[0.001, 0.002, 0.003],
    encode_s=[0.0005, 0.0007, 0.0009],
    decode_s=[0.0004, 0.0006, 0.0008],
    result_bytes=20,
    exits=exits_data([0.6, 0.7, 0.9], [0.3, 0.2, 0.5]),
    codecs={
        "half": {"bytes": [500, 350, 150], "encode_s": {"d": [0.03, 0.01, 0.02]}, "accuracy_drop": [0.05, 0.1, 0.2]}
    },
)
CHAIN = [both("a", "b", 0.1, 1e4), both("b", "c", 0.2, 2e4)]


@pytest.mark.parametrize("forwarding", ["store", "cut-through"])
@pytest.mark.parametrize("placement", [["b", "c"], ["c", "b"], ["a", "c"], ["c", "a"]])
@pytest.mark.parametrize("codecs", [None, ["half"]])
def test_paths_are_those_of_the_model(forwarding: str, placement: list[str], codecs: list[str] | None) -> None:
    pair = made("a b c", CHAIN, CODED, forwarding=forwarding, mtu="100 B")
    for exits in ([3], [1, 3], [2, 3], [1, 2, 3]):
        for threshold in [0.1] if len(exits) > 1 else [None]:
            how: dict[str, Any] = {"exits": exits, "threshold": threshold, "codecs": codecs}
            if codecs and placement[0] != "a":
                how["input_codec"] = "half"
            plan = tiercut.plan(*pair, partition=[2, 3], placement=placement, **how)
            stream = tiercut.simulate(*pair, plan, rate=0.01, frames=60, draw_exits=True)
            paths = itinerary(tiercut.problem(*pair), plan.decision).path_seconds
            blocks = stream.to_frame().groupby("exit")["latency_s"].agg(["min", "max"])
            for block, seconds in zip(plan.exits, paths, strict=True):
                if block in blocks.index:
                    # Under cut-through the formula takes full packets: at most one of them a link is 10 ms here.
                    slack = 0.03 if forwarding == "cut-through" else 1e-10
                    assert blocks.loc[block, "max"] == pytest.approx(seconds, abs=slack)
                    assert blocks.loc[block, "min"] == blocks.loc[block, "max"]


@pytest.mark.parametrize(("first", "entry"), [("a", None), ("b", "half")])
def test_accuracy_of_drawn_exits_loses_what_codecs_cost(first: str, entry: str | None) -> None:
    pair = made("a b c", CHAIN, CODED)
    plan = tiercut.plan(
        *pair, partition=[1, 3], placement=[first, "c"], threshold=0.1, codecs=["half"], input_codec=entry
    )
    stream = tiercut.simulate(*pair, plan, rate=0.5, frames=50_000)
    assert stream.accuracy == pytest.approx(plan.accuracy, abs=0.005)


def test_load_and_limit_are_those_of_the_expected_seconds(plan: tiercut.Plan) -> None:
    stream = tiercut.simulate(*IOT, plan, rate="40 fps", frames=720)
    busy = {each.server.name: each.load for each in stream.servers}
    replayed = tiercut.replay(*IOT, plan).replayed
    stage, device = replayed.stages[1], next(iter(tiercut.load_profile(IOT[1]).devices.values()))
    node = next(each for each in tiercut.load_topology(IOT[0]).nodes if each.name == "local")
    assert device.encode_s is not None
    assert device.decode_s is not None
    coding = stage.reach * (device.decode_s[5] or 0) + (stage.reach - stage.exit_rate) * (device.encode_s[7] or 0)
    assert busy["local"] == pytest.approx(40 * (stage.reach * stage.compute_s + node.slowdown * coding), rel=1e-9)
    assert stream.sustainable_rate == pytest.approx(40 / max(each or 0 for each in busy.values()))
    assert [each.utilisation for each in stream.servers] == pytest.approx(list(busy.values()), rel=0.02)


def test_the_queue_grows_from_the_limit_on(plan: tiercut.Plan) -> None:
    limit = tiercut.simulate(*IOT, plan, rate=1, frames=1).sustainable_rate
    assert limit is not None
    below, above = (tiercut.simulate(*IOT, plan, rate=share * limit, frames=20_000) for share in (0.99, 1.01))
    assert (below.verdict, above.verdict) == ("stable", "overloaded")
    early, late = (np.mean(each) for each in np.split(above.latencies.seconds, [10_000]))
    assert late > 2 * early
    early, late = (np.mean(each) for each in np.split(below.latencies.seconds, [10_000]))
    assert late == pytest.approx(early, rel=0.05)


def test_a_queue_that_does_not_empty_though_the_load_is_low_is_a_backlog(tmp_path: Path) -> None:
    pair = made("a", [], profile_data([1.0], [0.0, 0.0]))
    plan = tiercut.plan(*pair, partition=[1], placement=["a"])
    trace = tmp_path / "trace.txt"
    trace.write_text("\n".join(["0"] * 50 + [str(k) for k in range(1, 40)] + ["100"]))
    assert tiercut.simulate(*pair, plan, arrivals=trace).verdict == "stable"
    trace.write_text("\n".join(["0"] * 50 + [str(k) for k in range(1, 60, 2)]))
    assert tiercut.simulate(*pair, plan, arrivals=trace).verdict == "overloaded"
    trace.write_text("\n".join(["0"] * 20 + [str(2 * k) for k in range(1, 9)] + [str(k) for k in range(30, 100, 2)]))
    assert tiercut.simulate(*pair, plan, arrivals=trace).verdict == "stable"
    trace.write_text("\n".join(["0"] + ["40"] * 30 + [str(40 + 1.6 * k) for k in range(1, 32)]))
    assert tiercut.simulate(*pair, plan, arrivals=trace).verdict == "backlogged"


def test_nodes_with_workers_and_half_duplex_links_have_their_servers() -> None:
    nodes = [{"name": "a"}, {"name": "b", "workers": 2}]
    links = [both("a", "b", 0.0, 1000.0, duplex="half")]
    pair = made(nodes, links, profile_data([1.0, 1.0], [100.0, 50.0, 0.0], result_bytes=100))
    plan = tiercut.plan(*pair, partition=[2], placement=["b"])
    stream = tiercut.simulate(*pair, plan, rate=1, frames=100)
    assert {each.server.name: each.load for each in stream.servers} == pytest.approx({"b": 1.0, "a-b": 0.2})
    one_way = [one("a", "b", 0.0, 1000.0), one("b", "a", 0.0, 1000.0)]
    plain = made(nodes, one_way, profile_data([1.0, 1.0], [100.0, 50.0, 0.0], result_bytes=100))
    names = [each.server.name for each in tiercut.simulate(*plain, plan, rate=1, frames=100).servers]
    assert names == ["b", "a>b", "b>a"]


def test_changed_links_keep_their_duplex_and_nodes_their_batches() -> None:
    nodes = [{"name": "a"}, {"name": "b", "workers": 2, "batch": 4, "batch_wait": "5 ms"}]
    topology = Topology.from_data(topology_data(nodes, [both("a", "b", 0.0, 1000.0, duplex="half")]))
    changed = topology.with_changes(bandwidth={"a>b": 500.0})
    assert [link.duplex for link in changed.links] == ["half", "half"]
    assert (changed.nodes[1].workers, changed.nodes[1].batch, changed.nodes[1].batch_wait) == (2, 4, 0.005)


def test_sources_share_machines_and_batches() -> None:
    nodes = [{"name": "cam1"}, {"name": "cam2"}, {"name": "edge", "batch": 2, "batch_wait": "100 ms"}]
    links = [both("cam1", "edge", 0.0, 1e6), both("cam2", "edge", 0.0, 1e6)]
    pair = made(nodes, links, profile_data([0.1], [1e4, 0.0]))
    plan = tiercut.plan(*pair, partition=[1], placement=["edge"])
    stream = tiercut.simulate(*pair, [plan, plan], rate=["2 fps", "1 fps"], frames=2, sources=["cam1", "cam2"])
    # Both frames that are born at 0 arrive after 10 ms and make a batch; the others wait in vain.
    assert stream.to_frame()["latency_s"].tolist() == pytest.approx([0.21, 0.21, 0.21, 0.21])
    alone = tiercut.simulate(*pair, plan, rate="2 fps", frames=2, source="cam1")
    assert alone.to_frame()["latency_s"].tolist() == pytest.approx([0.21, 0.21])
    data = stream.to_data()
    assert [each["source"] for each in data["sources"]] == ["cam1", "cam2"]
    assert sum(each["done"] for each in data["sources"]) == data["done"] == 4


def test_a_frame_that_finds_no_room_goes_home_with_its_last_answer() -> None:
    exits = exits_data([0.6, 0.9], [0.0, 1.0])
    links = [both("a", "b", 0.001, 1e6)]
    pair = made("a b", links, profile_data([0.001, 0.1], [0.0, 1000.0, 0.0], exits=exits, branch_s=[0.001, 0.001]))
    plan = tiercut.plan(*pair, partition=[1, 2], placement=["a", "b"], threshold=0.1)
    stream = tiercut.simulate(*pair, plan, rate=50, frames=500, queue=1, drop="exit")
    assert stream.done == 500
    assert stream.exit_counts[1] == stream.sent_home > 300
    dropped = tiercut.simulate(*pair, plan, rate=50, frames=500, queue=1)
    assert dropped.dropped == stream.sent_home
    refused = stream.to_frame()
    assert set(refused["refused_by"].dropna()) == {"b"}
    assert (refused["exit"] == 1).sum() == stream.sent_home
    assert stream.accuracy is None  # nobody knows how often they are right who would have gone on
    assert dropped.accuracy == pytest.approx(0.9)


def test_what_is_told_of_frames_adds_up(plan: tiercut.Plan, tmp_path: Path) -> None:
    for drop in ("newest", "oldest", "exit"):
        stream = tiercut.simulate(
            *IOT,
            plan,
            rate="150 fps",
            frames=3000,
            queue=1,
            drop=drop,
            until="8 s",
            arrivals="poisson",  # type: ignore[arg-type]
        )
        data = json.loads(stream.to_json())
        assert data["frames"] == data["done"] + data["dropped"] + data["in_flight"]
        assert data["dropped"] == sum(each["dropped"] for each in data["servers"]) > 0
        assert 0 < data["in_flight"] < 20
        assert data["total_s"] == 8
        assert all(0 <= each["utilisation"] <= 1 for each in data["servers"])
        frame = stream.to_frame()
        assert frame["status"].value_counts().to_dict() == {
            "done": data["done"],
            "dropped": data["dropped"],
            "in flight": data["in_flight"],
        }
        assert frame["latency_s"].mean() == pytest.approx(data["latency_s"]["mean"])
        assert sum(data["exit_rate"].values()) == pytest.approx(1)


def test_every_frame_goes_into_a_parquet_file(plan: tiercut.Plan, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra 'test'")
    import pandas as pd

    stream = tiercut.simulate(*IOT, plan, rate="150 fps", frames=200, queue=0)
    stream.to_parquet(tmp_path / "frames.parquet")
    read = pd.read_parquet(tmp_path / "frames.parquet")
    assert read["status"].tolist() == stream.to_frame()["status"].tolist()
    assert read["latency_s"].sum() == stream.to_frame()["latency_s"].sum()
    assert str(read["exit"].dtype) in ("Int64", "float64")


def test_quantiles_need_frames(plan: tiercut.Plan) -> None:
    few, many = (tiercut.simulate(*IOT, plan, rate=10, frames=count) for count in (661, 662))
    assert few.latencies.quantiles["p99"] is None
    assert few.to_data()["frames_needed"] == {"p99": 662}
    assert many.latencies.quantiles["p99"] is not None
    with pytest.raises(tiercut.QuestionError, match="needs 662 frames that are done, and there are 661"):
        few.latencies.quantile(0.99)


TIMED = profile_data([1.0, 2.0], [0.0, 0.0, 0.0])
TIMED["devices"]["d"] |= {"block_mean_s": [0.5, 1.0], "block_p50_s": [0.4, 0.8], "block_p99_s": [1.0, 2.0]}


def test_times_are_those_recorded_their_means_or_drawn() -> None:
    pair = made("a", [], TIMED)
    plan = tiercut.plan(*pair, partition=[2], placement=["a"])
    asked: dict[str, Any] = {"rate": 0.05, "frames": 40_000}
    by = {each: tiercut.simulate(*pair, plan, times=each, **asked) for each in TIMES}
    assert set(by["block"].latencies.seconds) == {3.0}
    assert set(by["mean"].latencies.seconds) == {1.5}
    drawn = by["drawn"].latencies
    assert drawn.quantile(0.5) == pytest.approx(1.2, rel=0.02)
    assert drawn.quantile(0.99) == pytest.approx(3.0, rel=0.05)
    assert by["drawn"].sustainable_rate == pytest.approx(1 / (drawn.mean_s or 0), rel=0.01)


def test_times_cannot_be_drawn_where_quantiles_are_not_recorded() -> None:
    pair = made("a", [], profile_data([1.0], [0.0, 0.0]))
    plan = tiercut.plan(*pair, partition=[1], placement=["a"])
    with pytest.raises(tiercut.QuestionError, match="device 'd' of profile 'made' has no 'block_p50_s'"):
        tiercut.simulate(*pair, plan, rate=1, times="drawn")


def test_the_same_seed_gives_the_same_stream(plan: tiercut.Plan) -> None:
    asked: dict[str, Any] = {"rate": 100, "frames": 500, "arrivals": "poisson", "draw_exits": True}
    first, again, other = (tiercut.simulate(*IOT, plan, seed=seed, **asked) for seed in (1, 1, 2))
    assert first.to_json() == again.to_json() != other.to_json()


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"rate": 0}, "rate is a number greater than 0, not 0"),
    ({"rate": float("nan")}, "rate is a number greater than 0, not nan"),
    ({"rate": "30"}, "rate: expected a rate with its unit, such as '30 fps'"),
    ({"rate": "0 fps"}, "rate: a rate must be greater than 0"),
    ({}, "periodic arrivals need a rate"),
    ({"rate": [1, 2]}, "rate is given 2 times for 1 plans"),
    ({"rate": 1, "queue": -1}, "a queue holds 0 or more waiting frames, not -1"),
    ({"rate": 1, "drop": "all"}, "drop is newest, oldest, exit, not 'all'"),
    ({"rate": 1, "times": "p50"}, "times is block, mean, drawn, not 'p50'"),
    ({"rate": 1, "frames": 0}, "frames is 1 or more"),
    ({"rate": 1, "frames": 10**9 * 100}, "memory|frames is 1 or more"),
    ({"rate": 1e-9}, "the time between two frames|a stream of"),
    ({"rate": 1, "until": -1.0}, "until is a number greater than 0, not -1"),
    ({"rate": 1, "seed": -1}, "a seed is 0 or more"),
    ({"rate": 1, "sources": ["nowhere"]}, "nowhere"),
]


@pytest.mark.parametrize(("asked", "message"), WRONG, ids=[str(each[0]) for each in WRONG])
def test_what_cannot_be_simulated_is_refused(plan: tiercut.Plan, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(tiercut.QuestionError, match=message):
        tiercut.simulate(*IOT, plan, **asked)


TRACES = [
    ("0\n0.2\n0.1\n", r":3: 0.1 s comes before the time on the line above"),
    ("0\nnan\n", r":2: expected a time of birth in seconds, 0 or more, got 'nan'"),
    ("-1\n", r":1: expected a time of birth"),
    ("# nothing\n\n", "there is no time of birth in it"),
    ("1e30\n", r":1: the trace takes 1e\+30 s"),
]


@pytest.mark.parametrize(("text", "message"), TRACES)
def test_a_trace_that_is_none_is_refused_with_its_line(
    plan: tiercut.Plan, tmp_path: Path, text: str, message: str
) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text(text, encoding="utf-8")
    with pytest.raises(tiercut.InputError, match=message):
        tiercut.simulate(*IOT, plan, arrivals=trace)


def test_a_trace_says_when_frames_are_born(plan: tiercut.Plan, tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text("# camera\n0.5\n\n0.5 # twice\n1.25\n", encoding="utf-8")
    assert tiercut.simulate(*IOT, plan, arrivals=trace).to_frame()["born_s"].tolist() == [0.5, 0.5, 1.25]
    assert tiercut.simulate(*IOT, plan, arrivals=trace, frames=2).born == 2
    with pytest.raises(tiercut.QuestionError, match="has 3 frames, and 4 were asked for"):
        tiercut.simulate(*IOT, plan, arrivals=trace, frames=4)
    with pytest.raises(tiercut.QuestionError, match="says when frames are born, so leave --rate out"):
        tiercut.simulate(*IOT, plan, arrivals=trace, rate=3)


def test_estimators_say_who_leaves_where_exits_are_drawn(plan: tiercut.Plan) -> None:
    stream = tiercut.simulate(*IOT, plan, rate=10, frames=20_000, draw_exits=True, estimator="replay")
    tables = tiercut.problem(*IOT, estimator="replay")
    assert stream.accuracy == pytest.approx(price(tables, plan.decision).accuracy, abs=0.005)
    assert np.all(stream.status == DONE)
