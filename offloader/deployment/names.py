"""Names that containers, clusters and servers take for the stages of a plan."""

from __future__ import annotations

import re

from tiercut.offloader.bundles.manifest import Bundle

__all__ = ["PORT", "image_of", "stage_name", "title_name"]

PORT = 8001
"""Where every agent listens inside its container, and Triton for gRPC."""

_LONGEST = 40


def _label(text: str) -> str:
    """Return what is left of a text as a label of DNS: small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:_LONGEST].strip("-")


def title_name(bundle: Bundle) -> str:
    """Return the network's name as a label of DNS."""
    return _label(bundle.model) or "network"


def stage_name(bundle: Bundle) -> str:
    """Return the name of a stage as a label of DNS; unlike that of every other stage, whatever the nodes are called."""
    return f"stage{bundle.stage}-{_label(bundle.node)}".rstrip("-")


def image_of(bundle: Bundle) -> str:
    """Return the name of the image that holds a bundle."""
    return f"{title_name(bundle)}-{stage_name(bundle)}:latest"
