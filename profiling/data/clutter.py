"""A generated data set: one of ten shapes on a cluttered, noisy background; deeper layers recognise more of them.

The first convolution of a network sees edges, and how many of them point where: five of the shapes have the same
upright edges, three have none that is straight. To tell such shapes apart takes layers that see a whole shape and not
the strokes around it, so that accuracy rises with depth as it does on photographs, and not at once to its end as on
handwritten digits. Every sample has a hardness of its own: some are recognised early, others late or never.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import QuestionError

__all__ = ["SHAPES", "clutter"]

Floats = NDArray[np.float32]
Inside = NDArray[np.floating[Any]]

SIZE = 32
"""Height and width of an image, in pixels."""

TELLING, HUE_SPREAD = 0.4, np.radians(12)
"""Share of the images whose background has the hue of their class, and the standard deviation of that hue."""

UNDER, ACROSS = 14, 3
"""Most strokes on the background and across the shape, of an image of hardness 1."""

_CHUNK = 256
"""Images drawn at once: few enough for their pixels to stay in the cache."""


def clutter(count: int, *, difficulty: float = 0.5, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    """Return images of shapes on a cluttered background, and which shape each of them shows.

    The hardness of an image is drawn evenly from 0 to the difficulty. With it contrast falls, noise grows, and more
    strokes lie on the background and across the shape. The shape's colour, place (up to 5 pixels from the middle),
    radius (7.5 to 11.5 pixels) and turn (up to 25 degrees either way) are drawn too.

    Parameters
    ----------
    count
        How many images; classes take turns, so that no two of them differ by more than one image.
    difficulty
        The hardest an image gets, 0 to 1.
    seed
        What decides every image. The first images of a longer call are not those of a shorter one.

    Returns
    -------
    images, labels
        float32[count, 32, 32, 3] in 0..1, and int64[count] in 0..9, places in `SHAPES`.

    Raises
    ------
    QuestionError
        If there is no image to draw, or the difficulty is not within 0..1.
    """
    if count < 1:
        raise QuestionError(f"there must be at least 1 image to draw, got {count}")
    if not 0 <= difficulty <= 1:
        raise QuestionError(f"the difficulty must lie in 0..1, got {difficulty}")
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count, dtype=np.int64) % len(SHAPES))
    images = np.empty((count, SIZE, SIZE, 3), np.float32)
    for start in range(0, count, _CHUNK):
        part = slice(start, min(start + _CHUNK, count))
        images[part] = _draw(labels[part], difficulty, rng)
    return images, labels


def _draw(labels: NDArray[np.int64], difficulty: float, rng: np.random.Generator) -> Floats:
    """Return one image for every label: background, strokes, the shape, a few strokes across it, and noise."""
    scenes = _Scenes.empty(labels, _uniform(rng, 0, difficulty, len(labels)), rng)
    for place in range(UNDER):
        scenes.strike(place < UNDER * scenes.hardness)
    scenes.paint(np.arange(len(labels)), _shape(labels, rng))
    for place in range(ACROSS):
        scenes.strike(place + 0.5 < ACROSS * scenes.hardness)
    noise = (0.02 + 0.20 * _column(scenes.hardness)[..., None]) * rng.standard_normal(scenes.images.shape, np.float32)
    return np.moveaxis(np.clip(scenes.images + noise, 0, 1), 1, -1)


@dataclass(frozen=True, slots=True)
class _Scenes:
    """Images that are being drawn.

    Parameters
    ----------
    images
        float32[count, 3, 32, 32].
    background
        The colours that they began with, float32[count, 3].
    hardness
        float32[count] in 0..1.
    rng
        What everything is drawn from.
    """

    images: Floats
    background: Floats
    hardness: Floats
    rng: np.random.Generator

    @classmethod
    def empty(cls, labels: NDArray[np.int64], hardness: Floats, rng: np.random.Generator) -> _Scenes:
        """Return scenes with nothing but their background, which grows lighter towards a side of its own.

        Some of the backgrounds have the hue of their class, as there is sky behind aeroplanes; the others are grey.
        """
        count = len(labels)
        hue = 2 * np.pi * labels / len(SHAPES) + rng.normal(0, HUE_SPREAD, count)
        tint = 0.14 * np.cos(hue[:, None] - np.array([0, 2, 4]) * np.pi / 3) * (rng.random((count, 1)) < TELLING)
        background = (rng.uniform(0.35, 0.65, (count, 1)) + tint).astype(np.float32)
        rows, columns = _pixels()
        slope = _uniform(rng, -0.006, 0.006, (2, count, 1, 1))
        shade = slope[0] * rows + slope[1] * columns
        return cls(background[..., None, None] + shade[:, None], background, hardness, rng)

    def strike(self, chosen: NDArray[np.bool_]) -> None:
        """Draw one more stroke on each of the chosen images."""
        where = np.flatnonzero(chosen)
        if len(where):
            self.paint(where, _stroke(len(where), self.rng))

    def paint(self, where: NDArray[np.int64], cover: Floats) -> None:
        """Paint `cover` [count, 32, 32] in colours whose contrast with the background falls with the hardness."""
        count = len(where)
        lighter = np.where(self.rng.random((count, 1)) < 0.5, -1, 1) * self.rng.uniform(0.32, 0.48, (count, 1))
        contrast = (lighter + self.rng.uniform(-0.15, 0.15, (count, 3))) * (1 - 0.65 * self.hardness[where, None])
        colour = (self.background[where] + contrast).astype(np.float32)[..., None, None]
        below = self.images[where]
        self.images[where] = below + cover[:, None] * (colour - below)


def _stroke(count: int, rng: np.random.Generator) -> Floats:
    """Return where a straight stroke of 5 to 12 pixels covers each image, float32[count, 32, 32]."""
    x, y = _frame(_uniform(rng, -15, 15, (2, count)), _uniform(rng, 0, np.pi, count))
    half = _column(_uniform(rng, 2.5, 6, count))
    beyond = np.maximum(np.abs(x) - half, 0)
    cover: Floats = np.clip(_column(_uniform(rng, 0.6, 1.4, count)) + 0.5 - np.sqrt(beyond * beyond + y * y), 0, 1)
    return cover


def _shape(labels: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Return where its shape covers each image, float32[count, 32, 32]."""
    count = len(labels)
    radius = _column(_uniform(rng, 7.5, 11.5, count))
    x, y = _frame(_uniform(rng, -5, 5, (2, count)), _uniform(rng, -1, 1, count) * np.radians(25))
    cover = np.empty_like(x)
    for label, inside in enumerate(SHAPES.values()):
        chosen = labels == label
        cover[chosen] = inside(x[chosen] / radius[chosen], y[chosen] / radius[chosen])
    within: Floats = np.clip(cover * radius + 0.5, 0, 1)
    return within


