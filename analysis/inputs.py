"""What functions take for a topology and a profile, and the tables of the two."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias

from tiercut.errors import QuestionError
from tiercut.optimizer.build import build_problem
from tiercut.optimizer.questions.query_file import QueryFile
from tiercut.optimizer.samples.estimators import with_estimator
from tiercut.profiling.profile.files import load_profile
from tiercut.profiling.profile.samples import Samples, samples_of
from tiercut.profiling.profile.schema import Profile
from tiercut.topologies.loader import load_topology
from tiercut.topologies.schema import Topology

if TYPE_CHECKING:
    from tiercut.optimizer.problem import Estimator, Problem

__all__ = ["ProfileLike", "QueryLike", "TopologyLike", "problem", "profile_of", "topology_of"]

TopologyLike: TypeAlias = Topology | str | os.PathLike[str]
ProfileLike: TypeAlias = Profile | str | os.PathLike[str]
QueryLike: TypeAlias = QueryFile | str | os.PathLike[str]


def problem(
    topology: TopologyLike,
    profile: ProfileLike,
    *,
    estimator: Estimator = "marginal",
    samples: Samples | None = None,
) -> Problem:
    """Return the dense tables of a topology and a profile.

    Parameters
    ----------
    topology, profile
        Loaded ones, files, or the names of those that come with the package.
    estimator
        How exit rates and accuracies are known (see `tiercut.optimizer.samples.estimators`).
    samples
        What an estimator is fitted to; by default those of the profile.

    Raises
    ------
    InputError, QuestionError
        If a file is wrong, or the two do not fit together.
    """
    profile = profile_of(profile)
    tables = build_problem(topology_of(topology), profile)
    if estimator == "marginal":
        return tables
    if samples is None and profile.is_separate:
        raise QuestionError(
            f"the estimator '{estimator}' takes accuracies from samples of the network that was trained as one; "
            "accuracies 'separate' go with the marginal estimator"
        )
    return with_estimator(tables, estimator, samples_of(profile) if samples is None else samples)


def topology_of(topology: TopologyLike) -> Topology:
    """Return a topology as it is, or loaded."""
    return topology if isinstance(topology, Topology) else load_topology(topology)


def profile_of(profile: ProfileLike) -> Profile:
    """Return a profile as it is, or loaded."""
    return profile if isinstance(profile, Profile) else load_profile(profile)
