"""Dermatoscopic pictures by code: a lesion in its own frame, then one view of it on skin.

A lesion is drawn on a square canvas on which its mean radius is 1; a view turns, scales and shifts
that canvas onto skin, adds hairs, vignette and light. The cues per class are the usual criteria of
dermatoscopy (pigment network, milia-like cysts, arborising vessels, lacunae ...), simplified.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

WIDTH, HEIGHT = 200, 150
SUPERSAMPLING = 2
CANVAS = 256  # px per side of the lesion's own canvas
REACH = 1.6  # lesion radii from the canvas's centre to its side
UNIT = CANVAS / (2 * REACH)  # px per lesion radius
ATYPICAL_SHARE = 0.075  # of the lesions; their structures are hardly seen
ATYPICAL_STRENGTH = 0.3

SKINS = np.array([(232, 190, 172), (222, 168, 158), (208, 160, 134), (236, 184, 184)], np.float32)
BROWN = np.array((148, 98, 70), np.float32)
PINK = np.array((206, 116, 112), np.float32)

Generator = np.random.Generator


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


def draw_image(appearance: Appearance, seed: int, lesion: int, view: int) -> np.ndarray:
    """Draw one view of one lesion: uint8 RGB (HEIGHT, WIDTH, 3), fixed by the arguments."""
    of_lesion = np.random.default_rng([seed, lesion])
    of_view = np.random.default_rng([seed, lesion, view + 1])  # [a, b] and [a, b, 0] are one seed
    size = of_lesion.uniform(0.44, 0.76) * HEIGHT * SUPERSAMPLING / 2
    tone = of_lesion.dirichlet(np.full(len(SKINS), 0.6)).astype(np.float32) @ SKINS
    tone = tone * of_lesion.uniform(0.84, 1.04)
    colour, coverage = _lesion(appearance, of_lesion)
    image = _skin(tone, of_view)
    _place(image, colour, coverage, size, of_view)
    _hairs(image, of_view)
    return _photograph(image, of_view)


def _lesion(appearance: Appearance, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw the lesion on its canvas; returns its colour and its coverage of the skin (0-1)."""
    typical = 1.0 if rng.random() >= ATYPICAL_SHARE else ATYPICAL_STRENGTH
    y, x = (np.mgrid[:CANVAS, :CANVAS].astype(np.float32) + 0.5) / UNIT - REACH
    depth = np.hypot(x, y) / _outline(np.arctan2(y, x), appearance.irregularity, rng)
    redness = np.clip(rng.normal(appearance.redness, 0.22), -0.1, 1.1)
    ground = (BROWN + redness * (PINK - BROWN)) * rng.uniform(0.78, 1.2)
    canvas = Canvas(ground.astype(np.float32) * _mottle(depth, rng)[..., None], x, y, depth)
    for name, strength in appearance.structures.items():
        STRUCTURES[name](canvas, strength * typical * rng.uniform(0.65, 1), rng)
    grain = _clouds(0.04, rng)
    canvas.colour *= 1 + 0.035 * grain[..., None]
    wavy = depth + 0.05 * _clouds(0.26, rng) + 0.03 * _clouds(0.09, rng)
    coverage = _step(1 - wavy, appearance.softness) * (0.95 + 0.05 * np.tanh(grain))
    return canvas.colour, _blur(coverage * rng.uniform(0.84, 0.98), 0.015)


def _mottle(depth: np.ndarray, rng: Generator) -> np.ndarray:
    """Uneven pigment (any lesion): clouds of 3 sizes, a centre darker or lighter than the rim."""
    sizes = ((0.6, 0.09), (0.24, 0.06), (0.1, 0.04))
    clouds = sum(height * _clouds(cell, rng) for cell, height in sizes)
    return 1 + rng.uniform(0.5, 1.3) * clouds + rng.uniform(-0.22, 0.1) * (1 - np.minimum(depth, 1))


def _outline(angle: np.ndarray, irregularity: float, rng: Generator) -> np.ndarray:
    """Radius of the outline at each angle: an ellipse with waves."""
    radius = 1 + rng.uniform(0.02, 0.16) * np.cos(2 * angle + rng.uniform(0, 7))
    for waves in (1, 3, 4, 5, 7, 9):
        height = irregularity * rng.uniform(0.4, 1.0) / np.sqrt(waves)
        radius += height * np.cos(waves * angle + rng.uniform(0, 7))
    return np.maximum(radius, 0.3).astype(np.float32)


def _network(canvas: Canvas, strength: float, rng: Generator) -> None:
    """A regular pigment network (nv): a honeycomb of dark lines that fades towards the edge."""
    waves, turn = 2 * np.pi / rng.uniform(0.15, 0.2), rng.uniform(0, np.pi)
    x = canvas.x + 0.045 * _clouds(0.34, rng)
    y = canvas.y + 0.045 * _clouds(0.34, rng)
    turns = turn + np.arange(3) * np.pi / 3
    comb = sum(np.cos(waves * (x * np.cos(t) + y * np.sin(t))) for t in turns)
    inside = _step(1.0 - canvas.depth, 0.5) * (0.8 + 0.35 * _clouds(0.45, rng))
    holes = _step(comb, 3.0)
    canvas.paint(canvas.colour * 0.54, strength * inside * (1 - holes))
    canvas.paint(np.minimum(canvas.colour * 1.14, 225), strength * inside * holes)


