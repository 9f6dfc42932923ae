"""The functions behind ``import tiercut``: the same questions as the commands, answered with objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Unpack, cast, overload

from tiercut.analysis.answering import Evaluation, ask
from tiercut.analysis.answers.answer import Answer
from tiercut.analysis.explain import Explanation, explained
from tiercut.analysis.inputs import ProfileLike, QueryLike, TopologyLike, problem, profile_of, topology_of
from tiercut.errors import unknown_name
from tiercut.optimizer.build import build_problem
from tiercut.optimizer.own_plan import decide, decide_again
from tiercut.optimizer.pricing import price
from tiercut.optimizer.questions.keywords import Asked, make_query, merged
from tiercut.optimizer.questions.query_file import QueryFile, load_query
from tiercut.profiling.profile.samples import Samples, SampleSplit, samples_of
from tiercut.solvers.interface import Options

if TYPE_CHECKING:
    from tiercut.analysis.replay import Replay
    from tiercut.optimizer.plan import Plan
    from tiercut.optimizer.query import Kind

__all__ = ["Question", "ask", "explain", "frontier", "plan", "problem", "rank", "replay", "solve"]


class Question(Asked, total=False):
    """The keywords of `solve`, `rank` and `frontier`: those of `Asked`, and who answers.

    Parameters
    ----------
    query
        A question from a file: loaded, a path, or the name of one that comes with the package. Keywords add to it,
        and take the place of what it says of the same thing.
    solver
        ``auto`` or the name of a solver.
    options
        Threads, seed, time limit, progress.
    evaluate
        ``model``; or ``replay``: candidates of the model are chosen by what recorded samples make of them, and plans
        have the figures of the samples (see `Answer.lived`).
    split
        Which samples: ``profile`` or ``test``.
    """

    query: QueryLike | None
    solver: str
    options: Options | None
    evaluate: Evaluation
    split: SampleSplit


def solve(topology: TopologyLike, profile: ProfileLike, **question: Unpack[Question]) -> Answer:
    """Return the best plan (problems P_lat and P_acc of the Joint model, section 2.4).

    Parameters
    ----------
    topology, profile
        Loaded ones, files, or the names of those that come with the package.
    **question
        What is asked, as `Question` lists it: objective, min_accuracy, max_latency, exits, thresholds, codec, order,
        bounds, rate, include, exclude, use_all_tiers, only, partitions, pin, keep_first; query, solver, options.

    Raises
    ------
    InputError, QuestionError
        If a file or the question is wrong. An answer without plans is not an error: see `Answer.best`.

    Examples
    --------
    >>> import tiercut
    >>> answer = tiercut.solve("mobile", "resnet20-digits32", min_accuracy=0.9, bounds=["compute:watch<=1 s"])
    >>> answer.best.placement
    """
    return _question("solve", topology, profile, question)


def rank(topology: TopologyLike, profile: ProfileLike, **question: Unpack[Question]) -> Answer:
    """Return the `top` (5) best plans, best first; everything else is as in `solve`."""
    return _question("rank", topology, profile, question)


def frontier(topology: TopologyLike, profile: ProfileLike, **question: Unpack[Question]) -> Answer:
    """Return the Pareto frontier of the objective against accuracy, quickest first; the rest is as in `solve`."""
    return _question("frontier", topology, profile, question)


def _question(kind: Kind, topology: TopologyLike, profile: ProfileLike, question: Question) -> Answer:
    known = Question.__annotations__
    for name in question:
        if name not in known:
            raise TypeError(f"{kind}(): {unknown_name('keyword', name, known)}")
    loaded = topology_of(topology), profile_of(profile)
    asked: dict[str, Any] = {key: value for key, value in question.items() if key in Asked.__annotations__}
    if (file := question.get("query")) is not None:
        said = file if isinstance(file, QueryFile) else load_query(file)
        loaded = said.under(*loaded)
        asked = dict(merged(said.asked, cast("Asked", asked)))
    query = make_query(kind, cast("Asked", asked))
    who: Any = {key: question[key] for key in ("solver", "options", "evaluate", "split") if key in question}
    return ask(*loaded, query, **who)


def plan(
    topology: TopologyLike,
    profile: ProfileLike,
    *,
    partition: Sequence[int],
    placement: Sequence[str],
    threshold: float | None = None,
    exits: Sequence[int] | None = None,
    thresholds: Sequence[float] | None = None,
    codecs: Sequence[str | None] | None = None,
) -> Plan:
    """Return the price of a plan that a person thought of.

    Parameters
    ----------
    topology, profile
        Loaded ones, files, or the names of those that come with the package.
    partition, placement
        1-based last block of each partition, and the name of its node.
    threshold
        One of the profile's thresholds; needed where there is more than one exit.
    exits
        1-based blocks whose branch is used; by default the end of every partition where the profile has exits.
    thresholds
        In place of `threshold`: one for every exit but the last, which takes who is left.
    codecs
        Codec at each cut, None where the output is sent as it is; by default everywhere.

    Raises
    ------
    InputError, QuestionError
        If a file is wrong, or there can be no such plan.
    """
    tables = problem(topology, profile)
    return price(tables, decide(tables, partition, placement, threshold, exits, thresholds=thresholds, codecs=codecs))


def explain(topology: TopologyLike, profile: ProfileLike, plan: Plan) -> Explanation:
    """Return the latency of a plan as the sum that it is, step by step.

    Parameters
    ----------
    topology, profile
        What the plan was made for; under another topology, the same decision is priced anew.
    plan
        From `solve`, `rank`, `frontier` or `plan`.
    """
    tables = problem(topology, profile)
    return explained(tables, decide_again(tables, plan))


@overload
def replay(
    topology: TopologyLike,
    profile: ProfileLike,
    plan: Plan,
    *,
    split: SampleSplit = "profile",
    samples: Samples | None = None,
) -> Replay: ...
@overload
def replay(
    topology: TopologyLike,
    profile: ProfileLike,
    plan: Iterable[Plan],
    *,
    split: SampleSplit = "profile",
    samples: Samples | None = None,
) -> list[Replay]: ...
def replay(
    topology: TopologyLike,
    profile: ProfileLike,
    plan: Plan | Iterable[Plan],
    *,
    split: SampleSplit = "profile",
    samples: Samples | None = None,
) -> Replay | list[Replay]:
    """Return what recorded samples make of a plan: exact exit rates, accuracy, and latencies with their quantiles.

    Parameters
    ----------
    topology, profile
        What the plan was made for; under another topology, the same decision is priced anew.
    plan
        From `solve`, `rank`, `frontier` or `plan`; or several, such as an answer, which are replayed together.
    split
        ``profile``: the samples that the profile's rates come from; ``test``: others, where it names a file of them.
    samples
        Others in place of those that the profile names; `split` then only says what to call them.

    Raises
    ------
    InputError, QuestionError
        If a file is wrong, there are no samples, or they do not belong to the profile.

    Examples
    --------
    >>> import tiercut
    >>> best = tiercut.solve("mobile", "resnet20-digits32", min_accuracy=0.95).best
    >>> seen = tiercut.replay("mobile", "resnet20-digits32", best)
    >>> seen.accuracy, seen.accuracy_interval(), seen.quantile(0.95)
    """
    from tiercut.analysis.replay import replay_decisions
    from tiercut.optimizer.plan import Plan
    from tiercut.optimizer.samples.recorded import Recorded

    profile = profile_of(profile)
    tables = build_problem(topology_of(topology), profile)
    recorded = Recorded.of(samples_of(profile, split) if samples is None else samples, split)
    plans = [plan] if isinstance(plan, Plan) else list(plan)
    found = replay_decisions(tables, [decide_again(tables, each) for each in plans], recorded)
    return found[0] if isinstance(plan, Plan) else found
