"""What the training images look like, stored in the model file."""

import numpy as np
import pandas as pd

from skinlesion.core import arrays
from skinlesion.core.parallel import map_parallel
from skinlesion.model import likeness


def fit_reference(
    splits: pd.DataFrame, metadata: pd.DataFrame, train: np.ndarray, validation: np.ndarray
) -> likeness.Likeness:
    """Fit the reference to the originals of train, and its limit to those of validation. Test is not used.

    Args:
        splits, metadata: data/splits.csv and data/merged/metadata.csv.
        train, validation: images uint8 (N, S, S, 3), as dataset.load gives them.
    """
    measured = (measure(splits, split, pixels) for split, pixels in (("train", train), ("validation", validation)))
    trained = metadata["image_id"].isin(splits.loc[splits["split"] == "train", "image_id"])
    shortest = metadata.loc[trained, ["width", "height"]].to_numpy().min()
    return likeness.fit(*measured, smallest=min(train.shape[1] // 2, int(shortest)))


def measure(splits: pd.DataFrame, split: str, pixels: np.ndarray) -> np.ndarray:
    """The statistics of the original images of one split, (N, 13); of all, if a tiny split has copies alone."""
    augmented = splits.loc[splits["split"] == split, "augmented"].to_numpy(bool)
    chosen = np.arange(len(pixels)) if augmented.all() else np.flatnonzero(~augmented)

    def compute(index: int) -> np.ndarray:
        statistics = likeness.compute_statistics(pixels[index])
        arrays.release(pixels[index])
        return statistics

    return np.stack(map_parallel(compute, chosen, f"measuring {split}"))
