"""The frontier behind a best plan: what could be had without the bounds of the question."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tiercut.analysis.answering import ask

if TYPE_CHECKING:
    from tiercut.analysis.answers.answer import Answer
    from tiercut.analysis.inputs import ProfileLike, TopologyLike
    from tiercut.solvers import Options

__all__ = ["frontier_behind"]


def frontier_behind(
    topology: TopologyLike,
    profile: ProfileLike,
    answer: Answer,
    *,
    solver: str = "auto",
    options: Options | None = None,
) -> Answer | None:
    """Return the frontier of what a best plan was chosen from, all its bounds left out.

    Parameters
    ----------
    topology, profile
        What the answer was asked of.
    answer
        Of `tiercut.solve`.
    solver, options
        As in `tiercut.solve`.

    Returns
    -------
    Answer or None
        None where a frontier would say nothing: the answer is no single plan, or accuracies are not known.
    """
    if answer.query.kind != "solve" or not answer.space.knows_accuracy:
        return None
    free: dict[str, Any] = {"min_accuracy": None, "max_latency_s": None, "bounds": (), "max_utilisation": None}
    unbounded = replace(answer.query, kind="frontier", **free)
    return ask(topology, profile, unbounded, solver=solver, options=options)
