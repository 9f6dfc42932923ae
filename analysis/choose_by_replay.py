"""Plans chosen again by what recorded samples make of them: candidates of the model, replayed."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from tiercut import units
from tiercut.analysis.distinct import distinct_ranking, treatment
from tiercut.analysis.infeasible import why_none
from tiercut.analysis.replay import Replay, replay_decisions
from tiercut.clock import seconds_left
from tiercut.optimizer import (
    Constraint,
    Recorded,
    constraints_of,
    evaluate,
    evaluate_tables,
    front_of,
    price,
    with_estimator,
)
from tiercut.solvers import make_task, registry
from tiercut.stages import stage

if TYPE_CHECKING:
    from tiercut.analysis.answers.answer import Answer
    from tiercut.optimizer import Decision, Plan, Problem, Query, Space
    from tiercut.profiling import Samples, SampleSplit
    from tiercut.solvers import Options, Status
    from tiercut.stages import Step

__all__ = ["MARGIN", "ReplayChoice", "candidates", "choose", "chosen_by_replay"]

MARGIN = 0.05
"""By how much a candidate may miss a bound, and be less accurate than the model's frontier, in the model's eyes."""

_TOP = 100  # candidates for each floor of accuracy
_FLOORS = 48  # floors at most, evenly spread along the model's frontier

_BATCH = 200  # candidates replayed between two looks at the clock

_ORIGINS = 10
"""With a threshold for each exit: how many of the best candidates have what lies beside them replayed too."""
_MOST_BESIDE = 20_000
"""How many plans that lie beside candidates are replayed at most, in about four seconds."""

_EVERY = "every decision is replayed"
"""Why another solver answers than the one that the question named."""

_ALL_REPLAYED = 2_000_000  # decisions that replay tries all, in about a second


@dataclass(frozen=True, slots=True, eq=False)
class ReplayChoice:
    """The plans of an answer that were chosen by replay.

    Parameters
    ----------
    problem
        The tables, by which the recorded samples say who leaves where.
    plans
        In order, each with what the samples make of it and what the model says.
    modelled
        The plans that the model would have chosen, as they are replayed.
    candidates
        How many plans were replayed.
    proved
        Whether these are all there are, so that no plan is better for these samples.
    message
        Where there are candidates but no plans: what comes nearest to the bounds.
    native
        The best candidate on one machine that keeps the bounds; None where there is none.
    """

    problem: Problem
    plans: tuple[Replay, ...]
    modelled: tuple[Replay, ...]
    candidates: int
    proved: bool
    message: str = ""
    native: Replay | None = None

    @property
    def guarantee(self) -> str:
        """What is proved, and what is not."""
        if self.proved:
            return f"all {self.candidates:,} decisions were replayed: for these samples nothing is better"
        return (
            f"figures are exact for these samples, and of {self.candidates:,} candidates none is better; these are the "
            f"best by estimates, down to {100 * MARGIN:g} points below the frontier, so a better plan may lie beyond"
        )

    def to_data(self) -> dict[str, Any]:
        """Return what stands in an answer beside its plans: both figures of each, and the model's plans replayed."""
        shown = (*self.plans, *self.modelled)
        return {
            "evaluation": {
                "by": "replay",
                "split": shown[0].split if shown else None,
                "samples": shown[0].samples if shown else None,
                "candidates": self.candidates,
                "guarantee": self.guarantee,
                "plans": [_both(each) for each in self.plans],
                "model_plans": [_both(each) for each in self.modelled],
            }
        }


def _both(replay: Replay) -> dict[str, Any]:
    low, high = replay.accuracy_interval()
    return {
        "plan": str(replay.replayed),
        "replay": _figures(replay.replayed) | {"accuracy_low": low, "accuracy_high": high},
        "model": _figures(replay.model),
    }


def _figures(plan: Plan) -> dict[str, float | None]:
    return {"latency_s": plan.latency_s, "accuracy": plan.accuracy}


