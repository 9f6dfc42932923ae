"""The accuracy of those who leave at an exit, given the exit before: the second scorer's own, in plain Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.reference import Choice, Reference

__all__ = ["accuracy_of_leavers"]

NOBODY = 1e-12


def accuracy_of_leavers(reference: Reference, choice: Choice, place: int) -> float | None:
    """Return the accuracy of those who leave at an exit of a choice, counted from 0, by the reference's estimator."""
    branch = choice.exits[place]
    last = place == len(choice.exits) - 1 or reference.stay(choice, branch) <= NOBODY  # then all that come leave there
    over_all = reference.accuracy_of(branch)
    if reference.estimator == "marginal" or reference.exits is None or over_all is None:
        return over_all
    before = exit_before(reference, choice, place)
    here = None if last else reference.own_thresholds(choice, place + 1)[-1]
    share = nested if reference.estimator == "nested" else counted
    found = share(reference, branch, here, before)
    return over_all if found is None else found


def exit_before(reference: Reference, choice: Choice, place: int) -> tuple[int, int] | None:
    """Return the exit that those have met who come to one, and its threshold; None where nobody has left.

    It is the one before, or where each exit has a threshold of its own, the one that has let most leave.
    """
    before = reference.own_thresholds(choice, place)
    if not choice.thresholds:
        return before[-1] if before else None
    found, most = None, 0.0
    for each in before:
        if reference.alone("exit_rate_alone", *each) > most:
            found, most = each, reference.alone("exit_rate_alone", *each)
    return found


def counted(
    reference: Reference, branch: int, here: tuple[int, int] | None, before: tuple[int, int] | None
) -> float | None:
    """Return the share of right answers among the samples that the exit before kept and this one lets go."""
    assert reference.exits is not None
    limits = reference.exits["thresholds"]
    leaving = [
        hits[branch - 1]
        for entropy, hits in reference.samples
        if (before is None or entropy[before[0] - 1] >= limits[before[1]])
        and (here is None or entropy[branch - 1] < limits[here[1]])
    ]
    return sum(leaving) / len(leaving) if leaving else None


def nested(
    reference: Reference, branch: int, here: tuple[int, int] | None, before: tuple[int, int] | None
) -> float | None:
    """Return the same if who left before would leave here too, and the better branch is right where the worse is.

    As many of those who were wrong before would be right here as of all that the branch before gets wrong.
    """
    later = reference.accuracy_of(branch)
    assert later is not None
    rate = 1.0 if here is None else reference.alone("exit_rate_alone", *here)
    hits = later if here is None else reference.alone("hit_rate_alone", *here)
    if before is not None:
        earlier = reference.accuracy_of(before[0])
        assert earlier is not None
        gone, right = (reference.alone(key, *before) for key in ("exit_rate_alone", "hit_rate_alone"))
        if later > earlier:
            hits -= right + (gone - right) * (later - earlier) / (1 - earlier)
        else:
            hits -= right * (later / earlier if earlier else 1.0)
        rate -= gone
    return min(max(hits / rate, 0.0), 1.0) if rate > NOBODY else None
