"""A split as arrays."""

from pathlib import Path

import numpy as np
import pandas as pd

from skinlesion.core import arrays, images
from skinlesion.core.ham10000 import CODES
from skinlesion.core.parallel import map_parallel


def load(table: pd.DataFrame, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Read one split of data/splits.csv.

    Returns:
        the images uint8 (N, H, W, 3) and the labels (N,) as numbers of CODES, in the order of its rows.
    """
    rows = table[table["split"] == split]
    return read_images(list(rows["path"]), f"loading {split}"), rows["dx"].map(CODES.index).to_numpy()


def read_images(files: list[str], doing: str) -> np.ndarray:
    """Read images of one size into one array uint8 (N, H, W, 3), in the order of `files`; see arrays.allocate."""
    first = images.read(Path(files[0]))
    pixels = arrays.allocate((len(files), *first.shape), np.uint8)

    def read(index: int) -> None:
        pixels[index] = images.read(Path(files[index]))
        arrays.release(pixels[index])

    map_parallel(read, range(len(files)), doing, needs_threads=True)
    return pixels
