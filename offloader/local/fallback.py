"""Frames that the source answers itself where the rest of a plan does not: whether it can, and when it begins to."""

from __future__ import annotations

from tiercut.errors import QuestionError
from tiercut.offloader.local.prediction import Predicted
from tiercut.optimizer import Plan

__all__ = ["check_fallback", "spare_s"]

_LEAST_S = 0.05
"""For asking the agent, and a machine that is busy."""


def check_fallback(plan: Plan, source: str) -> None:
    """Refuse a plan whose source holds no exit that it could answer from.

    Raises
    ------
    QuestionError
        If there is nothing to fall back from, or to.
    """
    if plan.placement[0] != source:
        raise QuestionError(
            f"--fallback: the source '{source}' runs no part of the plan, so it has no exit to answer from; pin the "
            f"first block to it: --pin '1={source}'"
        )
    if len(plan.partition) > 1 and not any(each <= plan.partition[0] for each in plan.exits):
        raise QuestionError(
            f"--fallback: the plan has no exit among the blocks 1 to {plan.partition[0]}, which '{source}' holds; ask "
            "with --exits cuts"
        )


def spare_s(prediction: Predicted, deadline_s: float) -> float:
    """Return how long before its deadline a frame falls back: the way home from the source's exits, and 50 ms.

    It is half of the deadline at most.
    """
    home = [step.seconds for step in prediction.steps if step.sort == "result" and step.stage == 0]
    return min(max(home, default=0.0) + _LEAST_S, deadline_s / 2)
