"""What functions take for a topology, a profile and conditions, and the tables that they make."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

from tiercut.analysis.estimates import estimated, samples_beside
from tiercut.errors import QuestionError
from tiercut.optimizer import Conditions, QueryFile
from tiercut.option_fields import split_keywords
from tiercut.profiling import Profile, Samples, load_profile
from tiercut.topologies import Topology, load_topology

if TYPE_CHECKING:
    from tiercut.analysis.keyword_types import ConditionKeywords
    from tiercut.optimizer import EstimatorChoice, Problem

__all__ = ["ProfileLike", "QueryLike", "TopologyLike", "inputs_of", "problem", "profile_of", "topology_of"]

TopologyLike: TypeAlias = Topology | str | os.PathLike[str]
ProfileLike: TypeAlias = Profile | str | os.PathLike[str]
QueryLike: TypeAlias = QueryFile | str | os.PathLike[str]


def problem(
    topology: TopologyLike,
    profile: ProfileLike,
    *,
    estimator: EstimatorChoice = "marginal",
    samples: Samples | None = None,
    **conditions: Unpack[ConditionKeywords],
) -> Problem:
    """Return the dense tables of a topology and a profile.

    Parameters
    ----------
    topology, profile
        Loaded ones, files, or the names of those that come with the package.
    estimator
        How exit rates and accuracies are known (see `tiercut.optimizer.samples.estimators`); ``auto``: by the best
        that the profile supports.
    samples
        What an estimator is fitted to; by default those of the profile.
    **conditions
        In place of what topology and profile say (see `tiercut.optimizer.conditions.Conditions`).

    Raises
    ------
    InputError, QuestionError
        If a file is wrong, or the two do not fit together.
    """
    loaded, profile = inputs_of("problem", topology, profile, conditions)
    if samples is None and estimator == "auto":
        samples = samples_beside(profile)
    return estimated(loaded, profile, estimator, samples)


def inputs_of(
    call: str, topology: TopologyLike, profile: ProfileLike, conditions: Mapping[str, Any]
) -> tuple[Topology, Profile]:
    """Return a topology and a profile, loaded and under the conditions that a call names.

    Parameters
    ----------
    call
        The function that was called, for messages.
    topology, profile
        Loaded ones, files, or the names of those that come with the package.
    conditions
        Keywords (see `tiercut.optimizer.conditions.Conditions`).

    Raises
    ------
    InputError, QuestionError
        If a file or a condition is wrong.
    TypeError
        If there is no such condition.
    """
    (named,) = split_keywords(call, conditions, Conditions)
    return named.apply(topology_of(topology), profile_of(profile))


def topology_of(topology: TopologyLike) -> Topology:
    """Return a topology, loaded; or as it is, once it is certain that its keys fit together.

    Raises
    ------
    InputError
        If a file is wrong.
    QuestionError
        If a copy that was changed in Python holds what a file may not, such as a link to a node that there is not.
    """
    if not isinstance(topology, Topology):
        return load_topology(topology)
    if found := [message for _, message in topology.faults()]:
        raise QuestionError("\n".join(f"topology '{topology.name}': {message}" for message in found))
    return topology


def profile_of(profile: ProfileLike) -> Profile:
    """Return a profile as it is, or loaded."""
    return profile if isinstance(profile, Profile) else load_profile(profile)
