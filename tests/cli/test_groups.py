"""A group of options is declared once: as flags it shows up in help, and it arrives as one object."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from tiercut.analysis.solver_options import SolverOptions
from tiercut.cli.app import app
from tiercut.cli.groups import Shown, grouped
from tiercut.cli.own_plan import OwnPlan
from tiercut.optimizer.conditions import Conditions
from tiercut.optimizer.questions.question_options import QuestionOptions
from tiercut.option_fields import option, options_of, pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    file: Path | None = option(flag="", type=Path, metavar="[FILE]", help="Where it was measured.")
    wind: float = option(2.5, type=float, panel="Air", help="In metres per second.")
    towns: Sequence[str] | None = option(flag="--town", panel="Air", metavar="NAME", help="May be repeated.", many=True)
    rain: Mapping[str, str] | None = option(metavar="TOWN=MM", help="By town.", many=True, read=pairs)
    days: int = option(1, type=int, least=1, help="How many.")
    is_cold: bool = option(False, type=bool, help="Whether it is.")
    secret: str | None = option(help="Not shown.")
    left_out: str | None = option(help="Not taken.")


ARRIVED: list[Any] = []


def arrived(*words: str) -> Any:
    """Return what a command is handed for its arguments."""
    made = typer.Typer()

    @made.command()
    @grouped
    def tell(
        place: str,
        *,
        weather: Annotated[Weather, Shown(hide=("secret",), leave_out=("left_out",), help={"days": "To come."})],
        loud: bool = False,
    ) -> None:
        """Tell the weather."""
        ARRIVED.append((place, weather, loud))

    result = CliRunner().invoke(made, list(words), env={"COLUMNS": "120", "TERM": "dumb", "NO_COLOR": "1"})
    return (result.exit_code, result.output) if result.exit_code or "--help" in words else ARRIVED.pop()


def test_a_group_arrives_as_one_object() -> None:
    assert arrived("here") == ("here", Weather(), False)
    words = "here data.txt --wind 3 --town a --town b --rain a=1 --rain b=2 --days 2 --is-cold --secret x --loud"
    made = Weather(
        file=Path("data.txt"), wind=3, towns=["a", "b"], rain={"a": "1", "b": "2"}, days=2, is_cold=True, secret="x"
    )
    assert arrived(*words.split()) == ("here", made, True)


def test_a_group_shows_up_in_help() -> None:
    code, text = arrived("--help")
    assert code == 0
    for words in (
        "Tell the weather.",
        "[FILE]",
        "Air",
        "--wind",
        "In metres per second.",
        "2.5",
        "--town",
        "--is-cold",
    ):
        assert words in text
    assert "To come." in text
    assert "How many." not in text
    assert "--secret" not in text
    assert "--left-out" not in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["here", "--days", "0"], "greater than or equal to 1"),
        (["here", "--left-out", "x"], "No such option"),
        (["here", "--wind", "much"], "valid number"),
    ],
)
def test_what_a_group_does_not_take_is_refused(words: list[str], message: str) -> None:
    code, text = arrived(*words)
    assert code == 2
    assert message in text


def test_two_options_of_one_name_are_refused_when_the_command_is_made() -> None:
    def twice(*, weather: Weather, days: int = 1) -> None: ...

    with pytest.raises(TypeError, match="two options are called days"):
        grouped(twice)


TAKEN: dict[str, list[tuple[type, set[str]]]] = {
    "solve": [(QuestionOptions, {"over", "top", "all_decisions"}), (Conditions, set()), (SolverOptions, set())],
    "rank": [(QuestionOptions, {"over"}), (Conditions, set()), (SolverOptions, set())],
    "frontier": [(QuestionOptions, {"top", "all_decisions"}), (Conditions, set()), (SolverOptions, set())],
    "explain": [(OwnPlan, {"thresholds", "exits"}),
                (QuestionOptions, {"over", "top", "all_decisions", "exits", "thresholds"}),
                (Conditions, set())],
    "replay": [(OwnPlan, set()), (Conditions, set())],
}  # fmt: skip
"""The groups of each command, and the fields that it does not show, or says something else of."""


@pytest.mark.parametrize("command", TAKEN)
def test_help_shows_every_option_of_the_groups_of_a_command(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "300", "TERM": "dumb", "NO_COLOR": "1"})
    assert result.exit_code == 0
    for group, other in TAKEN[command]:
        for name, each in options_of(group).items():
            if name not in other:
                assert f"{each.flag} " in result.output
                assert (each.help or "") in result.output
                assert each.panel is None or each.panel in result.output


COMMANDS = [name for name in typer.main.get_command(app).list_commands(None) if name != "import"]  # type: ignore[arg-type, attr-defined]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_80_columns_breaks_no_flag_and_no_word_for_a_value(command: str) -> None:
    wide, narrow = (
        CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": columns, "TERM": "dumb", "NO_COLOR": "1"}).output
        for columns in ("300", "80")
    )
    assert max(map(len, narrow.splitlines())) <= 80
    rows = (re.split(r" {2,}", line.strip("│* ")) for line in wide.splitlines() if re.match(r"│[* ]+--", line))
    words = {word for row in rows for word in row[:-1]}
    assert words
    assert [word for word in sorted(words) if word not in narrow] == []


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["tiercut", "so"], ["solve"]),
        (["tiercut", "solve", "mo"], ["mobile"]),
        (["tiercut", "solve", "mobile", "resnet20-d"], ["resnet20-digits32"]),
        (["tiercut", "solve", "mobile", "resnet20-digits32", "--min"], ["--min-accuracy"]),
    ],
)
def test_shells_are_told_how_a_word_may_go_on(
    typed: list[str],
    offered: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = {"_TIERCUT_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(typed), "COMP_CWORD": str(len(typed) - 1)}
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        typer.main.get_command(app).main(prog_name="tiercut")
    assert capsys.readouterr().out.split() == offered


def test_help_breaks_paragraphs_where_the_terminal_ends_and_brackets_what_is_optional_once() -> None:
    shown = {
        command: CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "300", "TERM": "dumb"}).output
        for command in ("report", "explain", "sensitivity", "frontier", "import links", "schema")
    }
    assert "Sliders for the least accuracy and for every link and node move the best plan at once" in shown["report"]
    assert "What was not measured stays as it is." in shown["import links"]
    for text in shown.values():
        (usage,) = [line for line in text.splitlines() if "Usage:" in line]
        assert "[[" not in usage
        assert "...]..." not in usage
    assert "FORMAT" in shown["schema"]
    assert "topology, profile, query" in shown["schema"]
