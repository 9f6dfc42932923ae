"""``tiercut solve``, ``rank`` and ``frontier`` as commands: flags, query files, messages and statuses."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.made import both, exits_data, profile_data, topology_data

import tiercut
from tiercut import units
from tiercut.cli import main

NODES = [
    {"name": "pi", "tier": "device", "slowdown": 4.0},
    {"name": "box", "tier": "edge", "slowdown": 2.0},
    {"name": "big", "tier": "cloud"},
]
LINKS = [both("pi", "box", 1, 4), both("pi", "big", 4, 4), both("box", "big", 2, 4)]
RATES = ([0.25, 0.5, 1.0], [0.5, 0.75, 1.0])
CODEC = {
    "bytes": [2.0, 1.0, 1.0],
    "encode_s": {"d": [0.01, 0.01, 0.01]},
    "decode_s": {"d": [0.01, 0.01, 0.01]},
    "accuracy_drop": [0.01, 0.01, 0.01],
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("files")
    exits = exits_data([0.5, 0.75, 0.9], *RATES, alone=True)
    profile = profile_data([1.0, 2.0, 4.0], [12.0, 8.0, 4.0, 0.0], exits=exits, codecs={"small": CODEC})
    paths = [folder / "topology.json", folder / "profile.json"]
    for path, data in zip(paths, (topology_data(NODES, LINKS), profile), strict=True):
        path.write_text(json.dumps(data))
    return [str(path) for path in paths]


@pytest.fixture
def call(files: list[str], shell_call: Any) -> Any:
    """Ask a command about these files; return status, standard output and standard error."""
    return lambda command, *arguments: shell_call(command, *files, *arguments)


def plans(call: Any, *arguments: str, command: str = "rank") -> list[dict[str, Any]]:
    top = ("--top", "1000") if command == "rank" and "--top" not in arguments else ()
    status, out, err = call(command, *arguments, *top, "--json")
    assert status == 0, err
    found: list[dict[str, Any]] = json.loads(out)["plans"]
    assert found
    return found


def test_exits_are_where_the_flag_says(call: Any) -> None:
    assert all(plan["exits"] == [3] for plan in plans(call, "--exits", "final"))
    assert all(plan["exits"] == plan["partition"] for plan in plans(call, "--exits", "cuts"))
    assert any(set(plan["exits"]) - set(plan["partition"]) for plan in plans(call, "--exits", "free"))


def test_thresholds_per_exit_are_listed(call: Any) -> None:
    found = plans(call, "--thresholds", "per-exit")
    assert all(plan["threshold"] is None for plan in found)
    assert {tuple(plan["thresholds"]) for plan in found if len(plan["exits"]) == 3} == {
        (a, b) for a in (0.1, 0.2) for b in (0.1, 0.2)
    }
    assert all("thresholds" not in plan for plan in plans(call, "--thresholds", "one"))


def test_codecs_are_named_cut_by_cut(call: Any) -> None:
    assert all(not any(plan["codecs"]) for plan in plans(call))
    assert all(all(each == "small" for each in plan["codecs"]) for plan in plans(call, "--codec", "small"))
    assert {None, "small"} == {each for plan in plans(call, "--codec", "auto") for each in plan["codecs"]}
    _, out, _ = call("solve", "--codec", "small", "--only", "distributed")
    assert "(small)" in out


def test_bounds_hold(call: Any) -> None:
    all_plans = plans(call)
    kept = plans(call, "--bound", "compute:device<=4 s", "--bound", "blocks:edge>=1")
    for plan in kept:
        seconds = [s["reach"] * s["compute_s"] for s in plan["stages"] if s["node"] == "pi"]
        assert sum(seconds) <= 4
        assert "box" in plan["placement"]
    assert len(kept) == sum(
        "box" in plan["placement"]
        and sum(s["reach"] * s["compute_s"] for s in plan["stages"] if s["node"] == "pi") <= 4
        for plan in all_plans
    )


def test_rate_bounds_how_busy_a_node_may_be(call: Any) -> None:
    kept = plans(call, "--rate", "0.1 fps", "--bound", "utilisation:pi<=0.5")
    assert 0 < len(kept) < len(plans(call))
    assert all(s["reach"] * s["compute_s"] <= 5 for plan in kept for s in plan["stages"] if s["node"] == "pi")


@pytest.mark.parametrize(
    ("flags", "right"),
    [
        (("--include", "edge"), lambda plan: "box" in plan["placement"]),
        (("--include", "box", "--include", "big"), lambda plan: {"box", "big"} <= set(plan["placement"])),
        (("--include", "box, big"), lambda plan: {"box", "big"} <= set(plan["placement"])),
        (("--exclude", "box,cloud"), lambda plan: plan["placement"] == ["pi"]),
        (("--exclude", "cloud"), lambda plan: "big" not in plan["placement"]),
        (("--use-all-tiers",), lambda plan: len(plan["placement"]) == 3),
        (("--only", "native"), lambda plan: len(plan["partition"]) == 1),
        (("--only", "distributed"), lambda plan: len(plan["partition"]) > 1),
        (("--partitions", "2"), lambda plan: len(plan["partition"]) == 2),
        (("--partitions", "1-2"), lambda plan: len(plan["partition"]) <= 2),
        (
            ("--pin", "2=edge"),
            lambda plan: (
                plan["partition"][-1] < 2
                or plan["placement"][next(k for k, last in enumerate(plan["partition"]) if last >= 2)] == "box"
            ),
        ),
        (("--keep-first", "2"), lambda plan: plan["placement"][0] == "pi" and plan["partition"][0] != 1),
        (
            ("--order", "forward"),
            lambda plan: plan["placement"] == [n for n in ("pi", "box", "big") if n in plan["placement"]],
        ),
    ],
)
def test_a_rule_of_placement_leaves_exactly_the_plans_that_keep_it(
    call: Any, flags: tuple[str, ...], right: Any
) -> None:
    every = plans(call)
    kept = plans(call, *flags)
    if flags[0] == "--keep-first":  # a plan that ends after block 1 keeps it too
        assert [plan for plan in kept if plan["partition"] != [1]] == _ranked([p for p in every if right(p)], kept)
        return
    wanted = [plan for plan in every if right(plan)]
    assert [_what(plan) for plan in kept] == [_what(plan) for plan in wanted]


def _what(plan: dict[str, Any]) -> Any:
    return plan["partition"], plan["placement"], plan["threshold"]


def _ranked(wanted: list[dict[str, Any]], kept: list[dict[str, Any]]) -> list[dict[str, Any]]:
    known = [_what(plan) for plan in wanted]
    return [plan for plan in kept if _what(plan) in known]


def test_without_removes_the_machine_and_exclude_only_its_work(call: Any) -> None:
    assert call("solve", "--without", "box", "--include", "edge")[0] == 2
    assert {each for plan in plans(call, "--without", "box,big") for each in plan["placement"]} == {"pi"}
    assert call("solve", "--exclude", "box", "--include", "edge")[0] == 3


@pytest.mark.parametrize("command", ["solve", "frontier"])
def test_how_many_plans_is_asked_of_rank_alone(call: Any, command: str) -> None:
    status, out, err = call(command, "--top", "3")
    assert (status, out) == (2, "")
    assert "tiercut rank" in err


def test_a_picture_of_an_unknown_format_is_refused_before_anything_is_solved(call: Any) -> None:
    status, out, err = call("solve", "--plot", "it.gif")
    assert (status, out) == (2, "")
    assert "png, svg, pdf, html" in err


def test_a_query_file_lies_below_the_flags(call: Any, tmp_path: Path) -> None:
    path = tmp_path / "query.yaml"
    path.write_text("format: tiercut.query/1\nonly: distributed\ntop: 2\nexclude: [cloud]\nlatency: {pi-box: 9 s}\n")
    found = plans(call, "--query", str(path), "--top", "2")
    assert len(found) == 2
    assert all(set(plan["placement"]) == {"pi", "box"} for plan in found)
    assert all(len(plan["partition"]) == 1 for plan in plans(call, "--query", str(path), "--only", "native"))
    direct = ["--only", "distributed", "--exclude", "cloud"]
    assert found == plans(call, *direct, "--latency", "pi-box=9 s", "--top", "2")
    assert plans(call, "--query", str(path), "--latency", "pi-box=1 s", "--top", "2") == plans(
        call, *direct, "--top", "2"
    )


def test_a_ready_made_query_is_found_by_name(call: Any) -> None:
    assert all(plan["placement"] == ["box"] for plan in plans(call, "--query", "edge-only"))


def test_every_kind_of_answer_takes_the_question(call: Any) -> None:
    for command in ("solve", "rank", "frontier"):
        found = plans(call, "--exclude", "cloud", "--bound", "compute:pi<=20 s", command=command)
        assert all("big" not in plan["placement"] for plan in found)


def test_the_answer_says_who_answers_and_why(call: Any) -> None:
    _, out, _ = call("solve", "--json")
    assert json.loads(out)["solver"]["name"] == "labels"
    assert json.loads(out)["solver"]["why"] == "exact without enumeration"
    assert json.loads(call("solve", "--json", "--solver", "labels")[1])["solver"]["why"] is None
    assert "labels (exact without enumeration) optimal" in " ".join(call("solve")[1].split())


def test_people_see_thresholds_exits_and_bounds(call: Any) -> None:
    flags = ("--thresholds", "per-exit", "--exits", "free", "--partitions", "3", "--bound", "blocks:edge>=1")
    status, out, _ = call("rank", *flags, "--top", "1000")
    assert status == 0
    assert "blocks:edge ≥ 1" in out
    assert "exits" in out
    assert "0.1, 0.2" in out


def test_an_answer_with_thresholds_and_codecs_can_be_explained(call: Any, tmp_path: Path) -> None:
    flags = ("--thresholds", "per-exit", "--codec", "auto", "--exits", "free", "--partitions", "2")
    _, out, _ = call("rank", *flags, "--json")
    path = tmp_path / "answer.json"
    path.write_text(out)
    for plan in json.loads(out)["plans"]:
        status, text, err = call("explain", str(path), "--rank", str(plan["rank"]), "--json")
        assert status == 0, err
        again = json.loads(text)["plan"]
        assert again | {"rank": 0} == plan | {"rank": 0}


def test_a_plan_of_ones_own_takes_thresholds_and_codecs(call: Any) -> None:
    mine = ("--partition", "1,2,3", "--placement", "pi,box,big", "--thresholds", "0.1,0.2", "--codecs", "none,small")
    status, out, err = call("explain", *mine, "--json")
    assert status == 0, err
    plan = json.loads(out)["plan"]
    assert (plan["threshold"], plan["thresholds"], plan["codecs"]) == (None, [0.1, 0.2], [None, "small"])
    assert plan in [each | {"rank": 1} for each in plans(call, "--thresholds", "per-exit", "--codec", "auto")]


def test_the_codec_of_the_input_is_named_where_the_input_is_sent(call: Any) -> None:
    found = plans(call, "--codec", "auto")
    assert {plan["input_codec"] for plan in found} == {None, "small"}
    assert all(plan["placement"][0] != "pi" for plan in found if plan["input_codec"])
    mine = ("--partition", "3", "--placement", "big")
    status, out, err = call("explain", *mine, "--input-codec", "small")
    assert status == 0, err
    assert "(small) → big 1-3" in out
    assert "input as small: pi → big" in out
    status, out, _ = call("solve", "--codec", "small", "--include", "big", "--partitions", "1")
    assert "the input as small takes" in out
    status, out, err = call("explain", *mine, "--input-codec", "none", "--json")
    assert (status, json.loads(out)["plan"]["input_codec"]) == (0, None)
    status, _, err = call("explain", "--input-codec", "small")
    assert (status, "tell of a plan given by --partition" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--thresholds", "0.1"), ["tell of a plan given by --partition"]),
        (("--thresholds", "0.1,0.2,0.2"), ["2 exits before its last", "3 thresholds are given"]),
        (("--thresholds", "0.1"), ["1 threshold is given"]),
        (("--thresholds", "0.1,x"), ["--thresholds is a list of numbers", "0.1,x"]),
        (("--thresholds", "0.1,0.3"), ["no threshold 0.3", "nearest is 0.2"]),
        (("--thresholds", "0.1,0.2", "--threshold", "0.1"), ["not both"]),
        (("--threshold", "0.1", "--codecs", "none"), ["2 cuts", "1 codec is given", "'none' where there is none"]),
        (("--threshold", "0.1", "--codecs", "none,smal"), ["did you mean 'small'?"]),
    ],
)
def test_a_plan_of_ones_own_that_cannot_be_says_why(call: Any, arguments: tuple[str, ...], words: list[str]) -> None:
    mine = ("--partition", "1,2,3", "--placement", "pi,box,big")
    status, _, err = call("explain", *(() if "tell of" in words[0] else mine), *arguments)
    assert status == 2
    assert err.startswith("error: ")
    assert all(word in err for word in words), err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--query", "edge-onyl"), ["did you mean 'edge-only'?"]),
        (("--query", "missing.yaml"), ["missing.yaml"]),
        (("--exits", "cut"), ["did you mean 'cuts'?"]),
        (("--thresholds", "each"), ["--thresholds", "one, per-exit"]),
        (("--codec", "smal"), ["did you mean 'small'?"]),
        (("--bound", "bytes"), ["'bytes:edge>cloud<=1 MB'"]),
        (("--bound", "bytes:edge>cluod<=1 MB"), ["'cluod'", "did you mean 'cloud'?"]),
        (("--bound", "compute:pi<=4"), ["'compute:pi<=4'", "no unit"]),
        (("--bound", "memory:pi<=4 MB"), ["parameter_bytes"]),
        (("--bound", "energy<=4 J"), ["power of every node"]),
        (("--bound", "utilisation:pi<=0.5"), ["needs the rate"]),
        (("--rate", "30"), ["--rate", "30 fps"]),
        (("--max-latency", "80"), ["--max-latency", "no unit"]),
        (("--include", "edg"), ["did you mean 'edge'?"]),
        (("--exclude", "edg"), ["did you mean 'edge'?"]),
        (("--include", "edge", "--exclude", "edge"), ["both included and excluded"]),
        (("--only", "natve"), ["--only", "did you mean 'native'?"]),
        (("--only", "native", "--partitions", "2"), ["--only native", "--partitions excludes"]),
        (("--partitions", "two"), ["--partitions", "1-3", "'two'"]),
        (("--pin", "edge=7"), ["--pin: expected the number of a block", "'layer NAME'", "'edge'"]),
        (("--pin", "7"), ["--pin is written BLOCK=PLACE", "'7'"]),
        (("--pin", "9=edge"), ["block 9", "1..3"]),
        (("--pin", "layer conv=9=edge"), ["no block 'conv=9'"]),
        (("--pin", "2=edg"), ["did you mean 'edge'?"]),
        (("--keep-first", "9"), ["first 9 blocks", "has 3"]),
        (("--keep-first", "-1"), ["0 or more"]),
    ],
)
def test_a_wrong_flag_is_refused_with_status_2(call: Any, arguments: tuple[str, ...], words: list[str]) -> None:
    status, out, err = call("solve", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert all(word in err for word in words), err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--bound", "compute:pi<=1 s", "--pin", "1=pi"),
            "no plan keeps compute:pi <= 1 s; the least compute:pi is 4 s",
        ),
        (("--bound", "blocks:edge>=4"), "no plan keeps blocks:edge >= 4; the greatest blocks:edge is 3 (box 1-3)"),
        (
            ("--bound", "blocks:edge>=2", "--bound", "blocks:cloud>=2"),
            "no plan keeps blocks:edge >= 2 with blocks:cloud >= 2; "
            "the greatest blocks:edge with blocks:cloud >= 2 is 1",
        ),
        (
            ("--bound", "blocks:edge>=2", "--bound", "blocks:cloud>=1", "--bound", "blocks:device>=1"),
            "the greatest blocks:edge with the others is 1",
        ),
        (
            ("--bound", "blocks:edge>=3", "--bound", "blocks:cloud>=3", "--bound", "blocks:device>=3"),
            "no plan keeps blocks:cloud >= 3 and blocks:device >= 3 together, whatever the other bounds are",
        ),
        (("--bound", "bytes<=1 B", "--exclude", "pi"), "no plan keeps bytes <= 1 B; the least bytes is 12 B"),
        (("--pin", "1=pi", "--pin", "2=box", "--only", "native", "--exits", "final"), "without partitions 1"),
        (("--include", "edge", "--exclude", "box"), "there are plans without include edge or without exclude box"),
        (
            ("--max-latency", "10 s", "--bound", "blocks:cloud>=3"),
            "no plan takes at most 10 s with blocks:cloud >= 3; "
            "the least latency with blocks:cloud >= 3 is 18 s (big 1-3)",
        ),
    ],
)
def test_a_question_without_an_answer_names_what_is_in_the_way(
    call: Any, arguments: tuple[str, ...], message: str
) -> None:
    status, out, err = call("solve", *arguments)
    assert (status, out) == (3, "")
    assert message in err, err


def test_schema_of_a_query(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["tiercut", "schema", "query"])
    with pytest.raises(SystemExit):
        main()
    schema = json.loads(capsys.readouterr().out)
    assert schema["properties"]["rate"]["anyOf"][0]["examples"] == ["30 fps"]
    assert "bounds" in schema["properties"]


def test_the_stages_of_the_best_plan_say_how_long_the_input_takes_to_the_first(call: Any) -> None:
    status, out, _ = call("solve", "--exclude", "pi", "--json")
    best = json.loads(out)["plans"][0]
    assert (status, best["input_s"] > 0) == (0, True)
    title = f"timed for a sample that gets there; the input takes {units.format_seconds(best['input_s'])} "
    assert title in " ".join(call("solve", "--exclude", "pi")[1].split())
    assert "the input takes" not in call("solve", "--keep-first", "1")[1]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux that is always full")
def test_output_that_cannot_be_written_is_an_error_of_one_line() -> None:
    command = [sys.executable, "-c", "from tiercut.cli import main; main()", "show", "mobile"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        "error: could not write: No space left on device\n",
    )
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, preexec_fn=lambda: os.close(1))
    assert (done.returncode, done.stderr) == (0, "")


def test_an_error_that_is_no_fault_of_the_output_is_not_blamed_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr("tiercut.cli.app.app", refuse)
    with pytest.raises(ConnectionRefusedError):
        main()


CLOSE = [0.10518253892660143, 0.10518254210000001, 0.7]


@pytest.fixture
def close(tmp_path: Path) -> list[str]:
    """Two thresholds that six digits do not tell apart, as quantiles of entropies may be."""
    exits = exits_data([0.5, 0.75, 0.9], *RATES, [0.75, 0.8, 1.0], alone=True) | {"thresholds": CLOSE}
    paths = [tmp_path / "topology.json", tmp_path / "profile.json"]
    profile = profile_data([1.0, 2.0, 4.0], [12.0, 8.0, 4.0, 0.0], exits=exits)
    for path, data in zip(paths, (topology_data(NODES, LINKS), profile), strict=True):
        path.write_text(json.dumps(data))
    return [str(path) for path in paths]


@pytest.mark.parametrize("thresholds", ["one", "per-exit"])
def test_a_threshold_that_a_table_prints_can_be_given_back(
    close: list[str], capsys: pytest.CaptureFixture[str], thresholds: str
) -> None:
    answer = tiercut.rank(*close, exits="free", thresholds=thresholds, partitions=1, top=1000)  # type: ignore[arg-type]
    plans_, printed = [plan for plan in answer if len(plan.exits) > 1], set()
    assert {each for plan in plans_ for each in plan.thresholds or (plan.threshold,)} == set(CLOSE)
    for plan in plans_:
        texts = plan.thresholds_shown.split(", ")
        printed |= set(texts)
        values = [float(text) for text in texts]
        given: Any = {"thresholds": values} if thresholds == "per-exit" else {"threshold": values[0]}
        again = tiercut.plan(*close, partition=plan.partition, placement=plan.placement, exits=plan.exits, **given)
        assert (again.threshold, again.thresholds) == (plan.threshold, plan.thresholds)
    assert printed == {"0.105182539", "0.105182542", "0.7"}
    flag = {"one": "--threshold", "per-exit": "--thresholds"}[thresholds]
    some = plans_[-1]
    sys.argv = ["tiercut", "explain", *close, "--partition", ",".join(map(str, some.partition)), "--placement",
                ",".join(some.placement), "--exits", ",".join(map(str, some.exits)),
                flag, some.thresholds_shown.replace(" ", "")]  # fmt: skip
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    assert some.thresholds_shown in capsys.readouterr().out


@pytest.mark.parametrize("threshold", [0.1051, 0.11, float("nan")])
def test_a_threshold_that_no_table_prints_is_refused(close: list[str], threshold: float) -> None:
    with pytest.raises(
        tiercut.QuestionError, match=r"the profile has no threshold .* \(known: 0.105182539, 0.105182542, 0.7\)"
    ):
        tiercut.plan(*close, partition=[1, 3], placement=["pi", "box"], threshold=threshold)


@pytest.mark.parametrize("command", ["solve", "rank", "frontier"])
def test_plans_are_written_as_a_table(call: Any, tmp_path: Path, command: str) -> None:
    path = tmp_path / "plans.csv"
    flags = ("--thresholds", "per-exit", "--codec", "auto", "--exits", "free")
    status, out, err = call(command, *flags, "--csv", str(path), "--json")
    assert (status, err) == (0, f"wrote {path}\n")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = json.loads(out)["plans"]
    assert len(rows) == len(found)
    for row, plan in zip(rows, found, strict=True):
        assert float(row["latency_s"]) == plan["latency_s"]
        assert row["partition"] == ",".join(map(str, plan["partition"]))
        assert row["thresholds"] == ",".join(map(str, plan.get("thresholds", [])))


def test_a_frontier_can_be_thinned_and_json_is_whole_unless_that_is_asked(call: Any, tmp_path: Path) -> None:
    whole = plans(call, command="frontier")
    few = plans(call, "--points", "4", command="frontier")
    assert len(few) <= 4 < len(whole)
    assert [plan["rank"] for plan in few] == list(range(1, len(few) + 1))
    assert all(any(plan | {"rank": 0} == each | {"rank": 0} for each in whole) for plan in few)
    assert len(plans(call, "--within", "10 %", command="frontier")) < len(whole)
    table = tmp_path / "x.csv"
    call("frontier", "--points", "4", "--csv", str(table))
    assert len(list(csv.reader(table.read_text().splitlines()))) == len(few) + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("solve", "--points", "4"), "--points is how many plans tiercut frontier lists; tiercut solve has no use for"),
        (("rank", "--within", "1 %"), "--within is about what tiercut frontier lists; tiercut rank has no use for it"),
        (("frontier", "--within", "1 ms"), "within: expected a share"),
        (("frontier", "--zoom", "latency=1 s..2 s"), "--zoom is about the picture that --plot draws"),
        (("frontier", "--plot", "x.png", "--zoom", "latency"), "--zoom is written MEASURE=LEAST..GREATEST"),
        (("frontier", "--plot", "x.png", "--zoom", "latency=2 s..1 s"), "the least value must be below the greatest"),
        (("frontier", "--plot", "x.png", "--zoom", "latency=2..3"), "--zoom latency: expected a time with its unit"),
        (("frontier", "--plot", "x.png", "--zoom", "latenzy=2 s.."), "there is no measure 'latenzy'"),
    ],
)
def test_what_to_show_is_refused_where_it_cannot_be(call: Any, arguments: tuple[str, ...], message: str) -> None:
    status, out, err = call(*arguments)
    assert (status, out) == (2, "")
    assert message in err


def test_a_part_of_a_picture_is_drawn(call: Any, tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("whole.svg", "part.svg")]
    assert call("frontier", "--plot", paths[0])[0] == 0
    assert call("frontier", "--plot", paths[1], "--zoom", "accuracy=60 %..", "--zoom", "latency=..100 s")[0] == 0
    assert Path(paths[0]).read_text() != Path(paths[1]).read_text()
