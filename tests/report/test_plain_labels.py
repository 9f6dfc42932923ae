"""Words in pictures are words, whatever signs they hold."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.text import Text

from tiercut.report.saving import save

BROKEN = r"a$\frac$"


def test_names_with_dollar_signs_are_drawn_as_they_are_and_powers_of_ten_as_such(tmp_path: Path) -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.plot([1, 1000], [0, 1], label=BROKEN)
    axes.set_xscale("log")
    axes.set_yticks([0, 1], [BROKEN, "b"])
    axes.set_title(BROKEN)
    axes.set_xlabel(BROKEN)
    axes.legend()
    figure.suptitle(BROKEN)
    save(figure, tmp_path / "names.svg")
    texts = [each for each in figure.findobj(Text) if isinstance(each, Text)]
    as_words = [not each.get_parse_math() for each in texts if each.get_text() == BROKEN]
    assert len(as_words) >= 5
    assert all(as_words)
    assert any("10^" in each.get_text() and each.get_parse_math() for each in texts)
