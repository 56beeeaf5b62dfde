"""Draw synthetic dermatoscopic images.

A lesion is drawn on a square canvas, on which its mean radius is 1. A view rotates, scales and shifts that canvas onto
skin, and adds hairs, vignette and light.
"""

from dataclasses import dataclass
from math import sqrt

import cv2
import numpy as np

from skinlesion.drawing.lesion import CANVAS, STRUCTURES, UNIT, Canvas, X, Y, as_planes, draw_line, noise_map
from skinlesion.drawing.noise import NORMAL, Generator, cosine, smooth_noise, smooth_step, unit_vector

WIDTH, HEIGHT = 200, 150
JPEG_QUALITY = 92
ATYPICAL_SHARE, ATYPICAL_STRENGTH = 0.075, 0.3  # this share of the lesions has structures of this relative strength

SKINS = np.array([(232, 190, 172), (222, 168, 158), (208, 160, 134), (236, 184, 184)], np.float32)
BROWN, PINK = np.array([(148, 98, 70), (206, 116, 112)], np.float32)

# Position of each pixel of the canvas: the distance to the centre in lesion radii, and one of TURN directions.
TURN = 4096
RADIUS = np.sqrt(X * X + Y * Y)
ANGLE = np.rint(np.arctan2(Y, X, dtype=np.float64) * (TURN / (2 * np.pi))).astype(int) % TURN  # rounds last bits away


@dataclass(frozen=True)
class Appearance:
    """The look of a class."""

    redness: float  # mean colour, from brown (0) to pink (1)
    irregularity: float  # height of the waves of the outline, lesion radii
    softness: float  # width of the edge, lesion radii
    structures: dict[str, float]  # strengths 0-1 of the rows of STRUCTURES


@dataclass(frozen=True)
class Camera:
    """How a camera differs from the sample's: factors of red, green and blue, and a darker rim in every picture."""

    cast: tuple[float, float, float] = (1, 1, 1)
    vignette: float = 0  # least share of the light that is lost in the corners


def draw_image(appearance: Appearance, seed: int, lesion: int, view: int, camera: Camera = Camera()) -> np.ndarray:
    """Draw one view of one lesion: uint8 RGB (HEIGHT, WIDTH, 3), the same for the same arguments."""
    lesion_rng = np.random.default_rng([seed, lesion])
    view_rng = np.random.default_rng([seed, lesion, view + 1])  # NumPy takes [a, b] and [a, b, 0] for the same seed
    size = lesion_rng.uniform(0.44, 0.76) * HEIGHT / 2
    shares = lesion_rng.random((len(SKINS), 1)) ** 2
    tone = (shares * SKINS).sum(0) / shares.sum() * lesion_rng.uniform(0.84, 1.04)
    canvas = draw_lesion(appearance, lesion_rng)
    image = draw_skin(tone, view_rng)
    add_lesion(image, canvas, size, view_rng)
    add_hairs(image, view_rng)
    return photograph(image, camera, view_rng)


def draw_lesion(appearance: Appearance, rng: Generator) -> np.ndarray:
    """Draw the lesion on its canvas: uint8 (CANVAS, CANVAS, 4), RGB and opacity."""
    typical = 1.0 if rng.random() >= ATYPICAL_SHARE else ATYPICAL_STRENGTH
    depth = RADIUS / draw_outline(appearance.irregularity, rng)[ANGLE]
    redness = np.clip(rng.normal(appearance.redness, 0.22), -0.1, 1.1)
    ground = (BROWN + redness * (PINK - BROWN)) * rng.uniform(0.78, 1.2)
    canvas = Canvas(ground, depth, rng)
    for name, strength in appearance.structures.items():
        STRUCTURES[name](canvas, strength * typical * rng.uniform(0.65, 1), rng)
    grain = noise_map(0.04, rng)
    wavy = depth + 0.05 * noise_map(0.26, rng) + 0.03 * noise_map(0.09, rng)
    edge = smooth_step(1 - wavy, appearance.softness)
    coverage = edge * (0.95 + 0.05 * np.clip(grain, -1, 1)) * rng.uniform(0.84, 0.98)
    return cv2.merge([to_bytes(plane) for plane in (*canvas.colour * (1 + 0.035 * grain), 255 * coverage)])


