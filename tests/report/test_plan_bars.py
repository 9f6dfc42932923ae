"""The picture of a ranking: what its bars say, and that it is drawn where a ranking is asked for."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from support.made import both, exits_data, profile_data, topology_data

import tiercut
from tiercut.report.pictures import answer_picture
from tiercut.report.plots import trade_off
from tiercut.report.plots.plan_bars import PlanBars, Segment, add_bars_legend, draw_plan_bars, plan_bars, tiers_of
from tiercut.report.saving import save

NODES = [
    {"name": "pi", "tier": "device", "slowdown": 4.0},
    {"name": "box", "tier": "edge", "slowdown": 2.0},
    {"name": "other", "tier": "edge", "slowdown": 3.0},
    {"name": "big", "tier": "cloud"},
]
LINKS = [both("pi", "box", 1, 4), both("pi", "other", 1, 4), both("box", "big", 2, 4), both("other", "big", 2, 4)]


@pytest.fixture(scope="module")
def answer() -> tiercut.Answer:
    profile = profile_data([1.0, 2.0, 4.0], [12.0, 8.0, 4.0, 0.0], result_bytes=2)
    exits = exits_data([0.5, 0.75, 0.9], [0.25, 0.25, 0.5])
    topology = tiercut.Topology.from_data(topology_data(NODES, LINKS))
    return tiercut.rank(topology, tiercut.Profile.from_data({**profile, "exits": exits}), top=300)


def test_the_segments_of_a_bar_follow_one_another_and_add_up_to_the_latency(answer: tiercut.Answer) -> None:
    data = plan_bars(answer.plans, tiers_of(answer))
    assert len(data.bars) == len(answer)
    for plan, segments in zip(answer, data.bars, strict=True):
        assert segments[0].begins_s == 0
        for before, after in pairwise(segments):
            assert after.begins_s == pytest.approx(before.begins_s + before.seconds, rel=1e-12)
        assert segments[-1].begins_s + segments[-1].seconds == pytest.approx(plan.latency_s, rel=1e-12)
        computing = [each for each in segments if each.node is not None]
        assert [each.node for each in computing] == list(plan.placement)


def test_a_bar_says_what_encodes_what_is_sent() -> None:
    times = {"d": [1.0, 1.0, 1.0]}
    codec = {"bytes": [1.0, 2.0, 2.0], "encode_s": times, "decode_s": times}
    profile = tiercut.Profile.from_data(profile_data([1.0, 2.0], [12.0, 8.0, 4.0], codecs={"small": codec}))
    topology = tiercut.Topology.from_data(topology_data(NODES, LINKS))
    placed = {"partition": [1, 2], "placement": ["box", "big"], "codecs": ["small"], "input_codec": "small"}
    plan = tiercut.plan(topology, profile, **placed)
    data = plan_bars([plan], {"box": "edge", "big": "cloud"})
    assert [each.text for each in data.bars[0]][:4] == ["input as small", "1", "2 B as small", "2"]
    assert data.captions[0].endswith("(small) → box 1 → (small) → big 2")


def test_captions_say_rank_latency_and_plan_unless_others_are_given(answer: tiercut.Answer) -> None:
    data = plan_bars(answer.plans[:2], tiers_of(answer))
    assert data.captions[1].startswith("2.  ")
    assert data.captions[1].endswith(f"s   {answer[1]}")
    assert plan_bars(answer.plans[:1], tiers_of(answer), captions=["mine"]).captions == ("mine",)


def test_captions_put_stages_that_no_sample_gets_to_in_brackets_as_tables_do() -> None:
    exits = exits_data([0.5, 0.75, 0.9], [1.0, 0.0, 0.0])
    topology = tiercut.Topology.from_data(topology_data("near far", [both("near", "far", 1, 4)]))
    profile = tiercut.Profile.from_data(profile_data([1.0, 2.0, 4.0], [12.0, 8.0, 4.0, 0.0], exits=exits))
    ranked = tiercut.rank(topology, profile, top=2, all_decisions=True)
    captions = plan_bars(ranked.plans, tiers_of(ranked)).captions
    assert [caption.split("   ")[1] for caption in captions] == ["near 1", "near 1 [→ far 2], threshold 0.1"]


def test_machines_of_one_tier_share_a_hue_and_no_two_a_colour(answer: tiercut.Answer) -> None:
    colours = plan_bars(answer.plans, tiers_of(answer)).colours
    assert list(colours) == ["pi", "box", "other", "big"]
    assert len(set(colours.values())) == 4
    order = [sorted(range(3), key=lambda at: int(colours[name][1 + 2 * at :][:2], 16)) for name in ("box", "other")]
    assert order[0] == order[1]


def drawn(data: PlanBars) -> Figure:
    figure = Figure(figsize=(5, 3), layout="constrained")
    draw_plan_bars(data, figure.add_subplot())
    add_bars_legend(figure, data)
    return figure


def test_every_segment_is_drawn_as_long_as_it_is(answer: tiercut.Answer) -> None:
    data = plan_bars(answer.plans[:4], tiers_of(answer))
    ax = drawn(data).axes[0]
    wanted = [(each.begins_s, each.seconds) for bar in data.bars for each in bar]
    assert [(bar.get_x(), bar.get_width()) for bar in ax.patches] == [pytest.approx(each) for each in wanted]  # type: ignore[attr-defined]
    assert [text.get_text() for text in ax.texts[:4]] == list(data.captions)


def test_the_legend_names_the_machines_that_work_and_fits_the_figure(answer: tiercut.Answer) -> None:
    data = plan_bars([plan for plan in answer if "other" not in plan.placement], tiers_of(answer))
    (legend,) = drawn(data).legends
    assert [text.get_text() for text in legend.get_texts()] == ["pi", "box", "big", "sending"]
    bars = tuple((Segment(0.0, 1.0, f"{name}-{'x' * 60}", ""),) for name in data.colours)
    wide = Figure(figsize=(5, 3), layout="constrained")
    add_bars_legend(wide, PlanBars(("",) * 4, bars, {bar[0].node or "": "#000000" for bar in bars}))
    assert len(wide.legends[0].get_texts()) == 4
    assert wide.legends[0]._ncols == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("ending", ["png", "svg", "html"])
def test_a_ranking_is_drawn_as_bars_even_where_accuracies_are_known(
    answer: tiercut.Answer, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trade_off, "draw_trade_off", lambda *_: pytest.fail("no bars"))
    path = tmp_path / f"ranking.{ending}"
    save(answer_picture(tiercut.Answer(answer.space, answer.query, answer.outcome, answer.plans[:3])), path)
    assert path.stat().st_size > 1000
