"""The calibration stored in the model file: temperature and class frequencies."""

import numpy as np
import pandas as pd

from skinlesion.core.ham10000 import CODES
from skinlesion.model.calibration import Calibration


def calibrate(splits: pd.DataFrame, labels: np.ndarray, probabilities: np.ndarray, trained: np.ndarray) -> Calibration:
    """Fit the temperature on validation and count natural class frequencies. Neither uses the test split.

    Under protocol image with balance.per_class, test takes a larger share of small classes than of nv, many of whose
    originals are unused; so nv counts for about .69 in place of .67 of HAM10000.

    Args:
        splits: data/splits.csv.
        labels, probabilities: of validation, (N,) and (N, 7).
        trained: class frequencies (7,) of training, as options.effective_frequencies gives them.
    """
    originals = splits.loc[~splits["augmented"] & (splits["split"] != "test"), "dx"]
    natural = originals.value_counts(normalize=True).reindex(list(CODES), fill_value=0).to_numpy()
    return Calibration(1.0, trained, natural).refitted(labels, probabilities)
