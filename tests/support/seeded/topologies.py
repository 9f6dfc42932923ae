"""Random networks of up to six nodes, for hypothesis."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st

from tiercut.topologies import Topology


@st.composite
def topologies(draw: st.DrawFn, forwarding: str | None = None, tiers: int = 0) -> Topology:
    """Any network whose first node, the source, reaches all others; links are one-way, nodes in up to `tiers` tiers."""
    count = draw(st.integers(1, 6))
    names = [f"n{place}" for place in range(count)]
    ways = [(a, b) for a in names for b in names if a != b]
    # A way out along the chain keeps every node within reach; the rest is as it comes.
    used = set(pairwise(names))
    used |= set(draw(st.lists(st.sampled_from(ways), max_size=14)) if ways else [])
    links = [
        {
            "from": a,
            "to": b,
            "bandwidth": f"{draw(st.sampled_from([3, 50, 400, 6000]))} kB/s",
            "latency": f"{draw(st.sampled_from([0, 1, 20, 300]))} ms",
            "price": f"{draw(st.sampled_from([0, 1]))} $/GB",
        }
        for a, b in sorted(used)
    ]
    data = {
        "format": "tiercut.topology/1",
        "name": "random",
        "nodes": [{"name": name} | ({"tier": f"t{draw(st.integers(1, tiers))}"} if tiers else {}) for name in names],
        "links": links,
        "source": names[0],
        "destination": "anywhere",
        "forwarding": forwarding or draw(st.sampled_from(["store", "cut-through"])),
    }
    return Topology.from_data(data)
