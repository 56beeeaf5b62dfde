"""A split as arrays."""

from pathlib import Path

import numpy as np
import pandas as pd

from skinlesion.core import images
from skinlesion.core.ham10000 import CODES
from skinlesion.core.parallel import over_cores
from skinlesion.model import arrays


def load(table: pd.DataFrame, split: str) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Read one split of data/splits.csv.

    Returns:
        its rows, the images uint8 (N, H, W, 3) and the labels (N,) as numbers of CODES, all in one order.
    """
    rows = table[table["split"] == split].reset_index(drop=True)
    labels = rows["dx"].map(CODES.index).to_numpy()
    return rows, read_images(list(rows["path"]), f"loading {split}"), labels


def read_images(files: list[str], doing: str) -> np.ndarray:
    """Read equally sized pictures into one uint8 array (N, H, W, 3), in the order of `files`; see arrays.empty."""
    first = images.read(Path(files[0]))
    pixels = arrays.empty((len(files), *first.shape), np.uint8)

    def fill(index: int) -> None:
        pixels[index] = images.read(Path(files[index]))
        arrays.drop(pixels[index])

    over_cores(fill, range(len(files)), doing, shared=True)
    return pixels
