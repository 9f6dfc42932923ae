"""Answers for several sources: what they say where there is no plan, and that files of them are read again."""

from __future__ import annotations

import json
import warnings
from math import inf
from pathlib import Path
from typing import Any

import pytest
from support.made import both, profile_data, topology_data

import tiercut
from tiercut.analysis import JointAnswer, load_answer
from tiercut.analysis.sources.checked import SharedLoad, SharedMemory, check_joint
from tiercut.analysis.sources.short import why_short
from tiercut.report import joint_remarks
from tiercut.report.sources.tables import memory_rows
from tiercut.solvers import Shortage
from tiercut.solvers.joint import search
from tiercut.solvers.joint.master import Choice


def ask(
    *rates: str,
    box: float = 1.0,
    own: dict[str, Any] | None = None,
    room: str | None = None,
    slowdown: float = 30.0,
    far: bool = False,
    **question: Any,
) -> JointAnswer:
    """Ask of cameras that are slow themselves, at a box where a frame takes 0.1 s times its slowdown.

    With `far` there is one more source, on a node that nothing reaches.
    """
    names = [f"cam{place}" for place in range(len(rates))]
    nodes = [*({"name": name, "slowdown": slowdown} for name in names), {"name": "box", "slowdown": box}]
    nodes[-1] |= {} if room is None else {"memory": room}
    data = topology_data(nodes, [both(name, "box", 0.001, 1e6) for name in names])
    del data["source"]
    sources = [{"node": name, "rate": rate} for name, rate in zip(names, rates, strict=True)]
    if far:
        data["nodes"].append({"name": "far"})
        sources.append({"node": "far", "rate": "1 fps"})
    profile = tiercut.Profile.from_data(own or profile_data([0.05, 0.05], [1000, 500, 100], accuracy=0.9))
    return tiercut.solve_sources(
        tiercut.Topology.from_data({**data, "sources": sources}), profile, workers=1, **question
    )


def test_the_box_serves_whom_it_can() -> None:
    assert ask("4 fps", "4 fps").status == "optimal"
    short = ask("6 fps", "6 fps")
    assert short.status == "infeasible"
    assert "'box' (100 % of the time at most)" in short.message
    assert "with 1.2 times these limits" in short.message
    assert ask("6 fps", "6 fps", joint="served").outcome.value == 1.0


def heavy() -> dict[str, Any]:
    """Return a profile whose two blocks hold 3 kB and 5 kB."""
    profile = profile_data([0.05, 0.05], [1000, 500, 100], accuracy=0.9)
    for block, size in zip(profile["blocks"], (3000, 5000), strict=True):
        block["parameter_bytes"] = size
    return profile


def test_partitions_that_fit_a_node_one_by_one_and_not_together_are_refused() -> None:
    short = ask("4 fps", "4 fps", own=heavy(), room="12 kB", exclude=("cam0", "cam1"))
    assert short.status == "infeasible"
    assert "'box' has 12 kB of memory, of which the partitions of cam0 and cam1 need 16 kB or more" in short.message
    assert "with 1.334 times these limits there is a joint plan" in short.message  # lower rates would not help
    busy = ask("4 fps", "4 fps", own=heavy(), room="12 kB")
    assert "of one of the memory of 'box' (12 kB), 'cam0' (100 % of the time at most)" in busy.message
    assert ask("4 fps", "4 fps", own=heavy(), room="12 kB", joint="served").outcome.value == 1.0
    (box,) = ask("4 fps", "4 fps", own=heavy(), room="16 kB").memory
    assert box.by == {"cam0": 8000.0, "cam1": 8000.0}
    assert ask("4 fps", "4 fps", own=heavy()).memory == ()  # which nodes have how much is not known


@pytest.mark.parametrize("goal", ["mean", "worst", "served"])
def test_a_node_without_memory_runs_nothing(goal: str) -> None:
    answer = ask("4 fps", "4 fps", own=heavy(), room="0 B", slowdown=1.0, joint=goal)
    assert answer.status == "optimal"
    assert [each.placement for each in answer.plans] == [("cam0",), ("cam1",)]
    assert answer.memory == ()


@pytest.mark.parametrize("ignored", [False, True])
def test_what_a_profile_says_of_some_blocks_alone_is_not_added_up(*, ignored: bool) -> None:
    partly = heavy()
    partly["blocks"][0]["parameter_bytes"] = 7000
    del partly["blocks"][1]["parameter_bytes"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tiercut.TiercutWarning)  # that memory is not checked
        answer = ask("9 fps", "9 fps", own=partly, room="12 kB", slowdown=1.5, pin={1: "box"}, ignore_memory=ignored)
    assert [each.placement for each in answer.plans] == [("box", "cam0"), ("box", "cam1")]
    assert answer.memory == ()


def test_only_sources_that_need_a_node_are_said_to_need_its_memory() -> None:
    short = ask("4 fps", "4 fps", own=heavy(), room="12 kB", far=True, exclude=("cam0", "cam1"))
    assert "of which the partitions of cam0 and cam1 need 16 kB or more" in short.message


def test_what_is_needed_is_told_apart_from_what_there_is() -> None:
    most, least = 15_998, 16_000
    short = ask("4 fps", "4 fps", own=heavy(), room=f"{most} B", exclude=("cam0", "cam1"))
    assert "'box' has 15,998 B of memory" in short.message
    assert f"need {least:,} B or more; with 1.001 times these limits" in short.message
    busy = ask("5.0001 fps", "5 fps", exclude=("cam0", "cam1"))
    assert "'box' (100 % of the time at most) is busy for 100.001 % of the time or more" in busy.message
    assert "with 1.001 times these limits, or rates of 1/1.001 of these, there is a joint plan" in busy.message


