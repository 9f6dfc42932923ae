"""A topology as plain data with units, as its file would hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiercut.topologies.schema import Topology

__all__ = ["topology_data"]

_UNITS = {
    "memory": ("B", 1.0),
    "power": ("W", 1.0),
    "idle_power": ("W", 1.0),
    "batch_wait": ("s", 1.0),
    "bandwidth": ("B/s", 1.0),
    "latency": ("s", 1.0),
    "mtu": ("B", 1.0),
    "energy": ("J/B", 1.0),
    "rate": ("fps", 1.0),
}
_PRICES = {"nodes": ("$/h", 3600.0), "links": ("$/GB", 1e9)}


def topology_data(topology: Topology) -> dict[str, Any]:
    """Return what `tiercut.topologies.schema.Topology.from_data` makes the same topology of.

    Keys that were left out stay so. Bandwidths and times come back to the last bit.
    """
    found = _said(topology, {})
    for name, parts in (("nodes", topology.nodes), ("links", topology.links)):
        found[name] = [_said(each, {"price": _PRICES[name]}) for each in parts]
    if topology.sources is not None:
        found["sources"] = [_said(each, {}) for each in topology.sources]
    return found


def _said(part: Any, more: dict[str, tuple[str, float]]) -> dict[str, Any]:
    units = _UNITS | more
    found: dict[str, Any] = {}
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        if (name != "format" and name not in part.model_fields_set) or value is None:
            continue
        if name in units:
            unit, factor = units[name]
            value = f"{value * factor!r} {unit}"
        found[field.alias or name] = list(value) if isinstance(value, tuple) else value
    return found
