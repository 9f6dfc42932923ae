"""The feeds that a question makes of plans: numbers from text with units, a value for each source, and samples."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from tiercut import units
from tiercut.analysis.estimates import estimated, samples_beside
from tiercut.analysis.stream.question import DROPS, FRAMES, TIMES, StreamQuestion
from tiercut.analysis.stream.service import service_of, with_times
from tiercut.analysis.stream.simulate import Feed, simulate_feeds
from tiercut.errors import QuestionError
from tiercut.optimizer import Recorded, build_problem, decide_again
from tiercut.profiling import Profile, samples_of

if TYPE_CHECKING:
    from tiercut.analysis.stream.result import Stream
    from tiercut.optimizer import EstimatorChoice, Plan
    from tiercut.profiling import Samples
    from tiercut.topologies import Topology

__all__ = ["simulate_plans"]

V = TypeVar("V")


def simulate_plans(
    topology: Topology,
    profile: Profile | Sequence[Profile],
    plans: Sequence[Plan],
    asked: StreamQuestion,
    *,
    estimators: Sequence[EstimatorChoice] = ("auto",),
    samples: Samples | None = None,
    time_line: int = 0,
    named: Callable[[str], str] = str,
) -> Stream:
    """Return what becomes of the frames of one or several sources.

    Parameters
    ----------
    topology, profile
        Under the conditions of the call; one profile for all plans, or one for each.
    plans
        One for each source.
    asked
        The rest of the question.
    estimators
        How exit rates and accuracies are known where exits are drawn: one for all plans, or one for each.
    samples
        In place of those that the profile names.
    time_line
        Of how many frames of each source every service is kept.
    named
        What to call a field of the question in a message; commands name its flag.

    Raises
    ------
    InputError, QuestionError
        If a file or a value is wrong.
    """
    if asked.drop not in DROPS:
        raise QuestionError(f"{named('drop')} is {', '.join(DROPS)}, not '{asked.drop}'")
    if asked.times not in TIMES:
        raise QuestionError(f"{named('times')} is {', '.join(TIMES)}, not '{asked.times}'")
    if not plans:
        raise QuestionError("a stream needs a plan at least")
    count = len(plans)
    rates = _for_each(named("rate"), asked.rate, count, None)
    arrivals = _for_each(named("arrivals"), asked.arrivals, count, "periodic")
    sources = _for_each(named("sources"), asked.sources, count, None)
    by = _for_each("estimator", estimators, count, "auto")
    profiles = [profile] * count if isinstance(profile, Profile) else list(profile)
    feeds = []
    for place, plan in enumerate(plans):
        own_profile = with_times(profiles[place], asked.times)
        recorded = _recorded(own_profile, asked, samples)
        own = topology if sources[place] is None else topology.with_changes(source=sources[place])
        if recorded is not None:
            tables = build_problem(own, own_profile)  # the samples say who leaves where, and who is right
        else:
            fitted = samples_beside(own_profile) if samples is None and by[place] == "auto" else samples
            tables = estimated(own, own_profile, by[place], fitted)
        decision = decide_again(tables, plan)
        feeds.append(
            Feed(
                problem=tables,
                decision=decision,
                service=service_of(tables, own, own_profile, asked.times),
                rate=_quantity(named("rate"), rates[place], "rate"),
                arrivals=arrivals[place],
                frames=_frames(asked, arrivals[place]),
                recorded=recorded,
            )
        )
    return simulate_feeds(
        topology,
        feeds,
        queue=asked.queue,
        drop=asked.drop,
        seed=asked.seed,
        until_s=_quantity(named("until"), asked.until, "time"),
        logged=time_line,
    )


def _frames(asked: StreamQuestion, arrivals: str | os.PathLike[str]) -> int | None:
    if asked.frames is not None:
        return asked.frames
    return FRAMES if arrivals in ("periodic", "poisson") else None


def _for_each(name: str, values: Sequence[V] | None, count: int, default: V) -> list[V]:
    """Return a value for each plan: one of as many, or one for all.

    Raises
    ------
    QuestionError
        If there are as many as neither.
    """
    given = [default] if values is None else list(values)
    if len(given) not in (1, count):
        raise QuestionError(f"{name} is given {len(given)} times for {count} plans; give it once, or once for each")
    return given * count if len(given) == 1 else given


def _quantity(name: str, value: str | float | None, kind: str) -> float | None:
    """Return a rate or a time, which is greater than 0."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return units.parse(value, kind, positive=True)
        except ValueError as error:
            raise QuestionError(f"{name}: {error}") from None
    if not 0 < value < float("inf"):
        raise QuestionError(f"{name} is a number greater than 0, not {value:g}")
    return float(value)


def _recorded(profile: Profile, asked: StreamQuestion, samples: Samples | None) -> Recorded | None:
    """Return the samples whose exits the frames take; None where exits are drawn."""
    if asked.draw_exits or profile.exits is None:
        return None
    if samples is None and asked.split == "profile" and profile.samples_file is None:
        return None
    return Recorded.of(samples_of(profile, asked.split) if samples is None else samples, asked.split)
