"""The keywords of functions as static checkers read them: the names and types of the fields of each group.

A dataclass cannot be unpacked into keywords, so its fields stand here once more; a test holds the two equal. What they
mean is described with the groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from tiercut.analysis.inputs import QueryLike
    from tiercut.analysis.solver_options import Evaluation
    from tiercut.optimizer import Bound, EstimatorChoice, Exits, Joint, Only, Order, Partitions, Thresholds
    from tiercut.profiling import SampleSplit
    from tiercut.solvers import Options

__all__ = ["ConditionKeywords", "Question", "QuestionKeywords", "SolverKeywords", "WhyKeywords"]


class QuestionKeywords(TypedDict, total=False):
    """The fields of `tiercut.optimizer.questions.question_options.QuestionOptions`."""

    objective: str | None
    over: Sequence[str] | None
    min_accuracy: str | float | None
    max_loss: str | float | None
    max_latency: str | float | None
    max_p99: str | float | None
    exits: Exits | None
    thresholds: Thresholds | None
    codec: str | None
    bounds: Sequence[str | Bound] | None
    rate: str | float | None
    max_utilisation: str | float | None
    top: int | None
    all_decisions: bool | None
    order: Order | None
    estimator: EstimatorChoice | None
    include: Sequence[str] | None
    exclude: Sequence[str] | None
    use_all_tiers: bool | None
    only: Only | None
    partitions: Partitions | None
    pin: Mapping[int | str, str] | None
    keep_first: int | str | None
    ignore_memory: bool | None
    joint: Joint | None


class ConditionKeywords(TypedDict, total=False):
    """The fields of `tiercut.optimizer.conditions.Conditions`."""

    source: str | None
    destination: str | None
    bandwidth: Mapping[str, str | float] | None
    latency: Mapping[str, str | float] | None
    slowdown: Mapping[str, str | float] | None
    without: Sequence[str] | None
    forwarding: Literal["store", "cut-through"] | None
    one_partition_per: Literal["node", "tier"] | None
    accuracies: Literal["joint", "separate"] | None
    input: str | float | None
    result: str | float | None
    condition: Mapping[str, Any] | None


class SolverKeywords(TypedDict, total=False):
    """The fields of `tiercut.analysis.solver_options.SolverOptions`."""

    solver: str
    seed: int
    workers: int | None
    time_limit: str | float | None
    evaluate: Evaluation
    split: SampleSplit
    certify: str | float | None


class Question(QuestionKeywords, ConditionKeywords, SolverKeywords, total=False):
    """The keywords of `solve`, `rank` and `frontier`.

    What is asked (`tiercut.optimizer.questions.question_options.QuestionOptions`), under which conditions
    (`tiercut.optimizer.conditions.Conditions`), who answers (`tiercut.analysis.solver_options.SolverOptions`), and:

    Parameters
    ----------
    query
        A question from a file: loaded, a path, or the name of one that comes with the package. Keywords add to it,
        and take the place of what it says of the same thing.
    options
        In place of seed, workers and time_limit, and with more: progress.
    """

    query: QueryLike | None
    options: Options | None


class WhyKeywords(QuestionKeywords, ConditionKeywords, total=False):
    """What `why` takes in place of a query, and in place of what topology and profile say."""
