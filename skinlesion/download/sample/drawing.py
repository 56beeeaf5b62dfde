"""Dermatoscopic pictures by code: a lesion in its own frame, then one view of it on skin.

A lesion is drawn on a square canvas on which its mean radius is 1; a view turns, scales and shifts
that canvas onto skin, adds hairs, vignette and light.
"""

from dataclasses import dataclass
from math import sqrt

import cv2
import numpy as np

from skinlesion.download.sample.canvas import (
    CANVAS,
    NORMAL,
    REACH,
    UNIT,
    Canvas,
    Generator,
    clouds,
    cosine,
    direction,
    line,
    mottle,
    noise,
    planes,
    step,
)
from skinlesion.download.sample.structures import STRUCTURES

WIDTH, HEIGHT = 200, 150
ATYPICAL_SHARE = 0.075  # of the lesions; their structures are hardly seen
ATYPICAL_STRENGTH = 0.3

SKINS = np.array([(232, 190, 172), (222, 168, 158), (208, 160, 134), (236, 184, 184)], np.float32)
BROWN = np.array((148, 98, 70), np.float32)
PINK = np.array((206, 116, 112), np.float32)

# Where each pixel of the lesion's canvas lies: in lesion radii, and in which of TURN directions.
TURN = 4096
Y, X = (np.mgrid[:CANVAS, :CANVAS].astype(np.float32) + 0.5) / np.float32(UNIT) - np.float32(REACH)
RADIUS = np.sqrt(X * X + Y * Y)
ANGLE = np.rint(np.arctan2(Y, X, dtype=np.float64) * (TURN / (2 * np.pi))).astype(int) % TURN  # rounds last bits away


@dataclass(frozen=True)
class Appearance:
    """How a class looks: its ground and outline, then the structures on it with strengths 0-1.

    `redness` is the mean place of the ground's colour between brown (0) and pink (1);
    `irregularity` the size of the outline's waves, `softness` the width of its edge, both in
    lesion radii.
    """

    redness: float
    irregularity: float
    softness: float
    structures: dict[str, float]


def draw_image(appearance: Appearance, seed: int, lesion: int, view: int) -> np.ndarray:
    """Draw one view of one lesion: uint8 RGB (HEIGHT, WIDTH, 3), fixed by the arguments."""
    of_lesion = np.random.default_rng([seed, lesion])
    of_view = np.random.default_rng([seed, lesion, view + 1])  # [a, b] and [a, b, 0] are one seed
    size = of_lesion.uniform(0.44, 0.76) * HEIGHT / 2
    shares = of_lesion.random((len(SKINS), 1)) ** 2
    tone = (shares * SKINS).sum(0) / shares.sum() * of_lesion.uniform(0.84, 1.04)
    drawn = draw_lesion(appearance, of_lesion)
    image = skin(tone, of_view)
    add_lesion(image, drawn, size, of_view)
    add_hairs(image, of_view)
    return photograph(image, of_view)


def draw_lesion(appearance: Appearance, rng: Generator) -> np.ndarray:
    """Draw the lesion on its canvas: uint8 (CANVAS, CANVAS, 4), RGB and how far it covers the skin."""
    typical = 1.0 if rng.random() >= ATYPICAL_SHARE else ATYPICAL_STRENGTH
    depth = RADIUS / outline(appearance.irregularity, rng)[ANGLE]
    redness = np.clip(rng.normal(appearance.redness, 0.22), -0.1, 1.1)
    ground = (BROWN + redness * (PINK - BROWN)) * rng.uniform(0.78, 1.2)
    canvas = Canvas(planes(ground) * mottle(depth, rng), X, Y, depth)
    for name, strength in appearance.structures.items():
        STRUCTURES[name](canvas, strength * typical * rng.uniform(0.65, 1), rng)
    grain = clouds(0.04, rng)
    wavy = depth + 0.05 * clouds(0.26, rng) + 0.03 * clouds(0.09, rng)
    coverage = step(1 - wavy, appearance.softness) * (0.95 + 0.05 * np.clip(grain, -1, 1)) * rng.uniform(0.84, 0.98)
    return cv2.merge([to_bytes(plane) for plane in (*canvas.colour * (1 + 0.035 * grain), 255 * coverage)])


