"""A question about a problem: an objective, bounds, and which decisions count."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import TYPE_CHECKING, Literal

from tiercut.errors import QuestionError, unknown_name
from tiercut.optimizer.measures.kind import MeasureKind
from tiercut.optimizer.measures.names import goal_fault
from tiercut.optimizer.measures.registry import kind_of
from tiercut.optimizer.samples.estimators import ESTIMATORS

if TYPE_CHECKING:
    from tiercut.optimizer.problem import EstimatorChoice
    from tiercut.optimizer.space import Exits, Order

__all__ = ["SLACK", "Bound", "Joint", "Kind", "Query"]

SLACK = 1e-9
"""By how much a bound may be missed and still holds."""

Kind = Literal["solve", "rank", "frontier"]

Joint = Literal["mean", "worst", "served"]
"""What is best of several sources."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound on a measure (see `tiercut.optimizer.constraints`), in its inner unit.

    Parameters
    ----------
    measure, place
        What is bounded, and where; no place for the whole plan.
    at_most, at_least
        Greatest and least value, or None.
    relative
        Whether values of a count (``blocks``) are shares of the blocks that the network has.
    monthly
        Whether values (of ``cost``) are those of a month of frames that arrive at the rate of the question.

    Raises
    ------
    QuestionError
        If it bounds nothing, the measure is unknown, or a value is out of range.
    """

    measure: str
    place: str | None = None
    at_most: float | None = None
    at_least: float | None = None
    relative: bool = False
    monthly: bool = False

    def __post_init__(self) -> None:
        if self.kind.peak and self.at_least is not None:
            side = "at least" if self.kind.quantity.inverse else "at most"
            raise QuestionError(f"{self.name} can be bounded from one side alone: say what it is {side}")
        values = [value for value in (self.at_most, self.at_least) if value is not None]
        if not values:
            raise QuestionError(f"the bound on {self.name} says neither at_most nor at_least")
        for value in values:
            if not (isfinite(value) and 0 <= value <= self.most):
                wanted = "between 0 and 1" if self.most == 1.0 else "0 or more and finite"
                raise QuestionError(f"the bound on {self.name} must be {wanted}, not {value:g}")
        if len(values) == 2 and values[0] < values[1]:
            raise QuestionError(f"the bound on {self.name} is at most {values[0]:g} and at least {values[1]:g}")

    @property
    def name(self) -> str:
        """What a person calls it, such as ``bytes:edge>cloud``."""
        return self.measure if self.place is None else f"{self.measure}:{self.place}"

    @property
    def title(self) -> str:
        """What a table calls it: its name, and of what time its values are."""
        return f"{self.name} per month" if self.monthly else self.name

    @property
    def kind(self) -> MeasureKind:
        """The description of the measure."""
        return kind_of(self.measure)

    @property
    def most(self) -> float:
        """Greatest value that makes sense."""
        return 1.0 if self.relative else self.kind.quantity.most

    @property
    def counts(self) -> bool:
        """Whether the measure takes whole values alone, as a number of blocks does."""
        return self.kind.quantity.whole and not self.relative

    @property
    def halves(self) -> tuple[Bound, ...]:
        """The same as bounds that each have one value."""
        if self.at_most is None or self.at_least is None:
            return (self,)
        return replace(self, at_least=None), replace(self, at_most=None)

    def loosened(self, share: float) -> Bound:
        """Return the bound with values that are easier to keep by a share of themselves."""
        most, least = self.at_most, self.at_least
        return replace(
            self,
            at_most=None if most is None else min(most * (1 + share), self.most),
            at_least=None if least is None else least * (1 - share),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question.

    Parameters
    ----------
    kind
        ``solve`` asks for the best plan, ``rank`` for the `top` best, ``frontier`` for all that nothing else beats.
    objective
        The measure that is minimised (see `tiercut.optimizer.measures.names`), or ``accuracy``, which is maximised. A
        frontier trades it (latency, where accuracy is named) against accuracy.
    min_accuracy
        Least accuracy, a share, or None.
    of_final, max_loss
        In its place, until the accuracy of the whole network without early exits is known (see
        `tiercut.optimizer.questions.settled`): a share of that, and what may be lost of it.
    max_latency_s
        Greatest expected latency in seconds, or None.
    exits, per_exit, codec, order
        As in `tiercut.optimizer.space.make_space`.
    over
        What a frontier is over, in place of an objective and accuracy: two or three measures, accuracy among them or
        not. It is sorted by the first but accuracy, then by the next.
    estimator
        How exit rates and accuracies are known (see `tiercut.optimizer.samples.estimators`); ``auto``: by the best
        that profile and question support.
    top
        How many plans a ranking has.
    distinct
        Whether plans that treat every sample alike count once in a ranking; else each decision counts.
    bounds
        On other measures.
    rate_fps
        Frames per second that arrive; needed for utilisation, and for what a month costs.
    max_utilisation
        Greatest share of the time that any node or link may be busy at that rate, or None.
    include, exclude
        Nodes or tiers that every plan must use, and that none may.
    use_all_tiers
        Whether every tier must be used.
    fewest_partitions, most_partitions
        Numbers of partitions: 1 and 1 for a network that stays in one piece (native), 2 at least for one that does not.
    pins
        Blocks, by number (1-based) or name, each with the node or tier that must run it where the plan goes so far.
    keep_first
        Number of first blocks that must run on the source, for privacy; or the name of the last of them.
    ignore_memory
        Whether a node may hold more than its memory.
    joint
        Of several sources: the least weighted ``mean`` of their latencies, the least ``worst`` one, or
        the most of them (by weight) ``served``. None: there is one source.

    Raises
    ------
    QuestionError
        If a bound is out of range or a name unknown.
    """

    kind: Kind = "solve"
    objective: str = "latency"
    min_accuracy: float | None = None
    of_final: float | None = None
    max_loss: float | None = None
    max_latency_s: float | None = None
    exits: Exits | None = None
    per_exit: bool = False
    codec: str = "none"
    order: Order | None = None
    over: tuple[str, ...] = ()
    estimator: EstimatorChoice = "auto"
    top: int = 5
    distinct: bool = False
    bounds: tuple[Bound, ...] = ()
    rate_fps: float | None = None
    max_utilisation: float | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    use_all_tiers: bool = False
    fewest_partitions: int | None = None
    most_partitions: int | None = None
    pins: tuple[tuple[int | str, str], ...] = ()
    keep_first: int | str = 0
    ignore_memory: bool = False
    joint: Joint | None = None

    def __post_init__(self) -> None:
        if self.joint not in (None, "mean", "worst", "served"):
            raise QuestionError(unknown_name("joint objective", str(self.joint), ("mean", "worst", "served")))
        if wrong := goal_fault(self.objective):
            raise QuestionError(wrong)
        if self.exits not in (None, "cuts", "final", "free"):
            raise QuestionError(unknown_name("rule for exits", str(self.exits), ("cuts", "final", "free")))
        if self.order not in (None, "any", "forward"):
            raise QuestionError(unknown_name("order", str(self.order), ("any", "forward")))
        if self.estimator not in ("auto", *ESTIMATORS):
            raise QuestionError(unknown_name("estimator", str(self.estimator), ("auto", *ESTIMATORS)))
        for least in (self.min_accuracy, self.of_final):
            if least is not None and not 0 <= least <= 1:
                raise QuestionError(f"min_accuracy is a share between 0 and 1, such as 0.92, not {least:g}")
        if self.max_loss is not None and not 0 <= self.max_loss <= 1:
            raise QuestionError(f"max_loss is a share between 0 and 1, such as 0.02, not {self.max_loss:g}")
        if sum(each is not None for each in (self.min_accuracy, self.of_final, self.max_loss)) > 1:
            raise QuestionError("give min_accuracy or max_loss, not both: each says how accurate a plan must be")
        if self.max_latency_s is not None and not (isfinite(self.max_latency_s) and self.max_latency_s >= 0):
            raise QuestionError(f"max_latency must be 0 or more and finite, not {self.max_latency_s:g} s")
        if self.top < 1:
            raise QuestionError(f"top must be at least 1, not {self.top}")
        self._check_rate()
        self._check_over()
        self._check_placement()

    def _check_rate(self) -> None:
        if self.rate_fps is not None and not (isfinite(self.rate_fps) and self.rate_fps > 0):
            raise QuestionError(f"the rate must be greater than 0 and finite, not {self.rate_fps:g} frames per second")
        if self.max_utilisation is not None:
            if not (isfinite(self.max_utilisation) and self.max_utilisation > 0):
                raise QuestionError(f"max_utilisation is greater than 0 and finite, not {self.max_utilisation:g}")
            if self.rate_fps is None and self.joint is None:  # each of several sources has a rate of its own
                raise QuestionError("max_utilisation needs the rate at which frames arrive, such as rate 30 fps")
        if self.rate_fps is None and any(bound.monthly for bound in self.bounds):
            raise QuestionError("what a month costs needs the rate at which frames arrive, such as rate 5 fps")

    def _check_over(self) -> None:
        if self.over and self.kind != "frontier":
            raise QuestionError("'over' says what a frontier is over; a best plan has one objective and bounds")
        if self.over and not (2 <= len(self.over) <= 3 and len(set(self.over)) == len(self.over)):
            raise QuestionError(f"a frontier is over two or three different measures, not {', '.join(self.over)}")
        for name in self.over:
            if wrong := goal_fault(name):
                raise QuestionError(wrong)

    def _check_placement(self) -> None:
        few, many = self.fewest_partitions, self.most_partitions
        if (few is not None and few < 1) or (many is not None and many < 1):
            raise QuestionError(f"there is at least 1 partition, not {few if few is not None and few < 1 else many}")
        if few is not None and many is not None and few > many:
            raise QuestionError(f"no plan has at least {few} and at most {many} partitions")
        if isinstance(self.keep_first, int) and self.keep_first < 0:
            raise QuestionError(f"keep_first is a number of blocks, 0 or more, not {self.keep_first}")
        for block, _ in self.pins:
            if isinstance(block, int) and block < 1:
                raise QuestionError(f"block {block} cannot be pinned: blocks are counted from 1")
        both = [name for name in self.include if name in self.exclude]
        if both:
            raise QuestionError(f"'{both[0]}' cannot be both included and excluded")

    @property
    def needs_accuracy(self) -> bool:
        """Whether the question cannot be answered without accuracies."""
        floors = (self.min_accuracy, self.of_final, self.max_loss)
        named = self.objective == "accuracy" or any(floor is not None for floor in floors)
        return named or (self.kind == "frontier" and "accuracy" in self.compared)

    @property
    def bounded(self) -> bool:
        """Whether the question bounds any measure."""
        floors = (self.min_accuracy, self.of_final, self.max_loss, self.max_latency_s)
        return bool(self.bounds) or self.max_utilisation is not None or any(each is not None for each in floors)

    @property
    def compared(self) -> tuple[str, ...]:
        """What a frontier is over, accuracy last."""
        if not self.over:
            return self.additive, "accuracy"
        return *(name for name in self.over if name != "accuracy"), *(("accuracy",) if "accuracy" in self.over else ())

    @property
    def many(self) -> bool:
        """Whether a frontier is over more, or other, than one measure and accuracy."""
        return bool(self.over) and not (len(self.over) == 2 and "accuracy" in self.over)

    @property
    def additive(self) -> str:
        """The additive measure that is minimised, or traded against accuracy."""
        if self.over:
            return "latency" if self.many else next(name for name in self.over if name != "accuracy")
        return "latency" if self.objective == "accuracy" else self.objective

    @property
    def accuracy_floor(self) -> float:
        """Least accuracy, slack included."""
        return -inf if self.min_accuracy is None else self.min_accuracy - SLACK

    @property
    def latency_cap(self) -> float:
        """Greatest latency in seconds, slack included."""
        return inf if self.max_latency_s is None else self.max_latency_s + SLACK
