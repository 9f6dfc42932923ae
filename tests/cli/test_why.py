"""``tiercut explain`` of a question, and ``--why``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def call(shell_call: Any) -> Any:
    """Explain, or ask another command; return status, standard output and standard error."""
    return lambda *arguments, command="explain": shell_call(command, "mobile", "resnet20-digits32", *arguments)


def test_the_best_plan_of_a_question_is_explained(call: Any) -> None:
    status, out, _ = call("--min-accuracy", "0.9")
    assert status == 0
    assert "phone 1-4" in out.splitlines()[0]
    assert "runner-up" not in out


def test_why_says_what_comes_next_what_binds_and_what_changes(call: Any) -> None:
    status, out, err = call("--min-accuracy", "0.9", "--why")
    assert (status, err) == (0, "")
    for said in (
        "runner-up: ",
        "what the bounds cost",
        "≥ 0.81",
        "where the best plan changes from 1/10 to 10 times the present: the nearest",
        "bandwidth of watch-phone",
        "watch 1-4",
        "The best plan stays the same",
    ):
        assert said in out
    assert max(map(len, out.splitlines())) <= 120


def test_every_change_can_be_listed(call: Any) -> None:
    status, out, _ = call("--objective", "accuracy", "--max-latency", "300 ms", "--why", "--all-changes")
    assert status == 0
    assert "the best plan from 1/10 to 10 times the present" in out
    assert out.count("→") > 20


def test_why_as_data_and_as_a_picture(call: Any, tmp_path: Path) -> None:
    picture = tmp_path / "why.svg"
    status, out, err = call("--min-accuracy", "0.9", "--why", "--factor", "3", "--json", "--plot", str(picture))
    assert (status, err) == (0, f"drew {picture}\n")
    data = json.loads(out)
    assert (data["format"], data["explanation"]["format"]) == ("tiercut.why/1", "tiercut.explanation/1")
    assert data["factor"] == 3.0
    spans = {(each["parameter"], each["name"]): each["spans"] for each in data["parameters"]}
    assert spans["slowdown", "watch"][0]["low"] == 500 / 3
    assert picture.read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--why", "--partition", "3,9", "--placement", "watch,phone"], "are about the best plan"),
        (["--min-accuracy", "0.9", "--partition", "3,9", "--placement", "watch,phone"], "are about the best plan"),
        (["--exits", "3,10"], "tell of a plan given by --partition"),
        (["--thresholds", "0.5"], "tell of a plan given by --partition"),
        (["--why", "--factor", "0.5"], "factor must be greater than 1"),
    ],
)
def test_what_cannot_be_asked(call: Any, arguments: list[str], words: str) -> None:
    status, out, err = call(*arguments)
    assert (status, out) == (2, "")
    assert words in err


def test_a_question_that_nothing_meets(call: Any) -> None:
    status, _, err = call("--why", "--max-latency", "1 ms")
    assert status == 3
    assert "no plan takes at most 1 ms" in err


def test_exits_of_a_question_are_a_rule(call: Any) -> None:
    status, out, _ = call("--exits", "final")
    assert status == 0
    assert "1-10" in out.splitlines()[0]


def test_a_plan_of_an_answer_is_explained_by_the_estimator_that_priced_it(call: Any, tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    for estimator in ("conditional", "replay"):
        question = ("--estimator", estimator, "--min-accuracy", "0.95", "--partitions", "2", "--json")
        status, out, _ = call(*question, command="solve")
        assert status == 0
        path.write_text(out)
        (plan,), again = json.loads(out)["plans"], json.loads(call(str(path), "--json")[1])["plan"]
        assert (again["latency_s"], again["accuracy"]) == (plan["latency_s"], plan["accuracy"])
    path.write_text(out.replace('"replay"', '"repaly"'))
    status, _, err = call(str(path))
    assert status == 2
    assert "there is no estimator 'repaly'; did you mean 'replay'" in err
