"""The topology file ``tiercut.topology/1``: nodes, the links between them, and where a sample begins and ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from tiercut import documents
from tiercut.documents import Document, Key, quantity
from tiercut.errors import QuestionError, unknown_name
from tiercut.topologies.checks import check_name, topology_faults
from tiercut.topologies.network import Network
from tiercut.topologies.route import Forwarding, Hop
from tiercut.topologies.sources import Source

__all__ = ["ANYWHERE", "FORMAT", "Link", "Node", "Topology"]

FORMAT: Literal["tiercut.topology/1"] = "tiercut.topology/1"
ANYWHERE: Literal["anywhere"] = "anywhere"
"""The destination of a result that stays where it is made."""

Name = Annotated[str, AfterValidator(check_name)]

if TYPE_CHECKING:
    Bandwidth: TypeAlias = float
    Seconds: TypeAlias = float
    Bytes: TypeAlias = float
    PositiveBytes: TypeAlias = float
    Watts: TypeAlias = float
    DollarsPerSecond: TypeAlias = float
    DollarsPerByte: TypeAlias = float
    JoulesPerByte: TypeAlias = float
else:
    Bandwidth = quantity("bandwidth", positive=True)
    Seconds = quantity("time")
    Bytes = quantity("size")
    PositiveBytes = quantity("size", positive=True)
    Watts = quantity("power")
    DollarsPerSecond = quantity("price per time")
    DollarsPerByte = quantity("price per size")
    JoulesPerByte = quantity("energy per size")


def _without_default(schema: dict[str, Any]) -> None:
    del schema["default"]


class Node(Document):
    """A machine that can run blocks; memory in bytes, power in watts, price in dollars per second."""

    name: Name = Field(description="unique; what plans and overrides call the node")
    tier: Name | None = Field(default=None, description="nodes at one distance share a tier; default: one of its own")
    slowdown: float = Field(default=1.0, gt=0, description="multiplies every second of the device that the node is")
    device: str | None = Field(default=None, description="device of the profile; default: the profile's reference")
    memory: Bytes | None = Field(default=None, description="room for parameters and activations, such as 16 GiB")
    power: Watts | None = Field(default=None, description="drawn while computing, such as 250 W")
    idle_power: Watts | None = Field(
        default=None, description="drawn while it waits and a sample is elsewhere, such as 800 mW; default: none"
    )
    price: DollarsPerSecond | None = Field(default=None, description="of computing, such as 0.53 $/h")
    workers: int = Field(default=1, ge=1, description="how many frames it works on at once; counts for rates of frames")
    batch: int = Field(default=1, ge=1, description="how many frames it serves together at most; counts for streams")
    batch_wait: Seconds = Field(
        default=0.0,
        description="how long the first frame of a batch waits for others, such as 5 ms",
        json_schema_extra={"default": "0 s"},
    )


class Link(Document):
    """A connection, both ways alike (``between``) or one way (``from`` and ``to``).

    Bytes per second, seconds, dollars and joules per byte. The latency is required: a link without one would be
    counted as 0 and make a faraway node look near. ``0 ms`` says so on purpose.
    """

    between: Annotated[tuple[str, str], Field(strict=False)] | None = Field(
        default=None, description="two nodes, joined in both directions"
    )
    start: str | None = Field(default=None, alias="from", description="the sending node of a one-way link")
    end: str | None = Field(default=None, alias="to", description="the receiving node of a one-way link")
    bandwidth: Bandwidth = Field(description="such as 10 Mb/s")
    latency: Seconds = Field(description="propagation delay, such as 40 ms; half of a round trip")
    price: DollarsPerByte = Field(
        default=0.0, description="of what is sent, such as 0.09 $/GB", json_schema_extra={"default": "0 $/GB"}
    )
    energy: JoulesPerByte = Field(
        default=0.0,
        description="that the sending node's radio draws for what it sends, such as 40 nJ/B",
        json_schema_extra={"default": "0 nJ/B"},
    )
    duplex: Literal["full", "half"] = Field(
        default="full", description="half: both directions share one medium, as radio does; counts for rates of frames"
    )

    @property
    def directions(self) -> tuple[tuple[str, str], ...]:
        """The (sender, receiver) pairs that the link serves."""
        if self.between is not None:
            sender, receiver = self.between
            return (sender, receiver), (receiver, sender)
        return ((self.start, self.end),) if self.start is not None and self.end is not None else ()


class Topology(Document):
    """Nodes and links, the node where samples are born, and the one that wants the results.

    Make one with `load_topology`, `topology_from_text` or `Topology.from_data`: they check what holds between
    the keys. Everything inside is in seconds, bytes and bytes per second.
    """

    format: Literal["tiercut.topology/1"] = Field(description="the kind and version of this document")
    name: str = Field(min_length=1, description="what answers and plots call the topology")
    nodes: tuple[Node, ...] = Field(
        strict=False, description="one or more; the order is the order of display", json_schema_extra={"minItems": 1}
    )
    links: tuple[Link, ...] = Field(default=(), strict=False, description="at most one for each direction")
    source: str = Field(
        default="",
        description="the node where the input is born; or 'sources' in its place",
        json_schema_extra=_without_default,
    )
    sources: tuple[Source, ...] | None = Field(
        default=None,
        strict=False,
        description="several streams that share the machines, in place of 'source'",
        json_schema_extra=_without_default,
    )
    destination: str = Field(
        default="",
        description="the node that wants the result, or 'anywhere': it stays where it is made; default: the source",
        json_schema_extra=_without_default,
    )
    forwarding: Forwarding = Field(
        default="store", description="whether a node between two links waits for the whole payload or passes packets on"
    )
    mtu: PositiveBytes = Field(
        default=1500.0, description="packet size for cut-through", json_schema_extra={"default": "1500 B"}
    )
    one_partition_per: Literal["node", "tier"] = Field(
        default="node", description="tier: of each tier at most one node is used"
    )
    order: Literal["any", "forward"] = Field(
        default="any",
        description="forward: later parts stand in the same or a later tier, where a question says nothing",
    )

    @model_validator(mode="after")
    def _send_results_home(self) -> Self:
        return self._at_home()

    def _at_home(self) -> Self:
        if self.sources and "source" not in self.model_fields_set:
            self.__dict__["source"] = self.sources[0].node  # what is asked of one stream names another, or refuses
        if "destination" not in self.model_fields_set:
            self.__dict__["destination"] = self.source  # not marked as set: a new source takes it along
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with some fields replaced, unchecked; a destination that was left out follows the source.

        `with_changes` is the way to other conditions, checked; `tiercut.solve` and its like refuse a copy whose keys do
        not fit together.
        """
        listed = ("nodes", "links", "sources")
        held = {key: tuple(value) if key in listed and value else value for key, value in (update or {}).items()}
        return super().model_copy(update=held, deep=deep)._at_home()

    def faults(self) -> Iterable[tuple[Key, str]]:
        """Yield what is wrong between keys: names without a node, repeated links, nodes without a route."""
        return topology_faults(self)

    @classmethod
    def from_data(cls, data: Any, *, source: str = "topology") -> Topology:
        """Check plain data, as it stands in a topology file, and return the topology.

        Parameters
        ----------
        data
            The document as dicts and lists; quantities are text with a unit.
        source
            What to call it in an error.

        Raises
        ------
        InputError
            If anything in it is wrong.
        """
        return documents.validate(data, cls, format_=FORMAT, source=source)

    # NOTE: Nothing that is derived is kept on the document: `model_copy` and pickles would carry it along, and the copy
    # would answer with the links and nodes that it no longer has.

    @property
    def node_names(self) -> tuple[str, ...]:
        """Names of the nodes in file order; a node's index is its place here."""
        return tuple(node.name for node in self.nodes)

    @property
    def tiers(self) -> tuple[str, ...]:
        """Names of the tiers, by their first node in the file."""
        return tuple(dict.fromkeys(node.tier or node.name for node in self.nodes))

    @property
    def network(self) -> Network:
        """A snapshot of nodes and links for the search of routes, made anew at every call."""
        return Network.of(self)

    @property
    def hops(self) -> Mapping[tuple[str, str], Hop]:
        """The link in every direction that has one, by (sender, receiver), in file order; made anew at every call."""
        return self.network.hops

    @property
    def source_index(self) -> int:
        """Index of the node where the input is born."""
        return self.index(self.source)

    @property
    def destination_index(self) -> int | None:
        """Index of the node that wants the result; None where the result stays where it is made."""
        return None if self.destination == ANYWHERE else self.index(self.destination)

    def index(self, name: str) -> int:
        """Return the place of the node called `name` in `node_names`; QuestionError where there is none."""
        names = self.node_names
        if name not in names:
            raise QuestionError(unknown_name("node", name, names))
        return names.index(name)

    def node(self, name: str) -> Node:
        """Return the node called `name`; QuestionError where there is none."""
        return self.nodes[self.index(name)]

    def tier_of(self, name: str) -> str:
        """Return the tier of the node called `name`; a node without one is a tier of its own."""
        node = self.node(name)
        return node.tier or node.name

    def with_changes(
        self,
        *,
        source: str | None = None,
        destination: str | None = None,
        forwarding: Forwarding | None = None,
        one_partition_per: Literal["node", "tier"] | None = None,
        bandwidth: Mapping[str, float] | None = None,
        latency: Mapping[str, float] | None = None,
        slowdown: Mapping[str, float] | None = None,
        exclude: Iterable[str] = (),
        cut: Iterable[str] = (),
    ) -> Topology:
        """Return the topology under other conditions, checked again.

        Parameters
        ----------
        source, destination, forwarding, one_partition_per
            As in the file. A destination that the file leaves out follows the source. Of a topology with several
            sources, the source is one of them, by name or node, and the others are gone.
        bandwidth, latency
            Bytes per second and seconds, by link: ``a-b`` means both directions, ``a>b`` one.
        slowdown
            By node.
        exclude
            Nodes that are gone, and with them their links.
        cut
            Links that are gone: ``a-b`` means both directions, ``a>b`` one.

        Raises
        ------
        QuestionError
            If a name is unknown, a value is out of range, or a node that is left has no route any more.
        """
        from tiercut.topologies.changes import changed

        plain = {
            "source": source,
            "destination": destination,
            "forwarding": forwarding,
            "one_partition_per": one_partition_per,
        }
        return changed(
            self,
            {key: value for key, value in plain.items() if value is not None},
            {"bandwidth": bandwidth or {}, "latency": latency or {}},
            slowdown or {},
            tuple(exclude),
            tuple(cut),
        )
