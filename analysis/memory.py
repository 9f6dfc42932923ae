"""What the memory of nodes takes from an answer: found by asking once more as if they had enough."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tiercut import units
from tiercut.optimizer import fits_memory, limits_memory, memory_needed, narrow, price
from tiercut.solvers import make_task

if TYPE_CHECKING:
    from tiercut.optimizer import Plan, Problem, Query, Space
    from tiercut.solvers import Options, Outcome, Solver

__all__ = ["binding_memory", "needs_more"]

_SPARE_S = 1.0  # seconds beyond those of the answer, after which it is no longer looked for


def binding_memory(whole: Space, query: Query, solver: Solver, outcome: Outcome, options: Options) -> str:
    """Return what would be answered if every node had enough memory; empty where that is the same.

    Parameters
    ----------
    whole
        The space before the placement rules of the question.
    query, solver, outcome, options
        The question, who answered it, with what and how.

    Notes
    -----
    It takes about as long as the answer did, and only where some node has too little memory for the whole network. An
    answer that is not proved by then says nothing.
    """
    problem = whole.problem
    if query.ignore_memory or not outcome.exact or not limits_memory(problem):
        return ""
    free = replace(query, ignore_memory=True)
    limit = outcome.seconds + _SPARE_S
    if options.time_limit_s is not None:
        limit = min(limit, options.time_limit_s)
    found = solver.solve(make_task(narrow(whole, free), free), replace(options, time_limit_s=limit, progress=None))
    over = [decision for decision in found.decisions if not fits_memory(problem, decision)]
    if found.status != "optimal" or not over:
        return ""
    plan = price(problem, over[0])
    return f"the memory of nodes binds: without it there is {plan}, where {needs_more(problem, plan)} (ignore_memory)"


def needs_more(problem: Problem, plan: Plan) -> str:
    """Return which nodes have too little memory for their part of a plan, and by how much, in words."""
    decision = plan.decision
    return " and ".join(
        f"{name} needs {units.format_bytes(size)} of {units.format_bytes(float(problem.memory[node]))}"
        for name, node, size in zip(plan.placement, decision.placement, memory_needed(problem, decision), strict=True)
        if size > problem.memory[node]
    )
