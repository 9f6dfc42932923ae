from __future__ import annotations

import io
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from support.seeded.topologies import topologies

from tiercut.errors import QuestionError
from tiercut.report.pictures import topology_picture
from tiercut.report.saving import save
from tiercut.report.topology.drawing import draw
from tiercut.report.topology.labels import sampled
from tiercut.report.topology.layout import Drawing, lay_out
from tiercut.topologies import Topology, load_topology, ready_made, topology_from_text

TIERS = """\
format: tiercut.topology/1
name: tiers
nodes:
  - {name: pi, tier: device}
  - {name: e1, tier: edge}
  - {name: e2, tier: edge, slowdown: 2, device: box}
  - {name: c, tier: cloud}
links:
  - {between: [pi, e1], bandwidth: 1 Mb/s, latency: 1 ms}
  - {between: [pi, e2], bandwidth: 1 Mb/s, latency: 1 ms}
  - {between: [pi, c], bandwidth: 3 Mb/s, latency: 9 ms}
  - {between: [e1, c], bandwidth: 5 Mb/s, latency: 1 ms}
  - {from: e2, to: c, bandwidth: 6 Mb/s, latency: 1 ms, price: 1 $/GB}
  - {from: c, to: e2, bandwidth: 7 Mb/s, latency: 1 ms, price: 1 $/GB}
  - {from: e1, to: e2, bandwidth: 8 Mb/s, latency: 1 ms}
source: pi
"""


def check_nothing_overlaps(plan: Drawing) -> None:
    boxes = [*(node.box for node in plan.nodes), *(label.box for label in (*plan.labels, *plan.headers))]
    for first, second in combinations(boxes, 2):
        assert not first.overlaps(second), (first, second)
    for line in plan.lines:
        others = [node.box for node in plan.nodes if node.name not in (line.first, line.second)]
        assert not any(box.holds(point) for box in others for point in sampled(line.path)), line
    for box in boxes:
        assert plan.frame.left <= box.left <= box.right <= plan.frame.right
        assert plan.frame.bottom <= box.bottom <= box.top <= plan.frame.top


@pytest.mark.parametrize("name", ready_made())
def test_nothing_overlaps_in_a_ready_made_drawing_and_every_link_has_its_label(name: str) -> None:
    plan = lay_out(load_topology(name))
    check_nothing_overlaps(plan)
    assert plan.unlabelled == 0


@settings(max_examples=100, deadline=None)
@given(topologies(tiers=4))
def test_nothing_overlaps_whatever_the_network(topology: Topology) -> None:
    plan = lay_out(topology)
    check_nothing_overlaps(plan)
    assert {node.name for node in plan.nodes} == set(topology.node_names)
    assert {frozenset((line.first, line.second)) for line in plan.lines} == set(map(frozenset, topology.hops))


def test_tiers_are_columns_in_the_order_of_the_file_and_nodes_their_rows() -> None:
    boxes = {node.name: node.box for node in lay_out(topology_from_text(TIERS)).nodes}
    assert boxes["pi"].x < boxes["e1"].x == boxes["e2"].x < boxes["c"].x
    assert boxes["e1"].y > boxes["e2"].y
    assert [header.text for header in lay_out(topology_from_text(TIERS)).headers] == ["device", "edge", "cloud"]


def test_nodes_without_tiers_need_no_headers() -> None:
    assert lay_out(load_topology("mobile")).headers == ()


def test_a_node_says_what_it_runs_as_and_which_end_it_is() -> None:
    lines = {node.name: node.lines for node in lay_out(topology_from_text(TIERS)).nodes}
    assert lines["pi"] == ("pi", "slowdown 1", "source, destination")
    assert lines["e2"] == ("e2", "box", "slowdown 2")


def test_alike_links_between_two_tiers_share_a_label_and_others_have_their_own() -> None:
    labels = [label.text for label in lay_out(topology_from_text(TIERS)).labels]
    assert sorted(labels) == [
        "3 Mb/s\n9 ms",
        "5 Mb/s\n1 ms",
        "8 Mb/s\n1 ms",
        "each 1 Mb/s\n1 ms",
        "→ 6 Mb/s, 1 ms, 1 $/GB\n← 7 Mb/s, 1 ms, 1 $/GB",
    ]