def _frame(middle: Floats, turn: Floats) -> tuple[Floats, Floats]:
    """Return every pixel's coordinates in a frame that is moved (rows and columns of pixels) and turned (radians)."""
    rows, columns = _pixels()
    down, right = rows - _column(middle[0]), columns - _column(middle[1])
    cosine, sine = _column(np.cos(turn)), _column(np.sin(turn))
    return right * cosine + down * sine, down * cosine - right * sine


def _pixels() -> tuple[Floats, Floats]:
    """Return rows [32, 1] and columns [1, 32] of the pixels' centres, from the middle of the image."""
    places = np.arange(SIZE, dtype=np.float32) - np.float32((SIZE - 1) / 2)
    return places[:, None], places[None, :]


def _uniform(rng: np.random.Generator, low: float, high: float, shape: int | tuple[int, ...]) -> Floats:
    return rng.uniform(low, high, shape).astype(np.float32)


def _column(values: NDArray[Any]) -> Floats:
    """Return one number for each image so that it meets all the image's pixels, float32[count, 1, 1]."""
    return values.astype(np.float32)[:, None, None]


def _box(x: Floats, y: Floats, half_width: float, half_height: float) -> Inside:
    return np.minimum(half_width - np.abs(x), half_height - np.abs(y))


def _triangle(x: Floats, y: Floats) -> Inside:
    sides = [x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle)) for angle in np.radians([90, 210, 330])]
    inside: Inside = np.float32(0.46) - np.maximum.reduce(sides)
    return inside


def _star(x: Floats, y: Floats) -> Inside:
    """Five arms, each as wide as a fifth of the circle at its foot."""
    fifth = np.float32(2 * np.pi / 5)
    off = np.abs((np.arctan2(x, -y) + fifth / 2) % fifth - fifth / 2) / (fifth / 2)
    inside: Inside = np.float32(0.38) + np.float32(0.62) * (1 - off) ** np.float32(1.5) - np.hypot(x, y)
    return inside


SHAPES: dict[str, Callable[[Floats, Floats], Inside]] = {
    "disc": lambda x, y: 0.85 - np.hypot(x, y),
    "ring": lambda x, y: 0.22 - np.abs(np.hypot(x, y) - 0.7),
    "crescent": lambda x, y: np.minimum(0.9 - np.hypot(x, y), np.hypot(x - 0.4, y) - 0.7),
    "square": lambda x, y: _box(x, y, 0.75, 0.75),
    "frame": lambda x, y: 0.2 - np.abs(np.maximum(np.abs(x), np.abs(y)) - 0.6),
    "plus": lambda x, y: np.maximum(_box(x, y, 0.23, 0.85), _box(x, y, 0.85, 0.23)),
    "tee": lambda x, y: np.maximum(_box(x, y + 0.6, 0.8, 0.23), _box(x, y, 0.23, 0.83)),
    "ell": lambda x, y: np.maximum(_box(x + 0.45, y, 0.23, 0.83), _box(x, y - 0.6, 0.68, 0.23)),
    "triangle": _triangle,
    "star": _star,
}
"""The classes: how far inside a shape of radius 1 a point lies, in radii; below 0 outside. Down is positive y."""
