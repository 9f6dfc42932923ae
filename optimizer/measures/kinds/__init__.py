"""The measures that come with the package, one in each file; a new one is a new file and a name in this list.

Reading descriptions imports nothing but the standard library: what tables need is imported where they are made.
"""

from __future__ import annotations

from tiercut.optimizer.measures.kinds import (
    blocks,
    bytes_sent,
    compute,
    cost,
    energy,
    latency,
    link,
    memory,
    out,
    p99,
    rate,
    share,
    utilisation,
)

__all__ = ["BUILT_IN"]

BUILT_IN = (
    latency.KIND,
    p99.KIND,
    bytes_sent.KIND,
    energy.KIND,
    cost.KIND,
    compute.KIND,
    share.KIND,
    utilisation.KIND,
    rate.KIND,
    blocks.KIND,
    memory.KIND,
    link.KIND,
    out.KIND,
)
"""In the order in which help and documentation list them."""
