"""Answers as studies of Optuna and as runs of MLflow."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from support.made import both, exits_data, profile_data, topology_data

import tiercut
from tiercut.errors import InputError, QuestionError
from tiercut.report.tracking import mlflow_run, optuna_storage
from tiercut.report.tracking.mlflow_run import run_of
from tiercut.report.tracking.study import Range, study_of

Call = Callable[..., tuple[int, str, str]]

EXITS = exits_data([0.5, 0.75, 1.0], [0.5, 0.25, 0.25])
TOPOLOGY = tiercut.Topology.from_data(topology_data("near far", [both("near", "far", 1, 4)]))
DATA = profile_data([1.0, 2.0, 4.0], [12.0, 8.0, 4.0, 0.0], branch_s=[0.5] * 3, exits=EXITS, dataset="digits")
PROFILE = tiercut.Profile.from_data(DATA)
BARE = tiercut.Profile.from_data(profile_data([1.0, 2.0, 4.0], [12.0, 8.0, 4.0, 0.0]), source="bare")


def test_a_frontier_is_a_study_with_a_direction_for_each_measure() -> None:
    answer = tiercut.frontier(TOPOLOGY, PROFILE, over=["latency", "accuracy", "compute:far"])
    study = study_of(answer)
    assert study.measures == ("latency_s", "compute:far", "accuracy")
    assert study.directions == ("minimize", "minimize", "maximize")
    assert [trial.values for trial in study.trials] == [tuple(row) for row in answer.values(study_measures()).tolist()]
    assert study.attributes["status"] == "optimal"
    assert study.name == f"frontier: {answer.space.problem.profile} on {answer.space.problem.topology}"


def study_measures() -> list[str]:
    return ["latency", "compute:far", "accuracy"]


@pytest.mark.parametrize("asked", [{}, {"exits": "free"}, {"thresholds": "per-exit"}, {"exits": "final"}])
def test_what_a_plan_decides_are_the_parameters_of_its_trial(asked: dict[str, Any]) -> None:
    alone = exits_data([0.5, 0.75, 1.0], [0.5, 0.75, 1.0], [0.7, 0.8, 1.0], alone=True)
    profile = tiercut.Profile.from_data(DATA | {"exits": alone}) if "thresholds" in asked else PROFILE
    answer = tiercut.rank(TOPOLOGY, profile, top=30, **asked)
    study = study_of(answer)
    assert study.directions == ("minimize",)
    said = set()
    for trial, plan in zip(study.trials, answer, strict=True):
        numbered = {
            kind: [value for name, value in trial.parameters.items() if name.startswith(f"{kind} ")]
            for kind in ("end", "node", "exit", "threshold")
        }
        assert (numbered["end"], numbered["node"]) == (list(plan.partition), list(plan.placement))
        assert numbered["exit"] == (list(plan.exits) if asked == {"exits": "free"} else [])
        assert numbered["threshold"] == list(plan.thresholds or ())
        assert trial.parameters.get("threshold") == plan.threshold
        assert (trial.attributes["plan"], trial.values) == (str(plan), (plan.latency_s,))
        json.dumps(dict(trial.attributes), allow_nan=False)
        said |= set(trial.parameters)
        for name, value in trial.parameters.items():
            span = study.ranges[name]
            assert value in span.words if span.words else span.low <= value <= span.high  # type: ignore[operator]
    assert set(study.ranges) == said
    assert study.ranges["end 1"] == Range(1, 3)
    assert study.ranges["node 1"] == Range(words=("near", "far"))


def test_plans_of_several_networks_say_of_which_they_are() -> None:
    other = tiercut.Profile.from_data(DATA | {"model": "other"}, source="other")
    answer = tiercut.frontier(TOPOLOGY, [PROFILE, other])
    study = study_of(answer)
    assert [trial.parameters["profile"] for trial in study.trials] == list(answer.models)
    assert study.ranges["profile"].words == tuple(answer.answers)
    assert [trial.values for trial in study.trials] == [(plan.latency_s, plan.accuracy) for plan in answer]


def test_a_run_has_the_figures_of_the_best_plan_and_those_of_all_by_rank() -> None:
    answer = tiercut.frontier(TOPOLOGY, PROFILE, over=["latency", "accuracy", "link:near>far"])
    run = run_of(answer)
    best = answer[answer.knee or 0]
    assert (run.metrics["latency_s"], run.metrics["accuracy"]) == (best.latency_s, best.accuracy)
    assert run.metrics["plan_count"] == len(answer)
    assert not {name.split("/")[0] for name, _, _ in run.series} & set(run.metrics)  # a store of files has folders
    assert "link:near to far" in run.metrics
    series = {rank: value for name, value, rank in run.series if name == "plans/latency_s"}
    assert series == {rank: plan.latency_s for rank, plan in enumerate(answer, 1)}
    assert (run.parameters["plan"], run.parameters["status"]) == (str(best), "optimal")
    assert (run.parameters["question"], run.parameters["exits"]) == ("frontier", ",".join(map(str, best.exits)))
    assert run.parameters["asked exits"] == "at the end of every part"
    assert all(len(text) <= 500 for text in run.parameters.values())


def test_all_notes_of_an_answer_are_logged() -> None:
    answer = replace(tiercut.solve(TOPOLOGY, BARE), notes=("one", "two"))
    assert run_of(answer).parameters["asked note"] == "one; two"


def test_the_sustainable_rate_stands_as_the_seconds_that_it_is_one_over() -> None:
    answer = tiercut.solve(TOPOLOGY, PROFILE, objective="rate")
    study, run = study_of(answer), run_of(answer)
    assert (study.measures, study.directions) == (("seconds_per_frame",), ("minimize",))
    (seconds,) = study.trials[0].values
    assert run.metrics["rate"] == study.trials[0].attributes["rate"] == pytest.approx(1 / seconds)  # as in a frame


class _Broken:
    """A client of MLflow whose tracker goes away after the run was opened."""

    def __init__(self, tracking_uri: str) -> None:
        self.said: list[str] = []

    def get_experiment_by_name(self, name: str) -> Any:
        return SimpleNamespace(experiment_id="1")

    def create_run(self, home: str, run_name: str) -> Any:
        return SimpleNamespace(info=SimpleNamespace(run_id="7"))

    def log_batch(self, run: str, **said: Any) -> None:
        raise OSError("the tracker is full\nand more")

    def set_terminated(self, run: str, status: str = "FINISHED") -> None:
        raise RuntimeError("cannot be reached")


def test_what_fails_while_a_run_is_logged_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    entities = SimpleNamespace(Metric=lambda *cells: cells, Param=lambda *cells: cells)
    exceptions = SimpleNamespace(MlflowException=KeyError)
    fake = SimpleNamespace(entities=entities, exceptions=exceptions, MlflowClient=_Broken)
    monkeypatch.setattr(mlflow_run, "check_mlflow", lambda what: fake)
    with pytest.raises(InputError, match=r"^http://there: cannot be used by MLflow: the tracker is full$"):
        mlflow_run.to_mlflow(tiercut.solve(TOPOLOGY, BARE), "http://there")


def test_what_fails_while_a_study_is_written_is_said_in_a_line() -> None:
    class FailedError(Exception):
        pass

    def refuse(*_: Any, **__: Any) -> None:
        raise FailedError("disk full\nand more")

    exceptions = SimpleNamespace(StorageInternalError=FailedError, DuplicatedStudyError=KeyError)
    study = SimpleNamespace(set_metric_names=refuse)
    fake = SimpleNamespace(exceptions=exceptions, create_study=lambda **_: study, delete_study=lambda **_: 1 / 0)
    with pytest.raises(InputError, match=r"^plans.db: cannot be written as a storage of Optuna: disk full$"):
        optuna_storage._write(fake, None, "mine", study_of(tiercut.solve(TOPOLOGY, BARE)), "plans.db")


def test_mlflow_tells_nobody_of_its_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "")  # so that it is put back
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY")
    monkeypatch.setitem(sys.modules, "mlflow", ModuleType("mlflow"))
    monkeypatch.setitem(sys.modules, "sqlalchemy", ModuleType("sqlalchemy"))
    mlflow_run.check_mlflow("logging a run")
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_what_no_plan_has_is_not_logged() -> None:
    run = run_of(tiercut.solve(TOPOLOGY, BARE))
    assert not {"accuracy", "threshold"} & set(run.metrics)
    assert study_of(tiercut.solve(TOPOLOGY, BARE)).trials[0].parameters.keys() == {"end 1", "node 1"}


@pytest.mark.parametrize(("flag", "package"), [("--optuna", "optuna"), ("--mlflow", "mlflow")])
def test_a_package_that_is_missing_is_named_before_anything_is_solved(
    shell_call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flag: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    status, out, err = shell_call("frontier", "iot", "resnet20-digits32", flag, tmp_path / "there")
    assert (status, out) == (2, "")
    assert f"{flag} needs the package {package}" in err
    assert f"pip install 'tiercut[{package}]'" in " ".join(err.split())


def test_a_name_without_a_study_is_refused(shell_call: Call) -> None:
    status, _, err = shell_call("frontier", "iot", "resnet20-digits32", "--study", "mine")
    assert status == 2
    assert "--study names the study that --optuna writes" in err


@pytest.mark.parametrize("flag", ["--optuna", "--mlflow", "--plot"])
def test_plans_of_several_sources_are_kept_nowhere_without_a_word(
    shell_call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flag: str
) -> None:
    for package in ("optuna", "mlflow", "sqlalchemy"):
        monkeypatch.setitem(sys.modules, package, ModuleType(package))
    status, out, err = shell_call("solve", "factory", "resnet20-digits32", flag, tmp_path / "there.png")
    assert (status, out) == (2, "")
    assert f"{flag} is about the answer for one source; name it by --source" in " ".join(err.split())


# With the packages themselves


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sqlite:///{}/a.db", "{}/a.sqlite3", "{}/a.journal"])
def test_optuna_reads_the_plans_that_were_written(tmp_path: Path, name: str) -> None:
    optuna = pytest.importorskip("optuna", reason="needs the extra 'optuna'")
    answer = tiercut.frontier("iot", "resnet20-digits32")
    storage = name.format(tmp_path)
    wanted = study_of(answer)
    assert tiercut.to_optuna(answer, storage) == wanted.name
    assert tiercut.to_optuna(answer, storage, study="again") == "again"
    with pytest.raises(QuestionError, match="has a study 'again' already, which stays as it is; name another"):
        tiercut.to_optuna(answer, storage, study="again")
    opened: Any = storage
    if storage.endswith(".journal"):
        opened = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(storage))
    elif "://" not in storage:
        opened = f"sqlite:///{storage}"
    study = optuna.load_study(study_name=wanted.name, storage=opened)
    assert [each.name for each in study.directions] == ["MINIMIZE", "MAXIMIZE"]
    assert study.metric_names == ["latency_s", "accuracy"]
    assert study.user_attrs == dict(wanted.attributes)
    assert [tuple(trial.values) for trial in study.trials] == [trial.values for trial in wanted.trials]
    assert [trial.params for trial in study.trials] == [dict(trial.parameters) for trial in wanted.trials]
    assert [trial.user_attrs for trial in study.trials] == [dict(trial.attributes) for trial in wanted.trials]
    assert len(study.best_trials) == len(answer)  # none beats another
    study.add_trial(study.trials[0])  # its parameters go on: one distribution for each


@pytest.mark.slow
def test_a_storage_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="needs the extra 'optuna'")
    answer = tiercut.solve("iot", "resnet20-digits32")
    for storage in ("nosuch://x", f"sqlite:///{tmp_path}/none/a.db", f"{tmp_path}/none/a.journal"):
        with pytest.raises(InputError, match="cannot be opened as a storage of Optuna"):
            tiercut.to_optuna(answer, storage)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of packages that MLflow imports
def test_mlflow_reads_the_run_that_was_logged(tmp_path: Path, shell_call: Call) -> None:
    mlflow = pytest.importorskip("mlflow", reason="needs the extra 'mlflow'")
    status, _, err = shell_call(
        "frontier",
        "iot",
        "resnet20-digits32",
        "--over",
        "latency,accuracy,link:micro>local",
        "--mlflow",
        tmp_path / "runs",
    )
    assert status == 0, err
    answer = tiercut.frontier("iot", "resnet20-digits32", over=["latency", "accuracy", "link:micro>local"])
    wanted = run_of(answer)
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/runs/mlflow.db")
    experiment = client.get_experiment_by_name("tiercut")
    (run,) = client.search_runs([experiment.experiment_id])
    assert f"logged the run {run.info.run_id}" in " ".join(err.split())
    assert (run.info.run_name, run.info.status) == (wanted.name, "FINISHED")
    assert run.data.metrics["latency_s"] == wanted.metrics["latency_s"]
    assert run.data.params["plan"] == wanted.parameters["plan"]
    history = client.get_metric_history(run.info.run_id, "plans/accuracy")
    assert {each.step: each.value for each in history} == {rank: plan.accuracy for rank, plan in enumerate(answer, 1)}
    assert {each.path for each in client.list_artifacts(run.info.run_id)} == {"answer.json", "plans.csv", "plot.png"}
    tiercut.to_mlflow(answer, str(tmp_path / "runs"))
    assert len(client.search_runs([experiment.experiment_id])) == 2
