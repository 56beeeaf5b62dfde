"""The seven augmentations of a copy, and the recipe that makes the copy again exactly.

A recipe reads `rotate=+37.2 flip_horizontal shift=+0.031,-0.012 brightness=0.910`. Values are drawn, written and read
back before they are applied, so that the manifest alone is enough to make every copy again.

Every CPU makes the same bytes. `a @ b`, np.cos and cv2.warpAffine differ between CPUs in the last bit, so floats are
added, multiplied and rounded element by element here, and pixels are interpolated in integers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, radians, sin

import cv2
import numpy as np

from skinlesion.runtime.params.sections import Operations

Draw = Callable[[np.random.Generator, float], tuple[float, ...] | None]


def draw_flag(random: np.random.Generator, probability: float) -> tuple[float, ...] | None:
    return () if random.random() < probability else None


def draw_signed(random: np.random.Generator, limit: float) -> tuple[float, ...]:
    return (random.uniform(-limit, limit),)


def draw_signed_pair(random: np.random.Generator, limit: float) -> tuple[float, ...]:
    return tuple(random.uniform(-limit, limit, size=2))


def draw_factor(random: np.random.Generator, limit: float) -> tuple[float, ...]:
    return (random.uniform(1 - limit, 1 + limit),)


def rotate(degrees: float) -> np.ndarray:
    angle = radians(degrees)
    cosine, sine = round(cos(angle), 9), round(sin(angle), 9)  # the last digits differ between CPUs
    return np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])


def scale(x: float, y: float) -> np.ndarray:
    return np.diag([x, y, 1.0])


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


@dataclass(frozen=True)
class Operation:
    """An augmentation: how its values are drawn within a range, written and applied.

    Geometry is a 3x3 matrix about the centre of the image, in units of its side. Tone maps the 256 grey levels, given
    the mean level of the image.
    """

    draw: Draw
    written: str = ""
    geometry: Callable[..., np.ndarray] | None = None
    tone: Callable[..., np.ndarray] | None = None


OPERATIONS = {
    "rotate": Operation(draw_signed, "{:+.1f}", geometry=rotate),
    "flip_horizontal": Operation(draw_flag, geometry=lambda: scale(-1, 1)),
    "flip_vertical": Operation(draw_flag, geometry=lambda: scale(1, -1)),
    "zoom": Operation(draw_factor, "{:.3f}", geometry=lambda factor: scale(factor, factor)),
    "shift": Operation(draw_signed_pair, "{:+.3f}", geometry=shift),
    "contrast": Operation(draw_factor, "{:.3f}", tone=lambda level, mean, x: (level - mean) * x + mean),
    "brightness": Operation(draw_factor, "{:.3f}", tone=lambda level, mean, x: level * x),
}


def draw(ranges: Operations, random: np.random.Generator) -> str:
    """Draw a recipe of at least one operation within `ranges`; at least one range must be above 0."""
    words: list[str] = []
    while not words:
        for name, operation in OPERATIONS.items():
            limit = getattr(ranges, name)
            values = operation.draw(random, limit) if limit else None
            if values is not None:
                written = ",".join(operation.written.format(value) for value in values)
                words.append(f"{name}={written}" if written else name)
    return " ".join(words)


def apply(recipe: str, image: np.ndarray) -> np.ndarray:
    """Return the copy of a square RGB uint8 (S, S, 3) that `recipe` describes; borders are reflected, never black."""
    matrix = np.eye(3)
    tones = []
    for word in recipe.split():
        name, _, written = word.partition("=")
        values = [float(value) for value in written.split(",")] if written else []
        operation = OPERATIONS[name]
        if operation.geometry:
            step = operation.geometry(*values)
            matrix = (step[:, :, None] * matrix).sum(axis=1)  # step @ matrix, rounded alike on every CPU
        else:
            tones.append((operation.tone, values))
    copy = warp(image, matrix)
    levels, mean = np.arange(256.0), copy.mean()
    for tone, values in tones:
        levels = tone(levels, mean, *values)
    return cv2.LUT(copy, np.clip(np.rint(levels), 0, 255).astype(np.uint8))


def warp(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Move the pixels of a square image by `matrix` (see Operation.geometry), exact to 1/32 px."""
    side = image.shape[0]
    centre = (side - 1) / 2
    (a, b, x), (c, d, y), _ = matrix
    determinant = a * d - b * c
    across = (np.arange(side) - centre - side * x) / determinant
    along = (np.arange(side)[:, None] - centre - side * y) / determinant
    columns = (d * across + (centre - b * along)).astype(np.float32)
    rows = (a * along + (centre - c * across)).astype(np.float32)
    maps = cv2.convertMaps(columns, rows, cv2.CV_16SC2)
    return cv2.remap(image, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
