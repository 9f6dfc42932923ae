"""``tiercut replay`` as a command: tables, JSON, pictures, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tiercut
from tiercut.report.plots.latencies import latencies_of

PLAN = ("--partition", "5,7,9", "--placement", "micro,local,global", "--threshold", "0.45")


@pytest.fixture
def call(shell_call: Any) -> Any:
    """Ask a command about a recorded network; return status, standard output and standard error."""
    return lambda command, *arguments: shell_call(command, "iot", "resnet20-digits32", *arguments)


def test_json_holds_what_the_function_gives(call: Any) -> None:
    status, out, err = call("replay", *PLAN, "--json")
    assert (status, err) == (0, "")
    plan = tiercut.plan(
        "iot",
        "resnet20-digits32",
        partition=[5, 7, 9],
        placement=["micro", "local", "global"],
        threshold=0.45,
    )
    data = json.loads(out)
    assert data == json.loads(tiercut.replay("iot", "resnet20-digits32", plan).to_json())
    assert data["format"] == "tiercut.replay/1"
    assert sum(each["left"] for each in data["exits"]) == data["samples"] == 720
    assert data["samples_file"].endswith("resnet20-digits32.samples.npz")
    assert data["latency"]["mean_s"] == data["plan"]["latency_s"]


def test_the_table_shows_replay_beside_the_model(call: Any) -> None:
    status, out, _ = call("replay", *PLAN)
    assert status == 0
    assert "720 samples of the profile split (resnet20-digits32.samples.npz)" in out
    for name in ("by the model", "95% interval", "p50", "p95", "p99", "points"):
        assert name in out


def test_a_plan_of_an_answer_is_replayed_by_its_rank(call: Any, tmp_path: Path) -> None:
    _, out, _ = call("frontier", "--json")
    (tmp_path / "answer.json").write_text(out)
    for rank in (1, 20):
        status, out, err = call("replay", str(tmp_path / "answer.json"), "--rank", str(rank), "--json")
        assert status == 0, err
        plan = tiercut.frontier("iot", "resnet20-digits32")[rank - 1]
        assert json.loads(out)["model"]["latency_s"] == plan.latency_s


def test_other_samples_take_the_place_of_those_of_the_profile(call: Any, tmp_path: Path) -> None:
    path = tmp_path / "few.npz"
    np.savez(path, entropy=np.zeros((3, 10), np.float32), correct=np.ones((3, 10), bool))
    status, out, _ = call("replay", *PLAN, "--samples", str(path))
    assert status == 0
    assert "(few.npz)" in out
    assert "needs 662 samples" in out
    assert "100.00%" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name a plan to replay: an answer file, or --partition with --placement"),
        (("--threshold", "0.3"), "name a plan to replay"),
        (("--partition", "5"), "--partition and --placement go together"),
        ((*PLAN, "--split", "tests"), "there is no split of samples 'tests'; did you mean 'test'?"),
        ((*PLAN, "--samples", "nowhere.npz"), "nowhere.npz: there is no such file"),
        (("--partition", "3,5", "--placement", "micro"), "has 2 parts, but the placement names 1 node; name one"),
        (("nowhere.json",), "nowhere.json"),
    ],
)
def test_what_cannot_be_replayed_is_said(call: Any, arguments: tuple[str, ...], message: str) -> None:
    status, out, err = call("replay", *arguments)
    assert (status, out) == (2, "")
    assert message in err


@pytest.mark.parametrize("ending", ["png", "html"])
def test_the_latencies_are_drawn(call: Any, tmp_path: Path, ending: str) -> None:
    status, _, err = call("replay", *PLAN, "--plot", str(tmp_path / f"it.{ending}"))
    assert status == 0, err
    assert (tmp_path / f"it.{ending}").stat().st_size > 5000


def test_the_picture_shows_who_has_an_answer_by_when() -> None:
    plan = tiercut.plan(
        "iot",
        "resnet20-digits32",
        partition=[5, 7, 9],
        placement=["micro", "local", "global"],
        threshold=0.45,
    )
    seen = tiercut.replay("iot", "resnet20-digits32", plan)
    data = latencies_of(seen.latencies, seen.mean_s)
    assert data.unit == "ms"
    assert np.all(np.diff(data.x) > 0)
    assert data.answered[-1] == pytest.approx(100)
    assert data.right[-1] == pytest.approx(100 * seen.accuracy)
    assert data.mean == pytest.approx(1e3 * seen.mean_s)
    assert dict(data.marks) == {name: 1e3 * (value or 0.0) for name, value in seen.quantiles.items()}


def test_a_frontier_that_was_replayed_shows_both_figures_and_can_be_read_again(call: Any, tmp_path: Path) -> None:
    status, out, err = call("frontier", "--evaluate", "replay", "--plot", str(tmp_path / "it.png"))
    assert status == 0
    assert out.count("by the model") == 2
    assert "all 170,000 decisions were replayed" in err
    assert (tmp_path / "it.png").stat().st_size > 5000
    status, out, err = call("frontier", "--evaluate", "replay", "--json")
    assert (status, err) == (0, "")
    (tmp_path / "answer.json").write_text(out)
    status, out, err = call("replay", str(tmp_path / "answer.json"), "--rank", "9", "--json")
    assert status == 0, err
    seen, answer = json.loads(out), json.loads((tmp_path / "answer.json").read_text())
    assert seen["latency"]["mean_s"] == answer["plans"][8]["latency_s"]
    assert seen["model"]["latency_s"] == answer["evaluation"]["plans"][8]["model"]["latency_s"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("command", ["frontier", "explain", "replay"])
def test_tables_are_written_as_the_ending_says(command: str, ending: str, shell_call: Any, tmp_path: Path) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    path, plan = (
        tmp_path / f"table.{ending}",
        ("--partition", "5,8", "--placement", "micro,local", "--threshold", "0.8"),
    )
    given = () if command == "frontier" else plan
    status, _, err = shell_call(command, "iot", "resnet20-digits32", *given, "--csv", path)
    assert status == 0, err
    assert f"wrote {path}" in err
    table = pd.read_csv(path) if ending == "csv" else pd.read_parquet(path)
    assert len(table) > 1
    assert any(name in table.columns for name in ("latency_s", "seconds", "total_s"))
