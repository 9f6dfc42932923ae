"""Conditions are one thing, however they are given: by flags, in a query file or by keywords."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import tiercut
from tiercut.analysis.keyword_types import ConditionKeywords, Question, QuestionKeywords, SolverKeywords
from tiercut.analysis.solver_options import SolverOptions
from tiercut.cli import main
from tiercut.errors import QuestionError
from tiercut.optimizer.conditions import Conditions
from tiercut.optimizer.questions.query_file import QueryFile, load_query
from tiercut.optimizer.questions.question_options import QuestionOptions
from tiercut.option_fields import flags_of, split_keywords

DIGITS = "resnet20-digits32"
GIVEN: dict[str, tuple[list[str], dict[str, Any]]] = {
    "source": (["--source", "phone"], {"source": "phone"}),
    "destination": (["--destination", "anywhere"], {"destination": "anywhere"}),
    "bandwidth": (
        ["--bandwidth", "watch-phone=100 kb/s", "--bandwidth", "phone>base=1 Mb/s"],
        {"bandwidth": {"watch-phone": "100 kb/s", "phone>base": "1 Mb/s"}},
    ),
    "latency": (["--latency", "phone-base=2 s"], {"latency": {"phone-base": "2 s"}}),
    "slowdown": (["--slowdown", "phone=200", "--slowdown", "base=0.5"], {"slowdown": {"phone": 200, "base": 0.5}}),
    "without": (["--without", "base", "--without", "cloud"], {"without": ["base", "cloud"]}),
    "forwarding": (["--forwarding", "cut-through"], {"forwarding": "cut-through"}),
    "one_partition_per": (["--one-partition-per", "tier"], {"one_partition_per": "tier"}),
    "accuracies": (["--accuracies", "separate"], {"accuracies": "separate"}),
    "input": (["--input", "170 KB"], {"input": "170 KB"}),
    "result": (["--result", "20 kB"], {"result": "20 kB"}),
    "condition": (
        ["--condition", "bandwidth(watch-phone)=100 kb/s", "--condition", "down(cloud)"],
        {"condition": {"bandwidth(watch-phone)": "100 kb/s", "down": ["cloud"]}},
    ),
}
"""Every condition as flags, and as keywords and keys of a file."""


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a recorded profile, with accuracies of branches trained alone besides."""
    loaded = tiercut.load_profile(DIGITS)
    assert loaded.exits is not None
    alone = [0.5 + 0.04 * block for block in range(loaded.block_count)]
    exits = loaded.exits.model_copy(update={"accuracy_separate": alone})
    path = tmp_path_factory.mktemp("alone") / "alone.json"
    tiercut.save_profile(loaded.model_copy(update={"exits": exits, "samples_file": None}), path)
    return str(path)


