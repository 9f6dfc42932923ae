"""What a question gives without early exits, and without cuts: the plans that a frontier is compared with.

The Joint model sets the best plan with one exit beside its own (section 3.3.2, figure 5), and Scission the network that
runs on one machine as it is ("native").
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tiercut.clock import seconds_left
from tiercut.errors import QuestionError
from tiercut.optimizer import make_space, narrow, price
from tiercut.solvers import make_task, registry

if TYPE_CHECKING:
    from tiercut.analysis.answers.answer import Answer
    from tiercut.optimizer import Plan, Problem, Query, Space
    from tiercut.solvers import Options

__all__ = ["NATIVE", "ONE_EXIT", "best_beside", "with_plans_beside"]

_SPARE_S = 1.0  # seconds beyond those of the answer, after which it is no longer looked for

ONE_EXIT, NATIVE = "one exit", "native"


def best_beside(space: Space, query: Query, options: Options) -> dict[str, Plan]:
    """Return the best plan with one exit, where plans may have several, and the best native one.

    Parameters
    ----------
    space, query
        What is asked. The best is the cheapest where a least accuracy is asked for, else the most accurate.
    options
        Of the solver that finds them. What it does not find in time is left out, as what the question does not admit.
    """
    found = {}
    alone = (query.fewest_partitions or 1) == 1
    if space.exits != "final" and space.knows_accuracy and (alone or space.inside):
        found[ONE_EXIT] = _one_exit(space, query, options)
    if alone:
        found[NATIVE] = _native(space, query, options)
    return {name: plan for name, plan in found.items() if plan is not None}


def with_plans_beside(answer: Answer, options: Options) -> Answer:
    """Return a frontier over one measure and accuracy with what stands beside it; other answers as they are."""
    if answer.query.kind != "frontier" or answer.query.many or seconds_left() < _SPARE_S:
        return answer
    limit = min(answer.outcome.seconds + _SPARE_S, seconds_left())
    found = best_beside(answer.space, answer.query, replace(options, time_limit_s=limit, progress=None))
    return replace(answer, beside=found)


def _one_exit(space: Space, query: Query, options: Options) -> Plan | None:
    single = replace(_alone(query), per_exit=False)
    problem = replace(space.problem, recorded=None, leavers=None)
    if not space.inside:  # every partition ends in a branch, so that one exit is one partition
        return _best(problem, replace(single, exits="cuts", most_partitions=1), options)
    # Where nobody leaves early, other exits than the last are of no use.
    nobody = np.ones((1, problem.block_count + 1))
    stays = replace(problem, thresholds=np.zeros(1), stay=nobody, stay_alone=nobody)
    return _best(stays, replace(single, exits="free"), options, priced_by=problem)


def _native(space: Space, query: Query, options: Options) -> Plan | None:
    whole = replace(_alone(query), exits="final", per_exit=False, most_partitions=1)
    return _best(space.problem, whole, options)


def _alone(query: Query) -> Query:
    """Return the question for one best plan."""
    objective = "accuracy" if query.min_accuracy is None and query.kind == "frontier" else query.objective
    objective = query.additive if query.kind == "frontier" and query.min_accuracy is not None else objective
    return replace(query, kind="solve", over=(), objective=objective, estimator="marginal", distinct=False)


def _best(problem: Problem, query: Query, options: Options, priced_by: Problem | None = None) -> Plan | None:
    whole = make_space(problem, exits=query.exits, order=query.order, codec=query.codec)
    if not whole.knows_accuracy:
        if query.min_accuracy is not None:
            return None
        query = replace(query, objective=query.additive)
    try:
        task = make_task(narrow(whole, query), query)
        outcome = registry.choose(task)[0].solve(task, options)
    except QuestionError:  # of rules that leave nothing, or of what no solver answers
        return None
    if outcome.status != "optimal" or not outcome.decisions:
        return None
    decision = outcome.decisions[0]
    if len(decision.exits) > 1 and query.exits == "free":
        decision = replace(decision, exits=decision.exits[-1:])
    if len(decision.exits) == 1:
        decision = replace(decision, threshold=None, thresholds=None)
    return price(priced_by or problem, decision)
