"""A plan that a call names: one of an answer file, or one that a person thought of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tiercut.errors import QuestionError
from tiercut.option_fields import option

if TYPE_CHECKING:
    from tiercut.optimizer import EstimatorChoice, Plan
    from tiercut.profiling import Profile
    from tiercut.topologies import Topology

__all__ = ["OwnPlan"]

_BELONG = "--threshold, --thresholds, --exits, --codecs and --input-codec tell of a plan given by --partition"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPlan:
    """A plan as the call names it, as text; `tiercut.plan` takes the same in Python.

    Parameters
    ----------
    plan, rank
        An answer file, and which of its plans.
    partition, placement
        1-based last block of each partition, and the name of its node.
    threshold, thresholds
        One for all exits, or one for each but the last.
    exits
        1-based blocks whose branch is used.
    codecs
        Codec at each cut, or none.
    input_codec
        What encodes the input on its way to the first node, or none.
    """

    plan: Path | None = option(
        flag="", type=Path, metavar="PLAN", help="An answer, as solve --json prints it.", show_default=False
    )
    rank: int = option(1, type=int, help="Which plan of the answer.")
    partition: str | None = option(metavar="3,9,10", help="Last block of each partition.")
    placement: str | None = option(metavar="a,b,c", help="Node of each partition.")
    threshold: float | None = option(
        type=float, help="One of the profile's: a sample leaves at an exit where its entropy is below."
    )
    thresholds: str | None = option(metavar="0.3,0.5", help="One for every exit but the last, in place of --threshold.")
    exits: str | None = option(metavar="3,10", help="Blocks where samples may leave; default: every cut.")
    codecs: str | None = option(metavar="NAME,none", help="Codec at each cut; default: none anywhere.")
    input_codec: str | None = option(metavar="NAME|none", help="Codec of the input, where it is sent; default: none.")

    @property
    def is_named(self) -> bool:
        """Whether the call names a plan."""
        return self.plan is not None or self.partition is not None

    def check(self) -> None:
        """Refuse what does not go together; without a plan, `thresholds` and `exits` may belong to a question."""
        if (self.partition is None) != (self.placement is None):
            raise QuestionError(
                "--partition and --placement go together: the last block and the node of each partition"
            )
        if self.partition is not None and self.plan is not None:
            raise QuestionError("give an answer file or --partition with --placement, not both")
        shared = (self.thresholds, self.exits) if self.is_named else ()
        details = [self.threshold, self.codecs, self.input_codec, *shared]
        if self.partition is None and any(each is not None for each in details):
            raise QuestionError(_BELONG)

    @property
    def estimator(self) -> EstimatorChoice:
        """How exit rates and accuracies are known: as the answer file says, or by the best that the profile has."""
        from tiercut.analysis import load_answer

        return "auto" if self.plan is None else load_answer(self.plan).estimator_of(self.rank)

    def priced(self, topology: Topology, profile: Profile, estimator: EstimatorChoice = "auto") -> Plan:
        """Return the price of the plan by an estimator."""
        from tiercut.analysis import load_answer
        from tiercut.api import plan, problem
        from tiercut.optimizer import decide_again, price

        if self.plan is not None:
            answer, tables = load_answer(self.plan), problem(topology, profile, estimator=estimator)
            answer.warn_of_another_network(tables.profile)
            return price(tables, decide_again(tables, answer.plan(self.rank)))
        return plan(
            topology,
            profile,
            partition=_blocks("--partition", self.partition or ""),
            placement=[name.strip() for name in (self.placement or "").split(",")],
            threshold=self.threshold,
            exits=None if self.exits is None else _blocks("--exits", self.exits),
            thresholds=None if self.thresholds is None else _thresholds(self.thresholds),
            codecs=None if self.codecs is None else _codecs(self.codecs),
            input_codec=None if self.input_codec is None else _codec(self.input_codec),
            estimator=estimator,
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
    return [_codec(name) for name in names]


def _codec(name: str) -> str | None:
    return None if name.strip() == "none" else name.strip()
