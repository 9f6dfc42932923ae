"""Query files: what they hold, what is said of wrong ones, and how keywords lie on top of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.made import both, exits_data, profile_data, topology_data

import tiercut
from tiercut.analysis.keyword_types import QuestionKeywords
from tiercut.errors import InputError, QuestionError
from tiercut.optimizer.measures.registry import KINDS
from tiercut.optimizer.query import Bound, Query
from tiercut.optimizer.questions.bound_text import bound_of, nearest_limit, shown
from tiercut.optimizer.questions.make_query import make_query, merged
from tiercut.optimizer.questions.query_file import QueryFile, load_query, ready_queries
from tiercut.optimizer.questions.question_options import QuestionOptions

WHOLE = """\
format: tiercut.query/1
objective: bytes
min_accuracy: 0.5
max_latency: 80 ms
exits: free
thresholds: per-exit
codec: auto
order: forward
top: 3
all_decisions: true
bounds:
  - {measure: bytes, place: edge>cloud, at_most: 1 MB}
  - {measure: share, place: edge, at_least: 30 %, at_most: 0.9}
  - {measure: blocks, place: edge, at_least: 50 %}
  - {measure: blocks, place: cloud, at_most: 4}
  - {measure: compute, place: pi, at_most: 1 s}
  - {measure: memory, place: pi, at_most: 512 MiB}
  - {measure: energy, at_most: 3 J}
  - {measure: cost, at_most: 0.01 $}
  - {measure: utilisation, place: pi, at_most: 0.8}
