"""By which estimator plans are priced: the one that is named, or the best that profile and question support."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from tiercut.clock import paused
from tiercut.errors import QuestionError, TiercutWarning, unknown_name
from tiercut.optimizer import ESTIMATORS, build_problem, with_estimator, with_nested_hits
from tiercut.profiling import samples_of

if TYPE_CHECKING:
    from tiercut.optimizer import Estimator, EstimatorChoice, Problem
    from tiercut.profiling import Profile, Samples
    from tiercut.topologies import Topology

__all__ = ["estimated", "samples_beside"]

_FITTED = ("conditional", "replay")


def estimated(
    topology: Topology, profile: Profile, estimator: EstimatorChoice, samples: Samples | None = None
) -> Problem:
    """Return the tables of a topology and a profile, whose plans are priced by an estimator.

    Parameters
    ----------
    topology, profile
        Loaded, under all conditions.
    estimator
        ``auto``: of `conditional`, `nested` and `marginal` the first that the profile supports.
    samples
        What an estimator is fitted to; None: a named one reads those of the profile, and ``auto`` does without.

    Raises
    ------
    InputError, QuestionError
        If the profile does not have what the estimator needs.
    """
    tables = build_problem(topology, profile)
    if estimator not in ("auto", *ESTIMATORS):
        raise QuestionError(unknown_name("estimator", str(estimator), ("auto", *ESTIMATORS)))
    if estimator == "auto":
        estimator = _best(profile, samples)
    elif estimator != "marginal" and samples is None and profile.is_separate:
        raise QuestionError(
            f"the estimator '{estimator}' takes accuracies from samples of the network that was trained as one; "
            "accuracies 'separate' go with the marginal estimator"
        )
    if estimator == "nested":
        return with_nested_hits(tables, profile.exits)
    if estimator in _FITTED:
        return with_estimator(tables, estimator, samples_of(profile) if samples is None else samples)
    return tables


def _best(profile: Profile, samples: Samples | None) -> Estimator:
    exits = profile.exits
    if exits is None or profile.is_separate:
        return "marginal"
    if samples is not None:
        return "conditional"
    return "marginal" if exits.exit_rate_alone is None or exits.hit_rate_alone is None else "nested"


def samples_beside(profile: Profile, *, needed: bool = True) -> Samples | None:
    """Return the samples behind the exits of a profile; None where there are none, or they speak of another network.

    Parameters
    ----------
    profile
        One that was read from a file.
    needed
        Whether to warn where the file that it names is not there.

    Raises
    ------
    InputError
        If the file that the profile names is there, but is not what the profile was made of.

    Warns
    -----
    TiercutWarning
        If it is not there.
    """
    name, folder = profile.samples_file, profile.folder
    if profile.exits is None or profile.is_separate or name is None or folder is None:
        return None
    if (folder / name).exists():
        with paused():
            return samples_of(profile)
    if needed:
        warnings.warn(
            TiercutWarning(
                f"{profile.name}: the samples file '{name}' is not beside the profile, so accuracies are estimated "
                "without it, and no plan is replayed",
                "put it there again, or name an estimator that does without, such as marginal",
            ),
            stacklevel=2,
        )
    return None
