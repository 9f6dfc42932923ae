"""The best under every combination of conditions, and what follows: shares, gains, and which conditions matter.

The tables are those of McNamee et al., "The case for adaptive deep neural networks in edge computing" (CLOUD 2021):
shares of the five best (figures 3-16), static against best (tables IV-VI), and what conditions do (table III).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from tiercut.errors import QuestionError
from tiercut.shown import Shown

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from tiercut.analysis.sensitivity.policy import Policy
    from tiercut.analysis.sensitivity.region_map import RegionMap

__all__ = ["FEW_BEST", "FORMAT", "Condition", "Gain", "Influence", "Sensitivity"]

FORMAT = "tiercut.sensitivity/1"
FEW_BEST = 5
"""How many of the best count under each combination."""

NONE = -1
_SAME = 1e-12

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition and its levels.

    Parameters
    ----------
    name
        Such as ``edge_cpu_stress``, or ``bandwidth(edge-cloud)``.
    levels
        Its values, the one of the baseline first, the others from near to far.
    shown
        How people read the levels.
    """

    name: str
    levels: tuple[float | str | None, ...]
    shown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gain(Generic[C]):
    """What another choice gains where one condition is changed, and the others are as in the baseline.

    Parameters
    ----------
    condition, level
        Which condition, and which of its levels.
    static_s
        Latency in seconds of the choice that is the best in the baseline; None where it is not possible.
    best, best_s
        The best choice and its latency; None where there is none.
    """

    condition: Condition
    level: int
    static_s: float | None
    best: C | None
    best_s: float | None

    @property
    def gain(self) -> float | None:
        """1 - best / static; None where one of the two is not known."""
        if self.static_s is None or self.best_s is None:
            return None
        return 1 - self.best_s / self.static_s if self.static_s else 0.0


@dataclass(frozen=True, slots=True)
class Influence:
    """What one condition does alone, or several together.

    Parameters
    ----------
    conditions
        Which ones.
    combinations
        Under how many combinations each of these differs from the baseline and all others do not; for all conditions
        together: all combinations but the baseline.
    other_best
        Share of these under which another choice than the baseline's is better.
    mean_gain, greatest_gain
        What it gains, over those under which the baseline's choice is possible; None where it never is.
    """

    conditions: tuple[str, ...]
    combinations: int
    other_best: float
    mean_gain: float | None
    greatest_gain: float | None