def outline(irregularity: float, rng: Generator) -> np.ndarray:
    """Radius of the outline in each of TURN directions: an ellipse with waves."""
    turns = np.arange(TURN, dtype=np.float32) / TURN
    radius = 1 + rng.uniform(0.02, 0.16) * cosine(2 * turns + rng.random())
    for waves in (1, 3, 4, 5, 7, 9):
        height = irregularity * rng.uniform(0.4, 1.0) / sqrt(waves)
        radius += height * cosine(waves * turns + rng.random())
    return np.maximum(radius, 0.3)


def skin(tone: np.ndarray, rng: Generator) -> np.ndarray:
    """Skin around the lesion: float32 (3, HEIGHT, WIDTH)."""
    shade = 1 + 0.025 * noise(rng, HEIGHT, WIDTH, 45) + 0.012 * noise(rng, HEIGHT, WIDTH, 3)
    return planes(tone) * shade + planes((1.5, -3, -2.5)) * noise(rng, HEIGHT, WIDTH, 20)


def add_lesion(image: np.ndarray, lesion: np.ndarray, size: float, rng: Generator) -> None:
    """Blend the lesion into `image`, turned, scaled, shifted; `size` is its radius there in px."""
    right, down = direction(rng.random()) * UNIT / (size * rng.uniform(0.9, 1.1))
    across = np.arange(WIDTH) - WIDTH * (0.5 + rng.normal(0, 0.035))
    along = np.arange(HEIGHT)[:, None] - HEIGHT * (0.5 + rng.normal(0, 0.035))
    columns = (right * across - down * along + CANVAS / 2).astype(np.float32)
    rows = (down * across + right * along + CANVAS / 2).astype(np.float32)
    *colour, cover = cv2.split(cv2.remap(lesion, *cv2.convertMaps(columns, rows, cv2.CV_16SC2), cv2.INTER_LINEAR))
    image += cover / np.float32(255) * (colour - image)


def add_hairs(image: np.ndarray, rng: Generator) -> None:
    """Draw hairs over some images: long, slightly bent, dark."""
    if rng.random() < 0.6:
        return
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    steps = np.linspace(-1, 1, 24)
    lie = rng.uniform(0, 0.5)
    for _ in range(rng.integers(2, 12)):
        right, down = direction(lie + rng.normal(0, 0.064))
        along, across = steps * rng.uniform(0.2, 0.6) * WIDTH, rng.normal(0, 20) * steps**2
        points = np.stack((along * right - across * down, along * down + across * right), 1)
        width = int(rng.choice((1, 1, 1, 2)))
        line(mask, points + rng.uniform((0, 0), (WIDTH, HEIGHT)), int(rng.integers(120, 256)), width)
    image += 0.75 * cv2.GaussianBlur(mask, (0, 0), 0.4) / np.float32(255) * (planes((54, 38, 32)) - image)


def photograph(image: np.ndarray, rng: Generator) -> np.ndarray:
    """Add the camera: focus, light and its colour, vignette and sensor noise; uint8 RGB (HEIGHT, WIDTH, 3)."""
    focus = rng.uniform(0.2, 0.55)
    image = np.stack([cv2.GaussianBlur(plane, (0, 0), focus) for plane in to_bytes(image)])
    x = np.linspace(-1, 1, WIDTH, dtype=np.float32)
    y = np.linspace(-1, 1, HEIGHT, dtype=np.float32)[:, None]
    vignette = float(rng.choice((0.0, 0.12, 0.3, 0.75), p=(0.35, 0.3, 0.2, 0.15)))
    corner = np.sqrt((x - rng.normal(0, 0.05)) ** 2 + ((y - rng.normal(0, 0.05)) * HEIGHT / WIDTH) ** 2)
    dark = np.clip((corner - 0.72) / 0.42, 0, 1)
    light = 1 - vignette * dark * np.sqrt(dark)
    light *= (1 + rng.normal(0, 0.03) * x + rng.normal(0, 0.03) * y) * rng.uniform(0.86, 1.1)
    grain = cv2.LUT(np.frombuffer(rng.bytes(image.size), np.uint8), NORMAL).reshape(image.shape)
    return cv2.merge(to_bytes(image * light * planes(rng.normal(1, 0.025, 3)) + 1.6 * grain))


def to_bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
