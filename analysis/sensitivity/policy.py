"""A policy (``tiercut.policy/1``): which plan to run under which conditions, for machines that cannot solve.

For a fixed decision, and fixed routes, the latency is a plane over slowdowns, latencies and 1/bandwidth. So a policy
lists plans, each with its latency in the baseline and a slope for every condition; the region of a plan is where its
plane is the lowest. To look one up takes a product and a minimum.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, isfinite
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tiercut import documents
from tiercut.analysis.answers.answer_file import SavedPlan
from tiercut.documents import Document, Key
from tiercut.errors import QuestionError, unknown_name
from tiercut.optimizer import DOWN, SLACK, Plan, name_of

__all__ = ["FORMAT", "Chosen", "Policy", "PolicyTable", "load_policy"]

FORMAT: Literal["tiercut.policy/1"] = "tiercut.policy/1"

_LARGEST = 64 << 20
_FOLLOWED = ("bandwidth", "latency", "slowdown")


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a policy says.

    Parameters
    ----------
    plan
        What to run; None where no plan meets the question.
    latency_s
        What it takes under these conditions, with the routes of the baseline.
    outside
        Conditions beyond the levels that the policy was made for: the latency is right on these routes, a better plan
        may be missing.
    """

    plan: Plan | None
    latency_s: float
    outside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class PolicyTable:
    """K plans with one set of nodes and links, over D conditions.

    Parameters
    ----------
    down
        What is down; None: nothing.
    plans
        K of them.
    latency_s
        K: of each in the baseline.
    slopes
        K x D: what a unit of each condition adds; of a bandwidth, a unit of 1/bandwidth.
    exact
        Whether no plan is missing between the levels; else none is missing at any combination of them, as far as the
        routes of the baseline are the quickest there.
    """

    down: str | None
    plans: tuple[Plan, ...]
    latency_s: NDArray[np.float64]
    slopes: NDArray[np.float64]
    exact: bool