def _blotches(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Colours in disorder (mel): eccentric blotches, dark brown, red, blue-grey and black."""
    side = rng.uniform(0, 2 * np.pi)
    colours = ((88, 54, 40), (164, 84, 78), (118, 124, 144), (40, 30, 32))
    for number, colour in enumerate(colours):
        angle = side + number * 1.7 + rng.normal(0, 0.4)
        away, size = rng.uniform(0.35, 0.6), rng.uniform(0.34, 0.52)
        distance = np.hypot(canvas.x - away * np.cos(angle), canvas.y - away * np.sin(angle))
        distance += 0.12 * _clouds(0.3, rng) + 0.06 * _clouds(0.08, rng)
        shade = _mottle(canvas.depth, rng)[..., None]
        canvas.paint(colour * shade, 0.9 * strength * _step(size - distance, 0.34))


def _dots(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Milia-like cysts and comedo-like openings (bkl): many bright and dark dots."""
    for colour, count in (((246, 232, 196), 17), ((58, 36, 26), 11)):
        mask = np.zeros((CANVAS, CANVAS), np.float32)
        for x, y in _scatter(int(count * rng.uniform(0.75, 1.25)), 0.85, rng):
            _disk(mask, x, y, rng.uniform(0.035, 0.09), rng)
        canvas.paint(colour, 0.9 * strength * _blur(mask, 0.02))


def _wax(canvas: Canvas, strength: float, rng: Generator) -> None:
    """A waxy, stuck-on surface (bkl): furrows and a darker rim at a sharp border."""
    furrows = np.abs(_clouds(0.22, rng))
    canvas.paint(canvas.colour * 0.7, 0.6 * strength * _step(0.16 - furrows, 0.2))
    canvas.paint(canvas.colour * 0.72, 0.7 * strength * _step(canvas.depth - 0.9, 0.1))


def _vessels(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Arborising vessels (bcc): sharp red trees that branch from the border inwards."""
    mask = np.zeros((CANVAS, CANVAS), np.float32)
    start = rng.uniform(0, 2 * np.pi)
    for number in range(3):
        angle = start + number * 2 * np.pi / 3 + rng.normal(0, 0.3)
        root = np.array((np.cos(angle), np.sin(angle))) * 0.95
        _branch(mask, root, angle + np.pi + rng.normal(0, 0.4), 0.06, rng)
    canvas.paint((156, 30, 40), 0.9 * strength * _blur(mask, 0.012))


def _branch(
    mask: np.ndarray, place: np.ndarray, angle: float, width: float, rng: Generator
) -> None:
    """Draw one wavy vessel from `place`, and its two branches while wide enough to be seen."""
    for _ in range(4):
        angle += rng.normal(0, 0.3)
        onward = place + 0.11 * np.array((np.cos(angle), np.sin(angle)))
        ends = [tuple(int(v) for v in np.round((p + REACH) * UNIT)) for p in (place, onward)]
        cv2.line(mask, *ends, 1.0, max(1, round(width * UNIT)), cv2.LINE_AA)
        place = onward
    if width > 0.022:
        for turn in (-0.6, 0.6):
            _branch(mask, place, angle + turn + rng.normal(0, 0.2), width * 0.68, rng)


def _ovoids(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Blue-grey ovoid nests (bcc)."""
    mask = np.zeros((CANVAS, CANVAS), np.float32)
    for x, y in _scatter(int(rng.integers(4, 7)), 0.75, rng):
        _disk(mask, x, y, rng.uniform(0.12, 0.19), rng)
    canvas.paint((88, 94, 124), 0.9 * strength * _blur(mask, 0.03))


def _scales(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Surface scale (akiec): rough-edged white and yellow patches."""
    inside = _step(0.95 - canvas.depth, 0.4)
    for colour, cut in (((232, 206, 150), 0.35), ((246, 238, 228), 0.6)):
        rough = 0.8 * _clouds(0.3, rng) + 0.45 * _clouds(0.09, rng)
        canvas.paint(colour, 0.8 * strength * inside * _step(rough - cut, 0.7))


def _scar(canvas: Canvas, strength: float, rng: Generator) -> None:
    """A white scar-like centre within a brown ring (df)."""
    x, y = rng.uniform(-0.12, 0.12, 2)
    distance = np.hypot(canvas.x - x, canvas.y - y) + 0.06 * _clouds(0.24, rng)
    canvas.paint(canvas.colour * 0.8, strength * _step(0.2 - np.abs(canvas.depth - 0.75), 0.4))
    canvas.paint((236, 214, 206), 0.9 * strength * _step(rng.uniform(0.4, 0.55) - distance, 0.4))


def _lacunae(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Red-purple lacunae (vasc): well-bounded round lakes of blood, crowded together."""
    purple = rng.uniform(0, 1)
    for x, y in _scatter(int(rng.integers(9, 14)), 0.78, rng):
        mask = np.zeros((CANVAS, CANVAS), np.float32)
        _disk(mask, x, y, rng.uniform(0.16, 0.3), rng)
        red = np.array((168, 24, 40)) + purple * np.array((-62, 8, 44))
        lake = _blur(mask, 0.05)
        canvas.paint(red * rng.uniform(0.55, 0.75), 0.8 * strength * _step(lake - 0.4, 0.5))
        canvas.paint(red * rng.uniform(0.9, 1.2), 0.8 * strength * _step(lake - 0.8, 0.6))


STRUCTURES: dict[str, Callable[[Canvas, float, Generator], None]] = {
    "network": _network,
    "blotches": _blotches,
    "dots": _dots,
    "wax": _wax,
    "vessels": _vessels,
    "ovoids": _ovoids,
    "scales": _scales,
    "scar": _scar,
    "lacunae": _lacunae,
}


def _skin(tone: np.ndarray, rng: Generator) -> np.ndarray:
    """Skin around the lesion: float32 (rows, columns, 3) at the supersampled size."""
    rows, columns = HEIGHT * SUPERSAMPLING, WIDTH * SUPERSAMPLING
    shade = 1 + 0.025 * _noise(rng, rows, columns, 90) + 0.012 * _noise(rng, rows, columns, 5)
    flush = _noise(rng, rows, columns, 40)[..., None] * np.array((1.5, -3, -2.5), np.float32)
    return tone.astype(np.float32) * shade[..., None] + flush


def _place(
    image: np.ndarray, colour: np.ndarray, coverage: np.ndarray, size: float, rng: Generator
) -> None:
    """Blend the lesion into `image`, turned, scaled, shifted; `size` is its radius there in px."""
    scale = size * rng.uniform(0.9, 1.1) / UNIT
    warp = cv2.getRotationMatrix2D((CANVAS / 2, CANVAS / 2), rng.uniform(0, 360), scale)
    rows, columns = image.shape[:2]
    centre = np.array((columns, rows)) * (0.5 + rng.normal(0, 0.035, 2))
    warp[:, 2] += centre - CANVAS / 2
    cover = cv2.warpAffine(coverage, warp, (columns, rows))[..., None]
    image += cover * (cv2.warpAffine(colour, warp, (columns, rows)) - image)


def _hairs(image: np.ndarray, rng: Generator) -> None:
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
        cv2.polylines(
            mask, [points.astype(np.int32)], False, 1.0, int(rng.integers(1, 4)), cv2.LINE_AA
        )
    image += (
        0.75
        * cv2.GaussianBlur(mask, (0, 0), 0.8)[..., None]
        * (np.array((54, 38, 32), np.float32) - image)
    )


def _photograph(image: np.ndarray, rng: Generator) -> np.ndarray:
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


def _noise(rng: Generator, rows: int, columns: int, cell: int) -> np.ndarray:
    """Smooth noise (rows, columns), mean 0, deviation about 0.9, with hills `cell` px wide."""
    grid = rng.standard_normal((rows // cell + 3, columns // cell + 3), np.float32)
    return cv2.resize(grid, (columns, rows), interpolation=cv2.INTER_CUBIC)


def _clouds(size: float, rng: Generator) -> np.ndarray:
    """Smooth noise over the lesion's canvas; `size` of its hills in lesion radii."""
    return _noise(rng, CANVAS, CANVAS, round(size * UNIT))


def _blur(mask: np.ndarray, radius: float) -> np.ndarray:
    """Soften `mask`; `radius` in lesion radii."""
    return cv2.GaussianBlur(mask, (0, 0), radius * UNIT)


def _step(height: np.ndarray, width: float) -> np.ndarray:
    """Smooth step: 0 below -width/2, 1 above +width/2."""
    share = np.clip(height / width + 0.5, 0, 1)
    return share * share * (3 - 2 * share)


def _scatter(count: int, reach: float, rng: Generator) -> np.ndarray:
    """Places (count, 2) spread evenly over a disk of radius `reach` (a jittered sunflower)."""
    number = np.arange(count) + 0.5
    angle = number * np.pi * (3 - np.sqrt(5)) + rng.uniform(0, 2 * np.pi)
    radius = reach * np.sqrt(number / count)
    places = np.stack((radius * np.cos(angle), radius * np.sin(angle)), 1)
    return places + rng.normal(0, 0.2 * reach / np.sqrt(count), places.shape)


def _disk(mask: np.ndarray, x: float, y: float, radius: float, rng: Generator) -> None:
    """Fill a slightly oval disk in `mask`; place and radius in lesion radii."""
    axes = (radius * UNIT * rng.uniform(0.8, 1), radius * UNIT)
    box = (
        (float(x + REACH) * UNIT, float(y + REACH) * UNIT),
        (2 * axes[0], 2 * axes[1]),
        rng.uniform(0, 180),
    )
    cv2.ellipse(mask, box, 1.0, -1, cv2.LINE_AA)
