"""Maps over two conditions: nothing on them differs from what solving at their points says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import tiercut
from tiercut.analysis.sensitivity.region_map import Plane, RegionMap, lower_faces
from tiercut.analysis.sweeps.cases import Case
from tiercut.optimizer import Query, name_of
from tiercut.solvers import Options

MOBILE = ("mobile", "resnet20-digits32")
GRID: dict[str, Any] = {"bandwidth(watch-phone)": ["2 Mb/s", "20 kb/s"], "slowdown(phone)": [2, 800]}

heights = st.floats(0.1, 10)
slopes = st.floats(0, 10)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(heights, slopes, slopes), min_size=1, max_size=8))
def test_faces_are_the_least_of_all_planes_everywhere(planes: list[tuple[float, float, float]]) -> None:
    every = [Plane((0.0, 0.0), value, (a, b)) for value, a, b in planes]

    def solve_at(point: tuple[float, float]) -> tuple[int, Plane]:
        best = min(range(len(every)), key=lambda place: every[place].height(point))
        return best, every[best]

    faces = lower_faces(solve_at)
    assert sum(face.area for face in faces) == pytest.approx(1.0, abs=1e-6)
    for x in np.linspace(0, 1, 7):
        for y in np.linspace(0, 1, 7):
            least = min(each.height((x, y)) for each in every)
            assert min(face.plane.height((x, y)) for face in faces) == pytest.approx(least, rel=1e-9)


def mapped(grid: dict[str, Any], **question: Any) -> RegionMap:
    found = tiercut.sensitivity(*MOBILE, grid, **question).region_map
    assert found is not None
    return found


def test_a_map_says_what_solving_at_its_points_says() -> None:
    found = mapped(GRID, min_accuracy=0.97)
    assert len({face.decision for face in found.faces}) >= 3
    assert sum(face.area for face in found.faces) == pytest.approx(1.0, abs=1e-9)
    rng = np.random.default_rng(0)
    for point in rng.random((12, 2)).tolist():
        values = found.values((point[0], point[1]))
        named = {"bandwidth(watch-phone)": values[0], "slowdown(phone)": values[1]}
        best = tiercut.solve(*MOBILE, min_accuracy=0.97, condition=named).best
        assert found.latency_s(values) == pytest.approx(best.latency_s, rel=1e-9)
        mine = found.best(values)
        assert mine is not None
        assert (mine.partition, mine.placement) == (best.partition, best.placement)


def test_where_no_plan_is_quick_enough_the_map_says_so() -> None:
    found = mapped(GRID, min_accuracy=0.95, max_latency=0.35)
    gone = [face for face in found.faces if face.decision is None]
    assert gone
    for face in gone:
        middle = tuple(np.mean(face.corners, axis=0).tolist())
        values = found.values((middle[0], middle[1]))
        named = {"bandwidth(watch-phone)": values[0], "slowdown(phone)": values[1]}
        assert not tiercut.solve(*MOBILE, min_accuracy=0.95, max_latency=0.35, condition=named).plans
        assert found.best(values) is None
        assert found.latency_s(values) == float("inf")


def test_what_is_no_map_says_why() -> None:
    same = {"bandwidth(watch-phone)": ["2 Mb/s", "20 kb/s"], "bandwidth(watch>phone)": ["1 Mb/s", "10 kb/s"]}
    assert mapped(same, min_accuracy=0.97).note == "both change the same link"
    three = GRID | {"latency(phone>base)": ["40 ms", "1 s"]}
    assert tiercut.sensitivity(*MOBILE, three, min_accuracy=0.97).region_map is None
    with pytest.raises(tiercut.QuestionError, match="the grid has not just two bandwidths, latencies or slowdowns"):
        tiercut.plots.region_map(tiercut.sensitivity(*MOBILE, {"slowdown(phone)": [1, 2]}, min_accuracy=0.97))


@pytest.mark.parametrize(
    ("bound", "moves"),
    [({"max_utilisation": 0.6, "rate": 3.0}, "utilisation:"), ({"bounds": ["p99<=400 ms"]}, "p99 moves")],
)
def test_where_a_bound_moves_with_a_condition_there_is_no_map_but_an_answer(bound: dict[str, Any], moves: str) -> None:
    found = mapped(GRID, min_accuracy=0.9, **bound)
    assert not found.faces
    assert found.note.startswith("the bound on")
    assert moves in found.note


def test_the_command_prints_and_draws_the_map(shell_call: Any, tmp_path: Path) -> None:
    grid = tmp_path / "grid.yaml"
    grid.write_text(f"format: tiercut.grid/1\nconditions: {json.dumps(GRID)}\n")
    picture = tmp_path / "map.svg"
    asked = ("sensitivity", *MOBILE, "--grid", grid, "--min-accuracy", "0.97")
    status, out, _ = shell_call(*asked, "--plot", picture)
    assert status == 0
    assert "share of the map" in out
    assert picture.stat().st_size > 2000
    told = json.loads(shell_call(*asked, "--json")[1])["map"]
    assert told["conditions"] == list(GRID)
    assert sum(each["share"] for each in told["regions"]) == pytest.approx(1.0, abs=1e-9)
    assert {"partition", "placement", "corners"} <= told["regions"][0].keys()


@pytest.mark.slow
def test_a_million_grid_points_have_the_latencies_of_the_map() -> None:
    topology, profile = tiercut.load_topology(MOBILE[0]), tiercut.load_profile(MOBILE[1])
    found = mapped(GRID, exits="final")
    places = np.linspace(0, 1, 1000)
    values = [found.values((share, share)) for share in places.tolist()]
    first, second = (tuple(each[lie] for each in values) for lie in (0, 1))
    axes = ((name_of("bandwidth(watch-phone)"), first), (name_of("slowdown(phone)"), second))
    case = Case(0, "m", "t", "q", None, axes, (topology, profile), Query(kind="solve", exits="final"))
    batch = case.prepared(Options(workers=1)).batch
    assert batch is not None
    best, seconds = batch.solve(0, case.points)
    x, y = np.meshgrid(places, places, indexing="ij")
    planes = [face.plane for face in found.faces]
    heights = np.array([p.value + p.slopes[0] * (x - p.at[0]) + p.slopes[1] * (y - p.at[1]) for p in planes])
    np.testing.assert_allclose(heights.min(axis=0).ravel(), seconds, rtol=1e-9)
    shown = [(face.decision.partition, face.decision.placement) for face in found.faces if face.decision is not None]
    mine = heights.argmin(axis=0).ravel()
    clear = (np.sort(heights, axis=0)[1] > heights.min(axis=0) * (1 + 1e-9)).ravel() if len(planes) > 1 else mine >= 0
    for place in set(best[clear].tolist()):
        plan = batch.plans[place]
        assert {shown[k] for k in set(mine[clear & (best == place)].tolist())} == {(plan.partition, plan.placement)}