def by_flags(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    """Return the plans that a command prints, or what it says is wrong."""
    monkeypatch.setattr(sys, "argv", ["tiercut", *words, "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    return printed.err if ended.value.code else json.loads(printed.out)["plans"]


def plans(answer: tiercut.Answer) -> Any:
    return json.loads(answer.to_json())["plans"]


def file_of(folder: Path, **keys: Any) -> Path:
    path = folder / "query.json"
    path.write_text(json.dumps({"format": "tiercut.query/1", **keys}))
    return path


@pytest.mark.parametrize("name", GIVEN)
def test_python_flags_and_query_files_give_the_same_answer(
    name: str, profile: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flags, keywords = GIVEN[name]
    call = ["frontier", "mobile", profile]
    if name == "forwarding":  # which counts where payloads cross several links
        keywords, call = keywords | {"include": ["cloud"]}, [*call, "--include", "cloud"]
    wanted = by_flags(capsys, monkeypatch, *call, *flags)
    assert plans(tiercut.frontier("mobile", profile, **keywords)) == wanted
    path = str(file_of(tmp_path, **keywords))
    assert plans(tiercut.frontier("mobile", profile, query=path)) == wanted
    assert by_flags(capsys, monkeypatch, *call, "--query", path) == wanted
    if name == "one_partition_per":  # every node of mobile is a tier of its own
        assert tiercut.problem("mobile", profile, one_partition_per="tier").one_per_tier
    else:
        assert wanted != by_flags(capsys, monkeypatch, *call)


def test_every_condition_is_compared_above() -> None:
    assert list(GIVEN) == [each.name for each in fields(Conditions)]


def test_conditions_may_be_given_as_numbers() -> None:
    numbers = {"bandwidth": {"watch-phone": 12_500}, "latency": {"phone-base": 2}, "slowdown": {"phone": 20}}
    texts = {"bandwidth": {"watch-phone": "100 kb/s"}, "latency": {"phone-base": "2 s"}, "slowdown": {"phone": "20"}}
    loaded = tiercut.load_topology("mobile"), tiercut.load_profile(DIGITS)
    assert Conditions(**numbers, input=170, result=0).apply(*loaded) == Conditions(  # type: ignore[arg-type]
        **texts, input="170 B", result="0 B"
    ).apply(*loaded)


def test_a_slow_link_keeps_the_network_on_the_watch() -> None:
    question: Question = {"min_accuracy": 0.8}
    assert tiercut.solve("mobile", DIGITS, **question).best.placement == ("phone",)
    slow = tiercut.solve("mobile", DIGITS, **question, bandwidth={"watch-phone": "100 kb/s"}).best
    assert (slow.placement, round(slow.latency_s, 4)) == (("watch",), 0.6431)
    # A phone without the watch's link: nothing but the watch itself is near.
    alone = tiercut.solve("mobile", DIGITS, **question, without=["base", "cloud"], slowdown={"phone": 1000})
    assert alone.best.placement == ("watch",)


def test_every_function_takes_conditions() -> None:
    under: ConditionKeywords = {"slowdown": {"phone": 20}, "destination": "anywhere"}
    changed = tiercut.load_topology("mobile").with_changes(slowdown={"phone": 20.0}, destination="anywhere")
    best = tiercut.solve(changed, DIGITS, min_accuracy=0.9).best
    calls: list[Callable[..., Any]] = [
        lambda topology, **more: tiercut.rank(topology, DIGITS, min_accuracy=0.9, **more).plans,
        lambda topology, **more: tiercut.frontier(topology, DIGITS, **more).plans,
        lambda topology, **more: tiercut.ask(topology, DIGITS, tiercut.Query(min_accuracy=0.9), **more).plans,
        lambda topology, **more: tiercut.explain(topology, DIGITS, best, **more),
        lambda topology, **more: tiercut.replay(topology, DIGITS, best, **more).to_data(),
        lambda topology, **more: tiercut.plan(topology, DIGITS, partition=[5], placement=["phone"], **more),
        lambda topology, **more: tiercut.problem(topology, DIGITS, **more).span_s.whole.tolist(),
        lambda topology, **more: tiercut.why(topology, DIGITS, min_accuracy=0.9, kinds=(), **more).plan,
    ]
    for call in calls:
        assert call("mobile", **under) == call(changed)
        assert call("mobile") != call(changed)


WRONG: list[tuple[dict[str, Any], list[str], str]] = [
    ({"bandwidth": {"watch-phone": "fast"}}, ["--bandwidth", "watch-phone=fast"], "{} watch-phone: expected a bandw"),
    ({"bandwidth": {"watch-phone": 0}}, ["--bandwidth", "watch-phone=0 b/s"], "{} watch-phone: "),
    ({"latency": {"watch-phone": "-1 s"}}, ["--latency", "watch-phone=-1 s"], "{} watch-phone: "),
    ({"slowdown": {"phone": "x"}}, ["--slowdown", "phone=x"], "{} phone: expected a factor such as 2.5, got 'x'"),
    ({"slowdown": {"phone": "0"}}, ["--slowdown", "phone=0"], "{} phone: a slowdown must be greater than 0"),
    ({"forwarding": "fast"}, ["--forwarding", "fast"], "{} is store or cut-through, not 'fast'"),
    ({"one_partition_per": "x"}, ["--one-partition-per", "x"], "{} is node or tier, not 'x'"),
    ({"accuracies": "x"}, ["--accuracies", "x"], "{} is joint or separate, not 'x'"),
    ({"input": "170"}, ["--input", "170"], "{}: expected a size with its unit"),
    ({"without": ["clod"]}, ["--without", "clod"], "there is no node 'clod'; did you mean 'cloud'"),
]


@pytest.mark.parametrize(("keywords", "flags", "message"), WRONG)
def test_what_is_wrong_is_called_as_it_was_given(
    keywords: dict[str, Any],
    flags: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (name,) = keywords
    with pytest.raises(QuestionError) as raised:
        tiercut.solve("mobile", DIGITS, **keywords)
    assert message.format(name) in str(raised.value)
    assert message.format(flags[0]) in by_flags(capsys, monkeypatch, "solve", "mobile", DIGITS, *flags)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"bandwidth": {"watch-phone": True}}, "bandwidth watch-phone: expected a bandwidth with its unit"),
        ({"slowdown": {"phone": True}}, "slowdown phone: expected a factor"),
        ({"slowdown": {"phone": float("nan")}}, "slowdown phone: a slowdown must be greater than 0 and finite"),
        ({"latency": {"watch-phone": float("inf")}}, "latency watch-phone: a time must be finite and 0 or more"),
        ({"input": -1.0}, "input: a size must be finite and 0 or more"),
        ({"without": "cloud"}, "without is a list, not 'cloud' by itself"),
        ({"bandwidth": "1 Mb/s"}, "bandwidth is a mapping from names to values, not '1 Mb/s'"),
        ({"accuracies": "separate"}, "has no accuracies of branches that were trained alone"),
    ],
)
def test_python_can_say_what_flags_cannot_and_is_refused(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        tiercut.solve("mobile", DIGITS, **keywords)


def test_a_condition_that_there_is_not_is_refused() -> None:
    for call in (tiercut.solve, tiercut.problem, tiercut.rank):
        with pytest.raises(TypeError, match="'bandwith'; did you mean 'bandwidth'"):
            call("mobile", DIGITS, bandwith={})


def test_a_copy_whose_keys_do_not_fit_is_refused() -> None:
    mobile = tiercut.load_topology("mobile")
    with pytest.raises(QuestionError, match="topology 'mobile': there is no node 'far'"):
        tiercut.solve(mobile.model_copy(update={"source": "far"}), DIGITS)


def test_conditions_of_a_call_come_on_top_of_those_of_a_file(tmp_path: Path) -> None:
    path = file_of(
        tmp_path,
        bandwidth={"watch>phone": "1 kb/s", "phone-base": "1 kb/s"},
        slowdown={"phone": 3.0, "base": 7.0},
        without=["cloud"],
        source="phone",
        accuracies="separate",
        input="1 MB",
    )
    above = Conditions(
        bandwidth={"watch-phone": "2 kb/s"}, slowdown={"phone": 5}, without=[], source="watch", accuracies="joint"
    )
    topology, profile = above.on_top_of(load_query(path).conditions).apply(
        tiercut.load_topology("mobile"), tiercut.load_profile(DIGITS)
    )
    rates = {way: hop.bandwidth for way, hop in topology.hops.items()}
    assert rates["watch", "phone"] == rates["phone", "watch"] == 250
    assert rates["phone", "base"] == 125
    assert [node.slowdown for node in topology.nodes][1:] == [5, 7]
    assert (topology.source, topology.node_names, profile.input_bytes) == ("watch", ("watch", "phone", "base"), 1e6)


def test_nothing_said_changes_nothing() -> None:
    loaded = tiercut.load_topology("mobile"), tiercut.load_profile(DIGITS)
    assert all(new is old for new, old in zip(Conditions().apply(*loaded), loaded, strict=True))


@pytest.mark.parametrize(
    ("group", "keywords"),
    [
        (Conditions, ConditionKeywords),
        (QuestionOptions, QuestionKeywords),
        (SolverOptions, SolverKeywords),
    ],
)
def test_keywords_for_static_checkers_are_the_fields_of_the_group(group: Any, keywords: Any) -> None:
    declared = {name: each.__forward_arg__ for name, each in keywords.__annotations__.items()}
    assert declared == {each.name: each.type for each in fields(group)}


def test_a_query_file_has_every_keyword_of_a_question_and_every_condition() -> None:
    named = {each.name for group in (QuestionOptions, Conditions) for each in fields(group)}
    assert QueryFile.model_fields.keys() == {*named, "format"}


def test_a_question_in_python_has_every_keyword() -> None:
    names = {each.name for group in (QuestionOptions, Conditions, SolverOptions) for each in fields(group)}
    assert Question.__annotations__.keys() == names | {"query", "options"}


def test_groups_are_called_by_different_flags_and_keywords() -> None:
    groups = (QuestionOptions, Conditions, SolverOptions)
    flags = [flags_of(group)(each.name) for group in groups for each in fields(group)]
    assert len(flags) == len(set(flags))
    asked, conditions, who = split_keywords("f", {"source": "a", "top": 3, "seed": 1}, *groups)
    assert (asked.top, conditions.source, who.seed) == (3, "a", 1)


def test_who_answers_may_be_said_by_keywords_or_as_one_object() -> None:
    answer = tiercut.solve("mobile", DIGITS, solver="annealing", seed=3, workers=1, time_limit="5 s")
    same = tiercut.Options(seed=3, workers=1, time_limit_s=5.0)
    assert answer.plans == tiercut.solve("mobile", DIGITS, solver="annealing", options=same).plans
    with pytest.raises(QuestionError, match="give options, or seed by itself"):
        tiercut.solve("mobile", DIGITS, seed=3, options=same)
    with pytest.raises(QuestionError, match="time_limit: expected a time"):
        tiercut.solve("mobile", DIGITS, time_limit="5")
