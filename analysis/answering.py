"""One question answered: the space that it admits, the solver that answers, and what it found as priced plans."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

from tiercut.analysis.answers.answer import Answer
from tiercut.analysis.answers.beside import with_plans_beside
from tiercut.analysis.answers.notes import said_of_question, with_notes
from tiercut.analysis.answers.seen import SeenPlans
from tiercut.analysis.distinct import distinct_ranking
from tiercut.analysis.estimates import estimated, samples_beside
from tiercut.analysis.infeasible import why_none
from tiercut.analysis.inputs import ProfileLike, TopologyLike, inputs_of
from tiercut.analysis.solver_options import Evaluation
from tiercut.clock import paused, time_limit
from tiercut.errors import QuestionError, unknown_name
from tiercut.optimizer import (
    Conditions,
    Query,
    Recorded,
    Space,
    evaluate_tables,
    frontier_plans,
    make_space,
    narrow,
    price,
    settled,
    warn_of_bare_spans,
    warn_of_memory,
)
from tiercut.option_fields import split_keywords
from tiercut.profiling import SampleSplit, check_split, samples_of
from tiercut.solvers import Options, make_task, registry
from tiercut.stages import stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiercut.analysis.keyword_types import ConditionKeywords
    from tiercut.profiling import Profile, Samples
    from tiercut.solvers import Outcome, Solver, Status, Task
    from tiercut.topologies import Topology

__all__ = ["ask"]

_FEW = 100_000
"""Decisions that are scored one by one as quickly as anything else answers."""


def ask(
    topology: TopologyLike,
    profile: ProfileLike,
    query: Query,
    *,
    solver: str = "auto",
    options: Options | None = None,
    evaluate: Evaluation = "model",
    split: SampleSplit = "profile",
    certify: float | None = None,
    **conditions: Unpack[ConditionKeywords],
) -> Answer:
    """Answer a question.

    Parameters
    ----------
    topology, profile
        Loaded ones, files, or the names of those that come with the package.
    query
        What is asked.
    solver
        ``auto`` or the name of a solver.
    options
        Threads, seed, time limit, progress.
    evaluate
        ``model``; or ``replay``: candidates of the model are chosen by what recorded samples make of them.
    split
        Which samples replay them, or certify them (see `tiercut.analysis.certified.held_out.hold_out`).
    certify
        With which confidence, between 0 and 1, the accuracy of the plans is to be certified on samples that had no part
        in choosing them; None: it is not.
    **conditions
        In place of what topology and profile say (see `tiercut.optimizer.conditions.Conditions`).

    Returns
    -------
    Answer
        With no plans and a message where nothing meets the question.

    Raises
    ------
    InputError
        If a file is wrong.
    QuestionError
        If the question cannot be asked of this problem.
    """
    (named,) = split_keywords("ask", conditions, Conditions)
    topology, profile = inputs_of("ask", topology, profile, conditions)
    options = options or Options()
    with time_limit(options.time_limit_s) as clock, stage("setting up the question"):
        _check_evaluation(evaluate, split, certify)
        if certify is not None:
            found = _certified(topology, profile, query, solver, options, split, certify)
        else:
            judging = samples_of(profile, split) if evaluate == "replay" else None
            found = _answered(topology, profile, query, solver, options, judging, split)
        answer = replace(found, conditions=named, inputs=(topology, profile))
    return _unproved(answer, clock.cut) if clock.cut else answer


def _answered(
    topology: Topology,
    profile: Profile,
    query: Query,
    solver: str,
    options: Options,
    judging: Samples | None = None,
    split: SampleSplit = "profile",
    own: Samples | None = None,
) -> Answer:
    """Answer a question within the time that the clock says.

    Parameters
    ----------
    topology, profile, query, solver, options
        As in `ask`.
    judging, split
        Samples by which candidates are chosen, and which they are; None: the model chooses.
    own
        The samples behind the profile; None: those of the file that it names.
    """
    early = query.exits != "final"  # else all estimators say the same, and replay too
    samples = own
    if own is None and early:
        samples = samples_beside(profile, needed=query.estimator == "auto")
    tables = estimated(topology, profile, query.estimator if early else "marginal", samples)
    query = replace(query, estimator=tables.estimator)
    asked, judged = query, tables
    if judging is not None:
        judged = replace(tables, recorded=Recorded.of(judging, split), leavers=None)
    query = settled(asked, judged)
    whole = make_space(tables, exits=query.exits, order=query.order, per_exit=query.per_exit, codec=query.codec)
    space = narrow(whole, query)
    _check(space, query)
    if space.exits != "cuts":
        warn_of_bare_spans(profile)
    if not query.ignore_memory:
        warn_of_memory(tables)
    task = make_task(space, query)
    with paused():
        found, why = registry.choose(task) if solver == "auto" else (registry.find(solver), "")
    quick = _without_rate(task, query, options) if solver == "auto" else None
    outcome, why = quick or (_solved(task, query, found, options), why)
    del task  # what follows may need as large tables again
    if query.kind == "frontier":
        plans = frontier_plans(space.problem, query, outcome.decisions)
    else:
        plans = [price(space.problem, decision) for decision in outcome.decisions]
    if judging is not None:
        modelled = Answer(space, query, outcome, tuple(plans), "", why, notes=said_of_question(asked, judged))
        from tiercut.analysis.choose_by_replay import chosen_by_replay

        replayed = chosen_by_replay(modelled, whole, solver, options, judging, split)
        if replayed.plans and replayed.replayed is not None:
            return with_notes(replayed, replace(whole, problem=replayed.replayed.problem), found, options)
        if replayed.message:
            return replayed
        # The model has no plan either; of what the samples would make of others nothing is proved.
        return replace(replayed, message=_why_none(whole, query, found, outcome))
    message = "" if plans else _why_none(whole, query, found, outcome)
    answer = Answer(space, query, outcome, tuple(plans), message, why, notes=said_of_question(asked, judged))
    if plans and samples is not None and space.exits != "final" and tables.recorded is None:
        answer = replace(answer, seen=SeenPlans(tables, answer.plans, Recorded.of(samples)))
    return with_plans_beside(with_notes(answer, whole, found, options), options) if plans else answer


def _certified(
    topology: Topology,
    profile: Profile,
    query: Query,
    solver: str,
    options: Options,
    split: SampleSplit,
    confidence: float,
) -> Answer:
    """Answer a question by some samples, and certify the plans by others."""
    from tiercut.analysis.certified.certify import certified
    from tiercut.analysis.certified.held_out import hold_out, profile_by

    with paused():
        held = hold_out(profile, split, options.seed)
        chosen_by = profile_by(profile, held.choosing)

    def asked(query: Query) -> Answer:
        return _answered(topology, chosen_by, query, solver, options, own=held.choosing)

    return certified(query, confidence, held, asked)


def _check_evaluation(evaluate: Evaluation, split: SampleSplit, certify: float | None) -> None:
    if evaluate not in ("model", "replay"):
        raise QuestionError(unknown_name("evaluation", evaluate, ("model", "replay")))
    check_split(split)
    if certify is not None:
        if evaluate == "replay":
            raise QuestionError("certify replays plans on samples of its own; leave evaluate 'replay' out")
        if not 0 < certify < 1:
            raise QuestionError(f"certify: a confidence lies between 0 and 1, such as 0.95, not {certify:g}")
    elif split != "profile" and evaluate == "model":
        raise QuestionError(
            f"split '{split}' says which samples replay or certify plans; evaluate 'replay' or certify asks for that"
        )


def _unproved(answer: Answer, cut: Sequence[str]) -> Answer:
    """Return an answer that proves nothing, as time was too short for all that it rests on."""
    proved, reason = ("optimal", "infeasible"), f"the time was too short for {' and '.join(cut)}"
    status: Status = "feasible" if answer.plans else "stopped"
    outcome = answer.outcome
    if outcome.status in proved:
        outcome = replace(outcome, status=status, reason=reason)
    return replace(answer, outcome=outcome, message="" if answer.plans else f"no plan was found, as {reason}")


def _solved(task: Task, query: Query, solver: Solver, options: Options) -> Outcome:
    if query.kind == "rank" and query.distinct and task.space.exits != "final":  # else no two decisions are alike
        return distinct_ranking(task.space, query, solver, options)
    return solver.solve(task, options)


def _without_rate(task: Task, query: Query, options: Options) -> tuple[Outcome, str] | None:
    """Return the proved answer to a question without the bounds of its rate, where that keeps them; else None.

    It is then the answer to the question itself, found by a solver that takes no such bounds. Where there are few
    decisions, all of them are scored as quickly.
    """
    if query.max_utilisation is None or task.space.decisions <= _FEW:
        return None
    free = replace(query, max_utilisation=None)
    easier = make_task(task.space, free)
    with paused():
        solver, why = registry.choose(easier)
    if registry.choose(task)[0] is solver:
        return None
    outcome = _solved(easier, free, solver, options)
    kept = all(
        evaluate_tables(task.space.problem, decision, each.measure) <= each.cap
        for decision in outcome.decisions
        for each in task.constraints
    )
    return (outcome, why) if kept and outcome.status in ("optimal", "infeasible") else None


def _why_none(whole: Space, query: Query, solver: Solver, outcome: Outcome) -> str:
    if outcome.status == "infeasible":
        return why_none(whole, query, solver)
    return (
        f"{solver.name} has found no plan that meets the question, and not proved that there is none: {outcome.reason}"
    )


def _check(space: Space, query: Query) -> None:
    if query.needs_accuracy and not space.knows_accuracy:
        key = "exits" if space.exits == "cuts" else "accuracy"
        asked = "a frontier" if query.kind == "frontier" else "a question about accuracy"
        raise QuestionError(f"{asked} needs the key '{key}', which profile '{space.problem.profile}' does not have")
