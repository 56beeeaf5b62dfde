"""Test metrics: pure functions of labels and probabilities."""

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
    roc_auc_score,
)

from skinlesion.core.ham10000 import CODES
from skinlesion.model.calibration import LEAST

BINS = 15  # of the reliability diagram, with equally many images each


def headline(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """The figures of metrics/test.json.

    Macro averages are over the classes that `labels` holds: a class without images has no sensitivity. Macro recall
    is not among them, since it is the balanced accuracy. Images of one class alone have no area under the ROC
    curve: NaN.

    Args:
        labels: (N,) numbers of CODES.
        probabilities: (N, 7), rows sum to 1.
    """
    predicted = probabilities.argmax(axis=1)
    present = np.unique(labels)
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predicted, labels=present, average="macro", zero_division=0
    )
    return {
        "accuracy": accuracy_score(labels, predicted),
        "balanced_accuracy": recall,
        "precision_macro": precision,
        "f1_macro": f1,
        "f1_weighted": f1_score(labels, predicted, labels=present, average="weighted", zero_division=0),
        "roc_auc_macro": np.mean([roc_auc(labels == label, probabilities[:, label]) for label in present]),
        "average_precision_macro": np.mean(
            [average_precision_score(labels == label, probabilities[:, label]) for label in present]
        ),
        **proper(labels, probabilities),
    }


def roc_auc(positive: np.ndarray, scores: np.ndarray) -> float:
    """The area under the ROC curve of positive (N,) bool against the rest; NaN where either has no image."""
    return float(roc_auc_score(positive, scores)) if 0 < positive.sum() < len(positive) else np.nan


def proper(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """How far the probabilities themselves are from the truth; all three are best at 0.

    The Brier score is the mean over images of the squared differences summed over classes, between 0 and 2. For the
    log loss a probability is at least LEAST: predictions.csv has 6 digits, and a truth that rounds to 0 is not
    infinitely wrong.
    """
    truth = np.eye(len(CODES))[labels]
    of_truth = probabilities[np.arange(len(labels)), labels]
    return {
        "log_loss": -np.log(np.maximum(of_truth, LEAST)).mean(),
        "brier": np.square(probabilities - truth).sum(axis=1).mean(),
        "calibration_error": calibration_error(labels, probabilities),
    }


def calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Expected calibration error: mean gap of confidence and accuracy over the bins, weighed by their images.

    Source: Guo et al. (ICML 2017), with bins of equal mass as Nixon et al. (CVPR workshops 2019) recommend.
    """
    confidence, accuracy, images = reliability(labels, probabilities)
    return float(np.average(np.abs(confidence - accuracy), weights=images))


def reliability(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = BINS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean confidence, accuracy and number of images of each bin, by rising confidence of the prediction.

    Bins are of equal mass, but for images of equal confidence, which share the highest bin that any of them reaches:
    dealt by their order they would make a gap of nothing. So there are at most `bins`, and at most one per image.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    firsts = [part[0] for part in np.array_split(np.sort(confidence), bins) if len(part)]
    bin_of = np.searchsorted(firsts, confidence, side="right")
    images = np.bincount(bin_of)
    used = images > 0
    sums = (np.bincount(bin_of, weights=values)[used] for values in (confidence, right))
    return *(total / images[used] for total in sums), images[used]


def per_class(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, dict[str, float]]:
    """Each class against the rest: sensitivity, specificity, precision, f1, roc_auc; and support, its images.

    Precision is 0 in a class that is never predicted. A class without images has NaN for all five, specificity
    too: nothing is said of it but that it is absent.
    """
    predicted = probabilities.argmax(axis=1)
    confusion = confusion_matrix(labels, predicted, labels=range(len(CODES)))
    precision, sensitivity, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=range(len(CODES)), zero_division=0
    )
    found = {}
    for number, code in enumerate(CODES):
        others = len(labels) - support[number]
        false_alarms = confusion[:, number].sum() - confusion[number, number]
        values = {
            "sensitivity": sensitivity[number],
            "specificity": 1 - false_alarms / others if others else np.nan,
            "precision": precision[number],
            "f1": f1[number],
            "roc_auc": roc_auc(labels == number, probabilities[:, number]),
        }
        if not support[number]:
            values = dict.fromkeys(values, np.nan)
        found[code] = {**{name: float(value) for name, value in values.items()}, "support": int(support[number])}
    return found
