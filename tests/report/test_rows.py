"""The rows of a table of plans: the same cells on the terminal, on a page and in the data."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.table import Table
from support.made import both, profile_data, topology_data

import tiercut
from tiercut import units
from tiercut.cli import main
from tiercut.optimizer.measures.names import format_amount
from tiercut.report.answers.asked import asked_rows
from tiercut.report.page import table_html
from tiercut.report.pictures import answer_picture, explanation_picture, profile_picture, replay_picture, why_picture
from tiercut.report.plots.plan_bars import plan_bars, tiers_of
from tiercut.report.profile_rows import profile_rows
from tiercut.report.replay import replay_tables
from tiercut.report.rows import (
    Column,
    Rows,
    exit_rows,
    figure_rows,
    plan_rows,
    plan_text,
    share_text,
    stage_rows,
    step_rows,
)
from tiercut.report.saving import save
from tiercut.report.tables import plans_table, profile_tables, stages_table, waterfall_table
from tiercut.report.why import why_rows, why_tables

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
    """The rows of the tables of a page, and of the one below the first picture."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.inside = False
        self.feed(page)

    @property
    def rows(self) -> list[list[str]]:
        return self.tables[-1]

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
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
    head, plans, *_ = Cells(page.read_text()).tables
    assert printed(plans_table(answer)) == plans == texts(rows)
    assert head == list(map(list, asked_rows(answer).cells))
    assert rows.title in page.read_text().replace("&gt;", ">")


def test_cells_are_the_figures_of_the_data(answer: tiercut.Answer) -> None:
    rows, data = plan_rows(answer), answer.to_data()["plans"]
    for cells, plan in zip(rows.cells, data, strict=True):
        assert (cells[0].removeprefix("* "), cells[1]) == (str(plan["rank"]), units.format_seconds(plan["latency_s"]))
        shown = dict(zip(rows.headings, cells, strict=True))
        assert shown.get("accuracy", share_text(plan["accuracy"])) == share_text(plan["accuracy"])
        limits = plan.get("thresholds") or ([] if plan["threshold"] is None else [plan["threshold"]])
        assert shown["threshold"] == (", ".join(f"{each:g}" for each in limits) or "-")
        for name, value in plan.get("measures", {}).items():
            assert answer.replayed is not None or shown[name] == format_amount(value, name)
        if answer.space.inside:
            assert shown["exits"] == ", ".join(map(str, plan["exits"]))
    assert len(answer.to_frame()) == len(rows.cells)


def test_stages_and_steps_are_the_same_on_the_terminal_as_on_a_page(tmp_path: Path) -> None:
    best = tiercut.solve(*RECORDED, min_accuracy=0.98).best
    explanation = tiercut.explain(*RECORDED, best)
    assert printed(stages_table(best)) == texts(stage_rows(best))
    assert [row[:-1] for row in printed(waterfall_table(explanation))] == texts(step_rows(explanation))
    save(explanation_picture(explanation), tmp_path / "x.html")
    assert Cells((tmp_path / "x.html").read_text()).rows == texts(step_rows(explanation))


def test_stages_say_what_encodes_the_input_and_what_is_sent() -> None:
    times = {"d": [1.0, 1.0, 1.0]}
    codec = {"bytes": [1.0, 2.0, 2.0], "encode_s": times, "decode_s": times}
    profile = tiercut.Profile.from_data(profile_data([1.0, 2.0], [12.0, 8.0, 4.0], codecs={"small": codec}))
    topology = tiercut.Topology.from_data(topology_data("a b c", [both("a", "b", 1, 4), both("b", "c", 1, 4)]))
    placed = {"partition": [1, 2], "placement": ["b", "c"], "codecs": ["small"], "input_codec": "small"}
    shown = stage_rows(tiercut.plan(topology, profile, **placed))
    assert shown.title.endswith("; the input as small takes 3.25 s")
    assert [cells[shown.headings.index("payload")] for cells in shown.cells] == ["2 B as small", "-"]


