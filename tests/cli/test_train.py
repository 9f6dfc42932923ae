"""``tiercut train`` as a command: what it asks for, what it prints, and what it refuses."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tiercut.profiling
from tiercut.profiling.exits.exit_files import ExitFile
from tiercut.profiling.exits.trainer import Trained, Training
from tiercut.profiling.exits.training import Epoch, Schedule


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """What the command asks the trainer for; nothing is trained."""
    found: list[dict[str, Any]] = []
    record = ExitFile(
        title="Net", cuts=["stem", "middle", "top"], branches=[1, 3], dataset="d", seed=0, trained_on="0" * 64,
        accuracy_separate=[0.4, None, 0.9], temperature=[1.25, None, 0.8],
    )  # fmt: skip

    def train_network(name: str, dataset: str, training: Training, **options: Any) -> Trained:
        found.append({"name": name, "dataset": dataset, "training": training} | options)
        if name == "slow":
            raise KeyboardInterrupt
        options["report"]("jointly", Epoch(1, 4, 0.5))
        return Trained(tmp_path / "net-d.keras", record, (0.375, None, 0.8))

    monkeypatch.setattr(tiercut.profiling, "train_network", train_network)
    return found


@pytest.fixture
def call(shell_call: Any) -> Any:
    """Train, or call another command; return status, standard output and standard error."""
    return lambda *arguments, command="train": shell_call(command, *arguments)


def test_the_table_shows_every_branch_that_there_is(asked: list[dict[str, Any]], call: Any) -> None:
    status, out, err = call("resnet20")
    assert status == 0
    assert [line.split() for line in out.splitlines()] == [
        ["block", "layer", "accuracy", "alone", "temperature"],
        ["1", "stem", "37.50%", "40.00%", "1.25"],
        ["3", "top", "80.00%", "90.00%", "0.80"],
    ]
    assert err.splitlines()[0] == "jointly, epoch 1 of 4: loss 0.5000"
    assert err.splitlines()[1].startswith("trained Net: ")
    assert asked[0]["training"] == Training(schedule=Schedule(epochs=40))


def test_options_become_a_training(asked: list[dict[str, Any]], call: Any) -> None:
    call(
        *("lenet", "--dataset", "cifar10", "--branches", "1,3", "--loss-weights", "0.5,1", "--separately"),
        *("--temperature", "--patience", "3", "--epochs", "7", "--flip", "--precision", "mixed_float16"),
        *("--input-size", "28x30x1", "--seed", "5"),
    )
    (got,) = asked
    assert (got["dataset"], got["size"], got["channels"]) == ("cifar10", (28, 30), 1)
    assert got["training"] == Training(
        schedule=Schedule(epochs=7, flip=True, patience=3, held_out=0.1, seed=5),
        branches=(1, 3),
        weights=[0.5, 1.0],
        separately=True,
        temperature=True,
        policy="mixed_float16",
    )


def test_splits_and_a_frozen_network_become_a_training(asked: list[dict[str, Any]], call: Any) -> None:
    assert call("net.keras", "--splits", "0.5,0.3,0.2", "--freeze")[0] == 0
    training = asked[0]["training"]
    assert training == Training(schedule=Schedule(epochs=40, freeze=True), shares=(0.5, 0.3, 0.2))


def test_a_plan_names_the_configuration_to_fine_tune(asked: list[dict[str, Any]], call: Any, tmp_path: Path) -> None:
    import tiercut

    answer = tiercut.rank("mobile", "resnet20-digits32", exits="free", min_accuracy=0.9)
    plan = tmp_path / "answer.json"
    plan.write_text(json.dumps(answer.to_data()), encoding="utf-8")
    assert call("it.keras", "--plan", str(plan), "--rank", "2")[0] == 0
    assert asked[0]["training"].configuration == answer.plans[1].exits
    call("it.keras", "--exits", "3,9", "--fresh")
    assert (asked[1]["training"].configuration, asked[1]["training"].fresh) == ((3, 9), True)
    assert "has ranks 1 to 5, but rank 9" in call("it.keras", "--plan", str(plan), "--rank", "9")[2]


def test_ctrl_c_says_how_to_go_on(asked: list[dict[str, Any]], call: Any) -> None:
    assert call("slow") == (130, "", "interrupted; the same call goes on after the last whole epoch\n")


def test_profile_takes_the_same_flags_for_a_trained_file_as_for_any_model(
    call: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tiercut.profiling.record import campaign
    from tiercut.profiling.record.record import Recording
    from tiercut.profiling.record.settings import EFFORT, Settings

    with zipfile.ZipFile(tmp_path / "net.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("tiercut.json", "{}")
    seen: list[Any] = []

    def record(_: object, name: str, output: str, settings: Settings, **__: object) -> Recording:
        seen.append((name, output, settings))
        return Recording(Path("there/net.json"), "Net/digits32", 3, 0.1, fresh=True)

    monkeypatch.setattr(campaign.Worker, "record", record)
    monkeypatch.chdir(tmp_path)
    path = "net.keras"
    options = ("--thresholds", "quantiles:5", "--output", "there", "--statistic", "p25", "--precision", "0.05")
    options += ("--limit", "5 s", "--batch", "2", "--check", "3", "--jit-compile", "--redo", "--stress", "cpu=50")
    status, _, err = call(path, *options, command="profile")
    assert status == 0
    assert err.startswith("Net/digits32: 3 blocks, whole 100 ms, took 0 s: there/net.json")
    assert seen == [
        (
            path,
            "there",
            Settings(
                effort=replace(EFFORT, precision=0.05, limit_s=5.0), statistic="p25", batch=2, check=3, jit=True,
                redo=True, stress={"cpu": 0.5}, thresholds="quantiles:5",
            ),
        )
    ]  # fmt: skip
    call("net.keras", "resnet20", command="profile")
    assert [name for name, *_ in seen] == ["net.keras", "net.keras", "resnet20"]
    assert "keeps what it was trained with: --rule; leave it out" in call(path, "--rule", "all", command="profile")[2]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--loss-weights", "1,a"], "--loss-weights is written as numbers such as 1,1,2, not '1,a'"),
        (["--splits", "0.5,0.5"], "--splits is written as three shares such as 0.45,0.4,0.15, not '0.5,0.5'"),
        (["--exits", "3;9"], "--exits is written as numbers"),
        (["--exits", "3", "--plan", "it.json"], "not both"),
        (["--input-size", "28"], "--input-size is written 64x64 or 28x28x1, not '28'"),
        (["--branches", "some"], "as numbers of blocks such as 1,3,5, not 'some'"),
        (["--precision", "float8"], "the precision is one of"),
        (["--held-out", "0.9"], "held_out"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_loaded(
    asked: list[dict[str, Any]], call: Any, options: list[str], what: str
) -> None:
    status, out, err = call("lenet", *options)
    assert (status, out, asked) == (2, "", [])
    assert err.startswith("error: ")
    assert what in err
