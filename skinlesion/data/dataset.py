"""A split as arrays."""

import numpy as np
import pandas as pd

from skinlesion.classes import CODES
from skinlesion.data import images


def load(table: pd.DataFrame, split: str) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Read one split of data/splits.csv.

    Returns:
        its rows, the images uint8 (N, H, W, 3) and the labels (N,) as numbers of CODES, all in one order.
    """
    rows = table[table["split"] == split].reset_index(drop=True)
    labels = rows["dx"].map(CODES.index).to_numpy()
    return rows, images.load(list(rows["path"]), f"loading {split}"), labels
