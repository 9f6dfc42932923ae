"""``tiercut simulate`` as a command: tables, JSON, files, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import tiercut

PLAN = ("--partition", "5,7,9", "--placement", "micro,local,global", "--threshold", "0.45")


@pytest.fixture
def call(shell_call: Any) -> Any:
    """Ask a command about a recorded network; return status, standard output and standard error."""
    return lambda command, *arguments: shell_call(command, "iot", "resnet20-digits32", *arguments)


def test_json_holds_what_the_function_gives(call: Any, tmp_path: Path) -> None:
    answer = tmp_path / "plan.json"
    answer.write_text(call("solve", "--min-accuracy", "0.97", "--json")[1], encoding="utf-8")
    flags = ("--rate", "20 fps", "--frames", "1000", "--queue", "3", "--drop", "oldest", "--arrivals", "poisson")
    status, out, err = call("simulate", "--plan", str(answer), *flags, "--seed", "4", "--json")
    assert (status, err) == (0, "")
    data = json.loads(out)
    assert data["format"] == "tiercut.stream/1"
    names = {"frames", "done", "dropped", "in_flight", "total_s", "sustainable_rate"}
    names |= {"latency_s", "accuracy", "exit_rate", "servers"}
    assert names <= set(data)
    (plan,) = tiercut.load_plans(answer)
    stream = tiercut.simulate(
        "iot", "resnet20-digits32", plan, rate=20, frames=1000, queue=3, drop="oldest", arrivals="poisson", seed=4
    )
    assert data == json.loads(stream.to_json())


def test_the_table_says_whether_servers_keep_up(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = call("simulate", *PLAN, "--rate", "150 fps", "--frames", "500", "--queue", "2", "--drop", "exit")
    assert status == 0
    said = " ".join(out.split())
    assert "overloaded: " in said
    assert "frames/s" in said
    assert "needs 662 frames" in said
    assert "raspberry>micro" in said
    assert all(len(line) <= 80 for line in out.splitlines())


def test_several_plans_have_a_rate_each(call: Any, tmp_path: Path) -> None:
    answer = tmp_path / "plan.json"
    answer.write_text(call("solve", "--json")[1], encoding="utf-8")
    both = ("--plan", str(answer), "--plan", str(answer), "--frames", "100", "--json")
    data = json.loads(call("simulate", *both, "--rate", "2 fps", "--rate", "3 fps")[1])
    assert [each["rate"] for each in data["sources"]] == [2, 3]
    status, _, err = call("simulate", *both, "--rate", "1 fps", "--rate", "1 fps", "--rate", "1 fps")
    assert status == 2
    assert "--rate is given 3 times for 2 plans; give it once, or once for each" in err
    named = json.loads(call("simulate", *both, "--rate", "2 fps", "--sources", "micro,raspberry")[1])
    assert [each["source"] for each in named["sources"]] == ["micro", "raspberry"]


@pytest.fixture(scope="module")
def joint_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the answer for the three sources of the factory."""
    path = tmp_path_factory.mktemp("joint") / "joint.json"
    path.write_text(tiercut.solve_sources("factory", joint="served", workers=1).to_json(), encoding="utf-8")
    return path


def test_an_answer_for_several_sources_keeps_machines_as_busy_as_it_says(shell_call: Any, joint_file: Path) -> None:
    status, out, err = shell_call("simulate", "factory", "--plan", str(joint_file), "--until", "40 s", "--json")
    assert (status, err) == (0, "")
    data, found = json.loads(out), json.loads(joint_file.read_text())
    rows = found["plans"]
    assert [each["source"] for each in data["sources"]] == [each["source"] for each in rows]
    for simulated, plan in zip(data["sources"], rows, strict=True):
        assert simulated["rate"] == plan["rate_fps"]
        assert simulated["latency_s"]["mean"] >= plan["latency_s"] * 0.97  # frames wait for each other besides
        assert abs(simulated["accuracy"] - plan["accuracy"]) < 0.03
    shares = {each["node"]: each for each in data["servers"] if "node" in each}
    nodes = [each for each in found["joint"]["shared"] if "node" in each]
    assert {each["node"] for each in nodes} == set(shares)
    for shared in nodes:
        assert shares[shared["node"]]["load"] == pytest.approx(shared["utilisation"])
        assert shares[shared["node"]]["utilisation"] == pytest.approx(shared["utilisation"], abs=0.03)


def test_an_answer_for_several_sources_names_their_rates_and_stands_alone(shell_call: Any, joint_file: Path) -> None:
    for more, said in (
        (("--rate", "3 fps"), "the answer names profiles, sources and rates"),
        (("--plan", str(joint_file)), "an answer for several sources has all their plans; give it alone"),
    ):
        status, out, err = shell_call("simulate", "factory", "--plan", str(joint_file), *more)
        assert (status, out) == (2, "")
        assert said in " ".join(err.split())


REFUSED = [
    (("--rate", "3 fps"), "name a plan to simulate"),
    ((*PLAN, "--rate", "nan fps"), "--rate"),
    (PLAN, "periodic arrivals need a rate, such as --rate '30 fps'"),
    ((*PLAN, "--rate", "3 fps", "--until", "soon"), "--until: expected a time with its unit"),
    ((*PLAN, "--rate", "3 fps", "--drop", "worst"), "--drop is newest, oldest, exit, not 'worst'"),
    ((*PLAN, "--arrivals", "nowhere.txt"), "nowhere.txt"),
    ((*PLAN, "--rate", "3 fps", "--queue", "-2"), "a queue holds 0 or more waiting frames, not -2"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_is_wrong_is_said_in_a_line(call: Any, arguments: tuple[str, ...], message: str) -> None:
    status, out, err = call("simulate", *arguments)
    assert (status, out) == (2, "")
    assert message in " ".join(err.split())


def test_a_row_for_every_frame_is_written(call: Any, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra 'test'")
    import pandas as pd

    file = tmp_path / "frames.parquet"
    status, _, err = call("simulate", *PLAN, "--rate", "30 fps", "--frames", "50", "--parquet", str(file))
    assert status == 0
    assert f"wrote {file}" in err
    assert len(pd.read_parquet(file)) == 50
