"""The functions behind ``import tiercut``: the same questions as the commands, answered with objects."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack, cast, overload

from tiercut.analysis import (
    Answer,
    ConditionKeywords,
    Explanation,
    ModelsAnswer,
    ProfileLike,
    Question,
    SolverOptions,
    TopologyLike,
    ask,
    ask_of_each,
    estimated,
    explained,
    inputs_of,
    problem,
    profile_of,
    samples_beside,
    topology_of,
)
from tiercut.errors import QuestionError
from tiercut.optimizer import (
    Conditions,
    QueryFile,
    QuestionOptions,
    decide,
    decide_again,
    load_query,
    make_query,
    merged,
    price,
)
from tiercut.option_fields import split_keywords
from tiercut.profiling import Samples, SampleSplit, samples_of
from tiercut.solvers import Options

if TYPE_CHECKING:
    from tiercut.analysis import Drop, Replay, Stream, Times
    from tiercut.optimizer import EstimatorChoice, Kind, Plan, Query

__all__ = [
    "Question",
    "ask",
    "explain",
    "frontier",
    "plan",
    "problem",
    "rank",
    "replay",
    "save_report",
    "simulate",
    "solve",
]


@overload
def solve(  # type: ignore[overload-overlap]  # text is a sequence of text
    topology: TopologyLike, profile: ProfileLike, **question: Unpack[Question]
) -> Answer: ...
@overload
def solve(topology: TopologyLike, profile: Sequence[ProfileLike], **question: Unpack[Question]) -> ModelsAnswer: ...
def solve(
    topology: TopologyLike, profile: ProfileLike | Sequence[ProfileLike], **question: Unpack[Question]
) -> Answer | ModelsAnswer:
    """Return the best plan (problems P_lat and P_acc of the Joint model, section 2.4).

    Parameters
    ----------
    topology, profile
        Loaded ones, files, or the names of those that come with the package. Of several profiles the best plan of all
        networks is the answer, which says of which it is.
    **question
        What is asked: objective, min_accuracy, max_loss, max_latency, max_p99, exits, thresholds, codec, order,
        estimator, bounds, rate, max_utilisation, include, exclude, use_all_tiers, only, partitions, pin, keep_first,
        ignore_memory; query.
        Conditions in place of what topology and profile say: source, destination, bandwidth, latency, slowdown,
        without, forwarding, one_partition_per, accuracies, input, result, condition.
        Who answers: solver, seed, workers, time_limit or options; evaluate, split, certify. `Question` says where each
        is described.

    Raises
    ------
    InputError, QuestionError
        If a file or the question is wrong. An answer without plans is not an error: see `Answer.best`.
    TypeError
        If there is no such keyword.

    Examples
    --------
    >>> import tiercut
    >>> answer = tiercut.solve("mobile", "resnet20-digits32", min_accuracy=0.9, bounds=["compute:watch<=1 s"])
    >>> answer.best.placement
    >>> tiercut.solve("mobile", "resnet20-digits32", bandwidth={"watch-phone": "100 kb/s"}, slowdown={"phone": 20})
    """
    return _question("solve", topology, profile, question)


@overload
def rank(  # type: ignore[overload-overlap]  # text is a sequence of text
    topology: TopologyLike, profile: ProfileLike, **question: Unpack[Question]
) -> Answer: ...
@overload
def rank(topology: TopologyLike, profile: Sequence[ProfileLike], **question: Unpack[Question]) -> ModelsAnswer: ...
def rank(
    topology: TopologyLike, profile: ProfileLike | Sequence[ProfileLike], **question: Unpack[Question]
) -> Answer | ModelsAnswer:
    """Return the `top` (5) best plans, best first; everything else is as in `solve`."""
    return _question("rank", topology, profile, question)


@overload
def frontier(  # type: ignore[overload-overlap]  # text is a sequence of text
    topology: TopologyLike, profile: ProfileLike, **question: Unpack[Question]
) -> Answer: ...
@overload
def frontier(topology: TopologyLike, profile: Sequence[ProfileLike], **question: Unpack[Question]) -> ModelsAnswer: ...
def frontier(
    topology: TopologyLike, profile: ProfileLike | Sequence[ProfileLike], **question: Unpack[Question]
) -> Answer | ModelsAnswer:
    """Return the Pareto frontier of the objective against accuracy, quickest first; the rest is as in `solve`.

    `over` names two or three measures in place of the two.
    """
    return _question("frontier", topology, profile, question)


def _question(
    kind: Kind, topology: TopologyLike, profile: ProfileLike | Sequence[ProfileLike], question: Question
) -> Answer | ModelsAnswer:
    groups = (QuestionOptions, Conditions, SolverOptions)
    asked, conditions, who = split_keywords(kind, question, *groups, beside=("query", "options"))
    if (file := question.get("query")) is not None:
        below = file if isinstance(file, QueryFile) else load_query(file)
        asked, conditions = merged(below.question, asked), conditions.on_top_of(below.conditions)
    loaded, query = topology_of(topology), make_query(kind, asked)
    how: dict[str, Any] = {"solver": who.solver, "evaluate": who.evaluate, "split": who.split}

    def ask_of(profile: ProfileLike, query: Query, options: Options, certify: float | None) -> Answer:
        changed = conditions.apply(loaded, profile_of(profile))
        return replace(ask(*changed, query, options=options, certify=certify, **how), conditions=conditions)

    options, certify = _options(who, question), who.confidence()
    if isinstance(profile, (list, tuple)):
        return ask_of_each([profile_of(each) for each in profile], query, options, certify, ask_of)
    return ask_of(cast("ProfileLike", profile), query, options, certify)


def save_report(
    topology: TopologyLike,
    profile: ProfileLike,
    path: str | os.PathLike[str],
    *,
    changes: bool = True,
    **question: Unpack[Question],
) -> None:
    """Write everything about a problem as one HTML page, which works offline and scores plans by itself.

    Parameters
    ----------
    topology, profile
        Loaded ones, files, or the names of those that come with the package.
    path
        Where to.
    changes
        Whether to look where the best plan changes over each link and node, by exact solves.
    **question
        As in `solve`; a least accuracy is where the page's slider begins.

    Raises
    ------
    InputError, QuestionError
        If a file or the question is wrong, or the objective is another one than latency.
    InfeasibleError
        If no plan meets it.

    Examples
    --------
    >>> import tiercut
    >>> tiercut.save_report("mobile", "resnet20-digits32", "report.html", min_accuracy=0.9)
    """
    from tiercut.report import Origin, gather, write_report

    groups = (QuestionOptions, Conditions, SolverOptions)
    asked, conditions, who = split_keywords("save_report", question, *groups, beside=("query", "options"))
    if refused := [name for name in ("evaluate", "split", "certify") if name in question]:
        raise QuestionError(f"a report is about what the model says: leave out {', '.join(refused)}")
    if (file := question.get("query")) is not None:
        below = file if isinstance(file, QueryFile) else load_query(file)
        asked, conditions = merged(below.question, asked), conditions.on_top_of(below.conditions)
    before, loaded = topology_of(topology), profile_of(profile)
    changed = conditions.apply(before, loaded)
    found = gather(
        *changed, make_query("solve", asked), solver=who.solver, options=_options(who, question), changes=changes
    )
    origin = Origin(
        topology=os.fspath(topology) if isinstance(topology, str | os.PathLike) else f"{before.name}.yaml",
        profile=os.fspath(profile) if isinstance(profile, str | os.PathLike) else f"{loaded.model}.json",
        before=before,
        conditions=conditions,
        question=asked,
    )
    write_report(found, path, origin=origin)


def _options(who: SolverOptions, question: Mapping[str, Any]) -> Options:
    """Return the options of a solver, as one object or by keywords."""
    options: Options | None = question.get("options")
    if options is None:
        return who.options()
    if named := [name for name in ("seed", "workers", "time_limit") if name in question]:
        raise QuestionError(f"give options, or {', '.join(named)} by itself, not both")
    return options


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
    input_codec: str | None = None,
    estimator: EstimatorChoice = "auto",
    **conditions: Unpack[ConditionKeywords],
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
        In place of `threshold`: one for every exit but the last, where all samples leave that get there.
    codecs
        Codec at each cut, None where the output is sent as it is; by default everywhere.
    input_codec
        What encodes the input on its way from the source to the first node; None: it is sent as it is.
    estimator
        How exit rates and accuracies are known, as in `solve`.
    **conditions
        In place of what topology and profile say (see `tiercut.optimizer.conditions.Conditions`).

    Raises
    ------
    InputError, QuestionError
        If a file is wrong, or there can be no such plan.
    """
    tables = problem(*inputs_of("plan", topology, profile, conditions), estimator=estimator)
    what = (tables, partition, placement, threshold, exits)
    return price(tables, decide(*what, thresholds=thresholds, codecs=codecs, input_codec=input_codec))


