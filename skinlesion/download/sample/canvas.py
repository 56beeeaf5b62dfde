"""The lesion's own frame, on which its mean radius is 1, and the tools to draw on it.

Every CPU draws the same bytes. Use only operations whose result is the same on all of them:
- NumPy's + - * / and square root, element by element (IEEE 754 fixes every bit);
- OpenCV on bytes, where it draws and interpolates in integers.
Not np.cos, np.arctan2, np.hypot, `@`, nor OpenCV on floats: their last bits differ between CPUs. Random numbers come
from integers; only the rare tails of rng.normal take a logarithm, and its last bit is lost when it becomes float32.
"""

from dataclasses import dataclass
from statistics import NormalDist

import cv2
import numpy as np

CANVAS = 176  # px per side of the lesion's own canvas
REACH = 1.6  # lesion radii from the canvas's centre to its side
UNIT = CANVAS / (2 * REACH)  # px per lesion radius

Generator = np.random.Generator

# Makes a standard normal number of a random byte: the distribution at 256 even steps of probability, to 1/64.
NORMAL = np.array([round(64 * NormalDist().inv_cdf((byte + 0.5) / 256)) / 64 for byte in range(256)], np.float32)


@dataclass
class Canvas:
    """The lesion's frame: its colour (3, CANVAS, CANVAS), RGB in 0-255, and where each pixel lies.

    `x`, `y` are in lesion radii; `depth` is 0 in the centre and 1 on the outline.
    """

    colour: np.ndarray
    x: np.ndarray
    y: np.ndarray
    depth: np.ndarray

    def paint(self, colour: tuple[float, ...] | np.ndarray, mask: np.ndarray) -> None:
        """Blend `colour`, (3,) or as the canvas's, in where `mask` (CANVAS, CANVAS) is above 0; 1 covers."""
        self.colour += np.clip(mask, 0, 1) * (planes(colour) - self.colour)

    def distance(self, x: float, y: float) -> np.ndarray:
        """How far each pixel is from a place, in lesion radii."""
        return np.sqrt((self.x - float(x)) ** 2 + (self.y - float(y)) ** 2)


def planes(colour: tuple[float, ...] | np.ndarray) -> np.ndarray:
    """A colour (3,) as (3, 1, 1); one for each pixel, (3, rows, columns), as it is. float32."""
    colour = np.asarray(colour, np.float32)
    return colour[:, None, None] if colour.ndim == 1 else colour


def cosine(turns: np.ndarray | float) -> np.ndarray | float:
    """Cosine of angles in turns, to five digits, by its power series."""
    square = turns - np.rint(turns)
    square = square * square
    total = 0.0
    for coefficient in (0.2820, -1.7144, 7.9035, -26.4263, 60.2446, -85.4568, 64.9394, -19.7392, 1.0):
        total = total * square + coefficient
    return total


def direction(turns: float) -> np.ndarray:
    """Cosine and sine (2,) of an angle in turns."""
    return np.array((cosine(turns), cosine(turns - 0.25)))


def noise(rng: Generator, rows: int, columns: int, cell: int) -> np.ndarray:
    """Smooth noise (rows, columns), mean 0, deviation about 0.8, with hills `cell` px wide."""
    shape = -(-columns // cell) + 3, -(-rows // cell) + 3
    points = NORMAL[np.frombuffer(rng.bytes(shape[0] * shape[1]), np.uint8).reshape(shape)]
    return interpolate(interpolate(points, cell)[:columns].T.copy(), cell)[:rows]


def interpolate(points: np.ndarray, cell: int) -> np.ndarray:
    """Cubic interpolation down the rows, `cell` for one: (n, columns) become ((n - 3) * cell, columns)."""
    share = (np.arange(cell, dtype=np.float32) / cell)[:, None]
    rest = 1 - share
    weights = (
        -share * rest * rest / 2,
        (1.5 * share - 2.5) * share * share + 1,
        (1.5 * rest - 2.5) * rest * rest + 1,
        -rest * share * share / 2,
    )
    between = sum(weight * points[row : len(points) - 3 + row, None] for row, weight in enumerate(weights))
    return between.reshape(-1, points.shape[1])


def clouds(size: float, rng: Generator) -> np.ndarray:
    """Smooth noise over the lesion's canvas; `size` of its hills in lesion radii."""
    return noise(rng, CANVAS, CANVAS, round(size * UNIT))


def blank() -> np.ndarray:
    """A mask (CANVAS, CANVAS) to draw on with 255."""
    return np.zeros((CANVAS, CANVAS), np.uint8)


def blur(mask: np.ndarray, radius: float) -> np.ndarray:
    """A drawn mask, softened, as shares 0-1; `radius` in lesion radii."""
    return cv2.GaussianBlur(mask, (0, 0), radius * UNIT) / np.float32(255)


def step(height: np.ndarray, width: float) -> np.ndarray:
    """Smooth step: 0 below -width/2, 1 above +width/2."""
    share = np.clip(height / width + 0.5, 0, 1)
    return share * share * (3 - 2 * share)


def scatter(count: int, reach: float, rng: Generator) -> np.ndarray:
    """Places (count, 2) spread evenly over a disk of radius `reach` (a jittered sunflower)."""
    number = np.arange(count) + 0.5
    turns = number * (3 - np.sqrt(5)) / 2 + rng.random()
    places = reach * np.sqrt(number / count) * direction(turns)
    return places.T + rng.normal(0, 0.2 * reach / np.sqrt(count), (count, 2))


def disk(mask: np.ndarray, x: float, y: float, radius: float, rng: Generator) -> None:
    """Fill a slightly oval disk in `mask`; place and radius in lesion radii."""
    axes = (radius * UNIT * rng.uniform(0.8, 1), radius * UNIT)
    box = (
        (float(x + REACH) * UNIT, float(y + REACH) * UNIT),
        (2 * axes[0], 2 * axes[1]),
        rng.uniform(0, 180),
    )
    cv2.ellipse(mask, box, 255, -1, cv2.LINE_AA)


def line(mask: np.ndarray, points: np.ndarray, value: int, width: int) -> None:
    """Draw a smooth line through `points` (N, 2) in `mask`, both in px, in the grey level `value`."""
    fine = np.rint(points * 16).astype(np.int32)
    cv2.polylines(mask, [fine], False, value, width, cv2.LINE_AA, shift=4)


def mottle(depth: np.ndarray, rng: Generator) -> np.ndarray:
    """Uneven pigment (any lesion): clouds of 3 sizes, a centre darker or lighter than the rim."""
    sizes = ((0.6, 0.09), (0.24, 0.06), (0.1, 0.04))
    uneven = sum(height * clouds(cell, rng) for cell, height in sizes)
    return 1 + rng.uniform(0.5, 1.3) * uneven + rng.uniform(-0.22, 0.1) * (1 - np.minimum(depth, 1))
