"""The solvers by name, and what each supports, as data; a solver's module is imported when it is first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from tiercut.errors import QuestionError, unknown_name

if TYPE_CHECKING:
    from tiercut.optimizer.outcome import Outcome
    from tiercut.optimizer.query import Query
    from tiercut.optimizer.space import Space
    from tiercut.solvers.options import Options

__all__ = ["SOLVERS", "Solver", "find"]


@dataclass(frozen=True, slots=True)
class Solver:
    """A solver and what it can be asked.

    Parameters
    ----------
    name
        As in ``--solver``.
    module
        Where its ``solve(space, query, options)`` stands.
    exact
        Whether it proves what it says.
    about
        One line for people.
    """

    name: str
    module: str
    exact: bool
    about: str

    def solve(self, space: Space, query: Query, options: Options) -> Outcome:
        """Answer a question."""
        run: Callable[[Space, Query, Options], Outcome] = import_module(self.module).solve
        return run(space, query, options)


SOLVERS: Mapping[str, Solver] = MappingProxyType(
    {
        "labels": Solver("labels", "tiercut.solvers.labels", True, "grows only what a relaxed bound lets through"),
        "exhaustive": Solver("exhaustive", "tiercut.solvers.exhaustive", True, "scores every decision"),
    }
)


def find(name: str) -> Solver:
    """Return the solver of a name; ``auto`` picks one.

    Raises
    ------
    QuestionError
        If there is none of that name.
    """
    if name == "auto":
        return SOLVERS["exhaustive"]
    if name not in SOLVERS:
        raise QuestionError(unknown_name("solver", name, ("auto", *SOLVERS)))
    return SOLVERS[name]
