"""Short names for what lies in a block: the module that its tensors come from, where exporters keep its path."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["common_module"]

_LONGEST = 28


def common_module(names: Sequence[str]) -> str:
    """Return the path of modules that tensors have in common, such as ``model.4``; else that of the last; or nothing.

    Exporters of PyTorch name a tensor by the modules that make it, ``/model.4/cv1/conv/Conv_output_0``.
    """
    paths = [_modules(name) for name in names]
    named = [path for path in paths if path]
    if not named or not paths[-1]:
        return ""
    common = list(named[0])
    for path in named[1:]:
        while common != path[: len(common)]:
            common.pop()
    found = "/".join(common or paths[-1])
    return found if len(found) <= _LONGEST else f"...{found[3 - _LONGEST :]}"


def _modules(name: str) -> list[str]:
    """Return the modules in a tensor's name, without the operator that stands last."""
    if not name.startswith("/"):
        return []
    parts = [part for part in re.split(r"/+", name) if part]
    return parts[:-1]
