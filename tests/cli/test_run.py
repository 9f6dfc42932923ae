"""``tiercut split``, ``agent`` and ``run`` as commands, and what they say of wrong calls."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiercut
from tiercut.cli.commands.run.run import _samples

pytest.importorskip("grpc", reason="needs the extra 'offload'")
pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")

NAME = "digits-onnx"


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("answer") / "plan.json"
    found = tiercut.solve("three-tiers", NAME, use_all_tiers=True, min_accuracy=0.978)
    path.write_text(found.to_json(), encoding="utf-8")
    return path


def test_a_plan_is_split_served_and_asked(shell_call: Any, answer: Path, tmp_path: Path) -> None:
    status, out, _ = shell_call("split", str(answer), NAME, str(tmp_path / "bundles"), "--json")
    assert status == 0
    said = json.loads(out)
    assert said["largest_difference"] < 1e-4
    last = Path(said["bundles"][-1])
    command = [sys.executable, "-m", "tiercut", "agent", str(last), "--listen", "127.0.0.1:0", "--threads", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stdout is not None
            address = serving.stdout.readline().removeprefix("listening on ").strip()
            from tiercut.offloader.protocol.channels import Peer
            from tiercut.offloader.protocol.messages import message

            peer = Peer(address, 1 << 20)
            assert peer.call("ServerReady", message("ServerReadyRequest"), 60.0).ready
            peer.close()
        finally:
            serving.send_signal(signal.SIGTERM)
            assert serving.wait(60) == 0


def test_a_run_of_several_sources_refuses_what_one_plan_takes(shell_call: Any, answer: Path, tmp_path: Path) -> None:
    joint, data = tmp_path / "joint.json", json.loads(answer.read_text(encoding="utf-8"))
    rows = [{**data["plans"][0], "rank": rank, "source": f"cam{rank}", "rate_fps": 3.0} for rank in (1, 2, 3)]
    joint.write_text(json.dumps({**data, "plans": rows}), encoding="utf-8")

    def refused(*words: str, file: Path = joint) -> str:
        status, out, err = shell_call("run", str(file), *words)
        assert (status, out) == (2, "")
        return " ".join(err.split())

    local = NAME, "--data", NAME, "--local"
    elsewhere = refused(NAME, "--data", NAME, "--agent", "camera=127.0.0.1:8001")
    assert "has plans of 3 sources that share machines" in elsewhere
    assert "with --local" in elsewhere
    said = refused(*local, "--fallback", "--rate", "3 fps")
    assert "leave out --rate, --fallback, which the run of one plan takes" in said
    assert "leave out --adapt" in refused(*local, "--adapt")
    assert "leave out --disturb" in refused(*local, "--disturb", "there-is-none.yaml")
    assert "MODEL is given 2 times for 3 sources" in refused(NAME, *local)
    assert "--data is given 2 times for 3 sources" in refused(*local, "--data", NAME)
    del rows[1]["rate_fps"]
    joint.write_text(json.dumps({**data, "plans": rows}), encoding="utf-8")
    assert "plans: some name a 'source' and its 'rate_fps', and others do not" in refused(*local)
    assert "MODEL is given 2 times; an answer for one source takes one" in refused(NAME, *local, file=answer)


@pytest.mark.slow
def test_an_answer_for_several_sources_is_run_whole(shell_call: Any, tmp_path: Path) -> None:
    site = {
        "format": "tiercut.topology/1",
        "name": "two-cameras",
        "nodes": [
            {"name": "left", "tier": "camera", "slowdown": 60},
            {"name": "right", "tier": "camera", "slowdown": 60},
            {"name": "box", "tier": "box", "slowdown": 20},
        ],
        "links": [{"between": [each, "box"], "bandwidth": "50 Mb/s", "latency": "2 ms"} for each in ("left", "right")],
        "sources": [{"node": "left", "rate": "8 fps"}, {"node": "right", "rate": "6 fps"}],
    }
    answer = tiercut.solve_sources(tiercut.Topology.from_data(site), NAME, min_accuracy=0.9)
    joint = tmp_path / "joint.json"
    joint.write_text(answer.to_json(), encoding="utf-8")
    words = "run", str(joint), NAME, "--data", NAME, "--local", "--retime", "--frames", "30"
    status, out, _ = shell_call(*words, "--json")
    assert status == 0
    said = json.loads(out)
    assert said["format"] == "tiercut.joint-run/1"
    assert [each["source"] for each in said["sources"]] == ["left", "right"]
    assert [each["run"]["answered"] for each in said["sources"]] == [30, 30]
    assert all(each["predicted_under_load"]["latency_s"]["mean"] > 0 for each in said["sources"])
    assert [each["node"] for each in said["shared"] if "node" in each] == ["box"]
    assert all(each["utilisation"] > 0 for each in said["shared"])
    status, out, _ = shell_call(*words)
    assert status == 0
    assert "latency: alone, predicted among all sources, and measured" in out
    assert out.count("30 of 30 as the uncut network") == 2


def test_the_whole_network_is_written_for_every_node(shell_call: Any, answer: Path, tmp_path: Path) -> None:
    status, out, err = shell_call("split", str(answer), NAME, str(tmp_path), "--whole")
    assert status == 0
    assert [line.split(":")[0] for line in out.splitlines()] == [
        str(tmp_path / each) for each in ("1-camera", "2-gateway", "3-cloud")
    ]
    assert "the whole network" in out
    assert "as the uncut network does" in err


def test_a_run_prints_one_object_and_writes_a_trace_and_a_picture(
    shell_call: Any, answer: Path, tmp_path: Path
) -> None:
    run = (
        "run",
        str(answer),
        NAME,
        "--data",
        NAME,
        "--local",
        "--retime",
        "--frames",
        "8",
        "--rate",
        "40 fps",
        "--deadline",
        "30 s",
    )
    trace, plot = tmp_path / "trace.json", tmp_path / "run.html"
    status, out, err = shell_call(*run, "--json", "--trace", trace, "--plot", plot)
    assert status == 0
    assert f"wrote {trace}" in err
    assert {"frame 0", "frame 7"} <= {each["name"] for each in json.loads(trace.read_text())["traceEvents"]}
    assert "8 answered, 0 failed" in plot.read_text(encoding="utf-8")
    data = json.loads(out)
    assert (data["format"], data["frames"], data["answered"]) == ("tiercut.run/1", 8, 8)
    assert data["same_as_uncut"] == 8


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--data", NAME], "say where the agents run: all on this machine (--local), or --agent NODE=HOST:PORT"),
        (["--data", NAME, "--local", "--results", "127.0.0.1:0"], "leave out --results"),
        (["--data", NAME, "--local", "--agent", "camera=127.0.0.1:1"], "only 'cloud', the last node, can be served"),
        (["--data", NAME, "--local", "--agent", "cluod=127.0.0.1:1"], "cloud"),
        (["--data", NAME, "--agent", "gateway=127.0.0.1:1"], "frames go to 'camera' first"),
        (["--data", NAME, "--agent", "watch=127.0.0.1:1"], "there is no node of the plan 'watch'"),
        (["--data", NAME, "--agent", "camera=127.0.0.1:1", "--retime"], "they belong to --local"),
        (["--data", NAME, "--local", "--tls", "certificates"], "all agents are processes of this machine: leave out"),
        (["--data", NAME, "--agent", "camera=127.0.0.1:1", "--trace", "t"], "--trace needs one clock for all agents"),
        (["--data", NAME, "--agent", "camera=127.0.0.1:1"], "127.0.0.1:1 does not answer as an agent"),
        (["--data", NAME, "--agent", "camera=127.0.0.1:1", "--shape", "kernel"], "takes links that the run makes"),
        (["--data", "absent.npz", "--local"], "absent.npz: there is no such file"),
        (["--data", NAME, "--local", "--rate", "0 fps"], "--rate: expected more than 0 fps"),
        (["--data", NAME, "--local", "--deadline", "soon"], "--deadline: expected a time with its unit"),
        (["--data", NAME, "--agent", "camera=127.0.0.1:1", "--disturb", "late.yaml"], "use --local"),
        (["--data", NAME, "--local", "--shape", "user", "--disturb", "none.yaml"], "none.yaml: there is no such file"),
        (["--data", NAME, "--local", "--disturb", "late.yaml", "--rate", "50 fps"], "something is to happen at 9 s"),
        (["--data", NAME, "--local", "--rank", "7"], "rank 7 was asked for"),
        (["--data", NAME, "--local", "--profile", "resnet20-digits32"], "is not what was recorded: it has 12 blocks"),
        (["--data", "wrong.npz", "--local"], "expected samples of the shape (32, 32, 3)"),
    ],
)
def test_a_wrong_call_is_refused_in_a_line(
    shell_call: Any, monkeypatch: pytest.MonkeyPatch, answer: Path, tmp_path: Path, more: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("late.yaml").write_text(
        "format: tiercut.disturbances/1\ndisturbances: [{at: 9 s, conditions: {slowdown(gateway): 60}}]\n"
    )
    np.savez("wrong.npz", images=np.zeros((2, 4), np.float32), labels=np.zeros(2, np.int64))
    status, out, err = shell_call("run", str(answer), NAME, *more)
    assert (status, out) == (2, "")
    assert said in err


def test_a_bundle_that_is_none_is_refused(shell_call: Any, tmp_path: Path) -> None:
    status, _, err = shell_call("agent", str(tmp_path))
    assert status == 2
    assert f"{tmp_path}{os.sep}bundle.json" in err


def test_of_a_data_set_that_is_a_file_the_test_split_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    raw, other = tmp_path / "raw.npz", tmp_path / "other.npz"
    for path in (raw, other):
        np.savez(path, images=np.full((4, 2), 255, np.uint8), labels=np.arange(4))

    def unseen(_: str, data: str, *, trust: bool) -> tuple[Any, Any]:
        if Path(data) != raw:
            raise tiercut.InputError("net.keras", "was trained on other samples")
        return np.ones((1, 2), np.float32), np.zeros(1, np.int64)

    monkeypatch.setattr("tiercut.profiling.has_exits", lambda _: True)
    monkeypatch.setattr("tiercut.profiling.unseen_samples", unseen)
    with _samples(str(raw), "net.keras", trust=False) as found, np.load(found) as held:
        np.testing.assert_array_equal(held["images"], np.ones((1, 2), np.float32))
    with _samples(str(other), "net.keras", trust=False) as found:  # samples as the network takes them
        assert found == other
    with pytest.raises(tiercut.InputError), _samples("no-set", "net.keras", trust=False):
        pass
