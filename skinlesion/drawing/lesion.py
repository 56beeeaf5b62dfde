"""The canvas of a lesion, on which its mean radius is 1, and the structures of dermatoscopy that are drawn on it.

Every CPU draws the same bytes, because only operations with the same result on all CPUs are used:
- NumPy's + - * / and square root, element by element (IEEE 754 fixes every bit);
- OpenCV on bytes, which it draws and interpolates in integers.
Do not use np.cos, np.arctan2, np.hypot, `@` or OpenCV on floats: their last bits differ between CPUs. Random numbers
come from integers; only the rare tails of rng.normal use a logarithm, and float32 drops its last bit.
"""

from collections.abc import Callable

import cv2
import numpy as np

from skinlesion.drawing.noise import Generator, cosine, scatter_points, smooth_noise, smooth_step, unit_vector

CANVAS = 176  # px per side of the lesion's own canvas
REACH = 1.6  # lesion radii from the centre of the canvas to its side
UNIT = CANVAS / (2 * REACH)  # px per lesion radius
# Position of each pixel from the centre, in lesion radii.
Y, X = (np.mgrid[:CANVAS, :CANVAS].astype(np.float32) + 0.5) / np.float32(UNIT) - np.float32(REACH)


class Canvas:
    """A lesion: its `colour` (3, CANVAS, CANVAS), RGB in 0-255, and `depth`, 0 in the centre and 1 on the outline."""

    def __init__(self, ground: np.ndarray, depth: np.ndarray, rng: Generator) -> None:
        self.colour = as_planes(ground) * mottle(depth, rng)
        self.depth = depth

    def paint(self, colour: tuple[float, ...] | np.ndarray, mask: np.ndarray) -> None:
        """Blend in `colour`, (3,) or (3, CANVAS, CANVAS), with the opacity `mask` (CANVAS, CANVAS)."""
        self.colour += np.clip(mask, 0, 1) * (as_planes(colour) - self.colour)

    def distance(self, x: float, y: float) -> np.ndarray:
        """Return the distance of each pixel to a point, in lesion radii."""
        return np.sqrt((X - float(x)) ** 2 + (Y - float(y)) ** 2)


def as_planes(colour: tuple[float, ...] | np.ndarray) -> np.ndarray:
    """Return a colour (3,) as (3, 1, 1) and an image (3, rows, columns) as it is, in float32."""
    colour = np.asarray(colour, np.float32)
    return colour[:, None, None] if colour.ndim == 1 else colour


def noise_map(size: float, rng: Generator) -> np.ndarray:
    """Return smooth noise (CANVAS, CANVAS) with hills `size` lesion radii wide."""
    return smooth_noise(rng, CANVAS, CANVAS, round(size * UNIT))


def blur(mask: np.ndarray, radius: float) -> np.ndarray:
    """Return a mask that was drawn with 255 as blurred opacity 0-1; `radius` in lesion radii."""
    return cv2.GaussianBlur(mask, (0, 0), radius * UNIT) / np.float32(255)


def draw_disk(mask: np.ndarray, x: float, y: float, radius: float, rng: Generator) -> None:
    """Fill a slightly oval disk in `mask`; centre and radius in lesion radii."""
    centre = (float(x + REACH) * UNIT, float(y + REACH) * UNIT)
    axes = (2 * (radius * UNIT * rng.uniform(0.8, 1)), 2 * (radius * UNIT))
    cv2.ellipse(mask, (centre, axes, rng.uniform(0, 180)), 255, -1, cv2.LINE_AA)


def draw_line(mask: np.ndarray, points: np.ndarray, value: int, width: int) -> None:
    """Draw a smooth line through `points` (N, 2) in `mask`, in px, with the grey level `value`."""
    fine = np.rint(points * 16).astype(np.int32)
    cv2.polylines(mask, [fine], False, value, width, cv2.LINE_AA, shift=4)


def mottle(depth: np.ndarray, rng: Generator) -> np.ndarray:
    """Return factors for uneven pigment (CANVAS, CANVAS): noise of 3 sizes, a centre darker or lighter than the rim."""
    uneven = sum(height * noise_map(size, rng) for size, height in ((0.6, 0.09), (0.24, 0.06), (0.1, 0.04)))
    return 1 + rng.uniform(0.5, 1.3) * uneven + rng.uniform(-0.22, 0.1) * (1 - np.minimum(depth, 1))


