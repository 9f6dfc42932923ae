"""Every command of README and docs: its flags are known, and what comes with the package answers as it says there."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import typer
from support.checkout import ROOT

import tiercut
from tiercut.cli.app import app
from tiercut.cli.examples import EXAMPLES
from tiercut.cli.root import Later

ASKING = {"solve", "rank", "frontier", "explain", "replay", "simulate", "show", "sensitivity", "report", "compare"}
"""Commands that need no machine, model or data set; they are run where their files come with the package."""


DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))


def name_of(document: Path) -> str:
    """Return what a test calls a document."""
    return document.relative_to(ROOT).as_posix()


def written(document: str) -> dict[str, str]:
    """Return the files that a document has its reader write: what stands in a fence with a title."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return dict(re.findall(r'^```\w+ title="([\w.]+)"\n(.*?)^```', text, re.DOTALL | re.MULTILINE))


def blocks(document: Path) -> list[list[str]]:
    """Return the console blocks of a document, each as lines."""
    found = re.findall(r"```console\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)
    return [block.strip().split("\n") for block in found]


def documented() -> list[tuple[str, str]]:
    """Return every command that stands in a document after a $, or in a line of text with all of its arguments."""
    found = []
    for document in DOCUMENTS:
        lines = [line[2:] for block in blocks(document) for line in block if line.startswith("$ tiercut ")]
        text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
        lines += re.findall(r"`(tiercut [a-z-]+ [^`]*--[^`]+)`", text)
        found += [(name_of(document), line) for line in dict.fromkeys(lines)]
    return found


DOCUMENTED = [*documented(), *((f"help of {name}", line) for name, lines in EXAMPLES.items() for line in lines)]


def words_of(line: str) -> tuple[list[str], str | None]:
    """Return the words of a command after ``tiercut``, and the file that its output goes to."""
    command, _, target = line.partition(" > ")
    return shlex.split(command)[1:], target or None


@pytest.mark.parametrize(("document", "line"), DOCUMENTED, ids=[line for _, line in DOCUMENTED])
def test_every_flag_of_a_documented_command_is_known(document: str, line: str) -> None:
    del document
    words, _ = words_of(line)
    command: Any = typer.main.get_command(app)
    while hasattr(command, "get_command"):
        name = words.pop(0)
        command = command.get_command(None, name)
        assert command is not None, f"there is no command {name}"
        command = command.load() if isinstance(command, Later) else command
    known = {flag for each in command.params for flag in (*each.opts, *each.secondary_opts)}
    flags = [word.partition("=")[0] for word in words if word.startswith("--")]
    assert [flag for flag in flags if flag not in known] == []


def runnable() -> list[tuple[str, tuple[str, ...]]]:
    """Return, by document, the commands of the shell that can be run one after the other, with what they print."""
    found = []
    for document in DOCUMENTS:
        made = set(written(name_of(document)))
        for block in blocks(document):
            for line in block:
                words, target = words_of(line[2:]) if line.startswith("$ tiercut ") else ([], None)
                files = {word for word in words if re.search(r"\.(json|ya?ml|csv)$", word)}
                if words and words[0] in ASKING and files <= made:
                    found.append((name_of(document), line[2:], tuple(printed_after(line, block))))
                    made |= {target} if target else set()
    return [(name, tuple(each[1:] for each in lines)) for name, lines in groupby(found, key=lambda each: each[0])]


def printed_after(line: str, block: list[str]) -> list[str]:
    """Return the lines that a document shows below a command, up to the next one."""
    after = block[block.index(line) + 1 :]
    ends = next((place for place, each in enumerate(after) if each.startswith("$ ")), len(after))
    return [each for each in after[:ends] if each.strip(" ─.…")]


RUNNABLE = runnable()


@pytest.mark.parametrize(("document", "commands"), RUNNABLE, ids=[name for name, _ in RUNNABLE])
def test_documented_commands_answer_and_print_what_the_document_shows(
    document: str,
    commands: tuple[tuple[str, tuple[str, ...]], ...],
    shell_call: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in written(document).items():
        Path(name).write_text(content, encoding="utf-8")
    for line, printed in commands:
        words, target = words_of(line)
        status, out, err = shell_call(*words)
        assert status == 0, f"{line}\n{err}"
        if target is not None:
            Path(target).write_text(out, encoding="utf-8")
        said = " ".join((out + err).split())
        assert [each for each in printed if " ".join(each.split()) not in said] == [], line


OF_READERS = {"plan.json", "grid.yaml", "latencies.csv", "now.json", "network.yaml"}
EXAMPLES_TO_RUN = [
    line
    for name, lines in EXAMPLES.items()
    for line in lines
    if name in {*ASKING, "doctor", "schema"} - {"report"} and not OF_READERS & set(shlex.split(line))
    if line not in {each for _, lines in RUNNABLE for each, _ in lines}
]
"""The examples of help that need no file of a reader, no machine and no model, and that no document has."""


@pytest.mark.parametrize("line", EXAMPLES_TO_RUN)
def test_examples_of_help_answer(
    line: str, shell_call: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = shell_call(*words_of(line)[0])
    assert status == 0, err
    assert out or err


def test_every_command_has_two_examples_in_its_help(shell_call: Callable[..., tuple[int, str, str]]) -> None:
    commands: Any = typer.main.get_command(app)
    assert {name: len(lines) for name, lines in EXAMPLES.items()} == dict.fromkeys(commands.commands, 2)
    _, out, _ = shell_call("solve", "--help")
    for line in EXAMPLES["solve"]:
        assert "".join(line.split()) in "".join(out.split())


@pytest.mark.parametrize("notebook", sorted((ROOT / "docs" / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_keep_nothing_that_a_run_left(notebook: Path) -> None:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    assert [each for each in cells if each.get("outputs") or each.get("execution_count")] == []


def test_every_page_has_its_place_on_the_site() -> None:
    menu = set(re.findall(r"[\w/.-]+[.]md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    pages = [path.relative_to(ROOT / "docs") for path in DOCUMENTS[1:]]
    notebooks = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs" / "notebooks").glob("*.ipynb")]
    missing = {path.with_suffix(".md").as_posix() for path in (*pages, *notebooks)} - menu
    assert missing == set(), "give it a line under nav in mkdocs.yml"


ANSWERS = (
    "solve iot resnet20-digits32 --min-accuracy 0.97 --rate '10 fps' --json",
    "solve iot resnet20-digits32 --use-all-tiers --evaluate replay --json",
    "solve iot resnet20-clutter --min-accuracy 0.86 --certify 95% --json",
    "frontier iot resnet20-digits32 digits-onnx --json",
)


@pytest.mark.parametrize("line", ANSWERS)
def test_every_key_of_an_answer_is_documented(line: str, shell_call: Callable[..., tuple[int, str, str]]) -> None:
    _, out, _ = shell_call(*shlex.split(line))
    answer = json.loads(out)
    known = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "files.md").read_text(encoding="utf-8")))
    plan = answer["plans"][0]
    looked_at = (answer, answer["problem"], answer["solver"], plan, plan["stages"][0], answer.get("certified", {}))
    assert {key for each in looked_at for key in each} - known == set()


def test_every_name_in_python_of_a_document_is_public() -> None:
    fences = re.findall(r"^```python\n(.*?)^```", "\n".join(map(Path.read_text, DOCUMENTS)), re.DOTALL | re.MULTILINE)
    names = {name for fence in fences for name in re.findall(r"\btiercut\.((?:plots\.)?\w+)", fence)}
    assert names
    for name in names:
        attrgetter(name)(tiercut)