def choose(
    space: Space, query: Query, own: Sequence[Decision], others: Iterable[Decision], recorded: Recorded, proved: int = 0
) -> ReplayChoice:
    """Choose the plans of a question by what recorded samples make of them.

    Parameters
    ----------
    space, query
        What is asked.
    own
        The model's answer.
    others
        More candidates (see `candidates`), or the answer itself where every decision was replayed.
    recorded
        The samples.
    proved
        How many decisions were replayed where that is all of them, else 0.
    """
    judge, replayed = _Judge(space, query, recorded), _Replayed(space, recorded)
    replayed.take(own)  # whatever the clock says, and all of them where the answer is a proof
    waiting = iter(others)
    while batch := list(islice(waiting, _BATCH)):  # what has been found by the time that it is up is replayed
        replayed.take(batch)
        if not proved and seconds_left() <= 0:
            break
    if space.per_exit and not proved:
        _look_beside(space, judge, replayed)
    replays = replayed.replays
    kept = [each for each in replays if judge.misses(each) == 0]
    message = "" if kept or not replays or proved else judge.nearest(replays)
    chosen, modelled = tuple(judge.chosen(kept)), tuple(replays[: len(own)])
    native = min((each for each in kept if len(each.replayed.partition) == 1), key=judge.order, default=None)
    return ReplayChoice(judge.problem, chosen, modelled, proved or len(replays), bool(proved), message, native)


class _Replayed:
    """Decisions replayed, each once, in the order in which they came."""

    def __init__(self, space: Space, recorded: Recorded) -> None:
        self.problem, self.recorded = space.problem, recorded
        self.found: dict[Decision, Replay] = {}

    def take(self, decisions: Iterable[Decision]) -> None:
        """Replay what was not replayed before."""
        fresh = [each for each in dict.fromkeys(decisions) if each not in self.found]
        self.found |= zip(fresh, replay_decisions(self.problem, fresh, self.recorded), strict=True)

    @property
    def replays(self) -> list[Replay]:
        return list(self.found.values())


def _look_beside(space: Space, judge: _Judge, replayed: _Replayed) -> None:
    """Replay what lies beside the best, and beside what is better then, until nothing is, or there is no time."""
    origins: set[Decision] = set()
    most = len(replayed.found) + _MOST_BESIDE
    while True:
        best = [each.replayed.decision for each in judge.best(replayed.replays, _ORIGINS)]
        fresh = [each for each in best if each not in origins]
        if not fresh:
            return
        for origin in fresh:
            if seconds_left() <= 0 or len(replayed.found) >= most:
                return
            replayed.take(beside(space, origin))
            origins.add(origin)


def beside(space: Space, decision: Decision) -> Iterator[Decision]:
    """Yield what differs from a decision by one threshold, or with exits anywhere by one exit."""
    exits, thresholds = decision.exits, decision.thresholds or ()
    all_thresholds = range(len(space.problem.thresholds))

    def other(exits: tuple[int, ...], thresholds: tuple[int, ...]) -> Decision:
        return replace(decision, exits=exits, threshold=None, thresholds=thresholds or None)

    for place in range(len(exits) - 1):
        for index in all_thresholds:
            if index != thresholds[place]:
                yield other(exits, (*thresholds[:place], index, *thresholds[place + 1 :]))
    if space.exits != "free":
        return
    for place in range(len(exits) - 1):
        yield other(exits[:place] + exits[place + 1 :], thresholds[:place] + thresholds[place + 1 :])
    branches = (block + 1 for block in range(exits[-1] - 1) if space.problem.branch[block])
    for block in branches:
        if block not in exits:
            place = bisect(exits, block)
            for index in all_thresholds:
                yield other((*exits[:place], block, *exits[place:]), (*thresholds[:place], index, *thresholds[place:]))


