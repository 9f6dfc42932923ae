"""What the page scores by itself is what Python says, under any setting of links and nodes."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from typing import Any

import numpy as np
import pytest
from support.pages import reports

from tiercut.analysis import ask
from tiercut.optimizer import Conditions, QuestionOptions, evaluate, make_query, price
from tiercut.report import Origin
from tiercut.report.explorer.composing import source
from tiercut.report.explorer.content import page_data
from tiercut.report.explorer.gathering import Findings

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")

READ = """
const data = JSON.parse(require("fs").readFileSync(0, "utf8"));
const pieces = new Pieces(data.page.tables);
const plans = plansOf(data.page.tables, data.page.plans);
const everything = data.page.space ? new Everything(data.page.tables, data.page.space) : null;
const tablesOf = (settings) => new Tables(data.page.tables, pieces, settings);
"""


@cache
def mobile() -> tuple[Findings, Origin]:
    return reports.recorded(min_accuracy=0.9)


@cache
def coded() -> tuple[Findings, Origin]:
    return reports.coded()


CASES = {"exits at cuts": mobile, "codecs, free exits and two routes": coded}


def in_javascript(findings: Findings, origin: Origin, script: str, **data: Any) -> Any:
    """Return what the page's own scripts print, run by node."""
    assert NODE is not None
    scripts = "\n".join(source(name) for name in ("routes.js", "model.js", "everything.js"))
    given = json.dumps({"page": page_data(findings, origin), **data})
    command = [NODE, "-e", f'"use strict";\n{scripts}\n{READ}\n{script}']
    done = subprocess.run(command, input=given, capture_output=True, text=True)  # noqa: PLW1510 - asserted
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_node
@pytest.mark.parametrize("case", CASES)
def test_the_page_prices_a_plan_as_python_does_under_any_setting(case: str) -> None:
    findings, origin = CASES[case]()
    asked, wanted = reports.latencies(findings, 50)
    script = "console.log(JSON.stringify(data.asked.map(([at, s]) => latencyOf(tablesOf(s), plans[at]))))"
    got = in_javascript(findings, origin, script, asked=asked)
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=0)


@needs_node
@pytest.mark.parametrize("case", CASES)
def test_bytes_and_accuracies_of_the_page_are_those_of_the_plans(case: str) -> None:
    findings, origin = CASES[case]()
    script = "const now = tablesOf(settingsNow(data.page.tables));"
    script += "console.log(JSON.stringify(plans.map((plan) => [bytesOf(now, plan), plan.accuracy])))"
    plans = [plan for _, plan in findings.plans()]
    wanted = [[evaluate(findings.frontier.space.problem, plan.decision, "bytes"), plan.accuracy] for plan in plans]
    np.testing.assert_allclose(in_javascript(findings, origin, script), wanted, rtol=1e-9)


@needs_node
def test_the_frontier_of_all_decisions_is_the_solvers() -> None:
    findings, origin = mobile()
    script = """everything.score(tablesOf(settingsNow(data.page.tables)));
    const front = frontierOf(everything.cost, everything.goal, orderBy(everything.goal));
    const same = front.map((index) => latencyOf(tablesOf(settingsNow(data.page.tables)), everything.plan(index)));
    const points = front.map((index) => [everything.cost[index], everything.goal[index]]);
    console.log(JSON.stringify({count: everything.count, same, front: points}));"""
    got = in_javascript(findings, origin, script)
    wanted = [[plan.latency_s, plan.accuracy] for plan in findings.frontier.plans]
    np.testing.assert_allclose(got["front"], wanted, rtol=1e-9)
    np.testing.assert_allclose([cost for cost, _ in got["front"]], got["same"], rtol=1e-12)
    repeated = findings.frontier.space.problem.block_count * findings.frontier.space.problem.node_count * 19
    assert (
        got["count"] == findings.frontier.space.decisions - repeated
    )  # thresholds mean nothing where there is no exit


@needs_node
def test_the_best_plan_under_other_settings_is_the_solvers() -> None:
    findings, origin = mobile()
    rng = np.random.default_rng(1)
    names = [f"{a}>{b}" for a, b in findings.topology.hops]
    asked, wanted = [], []
    for _ in range(4):
        setting, tables = reports.settings(findings, rng)
        bound = float(rng.choice([0.3, 0.91, 0.98]))
        conditions = Conditions(
            bandwidth=dict(zip(names, setting["bandwidth"], strict=True)),
            latency=dict(zip(names, setting["latency"], strict=True)),
            slowdown=dict(zip(findings.topology.node_names, setting["slowdown"], strict=True)),
        )
        changed = conditions.changed_topology(findings.topology)
        best = ask(changed, findings.profile, make_query("solve", QuestionOptions(min_accuracy=bound))).best
        asked.append([setting, bound])
        wanted.append(best.latency_s)
        assert price(tables, best.decision).latency_s == pytest.approx(best.latency_s, rel=1e-12)
    script = """console.log(JSON.stringify(data.asked.map(([settings, bound]) => {
      everything.score(tablesOf(settings));
      return everything.cost[bestOf(everything.cost, everything.goal, bound)];
    })))"""
    np.testing.assert_allclose(in_javascript(findings, origin, script, asked=asked), wanted, rtol=1e-9)
