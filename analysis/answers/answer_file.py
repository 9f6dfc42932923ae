"""Answers read back from their files, so that every command that takes a plan reads the same."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from tiercut import documents
from tiercut.analysis.answers.answer import FORMAT
from tiercut.analysis.explain import FORMAT as EXPLANATION
from tiercut.analysis.why.result import FORMAT as WHY
from tiercut.documents import Document
from tiercut.errors import InputError, QuestionError, TiercutWarning, unknown_name
from tiercut.optimizer import ESTIMATORS, Plan, Stage, exit_limits
from tiercut.profiling import Profile, load_profile
from tiercut.topologies import Topology, load_topology

if TYPE_CHECKING:
    from tiercut.optimizer import Estimator

__all__ = ["SavedAnswer", "SavedPlan", "load_answer", "load_plans"]

SIZE_LIMIT = 256 << 20


@dataclass(frozen=True, slots=True)
class SavedAnswer:
    """What an answer file holds.

    Parameters
    ----------
    path
        The file.
    plans, ranks
        In the order of the file, and the rank of each. They name nodes, blocks and codecs, and belong to no problem.
    estimator
        How their exit rates and accuracies were known.
    made_of
        What it says of the topology and the profile that were asked about; nothing in explanations.
    own
        Of several networks: the same by the rank of each plan, with the estimator of its network.
    streams
        Of several sources: the name of the source of each plan and its frames per second, by rank.
    networks
        The name of the network that it is about, or several with commas between; empty for explanations.
    """

    path: str
    plans: tuple[Plan, ...]
    ranks: tuple[int, ...]
    estimator: Estimator
    made_of: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    streams: Mapping[int, tuple[str, float]] = field(default_factory=dict)
    networks: str = ""

    def warn_of_another_network(self, network: str) -> None:
        """Warn where a plan is priced for a network that the answer is not about; the numbers of its blocks may fit."""
        if self.networks and network not in (self.networks, *self.networks.split(", ")):
            what = f"'{self.path}' is an answer about {self.networks}, and its plan is taken here as one of {network}"
            remedy = "name the profile that it was asked of, or ask again for this one"
            warnings.warn(TiercutWarning(what, remedy), stacklevel=2)

    def estimator_of(self, rank: int) -> Estimator:
        """Return how exit rates and accuracies of a plan were known."""
        said = self.own.get(rank, {}).get("estimator")
        return self.estimator if said is None else _estimator(self.path, said, "plans.made_of")

    def plan(self, rank: int = 1) -> Plan:
        """Return the plan of a rank.

        Raises
        ------
        QuestionError
            If there is no plan of that rank.
        """
        if rank not in self.ranks:
            ranks = f"ranks 1 to {len(self.plans)}" if self.plans else "no plans"
            raise QuestionError(f"'{self.path}' has {ranks}, but rank {rank} was asked for")
        return self.plans[self.ranks.index(rank)]

    def inputs(
        self,
        topology: str | os.PathLike[str] | None = None,
        profile: str | os.PathLike[str] | None = None,
        rank: int = 1,
    ) -> tuple[Topology, Profile]:
        """Return the topology and the profile of a plan, or those that are named in their place.

        Raises
        ------
        InputError
            If the answer does not say what it was made of, the profile is no longer what it was, or a file is wrong.
        """
        return self._topology(topology), self._profile(profile, rank)

    def _topology(self, named: str | os.PathLike[str] | None) -> Topology:
        if named is not None:
            return load_topology(named)
        if "topology" not in self.made_of:
            raise InputError(self.path, "does not say which topology it was asked of; name it with --topology")
        return Topology.from_data(self.made_of["topology"], source=f"{self.path}: made_of.topology")

    def _profile(self, named: str | os.PathLike[str] | None, rank: int) -> Profile:
        if named is not None:
            return load_profile(named)
        said = self.own.get(rank, self.made_of).get("profile")
        if not isinstance(said, dict) or not isinstance(said.get("path"), str):
            raise InputError(self.path, "does not say where the profile lies; name it with --profile")
        found = load_profile(said["path"])
        if found.file is None or found.file[1] != said.get("sha256"):
            raise InputError(
                self.path,
                f"was made of another state of the profile '{said['path']}', which has changed since; ask again, or "
                "take it as it is now with --profile",
            )
        return found


def load_plans(path: str | os.PathLike[str]) -> tuple[Plan, ...]:
    """Return the plans of an answer file, best first, as they were when it was written.

    No problem is needed: the plans have names and numbers, and `tiercut.explain` and `tiercut.replay` price them anew
    under a topology and a profile.

    Raises
    ------
    InputError
        If the file is no answer.
    """
    return load_answer(path).plans


def load_answer(path: str | os.PathLike[str]) -> SavedAnswer:
    """Return what an answer file holds; an explanation, with or without reasons, is an answer of one plan.

    Raises
    ------
    InputError
        If the file is no answer nor an explanation, names an estimator that there is none of, or has rates of some of
        its plans alone.
    """
    text = documents.read_text(path, limit=SIZE_LIMIT)
    if any(f'"{each}"' in text for each in (EXPLANATION, WHY)):
        data = documents.parse_json(text, os.fspath(path))
        explanation = data.get("explanation") if isinstance(data, dict) and data.get("format") == WHY else data
        if isinstance(explanation, dict) and explanation.get("format") == EXPLANATION:
            return _explained(os.fspath(path), explanation)
    answer = documents.load(path, _Answer, format_=FORMAT, limit=SIZE_LIMIT)
    named = answer.problem.get("estimator", "marginal")
    plans = tuple(each.plan for each in answer.plans)
    ranks = tuple(each.rank for each in answer.plans)
    own = {each.rank: each.made_of for each in answer.plans if each.made_of}
    streams = {each.rank: (each.source, each.rate_fps) for each in answer.plans if each.source and each.rate_fps}
    if streams and len(streams) != len(plans):
        raise InputError(os.fspath(path), "plans: some name a 'source' and its 'rate_fps', and others do not")
    estimator, about = _estimator(path, named, "problem"), answer.problem.get("profile")
    networks = about if isinstance(about, str) else ""
    return SavedAnswer(os.fspath(path), plans, ranks, estimator, answer.made_of, own, streams, networks)


def _explained(path: str, data: dict[str, Any]) -> SavedAnswer:
    """Return the plan of an explanation, as an answer of one plan."""
    found = documents.validate(data, _Explanation, format_=EXPLANATION, source=path)
    return SavedAnswer(path, (found.plan.plan,), (1,), _estimator(path, found.estimator, "estimator"))


def _estimator(path: str | os.PathLike[str], named: object, key: str) -> Estimator:
    known = next((each for each in ESTIMATORS if each == named), None)
    if known is None:
        raise InputError(os.fspath(path), f"{key}: {unknown_name('estimator', str(named), ESTIMATORS)}")
    return known


class _Stage(Document):
    node: str
    blocks: list[int] = Field(min_length=2, max_length=2)
    reach: float
    exit_rate: float
    compute_s: float
    result_s: float
    send_to: str | None = None
    send_bytes: float = 0.0
    send_s: float = 0.0
    # What follows is not in files of earlier versions; the plan says it too, so it is taken from there.
    exits: list[int] = Field(default_factory=list)
    thresholds: list[float | None] = Field(default_factory=list)
    codec: str | None = None


_GOES_WITH = {
    "placement": (0, "a node for each partition"),
    "thresholds": (1, "a threshold for every exit but the last"),
    "codecs": (1, "a codec, or null, at each cut"),
}
"""Lists of a plan: by how many they are shorter than its partitions or exits, and what they hold."""


class SavedPlan(Document):
    """A plan as it stands in a file."""

    rank: int
    partition: list[int] = Field(min_length=1)
    placement: list[str]
    exits: list[int]
    threshold: float | None
    thresholds: list[float] | None = None
    codecs: list[str | None] = Field(default_factory=list)
    input_codec: str | None = None
    latency_s: float
    accuracy: float | None
    bytes_sent: float
    input_s: float
    stages: list[_Stage] = Field(default_factory=list)
    idle_stages: list[int] = Field(default_factory=list)
    measures: dict[str, float] = Field(default_factory=dict)
    replayed_accuracy: float | None = None
    certified_accuracy: float | None = None
    profile: str | None = None
    source: str | None = None
    node: str | None = None
    destination: str | None = None
    rate_fps: float | None = Field(default=None, gt=0)
    weight: float | None = None
    min_accuracy: float | None = None
    made_of: dict[str, Any] = Field(default_factory=dict)
    at_rate: dict[str, Any] | None = None

    @field_validator("placement", "thresholds", "codecs")
    @classmethod
    def _check_length(cls, listed: list[Any] | None, info: ValidationInfo) -> list[Any] | None:
        """Refuse a list that does not go with the partitions or exits; files of earlier versions leave codecs out."""
        counted = "exits" if info.field_name == "thresholds" else "partition"
        if counted not in info.data or listed is None or (info.field_name == "codecs" and not listed):
            return listed
        less, what = _GOES_WITH[str(info.field_name)]
        wanted = max(len(info.data[counted]) - less, 0)
        if len(listed) != wanted:
            raise ValueError(f"expected {what}, {wanted} in all, got {len(listed)}")
        return listed

    @property
    def plan(self) -> Plan:
        """The plan, without indices."""
        thresholds = None if self.thresholds is None else tuple(self.thresholds)
        return Plan(
            latency_s=self.latency_s,
            accuracy=self.accuracy,
            threshold=self.threshold,
            thresholds=thresholds,
            partition=tuple(self.partition),
            placement=tuple(self.placement),
            exits=tuple(self.exits),
            codecs=self.codec_at_cuts,
            bytes_sent=self.bytes_sent,
            input_s=self.input_s,
            stages=tuple(self._stage(place, each) for place, each in enumerate(self.stages)),
            input_codec=self.input_codec,
        )

    @property
    def codec_at_cuts(self) -> tuple[str | None, ...]:
        """The codec at each cut; files of earlier versions leave out that there is none."""
        return tuple(self.codecs) if self.codecs else (None,) * (len(self.partition) - 1)

    def _stage(self, place: int, stage: _Stage) -> Stage:
        """Return a stage, with what the plan says of its exits and its codec."""
        first, last = stage.blocks
        thresholds = None if self.thresholds is None else tuple(self.thresholds)
        limits = zip(self.exits, exit_limits(tuple(self.exits), self.threshold, thresholds), strict=False)
        here = [(block, limit) for block, limit in limits if first <= block <= last]
        codecs = (*self.codec_at_cuts, None)
        return Stage(
            **stage.model_dump(exclude={"exits", "thresholds", "codec", "blocks"}),
            blocks=(first, last),
            exits=tuple(block for block, _ in here),
            thresholds=tuple(limit for _, limit in here),
            codec=codecs[place] if place < len(codecs) else None,
        )


class _Answer(Document):
    format: Literal["tiercut.answer/1"]
    problem: dict[str, Any]
    solver: dict[str, Any]
    made_of: dict[str, Any] = Field(default_factory=dict)
    frontier: dict[str, Any] | None = None
    notes: list[str] = Field(default_factory=list)
    replay: dict[str, Any] | None = None
    native: SavedPlan | None = None
    plans: list[SavedPlan]
    evaluation: dict[str, Any] | None = None
    certified: dict[str, Any] | None = None
    profiles: list[dict[str, Any]] = Field(default_factory=list)
    joint: dict[str, Any] | None = None


class _Explanation(Document):
    format: Literal["tiercut.explanation/1"]
    plan: SavedPlan
    estimator: str = "marginal"
    p99_s: float | None = None
    steps: list[dict[str, Any]] = Field(default_factory=list)
