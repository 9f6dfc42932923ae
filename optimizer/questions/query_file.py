"""The query file ``tiercut.query/1``: a question to keep, of which flags and keywords may change a part.

It asks with the keywords of `tiercut.optimizer.questions.question_options.QuestionOptions`, and may name conditions
(`tiercut.optimizer.conditions.Conditions`) in place of what topology and profile say; those of the call come on top.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from tiercut import documents
from tiercut.documents import Document, Key, quantity
from tiercut.errors import InputError, QuestionError, unknown_name
from tiercut.optimizer.condition_names import by_kind
from tiercut.optimizer.conditions import Conditions
from tiercut.optimizer.measures.names import goal_fault, place_fault
from tiercut.optimizer.measures.registry import KINDS
from tiercut.optimizer.query import Bound
from tiercut.optimizer.questions.accuracy_text import floor_of, loss_of
from tiercut.optimizer.questions.bound_text import Limit, limit_of
from tiercut.optimizer.questions.question_options import QuestionOptions, block_of, first_of

if TYPE_CHECKING:
    from typing import TypeAlias

    Seconds: TypeAlias = float
    Bytes: TypeAlias = float
    Bandwidth: TypeAlias = float
    Rate: TypeAlias = float
    Value: TypeAlias = Limit
    Names: TypeAlias = tuple[str, ...]
    Pins: TypeAlias = dict[str, str]
    Least: TypeAlias = float | str
    Loss: TypeAlias = float | str
    First: TypeAlias = int | str
    Named: TypeAlias = dict[str, Any]
else:
    Seconds, Bytes = quantity("time"), quantity("size")
    Bandwidth, Rate = quantity("bandwidth", positive=True), quantity("rate", positive=True)
    Value = Annotated[Limit, PlainValidator(lambda value: value), WithJsonSchema({"type": ["string", "number"]})]
    Names = Annotated[tuple[str, ...], Field(strict=False)]
    _in_words = WithJsonSchema({"type": ["string", "number"]})
    Least = Annotated[float | str, PlainValidator(lambda value: _kept(floor_of, value)), _in_words]
    Loss = Annotated[float | str, PlainValidator(lambda value: _kept(loss_of, value)), _in_words]
    _number_or_name = WithJsonSchema({"type": ["string", "integer"]})
    First = Annotated[int | str, PlainValidator(lambda value: _kept(first_of, value)), _number_or_name]
    Named = Annotated[dict[str, Any], AfterValidator(lambda value: _kept(_conditions_read, value))]
    Pins = Annotated[
        dict[str, str],
        # A block is a whole number in YAML and text in JSON; text keeps keys apart from places in lists.
        BeforeValidator(lambda value: {str(key): place for key, place in value.items()} if _is_map(value) else value),
    ]

__all__ = ["FORMAT", "BoundEntry", "QueryFile", "load_query", "ready_queries"]

FORMAT: Literal["tiercut.query/1"] = "tiercut.query/1"
SIZE_LIMIT = 1 << 20
"""Most bytes that a query file may have."""


def _exclude(most: Limit, least: Limit) -> bool:
    return most[1:] == least[1:] and most.value < least.value


def _any_measure(schema: dict[str, Any]) -> None:
    *names, last = KINDS
    schema |= {"description": f"{', '.join(names)} or {last}", "enum": list(KINDS)}


def _kept(read: Callable[[object], object], value: Any) -> Any:
    """Return a value as it is written, once it can be read."""
    read(value)
    return value


def _conditions_read(value: dict[str, Any]) -> None:
    """Raise what pydantic reports where a condition cannot be read."""
    try:
        by_kind(value, "")
    except QuestionError as error:
        raise ValueError(str(error).strip()) from None


def _is_map(value: object) -> bool:
    return isinstance(value, dict)


class BoundEntry(Document):
    """A bound on a measure: of the whole plan, on a node or tier, or on what one sends to another."""

    measure: str = Field(json_schema_extra=_any_measure)
    place: str | None = Field(
        default=None, description="node or tier; for bytes 'a>b': what a sends to b; for link 'a>b' or 'a-b'"
    )
    at_most: Value | None = Field(default=None, description="with its unit, such as 1 MB or 30 %")
    at_least: Value | None = Field(default=None, description="with its unit, such as 1 MB or 30 %")

    @field_validator("measure")
    @classmethod
    def _check_measure(cls, measure: str) -> str:
        if measure not in KINDS:
            raise ValueError(unknown_name("measure to bound", measure, KINDS))
        return measure

    @field_validator("at_most", "at_least", mode="before")
    @classmethod
    def _read_limit(cls, value: Any, info: ValidationInfo) -> Any:
        measure = info.data.get("measure")
        return limit_of(measure, value) if measure is not None and value is not None else None

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """The same for a question, one for each value."""
        inner = KINDS[self.measure].quantity.side
        sides = {inner("at_most"): self.at_most, inner("at_least"): self.at_least}
        return tuple(
            Bound(self.measure, self.place, **{side: limit.value}, relative=limit.relative, monthly=limit.monthly)
            for side, limit in sides.items()
            if limit is not None
        )

    def faults(self) -> Iterable[tuple[Key, str]]:
        """Yield a place that does not fit the measure, and values that bound nothing."""
        if KINDS[self.measure].peak and self.at_most is not None:
            yield ("at_most",), f"{self.measure} can be bounded from one side alone: say at_least"
        if wrong := place_fault(self.measure, self.place):
            yield ("place",), wrong
        if self.at_most is None and self.at_least is None:
            yield (), "a bound says at_most, at_least or both"
        elif self.at_most and self.at_least and _exclude(self.at_most, self.at_least):
            yield ("at_least",), "at_least is more than at_most"


class Range(Document):
    """How many partitions there may be."""

    at_least: int | None = Field(default=None, ge=1)
    at_most: int | None = Field(default=None, ge=1)


def _or_number(schema: dict[str, Any]) -> None:
    schema["anyOf"].insert(0, {"type": "integer", "minimum": 1})


class QueryFile(Document):
    """A question in a file; every key but the format may be left out, and then says nothing."""

    format: Literal["tiercut.query/1"] = Field(description="the kind and version of this document")
    objective: str | None = Field(
        default=None, description="accuracy: greatest; any other measure, such as latency or link:a>b: least"
    )
    over: Names = Field(default=(), description="what a frontier is over, such as [latency, accuracy, energy]")
    min_accuracy: Least | None = Field(default=None, description="a share, such as 0.92, 92 % or 95 % of final")
    max_loss: Loss | None = Field(
        default=None, description="in its place, what may be lost of the final accuracy, such as 2 points"
    )
    max_latency: Seconds | None = Field(default=None, description="expected, such as 80 ms")
    max_p99: Seconds | None = Field(default=None, description="what 99 % of the samples do not exceed, such as 120 ms")
    exits: Literal["cuts", "final", "free"] | None = Field(
        default=None, description="where samples may leave: at every cut, only at the end, or anywhere"
    )
    thresholds: Literal["one", "per-exit"] | None = Field(default=None, description="one for all exits, or one each")
    codec: str | None = Field(default=None, description="none, auto or the name of a codec")
    order: Literal["any", "forward"] | None = Field(default=None, description="whether a later part may stand nearer")
    estimator: Literal["auto", "marginal", "conditional", "nested", "replay"] | None = Field(
        default=None, description="how exit rates and accuracies are known; auto: by the best that the profile supports"
    )
    top: int | None = Field(default=None, ge=1, description="how many plans a ranking has")
    all_decisions: bool | None = Field(
        default=None, description="whether a ranking counts plans that treat every sample like one before, too"
    )
    bounds: tuple[BoundEntry, ...] = Field(default=(), strict=False, description="on any other measure")
    rate: Rate | None = Field(default=None, description="at which frames arrive, such as 30 fps: all keep up with it")
    max_utilisation: float | Literal["none"] | None = Field(
        default=None, description="at that rate, of every node and link; default: 1"
    )
    include: Names = Field(default=(), description="nodes or tiers that must run a part")
    exclude: Names = Field(default=(), description="nodes or tiers that must not")
    use_all_tiers: bool | None = Field(default=None, description="whether every tier must run a part")
    only: Literal["native", "distributed"] | None = Field(default=None, description="in one piece, or in several")
    partitions: Range | None = Field(
        default=None, description="a number, or at_least and at_most", json_schema_extra=_or_number
    )
    pin: Pins = Field(
        default_factory=dict,
        description="blocks, by number or as layer NAME, with their node or tier",
    )
    keep_first: First | None = Field(
        default=None, description="number of first blocks that stay on the source, or the layer that ends the last"
    )
    ignore_memory: bool | None = Field(default=None, description="whether nodes may hold more than their memory")
    joint: Literal["mean", "worst", "served"] | None = Field(
        default=None, description="of several sources: least mean or worst latency, or most of them served"
    )
    source: str | None = Field(default=None, description="condition: where the input is born")
    destination: str | None = Field(default=None, description="condition: who wants the result, or anywhere")
    bandwidth: dict[str, Bandwidth] = Field(default_factory=dict, description="condition: by link, a-b or a>b")
    latency: dict[str, Seconds] = Field(default_factory=dict, description="condition: by link, a-b or a>b")
    slowdown: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict, description="condition: by node")
    without: Names = Field(default=(), description="condition: nodes that are left out, and their links with them")
    forwarding: Literal["store", "cut-through"] | None = Field(
        default=None, description="condition: how payloads are passed on"
    )
    one_partition_per: Literal["node", "tier"] | None = Field(
        default=None, description="condition: what is used at most once"
    )
    accuracies: Literal["joint", "separate"] | None = Field(
        default=None, description="condition: of branches in the network recorded, or each trained alone"
    )
    input: Bytes | None = Field(default=None, description="condition: size of the input, such as 170 KB")
    result: Bytes | None = Field(default=None, description="condition: size of a prediction")
    condition: Named = Field(
        default_factory=dict,
        validation_alias=AliasChoices("conditions", "condition"),
        description="conditions by name, such as bandwidth(a-b): 1 Mb/s, cpu(edge): 45 % or down: [cloud]",
    )

    @field_validator("objective")
    @classmethod
    def _check_objective(cls, objective: str | None) -> str | None:
        if objective is not None and (wrong := goal_fault(objective)):
            raise ValueError(wrong)
        return objective

    @field_validator("partitions", mode="before")
    @classmethod
    def _check_partitions(cls, value: Any) -> Any:
        if value is None or isinstance(value, dict | Range):
            return value
        if isinstance(value, int) and value >= 1 and value is not True:
            return {"at_least": value, "at_most": value}
        raise ValueError(f"expected a number such as 2, or a mapping with at_least and at_most, got {value!r}")

    def faults(self) -> Iterable[tuple[Key, str]]:
        """Yield what is wrong between keys: places of bounds, names and numbers that exclude each other."""
        yield from self._over_faults()
        for place, bound in enumerate(self.bounds):
            for key, message in bound.faults():
                yield ("bounds", place, *key), message
        for block in self.pin:
            try:
                block_of(block)
            except ValueError as error:
                yield ("pin", block), str(error)
        for name in self.include:
            if name in self.exclude:
                yield ("exclude", self.exclude.index(name)), f"'{name}' stands in include too"
        yield from self._range_faults()

    def _over_faults(self) -> Iterable[tuple[Key, str]]:
        for place, name in enumerate(self.over):
            if wrong := goal_fault(name):
                yield ("over", place), wrong
            elif name in self.over[:place]:
                yield ("over", place), f"'{name}' is named twice"
        if self.over and not 2 <= len(self.over) <= 3:
            yield ("over",), f"a frontier is over two or three measures, not {len(self.over)}"
        if self.over and self.objective is not None:
            yield ("objective",), "give objective or over, not both: over names all measures"

    def _range_faults(self) -> Iterable[tuple[Key, str]]:
        fewest, most = self._range
        if fewest is not None and most is not None and fewest > most:
            yield ("partitions",), f"no plan has at least {fewest} and at most {most} partitions"
        elif self.only == "native" and fewest is not None and fewest > 1:
            yield ("partitions",), "native is one partition; leave out one of the two"
        elif self.only == "distributed" and most == 1:
            yield ("partitions",), "distributed is two partitions or more; leave out one of the two"

    @property
    def _range(self) -> tuple[int | None, int | None]:
        value = self.partitions
        return (None, None) if value is None else (value.at_least, value.at_most)

    @property
    def question(self) -> QuestionOptions:
        """The question as keywords."""
        same = {each.name: getattr(self, each.name) for each in fields(QuestionOptions)}
        return QuestionOptions(
            **same
            | {
                "over": self.over or None,
                "bounds": [bound for entry in self.bounds for bound in entry.bounds],
                "partitions": None if self.partitions is None else self._range,
                "pin": dict(self.pin),
            }
        )

    @property
    def conditions(self) -> Conditions:
        """The conditions that the file names, in place of what topology and profile say."""
        named = {each.name: getattr(self, each.name) for each in fields(Conditions)}
        return Conditions(**{name: value for name, value in named.items() if value not in ((), {})})


def load_query(path_or_name: str | os.PathLike[str]) -> QueryFile:
    """Read a query.

    Parameters
    ----------
    path_or_name
        A YAML or JSON file, or the name of a ready-made query such as ``edge-only`` (see `ready_queries`). A file of
        that name comes first.

    Raises
    ------
    InputError
        If the file cannot be read or anything in it is wrong; each fault with line, column and key.
    """
    path = Path(path_or_name)
    if not (path.exists() or path.suffix or len(path.parts) != 1):
        if path.name not in ready_queries():
            known = unknown_name("ready-made query", path.name, ready_queries())
            raise InputError(os.fspath(path_or_name), f"there is no such file, and {known}")
        path = _folder() / f"{path.name}.yaml"
    return documents.load(path, QueryFile, format_=FORMAT, limit=SIZE_LIMIT)


def ready_queries() -> tuple[str, ...]:
    """Return the names of the queries that come with the package."""
    return tuple(sorted(path.stem for path in _folder().glob("*.yaml")))


def _folder() -> Path:
    return Path(__file__).parent / "ready"
