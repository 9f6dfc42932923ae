"""The options that name a plan: one of an answer file, or one that a person thought of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from tiercut.errors import QuestionError

if TYPE_CHECKING:
    from tiercut.optimizer.plan import Plan
    from tiercut.optimizer.problem import Estimator
    from tiercut.profiling.profile.schema import Profile
    from tiercut.topologies.schema import Topology

__all__ = ["Codecs", "File", "Own", "Partition", "Placement", "Rank", "Threshold"]

File = Annotated[
    Path | None, typer.Argument(metavar="[PLAN]", help="An answer, as solve --json prints it.", show_default=False)
]
Rank = Annotated[int, typer.Option(help="Which plan of the answer.")]
Partition = Annotated[str | None, typer.Option(metavar="3,9,10", help="Last block of each partition.")]
Placement = Annotated[str | None, typer.Option(metavar="a,b,c", help="Node of each partition.")]
Threshold = Annotated[float | None, typer.Option(help="One of the profile's thresholds.")]
Codecs = Annotated[str | None, typer.Option(metavar="NAME,none", help="Codec at each cut; default: none anywhere.")]

_BELONG = "--threshold, --thresholds, --exits and --codecs tell of a plan given by --partition"


class Own(NamedTuple):
    """A plan as the call names it."""

    file: Path | None
    rank: int
    partition: str | None
    placement: str | None
    threshold: float | None
    thresholds: str | None
    exits: str | None
    codecs: str | None

    def check(self, *, alone: bool) -> None:
        """Refuse what does not go together.

        Parameters
        ----------
        alone
            Whether the call names a plan; else `thresholds` and `exits` may belong to a question.
        """
        if (self.partition is None) != (self.placement is None):
            raise QuestionError(
                "--partition and --placement go together: the last block and the node of each partition"
            )
        if self.partition is not None and self.file is not None:
            raise QuestionError("give an answer file or --partition with --placement, not both")
        details = [self.threshold, self.codecs, *((self.thresholds, self.exits) if alone else ())]
        if self.partition is None and any(each is not None for each in details):
            raise QuestionError(_BELONG)

    @property
    def estimator(self) -> Estimator:
        """How exit rates and accuracies are known: as the answer file says, or by the model's formula."""
        from tiercut.analysis.answers.answer_file import load_answer

        return "marginal" if self.file is None else load_answer(self.file).estimator

    def priced(self, topology: Topology, profile: Profile, estimator: Estimator = "marginal") -> Plan:
        """Return the price of the plan, by an estimator where it comes from a file."""
        from tiercut.analysis.answers.answer_file import load_answer
        from tiercut.api import plan, problem
        from tiercut.optimizer.own_plan import decide_again
        from tiercut.optimizer.pricing import price

        if self.file is not None:
            tables = problem(topology, profile, estimator=estimator)
            return price(tables, decide_again(tables, load_answer(self.file).plan(self.rank)))
        return plan(
            topology,
            profile,
            partition=_blocks("--partition", self.partition or ""),
            placement=[name.strip() for name in (self.placement or "").split(",")],
            threshold=self.threshold,
            exits=None if self.exits is None else _blocks("--exits", self.exits),
            thresholds=None if self.thresholds is None else _thresholds(self.thresholds),
            codecs=None if self.codecs is None else _codecs(self.codecs),
        )


def _blocks(option: str, text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise QuestionError(f"{option} is a list of block numbers such as 3,9,10, not '{text}'") from None


def _thresholds(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")] if text.strip() else []
    except ValueError:
        raise QuestionError(f"--thresholds is a list of numbers such as 0.3,0.5, not '{text}'") from None


def _codecs(text: str) -> list[str | None]:
    names = [part.strip() for part in text.split(",")] if text.strip() else []
    return [None if name == "none" else name for name in names]
