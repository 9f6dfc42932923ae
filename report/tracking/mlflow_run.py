"""Answers as runs of MLflow: what was asked as parameters, what was found as metrics, and the answer as files."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.errors import InputError, QuestionError
from tiercut.report.answers.asked import asked_rows
from tiercut.report.saving import save
from tiercut.report.tracking.study import answers_in, study_of
from tiercut.stages import stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tiercut.analysis import Answer, ModelsAnswer
    from tiercut.report.saving import Picture

__all__ = ["Run", "check_mlflow", "run_of", "to_mlflow"]

EXPERIMENT = "tiercut"

_LONGEST, _BATCH = 500, 500
"""Characters of a parameter that any server takes, and metrics at once."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run logs.

    Parameters
    ----------
    name
        Such as ``frontier: resnet20-digits32 on iot``.
    parameters
        What was asked, and the plan that the metrics are of.
    metrics
        Of the best plan (of a frontier that bends: of the one at its knee), and how much was done.
    series
        Of every plan: name, value and rank.
    """

    name: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    series: tuple[tuple[str, float, int], ...]


def run_of(answer: Answer | ModelsAnswer) -> Run:
    """Return what a run logs of an answer; metrics have the columns of `Answer.to_frame` for names.

    What was asked has names that begin with ``asked``, as plans have columns that are called the same.
    """
    study, frame = study_of(answer), answer.to_frame()
    parameters = {str(key): str(value) for key, value in study.attributes.items()}
    for network, each in answers_in(answer).items():
        prefix = "" if len(answers_in(answer)) == 1 else f"{network}/"
        for key, text in asked_rows(each).cells:
            if key not in _TOLD:
                name = f"{prefix}asked {key}"
                parameters[name] = f"{parameters[name]}; {text}" if name in parameters else text
    # NOTE a store of files has a file for each metric: none may be called as the folder of `plans/…`
    metrics = {"plan_count": float(len(frame))}
    metrics["solver_seconds"] = sum(each.outcome.seconds for each in answers_in(answer).values())
    series: list[tuple[str, float, int]] = []
    if len(frame):
        knee = answer.knee or 0
        chosen = frame.iloc[knee]
        for column in frame.columns:
            if column == "rank":
                continue
            if frame[column].dtype == float:
                name = _metric(column)
                metrics |= {name: float(chosen[column])} if np.isfinite(chosen[column]) else {}
                series += _series(f"plans/{name}", frame[column])
            elif isinstance(chosen[column], str):
                parameters[column] = chosen[column]
        metrics["rank"] = knee + 1.0
    return Run(study.name, {_metric(key): text[:_LONGEST] for key, text in parameters.items()}, metrics, tuple(series))


_TOLD = ("answered by", "problem")
"""Rows of the head of an answer that attributes and metrics say too."""


def _series(name: str, values: Any) -> Iterator[tuple[str, float, int]]:
    return ((name, float(value), rank) for rank, value in enumerate(values, 1) if np.isfinite(value))


def _metric(name: str) -> str:
    """Return a name of letters that MLflow allows: ``link:a>b`` is ``link:a to b``."""
    return re.sub(r"[^\w\-. :/]", "_", name.replace(">", " to "))


def check_mlflow(what: str) -> Any:
    """Return mlflow, which sends nothing but to the tracker that is named, unless the environment says otherwise.

    Raises
    ------
    QuestionError
        If it is not installed.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it is read at import: use would be told to its makers
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what its packages say of each other is not about an answer
            import mlflow
            import sqlalchemy  # noqa: F401 - what keeps runs in a folder, and mlflow-skinny leaves out
    except ImportError:
        raise QuestionError(f"{what} needs the package mlflow; install it with pip install 'tiercut[mlflow]'") from None
    return mlflow


def to_mlflow(
    answer: Answer | ModelsAnswer, where: str, *, experiment: str = EXPERIMENT, picture: Picture | None = None
) -> str:
    """Log an answer as a run of MLflow, and return the run's id.

    Its parameters are what was asked and the best plan (of a frontier, the one at its knee), its metrics that plan's
    figures, and ``plans/…`` those of all plans, with the rank as the step; its artifacts ``answer.json``, ``plans.csv``
    and ``plot.png``.

    Parameters
    ----------
    answer
        Of any question.
    where
        The URI of a tracking server or database, such as ``http://host:5000`` or ``sqlite:///mlflow.db``; or a folder,
        which gets a database ``mlflow.db`` and the artifacts.
    experiment
        What the runs are gathered in; it is made where there is none.
    picture
        What to keep as ``plot.png``, as `tiercut.report.answer_picture` returns it.

    Raises
    ------
    QuestionError
        If MLflow is not installed.
    InputError
        If it cannot be reached or written.
    """
    mlflow = check_mlflow("logging a run")
    made = run_of(answer)
    with stage("logging the run"), _quiet():
        try:
            client, files = _client(mlflow, where)
            found = client.get_experiment_by_name(experiment)
            home = client.create_experiment(experiment, files) if found is None else found.experiment_id
            run: str = client.create_run(home, run_name=made.name).info.run_id
        except Exception as error:  # of a server, a database or a file system
            raise _refused(where, error) from None
        try:
            _log(mlflow, client, run, made)
            _keep(client, run, answer, picture)
            client.set_terminated(run)
        except BaseException as error:
            with suppress(Exception):  # what failed first is what counts
                client.set_terminated(run, "FAILED")
            if isinstance(error, (mlflow.exceptions.MlflowException, OSError)):
                raise _refused(where, error) from None
            raise
    return run


def _refused(where: str, error: Exception) -> InputError:
    said = str(error).strip().splitlines() or [type(error).__name__]
    return InputError(where, f"cannot be used by MLflow: {said[0]}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what MLflow's packages say of each other, and of the tables that they make."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _client(mlflow: Any, where: str) -> tuple[Any, str | None]:
    """Return a client, and where it is to keep artifacts; None: where the server says."""
    if "://" in where:
        return mlflow.MlflowClient(tracking_uri=where), None
    folder = Path(where).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return mlflow.MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}"), (folder / "artifacts").as_uri()


def _log(mlflow: Any, client: Any, run: str, made: Run) -> None:
    kinds = mlflow.entities
    now = int(time.time() * 1000)
    metrics = [kinds.Metric(name, value, now, 0) for name, value in made.metrics.items()]
    metrics += [kinds.Metric(name, value, now, rank) for name, value, rank in made.series]
    client.log_batch(run, params=[kinds.Param(key, text) for key, text in made.parameters.items()])
    for begin in range(0, len(metrics), _BATCH):
        client.log_batch(run, metrics=metrics[begin : begin + _BATCH])


def _keep(client: Any, run: str, answer: Answer | ModelsAnswer, picture: Picture | None) -> None:
    client.log_text(run, answer.to_json(), "answer.json")
    client.log_text(run, answer.to_csv(), "plans.csv")
    if picture is not None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "plot.png")
            save(picture, path)
            client.log_artifact(run, str(path))
