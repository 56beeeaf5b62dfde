"""Tables behind the DVC plots of evaluate, one row per point or image."""

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate import clinical
from skinlesion.evaluate.intervals import Bootstrap, by_class, interval, overall
from skinlesion.evaluate.metrics import per_class, proper, reliability
from skinlesion.model.predictions import Predictions

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
    predicted = raw.argmax(axis=1)
    drawn = by_class(draws.confusions(test.labels, predicted, len(CODES)))
    rows = []
    for number, (code, values) in enumerate(per_class(test.labels, raw).items()):
        truth, called = test.labels == number, predicted == number
        bounds = {
            **halves(truth, called, draws),
            "precision": draws.of(called).proportion(truth[called]),
            "f1": interval(drawn["f1"][:, number]),
            "roc_auc": interval(draws.roc_auc(truth, raw[:, number])),
        }
        support = values.pop("support")
        for measure, value in values.items():
            low, high = bounds[measure] if support else (np.nan, np.nan)
            rows.append({"dx": code, "measure": measure, "value": value, "low": low, "high": high, "support": support})
    return pd.DataFrame(rows)


def halves(truth: np.ndarray, called: np.ndarray, draws: Bootstrap) -> dict[str, tuple[float, float]]:
    """The intervals of sensitivity and specificity, truth and called (N,) bool."""
    return {
        "sensitivity": draws.of(truth).proportion(called[truth]),
        "specificity": draws.of(~truth).proportion(~called[~truth]),
    }


def malignant(test: Predictions, draws: Bootstrap) -> pd.DataFrame:
    """measure, value, low, high: sensitivity, specificity and roc_auc of akiec, bcc, mel together against the rest."""
    raw = test.probabilities["raw"]
    truth, chance = clinical.malignant(test.labels, raw)
    bounds = halves(truth, chance >= clinical.MALIGNANT_FROM, draws)
    bounds["roc_auc"] = interval(draws.roc_auc(truth, chance))
    values = clinical.against_benign(test.labels, raw)
    rows = [(measure, values[f"malignant_{measure}"], *low_and_high) for measure, low_and_high in bounds.items()]
    return pd.DataFrame(rows, columns=["measure", "value", "low", "high"])


def leaks(test: Predictions) -> pd.DataFrame:
    """Test images with a sibling in train, and those without, apart.

    Returns:
        stratum (all, with a sibling in train, without), images, classes, accuracy, balanced_accuracy. The two strata
        are scored over the `classes` that both have, so that their scores compare; where one is empty, over the
        other's. No score where they share no class.
    """
    predicted, leaked = test.probabilities["raw"].argmax(axis=1), test.rows["leaked"].to_numpy(dtype=bool)
    present = [set(np.unique(test.labels[chosen])) for chosen in (leaked, ~leaked)]
    shared = present[0] & present[1] if all(present) else present[0] | present[1]
    everything = np.ones(len(leaked), bool)
    strata = {
        "all": (everything, set(test.labels)),
        "with a sibling in train": (leaked, shared),
        "without": (~leaked, shared),
    }
    rows = []
    for stratum, (chosen, classes) in strata.items():
        scored = chosen & np.isin(test.labels, list(classes))
        figures = (
            overall(confusion_matrix(test.labels[scored], predicted[scored], labels=range(len(CODES))))
            if scored.any()
            else {}
        )
        names = " ".join(CODES[label] for label in sorted(classes)) if scored.any() else ""
        row = {"stratum": stratum, "images": int(chosen.sum()), "classes": names}
        rows.append(row | {name: float(figures.get(name, np.nan)) for name in ("accuracy", "balanced_accuracy")})
    return pd.DataFrame(rows)