rate: 30 fps
include: [edge]
exclude: [cloud]
use_all_tiers: true
only: distributed
partitions: {at_most: 3}
pin: {7: edge, 1: pi}
keep_first: 2
"""
TOPOLOGY = tiercut.Topology.from_data(topology_data("near far", [both("near", "far", 1, 4)]))
EXITS = exits_data([0.5, 0.75, 0.9], [0.5, 0.25, 0.25], [0.25, 0.25, 0.5])
PROFILE = tiercut.Profile.from_data(profile_data([1.0, 2.0, 4.0], [12.0, 8.0, 4.0, 0.0], exits=EXITS))


def written(folder: Path, text: str, name: str = "query.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_every_key_of_a_query_file_becomes_a_part_of_the_question(tmp_path: Path) -> None:
    assert make_query("rank", load_query(written(tmp_path, WHOLE)).question) == Query(
        kind="rank",
        objective="bytes",
        min_accuracy=0.5,
        max_latency_s=0.08,
        exits="free",
        per_exit=True,
        codec="auto",
        order="forward",
        top=3,
        bounds=(
            Bound("bytes", "edge>cloud", at_most=1e6),
            Bound("share", "edge", at_most=0.9),
            Bound("share", "edge", at_least=0.3),
            Bound("blocks", "edge", at_least=0.5, relative=True),
            Bound("blocks", "cloud", at_most=4),
            Bound("compute", "pi", at_most=1),
            Bound("memory", "pi", at_most=2.0**29),
            Bound("energy", at_most=3),
            Bound("cost", at_most=0.01),
            Bound("utilisation", "pi", at_most=0.8),
        ),
        rate_fps=30.0,
        max_utilisation=1.0,
        include=("edge",),
        exclude=("cloud",),
        use_all_tiers=True,
        fewest_partitions=2,
        most_partitions=3,
        pins=((1, "pi"), (7, "edge")),
        keep_first=2,
    )


def test_a_query_file_may_be_json(tmp_path: Path) -> None:
    data = {"format": "tiercut.query/1", "pin": {"7": "edge"}, "bounds": [{"measure": "cost", "at_most": "1 $"}]}
    query = make_query("solve", load_query(written(tmp_path, json.dumps(data), "query.json")).question)
    assert query == Query(pins=((7, "edge"),), bounds=(Bound("cost", at_most=1.0),))


def test_an_empty_question_says_nothing(tmp_path: Path) -> None:
    assert make_query("solve", load_query(written(tmp_path, "format: tiercut.query/1\n")).question) == Query()


@pytest.mark.parametrize(
    ("line", "place", "words"),
    [
        ("objektive: latency", (2, 12), ["unknown key 'objektive'", "did you mean 'objective'?"]),
        ("objective: latencies", (2, 12), ["objective", "did you mean 'latency'?", "accuracy"]),
        ("min_accuracy: 92", (2, 15), ["min_accuracy", "between 0 and 1", "did you mean '92 %'"]),
        ("min_accuracy: 5 of final", (2, 15), ["min_accuracy", "between 0 and 1"]),
        ("min_accuracy: almost final", (2, 15), ["'95 % of final'"]),
        ("max_loss: 2 %", (2, 11), ["max_loss", "'2 points'", "'98 % of final'"]),
        ("max_loss: 2", (2, 11), ["max_loss", "'2 points'"]),
        ("max_latency: 80", (2, 14), ["max_latency", "'40 ms'", "bare value 80"]),
        ("max_latency: 80 MB", (2, 14), ["'MB'", "ms"]),
        ("exits: cut", (2, 8), ["'cuts', 'final' or 'free'", "'cut'"]),
        ("thresholds: each", (2, 13), ["'one' or 'per-exit'", "'each'"]),
        ("rate: 30", (2, 7), ["rate", "30 fps"]),
        ("rate: 0 fps", (2, 7), ["greater than 0"]),
        ("top: 0", (2, 6), ["at least 1", "0"]),
        ("include: edge", (2, 10), ["expected a list", "'edge'"]),
        ("use_all_tiers: 1", (2, 16), ["true or false"]),
        ("only: natve", (2, 7), ["'native' or 'distributed'"]),
        ("partitions: 0", (2, 13), ["expected a number such as 2", "0"]),
        ("partitions: {at_mst: 2}", (2, 22), [": partitions.at_mst: unknown key", "did you mean 'at_most'"]),
        ("partitions: two", (2, 13), ["expected a number such as 2", "'two'"]),
        ("partitions: {at_least: 3, at_most: 2}", (2, 13), ["at least 3 and at most 2"]),
        ("only: native\npartitions: 2", (3, 13), ["native is one partition"]),
        ("only: distributed\npartitions: 1", (3, 13), ["distributed is two"]),
        ("pin: {seven: edge}", (2, 14), ["pin.seven", "number of a block", "'layer NAME'", "'seven'"]),
        ("pin: {0: edge}", (2, 10), ["counted from 1"]),
        ("pin: {7: 1}", (2, 10), ["expected text", "1"]),
        ("keep_first: -1", (2, 13), ["0 or more"]),
        ("include: [a]\nexclude: [b, a]", (3, 14), ["'a' stands in include too"]),
        ("bandwidth: {a-b: 10}", (2, 18), ["bandwidth.a-b", "10 Mb/s"]),
        ("slowdown: {a: 0}", (2, 15), ["greater than 0"]),
        ("bounds: [{measure: bites, at_most: 1 MB}]", (2, 20), ["bounds[0].measure", "did you mean 'bytes'?"]),
        ("bounds: [{at_most: 1 MB}]", (2, 10), ["bounds[0].measure", "missing"]),
        ("bounds: [{measure: bytes}]", (2, 10), ["at_most, at_least or both"]),
        ("bounds: [{measure: bytes, at_most: 1 s}]", (2, 36), ["bounds[0].at_most", "size", "'s'"]),
        ("bounds: [{measure: bytes, at_most: 1000}]", (2, 36), ["size with its unit", "1000"]),
        ("bounds: [{measure: bytes, place: edge, at_most: 1 B}]", (2, 34), ["two places as a>b", "'edge'"]),
        ("bounds: [{measure: cost, place: edge, at_most: 1 $}]", (2, 33), ["cost is of the whole plan"]),
        ("bounds: [{measure: compute, at_most: 1 s}]", (2, 10), ["bounds[0].place", "needs a node or a tier"]),
        ("bounds: [{measure: share, place: e, at_least: 30}]", (2, 47), ["between 0 and 1", "'30 %'"]),
        ("bounds: [{measure: share, place: e, at_least: 130 %}]", (2, 47), ["at most 100 %"]),
        ("bounds: [{measure: blocks, place: e, at_least: 1.5}]", (2, 48), ["12 or '50 %' of all", "1.5"]),
        ("bounds: [{measure: blocks, place: e, at_least: true}]", (2, 48), ["12 or '50 %' of all"]),
        ("bounds: [{measure: utilisation, place: e, at_most: -1}]", (2, 52), ["0.8", "-1"]),
        ("bounds: [{measure: cost, at_least: 2 $, at_most: 1 $}]", (2, 36), ["at_least is more than at_most"]),
        ("bounds: [{measure: cost, at_most: 1 €}]", (2, 35), ["'0.01 $'", "€"]),
    ],
)
def test_a_wrong_query_file_is_refused_with_its_place(
    tmp_path: Path, line: str, place: tuple[int, int], words: list[str]
) -> None:
    path = written(tmp_path, f"format: tiercut.query/1\n{line}\n")
    with pytest.raises(InputError) as raised:
        load_query(path)
    message = str(raised.value)
    assert all(word in message for word in words), message
    assert f"{path}:{place[0]}:{place[1]}: " in message, message


@pytest.mark.parametrize("format_", ["tiercut.query/2", "tiercut.topology/1", "query"])
def test_another_format_is_refused(tmp_path: Path, format_: str) -> None:
    with pytest.raises(InputError, match=r"tiercut\.query/1"):
        load_query(written(tmp_path, f"format: {format_}\n"))


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("bytes:edge>cloud<=1 MB", Bound("bytes", "edge>cloud", at_most=1e6)),
        ("bytes:a>b>=1 MB", Bound("bytes", "a>b", at_least=1e6)),
        (" bytes <= 1 MB ", Bound("bytes", at_most=1e6)),
        ("share:my edge >= 30 %", Bound("share", "my edge", at_least=0.3)),
        ("share:e>=0.3", Bound("share", "e", at_least=0.3)),
        ("blocks:e<=12", Bound("blocks", "e", at_most=12.0)),
        ("blocks:e<=50 %", Bound("blocks", "e", at_most=0.5, relative=True)),
        ("latency>=1 s", Bound("latency", at_least=1.0)),
        ("cost<=0.001 $", Bound("cost", at_most=0.001)),
        ("utilisation:e<=1.5", Bound("utilisation", "e", at_most=1.5)),
    ],
)
def test_a_bound_is_read_from_text_and_written_as_text_that_reads_the_same(text: str, bound: Bound) -> None:
    assert bound_of(text) == bound
    assert bound_of(shown(bound)) == bound


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bytes", ["'bytes:edge>cloud<=1 MB'", "not 'bytes'"]),
        ("bytes:a>b=1 MB", ["is written as"]),
        ("bites<=1 MB", ["did you mean 'bytes'?"]),
        ("bytes<=1", ["'bytes<=1'", "no unit"]),
        ("bytes:edge<=1 MB", ["two places as a>b"]),
        ("bytes:a>b>c<=1 MB", ["two places as a>b"]),
        ("bytes:>b<=1 MB", ["two places as a>b"]),
        ("compute<=1 s", ["needs a node or a tier"]),
        ("cost:pi<=1 $", ["leave the place 'pi' out"]),
        ("energy:<=1 J", ["is written as"]),
        ("share:e>=nan", ["0.3 or '30 %'"]),
        ("share:e>=", ["0.3 or '30 %'"]),
    ],
)
def test_a_bound_that_is_none_says_how_one_is_written(text: str, words: list[str]) -> None:
    with pytest.raises(QuestionError) as raised:
        bound_of(text)
    assert all(word in str(raised.value) for word in words), str(raised.value)


@pytest.mark.parametrize("value", [0.0, 1e-7, 0.12345678, 0.99999999, 123456.789, 2.0**29])
@pytest.mark.parametrize("measure", list(KINDS))
def test_the_nearest_limit_that_is_named_holds_for_the_value(measure: str, value: float) -> None:
    if measure == "share" and value > 1:
        return
    quantity = KINDS[measure].quantity
    for side in ("at_most",) if KINDS[measure].peak else ("at_most", "at_least"):
        sign = "<=" if quantity.side(side) == "at_most" else ">="
        near = nearest_limit(Bound(measure, "a>b" if measure == "bytes" else "a", **{side: 0.5}), value)  # type: ignore[arg-type]
        place = KINDS[measure].places.forms[0].replace("PLACE", "a")
        limit = getattr(bound_of(f"{measure}{place}{sign}{near}"), side)
        slack = 1e-9 * max(1.0, limit)
        assert limit >= value - slack if side == "at_most" else limit <= value + slack
        assert limit == pytest.approx(value, rel=1e-3, abs=1.0 if measure == "blocks" else 1e-9)


# Ready-made queries


@pytest.mark.parametrize("name", ready_queries())
def test_every_ready_made_query_is_a_question_and_names_its_source(name: str) -> None:
    assert make_query("solve", load_query(name).question) != Query()
    text = (Path(tiercut.__file__).parent / "optimizer" / "questions" / "ready" / f"{name}.yaml").read_text()
    assert text.startswith("# The ")
    assert "# Source: " in text


def test_a_ready_made_query_that_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="did you mean 'edge-only'"):
        load_query("edge-onyl")


def test_a_file_of_that_name_comes_before_a_ready_made_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "format: tiercut.query/1\ntop: 7\n", "edge-only")
    assert load_query("edge-only").top == 7


# On top of a file


def on_top(above: QuestionKeywords, text: str = WHOLE) -> Query:
    from tiercut import documents

    data = documents.parse_yaml(text, "text")
    file = documents.validate(data, QueryFile, format_="tiercut.query/1", source="text", text=text)
    return make_query("solve", merged(file.question, QuestionOptions(**above)))


def test_a_keyword_takes_the_place_of_what_the_file_says() -> None:
    query = on_top({"objective": "latency", "max_latency": "1 s", "keep_first": 0, "exits": None})
    assert (query.objective, query.max_latency_s, query.keep_first, query.exits) == ("latency", 1.0, 0, "free")


def test_bounds_add_up_and_the_same_side_of_the_same_one_is_replaced() -> None:
    text = "format: tiercut.query/1\nbounds: [{measure: cost, at_least: 1 $, at_most: 2 $}]\n"
    query = on_top({"bounds": ["cost<=3 $", "bytes<=1 MB"]}, text)
    assert set(query.bounds) == {Bound("cost", at_least=1), Bound("cost", at_most=3), Bound("bytes", at_most=1e6)}


def test_pins_add_up_by_block() -> None:
    assert on_top({"pin": {7: "cloud", 8: "pi"}}).pins == ((1, "pi"), (7, "cloud"), (8, "pi"))


def test_what_a_keyword_includes_is_no_longer_excluded() -> None:
    query = on_top({"include": ["cloud"]})
    assert (query.include, query.exclude) == (("edge", "cloud"), ())


def test_only_and_partitions_are_one_thing() -> None:
    query = on_top({"partitions": 1})
    assert (query.fewest_partitions, query.most_partitions) == (1, 1)
    query = on_top({"only": "native"})
    assert (query.fewest_partitions, query.most_partitions) == (1, 1)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"only": "native", "partitions": 2}, ["native", "1 partition", "excludes"]),
        ({"only": "distributed", "partitions": "1"}, ["distributed", "2 partitions or more", "excludes"]),
        ({"partitions": "2-"}, ["range such as 1-3", "'2-'"]),
        ({"partitions": "3-2"}, ["at least 3 and at most 2"]),
        ({"partitions": 0}, ["at least 1 partition"]),
        ({"thresholds": "each"}, ["thresholds", "per-exit"]),
        ({"rate": "30"}, ["rate", "30 fps"]),
        ({"rate": 0.0}, ["greater than 0"]),
        ({"include": "edge"}, ["include is a list", "'edge'"]),
        ({"include": ["a"], "exclude": ["a"]}, ["'a' cannot be both"]),
        ({"pin": {0: "a"}}, ["counted from 1"]),
        ({"keep_first": -1}, ["0 or more"]),
        ({"bounds": "cost<=1 $"}, ["bounds is a list"]),
    ],
)
def test_keywords_that_cannot_be_say_why(asked: Any, words: list[str]) -> None:
    with pytest.raises(QuestionError) as raised:
        make_query("solve", QuestionOptions(**asked))
    assert all(word in str(raised.value) for word in words), str(raised.value)


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        ({}, ["neither at_most nor at_least"]),
        ({"at_most": -1.0}, ["0 or more"]),
        ({"at_most": float("nan")}, ["finite"]),
        ({"at_most": 1.5, "relative": True}, ["between 0 and 1"]),
        ({"at_most": 1.0, "at_least": 2.0}, ["at most 1 and at least 2"]),
    ],
)
def test_a_bound_out_of_range_is_refused(bound: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(QuestionError) as raised:
        Bound("blocks", "a", **bound)
    assert all(word in str(raised.value) for word in words), str(raised.value)


# Answered


def test_a_question_can_be_asked_from_a_file_with_keywords_on_top(tmp_path: Path) -> None:
    path = written(tmp_path, "format: tiercut.query/1\nonly: distributed\nmin_accuracy: 0.5\n")
    assert len(tiercut.solve(TOPOLOGY, PROFILE, query=path).best.partition) == 2
    assert len(tiercut.solve(TOPOLOGY, PROFILE, query=load_query(path), only="native").best.partition) == 1
    assert len(tiercut.rank(TOPOLOGY, PROFILE, query=path, top=2)) == 2
    assert all(len(plan.partition) == 2 for plan in tiercut.frontier(TOPOLOGY, PROFILE, query=path))


def test_conditions_of_a_file_hold() -> None:
    """Block 1 near, 4 bytes of it sent: with 2 s of latency and 2 B/s the input of 6 bytes takes 5 s, not 4."""
    conditions = {"latency": {"near-far": "2 s"}, "bandwidth": {"near>far": "2 B/s"}, "input": "6 B", "result": "0 B"}
    from tiercut import documents

    data = {"format": "tiercut.query/1", "pin": {1: "far"}, "only": "native", **conditions}
    file = documents.validate(data, QueryFile, format_="tiercut.query/1", source="data")
    plan = tiercut.solve(TOPOLOGY, PROFILE, query=file).best
    assert (plan.placement, plan.input_s, plan.latency_s) == (("far",), 5.0, 5.0 + 1.0 + 2.0)


def test_a_keyword_that_there_is_not_is_refused() -> None:
    with pytest.raises(TypeError, match=r"solve\(\): .*'max_latancy'; did you mean 'max_latency'"):
        tiercut.solve(TOPOLOGY, PROFILE, max_latancy="1 s")  # type: ignore[call-arg]


def test_the_query_in_the_documentation_is_answered(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "questions.md").read_text(encoding="utf-8")
    text = page.partition("```yaml\n")[2].partition("```")[0]
    answer = tiercut.frontier("mobile", "resnet20-digits32", query=load_query(written(tmp_path, text)))
    assert answer.query.compared == ("latency", "bytes", "accuracy")
    assert len(answer.plans) > 1
    assert all("watch" not in plan.placement for plan in answer.plans)
