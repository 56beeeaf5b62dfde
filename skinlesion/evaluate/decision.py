"""The decision rule of the headline figures: how far class frequencies of training are divided out."""

from collections.abc import Callable

import numpy as np
from sklearn.metrics import balanced_accuracy_score

from skinlesion.model.calibration import Calibration

EXPONENTS = np.linspace(0, 1, 21)


def choose_exponent(calibration: Calibration, labels: np.ndarray, raw: np.ndarray) -> float:
    """Choose the exponent with the best balanced accuracy on validation; the smallest of equals.

    Args:
        labels, raw: of validation, (N,) and (N, 7).
    """
    scores = [balanced_accuracy_score(labels, calibration.decided(raw, each).argmax(axis=1)) for each in EXPONENTS]
    return round(float(EXPONENTS[np.argmax(scores)]), 2)


# evaluate.decision -> exponent, from a calibration, and labels (N,) and probabilities (N, 7) of validation
DECISIONS: dict[str, Callable[[Calibration, np.ndarray, np.ndarray], float]] = {
    "raw": lambda calibration, labels, raw: 0.0,
    "uniform": choose_exponent,
}
