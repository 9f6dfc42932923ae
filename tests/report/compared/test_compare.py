"""Files of one kind side by side."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.made import both, topology_data

import tiercut
from tiercut.errors import InputError, QuestionError
from tiercut.report import comparison_data, comparison_rows, read_compared

Call = Callable[..., tuple[int, str, str]]


def written(path: Path, data: Any) -> str:
    path.write_text(json.dumps(data), encoding="utf-8")
    return str(path)


def run(mean: float, accuracy: float | None) -> dict[str, Any]:
    sides = {side: {"latency_s": {"mean": mean * by, "p50": None}, "accuracy": accuracy} for side, by in _SIDES}
    return {"format": "tiercut.run/1", "frames": 20, "answered": 20, "failed": 0, **sides}


_SIDES = (("measured", 1.1), ("predicted", 1.0))


def test_runs_stand_side_by_side_with_what_they_gain(tmp_path: Path) -> None:
    files = [written(tmp_path / f"{name}.json", run(mean, 0.9)) for name, mean in (("a", 0.2), ("b", 0.1))]
    (rows,) = comparison_rows([read_compared(each) for each in files])
    assert rows.title == "2 runs: 2 figures that differ; they agree in 14 others"
    assert rows.headings == ("", "a", "b")
    assert rows.cells == (
        ("mean latency", "220 ms", "110 ms (-50.0%)"),
        ("mean, predicted", "200 ms", "100 ms (-50.0%)"),
    )


def test_one_file_alone_is_refused_where_differences_are_asked_for(shell_call: Call) -> None:
    assert shell_call("compare", "mobile") == (
        2, "", "error: one file differs from none: name another beside it, or list its figures by --all\n"
    )  # fmt: skip
    status, out, _ = shell_call("compare", "mobile", "--all")
    assert status == 0
    assert "phone: slowdown" in out


def test_what_a_file_does_not_say_is_left_open(tmp_path: Path) -> None:
    files = [written(tmp_path / f"{name}.json", run(0.1, right)) for name, right in (("a", None), ("b", 0.9))]
    (rows,) = comparison_rows([read_compared(each) for each in files])
    assert ("accuracy", "-", "90.00%") in rows.cells


@pytest.mark.parametrize("damaged", [None, [1], [None, "a"], {}, 3, "text"])
def test_a_list_that_is_damaged_says_nothing(tmp_path: Path, damaged: Any) -> None:
    for kind, keys in {"stream": ("servers",), "sensitivity": ("top", "gains")}.items():
        format_ = {"format": f"tiercut.{kind}/1"}
        there = read_compared(written(tmp_path / "there.json", format_ | dict.fromkeys(keys, damaged)))
        assert there.figures == read_compared(written(tmp_path / "bare.json", format_)).figures


def test_topologies_are_compared_by_the_names_of_nodes_and_links(tmp_path: Path) -> None:
    one = topology_data([{"name": "a"}, {"name": "b", "slowdown": 2}], [both("a", "b", 0.1, 1000)])
    other = topology_data([{"name": "a"}, {"name": "c", "slowdown": 3}], [both("a", "c", 0.1, 1000)])
    files = [written(tmp_path / f"{at}.json", each) for at, each in enumerate((one, other))]
    data = comparison_data([read_compared(each) for each in files])
    figures = {each["name"]: (each["unit"], each["values"]) for each in data["figures"]}
    assert data["kind"] == "topology"
    assert figures["b: slowdown"] == ("number", [2, None])
    assert figures["a-c: bandwidth"] == ("B/s", [None, 1000])


def test_more_than_three_files_are_each_held_against_the_first(tmp_path: Path) -> None:
    files = [written(tmp_path / f"r{at}.json", run(0.1 + at, 0.9)) for at in range(5)]
    tables = list(comparison_rows([read_compared(each) for each in files]))
    assert [table.headings for table in tables] == [("", "r0", "r1", "r2"), ("", "r0", "r3", "r4")]


def test_files_of_two_kinds_are_refused(tmp_path: Path) -> None:
    files = [read_compared(written(tmp_path / "a.json", run(0.1, 0.9))), read_compared("mobile")]
    with pytest.raises(QuestionError, match=r"'.*a.json' is a run, 'mobile' a topology"):
        list(comparison_rows(files))


@pytest.mark.parametrize(
    ("data", "got"),
    [
        ({"format": "tiercut.query/1"}, "'tiercut.query/1'"),
        ({"format": "run"}, "'run'"),
        ({"format": "tiercut.run/2"}, "'tiercut.run/2'"),
        ([], "no format"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path: Path, data: Any, got: str) -> None:
    with pytest.raises(InputError, match=got):
        read_compared(written(tmp_path / "a.json", data))


def test_answers_are_compared_on_the_terminal_as_json_and_in_a_report(shell_call: Call, tmp_path: Path) -> None:
    for name, bound in (("low", "0.9"), ("high", "0.98")):
        _, out, _ = shell_call("solve", "iot", "resnet20-digits32", "--min-accuracy", bound, "--json")
        (tmp_path / f"{name}.json").write_text(out, encoding="utf-8")
    files = [tmp_path / "low.json", tmp_path / "high.json"]
    status, out, err = shell_call("compare", *files)
    assert (status, err) == (0, "")
    assert "micro 1-6 → local 7-8" in out
    status, out, _ = shell_call("compare", *files, "--json")
    latency = next(each for each in json.loads(out)["figures"] if each["name"] == "latency")
    assert latency["values"] == [json.loads(each.read_text("utf-8"))["plans"][0]["latency_s"] for each in files]
    page = tmp_path / "report.html"
    given = [word for each in files for word in ("--with", each)]
    status, _, err = shell_call("report", "iot", "resnet20-digits32", "-o", page, "--no-changes", *given)
    assert status == 0, err
    assert "2 answers: " in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("codecs", ["u8", None, "u8"], "a codec, or null, at each cut, 0 in all, got 3"),
        ("placement", [], "a node for each partition, 1 in all, got 0"),
        ("thresholds", [0.5, 0.6], "a threshold for every exit but the last, 0 in all, got 2"),
        ("partition", [], "1 or more"),
    ],
)
def test_an_answer_whose_lists_do_not_go_together_is_refused(
    tmp_path: Path, key: str, value: list[Any], said: str
) -> None:
    data = tiercut.plan("iot", "resnet20-digits32", partition=[8], placement=["micro"]).to_data(1)
    answer = {"format": "tiercut.answer/1", "problem": {}, "solver": {}, "plans": [data | {key: value}]}
    with pytest.raises(InputError, match=rf"plans\[0\]\.{key}: expected {said}"):
        read_compared(written(tmp_path / "a.json", answer))
    assert read_compared(written(tmp_path / "b.json", answer | {"plans": [data]})).kind == "answer"
