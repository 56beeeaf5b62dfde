"""Accuracy when the least certain images are referred to a doctor, and the model decides the rest."""

import numpy as np
import pandas as pd

from skinlesion.evaluate.plots import GRID


def accuracies(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Compute the accuracy on the 1, 2, ... N most certain images (N,), by their highest probability.

    Images of equal certainty are in no order: each counts as the mean of them.
    """
    certainty, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    _, level = np.unique(-certainty, return_inverse=True)
    expected = np.bincount(level, weights=right) / np.bincount(level)
    return np.cumsum(expected[np.sort(level)]) / np.arange(1, len(labels) + 1)


def aurc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Compute the area under the risk-coverage curve: the mean error over all coverages; 0 is best.

    Source: Geifman, Uziel, El-Yaniv, Bias-Reduced Uncertainty Estimation (ICLR 2019).
    """
    return float(1 - accuracies(labels, probabilities).mean())


def coverage_curve(line: str, labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Tabulate line, coverage (share of the images that the model decides) and accuracy on them."""
    images = np.unique(np.maximum(1, np.rint(GRID * len(labels)).astype(int)))
    values = accuracies(labels, probabilities)[images - 1]
    return pd.DataFrame({"line": line, "coverage": images / len(labels), "accuracy": values})