@dataclass(frozen=True, eq=False)
class Sensitivity(Shown, Generic[C]):
    """The best choices under each of K combinations of D conditions.

    Parameters
    ----------
    title
        What it is about, for people.
    conditions
        D conditions.
    combinations
        K x D: the level of each condition.
    choices
        What there is to choose from: cuts, or plans.
    best
        K x 5: indices of the best choices, -1 where there are fewer.
    best_s
        K x 5: their latencies in seconds; nan where there are fewer.
    static_s
        K: latency in seconds of the choice that is the best in the baseline; nan where it is not possible.
    written
        Keys of a choice in JSON; a prefix is put before each.
    label
        What people call a choice.
    regions
        Further data, where the best changes over one condition; empty where nothing but points is known.
    region_map
        Where each choice is the best over two conditions at once; None where there are not just two numbers.
    make_policy
        Makes the policy; None where nothing but latencies is known.
    """

    title: str
    conditions: tuple[Condition, ...]
    combinations: NDArray[np.int32]
    choices: Sequence[C]
    best: NDArray[np.int32]
    best_s: NDArray[np.float64]
    static_s: NDArray[np.float64]
    written: Callable[[C], dict[str, Any]]
    label: Callable[[C], str]
    regions: tuple[Any, ...] = field(default=())
    region_map: RegionMap | None = None
    make_policy: Callable[[], Policy] | None = field(default=None, repr=False)

    def policy(self) -> Policy:
        """Return which plan to run under which conditions, for machines that cannot solve.

        Raises
        ------
        QuestionError
            If latencies were measured, or a condition is neither a bandwidth, a latency, a slowdown nor what is down.
        """
        if self.make_policy is None:
            raise QuestionError("measured latencies say nothing of what lies between them, so there is no policy")
        return self.make_policy()

    def __repr__(self) -> str:
        return f"<Sensitivity {self.title}: {len(self.combinations):,} combinations of {self._counted}>"

    @property
    def _counted(self) -> str:
        return f"{len(self.conditions)} condition{'s' * (len(self.conditions) != 1)}"

    @cached_property
    def baseline(self) -> int:
        """The combination with the first level of every condition."""
        return int(np.flatnonzero((self.combinations == 0).all(axis=1))[0])

    @property
    def static(self) -> C:
        """The best choice in the baseline."""
        return self.choices[int(self.best[self.baseline, 0])]

    @cached_property
    def gain(self) -> NDArray[np.float64]:
        """K: 1 - best / static; nan where one of the two is not known."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found: NDArray[np.float64] = 1 - self.best_s[:, 0] / self.static_s
        return np.where(self.static_s == 0, 0.0, found)

    @cached_property
    def top(self) -> tuple[tuple[C, float], ...]:
        """Every choice that is among the five best of some combination, with its share of all such places."""
        counts = np.bincount(self.best[self.best >= 0], minlength=len(self.choices))
        order = np.argsort(-counts, kind="stable")
        places = int(counts.sum())
        return tuple((self.choices[k], int(counts[k]) / places) for k in order.tolist() if counts[k])

    @cached_property
    def gains(self) -> tuple[Gain[C], ...]:
        """Static against best, for each other level of each condition with the others as in the baseline."""
        return tuple(
            Gain(
                condition=condition,
                level=int(self.combinations[row, place]),
                static_s=_known(self.static_s[row]),
                best=None if self.best[row, 0] == NONE else self.choices[int(self.best[row, 0])],
                best_s=_known(self.best_s[row, 0]),
            )
            for place, condition in enumerate(self.conditions)
            for row in self._rows_of((place,))
        )

    @cached_property
    def influences(self) -> tuple[Influence, ...]:
        """What conditions do alone, in pairs, and all together; those that gain most first among each."""
        count = len(self.conditions)
        found: list[Influence] = []
        for size in (1, 2):
            each = [self._influence(places, self._rows_of(places)) for places in combinations(range(count), size)]
            found += sorted((one for one in each if one.combinations), key=_weight)
        rest = np.flatnonzero(np.arange(len(self.combinations)) != self.baseline)
        if count > 2 and len(rest):
            found.append(self._influence(tuple(range(count)), rest))
        return tuple(found)

    def _rows_of(self, places: tuple[int, ...]) -> NDArray[np.int64]:
        """Return the combinations in which exactly these conditions differ from the baseline, by their levels."""
        changed = self.combinations != 0
        wanted = np.isin(np.arange(len(self.conditions)), places)
        rows = np.flatnonzero((changed == wanted).all(axis=1))
        return rows[np.lexsort(self.combinations[rows].T[::-1])] if len(rows) else rows

    def _influence(self, places: tuple[int, ...], rows: NDArray[np.int64]) -> Influence:
        names = tuple(self.conditions[place].name for place in places)
        if not len(rows):
            return Influence(names, 0, 0.0, None, None)
        best, static, gain = self.best_s[rows, 0], self.static_s[rows], self.gain[rows]
        other = ~np.isnan(best) & ~(best >= static * (1 - _SAME))
        known = gain[~np.isnan(gain)]
        mean, greatest = (float(known.mean()), float(known.max())) if len(known) else (None, None)
        return Influence(names, len(rows), float(other.mean()), mean, greatest)

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each combination: its levels, the best choice, both latencies in seconds, the gain."""
        import pandas as pd

        columns: dict[str, Any] = {
            each.name: [each.levels[level] for level in self.combinations[:, place].tolist()]
            for place, each in enumerate(self.conditions)
        }
        first = self.best[:, 0].tolist()
        columns["best"] = [None if k == NONE else self.label(self.choices[k]) for k in first]
        columns |= {"best_s": self.best_s[:, 0], "static_s": self.static_s, "gain": self.gain}
        return pd.DataFrame(columns)

    def to_data(self) -> dict[str, Any]:
        """Return all tables as plain data, ``tiercut.sensitivity/1``; values in inner units, unrounded."""
        static = {f"static_{key}": value for key, value in self.written(self.static).items()}
        return {
            "format": FORMAT,
            "title": self.title,
            "baseline": {each.name: each.levels[0] for each in self.conditions},
            "combinations": len(self.combinations),
            "conditions": [{"condition": each.name, "levels": list(each.levels)} for each in self.conditions],
            "best": {**self.written(self.static), "latency_s": _known(self.best_s[self.baseline, 0])},
            "top": [{**self.written(choice), "share": share} for choice, share in self.top],
            "gains": [
                {
                    "condition": each.condition.name,
                    "value": each.condition.levels[each.level],
                    **static,
                    "static_s": each.static_s,
                    **self._best_data(each),
                    "best_s": each.best_s,
                    "gain": each.gain,
                }
                for each in self.gains
            ],
            "influences": [
                {
                    "conditions": list(each.conditions),
                    "combinations": each.combinations,
                    "other_best": each.other_best,
                    "mean_gain": each.mean_gain,
                    "greatest_gain": each.greatest_gain,
                }
                for each in self.influences
            ],
            **({"regions": [each.to_data() for each in self.regions]} if self.regions else {}),
            **({} if self.region_map is None else {"map": self.region_map.to_data(self.written)}),
        }

    def to_json(self) -> str:
        """Return all tables as JSON text, numbers unrounded."""
        return json.dumps(self.to_data(), indent=1, allow_nan=False, ensure_ascii=False)

    def _best_data(self, gain: Gain[C]) -> dict[str, Any]:
        if gain.best is None:
            return dict.fromkeys((f"best_{key}" for key in self.written(self.static)), None)
        return {f"best_{key}": value for key, value in self.written(gain.best).items()}


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _weight(influence: Influence) -> tuple[float, float]:
    return -(influence.mean_gain or 0.0), -influence.other_best
