"""Noise and curves that are the same to the last bit on every CPU; lesion.py says how."""

from statistics import NormalDist

import numpy as np

Generator = np.random.Generator

# A standard normal number for each byte: quantiles at 256 even steps of probability, rounded to 1/64.
NORMAL = np.array([round(64 * NormalDist().inv_cdf((byte + 0.5) / 256)) / 64 for byte in range(256)], np.float32)


def cosine(turns: np.ndarray | float) -> np.ndarray | float:
    """Return the cosine of angles in turns, to five digits, by its power series."""
    square = turns - np.rint(turns)
    square = square * square
    total = 0.0
    for coefficient in (0.2820, -1.7144, 7.9035, -26.4263, 60.2446, -85.4568, 64.9394, -19.7392, 1.0):
        total = total * square + coefficient
    return total


def unit_vector(turns: float) -> np.ndarray:
    """Return cosine and sine (2,) of an angle in turns."""
    return np.array((cosine(turns), cosine(turns - 0.25)))


def smooth_noise(rng: Generator, rows: int, columns: int, cell: int) -> np.ndarray:
    """Return smooth noise (rows, columns) of mean 0 and standard deviation about 0.8, with hills `cell` px wide."""
    shape = -(-columns // cell) + 3, -(-rows // cell) + 3
    points = NORMAL[np.frombuffer(rng.bytes(shape[0] * shape[1]), np.uint8).reshape(shape)]
    return interpolate(interpolate(points, cell)[:columns].T.copy(), cell)[:rows]


def interpolate(points: np.ndarray, cell: int) -> np.ndarray:
    """Interpolate down the rows by a cubic, `cell` rows for one: (n, columns) to ((n - 3) * cell, columns)."""
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


def smooth_step(height: np.ndarray, width: float) -> np.ndarray:
    """Return a smooth step: 0 below -width/2, 1 above width/2."""
    share = np.clip(height / width + 0.5, 0, 1)
    return share * share * (3 - 2 * share)


def scatter_points(count: int, reach: float, rng: Generator) -> np.ndarray:
    """Return points (count, 2) spread evenly over a disk of radius `reach` (a jittered sunflower)."""
    number = np.arange(count) + 0.5
    turns = number * (3 - np.sqrt(5)) / 2 + rng.random()
    points = reach * np.sqrt(number / count) * unit_vector(turns)
    return points.T + rng.normal(0, 0.2 * reach / np.sqrt(count), (count, 2))
