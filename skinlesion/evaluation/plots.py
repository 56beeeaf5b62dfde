"""Tables behind the DVC plots of evaluate, one row per point or image."""

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve, roc_curve

from skinlesion.classes import CODES
from skinlesion.evaluation import clinical
from skinlesion.evaluation.intervals import Bootstrap, by_class, interval
from skinlesion.evaluation.metrics import per_class, proper, reliability
from skinlesion.evaluation.predictions import Predictions

POINTS = 101  # of a curve: enough for the eye, small enough for Git
GRID = np.linspace(0, 1, POINTS)


def confusion(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """actual and predicted, a row per image."""
    codes = np.array(CODES)
    return pd.DataFrame({"actual": codes[labels], "predicted": codes[probabilities.argmax(axis=1)]})


def roc(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """One-vs-rest ROC curves: dx, false_positive_rate, true_positive_rate; classes without images have none."""
    curves = []
    for label in np.unique(labels):
        false_positive, true_positive, _ = roc_curve(labels == label, probabilities[:, label])
        sensitivity = np.interp(GRID, false_positive, true_positive)
        sensitivity[0] = 0  # where the curve rises straight up, interpolation would begin at its top
        curves.append(
            pd.DataFrame({"dx": CODES[label], "false_positive_rate": GRID, "true_positive_rate": sensitivity})
        )
    return pd.concat(curves, ignore_index=True)


def precision_recall(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """One-vs-rest precision-recall curves: dx, recall, precision; classes without images have none.

    At each recall stands the best precision that this recall or a higher one allows.
    """
    curves = []
    for label in np.unique(labels):
        precision, recall, _ = precision_recall_curve(labels == label, probabilities[:, label])
        best = np.array([precision[recall >= point - 1e-12].max() for point in GRID])
        curves.append(pd.DataFrame({"dx": CODES[label], "recall": GRID, "precision": best}))
    return pd.concat(curves, ignore_index=True)


def reliability_by_variant(test: Predictions) -> pd.DataFrame:
    """line (raw, calibrated, natural, perfect), confidence, accuracy, images: a row per bin."""
    parts = [
        pd.DataFrame(
            dict(zip(("confidence", "accuracy", "images"), reliability(test.labels, values), strict=True))
        ).assign(line=variant)
        for variant, values in test.probabilities.items()
    ]
    parts.append(pd.DataFrame({"confidence": [0.0, 1.0], "accuracy": [0.0, 1.0], "images": 0, "line": "perfect"}))
    return pd.concat(parts, ignore_index=True)[["line", "confidence", "accuracy", "images"]]


def calibration(test: Predictions) -> pd.DataFrame:
    """variant, log_loss, brier, calibration_error: how far each variant of the probabilities is from the truth."""
    rows = [{"variant": variant, **proper(test.labels, values)} for variant, values in test.probabilities.items()]
    return pd.DataFrame(rows)


def classes(test: Predictions, draws: Bootstrap) -> pd.DataFrame:
    """dx, measure, value, low, high, support: sensitivity, specificity, precision, f1 and roc_auc of every class.
    A class without test images has support 0 and no value.
    """
    raw = test.probabilities["raw"]
    values = per_class(test.labels, raw)
    drawn = by_class(draws.confusions(test.labels, raw.argmax(axis=1), len(CODES)))
    rows = []
    for number, code in enumerate(CODES):
        of_class = {name: by_draw[:, number] for name, by_draw in drawn.items()}
        of_class["roc_auc"] = draws.roc_auc(test.labels == number, raw[:, number])
        support = values[code].pop("support")
        for measure, value in values[code].items():
            low, high = interval(of_class[measure]) if support else (np.nan, np.nan)
            rows.append({"dx": code, "measure": measure, "value": value, "low": low, "high": high, "support": support})
    return pd.DataFrame(rows)


def malignant(test: Predictions, draws: Bootstrap) -> pd.DataFrame:
    """measure, value, low, high: sensitivity, specificity and roc_auc of akiec, bcc, mel together against the rest."""
    truth, chance = clinical.malignant(test.labels, test.probabilities["raw"])
    called = chance >= clinical.MALIGNANT_FROM
    drawn = {
        "sensitivity": draws.of(truth).mean(called[truth]),
        "specificity": draws.of(~truth).mean(~called[~truth]),
        "roc_auc": draws.roc_auc(truth, chance),
    }
    values = clinical.against_benign(test.labels, test.probabilities["raw"])
    rows = [(measure, values[f"malignant_{measure}"], *interval(of_draws)) for measure, of_draws in drawn.items()]
    return pd.DataFrame(rows, columns=["measure", "value", "low", "high"])


def leaks(test: Predictions) -> pd.DataFrame:
    """stratum, images, accuracy, balanced_accuracy: all test images, those with a sibling in train, those without."""
    raw, leaked = test.probabilities["raw"].argmax(axis=1), test.rows["leaked"].to_numpy(dtype=bool)
    strata = {"all": np.ones(len(leaked), bool), "with a sibling in train": leaked, "without": ~leaked}
    rows = []
    for stratum, chosen in strata.items():
        right = raw[chosen] == test.labels[chosen]
        by_label = pd.Series(right).groupby(test.labels[chosen]).mean()
        accuracy = right.mean() if len(right) else np.nan
        rows.append(
            {"stratum": stratum, "images": len(right), "accuracy": accuracy, "balanced_accuracy": by_label.mean()}
        )
    return pd.DataFrame(rows)
