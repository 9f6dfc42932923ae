"""A question as people ask it: the keywords that flags, functions and query files share, with units as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tiercut.errors import QuestionError
from tiercut.optimizer.measures.names import objectives
from tiercut.option_fields import names, option

if TYPE_CHECKING:
    from tiercut.optimizer.problem import EstimatorChoice
    from tiercut.optimizer.query import Bound, Joint
    from tiercut.optimizer.space import Exits, Order

__all__ = ["Only", "Partitions", "QuestionOptions", "Thresholds", "block_of", "first_of"]

Thresholds = Literal["one", "per-exit"]
Only = Literal["native", "distributed"]
Partitions: TypeAlias = int | str | tuple[int | None, int | None]


def _pins(flag: str, texts: Sequence[str]) -> dict[int | str, str]:
    """Return the mapping that repeated BLOCK=PLACE write; the name of a layer may hold ``=``, a place may not."""
    pins: dict[int | str, str] = {}
    for text in texts:
        block, equals, place = (each.strip() for each in text.rpartition("="))
        if not equals or not block or not place:
            raise QuestionError(f"{flag} is written BLOCK=PLACE, such as 7=edge or 'layer conv2=edge', not '{text}'")
        try:
            last = block_of(block)
            pins[last if isinstance(last, int) else f"{_LAYER}{last}"] = place
        except ValueError as error:
            raise QuestionError(f"{flag}: {error}") from None
    return pins


def block_of(block: object) -> int | str:
    """Return the block that a person means: a number (counted from 1), or the name of the layer that ends it.

    Raises
    ------
    ValueError
        If it is neither a number nor written as ``layer NAME``.
    """
    if isinstance(block, int) and not isinstance(block, bool) and block >= 1:
        return block
    text = str(block).strip()
    if text.isascii() and text.isdigit() and int(text) >= 1:
        return int(text)
    if not text.startswith(_LAYER) or not text.removeprefix(_LAYER).strip():
        raise ValueError(f"expected the number of a block, counted from 1, or 'layer NAME', got '{text}'")
    return text.removeprefix(_LAYER).strip()


def first_of(blocks: object) -> int | str:
    """Return how many first blocks a person means, or the name of the layer that ends the last of them.

    Raises
    ------
    ValueError
        If it is neither a number, 0 or more, nor a name.
    """
    text = str(blocks).strip()
    if text.removeprefix("-").isdecimal() or isinstance(blocks, bool | float) or not text:
        if isinstance(blocks, bool | float) or not text.isdecimal():
            raise ValueError(f"expected a number of blocks, 0 or more, or the name of a layer, got {blocks!r}")
        return int(text)
    return text.removeprefix(_LAYER).strip()


def _by_comma(_: str, text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


_LAYER = "layer "
_QUESTION, _PLACEMENT = "Question", "Placement"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionOptions:
    """What every question shares; what is left out or None is not wanted.

    Parameters
    ----------
    objective
        What is minimised: ``latency``, ``bytes``, ``energy``, ``cost``, or a measure with a place such as
        ``compute:edge`` or ``link:a>b``, or a weighted sum, ``latency + 0.5 s/J * energy``; or ``accuracy``, which is
        maximised.
    over
        What a frontier is over, in place of an objective and accuracy: two or three measures, such as
        ``["latency", "accuracy", "energy"]``.
    min_accuracy
        Least accuracy, a share: a number such as 0.92, or text such as ``"92 %"``; or ``"95 % of final"``, of the
        accuracy of the whole network without early exits.
    max_loss
        In its place, what may be lost of the accuracy of the whole network: text such as ``"2 points"``, or a share
        such as 0.02.
    max_latency
        Greatest expected latency: text such as ``"80 ms"``, or seconds.
    max_p99
        Greatest latency that 99 % of the samples do not exceed (see `tiercut.optimizer.measures.tails`), written alike.
    exits
        ``cuts``, ``final`` or ``free``; by default cuts where the profile has exits, else final.
    thresholds
        ``one`` for all exits, or one ``per-exit``. A sample leaves at an exit where the entropy of its class
        probabilities, over ln(classes) so that it lies in 0..1, is below the threshold.
    codec
        ``none``, ``auto`` (what is best at each cut) or the name of a codec of the profile.
    order
        ``any`` or ``forward``; by default what the topology says.
    estimator
        How exit rates and accuracies are known: ``auto`` (the first of ``conditional``, ``nested`` and ``marginal``
        that profile and question support), ``marginal`` (the model's formula), ``conditional`` (the accuracy of
        the samples that really leave), ``nested`` (what follows for these from each branch by itself) or ``replay``
        (each recorded sample by itself).
    top
        How many plans a ranking has.
    all_decisions
        Whether a ranking counts every decision; by default plans that treat every sample alike count once.
    bounds
        On other measures: text such as ``"bytes:edge>cloud<=1 MB"``, or `Bound`.
    rate
        At which frames arrive: text such as ``"30 fps"``, or frames per second. Every node and link keeps up with it.
    max_utilisation
        Greatest share of the time that any node or link is busy at that rate: 1 by default; ``"none"``: any.
    include, exclude
        Nodes or tiers that must, or must not, run a part.
    use_all_tiers
        Whether every tier must run a part.
    only
        ``native``: the network stays in one piece; ``distributed``: it does not.
    partitions
        How many: a number, text such as ``"1-3"``, or the fewest and the most.
    pin
        Blocks, each with the node or tier that must run it: a number (1-based), or the name of the layer that ends
        the block, such as ``{7: "edge", "layer conv2": "edge"}``.
    keep_first
        Number of first blocks that must stay on the source, or the name of the layer that ends the last of them.
    ignore_memory
        Whether a node may hold more than the memory that the topology gives it.
    joint
        Of a topology with several sources: the least weighted ``mean`` of their latencies (default), the least
        ``worst`` one, or the most sources (by weight) ``served``.
    """

    objective: str | None = option(
        panel=_QUESTION,
        metavar="MEASURE",
        help=f"Minimised: {', '.join(objectives())}; or a weighted sum, 'latency + 0.5 s/J * energy'; or accuracy, "
        "maximised. Default: latency.",
    )
    over: Sequence[str] | None = option(
        panel=_QUESTION,
        metavar="MEASURES",
        help="Two or three, in place of the objective and accuracy: latency,accuracy,energy.",
        read=_by_comma,
    )
    min_accuracy: str | float | None = option(
        panel=_QUESTION, metavar="SHARE", help="Such as 0.92, '92 %' or '95 % of final'."
    )
    max_loss: str | float | None = option(
        panel=_QUESTION, metavar="POINTS", help="Such as '2 points': below the accuracy without early exits."
    )
    max_latency: str | float | None = option(panel=_QUESTION, metavar="TIME", help="Such as '80 ms'.")
    max_p99: str | float | None = option(
        panel=_QUESTION, metavar="TIME", help="Such as '120 ms': 99 % of the samples take no longer."
    )
    exits: Exits | None = option(
        panel=_QUESTION,
        metavar="cuts|final|free",
        help="Where samples may leave: at every cut, only at the end, anywhere.",
    )
    thresholds: Thresholds | None = option(
        panel=_QUESTION,
        metavar="one|per-exit",
        help="One for all exits, or one for each. A sample leaves at an exit where the "
        "entropy of its class probabilities (0: certain, 1: all classes alike) is below the threshold.",
    )
    codec: str | None = option(panel=_QUESTION, metavar="none|auto|NAME", help="What encodes outputs that are sent.")
    bounds: Sequence[str | Bound] | None = option(
        panel=_QUESTION,
        flag="--bound",
        metavar="BOUND",
        help="'bytes:edge>cloud<=1 MB', 'share:edge>=30 %', 'link:pi-edge<=1 MB'.",
        many=True,
    )
    rate: str | float | None = option(
        panel=_QUESTION, metavar="RATE", help="Such as '30 fps': every node and link keeps up with it."
    )
    max_utilisation: str | float | None = option(
        panel=_QUESTION, metavar="SHARE|none", help="At that rate, how busy each may be; default: 1."
    )
    top: int | None = option(panel=_QUESTION, type=int, help="How many plans; default: 5.")
    all_decisions: bool | None = option(
        panel=_QUESTION, type=bool, help="Count also plans that treat every sample like one before."
    )
    order: Order | None = option(
        panel=_PLACEMENT,
        metavar="any|forward",
        help="Whether a later part may stand nearer; default: as the topology says.",
    )
    estimator: EstimatorChoice | None = option(
        panel=_QUESTION,
        metavar="auto|NAME",
        help="How exit rates and accuracies are known: marginal (the formula), nested (nested hits), conditional (from "
        "recorded samples), replay (each sample by itself), or auto: the best that the profile supports (default).",
    )
    include: Sequence[str] | None = option(
        panel=_PLACEMENT, metavar="NODE|TIER", help="Must run a part; several: a,b.", many=True, read=names
    )
    exclude: Sequence[str] | None = option(
        panel=_PLACEMENT,
        metavar="NODE|TIER",
        help="Must run none, but may pass on what others send.",
        many=True,
        read=names,
    )
    use_all_tiers: bool | None = option(panel=_PLACEMENT, type=bool, help="Every tier must run a part.")
    only: Only | None = option(panel=_PLACEMENT, metavar="native|distributed", help="In one piece, or in several.")
    partitions: Partitions | None = option(panel=_PLACEMENT, metavar="N|N-M", help="How many pieces.")
    pin: Mapping[int | str, str] | None = option(
        panel=_PLACEMENT, metavar="BLOCK=PLACE", help="Such as 7=edge or 'layer conv2=edge'.", many=True, read=_pins
    )
    keep_first: int | str | None = option(
        panel=_PLACEMENT,
        metavar="K|LAYER",
        help="The first K blocks, or all up to a layer, stay on the source.",
    )
    ignore_memory: bool | None = option(panel=_PLACEMENT, type=bool, help="Nodes may hold more than their memory.")
    joint: Joint | None = option(
        panel=_QUESTION,
        metavar="mean|worst|served",
        help="Of several sources: least weighted mean latency (default), least worst one, or most of them served.",
    )

    def given(self) -> dict[str, Any]:
        """Return the keywords that are not None."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value for name, value in values.items() if value is not None}
