"""Answers in a storage of Optuna, for optuna-dashboard and for code that reads studies."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiercut.errors import InputError, QuestionError
from tiercut.report.tracking.study import Study, study_of
from tiercut.stages import stage

if TYPE_CHECKING:
    from tiercut.analysis import Answer, ModelsAnswer
    from tiercut.report.tracking.study import Range

__all__ = ["check_optuna", "to_optuna"]

_DATABASES = (".db", ".sqlite", ".sqlite3")


def check_optuna(what: str) -> Any:
    """Return optuna.

    Raises
    ------
    QuestionError
        If it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise QuestionError(f"{what} needs the package optuna; install it with pip install 'tiercut[optuna]'") from None
    return optuna


def to_optuna(answer: Answer | ModelsAnswer, storage: str, *, study: str | None = None) -> str:
    """Write the plans of an answer as finished trials of a new study of Optuna, and return its name.

    The study has a direction for each measure that a frontier is over, else for the objective alone; what a plan
    decides are the parameters of its trial (see `tiercut.report.tracking.study.study_of`), and all that a row of
    `Answer.to_frame` says are its attributes.

    Parameters
    ----------
    answer
        Of any question.
    storage
        A URL such as ``sqlite:///plans.db``; or a file: a SQLite database where it ends in db, sqlite or sqlite3, else
        a journal, which takes many plans sooner. Other studies in it stay.
    study
        What the study is called; by default after question, profile and topology.

    Raises
    ------
    QuestionError
        If optuna is not installed, or the storage has a study of that name already.
    InputError
        If the storage cannot be opened or written.
    """
    optuna = check_optuna("writing a study")
    made = study_of(answer)
    name = study or made.name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            _write(optuna, _opened(optuna, storage), name, made, storage)
        finally:
            optuna.logging.set_verbosity(before)
    return name


def _opened(optuna: Any, storage: str) -> Any:
    """Return the storage that is meant."""
    try:
        if "://" in storage:
            return optuna.storages.RDBStorage(storage)
        if Path(storage).suffix.lower() in _DATABASES:
            return optuna.storages.RDBStorage(f"sqlite:///{storage}")
        return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(storage))
    # NOTE what fails is of SQLAlchemy, of a driver that is missing, of the file system, or of JSON that is none
    except Exception as error:
        raise _refused(storage, "opened as", error) from None


def _refused(storage: str, what: str, error: Exception) -> InputError:
    said = str(error).strip().splitlines() or [type(error).__name__]
    return InputError(storage, f"cannot be {what} a storage of Optuna: {said[0]}")


def _write(optuna: Any, opened: Any, name: str, made: Study, storage: str) -> None:
    failures = (optuna.exceptions.StorageInternalError, OSError)
    try:
        study = optuna.create_study(storage=opened, study_name=name, directions=list(made.directions))
    except optuna.exceptions.DuplicatedStudyError:
        raise QuestionError(
            f"{storage} has a study '{name}' already, which stays as it is; name another by --study (study=)"
        ) from None
    except failures as error:
        raise _refused(storage, "written as", error) from None
    try:
        study.set_metric_names(list(made.measures))
        for key, value in made.attributes.items():
            study.set_user_attr(key, value)
        ranges = {key: _distribution(optuna, each) for key, each in made.ranges.items()}
        with stage("writing the study") as step:
            for done, trial in enumerate(made.trials):
                step(done, len(made.trials))
                study.add_trial(
                    optuna.trial.create_trial(
                        values=list(trial.values),
                        params=dict(trial.parameters),
                        distributions={key: ranges[key] for key in trial.parameters},
                        user_attrs=dict(trial.attributes),
                    )
                )
    except BaseException as error:  # an interrupt too: half a study is none
        with suppress(Exception):  # what failed first is what counts
            optuna.delete_study(study_name=name, storage=opened)
        if isinstance(error, failures):
            raise _refused(storage, "written as", error) from None
        raise


def _distribution(optuna: Any, span: Range) -> Any:
    kinds = optuna.distributions
    if span.words:
        return kinds.CategoricalDistribution(span.words)
    if isinstance(span.low, int):
        return kinds.IntDistribution(span.low, span.high)
    return kinds.FloatDistribution(span.low, span.high)
