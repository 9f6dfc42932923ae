"""What the page's scripts do by themselves: they write query files, lay ticks on an axis, and go along a line."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.pages import reports

from tiercut.optimizer import Bound, QuestionOptions, load_query, make_query
from tiercut.report.explorer.composing import source
from tiercut.report.explorer.content import page_data

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")

QUESTIONS = (
    QuestionOptions(max_latency="80 ms", max_p99=0.12345678901234567, min_accuracy="90 % of final"),
    QuestionOptions(rate="30 fps", max_utilisation=0.7),
    QuestionOptions(rate=1 / 3, max_utilisation="none", bounds=["cost<=5 $/month"]),
    QuestionOptions(rate=25, max_loss="2 points"),
    QuestionOptions(partitions="1-3", codec="auto", order="forward", thresholds="one"),
    QuestionOptions(partitions=2, use_all_tiers=True, ignore_memory=True),
    QuestionOptions(partitions=(None, 3), only="distributed"),
    QuestionOptions(only="native"),
    QuestionOptions(include=["edge"], exclude=("cloud",), keep_first=2, pin={7: "edge", "layer conv2": "edge"}),
    QuestionOptions(keep_first="layer conv1", bounds=["bytes:device>edge<=1.23456789 MB", "share:edge>=30 %"]),
    QuestionOptions(
        bounds=[
            *("energy<=7 mJ", "compute:edge<=1 ms", "blocks:edge<=12", "blocks:cloud>=50 %", "out:edge<=1 kB"),
            *("cost<=0.001 $", "utilisation:edge<=0.8", "link:device-edge<=3 MB", "p99<=3 s", "memory:edge<=9 MB"),
            Bound("latency", at_most=0.3, at_least=1 / 30),
        ]
    ),
)


def by_node(scripts: tuple[str, ...], script: str, data: Any) -> Any:
    """Return what a script prints of data, after those of the page."""
    assert NODE is not None
    text = "\n".join(map(source, scripts))
    read = 'const data = JSON.parse(require("fs").readFileSync(0, "utf8"));'
    command = [NODE, "-e", f'"use strict";\n{text}\n{read}\nconsole.log(JSON.stringify({script}));']
    done = subprocess.run(command, input=json.dumps(data), capture_output=True, text=True)  # noqa: PLW1510 - asserted
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_query_file_of_a_page_asks_what_was_asked(tmp_path: Path) -> None:
    findings, origin = reports.recorded("iot", exits="final")
    exits, estimator = (getattr(findings.frontier.space, name) for name in ("exits", "estimator"))
    pages = [page_data(findings, replace(origin, question=each)) for each in QUESTIONS]
    given = [{"measure": each["measure"], "ask": each["ask"], "current": {"bound": 0.9}} for each in pages]
    settings = "settingsNow(data.tables)"
    script = f"data.pages.map((page) => queryOf(page, {{ data: data.tables, settings: {settings} }}))"
    texts = by_node(("routes.js", "model.js", "planview.js"), script, {"pages": given, "tables": pages[0]["tables"]})
    for text, options in zip(texts, QUESTIONS, strict=True):
        (tmp_path / "query.yaml").write_text(text, encoding="utf-8")
        asked = make_query("solve", load_query(tmp_path / "query.yaml").question)
        wanted = replace(options, exits=exits, estimator=estimator, min_accuracy=0.9, max_loss=None)
        query = make_query("solve", wanted)  # of which a file has the two sides of a bound as two bounds
        assert asked == replace(query, bounds=tuple(half for each in query.bounds for half in each.halves)), text


def test_a_view_of_a_few_digits_has_no_ticks() -> None:
    views = [[0, 1, 5], [0.98, 0.98 + 4e-16, 5], [3, 3, 5], [1e9, 1e9 + 1e-5, 4], [-2, 2, 4]]
    found = by_node(("chart.js",), "data.map((each) => ticks(...each))", views)
    assert found == [[0, 0.2, 0.4, 0.6, 0.8, 1], [], [], [], [-2, -1, 0, 1, 2]]


def test_arrows_go_on_from_the_point_that_is_marked() -> None:
    line = [{"x": x, "y": x, "plan": x} for x in range(4)]
    steps = [[None, 1], [None, -1], [line[1], 1], [{"x": 2, "y": 2, "plan": 9}, -1], [line[3], 1], [{"x": 5}, 1]]
    script = "data.steps.map(([from, step]) => nextAlong(data.line, from, step).x)"
    assert by_node(("chart.js",), script, {"line": line, "steps": steps}) == [0, 3, 2, 1, 3, 0]
