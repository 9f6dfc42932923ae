"""NSGA-II by pymoo, on walks: generations of plans that cross, change, climb a little, and compete.

What is pymoo's: selection by rank and crowding, the comparison that puts violations first, the course of generations.
What is ours: walks to begin with, a crossover that joins the beginning of one plan to the end of another, and a
mutation that tries some moves and takes what is no worse by a weighting of its own (which makes the algorithm a memetic
one). All three, and the scores, treat a whole population at once (`tiercut.solvers.heuristics.anneal_kernels`).
"""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.errors import QuestionError
from tiercut.optimizer.query import Query
from tiercut.solvers.heuristics import anneal_kernels, move_kernels
from tiercut.solvers.heuristics.candidates import Walks, outcome_of, states
from tiercut.solvers.interface import Options, Outcome
from tiercut.solvers.warm_up import tiny_space

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer.space import Space

    Ints = NDArray[np.int64]

__all__ = ["TRIALS", "Course", "generations_for", "solve"]

_PEOPLE = 200
_FEW = 40  # plans in a generation where the space is small
_SMALL = 20_000  # decisions of a space that is small
_MOST_PLAIN = 10_000  # walks in one part that are tried to begin with
_LEAST, _MOST = 5, 250  # generations
_EACH = 200  # decisions for which there is one generation
TRIALS = 32
"""Moves that a child tries."""
_GAIN = 1e-6  # what accuracy counts beside cost, or cost beside accuracy, where one alone is asked for
_TIRED = 2  # times that pairs are asked for children that differ from all others
_QUIET_S = 0.1


