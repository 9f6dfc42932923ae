"""NSGA-II by pymoo, on candidates: generations of plans that cross, change, climb a little, and compete.

What is pymoo's: selection by rank and crowding, the comparison that puts violations first, the course of generations.
What is ours: candidates to begin with, a crossover that joins the beginning of one plan to the end of another, and a
mutation that tries some moves and takes what is no worse by a weighting of its own (which makes the algorithm a memetic
one). All three, and the scores, treat a whole population at once (`tiercut.solvers.heuristics.anneal_kernels`).
"""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.clock import seconds_left
from tiercut.errors import QuestionError
from tiercut.solvers.base import BaseSolver, Found
from tiercut.solvers.heuristics import anneal_kernels, move_kernels
from tiercut.solvers.heuristics.candidates import Candidates, found_by, random_states
from tiercut.solvers.interface import Options
from tiercut.solvers.parallel import Ending
from tiercut.solvers.warm_up import tiny_tasks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer import Decision, Space
    from tiercut.solvers.task import Goals, Task

    Ints = NDArray[np.int64]

__all__ = ["TRIALS", "Course", "Nsga2", "generations_for"]

_POPULATION = 200
_FEW = 40  # plans in a generation where the space is small
_SMALL = 20_000  # decisions of a space that is small
_MOST_PLAIN = 10_000  # candidates in one part that are tried to begin with
_LEAST, _MOST = 5, 250  # generations
_EACH = 200  # decisions for which there is one generation
TRIALS = 32
"""Moves that a child tries."""
_GAIN = 1e-6  # what accuracy counts beside cost, or cost beside accuracy, where one alone is wanted
_FRUITLESS = 2  # times that parents are crossed for children that differ from all others
_QUIET_S = 0.1


