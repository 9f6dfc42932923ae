"""What the slicing paper prints: tables 3 to 5, seconds for 50 frames and the share of frames that were dropped."""

from __future__ import annotations

__all__ = ["FRAMES", "PUBLISHED", "SPLITS"]

FRAMES = 50

SPLITS: tuple[tuple[int, int], ...] = ((1, 8), (1, 9), (1, 10), (1, 11), (3, 8), (3, 9), (3, 10), (3, 11))
"""Last layer on the device and on the edge, in the order of the tables."""

PUBLISHED: dict[int, tuple[tuple[float, float], ...]] = {
    1: (
        (49.7454, 0.18), (49.7391, 0.14), (49.7301, 0.34), (49.8100, 0.18),
        (49.8244, 0.16), (49.8072, 0.18), (50.2666, 0.22), (49.5615, 0.20),
    ),
    2: (
        (50.7831, 0.68), (49.5615, 0.78), (50.2550, 0.62), (50.2487, 0.64),
        (49.3895, 0.68), (49.3894, 0.66), (48.3246, 0.56), (47.8205, 0.60),
    ),
    3: (
        (49.8217, 0.28), (49.7521, 0.22), (49.7888, 0.08), (49.7549, 0.08),
        (49.8062, 0.14), (49.7817, 0.08), (49.7446, 0.12), (49.7721, 0.10),
    ),
}  # fmt: skip
"""By configuration: seconds and share for each of `SPLITS`."""
