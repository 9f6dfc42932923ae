"""What an agent says of frames that it has and cannot get rid of, to whoever misses their results."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tiercut.offloader.agent.outlet import Outlet
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.tensors import put_parameters

__all__ = ["ASKS", "what_waits"]

ASKS = "what_waits"
"""The parameter of a request that asks for it."""


def what_waits(request: Any, at_work: Mapping[int, tuple[str, int]], onward: Outlet | None, home: Outlet | None) -> Any:
    """Return the answer to the question what of a version waits here, as parameters; what does not wait is left out.

    ``compute_ns``: for how long a worker has had a frame. ``onward_ns`` and ``onward_bytes``: how long the link to the
    next agent has had its oldest message, and how large that is; ``home_ns`` and ``home_bytes``: the same of results.
    """
    now_ns, found = time.monotonic_ns(), dict[str, int]()
    if begun := [since_ns for number, since_ns in list(at_work.values()) if number == request.model_version]:
        found["compute_ns"] = now_ns - min(begun)
    for name, outlet in (("onward", onward), ("home", home)):
        if outlet is not None and (waits := outlet.waits) is not None:
            found |= {f"{name}_ns": max(now_ns - waits.since_ns, 0), f"{name}_bytes": waits.size}
    answer = message("ModelInferResponse", model_name=request.model_name, id=request.id)
    put_parameters(answer, found)
    return answer
