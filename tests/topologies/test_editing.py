"""New figures for a link are written into a topology, and not a byte of anything else changes."""

from __future__ import annotations

import difflib
import json

import pytest
from hypothesis import given, settings, strategies as st
from ruamel.yaml import YAML

from tiercut.errors import InputError, QuestionError
from tiercut.topologies.editing import _splices, with_link
from tiercut.topologies.loader import _folder as ready_made_folder, ready_made, topology_from_text

TEXT = """\
# A head, with an umlaut: ü.
format: tiercut.topology/1
name: made
nodes: [{name: cam}, {name: box},   {name: "2500"}, {name: far}]
links:   # the links
  - {between: [cam, box], bandwidth: 1 Mb/s, latency: 2 ms, price: 1 $/GB}   # first
  # before the second
  - {from: box, to: "2500",   bandwidth: "1 Mb/s", latency: 2 ms}   # second
  - between: [ "2500", far ]   # third
    bandwidth: 1 Mb/s # its bandwidth
    latency: 1 ms
    # behind the third
source: cam   # where it begins
destination: anywhere
"""
HEAD = "format: tiercut.topology/1\nname: made\nnodes: [{name: cam}, {name: box}]\n"


def both(a: str, b: str) -> dict[tuple[str, str], tuple[float, float]]:
    return {(a, b): (1e6, 0.0125), (b, a): (2.5e7, 0.0125)}


def changes(text: str, new: str) -> list[str]:
    """Return the lines that are gone and those that are new, each with its sign."""
    lines = list(difflib.unified_diff(text.splitlines(), new.splitlines(), n=0, lineterm=""))[2:]
    return [f"{line[0]} {line[1:]}" for line in lines if line[0] in "+-"]


def test_a_link_both_ways_becomes_two_and_its_comment_stays_with_the_second() -> None:
    assert changes(TEXT, with_link(TEXT, "made.yaml", both("cam", "box"))) == [
        "-   - {between: [cam, box], bandwidth: 1 Mb/s, latency: 2 ms, price: 1 $/GB}   # first",
        "+   - {from: cam, to: box, bandwidth: 8 Mb/s, latency: 12.5 ms, price: 1 $/GB}",
        "+   - {from: box, to: cam, bandwidth: 200 Mb/s, latency: 12.5 ms, price: 1 $/GB}   # first",
    ]


def test_a_link_one_way_keeps_its_spaces_and_quotes_and_the_other_way_is_added() -> None:
    assert changes(TEXT, with_link(TEXT, "made.yaml", both("box", "2500"))) == [
        '-   - {from: box, to: "2500",   bandwidth: "1 Mb/s", latency: 2 ms}   # second',
        '+   - {from: box, to: "2500",   bandwidth: "8 Mb/s", latency: 12.5 ms}   # second',
        '+   - {from: "2500", to: box, bandwidth: 200 Mb/s, latency: 12.5 ms}',
    ]


def test_a_link_in_several_lines_becomes_two_such() -> None:
    assert changes(TEXT, with_link(TEXT, "made.yaml", both("far", "2500"))) == [
        '-   - between: [ "2500", far ]   # third',
        "-     bandwidth: 1 Mb/s # its bandwidth",
        "-     latency: 1 ms",
        '+   - from: "2500"',
        "+     to: far",
        "+     bandwidth: 200 Mb/s",
        "+     latency: 12.5 ms",
        "+   - from: far",
        '+     to: "2500"   # third',
        "+     bandwidth: 8 Mb/s # its bandwidth",
        "+     latency: 12.5 ms",
    ]


def test_line_ends_of_windows_stay() -> None:
    new = with_link(TEXT.replace("\n", "\r\n"), "made.yaml", both("far", "2500"))
    assert new.count("\r\n") == TEXT.count("\n")
    assert topology_from_text(new).hops["far", "2500"].bandwidth == 1e6