@dataclass(frozen=True, eq=False)
class Policy:
    """Which plan to run under which conditions.

    Parameters
    ----------
    title
        What it is about, for people.
    conditions
        D names, such as ``bandwidth(a-b)`` or ``slowdown(edge)``.
    now, low, high
        D each: the baseline, and the range that it was made for; bytes per second, seconds, factors.
    tables
        By what is down, nothing first.
    cap_s
        Greatest latency; infinite without a bound.
    made_of
        What it says of topology and profile, as an answer does.
    """

    title: str
    conditions: tuple[str, ...]
    now: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    tables: tuple[PolicyTable, ...]
    cap_s: float
    made_of: Mapping[str, Any]

    def seconds(self, values: Mapping[str, float], down: str | None = None) -> NDArray[np.float64]:
        """Return the latency of every plan of a table under conditions, with the routes of the baseline, [K].

        Parameters
        ----------
        values
            By name, in inner units; those that are left out are as in the baseline.
        down
            What is down.

        Raises
        ------
        QuestionError
            If the policy knows nothing of a name.
        """
        for name in values:
            if name not in self.conditions:
                raise QuestionError(unknown_name("condition of the policy", name, self.conditions))
        moved = [
            _place(name, values.get(name, now)) - _place(name, now)
            for name, now in zip(self.conditions, self.now, strict=True)
        ]
        table = self.table(down)
        with np.errstate(invalid="ignore"):  # without any bandwidth, what does not use the link takes as long as before
            added = np.where(table.slopes == 0.0, 0.0, table.slopes * np.array(moved, float))
        found: NDArray[np.float64] = table.latency_s + added.sum(axis=1)
        return found

    def table(self, down: str | None = None) -> PolicyTable:
        """Return the plans for what is down.

        Raises
        ------
        QuestionError
            If the policy was not made for that.
        """
        found = next((each for each in self.tables if each.down == down), None)
        if found is None:
            raise QuestionError(
                unknown_name("'down' of the policy", str(down), [str(each.down) for each in self.tables])
            )
        return found

    def choose(self, values: Mapping[str, float], down: str | None = None) -> Chosen:
        """Return the best plan under conditions; see `seconds`."""
        seconds = self.seconds(values, down)
        outside = tuple(
            name
            for name, low, high in zip(self.conditions, self.low, self.high, strict=True)
            if name in values and not low <= values[name] <= high
        )
        if not len(seconds):
            return Chosen(None, inf, outside)
        place = int(seconds.argmin())
        least = float(seconds[place])
        return Chosen(self.table(down).plans[place] if least <= self.cap_s + SLACK else None, least, outside)

    @cached_property
    def _places(self) -> dict[Any, tuple[PolicyTable, int]]:
        """Where each plan stands, where that is with nothing down if it can be."""
        found: dict[Any, tuple[PolicyTable, int]] = {}
        for table in self.tables:
            for place, plan in enumerate(table.plans):
                found.setdefault(_key(plan), (table, place))
        return found

    @property
    def plans(self) -> tuple[Plan, ...]:
        """All plans, each once, those with nothing down first."""
        return tuple(table.plans[place] for table, place in self._places.values())

    def choices(self, values: Mapping[str, float], avoid: Collection[str] = ()) -> list[tuple[Plan, float]]:
        """Return the plans that use none of some nodes, each with its latency in seconds; those within the bound."""
        return [each for each in self._without(values, avoid) if each[1] <= self.cap_s + SLACK]

    def best(self, values: Mapping[str, float], avoid: Collection[str] = ()) -> tuple[Plan | None, float]:
        """Return the best plan that uses none of some nodes, and its latency in seconds; None where there is none."""
        found = min(self._without(values, avoid), key=lambda each: each[1], default=(None, inf))
        return found if found[1] <= self.cap_s + SLACK else (None, found[1])

    def _without(self, values: Mapping[str, float], avoid: Collection[str]) -> Iterator[tuple[Plan, float]]:
        # With a node down, what goes by it goes another way, or not at all: its own table knows.
        gone = [each for each in self.tables if each.down is not None and each.down in avoid]
        for table in gone or [each for each in self.tables if each.down is None]:
            for plan, seconds in zip(table.plans, self.seconds(values, table.down).tolist(), strict=True):
                if not set(avoid) & set(plan.placement):
                    yield plan, seconds

    def latency_of(self, plan: Plan, values: Mapping[str, float]) -> float | None:
        """Return the latency of a plan in seconds; None where the policy does not hold it."""
        table, place = self._places.get(_key(plan), (None, 0))
        return None if table is None else float(self.seconds(values, table.down)[place])

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data, ``tiercut.policy/1``; values in inner units, unrounded."""
        return {
            "format": FORMAT,
            "title": self.title,
            "made_of": dict(self.made_of),
            "max_latency_s": self.cap_s if isfinite(self.cap_s) else None,
            "conditions": [
                {"condition": name, "now": now, "low": low, "high": high}
                for name, now, low, high in zip(self.conditions, self.now, self.low, self.high, strict=True)
            ],
            "tables": [
                {
                    "down": table.down,
                    "exact": table.exact,
                    "plans": [
                        {"plan": plan.to_data(rank), "latency_s": float(seconds), "slopes": slopes.tolist()}
                        for rank, (plan, seconds, slopes) in enumerate(
                            zip(table.plans, table.latency_s, table.slopes, strict=True), 1
                        )
                    ],
                }
                for table in self.tables
            ],
        }

    def to_json(self) -> str:
        """Return it as JSON text."""
        return json.dumps(self.to_data(), indent=1, allow_nan=False, ensure_ascii=False)


def _key(plan: Plan) -> Any:
    """Return what tells plans apart, whatever they were priced at."""
    exits = plan.exits, plan.threshold, plan.thresholds
    return plan.partition, plan.placement, exits, plan.codecs, plan.input_codec


def _place(name: str, value: float) -> float:
    """Return where a plane is straight: the value itself, or for a bandwidth its inverse."""
    if not name.startswith("bandwidth("):
        return value
    return 1 / value if value > 0 else inf


def check_followed(names: Iterable[str]) -> None:
    """Refuse conditions that no plane follows.

    Raises
    ------
    QuestionError
        Names one.
    """
    for name in names:
        if name != DOWN and name_of(name).kind not in _FOLLOWED:
            raise QuestionError(
                f"a policy follows bandwidths, latencies, slowdowns and what is down, not '{name}'; write a load of a "
                "node as its slowdown"
            )


class _Condition(Document):
    condition: str
    now: float
    low: float
    high: float


class _Row(Document):
    plan: SavedPlan
    latency_s: float
    slopes: list[float]


class _Table(Document):
    down: str | None = None
    exact: bool
    plans: list[_Row]


class _File(Document):
    format: Literal["tiercut.policy/1"]
    title: str
    made_of: dict[str, Any] = Field(default_factory=dict)
    max_latency_s: float | None = None
    conditions: list[_Condition]
    tables: list[_Table] = Field(min_length=1)

    def faults(self) -> Iterable[tuple[Key, str]]:
        """Yield slopes that are not one for each condition, tables that stand twice, and baselines out of range."""
        for place, each in enumerate(self.conditions):
            if not (
                each.low <= each.now <= each.high and (each.low > 0 or not each.condition.startswith("bandwidth("))
            ):
                yield ("conditions", place), "expected low <= now <= high, and bandwidths greater than 0"
        seen = set[str | None]()
        for number, table in enumerate(self.tables):
            if table.down in seen:
                yield ("tables", number, "down"), f"{table.down} stands here twice"
            seen.add(table.down)
            for place, row in enumerate(table.plans):
                if len(row.slopes) != len(self.conditions):
                    yield ("tables", number, "plans", place, "slopes"), f"expected {len(self.conditions)} numbers"


def load_policy(path: str | os.PathLike[str]) -> Policy:
    """Read a policy.

    Raises
    ------
    InputError
        If the file is none.
    """
    found = documents.load(path, _File, format_=FORMAT, limit=_LARGEST)
    columns: Sequence[str] = [each.condition for each in found.conditions]
    return Policy(
        found.title,
        tuple(columns),
        tuple(each.now for each in found.conditions),
        tuple(each.low for each in found.conditions),
        tuple(each.high for each in found.conditions),
        tuple(
            PolicyTable(
                each.down,
                tuple(row.plan.plan for row in each.plans),
                np.array([row.latency_s for row in each.plans], float),
                np.array([row.slopes for row in each.plans], float).reshape(len(each.plans), len(columns)),
                each.exact,
            )
            for each in found.tables
        ),
        inf if found.max_latency_s is None else found.max_latency_s,
        found.made_of,
    )
