"""Dermatoscopic pictures by code: a lesion in its own frame, then one view of it on skin.

A lesion is drawn on a square canvas on which its mean radius is 1; a view turns, scales and shifts
that canvas onto skin, adds hairs, vignette and light.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from skinlesion.data.sample.canvas import CANVAS, REACH, UNIT, Canvas, Generator, blur, clouds, mottle, noise, step
from skinlesion.data.sample.structures import STRUCTURES

WIDTH, HEIGHT = 200, 150
SUPERSAMPLING = 2
ATYPICAL_SHARE = 0.075  # of the lesions; their structures are hardly seen
ATYPICAL_STRENGTH = 0.3

SKINS = np.array([(232, 190, 172), (222, 168, 158), (208, 160, 134), (236, 184, 184)], np.float32)
BROWN = np.array((148, 98, 70), np.float32)
PINK = np.array((206, 116, 112), np.float32)


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
    size = of_lesion.uniform(0.44, 0.76) * HEIGHT * SUPERSAMPLING / 2
    tone = of_lesion.dirichlet(np.full(len(SKINS), 0.6)).astype(np.float32) @ SKINS
    tone = tone * of_lesion.uniform(0.84, 1.04)
    colour, coverage = draw_lesion(appearance, of_lesion)
    image = skin(tone, of_view)
    place(image, colour, coverage, size, of_view)
    hairs(image, of_view)
    return photograph(image, of_view)


def draw_lesion(appearance: Appearance, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw the lesion on its canvas; returns its colour and its coverage of the skin (0-1)."""
    typical = 1.0 if rng.random() >= ATYPICAL_SHARE else ATYPICAL_STRENGTH
    y, x = (np.mgrid[:CANVAS, :CANVAS].astype(np.float32) + 0.5) / UNIT - REACH
    depth = np.hypot(x, y) / outline(np.arctan2(y, x), appearance.irregularity, rng)
    redness = np.clip(rng.normal(appearance.redness, 0.22), -0.1, 1.1)
    ground = (BROWN + redness * (PINK - BROWN)) * rng.uniform(0.78, 1.2)
    canvas = Canvas(ground.astype(np.float32) * mottle(depth, rng)[..., None], x, y, depth)
    for name, strength in appearance.structures.items():
        STRUCTURES[name](canvas, strength * typical * rng.uniform(0.65, 1), rng)
    grain = clouds(0.04, rng)
    canvas.colour *= 1 + 0.035 * grain[..., None]
    wavy = depth + 0.05 * clouds(0.26, rng) + 0.03 * clouds(0.09, rng)
    coverage = step(1 - wavy, appearance.softness) * (0.95 + 0.05 * np.tanh(grain))
    return canvas.colour, blur(coverage * rng.uniform(0.84, 0.98), 0.015)


def outline(angle: np.ndarray, irregularity: float, rng: Generator) -> np.ndarray:
    """Radius of the outline at each angle: an ellipse with waves."""
    radius = 1 + rng.uniform(0.02, 0.16) * np.cos(2 * angle + rng.uniform(0, 7))
    for waves in (1, 3, 4, 5, 7, 9):
        height = irregularity * rng.uniform(0.4, 1.0) / np.sqrt(waves)
        radius += height * np.cos(waves * angle + rng.uniform(0, 7))
    return np.maximum(radius, 0.3).astype(np.float32)


def skin(tone: np.ndarray, rng: Generator) -> np.ndarray:
    """Skin around the lesion: float32 (rows, columns, 3) at the supersampled size."""
    rows, columns = HEIGHT * SUPERSAMPLING, WIDTH * SUPERSAMPLING
    shade = 1 + 0.025 * noise(rng, rows, columns, 90) + 0.012 * noise(rng, rows, columns, 5)
    flush = noise(rng, rows, columns, 40)[..., None] * np.array((1.5, -3, -2.5), np.float32)
    return tone.astype(np.float32) * shade[..., None] + flush


def place(image: np.ndarray, colour: np.ndarray, coverage: np.ndarray, size: float, rng: Generator) -> None:
    """Blend the lesion into `image`, turned, scaled, shifted; `size` is its radius there in px."""
    scale = size * rng.uniform(0.9, 1.1) / UNIT
    warp = cv2.getRotationMatrix2D((CANVAS / 2, CANVAS / 2), rng.uniform(0, 360), scale)
    rows, columns = image.shape[:2]
    centre = np.array((columns, rows)) * (0.5 + rng.normal(0, 0.035, 2))
    warp[:, 2] += centre - CANVAS / 2
    cover = cv2.warpAffine(coverage, warp, (columns, rows))[..., None]
    image += cover * (cv2.warpAffine(colour, warp, (columns, rows)) - image)


def hairs(image: np.ndarray, rng: Generator) -> None:
    """Draw hairs over some images: long, slightly bent, dark."""
    if rng.random() < 0.6:
        return
    rows, columns = image.shape[:2]
    mask = np.zeros((rows, columns), np.float32)
    steps = np.linspace(-1, 1, 24)
    lie = rng.uniform(0, np.pi)
    for _ in range(rng.integers(2, 12)):
        angle, bend = lie + rng.normal(0, 0.4), rng.normal(0, 40)
        along = steps * rng.uniform(0.2, 0.6) * columns
        across = bend * steps**2
        turn = np.array(((np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))))
        points = np.stack((along, across), 1) @ turn.T + rng.uniform((0, 0), (columns, rows))
        cv2.polylines(mask, [points.astype(np.int32)], False, 1.0, int(rng.integers(1, 4)), cv2.LINE_AA)
    image += 0.75 * cv2.GaussianBlur(mask, (0, 0), 0.8)[..., None] * (np.array((54, 38, 32), np.float32) - image)


def photograph(image: np.ndarray, rng: Generator) -> np.ndarray:
    """Add the camera: focus, the final size, light and its colour, vignette and sensor noise."""
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.1))
    image = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    vignette = rng.choice((0.0, 0.12, 0.3, 0.75), p=(0.35, 0.3, 0.2, 0.15))
    corner = np.hypot(x - rng.normal(0, 0.05), (y - rng.normal(0, 0.05)) * HEIGHT / WIDTH)
    light = 1 - vignette * np.clip((corner - 0.72) / 0.42, 0, 1) ** 1.5
    light = light * (1 + rng.normal(0, 0.03) * x + rng.normal(0, 0.03) * y) * rng.uniform(0.86, 1.1)
    image = image * light[..., None] * rng.normal(1, 0.025, 3)
    image += rng.normal(0, 1.6, image.shape)
    return np.clip(np.round(image), 0, 255).astype(np.uint8)
