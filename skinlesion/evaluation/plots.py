"""Tables behind the DVC plots of evaluate, one row per point or image."""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

from skinlesion.classes import CODES
from skinlesion.evaluation.metrics import per_class

POINTS = 101  # of a curve: enough for the eye, small enough for Git


def confusion(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """actual and predicted, a row per image."""
    codes = np.array(CODES)
    return pd.DataFrame({"actual": codes[labels], "predicted": codes[probabilities.argmax(axis=1)]})


def roc(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """One-vs-rest ROC curves: dx, false_positive_rate, true_positive_rate; classes without images have none."""
    grid = np.linspace(0, 1, POINTS)
    curves = []
    for label in np.unique(labels):
        false_positive, true_positive, _ = roc_curve(labels == label, probabilities[:, label])
        sensitivity = np.interp(grid, false_positive, true_positive)
        sensitivity[0] = 0  # where the curve rises straight up, interpolation would begin at its top
        curve = {"dx": CODES[label], "false_positive_rate": grid, "true_positive_rate": sensitivity}
        curves.append(pd.DataFrame(curve))
    return pd.concat(curves, ignore_index=True)


def classes(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Precision, recall and F1 by class: dx, measure, value."""
    rows = [
        {"dx": code, "measure": measure, "value": value}
        for code, values in per_class(labels, probabilities).items()
        for measure, value in values.items()
        if measure != "support"
    ]
    return pd.DataFrame(rows)


TABLES = {"confusion": confusion, "roc": roc, "classes": classes}