def draw_outline(irregularity: float, rng: Generator) -> np.ndarray:
    """Return the radius of the outline in each of TURN directions (TURN,): an ellipse with waves."""
    turns = np.arange(TURN, dtype=np.float32) / TURN
    radius = 1 + rng.uniform(0.02, 0.16) * cosine(2 * turns + rng.random())
    for waves in (1, 3, 4, 5, 7, 9):
        height = irregularity * rng.uniform(0.4, 1.0) / sqrt(waves)
        radius += height * cosine(waves * turns + rng.random())
    return np.maximum(radius, 0.3)


def draw_skin(tone: np.ndarray, rng: Generator) -> np.ndarray:
    """Draw skin of the mean colour `tone` (3,): float32 (3, HEIGHT, WIDTH)."""
    shade = 1 + 0.025 * smooth_noise(rng, HEIGHT, WIDTH, 45) + 0.012 * smooth_noise(rng, HEIGHT, WIDTH, 3)
    return as_planes(tone) * shade + as_planes((1.5, -3, -2.5)) * smooth_noise(rng, HEIGHT, WIDTH, 20)


def add_lesion(image: np.ndarray, lesion: np.ndarray, size: float, rng: Generator) -> None:
    """Blend the lesion into `image`, rotated, scaled and shifted; `size` is its radius in px."""
    right, down = unit_vector(rng.random()) * UNIT / (size * rng.uniform(0.9, 1.1))
    across = np.arange(WIDTH) - WIDTH * (0.5 + rng.normal(0, 0.035))
    along = np.arange(HEIGHT)[:, None] - HEIGHT * (0.5 + rng.normal(0, 0.035))
    columns = (right * across - down * along + CANVAS / 2).astype(np.float32)
    rows = (down * across + right * along + CANVAS / 2).astype(np.float32)
    *colour, cover = cv2.split(cv2.remap(lesion, *cv2.convertMaps(columns, rows, cv2.CV_16SC2), cv2.INTER_LINEAR))
    image += cover / np.float32(255) * (colour - image)


def add_hairs(image: np.ndarray, rng: Generator) -> None:
    """Draw long, slightly bent, dark hairs on 40% of the images."""
    if rng.random() < 0.6:
        return
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    steps = np.linspace(-1, 1, 24)
    growth = rng.uniform(0, 0.5)
    for _ in range(rng.integers(2, 12)):
        right, down = unit_vector(growth + rng.normal(0, 0.064))
        along, across = steps * rng.uniform(0.2, 0.6) * WIDTH, rng.normal(0, 20) * steps**2
        points = np.stack((along * right - across * down, along * down + across * right), 1)
        width = int(rng.choice((1, 1, 1, 2)))
        draw_line(mask, points + rng.uniform((0, 0), (WIDTH, HEIGHT)), int(rng.integers(120, 256)), width)
    image += 0.75 * cv2.GaussianBlur(mask, (0, 0), 0.4) / np.float32(255) * (as_planes((54, 38, 32)) - image)


def photograph(image: np.ndarray, camera: Camera, rng: Generator) -> np.ndarray:
    """Add blur, lighting, colour cast, vignette and sensor noise; return uint8 RGB (HEIGHT, WIDTH, 3)."""
    focus = rng.uniform(0.2, 0.55)
    image = np.stack([cv2.GaussianBlur(plane, (0, 0), focus) for plane in to_bytes(image)])
    x = np.linspace(-1, 1, WIDTH, dtype=np.float32)
    y = np.linspace(-1, 1, HEIGHT, dtype=np.float32)[:, None]
    vignette = max(float(rng.choice((0.0, 0.12, 0.3, 0.75), p=(0.35, 0.3, 0.2, 0.15))), camera.vignette)
    corner = np.sqrt((x - rng.normal(0, 0.05)) ** 2 + ((y - rng.normal(0, 0.05)) * HEIGHT / WIDTH) ** 2)
    dark = np.clip((corner - 0.72) / 0.42, 0, 1)
    light = 1 - vignette * dark * np.sqrt(dark)
    light *= (1 + rng.normal(0, 0.03) * x + rng.normal(0, 0.03) * y) * rng.uniform(0.86, 1.1)
    grain = cv2.LUT(np.frombuffer(rng.bytes(image.size), np.uint8), NORMAL).reshape(image.shape)
    cast = rng.normal(1, 0.025, 3) * camera.cast
    return cv2.merge(to_bytes(image * light * as_planes(cast) + 1.6 * grain))


def to_bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def encode_jpeg(image: np.ndarray) -> bytes:
    """Return an image (H, W, 3), RGB, as the bytes of a JPEG file."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