def candidates(
    space: Space, query: Query, ask: Callable[[Query], Sequence[Decision]], step: Step = lambda *_: None
) -> Iterator[Decision]:
    """Yield plans that may be good once they are replayed.

    Parameters
    ----------
    space, query
        What is asked; the problem of the space says by which estimator plans are priced.
    ask
        Answers other questions about the same space.
    step
        Told how many of the questions are answered.

    Notes
    -----
    They are the frontier under bounds that are looser by `MARGIN`, and for floors along that frontier, lowered by
    `MARGIN`, the quickest (or cheapest) plans of each; floors near to the accuracy asked for come first. With a
    threshold for each exit the quickest plans of a floor are one plan with many thresholds, and dear to find, so that
    what lies beside the frontier's plans (`beside`) takes their place.
    """
    loose = _loosened(query)
    front = ask(replace(loose, kind="frontier", objective=query.additive, over=()))
    yield from front
    if query.many:
        yield from ask(loose)
    if space.per_exit:
        return
    reached = {round(price(space.problem, decision).accuracy or 0.0, 6) for decision in front}
    floors = sorted({max(accuracy - MARGIN, loose.min_accuracy or 0.0) for accuracy in reached})
    stride = max(len(floors) / _FLOORS, 1.0)
    chosen = [floors[int(place * stride)] for place in range(min(len(floors), _FLOORS))]
    for done, floor in enumerate(sorted(chosen, key=lambda floor: abs(floor - (query.min_accuracy or 0.0)))):
        step(done, len(chosen))
        yield from ask(replace(loose, kind="rank", objective=query.additive, over=(), top=_TOP, min_accuracy=floor))


def _loosened(query: Query) -> Query:
    """Return the question with bounds that are looser by the margin."""
    return replace(
        query,
        min_accuracy=None if query.min_accuracy is None else max(query.min_accuracy - MARGIN, 0.0),
        max_latency_s=None if query.max_latency_s is None else query.max_latency_s * (1 + MARGIN),
        bounds=tuple(bound.loosened(MARGIN) for bound in query.bounds),
        max_utilisation=None if query.max_utilisation is None else query.max_utilisation * (1 + MARGIN),
    )


class _Judge:
    """The question, asked of replays."""

    def __init__(self, space: Space, query: Query, recorded: Recorded) -> None:
        self.query = query
        self.problem = replace(space.problem, recorded=recorded)
        self.constraints = constraints_of(replace(space, problem=self.problem), query)

    def misses(self, replay: Replay) -> int:
        """Return how many bounds the samples do not keep."""
        query, replayed = self.query, replay.replayed
        late = query.additive == "latency" and replayed.latency_s > query.latency_cap
        wrong = replay.accuracy < query.accuracy_floor
        beyond = [self.value(replay, each) > each.cap for each in self.constraints]
        return int(late) + int(wrong) + sum(beyond)

    def best(self, replays: Sequence[Replay], count: int) -> list[Replay]:
        """Return what comes nearest to an answer: those that keep all bounds, the best first, or miss them the least.

        Of a frontier that are all of its plans.
        """
        kept = [each for each in replays if self.misses(each) == 0]
        if self.query.kind == "frontier" and kept:
            return self.chosen(kept)
        if kept:
            return sorted(kept, key=self.order)[: max(count, self.query.top)]
        floor = self.query.accuracy_floor
        return sorted(replays, key=lambda each: (self.misses(each), floor - each.accuracy, self.cost(each)))[:count]

    def order(self, replay: Replay) -> tuple[Any, ...]:
        """Return what says which of two plans is better."""
        plan = replay.replayed
        goal = -replay.accuracy if self.query.objective == "accuracy" else self.cost(replay)
        return goal, plan.latency_s, -replay.accuracy, plan.decision.order

    def value(self, replay: Replay, constraint: Constraint) -> float:
        return evaluate_tables(self.problem, replay.replayed.decision, constraint.measure)

    def cost(self, replay: Replay) -> float:
        """Return what is minimised or traded against accuracy."""
        return evaluate(self.problem, replay.replayed.decision, self.query.additive, self.query.rate_fps)

    def chosen(self, kept: Sequence[Replay]) -> list[Replay]:
        """Return the frontier, or the best in order."""
        if self.query.kind == "frontier":
            replays = {id(each.replayed): each for each in kept}
            front = front_of(self.problem, self.query, [each.replayed for each in kept])
            return [replays[id(plan)] for plan in front]
        top = self.query.top if self.query.kind == "rank" else 1
        found: dict[object, Replay] = {}
        for replay in sorted(kept, key=self.order):
            own = treatment(self.problem, replay.replayed) if self.query.distinct else id(replay)
            found.setdefault(own, replay)
        return list(found.values())[:top]

    def nearest(self, replays: Sequence[Replay]) -> str:
        """Say which candidate misses the fewest bounds, and by these comes nearest to the accuracy asked for."""
        best = min(replays, key=lambda each: (self.misses(each), -each.accuracy, self.cost(each)))
        what = f"{best.replayed}: {units.format_seconds(best.replayed.latency_s)}, accuracy {best.accuracy:.6g}"
        return f"none of {len(replays):,} candidates keeps the bounds when it is replayed; nearest comes {what}"