def test_sources_that_do_not_go_together_for_no_one_place_are_told_so() -> None:
    assert why_short(Shortage()) == "no plans of the sources go together"
    assert why_short(Shortage(factor=1.5)) == "no plans of the sources go together"


def test_a_search_that_finds_no_joint_plan_in_time_says_that_some_may_be_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "choose_whole", lambda *_: Choice((), inf, proved=False))
    monkeypatch.setattr(search._Search, "_adopt", lambda *_: None)
    answer = ask("0.1 fps", "0.1 fps", own=heavy(), room="11 kB")
    assert answer.status == "stopped"
    assert answer.message.endswith("; joint 'served' asks for the most sources that can be")


def test_a_plan_holds_less_on_a_node_so_that_all_fit_there() -> None:
    alone = ask("0.1 fps", "0.1 fps", own=heavy(), room="1 MB")
    assert [each.placement for each in alone.plans] == [("box",), ("box",)]
    answer = ask("0.1 fps", "0.1 fps", own=heavy(), room="11 kB")
    assert answer.status == "optimal"
    assert sorted(each.placement for each in answer.plans) == [("box",), ("box", "cam1")]
    (box,) = answer.memory
    assert box.needed == sum(box.by.values()) <= box.most == 11_000


def test_memory_that_is_ignored_is_told_and_not_added_up() -> None:
    answer = ask("4 fps", "4 fps", own=heavy(), room="12 kB", ignore_memory=True)
    (box,) = answer.memory
    assert json.loads(answer.to_json())["joint"]["memory"] == [
        {"node": "box", "needed_bytes": 16_000.0, "most_bytes": 12_000.0, "by": box.by}
    ]
    (said,) = [each for each in joint_remarks(answer) if "memory" in each]
    assert "the partitions of cam0, cam1 need 16 kB on 'box', which has 12 kB" in said
    assert memory_rows(answer).cells == (("box", "16 kB", "12 kB", "cam0 8 kB, cam1 8 kB"),)


def test_memory_that_a_node_has_none_of_is_told_too_where_it_is_ignored() -> None:
    answer = ask("4 fps", "4 fps", own=heavy(), room="0 B", ignore_memory=True)
    assert memory_rows(answer).cells == (("box", "16 kB", "0 B", "cam0 8 kB, cam1 8 kB"),)


def test_what_is_printed_of_a_joint_answer_has_its_plans_its_loads_and_the_memory_of_nodes_that_have_some() -> None:
    answer = ask("4 fps", "4 fps", own=heavy(), room="1 MB")
    text = str(answer)
    for words in ("2 sources on", "the least weighted mean latency", "what the sources share", "memory"):
        assert words in text
    assert all(cell in text for row in memory_rows(answer).cells for cell in row)
    assert "<pre>" in answer._repr_html_()
    assert "memory" not in str(ask("4 fps", "4 fps", own=heavy()))
    assert "infeasible" in str(ask("6 fps", "6 fps"))


def test_the_checker_finds_a_node_whose_memory_is_too_little() -> None:
    answer = ask("4 fps", "4 fps", own=heavy(), room="16 kB")
    check_joint(answer.sources, answer.loads, answer.memory)
    (box,) = answer.memory
    with pytest.raises(tiercut.TiercutError, match="partitions on 'box' need 16000"):
        check_joint(answer.sources, answer.loads, [SharedMemory("box", 12_000.0, box.by)])


def test_the_checker_allows_memory_what_it_allows_time() -> None:
    over = SharedMemory("box", 1e12, {"cam0": 5e11, "cam1": 5e11 * (1 + 3e-9)})  # as far as rounding may take it
    check_joint((), (SharedLoad("box", 1.0, {"cam0": 1 + 1.5e-9}),), (over,))


def test_a_source_without_a_plan_of_its_own_is_named() -> None:
    answer = ask("1 fps", "1 fps", min_accuracy=0.95)
    assert answer.status == "infeasible"
    assert "source 'cam0': " in answer.message
    assert "the best that can be had is 0.9" in answer.message


def test_questions_that_fit_one_stream_alone_are_refused() -> None:
    for question, said in (
        ({"rate": "3 fps"}, "rate"),
        ({"objective": "bytes"}, "latency"),
        ({"certify": 0.9}, "certify"),
    ):
        with pytest.raises(tiercut.QuestionError, match=said):
            ask("1 fps", **question)
    with pytest.raises(tiercut.QuestionError, match="several sources"):
        tiercut.solve("factory", "resnet20-digits32")
    with pytest.raises(tiercut.QuestionError, match="joint"):
        tiercut.solve("mobile", "resnet20-digits32", joint="mean")


def test_the_checker_finds_a_place_that_is_too_busy() -> None:
    answer = ask("4 fps", "4 fps")
    check_joint(answer.sources, answer.loads)
    box = next(load for load in answer.loads if load.place == "box")
    with pytest.raises(tiercut.TiercutError, match="'box' is busy"):
        check_joint(answer.sources, [SharedLoad("box", 0.5, box.by)])


def test_an_answer_file_has_the_source_and_the_rate_of_each_plan(tmp_path: Path) -> None:
    answer = ask("4 fps", "3 fps")
    data = json.loads(answer.to_json())
    assert [each["source"] for each in data["plans"]] == ["cam0", "cam1"]
    assert data["joint"]["gap"] == 0.0
    (tmp_path / "joint.json").write_text(answer.to_json())
    read = load_answer(tmp_path / "joint.json")
    assert read.streams == {1: ("cam0", 4.0), 2: ("cam1", 3.0)}
    assert list(read.plans) == list(answer.plans)
