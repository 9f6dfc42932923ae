"""Every picture, drawn by its public function: on axes of its own, and on axes that are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import chain, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from support.at_work import runs
from support.made import profile_data

import tiercut
from tiercut import plots
from tiercut.analysis.distribution import Distribution
from tiercut.report.plots.style import COLOURS, figure_of, is_dark, new_figure
from tiercut.report.plots.time_line import TimeLine, draw_time_line

RECORDED = ("iot", "resnet20-digits32")


@cache
def answer(kind: str, **question: Any) -> tiercut.Answer:
    made: tiercut.Answer = getattr(tiercut, kind)(*RECORDED, **question)
    return made


def over() -> tiercut.Answer:
    return tiercut.frontier(*RECORDED, over=["latency", "compute:micro", "accuracy"])


def best() -> tiercut.Answer:
    return answer("solve", min_accuracy=0.98)


@cache
def staying_costs() -> tiercut.Sensitivity[int]:
    with TemporaryDirectory() as folder:
        path = Path(folder, "measured.csv")
        path.write_text("bandwidth,cut_layer,latency_s\n50,1,0.5\n50,2,0.4\n10,1,0.6\n10,2,0.9\n")
        return tiercut.measured_sensitivity(path)


@cache
def streamed() -> tiercut.Stream:
    return tiercut.simulate(*RECORDED, best().best, rate=150, frames=50, queue=1, time_line=20)


@cache
def followed() -> tiercut.Sensitivity[tiercut.Plan]:
    return tiercut.sensitivity(*RECORDED, {"bandwidth(raspberry-micro)": ["10 Mb/s", "50 kb/s"]}, min_accuracy=0.98)


@cache
def mapped() -> tiercut.Sensitivity[tiercut.Plan]:
    grid = {"bandwidth(raspberry-micro)": ["10 Mb/s", "50 kb/s"], "slowdown(micro)": [1, 100]}
    return tiercut.sensitivity(*RECORDED, grid, min_accuracy=0.98)


PICTURES: dict[str, Callable[[Axes | None], Any]] = {
    "trade-off": lambda ax: plots.trade_off(answer("frontier"), ax=ax),
    "several measures": lambda ax: plots.several_measures(over(), ax=ax),
    "plan bars": lambda ax: plots.plan_bars(answer("rank"), ax=ax),
    "bars of plans alone": lambda ax: plots.plan_bars(answer("rank").plans[:2], ax=ax),
    "profile": lambda ax: plots.profile(tiercut.load_profile(RECORDED[1]), ax=ax),
    "why": lambda ax: plots.why(tiercut.why(*RECORDED, best().query), ax=ax),
    "waterfall": lambda ax: plots.waterfall(tiercut.explain(*RECORDED, best().best), ax=ax),
    "latencies": lambda ax: plots.latencies(tiercut.replay(*RECORDED, best().best), ax=ax),
    "any latencies": lambda ax: plots.latencies(Distribution.of([(0.5, 3, 2), (2.0, 1, 1)]), ax=ax),
    "models": lambda ax: plots.models(
        tiercut.frontier(RECORDED[0], [RECORDED[1], "resnet20-clutter"], min_accuracy=0.85), ax=ax
    ),
    "replayed": lambda ax: plots.replayed(answer("frontier", evaluate="replay"), ax=ax),
    "topology": lambda ax: plots.topology(tiercut.load_topology(RECORDED[0]), ax=ax),
    "regions": lambda ax: plots.regions(followed(), ax=ax),
    "region map": lambda ax: plots.region_map(mapped(), ax=ax),
    "time line": lambda ax: plots.time_line(streamed(), ax=ax),
    "sensitivity": lambda ax: plots.sensitivity(staying_costs(), ax=ax),
    "run": lambda ax: plots.run(runs.run(), ax=ax),
    "answer": lambda ax: plots.answer(answer("rank"), ax=ax),
}
PANELS = {"profile", "regions", "why", "replayed", "run", "sensitivity"}


def axes_of(drawn: Any) -> list[Axes]:
    return [drawn] if isinstance(drawn, Axes) else list(drawn)


def has_content(axes: list[Axes]) -> bool:
    return any(chain.from_iterable((*ax.lines, *ax.patches, *ax.collections, *ax.texts) for ax in axes))


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_without_axes_has_a_figure_of_its_own(name: str, tmp_path: Path) -> None:
    axes = axes_of(PICTURES[name](None))
    assert has_content(axes)
    figure = axes[0].get_figure(root=True)
    assert isinstance(figure, Figure)
    plots.save(figure, tmp_path / "it.svg")
    assert (tmp_path / "it.svg").stat().st_size > 2000


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_drawn_on_the_axes_that_are_given(name: str) -> None:
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    axes = axes_of(PICTURES[name](left))
    assert has_content(axes)
    assert all(ax.get_figure(root=True) is figure for ax in axes)
    assert not has_content([right])
    if name in PANELS:
        assert left not in axes
        figure.draw_without_rendering()
        assert all(ax.get_position().x1 < right.get_position().x0 for ax in axes)
    else:
        assert axes == [left]


def test_panels_need_axes_of_a_grid() -> None:
    ax = Figure().add_axes((0.0, 0.0, 1.0, 1.0))
    with pytest.raises(tiercut.QuestionError, match="axes of a grid"):
        plots.profile(tiercut.load_profile(RECORDED[1]), ax)


def test_every_public_picture_takes_axes_and_is_tried_here() -> None:
    helpers = {"Picture", "bars_height", "bars_legend", "frontier_behind", "save"}
    tried = {name.replace("-", "_").replace(" ", "_") for name in PICTURES}
    assert set(plots.__all__) - helpers <= tried
    assert set(plots.__all__) <= set(dir(plots))
    with pytest.raises(AttributeError, match="no attribute 'pie'"):
        plots.pie  # type: ignore[attr-defined] # noqa: B018


def test_the_frontier_behind_a_best_plan_has_none_of_its_bounds() -> None:
    asked = answer("solve", min_accuracy=0.98, bounds=("compute:micro<=1 s",))
    behind = plots.frontier_behind(*RECORDED, asked)
    assert behind is not None
    assert behind.plans == tiercut.frontier(*RECORDED).plans
    ax = plots.trade_off(asked, frontier=behind)
    assert "98" in ax.texts[-1].get_text()
    assert plots.frontier_behind(*RECORDED, answer("frontier")) is None


def test_pictures_of_one_figure_share_a_legend() -> None:
    plans, tiers = answer("rank").plans, dict.fromkeys(answer("rank").space.problem.nodes, "one")
    figure = Figure(figsize=(6, 2 * plots.bars_height(2)), layout="constrained")
    for ax, some in zip(figure.subplots(2), (plans[:2], plans[2:4]), strict=True):
        plots.plan_bars(some, tiers, ["first", "second"], legend=False, ax=ax)
    assert not figure.legends
    plots.bars_legend(figure, plans[:4], tiers)
    names = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {node for plan in plans[:4] for node in plan.placement} <= names | {"sending"} | set(tiers)


def test_a_frontier_marks_its_knee_and_what_stands_beside_it() -> None:
    found = answer("frontier")
    ax = plots.trade_off(found)
    marked = {each.get_label(): tuple(each.get_offsets()[0]) for each in ax.collections}
    assert found.knee is not None
    for name, plan in {**found.beside, "knee": found[found.knee]}.items():
        assert marked[name] == (1e3 * plan.latency_s, 100 * (plan.accuracy or 0))


def test_a_picture_of_a_part_ends_where_it_is_told_and_fits_the_other_axis_to_the_plans_there() -> None:
    found = answer("frontier")
    ax = plots.trade_off(found, zoom={"accuracy": (0.9, None)})
    inside = [1e3 * plan.latency_s for plan in found if (plan.accuracy or 0) >= 0.9]
    low, high = ax.get_xlim()
    assert ax.get_ylim()[0] == pytest.approx(90)
    assert low < min(inside) <= max(inside) < high < 1.2 * max(inside)
    both = plots.answer(found, zoom={"latency": (0.036, 0.042), "accuracy": (None, 0.98)})
    assert isinstance(both, Axes)
    assert both.get_xlim() == pytest.approx((36, 42))
    assert both.get_ylim()[1] == pytest.approx(98)
    beside = plots.several_measures(over(), zoom={"latency": (0.0, 0.05)})
    assert beside.get_xlim() == pytest.approx((0, 50))
    replayed = plots.answer(answer("frontier", evaluate="replay"), zoom={"accuracy": (0.9, 1.0)})
    assert axes_of(replayed)[0].get_ylim() == pytest.approx((90, 100))


def test_what_no_axis_shows_cannot_be_zoomed() -> None:
    with pytest.raises(tiercut.QuestionError, match="show latency and accuracy"):
        plots.answer(answer("frontier"), zoom={"bytes": (0.0, 1.0)})
    with pytest.raises(tiercut.QuestionError, match="show no measure"):
        plots.answer(answer("rank"), zoom={"latency": (0.0, 1.0)})


def test_the_line_of_a_thinned_frontier_is_that_of_the_whole() -> None:
    found = answer("frontier")
    whole, few = plots.trade_off(found), plots.trade_off(found.thinned(6))
    assert [line.get_xydata().tolist() for line in few.lines] == [line.get_xydata().tolist() for line in whole.lines]
    assert sum(len(each.get_offsets()) for each in few.collections if "partition" in str(each.get_label())) <= 6


def several_devices(*times: list[float]) -> tiercut.Profile:
    data = profile_data(times[0], [1.0] * (len(times[0]) + 1))
    data["devices"] = {f"d{place}": {"block_s": each} for place, each in enumerate(times)}
    return tiercut.Profile.from_data(data)


@pytest.mark.parametrize("spread", [1.2, 5.0, 50.0, 1e4, 1e7])
def test_the_times_of_several_devices_have_an_axis_that_can_be_read(spread: float) -> None:
    ax = plots.profile(several_devices([0.001, 0.001 * spread], [0.0011, 0.001]))[0]
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    low, high = ax.get_ylim()
    for labels in (ax.get_yticklabels(), ax.get_yticklabels(minor=True)):
        shown = [label for label in labels if label.get_text() and low <= label.get_position()[1] <= high]
        boxes = sorted(label.get_window_extent().extents.tolist()[1::2] for label in shown)
        assert all(above[0] >= below[1] for below, above in pairwise(boxes)), [label.get_text() for label in shown]
        assert len(shown) >= 2 or labels is not ax.get_yticklabels()


def test_a_time_of_0_is_marked_where_the_axis_has_no_place_for_it() -> None:
    ax = plots.profile(several_devices([0.0, 0.001, 0.0], [0.01, 0.02, 0.0]))[0]
    marks = [line for line in ax.lines if line.get_marker() == "v" and line.get_linestyle() == "None"]
    assert [line.get_xdata().tolist() for line in marks] == [[1, 3], [3]]
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()].count("a time of 0") == 1


@pytest.mark.parametrize("kind", ["frontier", "solve"])
def test_what_is_said_of_sampled_plans_covers_no_plan_and_no_other_word(kind: str) -> None:
    question = {"min_accuracy": 0.98} if kind == "solve" else {}
    ax = plots.trade_off(answer(kind, **question))
    figure = ax.figure
    figure.draw_without_rendering()
    (said,) = (each for each in ax.texts if "further right" in each.get_text())
    place = said.get_window_extent()
    assert not place.overlaps(ax.bbox)
    assert not place.overlaps(ax.xaxis.label.get_window_extent())
    assert place.y0 >= 0
    assert place.x1 <= figure.bbox.x1


@pytest.mark.parametrize(("plans", "outlined"), [(3, True), (3000, False)])
def test_the_marks_of_thousands_of_plans_have_no_outline_that_hides_their_colours(plans: int, outlined: bool) -> None:
    front = tiercut.frontier("iot", "resnet20-digits32")
    count = len(front.plans)
    spread = [replace(front.plans[place % count], latency_s=0.01 + place * 1e-4) for place in range(plans)]
    ax = tiercut.plots.trade_off(replace(front, plans=tuple(spread), beside={}, seen=None))
    (marks, *_) = [each for each in ax.collections if str(each.get_label()).endswith(("partition", "partitions"))]
    assert (float(np.max(marks.get_linewidths())) > 0) is outlined


@pytest.mark.filterwarnings("ignore:accuracies are of different data sets:tiercut.TiercutWarning")
def test_the_legend_of_several_networks_covers_no_plan() -> None:
    ax = plots.models(tiercut.frontier("iot", ["resnet20-digits32", "digits-onnx"]))
    figure_of(ax).draw_without_rendering()
    legend = ax.get_legend()
    assert legend is not None
    covered = legend.get_window_extent()
    for points in ax.collections:
        places = points.get_offset_transform().transform(points.get_offsets())
        assert not any(covered.contains(*place) for place in places.tolist())


def test_numbers_on_bars_of_a_time_line_can_be_read_and_short_bars_be_seen() -> None:
    line = TimeLine(
        unit="s", rows=("node",), row=np.zeros(8, int), joined=np.arange(8.0), began=np.arange(8.0),
        ended=np.append(np.arange(1.0, 8.0), 7.001), label=tuple("01234567"), colour=np.arange(8) % 7,
        dropped=np.empty((0, 2)),
    )  # fmt: skip
    ax = new_figure().add_subplot()
    draw_time_line(line, ax)
    inks = [text.get_color() for text in ax.texts]
    assert inks == ["white" if is_dark(colour) else "black" for colour in COLOURS[:7]]
    assert inks[6] == "black"  # on yellow
    edges = [patch.get_edgecolor() for patch in ax.patches]
    assert edges[0] == (1, 1, 1, 1)
    assert edges[7] == ax.patches[7].get_facecolor()
