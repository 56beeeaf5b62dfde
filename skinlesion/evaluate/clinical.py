"""Clinical metrics: malignant against benign, melanoma sensitivity at a fixed specificity, and net benefit."""

import numpy as np
import pandas as pd

from skinlesion.core.ham10000 import CODES, MALIGNANT
from skinlesion.evaluate.intervals import Bootstrap, interval
from skinlesion.evaluate.metrics import roc_auc

MALIGNANT_FROM = 0.5
MELANOMA = CODES.index("mel")
SPECIFICITIES = (0.85, 0.90, 0.95)
WORST = -0.1  # the curve omits lower net benefit: that of treating all falls to -50 and would hide the rest
THRESHOLDS = np.arange(1, 100) / 100  # of the decision curve


def sum_malignant(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give for each image (N,) whether it is malignant, and the summed probability of the malignant classes."""
    malignant = np.isin(CODES, MALIGNANT)
    return malignant[labels], probabilities[:, malignant].sum(axis=1)


def malignant_metrics(labels: np.ndarray, probabilities: np.ndarray, draws: Bootstrap) -> pd.DataFrame:
    """Compute sensitivity, specificity (at probability 0.5) and ROC-AUC of malignant against benign.

    Returns:
        Columns measure, value, low, high; NaN if the images lack one of the two.
    """
    truth, scores = sum_malignant(labels, probabilities)
    called = scores >= MALIGNANT_FROM
    rows = [
        ("sensitivity", *draws.proportion(called, truth)),
        ("specificity", *draws.proportion(~called, ~truth)),
        ("roc_auc", roc_auc(truth, scores), *interval(draws.roc_auc(truth, scores))),
    ]
    return pd.DataFrame(rows, columns=["measure", "value", "low", "high"])


def choose_threshold(specificity: float, labels: np.ndarray, scores: np.ndarray) -> float:
    """Choose the lowest melanoma threshold that has at least this specificity on these images (N,) of validation.

    An image is called melanoma if its score is above the threshold.
    """
    others = np.sort(scores[labels != MELANOMA])
    # At least ceil(specificity * n) of n must not be above; the tolerance is for products such as 0.9 * 10.
    needed = int(np.ceil(specificity * len(others) - 1e-9))
    return float(others[needed - 1])


def operating_points(
    validation: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray], draws: Bootstrap
) -> pd.DataFrame:
    """Compute melanoma sensitivity on test, with its interval, at thresholds chosen on validation.

    Args:
        validation, test: labels (N,) and probabilities (N, 7).
        draws: of the test images.

    Returns:
        Columns target_specificity, threshold, specificity, sensitivity, low, high.
    """
    labels, probabilities = test
    is_melanoma, scores = labels == MELANOMA, probabilities[:, MELANOMA]
    rows = []
    for target in SPECIFICITIES:
        threshold = choose_threshold(target, validation[0], validation[1][:, MELANOMA])
        called = scores > threshold
        rows.append((target, threshold, (~called[~is_melanoma]).mean(), *draws.proportion(called, is_melanoma)))
    return pd.DataFrame(rows, columns=["target_specificity", "threshold", "specificity", "sensitivity", "low", "high"])


def decision_curve(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Compute the net benefit per image of treating lesions that the model calls malignant, all lesions, and none.

    At threshold t, one false positive costs t / (1 - t) of a true positive.
    Source: Vickers and Elkin, Decision Curve Analysis (Medical Decision Making 26, 2006).
    """
    truth, scores = sum_malignant(labels, probabilities)
    odds = THRESHOLDS / (1 - THRESHOLDS)
    called = scores[:, None] >= THRESHOLDS
    strategies = {
        "model": (called & truth[:, None]).mean(axis=0) - (called & ~truth[:, None]).mean(axis=0) * odds,
        "treat all": truth.mean() - (1 - truth.mean()) * odds,
        "treat none": np.zeros(len(THRESHOLDS)),
    }
    curves = [pd.DataFrame({"line": name, "threshold": THRESHOLDS, "net_benefit": y}) for name, y in strategies.items()]
    table = pd.concat(curves, ignore_index=True)
    return table[table["net_benefit"] >= WORST].reset_index(drop=True)
