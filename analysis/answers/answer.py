"""The answer to a question: plans in order, what was asked, and which solver says so (``tiercut.answer/1``)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tiercut.analysis.answers.at_rate import AtRate
from tiercut.analysis.answers.hypervolume import hypervolume
from tiercut.analysis.answers.thinning import minimised, place_of_knee, stand_ins
from tiercut.errors import InfeasibleError, QuestionError, StoppedError
from tiercut.optimizer import Conditions, parts_of, plain_amount, values_of
from tiercut.shown import Shown
from tiercut.topologies import topology_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from tiercut.analysis.answers.hypervolume import Hypervolume
    from tiercut.analysis.answers.seen import SeenPlans
    from tiercut.analysis.certified.certificate import Certificate
    from tiercut.analysis.choose_by_replay import ReplayChoice
    from tiercut.optimizer import Floats, Plan, Problem, Query, Space
    from tiercut.profiling import Profile
    from tiercut.solvers import Outcome, Status
    from tiercut.topologies import Topology

__all__ = ["FORMAT", "Answer"]

FORMAT = "tiercut.answer/1"

_NO_CONDITIONS = Conditions()


@dataclass(frozen=True, slots=True, eq=False)
class Answer(Shown):
    """Plans in order, with the problem and the solver that they come from.

    Parameters
    ----------
    space, query
        What was asked.
    outcome
        What the solver says of its work.
    plans
        Best first; along a frontier, quickest (or cheapest) first. Empty where nothing meets the question.
    message
        Where it is empty: which bound cannot be met, and the nearest value.
    why
        Why ``auto`` took this solver; empty where it was named.
    replayed
        Where replay chose the plans: each with what the model says of it, and what that proves.
    seen
        Where the profile has samples and the plans are the model's: what the samples make of these.
    notes
        What else is to be said of the answer, such as that the memory of nodes binds.
    conditions
        Under which it was asked, in place of what topology and profile say.
    beside
        Of a frontier: the best plan with one exit, and the best native one (see
        `tiercut.analysis.answers.beside.best_beside`), by what they are called.
    whole
        All plans of a frontier of which `plans` are a few (see `thinned`); else empty.
    native
        To a question for the best plan: the best of those that keep the network in one piece, on one node; None where
        there is none.
    inputs
        The topology and the profile that it was asked of, with all changes; a file says what it was made of.
    certified
        Where the accuracy of the plans was certified on samples that did not choose them: what holds with which
        confidence.
    """

    space: Space
    query: Query
    outcome: Outcome
    plans: tuple[Plan, ...]
    message: str = ""
    why: str = ""
    replayed: ReplayChoice | None = None
    notes: tuple[str, ...] = ()
    conditions: Conditions = _NO_CONDITIONS
    beside: Mapping[str, Plan] = field(default_factory=dict)
    whole: tuple[Plan, ...] = ()
    seen: SeenPlans | None = None
    native: Plan | None = None
    inputs: tuple[Topology, Profile] | None = None
    certified: Certificate | None = None

    def __repr__(self) -> str:
        count = len(self.plans)
        asked = f"{self.query.kind}: {self.space.problem.profile} on {self.space.problem.topology}"
        return f"<Answer to {asked}, {count} plan{'s' * (count != 1)}, {self.outcome.status}>"

    def __len__(self) -> int:
        return len(self.plans)

    def __iter__(self) -> Iterator[Plan]:
        return iter(self.plans)

    def __getitem__(self, index: int) -> Plan:
        return self.plans[index]

    @property
    def replayed_accuracies(self) -> tuple[float, ...] | None:
        """What recorded samples make of the accuracy of each plan, beside what the model says of it.

        None where the profile has no samples, the plans were priced or chosen by them anyway, or there are so many that
        it would take more than about a second; `tiercut.replay` tells it then.
        """
        return self.seen.accuracies if self.seen is not None and self.seen.few else None

    @property
    def status(self) -> Status:
        """What is proved (see `tiercut.solvers.interface.Status`)."""
        return self.outcome.status

    @property
    def measures(self) -> tuple[str, ...]:
        """What the question minimises or compares, beside latency, accuracy and bytes, which every plan has."""
        query = self.query
        asked = query.compared if query.kind == "frontier" else (query.objective,)
        # Of a weighted sum its terms too.
        named = (each for name in asked for each in (name, *parts_of(name)))
        return tuple(dict.fromkeys(name for name in named if name not in ("latency", "accuracy", "bytes")))

    def values(self, names: Sequence[str] | None = None) -> Floats:
        """Return K x D: the values of the K plans in measures, in inner units; by default in `measures`.

        Plans that were chosen by replay have the values of the samples.
        """
        return self._values(self.plans, self.measures if names is None else names)

    def _values(self, plans: Sequence[Plan], names: Sequence[str]) -> Floats:
        problem = self.space.problem if self.replayed is None else self.replayed.problem
        return values_of(problem, plans, names, self.query.rate_fps)

    def hypervolume(self, reference: Mapping[str, float] | None = None) -> Hypervolume | None:
        """Return how much a frontier covers; None where it is empty.

        Parameters
        ----------
        reference
            A value of each measure that is compared, in its inner unit; by default see
            `tiercut.analysis.answers.hypervolume.hypervolume`.
        """
        return hypervolume(self.values(self.query.compared), self.query.compared, reference)

    @property
    def knee(self) -> int | None:
        """Place (counted from 0) of the plan where a frontier over two measures bends most; None where none does."""
        if self.query.kind != "frontier":
            return None
        plans = self.whole or self.plans
        return place_of_knee(self._compared(plans), plans, self.plans)

    def thinned(self, points: int | None = None, within: str | float | None = None) -> Answer:
        """Return a few plans of a frontier that stand for all; the best in each measure and the knee are among them.

        Parameters
        ----------
        points
            How many at most: those of which the others are least better, by the share that `within` would name.
        within
            Each plan that is left out is better than one that is kept by this share at most, of every measure; of
            accuracy in points: a number such as 0.01, or text such as ``"1 %"``.

        Raises
        ------
        QuestionError
            If the answer is no frontier, or too few points are wanted.
        """
        if points is None and within is None:
            return self
        if self.query.kind != "frontier":
            raise QuestionError("points and within are about a frontier, of which they leave a few plans")
        if not self.plans:
            return self
        plans = self.whole or self.plans
        kept = stand_ins(self._compared(plans), self.query.compared, points, within)
        replayed = self.replayed and replace(self.replayed, plans=tuple(self.replayed.plans[place] for place in kept))
        few = tuple(plans[place] for place in kept)
        seen = self.seen and replace(self.seen, plans=few)
        return replace(self, plans=few, replayed=replayed, seen=seen, whole=plans)

    def _compared(self, plans: Sequence[Plan]) -> Floats:
        """Return K x D values of plans in what a frontier compares, less being better."""
        return minimised(self._values(plans, self.query.compared), self.query.compared)

    @property
    def best(self) -> Plan:
        """The first plan.

        Raises
        ------
        InfeasibleError
            If it is proved that there is none; the message names the bound that cannot be met and the nearest value.
        StoppedError
            If none was found before the work was stopped.
        """
        if not self.plans:
            raise self.error
        return self.plans[0]

    @property
    def error(self) -> InfeasibleError | StoppedError:
        """What says that there are no plans: that this is proved, or that the work was stopped before."""
        proved = self.outcome.status == "infeasible"
        return InfeasibleError(self.message) if proved else StoppedError(self.message)

    @property
    def judged(self) -> Problem:
        """The tables that the plans are judged by: those of the samples where replay chose them."""
        return self.space.problem if self.replayed is None else self.replayed.problem

    @property
    def at_rate(self) -> tuple[AtRate, ...]:
        """What the rate of the question makes of each plan; empty where it names none."""
        rate = self.query.rate_fps
        return () if rate is None else tuple(AtRate.of(self.judged, plan.decision, rate) for plan in self.plans)

    def to_data(self) -> dict[str, Any]:
        """Return the answer as plain data, ``tiercut.answer/1``."""
        problem = self.space.problem
        return {
            "format": FORMAT,
            "problem": {
                "topology": problem.topology,
                "profile": problem.profile,
                "blocks": problem.block_count,
                "nodes": problem.node_count,
                "thresholds": len(problem.thresholds) if problem.has_exits else 0,
                "decisions": self.space.decisions,
                **({} if self.space.estimator == "marginal" else {"estimator": self.space.estimator}),
            },
            "made_of": self._made_of(),
            "solver": {
                "name": self.outcome.solver,
                "exact": self.outcome.exact,
                "status": self.outcome.status,
                "seconds": self.outcome.seconds,
                "scored": self.outcome.scored,
                "memory_bytes": self.outcome.memory_bytes,
                "why": self.why or None,
                **({} if self.outcome.gap is None else {"gap": self.outcome.gap}),
            },
            **self._frontier_data(),
            **({"notes": list(self.notes)} if self.notes else {}),
            **({} if self.seen is None or self.replayed_accuracies is None else self.seen.to_data()),
            **({} if self.native is None else {"native": self.native.to_data(1)}),
            **({} if self.certified is None else {"certified": self.certified.to_data(self.plans)}),
            "plans": list(self._rows()),
        } | ({} if self.replayed is None else self.replayed.to_data())

    def _made_of(self) -> dict[str, Any]:
        """Return what commands that take a plan need to know: topology, where the profile lies, estimator."""
        found: dict[str, Any] = {}
        if self.inputs is not None:
            topology, profile = self.inputs
            found["topology"] = topology_data(topology)
            if profile.file is not None:
                found["profile"] = dict(zip(("path", "sha256"), profile.file, strict=True))
        return found | {"estimator": self.space.estimator}

    def _frontier_data(self) -> dict[str, Any]:
        if self.query.kind != "frontier" or not self.plans:
            return {}
        data: dict[str, Any] = {"over": list(self.query.compared)}
        if self.query.over:
            covered = self.hypervolume()
            data["hypervolume"] = None if covered is None else covered.to_data()
        if self.whole:
            data["plans_in_all"] = len(self.whole)
        knee = self.knee
        data["knee"] = None if knee is None else knee + 1
        data |= {name.replace(" ", "_"): _unranked(plan) for name, plan in self.beside.items()}
        return {"frontier": data}

    def _rows(self) -> Iterator[dict[str, Any]]:
        """Yield the plans as plain data, with the measures that were asked for."""
        seen, loads = self.replayed_accuracies, self.at_rate
        for rank, (plan, values) in enumerate(zip(self.plans, self.values().tolist(), strict=True), 1):
            named = {name: plain_amount(value, name) for name, value in zip(self.measures, values, strict=True)}
            replayed = {} if seen is None else {"replayed_accuracy": seen[rank - 1]}
            if self.certified is not None:
                replayed = {"certified_accuracy": self.certified.of(plan).at_least}
            load = {"at_rate": loads[rank - 1].to_data()} if loads else {}
            yield plan.to_data(rank) | replayed | ({"measures": named} if named else {}) | load

    def to_json(self) -> str:
        """Return the answer as JSON text, numbers unrounded."""
        return json.dumps(self.to_data(), indent=1, allow_nan=False, ensure_ascii=False)

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each plan: rank, plan, a column for each measure, and the decision as flags take it.

        Lists such as a partition are text with commas between, ``3,9,10``, as `--partition` reads it.
        """
        import pandas as pd

        frame = pd.DataFrame(list(self._flat_rows()), columns=self._columns())
        return frame.astype({name: "int64" if name == "rank" else float for name in frame if name not in _WORDS})

    def _columns(self) -> list[str]:
        """Return the names of the columns of a frame."""
        replayed = [] if self.replayed_accuracies is None else ["replayed_accuracy"]
        replayed += [] if self.certified is None else ["certified_accuracy"]
        columns = ["rank", "plan", "latency_s", "accuracy", *replayed, *self.measures, "bytes_sent", "threshold"]
        if self.space.per_exit:
            columns.append("thresholds")
        columns += ["partition", "placement", "exits"]
        if any(codec is not None for plan in self.plans for codec in plan.codecs):
            columns.append("codecs")
        if any(plan.input_codec is not None for plan in self.plans):
            columns.append("input_codec")
        return columns

    def _flat_rows(self) -> Iterator[list[Any]]:
        columns = self._columns()
        for row, plan in zip(self._rows(), self.plans, strict=True):
            named = {"plan": str(plan), "thresholds": None} | row | row.get("measures", {})
            yield [_flat(named[name]) for name in columns]

    def to_csv(self) -> str:
        """Return `to_frame` as the text of a CSV file, numbers unrounded."""
        text: str = self.to_frame().to_csv(index=False, lineterminator="\n")
        return text


_WORDS = ("plan", "thresholds", "partition", "placement", "exits", "codecs", "input_codec")
"""Columns of a frame that are text; numbers are numbers even where no plan has one."""


def _unranked(plan: Plan) -> dict[str, Any]:
    return {key: value for key, value in plan.to_data(1).items() if key != "rank"}


def _flat(value: Any) -> Any:
    """Return a list as text with commas between, and all else as it is."""
    if not isinstance(value, list):
        return value
    return ",".join("none" if each is None else str(each) for each in value)
