"""What a class shows: criteria of dermatoscopy (pigment network, milia-like cysts, lacunae ...), simplified."""

from collections.abc import Callable

import numpy as np

from skinlesion.download.sample.canvas import (
    REACH,
    UNIT,
    Canvas,
    Generator,
    blank,
    blur,
    clouds,
    cosine,
    direction,
    disk,
    line,
    mottle,
    planes,
    scatter,
    step,
)


def network(canvas: Canvas, strength: float, rng: Generator) -> None:
    """A regular pigment network (nv): a honeycomb of dark lines that fades towards the edge."""
    spacing, turn = rng.uniform(0.15, 0.2), rng.uniform(0, 0.5)
    x = canvas.x + 0.045 * clouds(0.34, rng)
    y = canvas.y + 0.045 * clouds(0.34, rng)
    sides = [direction(turn + third / 6) / spacing for third in range(3)]
    comb = sum(cosine(x * float(right) + y * float(down)) for right, down in sides)
    inside = step(1.0 - canvas.depth, 0.5) * (0.8 + 0.35 * clouds(0.45, rng))
    holes = step(comb, 3.0)
    canvas.paint(canvas.colour * 0.54, strength * inside * (1 - holes))
    canvas.paint(np.minimum(canvas.colour * 1.14, 225), strength * inside * holes)


def blotches(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Colours in disorder (mel): eccentric blotches, dark brown, red, blue-grey and black."""
    side = rng.random()
    colours = ((88, 54, 40), (164, 84, 78), (118, 124, 144), (40, 30, 32))
    for number, colour in enumerate(colours):
        away, size = rng.uniform(0.35, 0.6), rng.uniform(0.34, 0.52)
        distance = canvas.distance(*away * direction(side + 0.27 * number + rng.normal(0, 0.064)))
        distance += 0.12 * clouds(0.3, rng) + 0.06 * clouds(0.08, rng)
        canvas.paint(planes(colour) * mottle(canvas.depth, rng), 0.9 * strength * step(size - distance, 0.34))


def dots(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Milia-like cysts and comedo-like openings (bkl): many bright and dark dots."""
    for colour, count in (((246, 232, 196), 17), ((58, 36, 26), 11)):
        mask = blank()
        for x, y in scatter(int(count * rng.uniform(0.75, 1.25)), 0.85, rng):
            disk(mask, x, y, rng.uniform(0.035, 0.09), rng)
        canvas.paint(colour, 0.9 * strength * blur(mask, 0.02))


def wax(canvas: Canvas, strength: float, rng: Generator) -> None:
    """A waxy, stuck-on surface (bkl): furrows and a darker rim at a sharp border."""
    furrows = np.abs(clouds(0.22, rng))
    canvas.paint(canvas.colour * 0.7, 0.6 * strength * step(0.16 - furrows, 0.2))
    canvas.paint(canvas.colour * 0.72, 0.7 * strength * step(canvas.depth - 0.9, 0.1))


def vessels(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Arborising vessels (bcc): sharp red trees that branch from the border inwards."""
    mask = blank()
    start = rng.random()
    for number in range(3):
        turns = start + number / 3 + rng.normal(0, 0.05)
        branch(mask, 0.95 * direction(turns), turns + 0.5 + rng.normal(0, 0.06), 0.06, rng)
    canvas.paint((156, 30, 40), 0.9 * strength * blur(mask, 0.012))


def branch(mask: np.ndarray, place: np.ndarray, turns: float, width: float, rng: Generator) -> None:
    """Draw one wavy vessel from `place`, and its two branches while wide enough to be seen."""
    points = [place]
    for _ in range(4):
        turns += rng.normal(0, 0.05)
        points.append(points[-1] + 0.11 * direction(turns))
    line(mask, (np.array(points) + REACH) * UNIT, 255, max(1, round(width * UNIT)))
    if width > 0.022:
        for turn in (-0.1, 0.1):
            branch(mask, points[-1], turns + turn + rng.normal(0, 0.03), width * 0.68, rng)


def ovoids(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Blue-grey ovoid nests (bcc)."""
    mask = blank()
    for x, y in scatter(int(rng.integers(4, 7)), 0.75, rng):
        disk(mask, x, y, rng.uniform(0.12, 0.19), rng)
    canvas.paint((88, 94, 124), 0.9 * strength * blur(mask, 0.03))


def scales(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Surface scale (akiec): rough-edged white and yellow patches."""
    inside = step(0.95 - canvas.depth, 0.4)
    for colour, cut in (((232, 206, 150), 0.35), ((246, 238, 228), 0.6)):
        rough = 0.8 * clouds(0.3, rng) + 0.45 * clouds(0.09, rng)
        canvas.paint(colour, 0.8 * strength * inside * step(rough - cut, 0.7))


def scar(canvas: Canvas, strength: float, rng: Generator) -> None:
    """A white scar-like centre within a brown ring (df)."""
    x, y = rng.uniform(-0.12, 0.12, 2)
    distance = canvas.distance(x, y) + 0.06 * clouds(0.24, rng)
    canvas.paint(canvas.colour * 0.8, strength * step(0.2 - np.abs(canvas.depth - 0.75), 0.4))
    canvas.paint((236, 214, 206), 0.9 * strength * step(rng.uniform(0.4, 0.55) - distance, 0.4))


def lacunae(canvas: Canvas, strength: float, rng: Generator) -> None:
    """Red-purple lacunae (vasc): well-bounded round lakes of blood, crowded together."""
    purple = rng.uniform(0, 1)
    for x, y in scatter(int(rng.integers(9, 14)), 0.78, rng):
        mask = blank()
        disk(mask, x, y, rng.uniform(0.16, 0.3), rng)
        red = np.array((168, 24, 40)) + purple * np.array((-62, 8, 44))
        lake = blur(mask, 0.05)
        canvas.paint(red * rng.uniform(0.55, 0.75), 0.8 * strength * step(lake - 0.4, 0.5))
        canvas.paint(red * rng.uniform(0.9, 1.2), 0.8 * strength * step(lake - 0.8, 0.6))


STRUCTURES: dict[str, Callable[[Canvas, float, Generator], None]] = {
    "network": network,
    "blotches": blotches,
    "dots": dots,
    "wax": wax,
    "vessels": vessels,
    "ovoids": ovoids,
    "scales": scales,
    "scar": scar,
    "lacunae": lacunae,
}
