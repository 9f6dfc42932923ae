"""A report's page in a real browser: what it shows, and that mouse, keyboard and sliders do what they should."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.pages import reports
from support.pages.browser import CHROMIUM, Page, browser

from tiercut.optimizer import price
from tiercut.report import Origin, write_report
from tiercut.report.explorer.gathering import Findings
from tiercut.solvers import Layout, decision_of

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Findings, Path]:
    findings, origin = reports.recorded(min_accuracy=0.9, changes=True)
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(findings, path, origin=origin)
    return findings, path


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def put(page: Page, name: str, value: object, event: str) -> None:
    """Give a control of the page a value, as its reader would."""
    control = f"document.getElementById('{name}')"
    page.run(f"(() => {{ const c = {control}; c.value = '{value}'; c.dispatchEvent(new Event('{event}')); }})()")
    page.frame()


def text(page: Page, name: str) -> str:
    found: str = page.run(f"document.getElementById('{name}').innerText")
    return found


def test_a_page_shows_the_best_plan_and_follows_sliders_mouse_and_keyboard(
    page: Page, made: tuple[Findings, Path], shell_call: Callable[..., tuple[int, str, str]]
) -> None:
    findings, path = made
    page.open(path)
    best = findings.ranking.best
    assert str(best) in text(page, "best")
    assert text(page, "proof") == "Exact: all 170,000 decisions are scored."

    # A slower phone: the best plan moves, and the command on the page says what Python says.
    put(page, "parameter-7", 100, "input")
    assert str(best) not in text(page, "best")
    command = page.run("document.querySelector('.copy code').innerText")
    status, out, err = shell_call(*shlex.split(command)[1:])
    assert status == 0, err
    assert page.run("document.querySelector('#plan-body .figures').innerText").split(" · ")[0] in out
    page.run("document.getElementById('as-recorded').click()")
    assert str(best) in text(page, "best")

    # Hover and click on the last plan of the frontier.
    place = "(() => { const c = tiercut.chart, p = c.line.at(-1), b = c.box.getBoundingClientRect();"
    x, y = page.run(f"{place} return [b.left + c.px(p.x), b.top + c.py(p.y)]; }})()")
    page.mouse("mouseMoved", x, y)
    most = findings.frontier.plans[-1]
    assert str(most) in page.run("document.querySelector('.tip').innerText")
    page.mouse("mousePressed", x, y)
    page.mouse("mouseReleased", x, y)
    assert text(page, "plan-title") == f"Chosen: {most}"

    # The same by keyboard, from the quick end.
    page.run("document.getElementById('chart').focus()")
    page.run("tiercut.chart.marked = null")
    page.mouse("mouseMoved", 1, 1)
    page.key("ArrowRight")
    page.key("Enter", "\r")
    assert text(page, "plan-title") == f"Chosen: {findings.frontier.plans[0]}"

    # Filter and sort; the keyboard goes along what is shown.
    before = page.run("tiercut.ranking.rows.length")
    put(page, "filter-parts", 1, "change")
    assert 0 < page.run("tiercut.ranking.rows.length") < before
    page.key("ArrowRight")
    assert page.run("tiercut.chart.hovered.plan.partition.length") == 1
    page.run("document.querySelector('#ranking thead th:nth-child(2) button').click()")
    assert page.run("document.querySelector('#ranking tbody td:nth-child(2)').innerText") == "98.75%"

    # Zoom.
    wide = page.run("tiercut.chart.view.x1 - tiercut.chart.view.x0")
    page.run("document.getElementById('zoom-in').click()")
    assert page.run("tiercut.chart.view.x1 - tiercut.chart.view.x0") < wide
    near = page.run("tiercut.chart.view")
    page.run("tiercut.chart.zoom(1e-15)")
    assert page.run("tiercut.chart.view") == near

    assert page.said == []
    assert [each for each in page.asked if not each.startswith(("file:", "data:"))] == []


def test_a_page_says_that_it_does_not_check_other_bounds_once_numbers_are_moved(page: Page, tmp_path: Path) -> None:
    findings, origin = reports.coded(max_latency="9 s")
    write_report(findings, tmp_path / "report.html", origin=origin)
    page.open(tmp_path / "report.html")
    assert "not checked" not in text(page, "proof")
    put(page, "parameter-0", 100, "input")
    assert text(page, "proof").endswith(" decisions. Bounds other than that on accuracy are not checked here.")


def test_copy_puts_the_command_on_the_clipboard(page: Page, made: tuple[Findings, Path]) -> None:
    page.open(made[1])
    page.run("window.copied = []; document.addEventListener('copy', () => copied.push(String(getSelection())))")
    page.run("navigator.clipboard && (navigator.clipboard.writeText = async (text) => { copied.push(text); })")
    page.run("document.querySelector('.copy button').click()")
    page.frame()
    assert page.run("copied[0]") == page.run("document.querySelector('.copy code').innerText")


@pytest.mark.parametrize(("width", "dark"), [(1280, True), (400, False)])
def test_a_page_fits_its_window_and_the_scheme_of_the_reader(
    page: Page, made: tuple[Findings, Path], width: int, dark: bool
) -> None:
    page.open(made[1], width=width, dark=dark)
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    paper = page.run("getComputedStyle(document.documentElement).backgroundColor")
    assert paper == ("rgb(20, 23, 26)" if dark else "rgb(255, 255, 255)")


@pytest.mark.slow
@pytest.mark.parametrize("case", [reports.recorded, reports.coded])
def test_the_scorer_in_the_browser_equals_pythons_on_a_thousand_settings(
    page: Page, tmp_path: Path, case: Callable[[], tuple[Findings, Origin]]
) -> None:
    findings, origin = case()
    write_report(findings, tmp_path / "report.html", origin=origin)
    page.open(tmp_path / "report.html")
    asked, wanted = reports.latencies(findings, 1000)
    got = page.run(f"{json.dumps(asked)}.map(([place, settings]) => tiercut.latency(place, settings))")
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=0)


@pytest.mark.slow
def test_a_page_of_fifteen_thousand_plans_is_small_and_quick(page: Page, tmp_path: Path) -> None:
    findings, origin = reports.recorded(min_accuracy=0.9, changes=True)
    space, rng = findings.frontier.space, np.random.default_rng(0)
    layout, plans = Layout.of(space), {}
    while len(plans) < 15_000:
        parts = int(rng.integers(2, space.most + 1))
        row = np.zeros(layout.width, np.int64)
        row[0] = parts
        row[1 : 1 + parts] = np.sort(rng.choice(10, parts, replace=False)) + 1
        row[1 + space.most : 1 + space.most + parts] = rng.choice(4, parts, replace=False)
        row[-1] = rng.integers(20)
        decision = decision_of(space, layout, row)
        plans[decision] = price(space.problem, decision)
    many = replace(findings, frontier=replace(findings.frontier, plans=tuple(plans.values())))
    path = tmp_path / "report.html"
    write_report(many, path, origin=origin)
    assert path.stat().st_size < 500_000
    page.open(path)
    page.run("(async () => { while (!window.tiercut?.best) await new Promise((go) => setTimeout(go, 5)); })()")
    page.frame()
    some = rng.integers(15_000, size=50).tolist()
    got = page.run(f"{some}.map((place) => tiercut.costs[place])")
    np.testing.assert_allclose(got, [many.frontier.plans[place].latency_s for place in some], rtol=1e-9)
    assert page.run("performance.getEntriesByName('first-contentful-paint')[0].startTime") < 500
    hover = """(() => {
      const { chart } = tiercut, corner = chart.box.getBoundingClientRect(), begin = performance.now();
      for (let step = 0; step < 100; step += 1) {
        const place = { clientX: corner.left + 70 + 8 * step, clientY: corner.top + 90 };
        chart.box.dispatchEvent(new PointerEvent("pointermove", place));
      }
      return (performance.now() - begin) / 100;
    })()"""
    assert page.run(hover) < 1000 / 60
