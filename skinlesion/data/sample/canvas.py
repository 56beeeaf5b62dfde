"""The lesion's own frame, on which its mean radius is 1, and the tools to draw on it."""

from dataclasses import dataclass

import cv2
import numpy as np

CANVAS = 256  # px per side of the lesion's own canvas
REACH = 1.6  # lesion radii from the canvas's centre to its side
UNIT = CANVAS / (2 * REACH)  # px per lesion radius

Generator = np.random.Generator


@dataclass
class Canvas:
    """The lesion's frame: its colour (CANVAS, CANVAS, 3) in 0-255 and where each pixel lies.

    `x`, `y` are in lesion radii; `depth` is 0 in the centre and 1 on the outline.
    """

    colour: np.ndarray
    x: np.ndarray
    y: np.ndarray
    depth: np.ndarray

    def paint(self, colour: tuple[float, ...] | np.ndarray, mask: np.ndarray) -> None:
        """Blend `colour` in where `mask` (CANVAS, CANVAS) is above 0; 1 covers."""
        mask = np.clip(mask, 0, 1)[..., None]
        self.colour += mask * (np.asarray(colour, np.float32) - self.colour)


def noise(rng: Generator, rows: int, columns: int, cell: int) -> np.ndarray:
    """Smooth noise (rows, columns), mean 0, deviation about 0.9, with hills `cell` px wide."""
    grid = rng.standard_normal((rows // cell + 3, columns // cell + 3), np.float32)
    return cv2.resize(grid, (columns, rows), interpolation=cv2.INTER_CUBIC)


def clouds(size: float, rng: Generator) -> np.ndarray:
    """Smooth noise over the lesion's canvas; `size` of its hills in lesion radii."""
    return noise(rng, CANVAS, CANVAS, round(size * UNIT))


def blur(mask: np.ndarray, radius: float) -> np.ndarray:
    """Soften `mask`; `radius` in lesion radii."""
    return cv2.GaussianBlur(mask, (0, 0), radius * UNIT)


def step(height: np.ndarray, width: float) -> np.ndarray:
    """Smooth step: 0 below -width/2, 1 above +width/2."""
    share = np.clip(height / width + 0.5, 0, 1)
    return share * share * (3 - 2 * share)


def scatter(count: int, reach: float, rng: Generator) -> np.ndarray:
    """Places (count, 2) spread evenly over a disk of radius `reach` (a jittered sunflower)."""
    number = np.arange(count) + 0.5
    angle = number * np.pi * (3 - np.sqrt(5)) + rng.uniform(0, 2 * np.pi)
    radius = reach * np.sqrt(number / count)
    places = np.stack((radius * np.cos(angle), radius * np.sin(angle)), 1)
    return places + rng.normal(0, 0.2 * reach / np.sqrt(count), places.shape)


def disk(mask: np.ndarray, x: float, y: float, radius: float, rng: Generator) -> None:
    """Fill a slightly oval disk in `mask`; place and radius in lesion radii."""
    axes = (radius * UNIT * rng.uniform(0.8, 1), radius * UNIT)
    box = (
        (float(x + REACH) * UNIT, float(y + REACH) * UNIT),
        (2 * axes[0], 2 * axes[1]),
        rng.uniform(0, 180),
    )
    cv2.ellipse(mask, box, 1.0, -1, cv2.LINE_AA)


def mottle(depth: np.ndarray, rng: Generator) -> np.ndarray:
    """Uneven pigment (any lesion): clouds of 3 sizes, a centre darker or lighter than the rim."""
    sizes = ((0.6, 0.09), (0.24, 0.06), (0.1, 0.04))
    uneven = sum(height * clouds(cell, rng) for cell, height in sizes)
    return 1 + rng.uniform(0.5, 1.3) * uneven + rng.uniform(-0.22, 0.1) * (1 - np.minimum(depth, 1))
