"""What is certified of an answer, as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercut import units
from tiercut.report.rows import share_text, threshold_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiercut.analysis import Answer, Certificate

__all__ = ["certified_lines"]


def certified_lines(answer: Answer, certificate: Certificate) -> Iterator[str]:
    """Yield what is certified of the plans of an answer, what that rests on, and what it costs."""
    yield certificate.guarantee
    if answer.query.kind != "solve":
        return
    best, found = answer.best, certificate.of(answer.best)
    yield f"the samples held out have {share_text(found.accuracy)} of their answers right with this plan"
    verb = "differ" if certificate.answers_known else "may differ"
    yield (
        f"answers that {verb} from the full network's: {share_text(found.changed)} of the samples held out, "
        f"at most {share_text(found.changed_at_most)} with the same confidence"
    )
    other = certificate.uncertified
    if other is None:
        return
    if other.decision == best.decision:
        yield "certainty costs nothing: the plan would be the same without"
        return
    yield (
        f"without a certificate: {other}, {units.format_seconds(other.latency_s)}, {share_text(other.accuracy)} of the "
        f"samples that chose{threshold_text(other)}"
    )