@pytest.mark.parametrize("links", ["", "links: []\n"])
@pytest.mark.parametrize("end", ["\n", ""])
def test_a_list_of_links_is_begun_where_there_is_none(links: str, end: str) -> None:
    """Nodes that no link joins are no topology, so this is only seen from inside."""
    text = f"format: tiercut.topology/1\nname: made\nnodes: [{{name: cam}}]\n{links}source: cam{end}"
    said = {("cam", "box"): {"bandwidth": "8 Mb/s", "latency": "1 ms"}}
    ((begin, stop, words),) = _splices(text, said)
    made = YAML(typ="safe").load(text[:begin] + words + text[stop:])
    assert made["links"] == [{"from": "cam", "to": "box", "bandwidth": "8 Mb/s", "latency": "1 ms"}]
    assert with_link(text, "made.yaml", {}) == text


def test_links_that_are_missing_are_added_in_the_layout_of_the_others() -> None:
    flow = HEAD + "links: [{between: [cam, box], bandwidth: 1 Mb/s, latency: 2 ms}]  # all\nsource: cam\n"
    flow = flow.replace("{name: box}", "{name: box}, {name: far}").replace("cam\n", "cam\ndestination: anywhere\n")
    flow = flow.replace("2 ms}]", "2 ms}, {from: box, to: far, bandwidth: 1 Mb/s, latency: 2 ms}]")
    assert changes(flow, with_link(flow, "made.yaml", both("cam", "far")))[1] == (
        "+ links: [{between: [cam, box], bandwidth: 1 Mb/s, latency: 2 ms}, {from: box, to: far, bandwidth: 1 Mb/s, "
        "latency: 2 ms}, {from: cam, to: far, bandwidth: 8 Mb/s, latency: 12.5 ms}, "
        "{from: far, to: cam, bandwidth: 200 Mb/s, latency: 12.5 ms}]  # all"
    )


@pytest.mark.parametrize("indent", [None, 1, 4])
def test_json_stays_json(indent: int | None) -> None:
    data = {
        "format": "tiercut.topology/1",
        "name": "made",
        "nodes": [{"name": "cam"}, {"name": "bö x"}],
        "links": [{"between": ["cam", "bö x"], "bandwidth": "1 Mb/s", "latency": "2 ms"}],
        "source": "cam",
    }
    new = json.loads(with_link(json.dumps(data, indent=indent), "made.json", both("cam", "bö x")))
    assert new.pop("links") == [
        {"from": "cam", "to": "bö x", "bandwidth": "8 Mb/s", "latency": "12.5 ms"},
        {"from": "bö x", "to": "cam", "bandwidth": "200 Mb/s", "latency": "12.5 ms"},
    ]
    assert new == {key: value for key, value in data.items() if key != "links"}


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_every_pair_of_every_ready_made_topology_can_be_written(data: st.DataObject) -> None:
    text = (ready_made_folder() / f"{data.draw(st.sampled_from(ready_made()))}.yaml").read_text(encoding="utf-8")
    before = topology_from_text(text)
    a, b = data.draw(st.permutations(before.node_names))[:2]
    rates = data.draw(st.tuples(*[st.floats(1.0, 1e10)] * 2))
    after = topology_from_text(with_link(text, "made.yaml", {(a, b): (rates[0], 0.01), (b, a): (rates[1], 0.02)}))
    assert {pair: hop for pair, hop in after.hops.items() if pair not in {(a, b), (b, a)}} == {
        pair: hop for pair, hop in before.hops.items() if pair not in {(a, b), (b, a)}
    }
    assert after.hops[a, b].bandwidth == pytest.approx(rates[0], rel=1e-3)
    assert after.hops[b, a].bandwidth == pytest.approx(rates[1], rel=1e-3)
    assert (after.hops[a, b].latency, after.hops[b, a].latency) == (0.01, 0.02)
    assert after.nodes == before.nodes


def test_an_unknown_node_or_a_broken_file_is_refused() -> None:
    with pytest.raises(QuestionError, match=r"there is no node 'camm'; did you mean 'cam'\?"):
        with_link(TEXT, "made.yaml", both("camm", "box"))
    with pytest.raises(InputError, match=r"made\.yaml:6:3: linx: unknown key"):
        with_link(TEXT.replace("links:", "linx:"), "made.yaml", both("cam", "box"))
