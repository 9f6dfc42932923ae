"""What a report's file holds: nothing in a name can break out of it, and the same findings give the same file."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.made import both, profile_data, topology_data
from support.pages import reports

from tiercut.optimizer import format_amount, plain_amount, values_of
from tiercut.profiling import Profile
from tiercut.report import Origin, write_report
from tiercut.report.explorer import composing
from tiercut.report.explorer.gathering import Findings
from tiercut.topologies import Topology

HOSTILE = "</script><img src=x onerror=alert(1)>\u2028&amp;{{title}}"


def embedded(path: Path) -> Any:
    (text,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', path.read_text("utf-8"), re.DOTALL
    )
    return json.loads(text)


def test_no_name_breaks_out_of_the_data_or_the_page(tmp_path: Path) -> None:
    profile = profile_data([0.1, 0.2], [10, 20, 30], model=HOSTILE, accuracy=0.9, origin=HOSTILE)
    profile["blocks"][0]["name"] = HOSTILE
    topology = topology_data("a b<i", [both("a", "b<i", 0.1, 10)], name=HOSTILE)
    findings, origin = reports.found(Topology.from_data(topology), Profile.from_data(profile), HOSTILE, HOSTILE)
    write_report(findings, tmp_path / "report.html", origin=origin)
    text = (tmp_path / "report.html").read_text("utf-8")
    data = embedded(tmp_path / "report.html")
    assert data["tables"]["blocks"][0] == HOSTILE
    assert data["ask"]["topology"] == HOSTILE
    assert "<img" not in text
    assert text.count("<script") == text.count("</script>") == 2
    assert "\u2028" not in text.split('id="data">')[1].split("</script>")[0]


def test_the_same_findings_give_the_same_file(tmp_path: Path) -> None:
    findings, origin = reports.coded()
    for name in ("one.html", "two.html"):
        write_report(findings, tmp_path / name, origin=origin)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_a_profile_without_accuracies_is_reported_by_latency_and_bytes(tmp_path: Path) -> None:
    topology = Topology.from_data(topology_data("a b", [both("a", "b", 0.1, 10)]))
    findings, origin = reports.found(topology, Profile.from_data(profile_data([9, 2, 3], [10, 20, 5, 9])), "a", "b")
    write_report(findings, tmp_path / "report.html", origin=origin)
    data = embedded(tmp_path / "report.html")
    assert (data["measure"], data["bound"]) == ("bytes", None)
    assert len(data["plans"]["partition"]) > 1


def test_the_command_writes_a_page_and_says_where(
    shell_call: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    path, query = tmp_path / "report.html", tmp_path / "query.yaml"
    query.write_text("format: tiercut.query/1\norder: any\npartitions: {at_most: 3}\n", encoding="utf-8")
    status, out, err = shell_call(
        *("report", "iot", "resnet20-digits32", "-o", path, "--min-accuracy", "0.9"),
        *("--slowdown", "micro=9", "--destination", "global", "--no-changes"),
        *("--query", query, "--order", "forward"),
    )
    assert (status, out) == (0, "")
    assert f"wrote {path}" in err
    data = embedded(path)
    assert data["tables"]["slowdown"][1] == 9
    assert data["ask"]["said"]["slowdown"][1] == 5
    assert data["ask"]["flags"] == ["--destination", "global"]
    assert data["ask"]["keys"] == {"order": "forward", "partitions": {"at_most": 3}, "destination": "global"}
    assert data["bounded"] is False
    assert ["command", f"tiercut report iot resnet20-digits32 -o {path}"] in [
        [name, said.split(" --min")[0]] for name, said in data["made"]
    ]


def test_another_ending_and_another_objective_are_refused(shell_call: Callable[..., tuple[int, str, str]]) -> None:
    status, _, err = shell_call("report", "mobile", "resnet20-digits32", "-o", "report.png")
    assert status == 2
    assert "--output is one HTML page, such as report.html, not 'report.png'" in err


def test_many_plans_are_packed_so_that_a_page_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    findings, origin = reports.recorded()
    write_report(findings, tmp_path / "plain.html", origin=origin)
    monkeypatch.setattr(composing, "_LONG", 1000)
    write_report(findings, tmp_path / "packed.html", origin=origin)
    plain, packed = (embedded(tmp_path / f"{name}.html")["plans"] for name in ("plain", "packed"))
    assert json.loads(zlib.decompress(base64.b64decode(packed), wbits=-zlib.MAX_WBITS)) == plain
    assert 2 * len(packed) < len(json.dumps(plain))


def test_what_a_question_bounds_is_a_column_of_the_page(tmp_path: Path) -> None:
    bounds = ["compute:phone<=1 s", "bytes<=1 MB", "share:phone<=90 %", "p99<=9 s"]
    findings, origin = reports.recorded(rate="5 fps", bounds=bounds)
    write_report(findings, tmp_path / "report.html", origin=origin)
    plans, found = embedded(tmp_path / "report.html")["plans"], list(findings.plans())
    assert [each["name"] for each in plans["amounts"]] == ["compute:phone", "rate"]
    problem, query = findings.frontier.space.problem, findings.frontier.query
    for each in plans["amounts"]:
        wanted = values_of(problem, [plan for _, plan in found], [each["name"]], query.rate_fps)[:, 0]
        assert each["values"] == pytest.approx([plain_amount(value, each["name"]) for value in wanted])
        assert each["texts"] == [format_amount(value, each["name"]) for value in wanted]
    assert "amounts" not in embedded_of(reports.recorded(), tmp_path)["plans"]


def embedded_of(made: tuple[Findings, Origin], folder: Path) -> Any:
    write_report(made[0], folder / "other.html", origin=made[1])
    return embedded(folder / "other.html")
