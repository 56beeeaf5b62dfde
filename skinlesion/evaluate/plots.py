"""Tables behind the DVC plots of the stage evaluate."""

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve, roc_curve

from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate.intervals import Bootstrap, interval
from skinlesion.evaluate.metrics import (
    class_metrics,
    count_confusions,
    overall_metrics,
    probability_errors,
    reliability,
    roc_auc,
)
from skinlesion.model.predictions import Predictions

POINTS = 101  # of a curve; few enough for Git
GRID = np.linspace(0, 1, POINTS)


def confusion(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """List the true and the predicted class of each image: actual, predicted."""
    codes = np.array(CODES)
    return pd.DataFrame({"actual": codes[labels], "predicted": codes[probabilities.argmax(axis=1)]})


def roc(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Compute one-vs-rest ROC curves of the classes that have images: dx, false_positive_rate, true_positive_rate."""
    curves = []
    for label in np.unique(labels):
        false_positive, true_positive, _ = roc_curve(labels == label, probabilities[:, label])
        sensitivity = np.interp(GRID, false_positive, true_positive)
        sensitivity[0] = 0  # interpolation would start a vertical rise at its top
        curve = {"dx": CODES[label], "false_positive_rate": GRID, "true_positive_rate": sensitivity}
        curves.append(pd.DataFrame(curve))
    return pd.concat(curves, ignore_index=True)


def precision_recall(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Compute one-vs-rest precision-recall curves of the classes that have images: dx, recall, precision.

    The precision is the best one at this recall or a higher one.
    """
    curves = []
    for label in np.unique(labels):
        precision, recall, _ = precision_recall_curve(labels == label, probabilities[:, label])
        best = np.array([precision[recall >= point - 1e-12].max() for point in GRID])
        curves.append(pd.DataFrame({"dx": CODES[label], "recall": GRID, "precision": best}))
    return pd.concat(curves, ignore_index=True)


def reliability_by_variant(test: Predictions) -> pd.DataFrame:
    """Compute a row per bin: line (raw, calibrated, natural, perfect), confidence, accuracy, images."""
    columns = ["line", "confidence", "accuracy", "images"]
    parts = [
        pd.DataFrame(dict(zip(columns, (variant, *reliability(test.labels, values)), strict=True)))
        for variant, values in test.probabilities.items()
    ]
    perfect = pd.DataFrame({"line": "perfect", "confidence": [0.0, 1.0], "accuracy": [0.0, 1.0], "images": 0})
    return pd.concat([*parts, perfect], ignore_index=True)


def calibration(test: Predictions) -> pd.DataFrame:
    """Compute variant, log_loss, brier and calibration_error of each variant of the probabilities."""
    variants = test.probabilities.items()
    return pd.DataFrame([{"variant": name, **probability_errors(test.labels, values)} for name, values in variants])


def classes(test: Predictions, draws: Bootstrap) -> pd.DataFrame:
    """Compute sensitivity, specificity, precision, F1 and ROC-AUC of each class against the rest.

    Returns:
        Columns dx, measure, value, low, high, support (test images). A class with support 0 has NaN in all three.
    """
    scores = test.headline
    predicted = scores.argmax(axis=1)
    values = class_metrics(count_confusions(test.labels, predicted))
    drawn_f1 = class_metrics(draws.confusions(test.labels, predicted, len(CODES)))["f1"]
    rows = []
    for number, code in enumerate(CODES):
        truth, called = test.labels == number, predicted == number
        estimates = {
            "sensitivity": draws.proportion(called, truth),
            "specificity": draws.proportion(~called, ~truth),
            "precision": (values["precision"][number], *draws.proportion(truth, called)[1:]),
            "f1": (values["f1"][number], *interval(drawn_f1[:, number])),
            "roc_auc": (roc_auc(truth, scores[:, number]), *interval(draws.roc_auc(truth, scores[:, number]))),
        }
        for measure, estimate in estimates.items():
            rows.append((code, measure, *(estimate if truth.any() else [np.nan] * 3), truth.sum()))
    return pd.DataFrame(rows, columns=["dx", "measure", "value", "low", "high", "support"])


def leaks(test: Predictions) -> pd.DataFrame:
    """Score test images that have a sibling in train, and those that have none, separately.

    Returns:
        Columns stratum (all, with a sibling in train, without), images, scored (those of `classes`), classes, accuracy,
        balanced_accuracy. The last two strata are scored over the `classes` that both have, so that the scores are
        comparable. If one stratum is empty, the other is scored over its own classes. If they share no class, both
        scores are NaN.
    """
    predicted, leaked = test.headline.argmax(axis=1), test.rows["leaked"].to_numpy(dtype=bool)
    leaked_classes, clean_classes = set(test.labels[leaked]), set(test.labels[~leaked])
    shared = leaked_classes & clean_classes if leaked.any() and not leaked.all() else leaked_classes | clean_classes
    strata = {
        "all": (np.ones(len(leaked), bool), set(test.labels)),
        "with a sibling in train": (leaked, shared),
        "without": (~leaked, shared),
    }
    rows = []
    for stratum, (members, classes) in strata.items():
        scored = members & np.isin(test.labels, list(classes))
        metrics = overall_metrics(count_confusions(test.labels[scored], predicted[scored]))
        names = " ".join(CODES[label] for label in sorted(classes)) if scored.any() else ""
        scores = (float(metrics[name]) for name in ("accuracy", "balanced_accuracy"))
        rows.append((stratum, members.sum(), scored.sum(), names, *scores))
    return pd.DataFrame(rows, columns=["stratum", "images", "scored", "classes", "accuracy", "balanced_accuracy"])
