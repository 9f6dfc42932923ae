"""The rows of a table of plans: the same cells on the terminal, on a page and in the data."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tiercut.cli import main

FREE = ("iot", "resnet20-digits32", "--exits", "free", "--thresholds", "per-exit", "--min-accuracy", "0.98")


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


def test_thresholds_and_exits_of_a_plan_stand_on_the_page_as_on_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "x.html"
    monkeypatch.setattr(sys, "argv", ["tiercut", "solve", *FREE, "--plot", str(page)])
    main()
    out = capsys.readouterr().out
    assert "0.25" in out
    assert "6, 9" in out
    headings, plan = Cells(page.read_text()).rows
    shown = dict(zip(headings, plan, strict=True))
    assert shown["threshold"] == "0.25"
    assert shown["exits"] == "6, 9"
