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
        class_weight: weight of each class in the loss; an image of weight 2 counts as two in the frequencies.
    """
    trained, natural = (
        splits.loc[rows, "dx"].value_counts().reindex(list(CODES), fill_value=0).to_numpy()
        for rows in (splits["split"] == "train", ~splits["augmented"] & (splits["split"] != "test"))
    )
    if class_weight:
        trained = trained * np.array([class_weight[number] for number in range(len(CODES))])
    return Calibration(1.0, trained / trained.sum(), natural / natural.sum()).refitted(labels, probabilities)
