"""Test metrics as pure functions of labels and probabilities."""

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from skinlesion.core.ham10000 import CODES
from skinlesion.model.calibration import LEAST

BINS = 15  # of the reliability diagram, with equally many images each


def headline(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Compute the metrics of metrics/test.json.

    Macro averages are over the classes that have images. Macro recall is left out: it equals balanced accuracy.
    ROC-AUC is NaN if all images are of one class.

    Args:
        labels: class numbers (N,), indices into CODES.
        probabilities: (N, 7), rows sum to 1.
    """
    confusion = count_confusions(labels, probabilities.argmax(axis=1))
    overall, by_class = overall_metrics(confusion), class_metrics(confusion)
    support = confusion.sum(axis=1)
    present = np.flatnonzero(support)
    precision, f1 = by_class["precision"][present], by_class["f1"][present]
    one_vs_rest = [(labels == label, probabilities[:, label]) for label in present]
    metrics = {
        "accuracy": overall["accuracy"],
        "balanced_accuracy": overall["balanced_accuracy"],
        "precision_macro": precision.mean(),
        "f1_macro": overall["f1_macro"],
        "f1_weighted": np.average(f1, weights=support[present]),
        "roc_auc_macro": np.mean([roc_auc(*sides) for sides in one_vs_rest]),
        "average_precision_macro": np.mean([average_precision_score(*sides) for sides in one_vs_rest]),
        **probability_errors(labels, probabilities),
    }
    return {name: float(value) for name, value in metrics.items()}


def count_confusions(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Count images by true class (rows) and predicted class (columns): (7, 7), both in the order of CODES."""
    classes = len(CODES)
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def class_metrics(confusions: np.ndarray) -> dict[str, np.ndarray]:
    """Compute metrics of each class from confusion matrices (..., C, C): name -> (..., C), NaN if undefined.

    A class that has images but is never predicted has precision 0 and F1 0, as with scikit-learn's zero_division=0.
    """
    total = confusions.sum(axis=(-2, -1))[..., None]
    hits = np.diagonal(confusions, axis1=-2, axis2=-1)
    actual, predicted = confusions.sum(axis=-1), confusions.sum(axis=-2)
    present = actual > 0
    return {
        "sensitivity": ratio(hits, actual),
        "specificity": 1 - ratio(predicted - hits, total - actual),
        "precision": np.where(present, np.nan_to_num(ratio(hits, predicted)), np.nan),
        "f1": np.where(present, ratio(2 * hits, actual + predicted), np.nan),
    }


def overall_metrics(confusions: np.ndarray) -> dict[str, np.ndarray]:
    """Compute metrics over the classes that have images, from confusion matrices (..., C, C): name -> (...)."""
    by_class, present = class_metrics(confusions), confusions.sum(axis=-1) > 0

    def average(values: np.ndarray) -> np.ndarray:
        return ratio(np.where(present, values, 0).sum(axis=-1), present.sum(axis=-1))

    return {
        "accuracy": ratio(np.trace(confusions, axis1=-2, axis2=-1), confusions.sum(axis=(-2, -1))),
        "balanced_accuracy": average(by_class["sensitivity"]),
        "f1_macro": average(by_class["f1"]),
    }


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide element by element; NaN where the denominator is 0."""
    empty = np.full(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)), np.nan)
    return np.divide(numerator, denominator, out=empty, where=denominator > 0)


def roc_auc(positive: np.ndarray, scores: np.ndarray) -> float:
    """Compute the area under the ROC curve of positive (N,) bool against the rest; NaN if either has no image."""
    return float(roc_auc_score(positive, scores)) if 0 < positive.sum() < len(positive) else np.nan


def probability_errors(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Compute log loss, Brier score and expected calibration error; 0 is best for all three.

    The Brier score is the mean over images of the squared differences summed over classes, 0 to 2. For log loss,
    probabilities are raised to at least LEAST, since float32 softmax rounds a small one to 0.
    The expected calibration error is the mean gap between confidence and accuracy, weighted by images: Guo et al.
    (ICML 2017), with bins of equal mass as Nixon et al. (CVPR workshops 2019) recommend.
    """
    confidence, accuracy, images = reliability(labels, probabilities)
    of_truth = probabilities[np.arange(len(labels)), labels]
    return {
        "log_loss": -np.log(np.maximum(of_truth, LEAST)).mean(),
        "brier": np.square(probabilities - np.eye(len(CODES))[labels]).sum(axis=1).mean(),
        "calibration_error": np.average(np.abs(confidence - accuracy), weights=images),
    }


def reliability(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = BINS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute mean confidence, accuracy and number of images per bin, sorted by confidence.

    Bins have equal mass, except that images of equal confidence share a bin, the highest that one of them reaches:
    split by their order in the file, they would show a gap that is not there. So there may be fewer than `bins`.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    firsts = [part[0] for part in np.array_split(np.sort(confidence), bins) if len(part)]
    bin_of = np.searchsorted(firsts, confidence, side="right")
    images = np.bincount(bin_of)
    used = images > 0
    sums = (np.bincount(bin_of, weights=values)[used] for values in (confidence, right))
    return *(total / images[used] for total in sums), images[used]
