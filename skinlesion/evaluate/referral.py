"""Accuracy when the least certain images are referred to a doctor, and the model decides the rest.

How certain the model is of an image is the raw probability of the predicted class. A decision rule changes what is
predicted; it divides by class frequency, so its own probabilities are highest for rare classes, not for certain images.
"""

import numpy as np
import pandas as pd

from skinlesion.evaluate.plots import GRID
from skinlesion.model.predictions import Predictions


def accuracies(part: Predictions) -> np.ndarray:
    """Compute the accuracy on the 1, 2, ... N most certain images (N,).

    Images of equal certainty are in no order: each counts as the mean of them.
    """
    predicted = part.headline.argmax(axis=1)
    certainty = part.probabilities["raw"][np.arange(len(predicted)), predicted]
    right = predicted == part.labels
    _, level = np.unique(-certainty, return_inverse=True)
    expected = np.bincount(level, weights=right) / np.bincount(level)
    return np.cumsum(expected[np.sort(level)]) / np.arange(1, len(right) + 1)


def aurc(part: Predictions) -> float:
    """Compute the area under the risk-coverage curve: the mean error over all coverages; 0 is best.

    Source: Geifman, Uziel, El-Yaniv, Bias-Reduced Uncertainty Estimation (ICLR 2019).
    """
    return float(1 - accuracies(part).mean())


def coverage_curve(line: str, part: Predictions) -> pd.DataFrame:
    """Tabulate line, coverage (share of the images that the model decides) and accuracy on them."""
    number = len(part.labels)
    images = np.unique(np.maximum(1, np.rint(GRID * number).astype(int)))
    return pd.DataFrame({"line": line, "coverage": images / number, "accuracy": accuracies(part)[images - 1]})