def test_exits_of_a_replay_are_the_same_on_the_terminal_as_on_a_page(tmp_path: Path) -> None:
    seen = tiercut.replay(*RECORDED, tiercut.solve(*RECORDED, min_accuracy=0.98).best)
    tables = [part for part in replay_tables(seen) if isinstance(part, Table)]
    save(replay_picture(seen), tmp_path / "x.html")
    pages = Cells((tmp_path / "x.html").read_text()).tables
    assert [printed(table) for table in tables] == pages == [texts(exit_rows(seen)), texts(figure_rows(seen))]


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
    headings, plan = Cells(page.read_text()).tables[1]
    shown = dict(zip(headings, plan, strict=True))
    assert shown["threshold"] == "0.25"
    assert shown["exits"] == "6, 9"


def test_a_profile_shows_how_long_its_benchmark_took() -> None:
    data = profile_data([1.0, 2.0], [1.0, 1.0, 1.0])
    data["devices"]["d"]["benchmark_s"] = 12.5
    (network, *_) = profile_rows(tiercut.Profile.from_data(data))
    assert dict(network.cells)["device d"] == "benchmarked in 12.5 s"


def test_profiles_and_reasons_are_the_same_on_the_terminal_as_on_a_page(tmp_path: Path) -> None:
    profile = tiercut.load_profile("resnet20-digits32")
    save(profile_picture(profile), tmp_path / "profile.html")
    network, *others = [printed(table) for table in profile_tables(profile)]
    assert [network[1:], *others] == Cells((tmp_path / "profile.html").read_text()).tables
    assert others == [texts(rows) for rows in profile_rows(profile)][1:]
    why = tiercut.why(*RECORDED, min_accuracy=0.98, kinds=["latency"])
    save(why_picture(why), tmp_path / "why.html")
    shown = [printed(part) for part in why_tables(why) if isinstance(part, Table)]
    assert shown == Cells((tmp_path / "why.html").read_text()).tables[2:] == [texts(rows) for rows in why_rows(why)]


def test_the_page_of_reasons_names_question_conditions_and_proof(tmp_path: Path) -> None:
    why = tiercut.why(*RECORDED, min_accuracy=0.98, max_latency="1 s", slowdown={"local": 3}, kinds=["latency"])
    save(why_picture(why), tmp_path / "why.html")
    head = dict(Cells((tmp_path / "why.html").read_text()).tables[0])
    assert head["question"] == "best plan: least latency, accuracy ≥ 0.98 and latency ≤ 1 s"
    assert head["conditions"] == "slowdown local = 3"
    assert head["proof"] == "optimal: it is proved that no plan is better"


@pytest.mark.parametrize("exits", ["cuts", "final", "free"])
def test_two_different_plans_never_read_the_same(exits: Any) -> None:
    """On no face of a list: as text, above bars, in the rows of terminal and page, and in the frame."""
    per_exit: Any = "per-exit" if exits == "free" else "one"
    found = tiercut.rank(*RECORDED, exits=exits, thresholds=per_exit, top=60, all_decisions=True, min_accuracy=0.98)
    assert len({plan.decision for plan in found}) == len(found) == 60
    captions = plan_bars(found.plans, tiers_of(found)).captions
    for face in (
        [plan_text(plan) for plan in found],
        [caption.partition("   ")[2] for caption in captions],
        [row[1:] for row in plan_rows(found).cells],
        [tuple(map(str, row[1:])) for row in found.to_frame().itertuples(index=False)],
    ):
        assert len(set(face)) == len(found)


def test_a_page_names_question_conditions_proof_and_every_plan(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"exits": "free", "thresholds": "per-exit", "min_accuracy": 0.9, "max_latency": "1 s"}
    found = tiercut.frontier(
        *RECORDED, **asked, include=["micro"], bandwidth={"micro-local": "1 Mb/s"}, without=["global"]
    )
    save(answer_picture(found), tmp_path / "x.html")
    page = " ".join((tmp_path / "x.html").read_text().split()).replace("&gt;", ">")
    for words in (
        f"frontier of {len(found)} plans: latency against accuracy, accuracy ≥ 0.9 and latency ≤ 1 s",
        "a threshold for each exit; include micro",
        "anywhere, also inside a part",
        "bandwidth micro-local = 1 Mb/s; without global",
        "optimal: it is proved that no plan beats these",
        "with one exit, least latency: ",
        *(plan.shown for plan in found),
    ):
        assert words in page, words
