"""Tables on narrow terminals: no broken word, no number without its unit, and what is left out is named."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from rich.console import Console

import tiercut
from tiercut.report.fitting import Needs, fitted
from tiercut.report.replay import replay_tables
from tiercut.report.rows import Rows, plan_rows, stage_rows, step_rows
from tiercut.report.tables import plans_table, stages_table, waterfall_table
from tiercut.report.why import why_tables

CASE = ("iot", "resnet20-digits32")


def drawn(part: object, columns: int) -> str:
    console = Console(file=io.StringIO(), width=columns, highlight=False, markup=False)
    console.print(part)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def shown() -> list[tuple[Callable[[], object], Rows]]:
    replayed = tiercut.solve(*CASE, min_accuracy=0.98, evaluate="replay")
    ranked = tiercut.rank(*CASE, min_accuracy=0.98, top=9, all_decisions=True, exits="free", thresholds="per-exit")
    long = tiercut.solve(*CASE, use_all_tiers=True)
    explanation = tiercut.explain(*CASE, long.best)
    return [
        (lambda: plans_table(replayed), plan_rows(replayed)),
        (lambda: plans_table(ranked), plan_rows(ranked)),
        (lambda: plans_table(long), plan_rows(long)),
        (lambda: stages_table(long.best), stage_rows(long.best)),
        (lambda: waterfall_table(explanation), step_rows(explanation)),
    ]


@pytest.fixture(scope="module", params=range(5))
def table(request: pytest.FixtureRequest) -> tuple[Callable[[], object], Rows]:
    return shown()[request.param]


@pytest.mark.parametrize("columns", [80, 72])
def test_cells_are_whole_and_what_is_left_out_is_named(table: tuple[Callable[[], object], Rows], columns: int) -> None:
    make, rows = table
    text = drawn(make(), columns)
    assert max(map(len, text.splitlines())) <= columns
    assert "…" not in text
    gone = re.findall(r"left out, as the terminal is narrow: (.*)", text)
    named = gone[0].split(", ") if gone else []
    flat = " ".join(text.split())
    for column, cells in zip(rows.columns, zip(*rows.cells, strict=True), strict=True):
        if column.heading in named:
            continue
        for cell in cells:
            pieces = [cell] if column.side == "right" and not column.fold else cell.split()
            assert all(piece in flat for piece in pieces), (column.heading, cell)


def test_a_wide_terminal_shows_all(table: tuple[Callable[[], object], Rows]) -> None:
    text = drawn(table[0](), 140)
    assert "left out" not in text
    assert all(cell in text for row in table[1].cells for cell in row)


def test_the_bar_gives_way_before_a_word_is_broken() -> None:
    explanation = tiercut.explain(*CASE, tiercut.solve(*CASE, min_accuracy=0.98).best)
    assert "█" in drawn(waterfall_table(explanation), 120)
    text = drawn(waterfall_table(explanation), 90)
    assert "█" not in text
    assert "left out" not in text
    for step in explanation.steps:
        assert step.what in text


def test_reasons_and_replays_break_no_word() -> None:
    why = tiercut.why(*CASE, min_accuracy=0.98, kinds=["latency"])
    seen = tiercut.replay(*CASE, why.plan)
    for part in (*why_tables(why), *replay_tables(seen)):
        wide, narrow = drawn(part, 200), drawn(part, 80)
        assert "…" not in narrow
        assert set(wide.split()) - {"─" * 3} - set(narrow.split()) <= {word for word in wide.split() if "─" in word}


def test_widths_go_first_to_what_is_nearly_whole() -> None:
    columns = [Needs(10, 4), Needs(6, 5), Needs(8, 8, spare=1), Needs(20, 20, spare=0)]
    assert fitted(columns, 100, 2) is None
    assert fitted(columns, 30, 2) == {0: 10, 1: 6, 2: 8}
    assert fitted(columns, 25, 2) == {0: 5, 1: 6, 2: 8}
    assert fitted(columns, 22, 2) == {0: 10, 1: 6}
    assert fitted(columns, 9, 2) == {0: 4, 1: 5}