def generations_for(space: Space) -> int:
    """Return how many generations there are unless it is said otherwise: few for a small space."""
    return int(min(max(_LEAST, space.decisions // _EACH), _MOST))


def solve(space: Space, query: Query, options: Options, generations: int | None = None) -> Outcome:
    """Return good plans; nothing proves them the best.

    Parameters
    ----------
    space
        The decisions that count; any.
    query
        Objective, bounds and kind of answer.
    options
        Seed, time limit, progress.
    generations
        How many there are; the same number and seed give the same answer. By default `generations_for` the space.

    Returns
    -------
    Outcome
        ``feasible`` always, without decisions where no plan was found that holds the bounds.

    Raises
    ------
    QuestionError
        If pymoo is not installed.
    """
    _load()
    if query.many:
        from tiercut.solvers.heuristics.nsga2_front import PointsCourse, load_points

        load_points()
    began = time.perf_counter()
    course = PointsCourse(Walks(space, query), query, options) if query.many else Course(Walks(space, query), options)
    finished = course.run(generations_for(space) if generations is None else generations, began)
    reason = "a heuristic came to its end" if finished else "stopped before the end"
    return course.outcome(time.perf_counter() - began, reason)


@cache
def _load() -> None:
    """Import pymoo, and compile the kernels or read them from the disk; what is measured begins after it."""
    try:
        from pymoo.config import Config
    except ImportError as error:
        raise QuestionError(
            "solver 'nsga2' needs pymoo, which is not installed: pip install 'tiercut[heuristics]'; "
            "'annealing' needs nothing more"
        ) from error
    Config.warnings["not_compiled"] = False
    for query in (Query(kind="frontier"), Query(kind="rank")):
        Course(Walks(tiny_space(), query), Options()).run(2, time.perf_counter())


class Course:
    """One question under way: what has been kept, and the callbacks that pymoo's operators make of the kernels."""

    def __init__(self, walks: Walks, options: Options) -> None:
        self.walks, self.options = walks, options
        self.state = states(options.seed, 1)[0]
        self.kept = walks.kept()
        self.scored = 0
        self.people = _FEW if walks.space.decisions < _SMALL else _PEOPLE

    def run(self, generations: int, began: float) -> bool:
        """Let generations follow each other; return whether all of them were there."""
        options, told = self.options, began
        try:
            algorithm = _algorithm(self)
            for done in range(generations):
                now = time.perf_counter()
                if options.time_limit_s is not None and now > began + options.time_limit_s:
                    return False
                if options.progress is not None and now > told + _QUIET_S:
                    told = now
                    options.progress(done, generations)
                algorithm.next()
                if not algorithm.has_next():  # a small space, of which nothing new is left to try
                    return True
        except KeyboardInterrupt:
            return False
        return True

    @property
    def objectives(self) -> int:
        """How many numbers `score` returns for each walk."""
        return 1 + self.walks.front

    def outcome(self, seconds: float, reason: str) -> Outcome:
        """Return what was found."""
        return outcome_of("nsga2", self.walks, [self.kept], seconds, self.scored, reason)

    def begin(self, count: int) -> Ints:
        """Return the first generation: plain walks and random ones, all a little improved.

        All plain walks are scored, and for the best plan the best of them are taken: of a crowd of nodes most are no
        use, and chance would take long to find those that are.
        """
        rows = self.walks.rows(count, self.state)
        many = min(self.walks.plain, _MOST_PLAIN)
        plain = self.walks.rows(2 * many, self.state)[:many]
        goals, missed = self.score(plain)
        if not self.walks.front:
            best = np.lexsort((goals[:, 0], missed[:, 0]))[: count // 2]
            rows[: len(best)] = plain[best]
        return self.improve(rows)

    def improve(self, rows: Ints) -> Ints:
        """Return walks changed by moves, for the better where they could be."""
        made = np.array(rows, np.int64, order="C")
        kept = self.kept
        known = (kept.costs, kept.accuracies, kept.count)
        improve_rows: Any = anneal_kernels.improve_rows
        improve_rows(made, self.walks.ground, self.state, TRIALS, *self.walks.goal, *known)
        self.scored += len(made) * TRIALS
        return made

    def cross(self, mothers: Ints, fathers: Ints) -> Ints:
        """Return two children of each pair."""
        made = np.empty((2 * len(mothers), self.walks.width), np.int64)
        pairs = (np.array(each, np.int64, order="C") for each in (mothers, fathers))
        cross_rows: Any = move_kernels.cross_rows
        cross_rows(*pairs, made, self.walks.ground, self.state)
        return made

    def score(self, rows: Ints) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Keep what is good among walks, and return what is to be made less, and by how much bounds are missed."""
        rows = np.array(rows, np.int64, order="C")
        costs, accuracies, violations = scores = self.walks.scores(rows)
        self.walks.keep(rows, scores, self.kept)
        self.scored += len(rows)
        if self.walks.front:
            return np.stack([costs, -accuracies], axis=1), violations[:, None]
        wide, high = self.walks.ground.limits[1, [0, -1]]
        c, a = (_GAIN, 1.0) if self.walks.by_accuracy else (1.0, _GAIN)
        return (c / wide * costs - a / high * accuracies)[:, None], violations[:, None]


def _algorithm(course: Course) -> Any:
    """Return pymoo's NSGA-II with operators that work on walks."""
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.crossover import Crossover
    from pymoo.core.duplicate import DuplicateElimination
    from pymoo.core.mutation import Mutation
    from pymoo.core.problem import Problem
    from pymoo.core.sampling import Sampling
    from pymoo.core.termination import NoTermination
    from pymoo.operators.selection.tournament import TournamentSelection

    walks = course.walks

    class Task(Problem):  # type: ignore[misc]
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
            known = set() if other is None else {key.tobytes() for key in _keys(walks, other)}
            for k, key in enumerate(_keys(walks, pop)):
                text = key.tobytes()
                is_duplicate[k] = text in known
                known.add(text)
            return is_duplicate

    algorithm = NSGA2(
        pop_size=course.people,
        sampling=Beginning(),
        selection=TournamentSelection(func_comp=_fitter),
        crossover=Crossing(2, 2),
        mutation=Climbing(),
        eliminate_duplicates=Same(),
    )
    algorithm.mating.n_max_iterations = _TIRED
    task = Task(n_var=walks.width, n_obj=course.objectives, n_ieq_constr=1, vtype=int)
    algorithm.setup(task, termination=NoTermination(), seed=int(course.options.seed) % 2**32, verbose=False)
    return algorithm


def _fitter(population: Any, pairs: Ints, **_: Any) -> Ints:
    """Return of each pair who violates less, then is of lower rank, then stands freer (Deb's crowded comparison)."""
    missed = population.get("CV")[:, 0]
    rank = np.nan_to_num(np.array(population.get("rank"), float), nan=np.inf)  # what violates has none
    crowding = np.nan_to_num(np.array(population.get("crowding"), float))
    place = np.empty(len(missed), np.int64)
    place[np.lexsort((-crowding, rank, missed))] = np.arange(len(missed))
    return np.asarray(np.where(place[pairs[:, 0]] <= place[pairs[:, 1]], pairs[:, 0], pairs[:, 1])[:, None])


def _keys(walks: Walks, population: Any) -> Ints:
    return walks.keys(np.array(population.get("X"), np.int64, order="C"))