def generations_for(space: Space) -> int:
    """Return how many generations there are unless it is said otherwise: few for a small space."""
    return int(min(max(_LEAST, space.decisions // _EACH), _MOST))


class Nsga2(BaseSolver):
    """Good plans; nothing proves them the best. Needs pymoo.

    Parameters
    ----------
    generations
        How many there are; the same number and seed give the same answer. By default `generations_for` the space.
    """

    name = "nsga2"
    exact = False
    about = "good plans by generations; needs pymoo"
    features = frozenset(
        (
            "frontier",
            "rank",
            "free",
            "per-exit",
            "codec",
            "constraints",
            "bounded-rank",
            "whole",
            "once",
            "many",
            "leavers",
        )
    )

    def __init__(self, generations: int | None = None) -> None:
        self.generations = generations

    def _load(self, task: Task) -> None:
        _check_pymoo()
        _load_kernels(task.goals is not None)

    def _search(self, task: Task, options: Options) -> Found:
        return _found(task, options, generations_for(task.space) if self.generations is None else self.generations)


@cache
def _load_kernels(several: bool) -> None:
    for task in tiny_tasks("many" if several else "plain"):
        _found(task, Options(), 2)


def _found(task: Task, options: Options, generations: int) -> Found:
    course = Course(task, options) if task.goals is None else _points_course(task, task.goals, options)
    ending = course.run(generations)
    return found_by(course.decisions(), course.scored, ending)


def _points_course(task: Task, goals: Goals, options: Options) -> Course:
    from tiercut.solvers.heuristics.nsga2_front import PointsCourse

    return PointsCourse(task, goals, options)


def _check_pymoo() -> None:
    try:
        from pymoo.config import Config
    except ImportError as error:
        raise QuestionError(
            "solver 'nsga2' needs pymoo, which is not installed: pip install 'tiercut[heuristics]'; "
            "'annealing' needs nothing more"
        ) from error
    Config.warnings["not_compiled"] = False


class Course:
    """One search: what has been kept, and the callbacks that pymoo's operators make of the kernels."""

    def __init__(self, task: Task, options: Options) -> None:
        self.candidates, self.options = Candidates(task), options
        self.state = random_states(options.seed, 1)[0]
        self.kept = self.candidates.kept()
        self.scored = 0
        self.population = _FEW if task.space.decisions < _SMALL else _POPULATION

    def run(self, generations: int) -> Ending:
        """Let generations follow each other; return whether all of them were there, or why not."""
        options, shown = self.options, time.perf_counter()
        try:
            algorithm = _algorithm(self)
            for done in range(generations):
                now = time.perf_counter()
                if seconds_left() <= 0:
                    return Ending.STOPPED
                if done and options.progress is not None and now > shown + _QUIET_S:
                    shown = now
                    options.progress(done, generations)
                algorithm.next()
                if not algorithm.has_next():  # a small space, of which nothing new is left to try
                    break
        except KeyboardInterrupt:
            return Ending.INTERRUPTED
        return Ending.DONE

    @property
    def objectives(self) -> int:
        """How many numbers `score` returns for each candidate."""
        return 1 + self.candidates.front

    def decisions(self) -> tuple[Decision, ...]:
        """Return what was found, in order."""
        return self.candidates.decisions([self.kept])

    def begin(self, count: int) -> Ints:
        """Return the first generation: plain candidates and random ones, all a little improved.

        All plain candidates are scored, and for the best plan the best of them are taken: of many nodes most are no
        use, and chance would take long to find those that are.
        """
        rows = self.candidates.rows(count, self.state)
        many = min(self.candidates.plain, _MOST_PLAIN)
        plain = self.candidates.rows(2 * many, self.state)[:many]
        goals, missed = self.score(plain)
        if not self.candidates.front:
            best = np.lexsort((goals[:, 0], missed[:, 0]))[: count // 2]
            rows[: len(best)] = plain[best]
        return self.improve(rows)

    def improve(self, rows: Ints) -> Ints:
        """Return candidates changed by moves, for the better where they could be."""
        improved = np.array(rows, np.int64, order="C")
        goal, kept = self.candidates.goal, self.kept.held_at
        anneal_kernels.improve_rows(improved, self.candidates.tables, self.state, TRIALS, *goal, kept)
        self.scored += len(improved) * TRIALS
        return improved

    def cross(self, firsts: Ints, seconds: Ints) -> Ints:
        """Return two children of each pair."""
        children = np.empty((2 * len(firsts), self.candidates.width), np.int64)
        first, second = (np.array(each, np.int64, order="C") for each in (firsts, seconds))
        move_kernels.cross_rows(first, second, children, self.candidates.tables, self.state)
        return children

    def score(self, rows: Ints) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Keep what is good among candidates, and return what is minimised, and by how much bounds are missed."""
        rows = np.array(rows, np.int64, order="C")
        costs, accuracies, violations = scores = self.candidates.scores(rows)
        self.candidates.keep(rows, scores, self.kept)
        self.scored += len(rows)
        if self.candidates.front:
            return np.stack([costs, -accuracies], axis=1), violations[:, None]
        wide, high = self.candidates.tables.limits[1, [0, -1]]
        c, a = (_GAIN, 1.0) if self.candidates.by_accuracy else (1.0, _GAIN)
        return (c / wide * costs - a / high * accuracies)[:, None], violations[:, None]


def _algorithm(course: Course) -> Any:
    """Return pymoo's NSGA-II with operators that work on candidates."""
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.crossover import Crossover
    from pymoo.core.duplicate import DuplicateElimination
    from pymoo.core.mutation import Mutation
    from pymoo.core.problem import Problem
    from pymoo.core.sampling import Sampling
    from pymoo.core.termination import NoTermination
    from pymoo.operators.selection.tournament import TournamentSelection

    candidates = course.candidates

    class Scores(Problem):  # type: ignore[misc]
        def _evaluate(self, x: Ints, out: dict[str, Any], *_: Any, **__: Any) -> None:
            out["F"], out["G"] = course.score(x)

    class Beginning(Sampling):  # type: ignore[misc]
        def _do(self, _: Any, n_samples: int, *__: Any, **___: Any) -> Ints:
            return course.begin(n_samples)

    class Crossing(Crossover):  # type: ignore[misc]
        def _do(self, _: Any, x: Ints, *__: Any, **___: Any) -> Ints:
            return course.cross(x[0], x[1]).reshape(x.shape)

    class Climbing(Mutation):  # type: ignore[misc]
        def _do(self, _: Any, x: Ints, *__: Any, **___: Any) -> Ints:
            return course.improve(x)

    class Same(DuplicateElimination):  # type: ignore[misc]
        def _do(self, pop: Any, other: Any, is_duplicate: NDArray[np.bool_]) -> NDArray[np.bool_]:
            known = set() if other is None else {key.tobytes() for key in _keys(candidates, other)}
            for k, key in enumerate(_keys(candidates, pop)):
                text = key.tobytes()
                is_duplicate[k] = text in known
                known.add(text)
            return is_duplicate

    algorithm = NSGA2(
        pop_size=course.population,
        sampling=Beginning(),
        selection=TournamentSelection(func_comp=_fitter),
        crossover=Crossing(2, 2),
        mutation=Climbing(),
        eliminate_duplicates=Same(),
    )
    algorithm.mating.n_max_iterations = _FRUITLESS
    scores = Scores(n_var=candidates.width, n_obj=course.objectives, n_ieq_constr=1, vtype=int)
    algorithm.setup(scores, termination=NoTermination(), seed=int(course.options.seed) % 2**32, verbose=False)
    return algorithm


def _fitter(population: Any, pairs: Ints, **_: Any) -> Ints:
    """Return of each pair who violates less, then is of lower rank, then stands freer (Deb's crowded comparison)."""
    missed = population.get("CV")[:, 0]
    rank = np.nan_to_num(np.array(population.get("rank"), float), nan=np.inf)  # what violates has none
    crowding = np.nan_to_num(np.array(population.get("crowding"), float))
    place = np.empty(len(missed), np.int64)
    place[np.lexsort((-crowding, rank, missed))] = np.arange(len(missed))
    return np.asarray(np.where(place[pairs[:, 0]] <= place[pairs[:, 1]], pairs[:, 0], pairs[:, 1])[:, None])


def _keys(candidates: Candidates, population: Any) -> Ints:
    return candidates.keys(np.array(population.get("X"), np.int64, order="C"))
