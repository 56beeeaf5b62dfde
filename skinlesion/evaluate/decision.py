"""The decision rule of the headline figures: how far class frequencies of training are divided out."""

from collections.abc import Callable

import numpy as np
from sklearn.metrics import balanced_accuracy_score

from skinlesion.model.calibration import Calibration

GRID = np.linspace(0, 1, 21)


def choose_on_validation(labels: np.ndarray, change: Callable[[float], np.ndarray]) -> float:
    """Choose the value of GRID whose probabilities `change(value)` (N, 7) have the best balanced accuracy on `labels`.

    Of equals, the smallest.
    """
    scores = [balanced_accuracy_score(labels, change(value).argmax(axis=1)) for value in GRID]
    return round(float(GRID[np.argmax(scores)]), 2)


def choose_exponent(calibration: Calibration, labels: np.ndarray, raw: np.ndarray) -> float:
    """Choose the exponent for the labels (N,) and raw probabilities (N, 7) of validation."""
    return choose_on_validation(labels, lambda exponent: calibration.decided(raw, exponent))


# evaluate.decision -> exponent, from a calibration, and labels (N,) and probabilities (N, 7) of validation
DECISIONS: dict[str, Callable[[Calibration, np.ndarray, np.ndarray], float]] = {
    "raw": lambda calibration, labels, raw: 0.0,
    "uniform": choose_exponent,
}
