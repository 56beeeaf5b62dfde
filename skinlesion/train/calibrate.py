"""The calibration stored in the model file: temperature and class frequencies."""

import numpy as np
import pandas as pd

from skinlesion.core.ham10000 import CODES
from skinlesion.model.calibration import Calibration


def calibrate(
    splits: pd.DataFrame, labels: np.ndarray, probabilities: np.ndarray, class_weight: dict[int, float] | None
) -> Calibration:
    """Fit the temperature on validation and count class frequencies. Neither uses the test split.

    Args:
        splits: data/splits.csv.
        labels, probabilities: of validation, (N,) and (N, 7).
        class_weight: weight of each class in the loss; it changes the frequencies as more images would.
    """
    weights = np.array([class_weight[number] if class_weight else 1.0 for number in range(len(CODES))])
    trained = count_frequencies(splits.loc[splits["split"] == "train", "dx"], weights)
    natural = count_frequencies(splits.loc[~splits["augmented"] & (splits["split"] != "test"), "dx"])
    return Calibration(1.0, trained, natural).refitted(labels, probabilities)


def count_frequencies(dx: pd.Series, weights: np.ndarray | float = 1.0) -> np.ndarray:
    """The frequency of each class (7,), in the order of CODES; they sum to 1."""
    counts = dx.value_counts().reindex(list(CODES), fill_value=0).to_numpy() * weights
    return counts / counts.sum()