def draw_network(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Draw a regular pigment network (nv): a honeycomb of dark lines that fades towards the edge."""
    spacing, turn = rng.uniform(0.15, 0.2), rng.uniform(0, 0.5)
    x = X + 0.045 * noise_map(0.34, rng)
    y = Y + 0.045 * noise_map(0.34, rng)
    sides = [unit_vector(turn + third / 6) / spacing for third in range(3)]
    comb = sum(cosine(x * float(right) + y * float(down)) for right, down in sides)
    inside = smooth_step(1.0 - canvas.depth, 0.5) * (0.8 + 0.35 * noise_map(0.45, rng))
    holes = smooth_step(comb, 3.0)
    canvas.paint(canvas.colour * 0.54, strength * inside * (1 - holes))
    canvas.paint(np.minimum(canvas.colour * 1.14, 225), strength * inside * holes)


def draw_blotches(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Draw irregular colours (mel): eccentric blotches in dark brown, red, blue-grey and black."""
    side = rng.random()
    colours = ((88, 54, 40), (164, 84, 78), (118, 124, 144), (40, 30, 32))
    for number, colour in enumerate(colours):
        offset, size = rng.uniform(0.35, 0.6), rng.uniform(0.34, 0.52)
        distance = canvas.distance(*offset * unit_vector(side + 0.27 * number + rng.normal(0, 0.064)))
        distance += 0.12 * noise_map(0.3, rng) + 0.06 * noise_map(0.08, rng)
        canvas.paint(as_planes(colour) * mottle(canvas.depth, rng), 0.9 * strength * smooth_step(size - distance, 0.34))


def draw_dots(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Draw milia-like cysts and comedo-like openings (bkl): many bright and dark dots."""
    for colour, count in (((246, 232, 196), 17), ((58, 36, 26), 11)):
        mask = np.zeros((CANVAS, CANVAS), np.uint8)
        for x, y in scatter_points(int(count * rng.uniform(0.75, 1.25)), 0.85, rng):
            draw_disk(mask, x, y, rng.uniform(0.035, 0.09), rng)
        canvas.paint(colour, 0.9 * strength * blur(mask, 0.02))


def draw_wax(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Draw a waxy, stuck-on surface (bkl): furrows and a darker rim at a sharp border."""
    furrows = np.abs(noise_map(0.22, rng))
    canvas.paint(canvas.colour * 0.7, 0.6 * strength * smooth_step(0.16 - furrows, 0.2))
    canvas.paint(canvas.colour * 0.72, 0.7 * strength * smooth_step(canvas.depth - 0.9, 0.1))


def draw_vessels(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Draw arborising vessels (bcc): sharp red trees that branch from the border inwards."""
    mask = np.zeros((CANVAS, CANVAS), np.uint8)
    start = rng.random()
    for number in range(3):
        turns = start + number / 3 + rng.normal(0, 0.05)
        draw_branch(mask, 0.95 * unit_vector(turns), turns + 0.5 + rng.normal(0, 0.06), 0.06, rng)
    canvas.paint((156, 30, 40), 0.9 * strength * blur(mask, 0.012))


def draw_branch(mask: np.ndarray, start: np.ndarray, turns: float, width: float, rng: Generator) -> None:
    """Draw a wavy vessel from `start` (2,), then two thinner branches at its end, and so on while they are visible."""
    points = [start]
    for _ in range(4):
        turns += rng.normal(0, 0.05)
        points.append(points[-1] + 0.11 * unit_vector(turns))
    draw_line(mask, (np.array(points) + REACH) * UNIT, 255, max(1, round(width * UNIT)))
    if width > 0.022:
        for turn in (-0.1, 0.1):
            draw_branch(mask, points[-1], turns + turn + rng.normal(0, 0.03), width * 0.68, rng)


def draw_ovoids(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Draw blue-grey ovoid nests (bcc)."""
    mask = np.zeros((CANVAS, CANVAS), np.uint8)
    for x, y in scatter_points(int(rng.integers(4, 7)), 0.75, rng):
        draw_disk(mask, x, y, rng.uniform(0.12, 0.19), rng)
    canvas.paint((88, 94, 124), 0.9 * strength * blur(mask, 0.03))


def draw_scales(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Draw surface scale (akiec): rough-edged white and yellow patches."""
    inside = smooth_step(0.95 - canvas.depth, 0.4)
    for colour, cut in (((232, 206, 150), 0.35), ((246, 238, 228), 0.6)):
        rough = 0.8 * noise_map(0.3, rng) + 0.45 * noise_map(0.09, rng)
        canvas.paint(colour, 0.8 * strength * inside * smooth_step(rough - cut, 0.7))


def draw_scar(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Draw a white scar-like centre within a brown ring (df)."""
    x, y = rng.uniform(-0.12, 0.12, 2)
    distance = canvas.distance(x, y) + 0.06 * noise_map(0.24, rng)
    canvas.paint(canvas.colour * 0.8, strength * smooth_step(0.2 - np.abs(canvas.depth - 0.75), 0.4))
    canvas.paint((236, 214, 206), 0.9 * strength * smooth_step(rng.uniform(0.4, 0.55) - distance, 0.4))


def draw_lacunae(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Draw red-purple lacunae (vasc): sharply bordered round lakes of blood, close together."""
    purple = rng.uniform(0, 1)
    for x, y in scatter_points(int(rng.integers(9, 14)), 0.78, rng):
        mask = np.zeros((CANVAS, CANVAS), np.uint8)
        draw_disk(mask, x, y, rng.uniform(0.16, 0.3), rng)
        red = np.array((168, 24, 40)) + purple * np.array((-62, 8, 44))
        lake = blur(mask, 0.05)
        canvas.paint(red * rng.uniform(0.55, 0.75), 0.8 * strength * smooth_step(lake - 0.4, 0.5))
        canvas.paint(red * rng.uniform(0.9, 1.2), 0.8 * strength * smooth_step(lake - 0.8, 0.6))


STRUCTURES: dict[str, Callable[[Canvas, float, Generator], None]] = {
    draw.__name__.removeprefix("draw_"): draw
    for draw in (draw_network, draw_blotches, draw_dots, draw_wax, draw_vessels, draw_ovoids, draw_scales, draw_scar,
                 draw_lacunae)
}  # fmt: skip