def test_an_arrow_points_where_a_link_leads_unless_both_ways_are_alike() -> None:
    arrows = {(line.first, line.second): line.arrows for line in lay_out(topology_from_text(TIERS)).lines}
    assert arrows["pi", "e1"] == (False, False)
    assert arrows["e1", "e2"] == (False, True)
    assert arrows["e2", "c"] == (True, True)


def test_title_and_caption_say_what_the_boxes_cannot() -> None:
    assert lay_out(load_topology("aws-chain")).title == "aws-chain (cut-through, packets of 9 kB)"
    caption = lay_out(load_topology("scission-3g")).caption
    assert caption == "results stay where they are made; one node of each tier at most; parts in the order of the tiers"


def test_texts_fit_into_their_boxes() -> None:
    """The sizes that the layout reckons with are checked against what is really drawn."""
    for name in ready_made():
        ax = draw(load_topology(name))
        figure = ax.get_figure()
        assert figure is not None
        figure.canvas.draw()
        plan = lay_out(load_topology(name))
        drawn = {text.get_text(): text.get_window_extent() for text in ax.texts}
        for node in plan.nodes:
            for line in node.lines:
                width = drawn[line].transformed(ax.transData.inverted()).width
                assert width < node.box.width, line
        for label in plan.labels:
            extent = drawn[label.text].transformed(ax.transData.inverted())
            assert extent.width < label.box.width + 0.1
            assert extent.height < label.box.height + 0.1


def test_it_draws_on_axes_that_are_given() -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4, 1.0))
    ax = figure.add_subplot()
    assert draw(load_topology("mobile"), ax) is ax
    figure.savefig(io.BytesIO(), format="png")
    assert {"watch", "phone", "base", "cloud"} <= {text.get_text() for text in ax.texts}


@pytest.mark.parametrize(
    ("ending", "begin"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF"), ("html", b"<!doc")]
)
def test_a_drawing_is_saved_in_the_format_of_its_ending(ending: str, begin: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"mobile.{ending}"
    save(topology_picture(load_topology("mobile")), path)
    first = path.read_bytes()
    assert first.startswith(begin)
    save(topology_picture(load_topology("mobile")), path)
    if ending in ("png", "pdf"):
        assert path.read_bytes() == first


@pytest.mark.parametrize("name", ["mobile", "mobile.gif", "mobile.PNGX"])
def test_another_ending_is_refused_with_those_that_are_known(name: str, tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match="the ending says the format, one of png, svg, pdf, html"):
        save(topology_picture(load_topology("mobile")), tmp_path / name)


def test_a_dollar_is_a_dollar_and_no_formula(tmp_path: Path) -> None:
    text = TIERS.replace("name: e1,", "name: 'e$1$',").replace("[pi, e1]", "[pi, 'e$1$']").replace("[e1,", "['e$1$',")
    topology = topology_from_text(text.replace("from: e1", "from: 'e$1$'"))
    assert "e$1$" in {each.get_text() for each in draw(topology).texts}
    save(topology_picture(topology), tmp_path / "dollar.svg")


def test_drawing_leaves_no_pyplot_behind_and_loading_no_matplotlib() -> None:
    code = (
        "import sys, io; from tiercut.topologies import load_topology; t = load_topology('mobile');"
        "assert not {'matplotlib', 'networkx', 'rich'} & set(sys.modules), 'loaded too much';"
        "from tiercut.report.topology.drawing import draw; draw(t).figure.savefig(io.BytesIO());"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_of_many_nodes_those_next_to_the_source_are_drawn_and_the_caption_counts_the_rest() -> None:
    nodes = "".join(f"  - {{name: n{place}, tier: t{place % 3}}}\n" for place in range(300))
    links = "".join(
        f"  - {{between: [n{place // 2}, n{place}], bandwidth: 1 Mb/s, latency: 1 ms}}\n" for place in range(1, 300)
    )
    head = "format: tiercut.topology/1\nname: crowd\nsource: n0\n"
    plan = lay_out(topology_from_text(f"{head}nodes:\n{nodes}links:\n{links}"))
    assert len(plan.nodes) == 40
    assert "260 nodes further from the source are left out" in plan.caption
    check_nothing_overlaps(plan)


def test_every_source_is_marked() -> None:
    drawn = lay_out(load_topology("factory"))
    assert [node.name for node in drawn.nodes if node.is_source] == ["cam1", "cam2", "cam3"]
