"""A question asked of several networks, one after the other, and their plans put into one order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any

from tiercut.analysis.models.answer import ModelPlan, ModelsAnswer
from tiercut.clock import seconds_left, time_limit
from tiercut.errors import QuestionError
from tiercut.optimizer import evaluate, unbeaten

if TYPE_CHECKING:
    from tiercut.analysis.answers.answer import Answer
    from tiercut.optimizer import Query
    from tiercut.profiling import Profile
    from tiercut.solvers import Options

__all__ = ["ask_of_each"]


def ask_of_each(
    profiles: Sequence[Profile],
    query: Query,
    options: Options,
    confidence: float | None,
    ask: Callable[[Profile, Query, Options, float | None], Answer],
) -> ModelsAnswer:
    """Ask a question of several networks, and put their plans into one order.

    Parameters
    ----------
    profiles
        Of networks that are called differently.
    query
        What is asked. A best plan is the best of all networks', a ranking has the best of all, and a frontier the plans
        that no plan of any network beats. Equals stand in the order in which the networks are named. What it says of
        exits, thresholds and estimators is about the networks that have exits, where any has.
    options
        Of the solver; of its time limit each network gets its share of what is left.
    confidence
        With which certificates are to hold for all networks together; each is certified at its share of what that
        leaves (Bonferroni), as the network is chosen by what passes.
    ask
        Asks it of one network.

    Raises
    ------
    QuestionError
        If two networks are called alike, a bound is in terms of a network's own accuracy, or the question cannot be
        asked of one of them; the message names it.
    """
    if query.of_final is not None or query.max_loss is not None:
        raise QuestionError(
            "with several networks a least accuracy is a share, such as min_accuracy 0.9: each has another final one"
        )
    own = None if confidence is None else 1.0 - (1.0 - confidence) / len(profiles)
    answers: dict[str, Answer] = {}
    names = _called(profiles)
    rules = [_rules_for(profile, query) if any(each.exits for each in profiles) else query for profile in profiles]
    with time_limit(options.time_limit_s):  # the clock, which stands still while kernels are compiled
        for place, (name, profile) in enumerate(zip(names, profiles, strict=True)):
            left = seconds_left() / (len(profiles) - place)
            limit = None if left == inf else left
            try:
                answers[name] = ask(profile, rules[place], replace(options, time_limit_s=limit), own)
            except QuestionError as error:
                raise QuestionError(f"{name}: {error}") from None
            if answers[name].outcome.status == "interrupted":
                break
    asked = next(
        (own.query for own in answers.values() if own.space.problem.has_exits), next(iter(answers.values())).query
    )
    answer = ModelsAnswer(asked, answers, (), confidence)
    return replace(answer, found=tuple(_ordered(answer)))


def _rules_for(profile: Profile, query: Query) -> Query:
    """Return the question for one of several networks: of one without exits, there are none to have rules for."""
    return query if profile.exits is not None else replace(query, exits=None, per_exit=False, estimator="auto")


def _called(profiles: Sequence[Profile]) -> list[str]:
    """Return what networks are called: by their names, and where two have one, by their files.

    Raises
    ------
    QuestionError
        If two are called alike even so.
    """
    shared = {name for name, count in Counter(profile.name for profile in profiles).items() if count > 1}
    names = [
        f"{profile.name} ({profile.file[0]})" if profile.name in shared and profile.file is not None else profile.name
        for profile in profiles
    ]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise QuestionError(f"network '{twice[0]}' is named twice; plans could not say of which they are")
    return names


def _ordered(answer: ModelsAnswer) -> list[ModelPlan]:
    """Return the plans of all networks that the question asks for, in order."""
    query = answer.query
    every = [
        ModelPlan(name, plan, own, index)
        for name, own in answer.answers.items()
        for index, plan in enumerate(own.plans)
    ]
    if query.kind == "frontier":
        values = answer.values(every)
        if "accuracy" in query.compared:
            values[:, -1] *= -1.0
        kept = unbeaten(values, [each.plan for each in every], absolute="accuracy" in query.compared)
        return [every[place] for place in kept]
    places = {name: place for place, name in enumerate(answer.answers)}

    def order(each: ModelPlan) -> tuple[Any, ...]:
        accuracy = each.plan.accuracy or 0.0
        goal = -accuracy
        if query.objective != "accuracy":
            goal = evaluate(each.answer.judged, each.plan.decision, query.objective, query.rate_fps)
        return goal, each.plan.latency_s, -accuracy, places[each.model], each.index

    return sorted(every, key=order)[: query.top if query.kind == "rank" else 1]
