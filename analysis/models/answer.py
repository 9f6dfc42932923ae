"""The answer to a question that was asked of several networks (``tiercut.answer/1``, with keys of its own)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.analysis.answers.answer import FORMAT, Answer
from tiercut.analysis.answers.thinning import minimised, place_of_knee, stand_ins
from tiercut.errors import InfeasibleError, QuestionError, StoppedError
from tiercut.shown import Shown

if TYPE_CHECKING:
    import pandas as pd

    from tiercut.optimizer import Floats, Plan, Query
    from tiercut.solvers import Status

__all__ = ["ModelPlan", "ModelsAnswer"]


@dataclass(frozen=True, slots=True, eq=False)
class ModelPlan:
    """A plan with the network that it is of.

    Parameters
    ----------
    model
        What the network is called in the answer.
    plan
        The plan.
    answer, index
        The answer to the question asked of that network alone, and the place of the plan in it, counted from 0.
    """

    model: str
    plan: Plan
    answer: Answer
    index: int


@dataclass(frozen=True, eq=False)
class ModelsAnswer(Shown):
    """Plans of several networks in one order, with the answer of each network.

    Parameters
    ----------
    query
        What was asked of each.
    answers
        By what the networks are called, in the order in which they were named.
    found
        Best first; along a frontier, quickest (or cheapest) first, and none that a plan of another network beats.
    confidence
        With which the certificates of all networks hold together; None: nothing was certified.
    whole
        All plans of a frontier of which `found` are a few (see `thinned`); else empty.
    """

    query: Query
    answers: dict[str, Answer]
    found: tuple[ModelPlan, ...]
    confidence: float | None = None
    whole: tuple[ModelPlan, ...] = ()

    def __repr__(self) -> str:
        count = len(self.found)
        return f"<Answer to {self.query.kind} of {len(self.answers)} networks, {count} plan{'s' * (count != 1)}>"

    def __len__(self) -> int:
        return len(self.found)

    def __iter__(self) -> Iterator[Plan]:
        return (each.plan for each in self.found)

    def __getitem__(self, index: int) -> Plan:
        return self.found[index].plan

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The plans in order; `models` says of which network each is."""
        return tuple(self)

    @property
    def models(self) -> tuple[str, ...]:
        """Of which network each plan is."""
        return tuple(each.model for each in self.found)

    @property
    def best(self) -> Plan:
        """The first plan.

        Raises
        ------
        InfeasibleError
            If it is proved for every network that there is none.
        StoppedError
            If none was found for some network before the work was stopped.
        """
        if not self.found:
            raise self.error
        return self[0]

    @property
    def error(self) -> InfeasibleError | StoppedError:
        """What says that there are no plans, network by network."""
        message = "\n".join(f"{name}: {answer.message}" for name, answer in self.answers.items())
        return InfeasibleError(message) if self.status == "infeasible" else StoppedError(message)

    @property
    def status(self) -> Status:
        """What is proved of all networks together."""
        each: list[Status] = [answer.outcome.status for answer in self.answers.values()]
        if "interrupted" in each:
            return "interrupted"
        if not self.found:
            return "infeasible" if set(each) == {"infeasible"} else "stopped"
        return "optimal" if set(each) <= {"optimal", "infeasible"} else "feasible"

    @cached_property
    def _values(self) -> dict[int, Floats]:
        """Values of all plans of each network in what the question compares, by the answer that they are of."""
        return {id(answer): answer.values(self.query.compared) for answer in self.answers.values()}

    def values(self, plans: Sequence[ModelPlan] | None = None) -> Floats:
        """Return K x D: the values of the K plans in what a frontier compares (`Query.compared`), in inner units."""
        chosen = self.found if plans is None else plans
        rows = [self._values[id(each.answer)][each.index] for each in chosen]
        return np.array(rows, float).reshape(len(chosen), len(self.query.compared))

    @property
    def knee(self) -> int | None:
        """Place (counted from 0) of the plan where a frontier over two measures bends most; None where none does."""
        if self.query.kind != "frontier":
            return None
        plans = self.whole or self.found
        return place_of_knee(minimised(self.values(plans), self.query.compared), plans, self.found)

    def thinned(self, points: int | None = None, within: str | float | None = None) -> ModelsAnswer:
        """Return a few plans of a frontier that stand for all (see `Answer.thinned`).

        Raises
        ------
        QuestionError
            If the answer is no frontier, or too few points are wanted.
        """
        if points is None and within is None:
            return self
        if self.query.kind != "frontier":
            raise QuestionError("points and within are about a frontier, of which they leave a few plans")
        if not self.found:
            return self
        plans, names = self.whole or self.found, self.query.compared
        kept = stand_ins(minimised(self.values(plans), names), names, points, within)
        return replace(self, found=tuple(plans[place] for place in kept), whole=tuple(plans))

    def to_data(self) -> dict[str, Any]:
        """Return the answer as plain data: that of one network, and of which network each plan is."""
        own = {name: answer.to_data() for name, answer in self.answers.items()}
        first = next(iter(own.values()))
        problems, solvers = ([data[key] for data in own.values()] for key in ("problem", "solver"))
        best = self.found[0].model if self.found else next(iter(own))
        return {
            "format": FORMAT,
            "problem": {
                **first["problem"],
                "profile": ", ".join(own),
                **{key: max(each[key] for each in problems) for key in ("blocks", "thresholds")},
                "decisions": sum(each["decisions"] for each in problems),
            },
            "made_of": own[best]["made_of"],
            "solver": {
                "name": ", ".join(dict.fromkeys(each["name"] for each in solvers)),
                "exact": all(each["exact"] for each in solvers),
                "status": self.status,
                "seconds": sum(each["seconds"] for each in solvers),
            },
            **({} if self.confidence is None else {"certified": {"confidence": self.confidence, "plans": []}}),
            **self._frontier_data(),
            "profiles": [
                {"profile": name, "made_of": _without_topology(data["made_of"])}
                | {key: data[key] for key in _OWN if key in data}
                | self._best_of(name)
                for name, data in own.items()
            ],
            "plans": [
                own[each.model]["plans"][each.index]
                | {"rank": rank, "profile": each.model, "made_of": _without_topology(own[each.model]["made_of"])}
                for rank, each in enumerate(self.found, 1)
            ],
        }

    def _best_of(self, name: str) -> dict[str, Any]:
        """Return the plans of one network by rank, and the best that it has by itself."""
        answer = self.answers[name]
        ranks = [rank for rank, model in enumerate(self.models, 1) if model == name]
        found = {"ranks": ranks, "plans_by_itself": len(answer)}
        return found | ({"best": answer.best.to_data(1)} if answer.plans else {"message": answer.message})

    def _frontier_data(self) -> dict[str, Any]:
        if self.query.kind != "frontier" or not self.found:
            return {}
        knee = self.knee
        data: dict[str, Any] = {"over": list(self.query.compared), "knee": None if knee is None else knee + 1}
        return {"frontier": data | ({"plans_in_all": len(self.whole)} if self.whole else {})}

    def to_json(self) -> str:
        """Return the answer as JSON text, numbers unrounded."""
        return json.dumps(self.to_data(), indent=1, allow_nan=False, ensure_ascii=False)

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each plan, as `Answer.to_frame`, with the network after the rank."""
        import pandas as pd

        frames = {name: answer.to_frame() for name, answer in self.answers.items()}
        rows = [frames[each.model].iloc[[each.index]] for each in self.found]
        table = pd.concat(rows or [next(iter(frames.values())).iloc[:0]], ignore_index=True)
        table["rank"] = range(1, len(rows) + 1)
        table.insert(1, "profile", pd.Series(self.models, dtype=object))
        return table

    def to_csv(self) -> str:
        """Return `to_frame` as the text of a CSV file, numbers unrounded."""
        text: str = self.to_frame().to_csv(index=False, lineterminator="\n")
        return text


_OWN = ("problem", "solver", "certified", "notes")
"""What an answer says of each network by itself."""


def _without_topology(made_of: dict[str, Any]) -> dict[str, Any]:
    """Return what a plan of one network was made of beside the topology, which all share."""
    return {key: value for key, value in made_of.items() if key != "topology"}
