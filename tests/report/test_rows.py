"""The rows of a table of plans: the same cells on the terminal, on a page and in the data."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.table import Table

import tiercut
from tiercut import units
from tiercut.cli import main
from tiercut.optimizer.measures.names import format_amount
from tiercut.report.page import table_html
from tiercut.report.pictures import answer_picture, explanation_picture, replay_picture
from tiercut.report.replay import replay_tables
from tiercut.report.rows import Column, Rows, exit_rows, plan_rows, share_text, stage_rows, step_rows
from tiercut.report.saving import save
from tiercut.report.tables import plans_table, stages_table, waterfall_table

RECORDED = ("iot", "resnet20-digits32")
QUESTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "best": ("solve", {"min_accuracy": 0.9}),
    "ranking": ("rank", {"top": 7}),
    "frontier": ("frontier", {}),
    "frontier of bytes": ("frontier", {"objective": "bytes"}),
    "several measures": ("frontier", {"over": ["latency", "compute:micro", "accuracy"]}),
    "another measure": ("rank", {"objective": "compute:micro"}),
    "exits within partitions": ("rank", {"exits": "free", "min_accuracy": 0.98}),
    "a threshold for each exit": ("solve", {"exits": "free", "thresholds": "per-exit", "min_accuracy": 0.98}),
    "one exit": ("rank", {"exits": "final"}),
    "chosen by replay": ("frontier", {"evaluate": "replay"}),
}
FREE = (
    "iot",
    "resnet20-digits32",
    "--exits",
    "free",
    "--thresholds",
    "per-exit",
    "--min-accuracy",
    "0.98",
    "--estimator",
    "marginal",
)


class Cells(HTMLParser):
    """The rows of the table of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data


@pytest.fixture(scope="module", params=QUESTIONS)
def answer(request: pytest.FixtureRequest) -> tiercut.Answer:
    kind, question = QUESTIONS[request.param]
    found: tiercut.Answer = getattr(tiercut, kind)(*RECORDED, **question)
    assert found.plans
    return found


def printed(table: Table) -> list[list[str]]:
    """Return headings and cells of a table for the terminal."""
    columns = [[str(column.header), *map(str, column.cells)] for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def texts(rows: Rows) -> list[list[str]]:
    return [list(rows.headings), *map(list, rows.cells)]


def test_terminal_and_page_show_the_same_cells(answer: tiercut.Answer, tmp_path: Path) -> None:
    rows, page = plan_rows(answer), tmp_path / "x.html"
    save(answer_picture(answer), page)
    assert printed(plans_table(answer)) == Cells(page.read_text()).rows == texts(rows)
    assert rows.title in page.read_text().replace("&gt;", ">")


def test_cells_are_the_figures_of_the_data(answer: tiercut.Answer) -> None:
    rows, data = plan_rows(answer), answer.to_data()["plans"]
    for cells, plan in zip(rows.cells, data, strict=True):
        assert cells[:2] == (str(plan["rank"]), units.format_seconds(plan["latency_s"]))
        shown = dict(zip(rows.headings, cells, strict=True))
        assert shown.get("accuracy", share_text(plan["accuracy"])) == share_text(plan["accuracy"])
        limits = plan.get("thresholds") or ([] if plan["threshold"] is None else [plan["threshold"]])
        assert shown["threshold"] == (", ".join(f"{each:g}" for each in limits) or "-")
        for name, value in plan.get("measures", {}).items():
            assert answer.replayed is not None or shown[name] == format_amount(value, name)
        if answer.space.inside:
            assert shown["exits"] == ", ".join(map(str, plan["exits"]))
    assert len(answer.frame()) == len(rows.cells)


def test_stages_and_steps_are_the_same_on_the_terminal_as_on_a_page(tmp_path: Path) -> None:
    best = tiercut.solve(*RECORDED, min_accuracy=0.98).best
    explanation = tiercut.explain(*RECORDED, best)
    assert printed(stages_table(best)) == texts(stage_rows(best))
    assert [row[:-1] for row in printed(waterfall_table(explanation))] == texts(step_rows(explanation))
    save(explanation_picture(explanation), tmp_path / "x.html")
    assert Cells((tmp_path / "x.html").read_text()).rows == texts(step_rows(explanation))


def test_exits_of_a_replay_are_the_same_on_the_terminal_as_on_a_page(tmp_path: Path) -> None:
    seen = tiercut.replay(*RECORDED, tiercut.solve(*RECORDED, min_accuracy=0.98).best)
    tables = [part for part in replay_tables(seen) if isinstance(part, Table)]
    save(replay_picture(seen), tmp_path / "x.html")
    assert printed(tables[0]) == Cells((tmp_path / "x.html").read_text()).rows == texts(exit_rows(seen))


def test_a_row_has_a_cell_for_every_column_and_no_markup_of_its_own() -> None:
    columns = Column("n"), Column("plan", "left")
    with pytest.raises(ValueError, match="2 columns"):
        Rows("", columns, (("1",),))
    page = table_html(Rows("a < b", columns, (("1", "<b>[x]"),)))
    assert "<caption>a &lt; b</caption>" in page
    assert '<td>1</td><td class="left">&lt;b&gt;[x]</td>' in page


def test_thresholds_and_exits_of_a_plan_stand_on_the_page_as_on_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "x.html"
    monkeypatch.setattr(sys, "argv", ["tiercut", "solve", *FREE, "--plot", str(page)])
    with pytest.raises(SystemExit) as done:
        main()
    assert not done.value.code
    out = capsys.readouterr().out
    assert "0.25" in out
    assert "6, 9" in out
    headings, plan = Cells(page.read_text()).rows
    shown = dict(zip(headings, plan, strict=True))
    assert shown["threshold"] == "0.25"
    assert shown["exits"] == "6, 9"
