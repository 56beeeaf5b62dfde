"""What a clinic asks: malignant or benign, melanomas found at a given rate of false alarms, net benefit."""

import numpy as np
import pandas as pd

from skinlesion.core.ham10000 import CODES, DIAGNOSES
from skinlesion.evaluate.intervals import Bootstrap
from skinlesion.evaluate.metrics import roc_auc

MALIGNANT = np.array([diagnosis.malignant for diagnosis in DIAGNOSES])
MALIGNANT_FROM = 0.5
MELANOMA = CODES.index("mel")
SPECIFICITIES = (0.85, 0.90, 0.95)
WORST = -0.1  # net benefit below it is left out of the curve: treating all falls to -50 and would dwarf the rest
THRESHOLDS = np.arange(1, 100) / 100  # of the decision curve


def malignant(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether each image (N,) is malignant (akiec, bcc, mel), and the probability (N,) that it is."""
    return MALIGNANT[labels], probabilities[:, MALIGNANT].sum(axis=1)


def against_benign(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Malignant against benign: ROC-AUC, and sensitivity and specificity where it is called so from 0.5 on.

    NaN where the images lack one of the two.
    """
    truth, chance = malignant(labels, probabilities)
    called = chance >= MALIGNANT_FROM
    return {
        "malignant_roc_auc": roc_auc(truth, chance),
        "malignant_sensitivity": called[truth].mean() if truth.any() else np.nan,
        "malignant_specificity": (~called[~truth]).mean() if not truth.all() else np.nan,
    }


def threshold_for(specificity: float, labels: np.ndarray, scores: np.ndarray) -> float:
    """The lowest threshold that calls at most 1 - specificity of the images (N,) without melanoma melanoma.

    An image is called melanoma where its score is above the threshold. Choose it on validation.
    """
    others = np.sort(scores[labels != MELANOMA])
    # At least ceil(specificity * n) of n must not be above; the tolerance is for products such as 0.9 * 10.
    needed = int(np.ceil(specificity * len(others) - 1e-9))
    return float(others[needed - 1])


def operating_points(
    validation: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray], draws: Bootstrap
) -> pd.DataFrame:
    """Melanoma sensitivity on test at thresholds that validation chose, with an interval.

    Args:
        validation, test: labels (N,) and probabilities (N, 7).
        draws: of the test images.

    Returns:
        target_specificity, threshold, specificity, sensitivity, low, high.
    """
    labels, probabilities = test
    is_melanoma, scores = labels == MELANOMA, probabilities[:, MELANOMA]
    rows = []
    for target in SPECIFICITIES:
        threshold = threshold_for(target, validation[0], validation[1][:, MELANOMA])
        called = scores > threshold
        low, high = draws.of(is_melanoma).proportion(called[is_melanoma])
        rows.append(
            {
                "target_specificity": target,
                "threshold": threshold,
                "specificity": (~called[~is_melanoma]).mean(),
                "sensitivity": called[is_melanoma].mean() if is_melanoma.any() else np.nan,
                "low": low,
                "high": high,
            }
        )
    return pd.DataFrame(rows)


def decision_curve(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Net benefit of treating what the model calls malignant, against treating all and none.

    At a threshold t, one false alarm weighs t / (1 - t) of a malignant lesion found, per image.
    Source: Vickers and Elkin, Decision Curve Analysis (Medical Decision Making 26, 2006).
    """
    truth, chance = malignant(labels, probabilities)
    odds = THRESHOLDS / (1 - THRESHOLDS)
    called = chance[:, None] >= THRESHOLDS
    strategies = {
        "model": (called & truth[:, None]).mean(axis=0) - (called & ~truth[:, None]).mean(axis=0) * odds,
        "treat all": truth.mean() - (1 - truth.mean()) * odds,
        "treat none": np.zeros(len(THRESHOLDS)),
    }
    curves = [pd.DataFrame({"line": name, "threshold": THRESHOLDS, "net_benefit": y}) for name, y in strategies.items()]
    table = pd.concat(curves, ignore_index=True)
    return table[table["net_benefit"] >= WORST].reset_index(drop=True)
