"""What was asked, under which conditions, and what is proved: the head of a page, so that it can be read by itself."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from tiercut import units
from tiercut.report.rows import Column, Rows, question_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tiercut.analysis import Answer
    from tiercut.optimizer import Query
    from tiercut.solvers import Outcome

__all__ = ["asked_rows", "proof_text", "proved_gap", "size_text"]

_TOLD = (
    "kind",
    "objective",
    "over",
    "min_accuracy",
    "max_latency_s",
    "bounds",
    "distinct",
    "top",
    "estimator",
    "exits",
)
"""Fields of a question that its title tells, or that have a row of their own."""


_CALLED = {"per_exit": "a threshold for each exit", "rate_fps": "frames per second:", "pins": "block pinned:"}
"""What fields of a question are called where their names do not say it."""


def asked_rows(answer: Answer) -> Rows:
    """Return a row for each thing to know of an answer before its plans are read."""
    space, outcome = answer.space, answer.outcome
    why = f" ({answer.why})" if answer.why else ""
    facts = {
        "question": question_text(answer),
        "rules": "; ".join(_rules(answer.query)),
        "exits": _EXITS[space.exits],
        "conditions": "; ".join(answer.conditions.said) or "as the files say",
        "estimates": space.estimator if answer.replayed is None else "replayed samples",
        "problem": size_text(answer),
        "answered by": f"{outcome.solver}{why} in {units.format_seconds(outcome.seconds)}",
        "proof": proof_text(answer),
        **{"note" + " " * place: said for place, said in enumerate(answer.notes)},
    }
    cells = tuple((name.strip(), text) for name, text in facts.items() if text)
    return Rows("", (Column("", "left"), Column("", "left", fold=True)), cells)


_EXITS: Mapping[str, str] = {
    "cuts": "at the end of every part",
    "final": "only the network's own classifier",
    "free": "anywhere, also inside a part",
}


def size_text(answer: Answer) -> str:
    """Return how large the problem of an answer is."""
    problem = answer.space.problem
    size = f"{problem.block_count} blocks on {problem.node_count} nodes"
    thresholds = f", {len(problem.thresholds)} thresholds" if problem.has_exits else ""
    return f"{size}{thresholds}, {units.format_count(answer.space.decisions)} decisions"


def proof_text(answer: Answer) -> str:
    """Return what is proved of an answer."""
    if answer.replayed is not None:
        return answer.replayed.guarantee
    if answer.certified is not None:
        return answer.certified.guarantee
    outcome = answer.outcome
    if outcome.status == "optimal" and outcome.exact:
        better = {"solve": "no plan is better", "rank": "these are the best", "frontier": "no plan beats these"}
        return f"optimal: it is proved that {better[answer.query.kind]}"
    known = proved_gap(outcome)
    if known:
        return f"{outcome.status}: {known}"
    return f"{outcome.status}: {outcome.reason or 'the search ended early'}; nothing proves it the best of all"


def proved_gap(outcome: Outcome) -> str:
    """Return how near to the best a plan is proved to be, where it is not proved to be the best; else nothing."""
    if outcome.status != "feasible" or outcome.gap is None:
        return ""
    better = outcome.gap / max(1.0 - outcome.gap, 1e-9)
    return f"it is proved that no plan is better by more than {100 * better:.2g} %"


def _rules(query: Query) -> Iterator[str]:
    """Yield what else a question says, by the names of its fields."""
    for each in fields(query):
        value = getattr(query, each.name)
        if each.name not in _TOLD and value != each.default:
            yield f"{_CALLED.get(each.name) or each.name.replace('_', ' ')}{_said(value)}"


def _said(value: Any) -> str:
    if value is True:
        return ""
    if isinstance(value, tuple):
        return " " + ", ".join("=".join(map(str, each)) if isinstance(each, tuple) else str(each) for each in value)
    return f" {value:g}" if isinstance(value, float) else f" {value}"
