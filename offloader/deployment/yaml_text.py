"""Manifests as YAML that old and new readers understand alike."""

from __future__ import annotations

import io
from typing import Any

__all__ = ["yaml_text"]


def yaml_text(documents: list[dict[str, Any]], comment: str) -> str:
    """Return documents as YAML, below a comment.

    Every text is quoted: readers of YAML 1.1, Compose among them, take ``on`` for a truth and ``56:56`` for a number.
    """
    from ruamel.yaml import YAML

    writer = YAML()
    writer.default_flow_style = False
    writer.explicit_start = len(documents) > 1
    writer.width = 4096
    stream = io.StringIO()
    writer.dump_all([_quoted(each) for each in documents], stream)
    return "".join(f"# {line}\n" for line in comment.splitlines()) + stream.getvalue()


def _quoted(value: Any) -> Any:
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    if isinstance(value, dict):
        return {name: _quoted(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_quoted(each) for each in value]
    return DoubleQuotedScalarString(value) if isinstance(value, str) else value
