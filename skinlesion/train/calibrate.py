"""What travels with the model to calibrate it: a temperature, and the class frequencies that training saw."""

import numpy as np
import pandas as pd

from skinlesion.core.ham10000 import CODES
from skinlesion.model.calibration import Calibration


def calibrate(
    splits: pd.DataFrame, labels: np.ndarray, probabilities: np.ndarray, class_weight: dict[int, float] | None
) -> Calibration:
    """Fit the temperature on validation, and count class frequencies; the test split has no part in either.

    Args:
        splits: data/splits.csv.
        labels, probabilities: of validation, (N,) and (N, 7).
        class_weight: what the classes counted in the loss: they shift the frequencies as more images would.
    """
    weights = np.array([class_weight[number] if class_weight else 1.0 for number in range(len(CODES))])
    trained = frequencies(splits.loc[splits["split"] == "train", "dx"], weights)
    natural = frequencies(splits.loc[~splits["augmented"] & (splits["split"] != "test"), "dx"])
    return Calibration(1.0, trained, natural).refitted(labels, probabilities)


def frequencies(dx: pd.Series, weights: np.ndarray | float = 1.0) -> np.ndarray:
    """The part of each class (7,), in the order of CODES; they sum to 1."""
    counts = dx.value_counts().reindex(list(CODES), fill_value=0).to_numpy() * weights
    return counts / counts.sum()
