"""Who answers a question, and for how long: one group for the command line and for Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from tiercut.errors import QuestionError
from tiercut.option_fields import option

if TYPE_CHECKING:
    from tiercut.profiling import SampleSplit
    from tiercut.solvers import Options, Progress

__all__ = ["Evaluation", "SolverOptions"]

Evaluation: TypeAlias = Literal["model", "replay"]

_SOLVER, _SAMPLES = "Solver", "Recorded samples"


@dataclass(frozen=True, slots=True, kw_only=True)
class SolverOptions:
    """Who answers, and what recorded samples have to do with it.

    Parameters
    ----------
    solver
        ``auto`` or the name of a solver.
    seed
        For solvers that draw random numbers.
    workers
        Threads; None: one for each core that the process may use.
    time_limit
        After which to stop with the best so far: text such as ``"5 s"``, or seconds; None: no limit.
    evaluate
        ``model``; or ``replay``: candidates of the model are chosen by what recorded samples make of them, and plans
        have the figures of the samples (see `Answer.replayed`).
    split
        Which samples: ``profile`` or ``test``.
    certify
        With which confidence the accuracy of the plans is to be certified on samples that had no part in choosing them:
        a number such as 0.95, or text such as ``"95 %"`` (see `tiercut.analysis.certified`); None: it is not.
    """

    solver: str = option("auto", panel=_SOLVER, metavar="auto|NAME", help="Who answers.")
    seed: int = option(0, panel=_SOLVER, type=int, help="For what draws random numbers.")
    workers: int | None = option(panel=_SOLVER, type=int, least=1, help="Threads.", show_default="all")
    time_limit: str | float | None = option(
        panel=_SOLVER, metavar="TIME", help="Stop then with the best so far.", show_default=False
    )
    evaluate: Evaluation = option(
        "model",
        panel=_SAMPLES,
        metavar="model|replay",
        help="replay: candidates of the model are chosen by what recorded samples make of them.",
    )
    split: SampleSplit = option("profile", panel=_SAMPLES, metavar="profile|test", help="Which samples.")
    certify: str | float | None = option(
        panel=_SAMPLES,
        metavar="SHARE",
        help="Confidence, such as 95%, in the accuracy of plans on samples that did not choose them.",
    )

    def options(self, progress: Progress | None = None, named: Callable[[str], str] = str) -> Options:
        """Return what every solver takes.

        Parameters
        ----------
        progress
            Callback for the work done and the work in all.
        named
            What to call a field in a message; commands name its flag.

        Raises
        ------
        QuestionError
            If the time limit cannot be read.
        """
        from tiercut.solvers import Options

        return Options(
            seed=self.seed, workers=self.workers, time_limit_s=self._limit(named("time_limit")), progress=progress
        )

    def confidence(self, name: str = "certify") -> float | None:
        """Return the confidence of certificates as a number; None where none are asked for.

        Raises
        ------
        QuestionError
            If it cannot be read, or is not between 0 and 1.
        """
        from tiercut import units

        said, value = self.certify, self.certify
        if isinstance(said, str):
            try:
                value = units.parse(said, "share") if "%" in said else float(said)
            except ValueError:
                raise QuestionError(f"{name}: a confidence is a share such as '95 %' or 0.95, not '{said}'") from None
        assert not isinstance(value, str)
        if value is not None and not 0 < value < 1:
            raise QuestionError(f"{name}: a confidence lies between 0 and 1, such as 95 %, not {value:g}")
        return value

    def _limit(self, name: str) -> float | None:
        from tiercut import units

        if not isinstance(self.time_limit, str):
            return self.time_limit
        try:
            return units.parse(self.time_limit, "time")
        except ValueError as error:
            raise QuestionError(f"{name}: {error}") from None
