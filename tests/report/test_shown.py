"""Results in a shell of Python and in a notebook: printed as the commands print them, one line by themselves."""

from __future__ import annotations

import html
import re
import sys

import pytest
from support.made import both, exits_data, profile_data, topology_data

import tiercut
from tiercut.cli import main
from tiercut.profiling.profile.schema import Profile
from tiercut.topologies.schema import Topology

CASE = ("mobile", "resnet20-digits32")


@pytest.fixture(scope="module")
def answer() -> tiercut.Answer:
    return tiercut.solve(*CASE, min_accuracy=0.9)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    sys.argv = ["tiercut", *arguments]
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    return capsys.readouterr().out


def lines(text: str) -> list[str]:
    """Return the lines of the tables; above them stand the seconds that the solver took."""
    every = [line.rstrip() for line in text.splitlines()]
    tables = "\n".join(every[every.index("best plan: least latency, accuracy ≥ 0.9") :])
    return tables.rstrip().splitlines()


def test_an_answer_prints_what_the_terminal_shows(
    answer: tiercut.Answer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    printed_here, shown = lines(str(answer)), lines(printed(capsys, "solve", *CASE, "--min-accuracy", "0.9"))
    tables, said = printed_here[: len(shown)], printed_here[len(shown) :]
    assert tables == shown
    assert " ".join(said).split() == " ".join(answer.notes).split()  # which the command prints to standard error


def test_a_frontier_prints_plans_that_can_be_told_apart_and_says_how_many_others_there_are() -> None:
    found = tiercut.frontier(*CASE, estimator="marginal")
    text = str(found)
    rows = [line.removeprefix("  *").split() for line in text.splitlines() if " ms " in line and "%" in line]
    figures = [tuple(row[1:4]) for row in rows if row[0].isdecimal()]
    assert len(set(figures)) == len(figures) < len(found)
    assert f"{len(found) - len(figures)} more plans whose figures read like these" in text
    assert str(found[0]) in text
    assert str(found[len(found) - 1]) in text


def test_an_answer_without_plans_says_why() -> None:
    nothing = tiercut.solve(*CASE, min_accuracy=1.0, max_latency="1 ms")
    assert nothing.message in " ".join(str(nothing).split())
    assert nothing.message in " ".join(nothing._repr_html_().replace("&gt;", ">").replace("&lt;", "<").split())


def test_replay_explanation_and_why_print_their_tables(answer: tiercut.Answer) -> None:
    texts = {
        str(tiercut.replay(*CASE, answer.best)): ["by the model", "p95", str(answer.best)],
        str(tiercut.explain(*CASE, answer.best)): ["total", "100.0%", str(answer.best)],
        str(tiercut.why(*CASE, min_accuracy=0.9, kinds=["slowdown"])): ["runner-up", "accuracy", str(answer.best)],
    }
    for text, words in texts.items():
        assert all(word in text for word in words), text


def test_what_a_shell_echoes_is_one_short_line(answer: tiercut.Answer) -> None:
    shown = [
        answer, answer.best, answer.space.problem, tiercut.replay(*CASE, answer.best),
        tiercut.explain(*CASE, answer.best), tiercut.why(*CASE, min_accuracy=0.9, kinds=["slowdown"]),
    ]  # fmt: skip
    for each in shown:
        text = repr(each)
        assert "\n" not in text
        assert len(text) < 200
        assert text.startswith(f"<{type(each).__name__} ")
    assert str(answer.best) in repr(answer.best)


def test_what_the_command_says_beside_an_answer_is_printed_with_it() -> None:
    nodes = [{"name": "near", "memory": "699 B"}, {"name": "far", "slowdown": 2}]
    pair = topology_data(nodes, [both("near", "far", 1, 1)])
    network = profile_data([1.0, 1.0], [1, 1, 1])
    network |= {"blocks": [{**block, "parameter_bytes": 100, "activation_bytes": 500} for block in network["blocks"]]}
    found = tiercut.solve(Topology.from_data(pair), Profile.from_data(network))
    assert any("memory" in said for said in found.notes)
    for said in found.notes:
        assert said in " ".join(str(found).split())
        assert said in html.unescape(found._repr_html_())
    replayed = tiercut.solve(*CASE, min_accuracy=0.9, evaluate="replay")
    assert replayed.replayed is not None
    assert replayed.replayed.guarantee in " ".join(str(replayed).split())


def test_a_headline_prints_no_hundreds_of_digits() -> None:
    count = 100
    data = profile_data([0.001] * count, [1] * (count + 1))
    data["exits"] = exits_data([0.5] * count, [1 / count] * count)
    found = tiercut.solve("simulator-2", Profile.from_data(data), exits="free")
    first = str(found).split(" decisions")[0]
    assert re.search(r"[1-9]\.[0-9] x 10\^[0-9]{2}$", first), first


def test_notebooks_show_an_answer_as_a_table(answer: tiercut.Answer) -> None:
    page = answer._repr_html_()
    assert page.count("<tr>") == 2
    assert str(answer.best).replace("→", "→") in page
    assert "<pre>" in tiercut.explain(*CASE, answer.best)._repr_html_()


@pytest.mark.parametrize("module", [tiercut, tiercut.plots])
def test_what_a_shell_completes_is_public(module: object) -> None:
    names = dir(module)
    assert "solve" in names or "save" in names
    assert not {"wording", "import_module", "TYPE_CHECKING", "shown"} & set(names)
    assert all(hasattr(module, name) for name in names)