def chosen_by_replay(
    answer: Answer, whole: Space, solver: str, options: Options, samples: Samples, split: SampleSplit
) -> Answer:
    """Choose plans by what recorded samples make of them: of all where they are few, else of candidates."""
    space, query, recorded = answer.space, answer.query, Recorded.of(samples, split)
    own = [plan.decision for plan in answer.plans]
    seen = replace(space, problem=replace(space.problem, recorded=recorded, leavers=None))
    able = registry.find("exhaustive")
    few = space.decisions <= _ALL_REPLAYED and not query.many
    if few and registry.needs(task := make_task(seen, query)) <= able.features:
        ranked = query.kind == "rank" and query.distinct
        outcome = distinct_ranking(seen, query, able, options) if ranked else able.solve(task, options)
        if outcome.status == "infeasible":
            all_seen = replace(whole, problem=seen.problem)
            return replace(answer, outcome=outcome, plans=(), message=why_none(all_seen, query, able), why=_EVERY)
        if outcome.status == "optimal":
            replayed = choose(space, query, own, outcome.decisions, recorded, space.decisions)
            chosen = tuple(each.replayed for each in replayed.plans)
            return replace(answer, outcome=outcome, plans=chosen, why=_EVERY, replayed=replayed)
    # Conditional estimates come much nearer to what samples do, so that their best are the better candidates.
    guided = not (space.per_exit or query.many) and space.estimator == "marginal"
    guided = guided and solver in ("auto", "labels", "exhaustive")
    guide = replace(space, problem=with_estimator(space.problem, "conditional", samples)) if guided else space
    if solver == "auto" and not registry.in_time(make_task(guide, query)):
        guide = space

    stopped = False
    interrupted = answer.outcome.status == "interrupted"

    def asked(query: Query) -> Sequence[Decision]:
        """Answer a question for candidates; none once time is up or the user interrupted one before."""
        nonlocal stopped, interrupted
        if stopped or interrupted or seconds_left() <= 0:
            return ()
        task = make_task(guide, query)
        found = registry.choose(task)[0] if solver == "auto" else registry.find(solver)
        outcome = found.solve(task, options)
        stopped = outcome.exact and outcome.status in ("feasible", "stopped")
        interrupted = outcome.status == "interrupted"
        return outcome.decisions

    with stage("looking for candidates, replaying them") as step:
        replayed = choose(space, query, own, candidates(guide, query, asked, step), recorded)
    plans = tuple(each.replayed for each in replayed.plans)
    status: Status = "interrupted" if interrupted else "feasible" if plans else "stopped"
    outcome = replace(answer.outcome, exact=False, status=status, reason=replayed.guarantee)
    return replace(answer, outcome=outcome, plans=plans, message=replayed.message, replayed=replayed)