def explain(
    topology: TopologyLike,
    profile: ProfileLike,
    plan: Plan,
    *,
    estimator: EstimatorChoice = "auto",
    **conditions: Unpack[ConditionKeywords],
) -> Explanation:
    """Return the latency of a plan as the sum that it is, step by step.

    Parameters
    ----------
    topology, profile
        What the plan was made for; under another topology, the same decision is priced anew.
    plan
        From `solve`, `rank`, `frontier` or `plan`.
    estimator
        How exit rates and accuracies are known, as in `solve`.
    **conditions
        In place of what topology and profile say (see `tiercut.optimizer.conditions.Conditions`).
    """
    tables = problem(*inputs_of("explain", topology, profile, conditions), estimator=estimator)
    return explained(tables, decide_again(tables, plan))


@overload
def replay(
    topology: TopologyLike,
    profile: ProfileLike,
    plan: Plan,
    *,
    split: SampleSplit = "profile",
    samples: Samples | None = None,
    estimator: EstimatorChoice = "auto",
    **conditions: Unpack[ConditionKeywords],
) -> Replay: ...
@overload
def replay(
    topology: TopologyLike,
    profile: ProfileLike,
    plan: Iterable[Plan],
    *,
    split: SampleSplit = "profile",
    samples: Samples | None = None,
    estimator: EstimatorChoice = "auto",
    **conditions: Unpack[ConditionKeywords],
) -> list[Replay]: ...
def replay(
    topology: TopologyLike,
    profile: ProfileLike,
    plan: Plan | Iterable[Plan],
    *,
    split: SampleSplit = "profile",
    samples: Samples | None = None,
    estimator: EstimatorChoice = "auto",
    **conditions: Unpack[ConditionKeywords],
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
    estimator
        By what the model's figures beside them are known, as in `solve`.
    **conditions
        In place of what topology and profile say (see `tiercut.optimizer.conditions.Conditions`).

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
    from tiercut.analysis import replay_decisions
    from tiercut.optimizer import Plan, Recorded

    topology, profile = inputs_of("replay", topology, profile, conditions)
    own = samples_beside(profile) if samples is None and estimator == "auto" else None
    tables = estimated(topology, profile, estimator, own)
    recorded = Recorded.of(samples_of(profile, split) if samples is None else samples, split)
    plans = [plan] if isinstance(plan, Plan) else list(plan)
    found = replay_decisions(tables, [decide_again(tables, each) for each in plans], recorded)
    return found[0] if isinstance(plan, Plan) else found


def simulate(
    topology: TopologyLike,
    profile: ProfileLike,
    plan: Plan | Sequence[Plan],
    *,
    rate: str | float | Sequence[str | float] | None = None,
    frames: int | None = None,
    arrivals: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = "periodic",
    queue: int | None = None,
    drop: Drop = "newest",
    seed: int = 0,
    until: str | float | None = None,
    times: Times = "block",
    sources: Sequence[str] | None = None,
    split: SampleSplit = "profile",
    samples: Samples | None = None,
    draw_exits: bool = False,
    estimator: EstimatorChoice = "auto",
    time_line: int = 0,
    **conditions: Unpack[ConditionKeywords],
) -> Stream:
    """Send a stream of frames through a plan, or streams of several sources through one each, on shared machines.

    Every node and every direction of a link is a server with a queue, first in first out; times are whole picoseconds.

    Parameters
    ----------
    topology, profile
        What the plan was made for; under another topology, the same decision is priced anew.
    plan
        From `solve`, `rank`, `frontier` or `plan`; or one for each source.
    rate
        Frames per second, or text such as ``"30 fps"``; one for all sources, or one for each.
    frames
        How many frames each source sends; by default 10,000, or all of a trace.
    arrivals
        ``periodic``, ``poisson``, or a file of times of birth in seconds, one a line, rising; one for all or each.
    queue
        How many frames may wait at a node or a link direction; by default any number.
    drop
        Where there is no room: the ``newest`` is dropped, the ``oldest`` that waits, or the newest takes the ``exit``:
        it goes home with the answer of the last exit that it was asked at, if there was one.
    seed
        Of random births, exits and times.
    until
        When to stop, in seconds or as text such as ``"10 s"``; by default when all frames have ended.
    times
        What serving takes: ``block``, the times that the profile has; ``mean``, their means where recorded; ``drawn``,
        log-normal through p50 and p99.
    sources
        A node for each plan where its frames are born; by default the topology's source. The destination follows the
        source where the topology does not name one.
    split, samples
        Whose recorded exits the frames take, one sample after the other (see `replay`).
    draw_exits
        Whether exits are drawn at the exit rates instead, as they are where the profile has no samples.
    estimator
        How exit rates and accuracies of drawn exits are known.
    time_line
        Of how many frames of each source every service is kept.
    **conditions
        In place of what topology and profile say (see `tiercut.optimizer.conditions.Conditions`).

    Raises
    ------
    InputError, QuestionError
        If a file or a value is wrong.

    Examples
    --------
    >>> import tiercut
    >>> best = tiercut.solve("mobile", "resnet20-digits32", min_accuracy=0.95).best
    >>> stream = tiercut.simulate("mobile", "resnet20-digits32", best, rate="5 fps", queue=4)
    >>> stream.verdict, stream.sustainable_rate, stream.latencies.quantile(0.95)
    """
    from tiercut.analysis import StreamQuestion, simulate_plans
    from tiercut.optimizer import Plan

    asked = StreamQuestion(
        rate=_one_or_each(rate),
        frames=frames,
        arrivals=_one_or_each(arrivals),
        queue=queue,
        drop=drop,
        seed=seed,
        until=until,
        times=times,
        sources=None if sources is None else tuple(sources),
        split=split,
        draw_exits=draw_exits,
    )
    loaded = inputs_of("simulate", topology, profile, conditions)
    plans = [plan] if isinstance(plan, Plan) else list(plan)
    return simulate_plans(*loaded, plans, asked, estimators=(estimator,), samples=samples, time_line=time_line)


def _one_or_each(value: Any) -> Any:
    """Return a tuple: of one value for all, or of one for each; None stays."""
    if value is None:
        return None
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)
