"""The cases of a sweep: a model on a topology, under one question, with one thing down; each has a grid of points."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

from tiercut.analysis.answering import ask
from tiercut.analysis.sweeps.batch import Batch, batch_of
from tiercut.analysis.sweeps.sweep_file import located, named_apart, questions_of
from tiercut.errors import QuestionError, TiercutError
from tiercut.optimizer import DOWN, ConditionName, Conditions, make_query
from tiercut.profiling import load_profile
from tiercut.topologies import load_topology, topology_data

if TYPE_CHECKING:
    from pathlib import Path

    from tiercut.analysis.sweeps.sweep_file import SweepFile
    from tiercut.optimizer import Query, QueryFile, Space
    from tiercut.profiling import Profile
    from tiercut.solvers import Options
    from tiercut.topologies import Topology

__all__ = ["Asked", "Case", "cases_of", "digest_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A question that is asked anew at every point, on tables that follow the conditions.

    Parameters
    ----------
    whole
        The topology before anything is down.
    topology
        The same without what is down: the problem of `space` was made of it.
    profile
        Of the model.
    space, query
        What is asked, the least accuracy a number.
    """

    whole: Topology
    topology: Topology
    profile: Profile
    space: Space
    query: Query


@dataclass(frozen=True)
class Case:
    """One model on one topology, under one question, with one thing down or nothing.

    Parameters
    ----------
    number
        Its place among the cases of the sweep.
    model, topology, question, down
        What they are called in the rows.
    axes
        Conditions with their levels, in inner units, but for what is down.
    inputs
        Topology and profile under the conditions of the question.
    query
        What is asked.
    """

    number: int
    model: str
    topology: str
    question: str
    down: str | None
    axes: tuple[tuple[ConditionName, tuple[float, ...]], ...]
    inputs: tuple[Topology, Profile] = field(repr=False)
    query: Query = field(repr=False)

    @property
    def points(self) -> int:
        """How many combinations of conditions there are."""
        return prod(len(levels) for _, levels in self.axes)

    def named(self, point: int) -> dict[str, Any]:
        """Return the conditions of a point, what is down included, as `Conditions` takes them."""
        found: dict[str, Any] = {} if self.down is None else {DOWN: [self.down]}
        period = self.points
        for name, levels in self.axes:
            period //= len(levels)
            found[str(name)] = levels[point // period % len(levels)]
        return found

    def prepared(self, options: Options) -> Prepared:
        """Return the case with what is the same at all of its points; a question that cannot be asked is a reason."""
        whole, profile = self.inputs
        down = Conditions(condition=None if self.down is None else {DOWN: [self.down]})
        try:
            topology, profile = down.apply(whole, profile)
            fits = self._fits()
            answer = ask(topology, profile, self.query, options=options)
            if answer.outcome.status == "interrupted":
                raise KeyboardInterrupt  # which the solver caught
            batch = batch_of(topology, profile, answer.space, answer.query, self.axes) if fits else None
        except TiercutError as error:
            return Prepared(self.without_inputs, reason=" ".join(str(error).split()))
        asked = None if batch is not None else Asked(whole, topology, profile, answer.space, answer.query)
        return Prepared(self.without_inputs, batch, asked)

    def _fits(self) -> bool:
        """Return whether all levels of all conditions are there.

        Raises
        ------
        QuestionError
            If no level of a condition is.
        """
        faults = 0
        for name, levels in self.axes:
            ends = {min(levels), max(levels)}
            wrong = [error for end in ends if (error := _fault(self.inputs, {str(name): end})) is not None]
            if len(wrong) == len(ends):
                raise QuestionError(wrong[0])
            faults += len(wrong)
        return not faults

    @cached_property
    def without_inputs(self) -> Case:
        """The same with nothing that is large, to be sent to who solves its points."""
        return replace(self, inputs=None)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A case that is ready to be solved, point by point, by whom it is sent to.

    Parameters
    ----------
    case
        Which one.
    batch
        Its plans, listed; None where it is asked anew at every point.
    asked
        What is then asked.
    reason
        Why it cannot be asked at all; then there is neither.
    """

    case: Case
    batch: Batch | None = None
    asked: Asked | None = None
    reason: str = ""


def cases_of(sweep: SweepFile, folder: Path | None) -> tuple[Case, ...]:
    """Return the cases of a sweep.

    Raises
    ------
    InputError, QuestionError
        If a file is wrong, or a condition fits none of the models and topologies.
    """
    profiles = [load_profile(located(name, folder)) for name in sweep.models]
    topologies = [load_topology(located(name, folder)) for name in sweep.topologies]
    models = named_apart((each.name for each in profiles), "models")
    places = named_apart((each.name for each in topologies), "topologies")
    questions = tuple(questions_of(sweep, folder))
    named_apart((name for name, _ in questions), "questions")
    axes = tuple((name, levels) for name, levels in sweep.axes if name.kind != DOWN)
    downs: tuple[str | None, ...] = next((levels for name, levels in sweep.axes if name.kind == DOWN), (None,))
    pairs = [(t, p) for t in topologies for p in profiles]
    _check(pairs, [*((str(name), levels) for name, levels in axes), (DOWN, downs)])
    found: list[Case] = []
    for model, profile in zip(models, profiles, strict=True):
        for place, topology in zip(places, topologies, strict=True):
            for question, file in questions:
                query = _query(question, file)
                inputs = _under(question, file, topology, profile)
                for down in downs:
                    found.append(Case(len(found), model, place, question, down, axes, inputs, query))
    return tuple(found)


def _query(question: str, file: QueryFile) -> Query:
    if file.over:
        raise QuestionError(f"question '{question}' is about a frontier; a sweep has one best plan at every point")
    return make_query("solve", file.question)


def _under(question: str, file: QueryFile, topology: Topology, profile: Profile) -> tuple[Topology, Profile]:
    try:
        return file.conditions.apply(topology, profile)
    except QuestionError as error:
        raise QuestionError(f"question '{question}': {error}") from None


def _check(pairs: list[tuple[Topology, Profile]], levels: list[tuple[str, Any]]) -> None:
    """Refuse a level that fits no topology and model; one that does not fit some of them makes failures of points."""
    for name, each in levels:
        ends = dict.fromkeys(each if name == DOWN else (min(each), max(each)))
        for level in (end for end in ends if end is not None):
            named = {name: [level] if name == DOWN else level}
            faults = [error for pair in pairs if (error := _fault(pair, named)) is not None]
            if len(faults) == len(pairs):
                raise QuestionError(faults[0])


def _fault(pair: tuple[Topology, Profile], named: dict[str, Any]) -> str | None:
    """Return why conditions cannot be had of a topology and a profile; None where they can."""
    try:
        Conditions(condition=named).apply(*pair, _called)
    except QuestionError as error:
        return str(error)
    return None


def _called(name: str) -> str:
    return "the sweep:" if name == "condition" else name


def digest_of(cases: tuple[Case, ...]) -> str:
    """Return what tells a sweep from others: all that its answers depend on, hashed."""
    whole = hashlib.sha256()
    for case in cases:
        topology, profile = case.inputs
        said: Mapping[str, Any] = {
            "case": [case.model, case.topology, case.question, case.down],
            "axes": [[str(name), levels] for name, levels in case.axes],
            "topology": topology_data(topology),
            "query": repr(case.query),
        }
        whole.update(json.dumps(said, sort_keys=True).encode())
        whole.update(profile.model_dump_json().encode())
    return whole.hexdigest()
